//! A socket behind a descriptor.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::Ready;

use super::control::Wishes;
use super::threads::{self, Woken};
use super::watchers::Watchers;
use crate::error::Errno;
use crate::net::socket::Socket;

/// A socket of a host. The socket itself never waits: whether a call waits is the file's.
pub(super) struct SocketFile {
    pub(super) socket: Socket,
    pub(super) watchers: Watchers,
    /// The control messages that it asks for.
    pub(super) wishes: Wishes,
}

impl SocketFile {
    pub(super) fn new(socket: Socket) -> SocketFile {
        // It is in memory: nothing here can fail.
        let _ = socket.set_nonblocking(true);
        SocketFile { socket, watchers: Watchers::default(), wishes: Wishes::default() }
    }

    /// Makes a call, which gives EAGAIN or EINPROGRESS where it would wait.
    pub(super) fn call<T>(&self, call: impl Future<Output = io::Result<T>>) -> Result<T, i32> {
        match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.map_err(|error| number(&error)),
            Poll::Pending => Err(libc::EAGAIN),
        }
    }

    /// Makes a call that may wait: again and again, until it does not give EAGAIN. A file that does
    /// not wait gives that. On the thread that drives the world nothing can wait: EDEADLK.
    pub(super) fn when_ready<T>(
        &self,
        is_nonblocking: bool,
        direction: Direction,
        mut call: impl FnMut() -> Result<T, i32>,
    ) -> Result<T, i32> {
        let mut until = None;
        loop {
            let result = call();
            if !matches!(result, Err(libc::EAGAIN)) || is_nonblocking {
                return result;
            }
            let Some(thread) = threads::current() else { return Err(deadlock(&self.socket)) };
            let (limit, events) = match direction {
                Direction::Read => (self.socket.read_timeout(), libc::EPOLLIN),
                Direction::Write => (self.socket.write_timeout(), libc::EPOLLOUT),
            };
            if until.is_none()
                && let Ok(Some(limit)) = limit
            {
                until = Some(thread.seat.now().saturating_add(limit.as_nanos() as u64));
            }
            let waker = Waker::from(thread.clone());
            if thread.block(until, || self.wait_for(events as u32, &waker)) == Woken::TimedOut {
                return Err(libc::EAGAIN);
            }
        }
    }

    /// What it is ready for, in bits of `epoll(7)` (Linux's `tcp_poll`).
    pub(super) fn readiness(&self) -> u32 {
        let ready = self.socket.readiness();
        let mut bits = 0;
        if ready.is_readable() || ready.is_read_closed() {
            bits |= libc::EPOLLIN | libc::EPOLLRDNORM;
        }
        if ready.is_read_closed() {
            bits |= libc::EPOLLRDHUP;
        }
        if ready.is_writable() || ready.is_write_closed() {
            bits |= libc::EPOLLOUT | libc::EPOLLWRNORM;
        }
        if ready.is_write_closed() && ready.is_read_closed() {
            bits |= libc::EPOLLHUP;
        }
        if ready & Ready::ERROR == Ready::ERROR {
            bits |= libc::EPOLLERR;
        }
        bits as u32
    }

    /// Wakes `waker` when the socket may have become ready for `events`.
    pub(super) fn wait_for(&self, events: u32, waker: &Waker) {
        let writing = events & (libc::EPOLLOUT | libc::EPOLLWRNORM) as u32 != 0;
        // Errors and the end are told to readers.
        self.socket.wait_for_readiness(true, writing, waker);
    }
}

/// Why a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

#[cold]
fn deadlock(socket: &Socket) -> i32 {
    tracing::error!(
        target: "glassnet::seam",
        ?socket,
        "a blocking call on the thread of a tokio runtime would wait for ever: use spawn_blocking, \
         or a socket of tokio's"
    );
    libc::EDEADLK
}

/// The error number of what a socket returned.
pub(super) fn number(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        Some(number) => number,
        None => match error.kind() {
            io::ErrorKind::Unsupported => libc::EOPNOTSUPP,
            io::ErrorKind::InvalidInput => libc::EINVAL,
            io::ErrorKind::WouldBlock => libc::EAGAIN,
            io::ErrorKind::TimedOut => libc::ETIMEDOUT,
            io::ErrorKind::BrokenPipe => libc::EPIPE,
            io::ErrorKind::ConnectionReset => libc::ECONNRESET,
            io::ErrorKind::NotConnected => libc::ENOTCONN,
            _ => libc::EIO,
        },
    }
}

impl From<Errno> for i32 {
    fn from(errno: Errno) -> i32 {
        errno.number()
    }
}
