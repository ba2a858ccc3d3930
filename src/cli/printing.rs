//! Standard output, for a world that must not wait for its reader.

use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::io::AsyncWrite;

/// Bytes that wait to be printed at most.
const PIECE: usize = 64 * 1024;

/// What a thread of its own prints, as it is.
pub(crate) struct Printer {
    shared: Arc<Shared>,
    is_terminal: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    given: Condvar,
}

#[derive(Default)]
struct State {
    piece: Vec<u8>,
    /// The thread prints a piece.
    is_printing: bool,
    failure: Option<io::Error>,
    waiting: Option<Waker>,
    is_dropped: bool,
}

impl Printer {
    /// Prints on standard output, or on standard error where that is taken.
    pub(crate) fn new(is_stdout_taken: bool) -> io::Result<Printer> {
        if is_stdout_taken { Printer::to(io::stderr()) } else { Printer::to(io::stdout()) }
    }

    fn to(out: impl Write + IsTerminal + Send + 'static) -> io::Result<Printer> {
        let shared = Arc::new(Shared::default());
        let is_terminal = out.is_terminal();
        let ours = shared.clone();
        thread::Builder::new().name("printer".to_owned()).spawn(move || ours.print(out))?;
        Ok(Printer { shared, is_terminal })
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread. The end of the process ends it where nobody reads.
    fn print(&self, mut out: impl Write) {
        loop {
            let mut state = self.lock();
            while state.piece.is_empty() {
                if state.is_dropped {
                    return;
                }
                state = self.given.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let piece = std::mem::take(&mut state.piece);
            state.is_printing = true;
            drop(state);
            let printed = out.write_all(&piece).and_then(|()| out.flush());
            let mut state = self.lock();
            state.is_printing = false;
            let has_failed = printed.is_err();
            state.failure = printed.err();
            let waiting = state.waiting.take();
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
            if has_failed {
                return;
            }
        }
    }
}

impl State {
    /// Until the thread has printed what it was given.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = &self.failure {
            return Poll::Ready(Err(io::Error::new(error.kind(), error.to_string())));
        }
        if self.is_printing || !self.piece.is_empty() {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Printer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.shared.lock();
        std::task::ready!(state.poll_idle(cx))?;
        let len = bytes.len().min(PIECE);
        state.piece.extend_from_slice(&bytes[..len]);
        self.shared.given.notify_one();
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.lock().poll_idle(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.shared.lock().is_dropped = true;
        self.shared.given.notify_one();
    }
}
