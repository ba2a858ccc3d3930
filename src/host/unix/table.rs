//! One socket, and the table of them.

use std::collections::VecDeque;

use super::id::{UnixId, UnixKind};
use super::names::UnixName;
use crate::error::Errno;
use crate::host::wakers::Wakers;

/// How many sockets a host has at most, connections that nobody has accepted included;
/// EMFILE beyond them.
pub(crate) const MAX_SOCKETS: usize = 1 << 16;

/// How much a socket may have on the way: Linux's `net.core.wmem_default`, in bytes.
pub(crate) const SEND_BUFFER: usize = 212_992;

pub(super) struct Socket {
    pub(super) kind: UnixKind,
    pub(super) name: Option<UnixName>,
    /// Whom it is connected to. A stream keeps it when the peer is gone, as Linux does.
    pub(super) peer: Option<Peer>,
    pub(super) receiving_shut_down: bool,
    pub(super) sending_shut_down: bool,
    /// `SO_ERROR`.
    pub(super) error: Option<Errno>,
    pub(super) inbox: Inbox,
    pub(super) send_buffer: usize,
    /// What datagrams of this socket are charged with that nobody has received.
    pub(super) in_flight: usize,
    pub(super) readers: Wakers,
    pub(super) writers: Wakers,
    /// Others, who wait for room in the inbox: to connect, or to send a datagram.
    pub(super) room: Wakers,
}

#[derive(Clone)]
pub(super) struct Peer {
    pub(super) id: UnixId,
    pub(super) name: Option<UnixName>,
}

/// What a socket has received.
pub(super) enum Inbox {
    Bytes(VecDeque<u8>),
    Datagrams(VecDeque<Datagram>),
    /// It listens.
    Connections {
        queue: VecDeque<UnixId>,
        backlog: usize,
    },
}

pub(super) struct Datagram {
    pub(super) data: Box<[u8]>,
    pub(super) from: Option<UnixName>,
    pub(super) sender: UnixId,
    pub(super) charge: usize,
}

impl Inbox {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Inbox::Bytes(bytes) => bytes.is_empty(),
            Inbox::Datagrams(datagrams) => datagrams.is_empty(),
            Inbox::Connections { queue, .. } => queue.is_empty(),
        }
    }
}

impl Socket {
    pub(super) fn new(kind: UnixKind) -> Socket {
        Socket {
            kind,
            name: None,
            peer: None,
            receiving_shut_down: false,
            sending_shut_down: false,
            error: None,
            inbox: match kind {
                UnixKind::Stream => Inbox::Bytes(VecDeque::new()),
                UnixKind::Datagram => Inbox::Datagrams(VecDeque::new()),
            },
            send_buffer: SEND_BUFFER,
            in_flight: 0,
            readers: Wakers::default(),
            writers: Wakers::default(),
            room: Wakers::default(),
        }
    }

    pub(super) fn listens(&self) -> bool {
        matches!(self.inbox, Inbox::Connections { .. })
    }

    pub(super) fn is_connected_to(&self, id: UnixId) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.id == id)
    }
}

/// Whether a sender with so much on the way should be woken: Linux's `unix_writable`.
pub(super) fn is_writable(in_flight: usize, send_buffer: usize) -> bool {
    in_flight <= send_buffer / 4
}

/// The sockets of a host.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    socket: Option<Box<Socket>>,
}

impl Table {
    pub(super) fn insert(&mut self, socket: Socket) -> Result<UnixId, Errno> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < MAX_SOCKETS => {
                self.slots.push(Slot::default());
                (self.slots.len() - 1) as u32
            }
            None => return Err(Errno::TooManyOpenFiles),
        };
        let slot = &mut self.slots[index as usize];
        slot.socket = Some(Box::new(socket));
        Ok(UnixId { index, generation: slot.generation })
    }

    pub(super) fn get(&self, id: UnixId) -> Option<&Socket> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation { slot.socket.as_deref() } else { None }
    }

    pub(super) fn get_mut(&mut self, id: UnixId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.socket.as_deref_mut() } else { None }
    }

    pub(super) fn remove(&mut self, id: UnixId) -> Option<Box<Socket>> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let socket = slot.socket.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(socket)
    }

    /// Every socket, in the order of the slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (UnixId, &Socket)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let socket = slot.socket.as_deref()?;
            Some((UnixId { index, generation: slot.generation }, socket))
        })
    }

    /// Takes every socket out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Box<Socket>> {
        self.free = (0..self.slots.len() as u32).rev().collect();
        self.slots.iter_mut().filter_map(|slot| {
            slot.generation = slot.generation.wrapping_add(1);
            slot.socket.take()
        })
    }
}
