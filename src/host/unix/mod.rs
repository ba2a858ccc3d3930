//! `AF_UNIX`: sockets between the tasks of one host, through its memory. No frame leaves for them.
//!
//! Semantics are those of Linux's `net/unix/af_unix.c`, without a file system: a path is a name
//! in a table of the host. Nothing here waits: a call that cannot be answered yet remembers whom
//! to wake.
//!
//! - `names`: paths and abstract names;
//! - `id`: which socket is meant; `table`: the sockets;
//! - `stream`, `datagram`: what the two types do;
//! - `netstat`: what is shown of them;
//! - here: what they have in common.

mod datagram;
mod id;
mod names;
mod netstat;
mod stream;
mod table;

use std::ffi::OsStr;
use std::net::Shutdown;
use std::task::{Poll, Waker};

use tokio::io::Ready;

pub(crate) use id::{UnixId, UnixKind};
pub(crate) use names::UnixName;

use super::wakers::Woken;
use crate::error::Errno;
use names::Names;
use table::{Inbox, Peer, Socket, Table, is_writable};

/// The sockets of a host.
#[derive(Default)]
pub(crate) struct Unix {
    sockets: Table,
    names: Names,
    woken: Woken,
}

/// What a call received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) len: usize,
    /// Bytes of the datagram, or those received of a stream.
    pub(crate) whole_len: usize,
    /// The sender of a datagram, if it has a name.
    pub(crate) from: Option<UnixName>,
}

impl Unix {
    /// `socket(2)`.
    pub(crate) fn create(&mut self, kind: UnixKind) -> Result<UnixId, Errno> {
        self.sockets.insert(Socket::new(kind))
    }

