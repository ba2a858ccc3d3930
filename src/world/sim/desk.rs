//! Where faults are handed in, by whoever: the world carries them out in the order in which they
//! came.
//!
//! A task that hands one in cannot reach the world, which is at work on that task. What hosts have
//! sent until then is handed in before the fault, and the round of tasks ends with the poll: so a
//! fault comes after what was sent before it, and before all that is sent after it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::held::HeldFrame;
use crate::clock::Clock;
use crate::net::{DirtyHosts, HostHandle, Turn};
use crate::network::Port;
use crate::network::StoppedBy;
use crate::task::context;
use crate::time::Instant;
use crate::world::core::held::HeldFrames;
use crate::world::plan::{Fault, KnownHosts, MAX_FAULTS, Role, no_host_called};

/// What the world is to do, in this order.
pub(super) enum Order {
    /// A host has sent this before what follows.
    Sent(Turn),
    /// Something is done now.
    Now { fault: Fault, by: StoppedBy, is_planned: bool },
    /// Something is done at a time.
    At { at: u64, fault: Fault },
    /// A frame that is held goes on its way.
    Deliver { from: u32, to: u32, packet_id: u64 },
}

/// Where faults of a world are handed in.
#[derive(Clone)]
pub(super) struct Desk(Arc<Inner>);

struct Inner {
    // So that the common case, none, needs no lock.
    any: AtomicBool,
    /// A round of tasks ends with the poll in which an order comes.
    interrupt: Arc<AtomicBool>,
    clock: Clock,
    used: DirtyHosts,
    held: HeldFrames,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    orders: Vec<Order>,
    /// How many were for a time.
    timed: usize,
    hosts: Hosts,
    /// The world is no more.
    is_closed: bool,
    /// Orders come from tasks that end: no round is to end because of them.
    is_ending_tasks: bool,
}

/// The hosts of the world, by their number.
#[derive(Default)]
struct Hosts {
    all: Vec<Known>,
    by_name: BTreeMap<String, u32>,
}

struct Known {
    name: String,
    role: Role,
    /// Its sockets, while it is up.
    handle: Weak<HostHandle>,
}

impl KnownHosts for Hosts {
    fn role_of(&self, name: &str) -> Option<Role> {
        self.by_name.get(name).map(|host| self.all[*host as usize].role)
    }

    fn no_host_called(&self, name: &str) -> String {
        no_host_called(name, self.all.iter().map(|host| host.name.as_str()))
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Desk")
    }
}

impl Desk {
    pub(super) fn new(
        clock: Clock,
        used: DirtyHosts,
        held: HeldFrames,
        interrupt: Arc<AtomicBool>,
    ) -> Desk {
        let (any, state) = (AtomicBool::default(), Mutex::default());
        Desk(Arc::new(Inner { any, interrupt, clock, used, held, state }))
    }

    pub(super) fn add_host(&self, name: &str, role: Role) {
        let hosts = &mut self.lock().hosts;
        hosts.by_name.insert(name.to_owned(), hosts.all.len() as u32);
        hosts.all.push(Known { name: name.to_owned(), role, handle: Weak::new() });
    }

    /// A host is up.
    pub(super) fn started(&self, host: u32, handle: &Arc<HostHandle>) {
        self.lock().hosts.all[host as usize].handle = Arc::downgrade(handle);
    }

    /// The world is no more: nothing is done any longer.
    pub(super) fn close(&self) {
        let closed = State { is_closed: true, ..State::default() };
        let _dropped = std::mem::replace(&mut *self.lock(), closed);
    }

    /// Tasks are ended from now on, or not any more.
    pub(super) fn set_ending_tasks(&self, is_ending_tasks: bool) {
        self.lock().is_ending_tasks = is_ending_tasks;
    }

    /// Whether there are orders.
    #[inline]
    pub(super) fn has_orders(&self) -> bool {
        self.0.any.load(Ordering::Relaxed)
    }

    pub(super) fn take_orders(&self) -> Vec<Order> {
        self.0.any.store(false, Ordering::Relaxed);
        std::mem::take(&mut self.lock().orders)
    }

    /// Hands in a fault that is done now. The error is what is wrong with it.
    pub(super) fn now(&self, fault: Fault, by: StoppedBy) -> Result<(), String> {
        let is_in_task = context::is_of_world(&self.0.clock);
        let checked = {
            let state = self.lock();
            if state.is_closed { Ok(()) } else { fault.check(&state.hosts) }
        };
        checked?;
        self.hand_in(Order::Now { fault, by, is_planned: !is_in_task }, is_in_task);
        Ok(())
    }

    /// Hands in a fault for a time, in nanoseconds since the world began. While the world runs the
    /// hosts must be known; before, they may come later.
    pub(super) fn at(&self, at: u64, fault: Fault) -> Result<(), String> {
        let is_in_task = context::is_of_world(&self.0.clock);
        let now = self.0.clock.now();
        if at < now {
            let (at, now) = (Instant::from_nanos(at), Instant::from_nanos(now));
            return Err(format!("`{fault}` at {at}: it is {now} already"));
        }
        {
            let mut state = self.lock();
            if state.is_closed {
                return Ok(());
            }
            if state.timed >= MAX_FAULTS {
                return Err(format!("a world has at most {MAX_FAULTS} faults at a time"));
            }
            if is_in_task {
                fault.check(&state.hosts)?;
            }
            state.timed += 1;
        }
        self.hand_in(Order::At { at, fault }, is_in_task);
        Ok(())
    }

    /// Lets a frame that is held go on its way. False when it is not held any more.
    pub(super) fn deliver(&self, frame: &HeldFrame) -> bool {
        let (from, to) = frame.ends();
        let ends = (Port::of_host(from), Port::of_host(to));
        let packet_id = frame.packet_id();
        let is_held = self.0.held.look(ends, |held| held.packet_id == packet_id).contains(&true);
        if is_held {
            let order = Order::Deliver { from, to, packet_id };
            self.hand_in(order, context::is_of_world(&self.0.clock));
        }
        is_held
    }

    /// The frames that the link from one host to another holds.
    pub(super) fn held(&self, from: &str, to: &str) -> Result<Vec<HeldFrame>, String> {
        let ends = {
            let hosts = &self.lock().hosts;
            let find = |name: &str| {
                hosts.by_name.get(name).copied().ok_or_else(|| hosts.no_host_called(name))
            };
            (find(from)?, find(to)?)
        };
        let ports = (Port::of_host(ends.0), Port::of_host(ends.1));
        Ok(self.0.held.look(ports, |held| HeldFrame::new((from, to), ends, held)))
    }

    fn hand_in(&self, order: Order, is_in_task: bool) {
        // Whoever holds the lock calls nothing: this comes before it.
        let sent = if is_in_task { self.sent_so_far() } else { Vec::new() };
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        state.orders.extend(sent.into_iter().map(Order::Sent));
        state.orders.push(order);
        self.0.any.store(true, Ordering::Relaxed);
        if is_in_task && !state.is_ending_tasks {
            self.0.interrupt.store(true, Ordering::Relaxed);
        }
    }

    /// What the calls of tasks have sent since hosts last had their turn.
    fn sent_so_far(&self) -> Vec<Turn> {
        let used = self.0.used.all();
        let handles: Vec<Arc<HostHandle>> = {
            let hosts = &self.lock().hosts;
            let used = used.iter().filter_map(|host| hosts.all.get(*host as usize));
            used.filter_map(|host| host.handle.upgrade()).collect()
        };
        handles.iter().map(|handle| handle.take_sent()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
