//! Datagrams: each arrives whole, in order, or is not sent.

use std::mem;
use std::task::{Poll, Waker};

use super::id::{UnixId, UnixKind};
use super::names::UnixName;
use super::table::{Datagram, Inbox, Peer, Socket, is_writable};
use super::{Received, Unix};
use crate::error::Errno;

/// How many datagrams of others wait at most, and one more: Linux's `net.unix.max_dgram_qlen`.
/// Those of the socket's own peer, and its own, are bounded by the sender's buffer.
const MAX_QUEUE: usize = 10;

/// What a datagram must leave free of the sender's buffer, in bytes.
const RESERVED: usize = 32;

/// What the sender's buffer is charged for a datagram, beside its bytes, and at least: the
/// `truesize` of a small one on Linux.
const OVERHEAD: usize = 576;
const MIN_CHARGE: usize = 768;

impl Unix {
    /// Gives a socket a peer, or another one.
    pub(super) fn connect_datagram(&mut self, id: UnixId, to: &UnixName) -> Result<(), Errno> {
        let target = self.find(UnixKind::Datagram, to)?;
        let other = self.sockets.get(target).ok_or(Errno::ConnRefused)?;
        if other.peer.is_some() && !other.is_connected_to(id) {
            return Err(Errno::NotPermitted);
        }
        let peer = Peer { id: target, name: other.name.clone() };
        let socket = self.sockets.get_mut(id).ok_or(Errno::ConnReset)?;
        let former = socket.peer.replace(peer).map(|peer| peer.id);
        socket.writers.wake_all(&mut self.woken);
        // Who waits for room here either may not send any more, or has more room as the peer.
        socket.room.wake_all(&mut self.woken);
        if let Some(former) = former.filter(|former| *former != target) {
            self.leave(id, former);
        }
        Ok(())
    }

    /// A socket has another peer: what it had not received is lost, and the former peer is told
    /// if it is still connected (Linux's `unix_dgram_disconnected`).
    fn leave(&mut self, id: UnixId, former: UnixId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Inbox::Datagrams(datagrams) = &mut socket.inbox else { return };
        let lost = mem::take(datagrams);
        lost.iter().for_each(|datagram| self.credit(datagram));
        if !lost.is_empty()
            && let Some(former) = self.sockets.get_mut(former)
            && former.is_connected_to(id)
        {
            former.error = Some(Errno::ConnReset);
            former.readers.wake_all(&mut self.woken);
            former.writers.wake_all(&mut self.woken);
        }
    }

    pub(super) fn send_datagram(
        &mut self,
        id: UnixId,
        data: &[u8],
        to: Option<&UnixName>,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        let target = match self.prepare_datagram(id, data, to) {
            Ok(Some(target)) => target,
            Ok(None) => return self.wait_to_send(id, None, waker),
            Err(errno) => return Poll::Ready(Err(errno)),
        };
        if self.is_full_for(target, id) {
            return self.wait_to_send(id, Some(target), waker);
        }
        let charge = (data.len() + OVERHEAD).max(MIN_CHARGE);
        let Some(socket) = self.sockets.get_mut(id) else { return Poll::Ready(Err(Errno::Pipe)) };
        socket.in_flight += charge;
        let from = socket.name.clone();
        let datagram = Datagram { data: data.into(), from, sender: id, charge };
        if let Some(other) = self.sockets.get_mut(target) {
            if let Inbox::Datagrams(datagrams) = &mut other.inbox {
                datagrams.push_back(datagram);
            }
            other.readers.wake_all(&mut self.woken);
        }
        Poll::Ready(Ok(data.len()))
    }

