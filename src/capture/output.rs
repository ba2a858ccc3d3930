//! Whole blocks on their way to where a capture is written.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use super::format::Format;
use super::keeper::{self, Kept};

/// What waits at most before it is written.
const CHUNK: usize = 64 * 1024;

/// Takes what is written of a capture.
pub(crate) trait Sink: Send + 'static {
    /// Takes whole blocks.
    fn take(&mut self, blocks: &[u8]) -> io::Result<()>;

    /// Hands on what it keeps.
    fn flush(&mut self) -> io::Result<()>;

    /// How it wants to have it.
    fn format(&self) -> Format {
        Format::Next
    }

    /// Whether what comes now has to be left out.
    fn is_full(&self) -> bool {
        false
    }

    /// Waits until everything has been taken, unless that lasts too long, which is an error.
    fn settle(&mut self) -> io::Result<()> {
        self.flush()
    }
}

impl<W: Write + Send + 'static> Sink for W {
    fn take(&mut self, blocks: &[u8]) -> io::Result<()> {
        self.write_all(blocks)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(self)
    }
}

/// Where a writer leaves its blocks. What waits here is written when it has 64 KiB, each wall
/// second, and whatever ends the writer or the process, as far as the process can still do
/// anything.
pub(super) struct Output<S: Sink>(Arc<Shared<S>>);

struct Shared<S>(Mutex<State<S>>);

pub(super) struct State<S> {
    /// Whole blocks.
    waiting: Vec<u8>,
    /// `None` when the writer is gone.
    sink: Option<S>,
    failure: Option<Failure>,
    /// An error that nobody was told of yet.
    untold: Option<io::Error>,
}

impl<S: Sink> Output<S> {
    pub(super) fn new(sink: S) -> Output<S> {
        let state = State { waiting: Vec::new(), sink: Some(sink), failure: None, untold: None };
        let shared = Arc::new(Shared(Mutex::new(state)));
        keeper::keep(shared.clone());
        Output(shared)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes everything; gives the sink back if every byte was taken.
    #[cfg(test)]
    pub(super) fn finish(self) -> io::Result<S> {
        let mut state = self.lock();
        state.attempt(State::flush)?;
        state.sink.take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl<S: Sink> Drop for Output<S> {
    fn drop(&mut self) {
        keeper::forget(&self.0);
        let mut state = self.lock();
        // Who wants to know whether it is whole flushes it before.
        let _ = state.write();
        // Closed now, though the keeper may hold the rest for a moment.
        state.sink = None;
    }
}

impl<S: Sink> State<S> {
    pub(super) fn is_full(&self) -> bool {
        self.sink.as_ref().is_some_and(Sink::is_full)
    }

    /// Lays out one block, or more, behind those that wait.
    pub(super) fn append(
        &mut self,
        lay_out: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.attempt(|state| {
            let whole = state.waiting.len();
            if let Err(error) = lay_out(&mut state.waiting) {
                state.waiting.truncate(whole);
                return Err(error);
            }
            if state.waiting.len() >= CHUNK { state.write() } else { Ok(()) }
        })
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.write()?;
        self.sink.as_mut().map_or(Ok(()), Sink::flush)
    }

    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.write()?;
        self.sink.as_mut().map_or(Ok(()), Sink::settle)
    }

    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let taken = self.sink.as_mut().map_or(Ok(()), |sink| sink.take(&self.waiting));
        // What a sink does not take it will not take later.
        self.waiting.clear();
        taken
    }

    /// Does it unless an earlier attempt failed, and remembers if this one does.
    pub(super) fn attempt(
        &mut self,
        attempt: impl FnOnce(&mut State<S>) -> io::Result<()>,
    ) -> io::Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.repeat());
        }
        let result = match self.untold.take() {
            Some(error) => Err(error),
            None => attempt(self),
        };
        if let Err(error) = &result {
            self.failure = Some(Failure::from(error));
        }
        result
    }

    /// As the keeper does it, which has nobody to tell: the writer's next call says it.
    fn flush_unasked(&mut self, flush: fn(&mut State<S>) -> io::Result<()>) {
        if self.failure.is_none() && self.untold.is_none() {
            self.untold = flush(self).err();
        }
    }
}

impl<S: Sink> Kept for Shared<S> {
    fn flush(&self) -> bool {
        self.with(|state| state.flush_unasked(State::flush))
    }

    fn settle(&self) -> bool {
        self.with(|state| state.flush_unasked(State::settle))
    }
}

impl<S: Sink> Shared<S> {
    /// False when it is being written to at this moment.
    fn with(&self, call: impl FnOnce(&mut State<S>)) -> bool {
        match self.0.try_lock() {
            Ok(mut state) => call(&mut state),
            Err(TryLockError::Poisoned(state)) => call(&mut state.into_inner()),
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }
}

/// The first error, in a form that can be returned more than once.
struct Failure {
    kind: io::ErrorKind,
    message: String,
}

impl Failure {
    fn repeat(&self) -> io::Error {
        let message = format!("the capture is incomplete: {}", self.message);
        io::Error::new(self.kind, message)
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}
