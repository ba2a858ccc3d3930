//! Waiting for a socket to be ready, the same for all of tokio's types.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::io::{Interest, Ready};

use crate::task::budget;

/// A socket that knows what it is ready for.
pub(super) trait Pollable {
    /// What it is ready for.
    fn readiness(&self) -> Ready;

    /// Has the task woken when something may have changed that readers hear of (data, the end, an
    /// error), or writers (room, an error), and notes that it waits. Returns what the socket is
    /// ready for at that moment: another thread may have been quicker.
    fn wait_for(&self, reading: bool, writing: bool, cx: &mut Context<'_>) -> Ready;
}

/// What of `interest` is ready.
fn ready_for(socket: &impl Pollable, interest: Interest) -> Ready {
    socket.readiness() & mask(interest)
}

fn wait_for(socket: &impl Pollable, interest: Interest, cx: &mut Context<'_>) -> Ready {
    let writing = interest.is_writable();
    // Readers hear of whatever is not about writing.
    let reading = !writing || interest.is_readable();
    socket.wait_for(reading, writing, cx) & mask(interest)
}

/// What somebody with this interest is told of, as tokio has it.
fn mask(interest: Interest) -> Ready {
    let mut mask = Ready::EMPTY;
    if interest.is_readable() {
        mask |= Ready::READABLE | Ready::READ_CLOSED;
    }
    if interest.is_writable() {
        mask |= Ready::WRITABLE | Ready::WRITE_CLOSED;
    }
    if interest.is_error() {
        mask |= Ready::ERROR;
    }
    // No socket here has urgent data, so that waiting for it ends with the stream.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if interest.is_priority() {
        mask |= Ready::READ_CLOSED;
    }
    mask
}

/// Waits until something of `interest` is ready.
pub(super) fn poll_ready(
    socket: &impl Pollable,
    interest: Interest,
    cx: &mut Context<'_>,
) -> Poll<Ready> {
    if budget::gives_way(cx.waker()) {
        return Poll::Pending;
    }
    let mut ready = ready_for(socket, interest);
    if ready.is_empty() {
        ready = wait_for(socket, interest, cx);
    }
    if ready.is_empty() {
        return Poll::Pending;
    }
    budget::spend(true);
    Poll::Ready(ready)
}

pub(super) async fn until_ready(socket: &impl Pollable, interest: Interest) -> io::Result<Ready> {
    Ok(poll_fn(|cx| poll_ready(socket, interest, cx)).await)
}

/// Calls `f`, which uses the socket, if something of `interest` is ready.
pub(super) fn try_io<R>(
    socket: &impl Pollable,
    interest: Interest,
    f: impl FnOnce() -> io::Result<R>,
) -> io::Result<R> {
    if ready_for(socket, interest).is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    f()
}

/// Calls `f`, which uses the socket, whenever something of `interest` may have become ready, until
/// it returns something other than `WouldBlock`.
pub(super) async fn async_io<R>(
    socket: &impl Pollable,
    interest: Interest,
    mut f: impl FnMut() -> io::Result<R>,
) -> io::Result<R> {
    poll_fn(|cx| {
        if budget::gives_way(cx.waker()) {
            return Poll::Pending;
        }
        let before = ready_for(socket, interest);
        let mut tried = if before.is_empty() { Poll::Pending } else { or_pending(f()) };
        if tried.is_pending() {
            // It may be ready all the same: then what happens next is waited for. What another
            // thread has made ready since has woken nobody, so that `f` looks again.
            let after = wait_for(socket, interest, cx);
            if !(after - before).is_empty() {
                tried = or_pending(f());
            }
        }
        if let Poll::Ready(result) = &tried {
            budget::spend(result.is_err());
        }
        tried
    })
    .await
}

/// Whether a loop of reads, or of writes, with this result gets nowhere.
pub(super) fn moves_nothing(moved: &io::Result<usize>) -> bool {
    !moved.as_ref().is_ok_and(|bytes| *bytes > 0)
}

fn or_pending<R>(result: io::Result<R>) -> Poll<io::Result<R>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// What a call gives that does not wait.
pub(super) fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The methods `try_io` and `async_io` of one of tokio's types. After `=>` stands what of it has
/// [`Pollable`]; a note goes into the documentation of `async_io`.
macro_rules! io_when_ready {
    ($socket:ident, $self:ident => $ready:expr $(, $note:literal)?) => {
        impl $socket {
            /// Calls `f`, which uses this socket, if it is ready for something of `interest`.
            ///
            /// # Errors
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock) when it is not, and those of `f`.
            pub fn try_io<R>(
                &self,
                interest: ::tokio::io::Interest,
                f: impl FnOnce() -> ::std::io::Result<R>,
            ) -> ::std::io::Result<R> {
                let $self = self;
                $crate::net::ready::try_io($ready, interest, f)
            }

            /// Calls `f`, which uses this socket, whenever it is ready for something of
            /// `interest`, until `f` returns something other than
            /// [`WouldBlock`](std::io::ErrorKind::WouldBlock).
            ///
            /// `f` should return `WouldBlock` only when a call on this socket did: it is not called
            /// again before the socket's readiness has changed.
            $(#[doc = $note])?
            ///
            /// # Errors
            /// Those of `f`.
            pub async fn async_io<R>(
                &self,
                interest: ::tokio::io::Interest,
                f: impl FnMut() -> ::std::io::Result<R>,
            ) -> ::std::io::Result<R> {
                let $self = self;
                $crate::net::ready::async_io($ready, interest, f).await
            }
        }
    };
}

pub(super) use io_when_ready;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::Future;
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    /// Another thread makes it ready after it was looked at, and before anybody waits.
    #[derive(Default)]
    struct ReadyInBetween(Cell<bool>);

    impl Pollable for ReadyInBetween {
        fn readiness(&self) -> Ready {
            if self.0.get() { Ready::READABLE } else { Ready::EMPTY }
        }

        fn wait_for(&self, _: bool, _: bool, _: &mut Context<'_>) -> Ready {
            self.0.set(true);
            self.readiness()
        }
    }

    #[test]
    fn what_becomes_ready_before_anybody_waits_is_not_waited_for() {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = poll_ready(&ReadyInBetween::default(), Interest::READABLE, &mut cx);
        assert_eq!(polled, Poll::Ready(Ready::READABLE));

        let socket = ReadyInBetween::default();
        let call = pin!(async_io(&socket, Interest::READABLE, || Ok(7)));
        assert!(matches!(call.poll(&mut cx), Poll::Ready(Ok(7))));
    }

    #[test]
    fn a_call_that_another_thread_was_quicker_than_looks_again() {
        /// Ready all the time, for something else than the call wants.
        struct AlwaysWritable(Cell<bool>);
        impl Pollable for AlwaysWritable {
            fn readiness(&self) -> Ready {
                Ready::WRITABLE
            }
            fn wait_for(&self, _: bool, _: bool, _: &mut Context<'_>) -> Ready {
                self.0.set(true);
                Ready::WRITABLE | Ready::READABLE
            }
        }
        let socket = AlwaysWritable(Cell::new(false));
        let read = || if socket.0.get() { Ok(7) } else { Err(io::ErrorKind::WouldBlock.into()) };
        let call = pin!(async_io(&socket, Interest::READABLE | Interest::WRITABLE, read));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(call.poll(&mut cx), Poll::Ready(Ok(7))));
    }
}
