//! Listening sockets: the accept queue and the half-open connections before it (DESIGN D2).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

use super::ids::{FlowId, ListenerId};
use crate::host::address::BindAddress;
use crate::host::ports::BindingId;
use crate::host::wakers::{Wakers, Woken};
use crate::tcp::TcpOptions;
use crate::wire::tcp::FourTuple;

/// A listening socket of a host.
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    address: BindAddress,
    pub(crate) binding: BindingId,
    pub(crate) options: TcpOptions,
    backlog: usize,
    /// Established, waiting for `accept`.
    queue: VecDeque<FlowId>,
    /// In SYN-RECEIVED.
    half_open: usize,
    waiting: Wakers,
    /// When it last answered a SYN with a cookie.
    last_cookie: Option<u64>,
}

impl Listener {
    pub(crate) fn new(
        local: SocketAddr,
        address: BindAddress,
        binding: BindingId,
        backlog: usize,
        options: TcpOptions,
    ) -> Listener {
        Listener {
            local,
            address,
            binding,
            options,
            backlog,
            queue: VecDeque::new(),
            half_open: 0,
            waiting: Wakers::default(),
            last_cookie: None,
        }
    }

    /// A SYN is answered with a cookie.
    pub(crate) fn sends_cookie(&mut self, now: u64) {
        self.last_cookie = Some(now);
    }

    pub(crate) fn last_cookie(&self) -> Option<u64> {
        self.last_cookie
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

    /// Whether it is bound to `::`, for IPv6 and IPv4 alike.
    pub(crate) fn is_dual_stack(&self) -> bool {
        self.address == BindAddress::Any
    }

    pub(crate) fn half_open_begins(&mut self) {
        self.half_open += 1;
    }

    pub(crate) fn half_open_ends(&mut self) {
        self.half_open -= 1;
    }

    pub(crate) fn enqueue(&mut self, id: FlowId, woken: &mut Woken) {
        self.queue.push_back(id);
        self.waiting.wake_all(woken);
    }

    pub(crate) fn accept(&mut self) -> Option<FlowId> {
        self.queue.pop_front()
    }

    pub(crate) fn wait(&mut self, waker: &Waker, woken: &mut Woken) {
        self.waiting.register(waker, woken);
    }

    /// `listen(2)` again.
    pub(crate) fn set_backlog(&mut self, backlog: usize) {
        self.backlog = backlog;
    }

    pub(crate) fn wake_all(&mut self, woken: &mut Woken) {
        self.waiting.wake_all(woken);
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
    pub(crate) fn wake_all(&mut self, woken: &mut Woken) {
        self.by_id.values_mut().for_each(|listener| listener.wake_all(woken));
    }

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

    pub(crate) fn get(&self, id: ListenerId) -> Option<&Listener> {
        self.by_id.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.by_id.get_mut(&id)
    }

    /// The listener that a SYN for `tuple` is for: a specific one before a wildcard. Of several
    /// alike (`SO_REUSEPORT`) the tuple decides, so that a SYN that is sent again finds the same.
    pub(crate) fn find(&self, tuple: &FourTuple) -> Option<ListenerId> {
        let at_port = self.by_port.get(&tuple.local_port)?;
        let choose = |wildcard: bool| {
            let is_for_it = |address: BindAddress| {
                address.is_wildcard() == wildcard && address.covers(tuple.local_addr)
            };
            let matching = || at_port.iter().filter(|id| is_for_it(self.by_id[id].address));
            match matching().count() {
                0 | 1 => matching().next(),
                several => matching().nth(spread(tuple, several)),
            }
        };
        choose(false).or_else(|| choose(true)).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Listener> {
        self.by_id.values()
    }
}

/// A number below `count` that is the same whenever the tuple is: FNV-1a over the peer's end, with
/// the last step of MurmurHash3, because ports often differ in their lowest bits only.
fn spread(tuple: &FourTuple, count: usize) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut mix = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    match tuple.remote_addr {
        IpAddr::V4(address) => address.octets().into_iter().for_each(&mut mix),
        IpAddr::V6(address) => address.octets().into_iter().for_each(&mut mix),
    }
    tuple.remote_port.to_be_bytes().into_iter().for_each(&mut mix);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    ((u64::from(hash) * count as u64) >> 32) as usize
}
