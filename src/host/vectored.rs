//! Reads and writes of several buffers at once: `readv(2)` and `writev(2)`.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Poll, Waker};

use super::flow::FlowId;
use super::stack::Host;
use crate::error::Errno;

impl Host {
    /// Reads into one buffer after the other; as [`Host::poll_read`] otherwise.
    pub(crate) fn poll_read_vectored(
        &mut self,
        id: FlowId,
        buffers: &mut [IoSliceMut<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let mut buffers = buffers.iter_mut().filter(|buffer| !buffer.is_empty());
        let Some(first) = buffers.next() else {
            return self.poll_read(id, &mut [], false, waker);
        };
        let mut total = match self.poll_read(id, first, false, waker) {
            Poll::Ready(Ok(len)) if len == first.len() => len,
            polled => return polled,
        };
        for buffer in buffers {
            // An error, or the end, is for the next call.
            if self.flow(id).is_none_or(|flow| flow.recv_queue() == 0) {
                break;
            }
            let Poll::Ready(Ok(len)) = self.poll_read(id, buffer, false, None) else { break };
            total += len;
            if len < buffer.len() {
                break;
            }
        }
        Poll::Ready(Ok(total))
    }

    /// Writes one buffer after the other, as one write; as [`Host::poll_write`] otherwise.
    pub(crate) fn poll_write_vectored(
        &mut self,
        now: u64,
        id: FlowId,
        buffers: &[IoSlice<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        self.poll_write_all(now, id, buffers.iter().map(|buffer| &**buffer), waker)
    }

    /// One write of several buffers.
    pub(super) fn poll_write_all<'b>(
        &mut self,
        now: u64,
        id: FlowId,
        buffers: impl Iterator<Item = &'b [u8]>,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let Some(flow) = self.flow_mut(id) else {
            return Poll::Ready(Err(Errno::Pipe.into()));
        };
        if let Some(errno) = flow.error.take() {
            return Poll::Ready(Err(errno.into()));
        }
        if flow.detached || flow.sending_shut_down {
            return Poll::Ready(Err(Errno::Pipe.into()));
        }
        if flow.state.is_opening() {
            self.wait_to_write(id, waker);
            return Poll::Pending;
        }
        let taken = flow.engine.socket_mut(|socket| {
            let was_empty = socket.send_queue() == 0;
            let (mut asked, mut len) = (0, 0);
            for buffer in buffers {
                asked += buffer.len();
                len += socket.send_slice(buffer).ok()?;
                if len < asked {
                    break;
                }
            }
            Some((was_empty, asked, len))
        });
        let Some((was_empty, asked, len)) = taken else {
            return Poll::Ready(Err(Errno::Pipe.into()));
        };
        flow.write_blocked = len < asked || !flow.has_room_to_send();
        if len == 0 && asked > 0 {
            self.wait_to_write(id, waker);
            return Poll::Pending;
        }
        flow.sequences.written = flow.sequences.written.wrapping_add(len as u32);
        if len > 0 {
            self.transmit_written(now, id, was_empty);
        }
        Poll::Ready(Ok(len))
    }
}
