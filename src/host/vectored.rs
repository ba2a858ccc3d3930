//! Reads and writes of several buffers at once: `readv(2)` and `writev(2)`.

use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Poll, Waker};

use super::flow::FlowId;
use super::stack::Host;

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

    /// Queues one buffer after the other; as [`Host::poll_write`] otherwise.
    pub(crate) fn poll_write_vectored(
        &mut self,
        id: FlowId,
        buffers: &[IoSlice<'_>],
        waker: Option<&Waker>,
    ) -> Poll<io::Result<usize>> {
        let mut buffers = buffers.iter().filter(|buffer| !buffer.is_empty());
        let Some(first) = buffers.next() else {
            return self.poll_write(id, &[], waker);
        };
        let mut total = match self.poll_write(id, first, waker) {
            Poll::Ready(Ok(len)) if len == first.len() => len,
            polled => return polled,
        };
        for buffer in buffers {
            let Poll::Ready(Ok(len)) = self.poll_write(id, buffer, None) else { break };
            total += len;
            if len < buffer.len() {
                break;
            }
        }
        Poll::Ready(Ok(total))
    }
}
