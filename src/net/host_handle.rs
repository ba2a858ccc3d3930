//! A host as its sockets hold it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::clock::Clock;
use crate::host::{Discarded, Host, Interfaces, Netstat, Nstat, StateChange};
use crate::task::own_thread::{self, WorldId};
use crate::task::{Alarm, context};
use crate::wire::frame::{FrameBuffer, FramePool};

/// The hosts whose sockets were used since the world last looked.
#[derive(Clone, Debug, Default)]
pub(crate) struct DirtyHosts(Arc<DirtyList>);

#[derive(Debug, Default)]
struct DirtyList {
    world: WorldId,
    // So that the common case, none, needs no lock.
    any: AtomicBool,
    hosts: Mutex<Vec<u32>>,
    /// For a world that sleeps while another thread uses a socket.
    alarm: Alarm,
}

impl DirtyHosts {
    pub(crate) fn new(world: WorldId, alarm: Alarm) -> DirtyHosts {
        DirtyHosts(Arc::new(DirtyList { world, alarm, ..DirtyList::default() }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.0.any.load(Ordering::SeqCst) && own_thread::hosts(self.0.world).is_empty()
    }

    /// The list as it is.
    pub(crate) fn all(&self) -> Vec<u32> {
        let mut hosts = own_thread::hosts(self.0.world);
        hosts.extend(self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).iter());
        hosts
    }

    /// Moves the list to the end of `hosts`.
    #[inline]
    pub(crate) fn take(&self, hosts: &mut Vec<u32>) {
        own_thread::take_hosts(self.0.world, hosts);
        if self.0.any.load(Ordering::Relaxed) {
            self.take_from_outside(hosts);
        }
    }

    #[inline(never)]
    fn take_from_outside(&self, hosts: &mut Vec<u32>) {
        self.0.any.store(false, Ordering::Relaxed);
        hosts.append(&mut self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the thread that drives the world has left is there for any that does so from now on.
    pub(crate) fn share_own(&self) {
        let mut own = Vec::new();
        own_thread::take_hosts(self.0.world, &mut own);
        if !own.is_empty() {
            let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            own.append(&mut hosts);
            *hosts = own;
            self.0.any.store(true, Ordering::Relaxed);
        }
    }

    fn add(&self, host: u32) {
        // What other threads have left comes first.
        if self.0.any.load(Ordering::Relaxed) || !own_thread::leave_host(self.0.world, host) {
            self.add_from_outside(host);
        }
    }

    #[inline(never)]
    fn add_from_outside(&self, host: u32) {
        self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        self.0.any.store(true, Ordering::Relaxed);
        self.0.alarm.ring();
    }
}

/// A host, shared by the world and the sockets. Sockets are `Send`, as tokio's are, so there is
/// a lock; it is contended only where sockets of a world on the wall clock are used in threads
/// beside it.
pub(crate) struct HostHandle {
    index: u32,
    clock: Clock,
    dirty: DirtyHosts,
    shared: Mutex<Shared>,
}

struct Shared {
    host: Host,
    is_dirty: bool,
}

impl HostHandle {
    pub(crate) fn new(index: u32, host: Host, clock: Clock, dirty: DirtyHosts) -> Arc<HostHandle> {
        let shared = Mutex::new(Shared { host, is_dirty: false });
        Arc::new(HostHandle { index, clock, dirty, shared })
    }

    /// A socket call. What it sends is on its way, at this instant, when the tasks have had their
    /// turn, and so is done what else it leaves to do.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut Host, u64) -> R) -> R {
        let mut shared = self.begin_call();
        let result = call(&mut shared.host, self.clock.now());
        self.end_call(shared);
        result
    }

    // What comes before and after a call is the same for all: it is there once, and not once for
    // each kind of call.
    #[inline(never)]
    fn begin_call(&self) -> MutexGuard<'_, Shared> {
        // On another thread the world may be asleep, and its clock with it.
        let is_in_world = context::is_of_world(&self.clock);
        let mut shared = self.lock();
        shared.host.set_round(self.clock.round());
        shared.host.send_in_calls(is_in_world);
        shared
    }

    #[inline(never)]
    fn end_call(&self, mut shared: MutexGuard<'_, Shared>) {
        if !shared.is_dirty && shared.host.has_work() {
            shared.is_dirty = true;
            self.dirty.add(self.index);
        }
        wake(shared);
    }

    /// A call that only asks, or registers whom to wake, and leaves nothing to do.
    pub(crate) fn look_mut<R>(&self, look: impl FnOnce(&mut Host) -> R) -> R {
        let mut shared = self.lock();
        shared.host.set_round(self.clock.round());
        let result = look(&mut shared.host);
        wake(shared);
        result
    }

    /// A look that leaves nothing to do.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Host) -> R) -> R {
        look(&self.lock().host)
    }

    /// A look at this moment, that leaves nothing to do.
    pub(crate) fn look_now<R>(&self, look: impl FnOnce(&Host, u64) -> R) -> R {
        self.look(|host| look(host, self.clock.now()))
    }

