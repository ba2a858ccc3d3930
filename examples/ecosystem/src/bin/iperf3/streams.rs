//! The streams of a test: octets in, octets out, counted.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use glassnet::net::TcpStream;
use glassnet::time::{self, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control::Parameters;

pub(crate) struct Stream {
    pub(crate) tcp: TcpStream,
    /// Whether this end sends.
    pub(crate) sends: bool,
    /// Octets so far.
    pub(crate) octets: Cell<u64>,
    /// Octets of the seconds that do not count.
    pub(crate) omitted: Cell<u64>,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, sends: bool) -> Stream {
        Stream { tcp, sends, octets: Cell::new(0), omitted: Cell::new(0) }
    }

    pub(crate) fn counted(&self) -> u64 {
        self.octets.get() - self.omitted.get()
    }

    /// Sends or receives until the other end closes. May be dropped at any time: what was counted
    /// was handed over.
    pub(crate) async fn run(&mut self, parameters: &Parameters) -> io::Result<()> {
        if self.sends { self.send(parameters).await } else { self.receive(u64::MAX).await }
    }

    /// Takes what comes until there have been `most` octets, or the other end closes.
    pub(crate) async fn receive(&mut self, most: u64) -> io::Result<()> {
        let mut buffer = vec![0; 256 * 1024];
        while self.octets.get() < most {
            match self.tcp.read(&mut buffer).await? {
                0 => break,
                len => self.octets.set(self.octets.get() + len as u64),
            }
        }
        Ok(())
    }

    async fn send(&mut self, parameters: &Parameters) -> io::Result<()> {
        let piece = vec![0; parameters.len];
        let began = Instant::now();
        let mut sent = 0u64;
        loop {
            let len = self.tcp.write(&piece).await? as u64;
            sent += len;
            self.octets.set(self.octets.get() + len);
            if parameters.bandwidth > 0 {
                let due = sent as f64 * 8.0 / parameters.bandwidth as f64;
                let early = due - began.elapsed().as_secs_f64();
                // A day, as any other duration, is enough; a rate of 1 bit a second is not refused.
                time::sleep(Duration::from_secs_f64(early.clamp(0.0, 86_400.0))).await;
            }
        }
    }
}
