//! Streams: listening, connecting, and bytes in order.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use super::Unix;
use super::id::{UnixId, UnixKind};
use super::names::UnixName;
use super::table::{Inbox, Peer, Socket, is_writable};
use crate::error::Errno;

/// The longest accept queue: Linux's `net.core.somaxconn`.
pub(crate) const MAX_BACKLOG: u32 = 4096;

/// An empty queue with more room than this, in bytes, gives it back.
const KEPT_CAPACITY: usize = 16 * 1024;

impl Unix {
    /// `listen(2)`: `backlog` + 1 connections may wait, at most [`MAX_BACKLOG`] + 1.
    pub(crate) fn listen(&mut self, id: UnixId, backlog: u32) -> Result<(), Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::Invalid)?;
        if socket.kind == UnixKind::Datagram {
            return Err(Errno::OperationNotSupported);
        }
        if socket.name.is_none() || socket.peer.is_some() {
            return Err(Errno::Invalid);
        }
        let most = backlog.min(MAX_BACKLOG) as usize;
        match &mut socket.inbox {
            Inbox::Connections { backlog, .. } => *backlog = most,
            inbox => *inbox = Inbox::Connections { queue: VecDeque::new(), backlog: most },
        }
        // The queue may have become longer.
        socket.room.wake_all(&mut self.woken);
        Ok(())
    }

    /// `accept(2)`.
    pub(crate) fn poll_accept(
        &mut self,
        id: UnixId,
        waker: Option<&Waker>,
    ) -> Poll<Result<UnixId, Errno>> {
        let Some(socket) = self.sockets.get_mut(id) else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        let Inbox::Connections { queue, backlog } = &mut socket.inbox else {
            let of_kind = match socket.kind {
                UnixKind::Stream => Errno::Invalid,
                UnixKind::Datagram => Errno::OperationNotSupported,
            };
            return Poll::Ready(Err(of_kind));
        };
        if let Some(connection) = queue.pop_front() {
            if queue.len() <= *backlog {
                socket.room.wake_all(&mut self.woken);
            }
            return Poll::Ready(Ok(connection));
        }
        if socket.receiving_shut_down {
            return Poll::Ready(Err(Errno::Invalid));
        }
        if let Some(waker) = waker {
            socket.readers.register(waker, &mut self.woken);
        }
        Poll::Pending
    }

    pub(super) fn connect_stream(
        &mut self,
        id: UnixId,
        to: &UnixName,
        waker: Option<&Waker>,
    ) -> Poll<Result<(), Errno>> {
        match (self.try_connect_stream(id, to), waker) {
            (Err(Errno::TryAgain), Some(waker)) => {
                let listener = self.find(UnixKind::Stream, to).ok();
                if let Some(listener) = listener.and_then(|id| self.sockets.get_mut(id)) {
                    listener.room.register(waker, &mut self.woken);
                }
                Poll::Pending
            }
            (result, _) => Poll::Ready(result),
        }
    }

    fn try_connect_stream(&mut self, id: UnixId, to: &UnixName) -> Result<(), Errno> {
        let listener_id = self.find(UnixKind::Stream, to)?;
        let listener = self.sockets.get(listener_id).ok_or(Errno::ConnRefused)?;
        let listener_name = listener.name.clone();
        let Inbox::Connections { queue, backlog } = &listener.inbox else {
            return Err(Errno::ConnRefused);
        };
        if listener.receiving_shut_down {
            return Err(Errno::ConnRefused);
        }
        if queue.len() > *backlog {
            return Err(Errno::TryAgain);
        }
        let socket = self.sockets.get(id).ok_or(Errno::ConnReset)?;
        if socket.peer.is_some() {
            return Err(Errno::IsConnected);
        }
        if socket.listens() {
            return Err(Errno::Invalid);
        }
        let mut other_end = Socket::new(UnixKind::Stream);
        other_end.name = listener_name.clone();
        other_end.peer = Some(Peer { id, name: socket.name.clone() });
        let other_end = self.sockets.insert(other_end)?;
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.peer = Some(Peer { id: other_end, name: listener_name });
            socket.writers.wake_all(&mut self.woken);
        }
        if let Some(listener) = self.sockets.get_mut(listener_id) {
            if let Inbox::Connections { queue, .. } = &mut listener.inbox {
                queue.push_back(other_end);
            }
            listener.readers.wake_all(&mut self.woken);
        }
        Ok(())
    }

    pub(super) fn send_bytes(
        &mut self,
        id: UnixId,
        data: &[u8],
        to: Option<&UnixName>,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        let Some(socket) = self.sockets.get(id) else { return Poll::Ready(Err(Errno::Pipe)) };
        let Some(peer) = socket.peer.as_ref().map(|peer| peer.id) else {
            let to_nobody =
                if to.is_some() { Errno::OperationNotSupported } else { Errno::NotConnected };
            return Poll::Ready(Err(to_nobody));
        };
        if to.is_some() {
            return Poll::Ready(Err(Errno::IsConnected));
        }
        if socket.sending_shut_down {
            return Poll::Ready(Err(Errno::Pipe));
        }
        let send_buffer = socket.send_buffer;
        let Some(peer) = self.sockets.get_mut(peer) else {
            return Poll::Ready(Err(Errno::Pipe));
        };
        let Inbox::Bytes(bytes) = &mut peer.inbox else {
            return Poll::Ready(Err(Errno::Pipe));
        };
        let len = send_buffer.saturating_sub(bytes.len()).min(data.len());
        if len > 0 || data.is_empty() {
            bytes.extend(&data[..len]);
            if len > 0 {
                peer.readers.wake_all(&mut self.woken);
            }
            return Poll::Ready(Ok(len));
        }
        if let (Some(waker), Some(socket)) = (waker, self.sockets.get_mut(id)) {
            socket.writers.register(waker, &mut self.woken);
        }
        Poll::Pending
    }

    pub(super) fn recv_bytes(
        &mut self,
        id: UnixId,
        most: usize,
        peek: bool,
        waker: Option<&Waker>,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<Result<usize, Errno>> {
        let Some(socket) = self.sockets.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset));
        };
        let Some(peer) = socket.peer.as_ref().map(|peer| peer.id) else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        let Inbox::Bytes(bytes) = &mut socket.inbox else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        let len = bytes.len().min(most);
        if len == 0 && most > 0 {
            if let Some(errno) = socket.error.take() {
                return Poll::Ready(Err(errno));
            }
            if !socket.receiving_shut_down {
                if let Some(waker) = waker {
                    socket.readers.register(waker, &mut self.woken);
                }
                return Poll::Pending;
            }
            return Poll::Ready(Ok(0));
        }
        let (front, back) = bytes.as_slices();
        let front = &front[..front.len().min(len)];
        let back = &back[..len - front.len()];
        for piece in [front, back] {
            if !piece.is_empty() {
                take(piece);
            }
        }
        if !peek {
            bytes.drain(..len);
            if bytes.is_empty() && bytes.capacity() > KEPT_CAPACITY {
                *bytes = VecDeque::new();
            }
            let unread = bytes.len();
            if let Some(peer) = self.sockets.get_mut(peer)
                && is_writable(unread, peer.send_buffer)
            {
                peer.writers.wake_all(&mut self.woken);
            }
        }
        Poll::Ready(Ok(len))
    }
}
