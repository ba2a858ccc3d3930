//! One TCP connection of a host: its engine, and what is the host's.

use std::task::Waker;

use crate::clock::When;
use crate::error::Errno;
use crate::host::ip::NextHop;
use crate::host::wakers::{Wakers, Woken};
use crate::tcp::{Engine, TcpOptions, TcpState, Written};
use crate::wire::ip::IpFields;
use crate::wire::tcp::FourTuple;

use super::ids::ListenerId;

/// Who holds a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is half-open, or waits in the accept queue.
    Listener(ListenerId),
    Application,
    /// The application closed it; what was written is still delivered.
    Nobody,
}

pub(super) struct Connection {
    tuple: FourTuple,
    pub(super) engine: Engine,
    owner: Owner,
    /// The first hop on the way to the peer; none to this host itself.
    next_hop: Option<NextHop>,
    /// Why it ended, until a call has reported it.
    error: Option<Errno>,
    /// Its tuple is free, and its engine is kept only for unread data.
    is_detached: bool,
    sending_shut_down: bool,
    /// `shutdown(SHUT_RD)`: reading does not wait any more.
    receiving_shut_down: bool,
    /// A write found too little room since there was last enough.
    write_blocked: bool,
    /// What it has to send, or when, is not yet known.
    pub(super) is_dirty: bool,
    /// It is in the list of those that are, or were, dirty.
    pub(super) in_dirty_list: bool,
    /// How long a close waits for the peer.
    linger_until: When,
    /// When it wants a look.
    deadline: When,
    /// What the heap of deadlines holds for it: not after its deadline, so that one which only
    /// moves later, as it does with each acknowledgment, costs nothing.
    queued_deadline: When,
    readers: Wakers,
    writers: Wakers,
}

/// How a connection's packets reach its peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Path<'a> {
    pub(super) tuple: &'a FourTuple,
    pub(super) next_hop: Option<NextHop>,
    /// What their headers carry.
    pub(super) ip_fields: IpFields,
}

impl Connection {
    pub(super) fn new(
        tuple: FourTuple,
        engine: Engine,
        owner: Owner,
        next_hop: Option<NextHop>,
    ) -> Connection {
        Connection {
            tuple,
            engine,
            owner,
            next_hop,
            error: None,
            is_detached: false,
            sending_shut_down: false,
            receiving_shut_down: false,
            write_blocked: false,
            is_dirty: false,
            in_dirty_list: false,
            linger_until: When::NEVER,
            deadline: When::NEVER,
            queued_deadline: When::NEVER,
            readers: Wakers::default(),
            writers: Wakers::default(),
        }
    }

    #[inline]
    pub(super) fn tuple(&self) -> &FourTuple {
        &self.tuple
    }

    #[inline]
    pub(super) fn state(&self) -> TcpState {
        self.engine.state()
    }

    pub(super) fn options(&self) -> &TcpOptions {
        self.engine.options()
    }

    #[inline]
    pub(super) fn next_hop(&self) -> Option<NextHop> {
        self.next_hop
    }

    /// Its engine, and the way of what that sends.
    #[inline]
    pub(super) fn parts(&mut self) -> (&mut Engine, Path<'_>) {
        let ip_fields = self.engine.options().ip_fields(self.tuple.remote_addr);
        (&mut self.engine, Path { tuple: &self.tuple, next_hop: self.next_hop, ip_fields })
    }

