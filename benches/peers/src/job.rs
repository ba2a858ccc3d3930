//! What is measured, and in which unit.

use std::time::Duration;

pub type Error = Box<dyn std::error::Error>;
pub type Result<T = ()> = std::result::Result<T, Error>;

pub const GREETING: &[u8; 24] = b"Thank you for connecting";
/// Bytes of a request and of a response in the ping-pong jobs.
pub const MESSAGE: usize = 64;
/// Bytes a bulk writer hands over at once, and the size of the reader's buffer.
pub const CHUNK: usize = 64 * 1024;
/// Socket buffers where thousands of connections are not open at once.
pub const BUFFER: usize = 64 * 1024;
/// Socket buffers where thousands of connections are open at once: 50,000 pairs
/// of sockets with 64 KiB buffers would need 13 GB before a byte is sent.
pub const SMALL_BUFFER: usize = 4 * 1024;
/// One way, in every peer that has links.
pub const DELAY: Duration = Duration::from_millis(1);
/// Every simulator that takes a seed gets this one.
pub const SEED: u64 = 7;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// Sequential connections: connect, 24 bytes, close, torn down.
    Greetings { count: u64, buffer: usize },
    /// The same, with a capture to a file on both hosts.
    CapturedGreetings {
        #[cfg_attr(
            not(feature = "glassnet"),
            expect(dead_code, reason = "only glassnet captures")
        )]
        count: u64,
    },
    /// One flow, one direction. `each_frame` asks bare smoltcp to be polled after each frame it
    /// takes in, as whoever handles frames as events must, so that it acknowledges every second
    /// segment; without, it is polled after each burst.
    Bulk { bytes: u64, mtu: usize, each_frame: bool },
    /// Ping-pong on one connection while others are established and idle.
    IdleConnections { idle: usize, pings: Pings },
    /// Ping-pong between two hosts while other hosts wait in accept.
    IdleHosts { idle: usize, pings: Pings },
    /// Pairs of hosts, each in a ping-pong of its own, all at the same time; `messages` of them
    /// together.
    ActiveHosts {
        #[cfg_attr(
            not(feature = "glassnet"),
            expect(dead_code, reason = "only glassnet has so many hosts")
        )]
        hosts: usize,
        #[cfg_attr(
            not(feature = "glassnet"),
            expect(dead_code, reason = "only glassnet has so many hosts")
        )]
        messages: u64,
    },
}

/// How long a ping-pong goes on: until either bound is reached.
#[derive(Debug, Clone, Copy)]
pub struct Pings {
    pub most: u64,
    /// Wall time, so that a peer which needs milliseconds a message is measured
    /// with fewer messages instead of for minutes.
    pub budget: Duration,
}

/// Work done and the wall time it took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub work: u64,
    pub elapsed: Duration,
}

impl Job {
    /// The figure in this job's unit.
    pub fn figure(&self, measured: Measured) -> f64 {
        let seconds = measured.elapsed.as_secs_f64();
        let work = measured.work as f64;
        match self {
            Job::Greetings { .. } | Job::CapturedGreetings { .. } => work / seconds,
            Job::Bulk { .. } => work / seconds / 1e6,
            Job::IdleConnections { .. } | Job::IdleHosts { .. } | Job::ActiveHosts { .. } => {
                seconds * 1e6 / work
            }
        }
    }

    pub fn unit(&self) -> &'static str {
        match self {
            Job::Greetings { .. } | Job::CapturedGreetings { .. } => "greetings/s",
            Job::Bulk { .. } => "MB/s",
            Job::IdleConnections { .. } | Job::IdleHosts { .. } | Job::ActiveHosts { .. } => {
                "us/message"
            }
        }
    }

    /// How many times as fast `ours` is as `theirs`, whichever way the unit points.
    pub fn speedup(&self, ours: f64, theirs: f64) -> f64 {
        match self {
            Job::Greetings { .. } | Job::CapturedGreetings { .. } | Job::Bulk { .. } => {
                ours / theirs
            }
            Job::IdleConnections { .. } | Job::IdleHosts { .. } | Job::ActiveHosts { .. } => {
                theirs / ours
            }
        }
    }
}

/// What a bulk writer sends again and again. Its period is `CHUNK`, so the byte
/// at any offset of the stream is known to the reader.
pub fn bulk_chunk() -> Vec<u8> {
    (0..CHUNK).map(|i| (i % 251) as u8).collect()
}

/// Checks the ends of what one read returned against the chunk it came from.
/// Two bytes a read cost nothing and still catch a shifted or repeated segment;
/// comparing all bytes would measure memory bandwidth instead of the stack.
pub fn check_bulk(chunk: &[u8], offset: u64, read: &[u8]) -> Result {
    if let (Some(first), Some(last)) = (read.first(), read.last()) {
        let at = |offset: u64| chunk[(offset % CHUNK as u64) as usize];
        if *first != at(offset) || *last != at(offset + read.len() as u64 - 1) {
            return Err(format!("wrong byte near offset {offset}").into());
        }
    }
    Ok(())
}

/// All of the work must have been done, or the figure means nothing.
pub fn check_total(expected: u64, got: u64) -> Result {
    if expected == got {
        Ok(())
    } else {
        Err(format!("expected {expected} bytes, got {got}").into())
    }
}