    /// `socketpair(2)`.
    pub(crate) fn pair(&mut self, kind: UnixKind) -> Result<(UnixId, UnixId), Errno> {
        let first = self.create(kind)?;
        let second = self.create(kind).inspect_err(|_| self.close(first))?;
        for (id, peer) in [(first, second), (second, first)] {
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.peer = Some(Peer { id: peer, name: None });
            }
        }
        Ok((first, second))
    }

    /// `bind(2)`; no name takes an abstract one that is free, if the socket has none.
    pub(crate) fn bind(&mut self, id: UnixId, name: Option<&UnixName>) -> Result<(), Errno> {
        let socket = self.sockets.get(id).ok_or(Errno::Invalid)?;
        let (kind, is_bound) = (socket.kind, socket.name.is_some());
        let name = match name {
            None if is_bound => return Ok(()),
            None => self.names.bind_to_any(kind, id)?,
            // The file is made before the socket is looked at.
            Some(UnixName::Path(path)) if is_bound => {
                let taken = self.names.is_taken(kind, &UnixName::Path(path.clone()));
                return Err(if taken { Errno::AddrInUse } else { Errno::Invalid });
            }
            Some(UnixName::Abstract(_)) if is_bound => return Err(Errno::Invalid),
            Some(name) => {
                self.names.bind(kind, name, id)?;
                name.clone()
            }
        };
        let Some(socket) = self.sockets.get_mut(id) else { return Err(Errno::Invalid) };
        socket.name = Some(name.clone());
        if let Some(Peer { id: peer, .. }) = socket.peer
            && let Some(Socket { peer: Some(back), .. }) = self.sockets.get_mut(peer)
            && back.id == id
        {
            back.name = Some(name);
        }
        Ok(())
    }

    /// `unlink(2)`. A socket that is bound to the path keeps its name, but cannot be found.
    pub(crate) fn unlink(&mut self, path: &OsStr) -> Result<(), Errno> {
        self.names.unlink(path)
    }

    /// `getsockname(2)`.
    pub(crate) fn local_name(&self, id: UnixId) -> Option<UnixName> {
        self.sockets.get(id)?.name.clone()
    }

    /// `getpeername(2)`.
    pub(crate) fn peer_name(&self, id: UnixId) -> Result<Option<UnixName>, Errno> {
        let socket = self.sockets.get(id).ok_or(Errno::NotConnected)?;
        let peer = socket.peer.as_ref().ok_or(Errno::NotConnected)?;
        Ok(peer.name.clone())
    }

    /// `connect(2)`. A stream waits for room in the listener's queue when there is a waker;
    /// without one it fails with EAGAIN.
    pub(crate) fn poll_connect(
        &mut self,
        id: UnixId,
        to: &UnixName,
        waker: Option<&Waker>,
    ) -> Poll<Result<(), Errno>> {
        match self.kind(id) {
            None => Poll::Ready(Err(Errno::ConnReset)),
            Some(UnixKind::Stream) => self.connect_stream(id, to, waker),
            Some(UnixKind::Datagram) => Poll::Ready(self.connect_datagram(id, to)),
        }
    }

    /// `send(2)`, or `sendto(2)` with `to`.
    pub(crate) fn poll_send(
        &mut self,
        id: UnixId,
        data: &[u8],
        to: Option<&UnixName>,
        waker: Option<&Waker>,
    ) -> Poll<Result<usize, Errno>> {
        match self.kind(id) {
            None => Poll::Ready(Err(Errno::Pipe)),
            Some(UnixKind::Stream) => self.send_bytes(id, data, to, waker),
            Some(UnixKind::Datagram) => self.send_datagram(id, data, to, waker),
        }
    }

    /// `recv(2)` of at most `most` bytes, which `take` is given in one or two pieces; they stay
    /// in the queue with `peek`. 0 bytes are the end of a stream, or an empty datagram.
    pub(crate) fn poll_recv(
        &mut self,
        id: UnixId,
        most: usize,
        peek: bool,
        waker: Option<&Waker>,
        take: impl FnMut(&[u8]),
    ) -> Poll<Result<Received, Errno>> {
        match self.kind(id) {
            None => Poll::Ready(Err(Errno::ConnReset)),
            Some(UnixKind::Stream) => {
                let received = self.recv_bytes(id, most, peek, waker, take);
                received.map_ok(|len| Received { len, whole_len: len, from: None })
            }
            Some(UnixKind::Datagram) => self.recv_datagram(id, most, peek, waker, take),
        }
    }

    /// `shutdown(2)`, which fails for no socket of this family. The peer of a stream is shut down
    /// the other way round.
    pub(crate) fn shut_down(&mut self, id: UnixId, how: Shutdown) -> Result<(), Errno> {
        let receiving = matches!(how, Shutdown::Read | Shutdown::Both);
        let sending = matches!(how, Shutdown::Write | Shutdown::Both);
        let socket = self.sockets.get_mut(id).ok_or(Errno::NotConnected)?;
        let peer = socket.peer.as_ref().map(|peer| peer.id);
        let peer = peer.filter(|_| socket.kind == UnixKind::Stream);
        self.shut_down_side(id, receiving, sending);
        if let Some(peer) = peer {
            self.shut_down_side(peer, sending, receiving);
        }
        Ok(())
    }

    fn shut_down_side(&mut self, id: UnixId, receiving: bool, sending: bool) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.receiving_shut_down |= receiving;
        socket.sending_shut_down |= sending;
        if receiving {
            socket.readers.wake_all(&mut self.woken);
            socket.room.wake_all(&mut self.woken);
        }
        if sending {
            socket.writers.wake_all(&mut self.woken);
        }
    }

    /// `SO_ERROR`: takes the error that the next call would return.
    pub(crate) fn take_error(&mut self, id: UnixId) -> Option<Errno> {
        self.sockets.get_mut(id)?.error.take()
    }

    /// What a socket may have on the way, in bytes: twice what was set, as on Linux.
    pub(crate) fn send_buffer(&self, id: UnixId) -> usize {
        self.sockets.get(id).map_or(0, |socket| socket.send_buffer)
    }

    /// `SO_SNDBUF`: how many bytes may be on the way. As on Linux the value is doubled, and at
    /// least 4,608.
    pub(crate) fn set_send_buffer(&mut self, id: UnixId, bytes: usize) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.send_buffer = bytes.min(table::SEND_BUFFER).saturating_mul(2).max(4608);
            socket.writers.wake_all(&mut self.woken);
        }
    }

    /// `close(2)`. A path stays bound, to nobody, until it is unlinked.
    pub(crate) fn close(&mut self, id: UnixId) {
        self.close_one(id, false);
    }

    /// Closes a socket; nobody has accepted it if it is `embryonic`.
    fn close_one(&mut self, id: UnixId, embryonic: bool) {
        let Some(mut socket) = self.sockets.remove(id) else { return };
        if let Some(name) = &socket.name {
            self.names.release(socket.kind, name, id);
        }
        for waiting in [&mut socket.readers, &mut socket.writers, &mut socket.room] {
            waiting.wake_all(&mut self.woken);
        }
        let has_unread = !socket.inbox.is_empty();
        match socket.inbox {
            Inbox::Bytes(_) => {
                let peer = socket.peer.map(|peer| peer.id);
                let Some(peer) = peer else { return };
                if let Some(peer) = self.sockets.get_mut(peer)
                    && (has_unread || embryonic)
                {
                    peer.error = Some(Errno::ConnReset);
                }
                self.shut_down_side(peer, true, true);
            }
            Inbox::Datagrams(datagrams) => {
                datagrams.iter().for_each(|datagram| self.credit(datagram));
            }
            Inbox::Connections { queue, .. } => {
                queue.into_iter().for_each(|connection| self.close_one(connection, true));
            }
        }
    }

    /// What can be done without waiting, as `poll(2)` and mio see it; also what would fail at
    /// once.
    pub(crate) fn readiness(&self, id: UnixId) -> Ready {
        let gone = Ready::READABLE | Ready::WRITABLE | Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        let Some(socket) = self.sockets.get(id) else { return gone };
        let mut ready = Ready::EMPTY;
        if socket.error.is_some() {
            ready |= Ready::ERROR | Ready::READABLE | Ready::WRITE_CLOSED;
        }
        if socket.receiving_shut_down {
            ready |= Ready::READABLE | Ready::READ_CLOSED;
        }
        if socket.receiving_shut_down && socket.sending_shut_down {
            ready |= Ready::READ_CLOSED | Ready::WRITE_CLOSED;
        }
        if !socket.inbox.is_empty() {
            ready |= Ready::READABLE;
        }
        if socket.sending_shut_down || self.has_room(id, socket) {
            ready |= Ready::WRITABLE;
        }
        ready
    }

    /// `FIONREAD`: bytes that wait to be read; of datagrams those of the first.
    pub(crate) fn recv_queue(&self, id: UnixId) -> usize {
        match self.sockets.get(id).map(|socket| &socket.inbox) {
            Some(Inbox::Bytes(bytes)) => bytes.len(),
            Some(Inbox::Datagrams(datagrams)) => {
                datagrams.front().map_or(0, |datagram| datagram.data.len())
            }
            Some(Inbox::Connections { .. }) | None => 0,
        }
    }

    /// `SO_ACCEPTCONN`.
    pub(crate) fn is_listening(&self, id: UnixId) -> bool {
        let inbox = self.sockets.get(id).map(|socket| &socket.inbox);
        matches!(inbox, Some(Inbox::Connections { .. }))
    }

    fn has_room(&self, id: UnixId, socket: &Socket) -> bool {
        match (&socket.inbox, &socket.peer) {
            (Inbox::Connections { .. }, _) => false,
            (Inbox::Bytes(_), None) => true,
            (Inbox::Bytes(_), Some(peer)) => match self.sockets.get(peer.id) {
                Some(Socket { inbox: Inbox::Bytes(bytes), .. }) => {
                    is_writable(bytes.len(), socket.send_buffer)
                }
                _ => true,
            },
            (Inbox::Datagrams(_), _) => {
                is_writable(socket.in_flight, socket.send_buffer)
                    && self.full_peer(id, socket).is_none()
            }
        }
    }

    /// Remembers whom to wake when something may have changed that readers hear of, or writers.
    /// Readers hear of errors and of the end.
    pub(crate) fn register(&mut self, id: UnixId, reading: bool, writing: bool, waker: &Waker) {
        let Some(socket) = self.sockets.get(id) else { return };
        let full_peer = self.full_peer(id, socket).filter(|_| writing);
        if let Some(peer) = full_peer.and_then(|peer| self.sockets.get_mut(peer)) {
            peer.room.register(waker, &mut self.woken);
        }
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if reading {
            socket.readers.register(waker, &mut self.woken);
        }
        if writing {
            socket.writers.register(waker, &mut self.woken);
        }
    }

    /// The power goes: sockets and names are gone. Tasks of other hosts that hold a socket of
    /// this one are woken: they find it dead.
    pub(in crate::host) fn crash(&mut self) {
        for mut socket in self.sockets.drain() {
            socket.readers.wake_all(&mut self.woken);
            socket.writers.wake_all(&mut self.woken);
            socket.room.wake_all(&mut self.woken);
        }
        self.names = Names::default();
    }

    pub(in crate::host) fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    pub(in crate::host) fn take_woken(&mut self, woken: &mut Vec<Waker>) {
        self.woken.take(woken);
    }

    pub(in crate::host) fn set_round(&mut self, round: u32) {
        self.woken.set_round(round);
    }

    fn kind(&self, id: UnixId) -> Option<UnixKind> {
        self.sockets.get(id).map(|socket| socket.kind)
    }

    /// The socket that `name` stands for, if it is of that type.
    fn find(&self, kind: UnixKind, name: &UnixName) -> Result<UnixId, Errno> {
        let id = self.names.find(kind, name)?;
        match self.kind(id) {
            Some(found) if found == kind => Ok(id),
            Some(_) => Err(Errno::WrongProtocolType),
            None => Err(Errno::ConnRefused),
        }
    }
}