    /// The way of a segment that is sent beside its engine.
    pub(super) fn path(&self) -> Path<'_> {
        let ip_fields = self.engine.options().ip_fields(self.tuple.remote_addr);
        Path { tuple: &self.tuple, next_hop: self.next_hop, ip_fields }
    }

    // ---- Who holds it -----------------------------------------------------------------------

    #[inline]
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    pub(super) fn accept(&mut self) {
        self.owner = Owner::Application;
    }

    /// The application, or the listener, lets go of it.
    pub(super) fn orphan(&mut self) {
        debug_assert!(self.owner != Owner::Nobody, "a connection is let go of once");
        self.owner = Owner::Nobody;
        self.engine.orphan();
    }

    #[inline]
    pub(super) fn is_detached(&self) -> bool {
        self.is_detached
    }

    /// The network is done with it; false if it was before.
    pub(super) fn detach(&mut self) -> bool {
        self.deadline = When::NEVER;
        !std::mem::replace(&mut self.is_detached, true)
    }

    // ---- How it ended -----------------------------------------------------------------------

    pub(super) fn fail(&mut self, errno: Errno) {
        self.error = Some(errno);
    }

    pub(super) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    pub(super) fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// For the application there is no connection any more.
    pub(super) fn is_over(&self) -> bool {
        self.is_detached || matches!(self.state(), TcpState::Closed | TcpState::TimeWait)
    }

    pub(super) fn is_receiving_shut_down(&self) -> bool {
        self.receiving_shut_down
    }

    pub(super) fn is_sending_shut_down(&self) -> bool {
        self.sending_shut_down
    }

    pub(super) fn shut_down_receiving(&mut self) {
        self.receiving_shut_down = true;
    }

    /// Nothing more will be written; false if that was so before.
    pub(super) fn shut_down_sending(&mut self) -> bool {
        !std::mem::replace(&mut self.sending_shut_down, true)
    }

    // ---- What it is ready for ---------------------------------------------------------------

    /// A read would not wait.
    #[inline]
    pub(super) fn is_readable(&self) -> bool {
        self.engine.recv_queue() > 0
            || self.engine.has_received_fin()
            || self.error.is_some()
            || self.is_detached
            || self.state() == TcpState::Closed
            || self.receiving_shut_down
    }

    /// There is room for a writer; after a write that found too little, a third of the buffer,
    /// as Linux's `sk_stream_is_writeable` says, so that it is not woken for every segment.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        if self.error.is_some() || self.is_detached || self.sending_shut_down {
            return true;
        }
        if self.state().is_opening() {
            return false;
        }
        let lowat = self.options().notsent_lowat();
        if lowat > 0 && self.engine.unsent().saturating_mul(2) >= lowat {
            return self.engine.is_closed_for_writing();
        }
        let capacity = self.options().send_buffer();
        let max = if self.write_blocked { capacity / 3 * 2 } else { capacity - 1 };
        self.engine.send_queue() <= max || self.engine.is_closed_for_writing()
    }

    /// What a write may take beside the room there is; `None` without `TCP_NOTSENT_LOWAT`. It ends
    /// with the 64 KiB, a `sk_buff` of Linux's, that reach the mark.
    #[inline]
    pub(super) fn room_below_lowat(&self) -> Option<usize> {
        let lowat = self.options().notsent_lowat();
        if lowat == 0 {
            return None;
        }
        let below = lowat.saturating_sub(self.engine.unsent()) as usize;
        Some(below.next_multiple_of(1 << 16))
    }

    /// Takes note of whether a write found room for all it had.
    #[inline]
    pub(super) fn note_written(&mut self, written: Written) {
        let is_full = self.engine.send_queue() >= self.options().send_buffer();
        self.write_blocked = written.taken < written.asked || is_full;
    }

    /// Wakes who waits for what it is ready for now.
    #[inline]
    pub(super) fn wake(&mut self, woken: &mut Woken) {
        if !self.readers.is_empty() && self.is_readable() {
            self.readers.wake_all(woken);
        }
        if !self.writers.is_empty() && self.is_writable() {
            self.writers.wake_all(woken);
        }
    }

    /// Wakes whoever waits for anything.
    pub(super) fn wake_all(&mut self, woken: &mut Woken) {
        self.readers.wake_all(woken);
        self.writers.wake_all(woken);
    }

    /// Wakes whoever waits for a write.
    pub(super) fn wake_writers(&mut self, woken: &mut Woken) {
        self.writers.wake_all(woken);
    }

    /// Wakes `waker`, if there is one, when a read may not have to wait any more.
    pub(super) fn wait_to_read(&mut self, waker: Option<&Waker>, woken: &mut Woken) {
        if let Some(waker) = waker {
            self.readers.register(waker, woken);
        }
    }

    /// Wakes `waker`, if there is one, when a write may not have to wait any more.
    pub(super) fn wait_to_write(&mut self, waker: Option<&Waker>, woken: &mut Woken) {
        if let Some(waker) = waker {
            self.writers.register(waker, woken);
        }
    }

    // ---- When it wants a look ---------------------------------------------------------------

    /// Until when a close waits, which begins now if it has not.
    pub(super) fn linger_until(&mut self, end: u64) -> u64 {
        self.linger_until.get_or_insert(end)
    }

    /// A close has waited long enough.
    #[inline]
    pub(super) fn has_lingered(&self, now: u64) -> bool {
        self.linger_until.is_due(now)
    }

    /// Takes note of when it wants a look.
    #[inline]
    pub(super) fn set_deadline(&mut self, now: u64) {
        let linger = if self.has_lingered(now) { When::NEVER } else { self.linger_until };
        self.deadline = self.engine.deadline().earlier(linger);
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.deadline.get()
    }

    /// The heap of deadlines holds nothing for it any more.
    pub(super) fn deadline_was_taken(&mut self) {
        self.queued_deadline = When::NEVER;
    }

    /// The deadline, if the heap needs an entry for it: none there is as early.
    #[inline]
    pub(super) fn deadline_to_queue(&mut self) -> Option<u64> {
        if self.queued_deadline.earlier(self.deadline) == self.queued_deadline {
            return None;
        }
        self.queued_deadline = self.deadline;
        self.deadline.get()
    }
}
