//! How long a call waits.

use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::error::Errno;
use crate::task::budget;
use crate::time::timeout;

/// What decides whether, and how long, the calls of a socket wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Modes {
    /// `O_NONBLOCK`.
    pub(super) nonblocking: bool,
    /// `SO_RCVTIMEO`.
    pub(super) read_timeout: Option<Duration>,
    /// `SO_SNDTIMEO`.
    pub(super) write_timeout: Option<Duration>,
}

/// Why a call waits: which of the timeouts is its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Modes {
    /// Calls `poll` until it is ready; when there was no time, the error is `expired`.
    pub(super) async fn wait<T>(
        self,
        direction: Direction,
        expired: Errno,
        mut poll: impl FnMut(Option<&Waker>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        if self.nonblocking {
            return match poll(None) {
                Poll::Ready(result) => result,
                Poll::Pending => Err(expired.into()),
            };
        }
        let limit = match direction {
            Direction::Read => self.read_timeout,
            Direction::Write => self.write_timeout,
        };
        let waiting = poll_fn(|cx| {
            let waker = Some(cx.waker());
            budget::charge(waker, || poll(waker), Result::is_err)
        });
        match limit {
            None => waiting.await,
            Some(limit) => timeout(limit, waiting).await.unwrap_or_else(|_| Err(expired.into())),
        }
    }
}