    /// Its sockets at this moment.
    pub(crate) fn netstat(&self) -> Netstat {
        self.look_now(Host::netstat)
    }

    /// What it has counted.
    pub(crate) fn nstat(&self) -> Nstat {
        self.look(Host::nstat)
    }

    /// Its interfaces, and what passed them.
    pub(crate) fn interfaces(&self) -> Interfaces {
        self.look(Host::interfaces)
    }

    /// The world's turn, with a frame that arrived if there is one: see [`Host::poll`]. With
    /// `more_follows` another turn comes in this instant, and polling may wait for it, unless
    /// [`Turn::state_changed`].
    pub(crate) fn turn(
        &self,
        arrived: Option<FrameBuffer>,
        more_follows: bool,
        pool: &mut FramePool,
        turn: &mut Turn,
    ) -> Option<u64> {
        let now = self.clock.now();
        let mut shared = self.lock();
        shared.is_dirty = false;
        shared.host.refill_reserve(pool);
        let must_poll = match arrived {
            Some(frame) if more_follows => shared.host.receive_in_burst(now, frame, pool),
            Some(frame) => {
                shared.host.receive(now, frame, pool);
                true
            }
            None => true,
        };
        let deadline = if must_poll { shared.host.poll(now, pool) } else { None };
        shared.host.take_outbox(&mut turn.sent, !turn.unwatched);
        shared.host.take_discarded(&mut turn.discarded);
        shared.host.take_changes(&mut turn.changes);
        shared.host.take_woken(&mut turn.woken);
        turn.state_changed = shared.host.take_state_changed();
        (turn.host, turn.more_follows) = (self.index, more_follows);
        drop(shared);
        // A waker may run anything, so never under the lock.
        match turn.woken.len() {
            0 => {}
            1 => turn.woken.pop().into_iter().for_each(Waker::wake),
            _ => turn.wake_all(),
        }
        deadline
    }

    /// What calls have sent since the last turn, for whoever must know what came before something
    /// else in this instant. The host has its turn nevertheless.
    pub(crate) fn take_sent(&self) -> Turn {
        let mut turn = Turn { host: self.index, ..Turn::default() };
        let mut shared = self.lock();
        shared.host.take_outbox(&mut turn.sent, true);
        shared.host.take_discarded(&mut turn.discarded);
        shared.host.take_changes(&mut turn.changes);
        turn
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn wake(shared: MutexGuard<'_, Shared>) {
    if shared.host.has_woken() {
        wake_all(shared);
    }
}

#[cold]
fn wake_all(mut shared: MutexGuard<'_, Shared>) {
    let mut woken = Vec::new();
    shared.host.take_woken(&mut woken);
    drop(shared);
    // A waker may run anything, so never under the lock.
    woken.into_iter().for_each(Waker::wake);
}

/// What came of a turn. It is reused, to keep its memory.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) sent: Vec<FrameBuffer>,
    /// What never left.
    pub(crate) discarded: Vec<Discarded>,
    pub(crate) changes: Vec<StateChange>,
    /// Nobody looks at what is sent but its receiver, which trusts it: checksums may be left out.
    pub(crate) unwatched: bool,
    /// Whether a connection changed its state.
    pub(crate) state_changed: bool,
    /// Whose turn it was.
    pub(crate) host: u32,
    /// Another frame for it follows in this instant.
    pub(crate) more_follows: bool,
    woken: Vec<Waker>,
}

impl Turn {
    /// Turns in a world where nobody watches, yet.
    pub(crate) fn unwatched() -> Turn {
        Turn { unwatched: true, ..Turn::default() }
    }

    #[inline(never)]
    fn wake_all(&mut self) {
        self.woken.drain(..).for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;
    use crate::host::{HostOptions, Prefix};
    use crate::rng::Seed;

    #[test]
    fn a_call_from_outside_the_tasks_of_a_world_sends_when_the_world_has_its_turn() {
        let prefixes = [Prefix::new(Ipv4Addr::new(10, 0, 0, 1), 16)];
        let stream = Seed(7).stream("host");
        let host = Host::new([2, 0, 0, 0, 0, 1], &prefixes, HostOptions::default(), stream);
        let (clock, dirty) = (Clock::default(), DirtyHosts::default());
        let handle = HostHandle::new(3, host, clock.clone(), dirty.clone());
        let peer = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 2), 80));
        handle
            .call(|host, now| host.connect(now, None, peer, host.new_tcp_options()))
            .expect("it begins");
        let mut sent = Vec::new();
        handle.look_mut(|host| host.take_outbox(&mut sent, true));
        assert!(sent.is_empty());
        let mut hosts = Vec::new();
        dirty.take(&mut hosts);
        assert_eq!(hosts, [3]);
        let mut turn = Turn::default();
        // The clock stood still in between.
        clock.advance_to(5_000_000_000);
        let deadline = handle.turn(None, false, &mut FramePool::default(), &mut turn);
        assert_eq!(turn.sent.len(), 1, "the question for the neighbour");
        assert!(deadline > Some(clock.now()));
    }
}
