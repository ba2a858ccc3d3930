//! Reads and writes, of one buffer or of several (`readv(2)`, `writev(2)`).

use std::io::{self, IoSliceMut};
use std::task::{Poll, Waker};

use super::Tcp;
use super::ids::FlowId;
use super::lower::Lower;
use crate::error::Errno;
use crate::host::wakers::Woken;
use crate::tcp::{TcpState, Written};

/// What a read has given.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct Read {
    pub(in crate::host) len: usize,
    /// The peer is to be told of it.
    pub(in crate::host) owes_ack: bool,
}

impl Read {
    const END: Read = Read { len: 0, owes_ack: false };
}

impl Tcp {
    /// Reads into `buffer`, or only looks when `peek`. 0 is the end of the stream.
    pub(in crate::host) fn poll_read(
        &mut self,
        woken: &mut Woken,
        id: FlowId,
        buffer: &mut [u8],
        peek: bool,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Read>> {
        let Tcp { connections, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset.into()));
        };
        let engine = &mut connection.engine;
        let len = if peek { engine.peek(buffer) } else { engine.read(engines, buffer) };
        if let Some(len) = len.filter(|len| *len > 0 || buffer.is_empty()) {
            let owes_ack = !peek && engine.owes_window_update();
            return Poll::Ready(Ok(Read { len, owes_ack }));
        }
        // Linux's SOCK_DONE: after the peer's FIN a read gives 0 whatever comes later.
        if connection.engine.has_received_fin() {
            return Poll::Ready(Ok(Read::END));
        }
        if let Some(errno) = connection.take_error() {
            return Poll::Ready(Err(errno.into()));
        }
        if connection.state() == TcpState::Closed || connection.is_receiving_shut_down() {
            return Poll::Ready(Ok(Read::END));
        }
        connection.wait_to_read(waker, woken);
        Poll::Pending
    }

    /// Reads into one buffer after the other; as [`Tcp::poll_read`] otherwise.
    pub(in crate::host) fn poll_read_vectored(
        &mut self,
        woken: &mut Woken,
        id: FlowId,
        buffers: &mut [IoSliceMut<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Read>> {
        let mut buffers = buffers.iter_mut().filter(|buffer| !buffer.is_empty());
        let Some(first) = buffers.next() else {
            return self.poll_read(woken, id, &mut [], false, waker);
        };
        let mut total = match self.poll_read(woken, id, first, false, waker) {
            Poll::Ready(Ok(read)) if read.len == first.len() => read,
            polled => return polled,
        };
        for buffer in buffers {
            // An error, or the end, is for the next call.
            if self.recv_queue(id) == 0 {
                break;
            }
            let Poll::Ready(Ok(read)) = self.poll_read(woken, id, buffer, false, None) else {
                break;
            };
            total.len += read.len;
            total.owes_ack |= read.owes_ack;
            if read.len < buffer.len() {
                break;
            }
        }
        Poll::Ready(Ok(total))
    }

    /// After a read for which an ACK is owed: it leaves in the call, or at the end of the turn where
    /// the engine cannot do that.
    #[cold]
    pub(in crate::host) fn acknowledge_read(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let answers = self.connections.get(id).is_some_and(|it| it.engine.answers_reads());
        if answers { self.transmit(lower, id) } else { self.connections.mark_dirty(id) }
    }

    /// Bytes that a read would get at once.
    pub(in crate::host) fn recv_queue(&self, id: FlowId) -> usize {
        self.connections.get(id).map_or(0, |connection| connection.engine.recv_queue() as usize)
    }

    /// Takes bytes to be sent, of one buffer after the other as one write, as many as there is room
    /// for, and sends what Nagle's algorithm and the windows let go at once.
    pub(in crate::host) fn poll_write<'b>(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        buffers: impl Iterator<Item = &'b [u8]>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let Tcp { connections, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else {
            return Poll::Ready(Err(Errno::Pipe.into()));
        };
        if let Some(errno) = connection.take_error() {
            return Poll::Ready(Err(errno.into()));
        }
        if connection.is_detached() || connection.is_sending_shut_down() {
            return Poll::Ready(Err(Errno::Pipe.into()));
        }
        if connection.state().is_opening() {
            connection.wait_to_write(waker, lower.ctx.woken);
            return Poll::Pending;
        }
        let written = match connection.room_below_lowat() {
            None => connection.engine.write(engines, buffers),
            Some(room) => {
                let mut asked = 0;
                let taken = buffers.map(|buffer| {
                    let taken = room.saturating_sub(asked).min(buffer.len());
                    asked += buffer.len();
                    &buffer[..taken]
                });
                let written = connection.engine.write(engines, taken);
                written.map(|written| Written { asked, ..written })
            }
        };
        let Some(written) = written else {
            return Poll::Ready(Err(Errno::Pipe.into()));
        };
        connection.note_written(written);
        if written.taken == 0 && written.asked > 0 {
            connection.wait_to_write(waker, lower.ctx.woken);
            return Poll::Pending;
        }
        if written.taken > 0 {
            self.transmit_written(lower, id, written.was_empty);
        }
        Poll::Ready(Ok(written.taken))
    }
}