    /// Whom a datagram is for; nobody yet while the sender's buffer is full.
    fn prepare_datagram(
        &mut self,
        id: UnixId,
        data: &[u8],
        to: Option<&UnixName>,
    ) -> Result<Option<UnixId>, Errno> {
        let socket = self.sockets.get_mut(id).ok_or(Errno::Pipe)?;
        let peer = socket.peer.as_ref().map(|peer| peer.id);
        if to.is_none() && peer.is_none() {
            return Err(Errno::NotConnected);
        }
        if data.len() > socket.send_buffer - RESERVED {
            return Err(Errno::MessageSize);
        }
        if let Some(errno) = socket.error.take() {
            return Err(errno);
        }
        if socket.sending_shut_down {
            return Err(Errno::Pipe);
        }
        if socket.in_flight >= socket.send_buffer {
            return Ok(None);
        }
        let target = match (to, peer) {
            (Some(name), _) => self.find(UnixKind::Datagram, name)?,
            (None, Some(peer)) => peer,
            (None, None) => return Err(Errno::NotConnected),
        };
        match self.sockets.get(target) {
            Some(other) if other.peer.is_some() && !other.is_connected_to(id) => {
                Err(Errno::NotPermitted)
            }
            Some(other) if other.receiving_shut_down => Err(Errno::Pipe),
            Some(_) => Ok(Some(target)),
            None => {
                // The peer is gone; this is how the socket learns it.
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.peer = None;
                }
                Err(Errno::ConnRefused)
            }
        }
    }

    fn wait_to_send(
        &mut self,
        id: UnixId,
        full: Option<UnixId>,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        let Some(waker) = waker else { return Poll::Pending };
        if let Some(full) = full.and_then(|full| self.sockets.get_mut(full)) {
            full.room.register(waker, &mut self.woken);
        }
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.writers.register(waker, &mut self.woken);
        }
        Poll::Pending
    }

    /// Whether the queue of `target` takes no more of `sender`. There is no limit between two
    /// sockets that are each other's peers: the sender's buffer is one.
    fn is_full_for(&self, target: UnixId, sender: UnixId) -> bool {
        let Some(other) = self.sockets.get(target) else { return false };
        let Inbox::Datagrams(datagrams) = &other.inbox else { return false };
        target != sender && !other.is_connected_to(sender) && datagrams.len() > MAX_QUEUE
    }

    /// The peer of a socket, if its queue is full.
    pub(super) fn full_peer(&self, id: UnixId, socket: &Socket) -> Option<UnixId> {
        let peer = socket.peer.as_ref()?.id;
        self.is_full_for(peer, id).then_some(peer)
    }

    pub(super) fn recv_datagram(
        &mut self,
        id: UnixId,
        most: usize,
        peek: bool,
        waker: Option<&Waker>,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<Result<Received, Errno>> {
        let Some(socket) = self.sockets.get_mut(id) else {
            return Poll::Ready(Err(Errno::ConnReset));
        };
        if let Some(errno) = socket.error.take() {
            return Poll::Ready(Err(errno));
        }
        let Inbox::Datagrams(datagrams) = &mut socket.inbox else {
            return Poll::Ready(Err(Errno::Invalid));
        };
        let Some(datagram) = datagrams.front() else {
            if socket.receiving_shut_down {
                return Poll::Ready(Ok(Received::default()));
            }
            if let Some(waker) = waker {
                socket.readers.register(waker, &mut self.woken);
            }
            return Poll::Pending;
        };
        let len = datagram.data.len().min(most);
        take(&datagram.data[..len]);
        let whole_len = datagram.data.len();
        let received = Received { len, whole_len, from: datagram.from.clone() };
        if !peek && let Some(datagram) = datagrams.pop_front() {
            if datagrams.len() <= MAX_QUEUE {
                socket.room.wake_all(&mut self.woken);
            }
            self.credit(&datagram);
        }
        Poll::Ready(Ok(received))
    }

    /// A datagram has left the queue it was in: its sender has room again.
    pub(super) fn credit(&mut self, datagram: &Datagram) {
        if let Some(sender) = self.sockets.get_mut(datagram.sender) {
            sender.in_flight -= datagram.charge;
            if is_writable(sender.in_flight, sender.send_buffer) {
                sender.writers.wake_all(&mut self.woken);
            }
        }
    }
}
