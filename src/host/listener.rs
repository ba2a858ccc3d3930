//! Listening sockets: the accept queue and the half-open connections before it (DESIGN D2).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

use super::address::BindAddress;
use super::flow::FlowId;
use super::ports::BindingId;
use super::wakers::Wakers;

/// A listening socket of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListenerId(pub(super) u64);

pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    address: BindAddress,
    pub(crate) binding: BindingId,
    backlog: usize,
    /// Established, waiting for `accept`.
    queue: VecDeque<FlowId>,
    /// In SYN-RECEIVED.
    half_open: usize,
    waiting: Wakers,
}

impl Listener {
    pub(crate) fn new(
        local: SocketAddr,
        address: BindAddress,
        binding: BindingId,
        backlog: usize,
    ) -> Listener {
        Listener {
            local,
            address,
            binding,
            backlog,
            queue: VecDeque::new(),
            half_open: 0,
            waiting: Wakers::default(),
        }
    }

    /// `listen(n)` lets n + 1 connections complete before one is accepted, as Linux does.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }

    pub(crate) fn half_open(&self) -> usize {
        self.half_open
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog
    }

    pub(crate) fn half_open_begins(&mut self) {
        self.half_open += 1;
    }

    pub(crate) fn half_open_ends(&mut self) {
        self.half_open -= 1;
    }

    pub(crate) fn enqueue(&mut self, flow: FlowId, woken: &mut Vec<Waker>) {
        self.queue.push_back(flow);
        self.waiting.wake_all(woken);
    }

    pub(crate) fn accept(&mut self) -> Option<FlowId> {
        self.queue.pop_front()
    }

    pub(crate) fn wait(&mut self, waker: &Waker) {
        self.waiting.register(waker);
    }

    pub(crate) fn into_queue(self) -> VecDeque<FlowId> {
        self.queue
    }
}

/// The listeners of a host, by port.
#[derive(Default)]
pub(crate) struct Listeners {
    by_id: BTreeMap<ListenerId, Listener>,
    by_port: BTreeMap<u16, Vec<ListenerId>>,
    next: u64,
}

impl Listeners {
    pub(crate) fn insert(&mut self, listener: Listener) -> ListenerId {
        let id = ListenerId(self.next);
        self.next += 1;
        self.by_port.entry(listener.local.port()).or_default().push(id);
        self.by_id.insert(id, listener);
        id
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let listener = self.by_id.remove(&id)?;
        let port = listener.local.port();
        if let Some(at_port) = self.by_port.get_mut(&port) {
            at_port.retain(|other| *other != id);
            if at_port.is_empty() {
                self.by_port.remove(&port);
            }
        }
        Some(listener)
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.by_id.get_mut(&id)
    }

    /// The listener that a SYN to `address` and `port` is for: a specific one before a wildcard.
    pub(crate) fn find(&self, address: IpAddr, port: u16) -> Option<ListenerId> {
        let at_port = self.by_port.get(&port)?;
        let matching = at_port.iter().filter(|id| self.by_id[id].address.covers(address));
        matching.min_by_key(|id| self.by_id[id].address.is_wildcard()).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.by_id.values()
    }
}
