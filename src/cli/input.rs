//! Standard input, for a world that must not wait for it.

use std::io::{self, IsTerminal, Read};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::io::{AsyncRead, ReadBuf};

/// Bytes that are read and not yet sent at most, and of one read.
const PIECE: usize = 64 * 1024;

/// What a thread of its own reads.
pub(crate) struct Input(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    taken: Condvar,
}

#[derive(Default)]
struct State {
    piece: Vec<u8>,
    /// How much of the piece is taken.
    taken: usize,
    /// How it has ended.
    end: Option<Result<(), io::Error>>,
    waiting: Option<Waker>,
    is_dropped: bool,
}

impl Input {
    /// Standard input, unless it is a terminal: there somebody sits who has nothing to say.
    pub(crate) fn unless_terminal() -> io::Result<Option<Input>> {
        if io::stdin().is_terminal() {
            return Ok(None);
        }
        let shared = Arc::new(Shared::default());
        let ours = shared.clone();
        thread::Builder::new().name("stdin".to_owned()).spawn(move || ours.read())?;
        Ok(Some(Input(shared)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread. The end of the process ends it where nothing more comes.
    fn read(&self) {
        let mut stdin = io::stdin().lock();
        let mut buffer = vec![0; PIECE];
        loop {
            let read = stdin.read(&mut buffer);
            let mut state = self.lock();
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(0) => state.end = Some(Ok(())),
                Ok(len) => {
                    state.piece.clear();
                    state.piece.extend_from_slice(&buffer[..len]);
                    state.taken = 0;
                }
                Err(error) => state.end = Some(Err(error)),
            }
            let has_ended = state.end.is_some();
            let waiting = state.waiting.take();
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
            if has_ended {
                return;
            }
            let mut state = self.lock();
            while state.taken < state.piece.len() && !state.is_dropped {
                state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_dropped {
                return;
            }
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        let rest = state.piece.len() - state.taken;
        if rest > 0 {
            let len = rest.min(buf.remaining());
            let from = state.taken;
            buf.put_slice(&state.piece[from..from + len]);
            state.taken += len;
            if len == rest {
                self.0.taken.notify_one();
            }
            return Poll::Ready(Ok(()));
        }
        match &mut state.end {
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(()))),
            None => {
                state.waiting = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.0.lock().is_dropped = true;
        self.0.taken.notify_one();
    }
}
