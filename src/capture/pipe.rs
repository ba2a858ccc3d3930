//! A capture that goes to somebody who may read slowly, or not at all.

use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::format::Format;
use super::output::Sink;
use crate::task::Alarm;

/// What waits for the reader at most; frames that come then are left out, and counted.
const MAX_WAITING: usize = 8 * 1024 * 1024;
/// Bytes of one write.
const PIECE: usize = 64 * 1024;
/// How long a reader that takes nothing is waited for in the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes in a thread of its own, so that the world goes on, and ends when it is told to, while
/// nobody reads.
pub(crate) struct Pipe {
    shared: Arc<Shared>,
    format: Format,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// The thread writes what it took out of here.
    is_writing: bool,
    /// Pieces that the reader has taken.
    taken: u64,
    failure: Option<io::Error>,
    /// There is nobody who could add anything.
    is_closed: bool,
}

impl Pipe {
    /// Writes to `writer`, and rings when that fails.
    pub(crate) fn new(
        writer: impl Write + Send + 'static,
        format: Format,
        alarm: Alarm,
    ) -> io::Result<Pipe> {
        let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
        let ours = shared.clone();
        let thread = thread::Builder::new().name("glassnet capture".to_owned());
        thread.spawn(move || {
            ours.write_to(writer);
            alarm.ring();
        })?;
        Ok(Pipe { shared, format })
    }
}

impl Sink for Pipe {
    fn take(&mut self, blocks: &[u8]) -> io::Result<()> {
        let mut queue = self.shared.lock();
        queue.check()?;
        queue.waiting.extend_from_slice(blocks);
        self.shared.changed.notify_all();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.lock().check()
    }

    fn format(&self) -> Format {
        self.format
    }

    fn is_full(&self) -> bool {
        self.shared.lock().waiting.len() >= MAX_WAITING
    }

    fn settle(&mut self) -> io::Result<()> {
        let mut queue = self.shared.lock();
        loop {
            queue.check()?;
            if queue.waiting.is_empty() && !queue.is_writing {
                return Ok(());
            }
            let before = queue.taken;
            let waited = self.shared.changed.wait_timeout(queue, PATIENCE);
            let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = after;
            if timeout.timed_out() && queue.taken == before {
                return Err(io::Error::new(ErrorKind::TimedOut, "nobody reads it"));
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_all();
    }
}

impl Queue {
    fn check(&self) -> io::Result<()> {
        match &self.failure {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread. It ends with the queue, or when a write fails.
    fn write_to(&self, mut writer: impl Write) {
        let mut blocks = Vec::new();
        loop {
            let mut queue = self.lock();
            while queue.waiting.is_empty() {
                if queue.is_closed {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut queue.waiting, &mut blocks);
            queue.is_writing = true;
            drop(queue);
            let written = self.write_pieces(&mut writer, &blocks);
            blocks.clear();
            let mut queue = self.lock();
            queue.is_writing = false;
            let has_failed = written.is_err();
            queue.failure = written.err();
            self.changed.notify_all();
            if has_failed {
                queue.waiting = Vec::new();
                return;
            }
        }
    }

    fn write_pieces(&self, writer: &mut impl Write, blocks: &[u8]) -> io::Result<()> {
        for piece in blocks.chunks(PIECE) {
            writer.write_all(piece)?;
            self.lock().taken += 1;
            self.changed.notify_all();
        }
        writer.flush()
    }
}
