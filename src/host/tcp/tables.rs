//! The tables that speak of connections: who has which tuple and port, and who listens. What a
//! connection's beginning and end mean to them.

use super::connection::{Connection, Owner};
use super::demux::Demux;
use super::ids::FlowId;
use super::listener::Listeners;
use super::lower::Lower;
use super::recent::RecentTuples;
use super::requests::Requests;
use super::time_wait::{ANSWER_INTERVAL, TimeWait, TimeWaits};
use crate::clock::nanos;
use crate::host::ports::Ports;
use crate::tcp::{RtoBounds, TcpState};
use crate::wire::tcp::FourTuple;

pub(super) struct Tables {
    pub(super) demux: Demux,
    pub(super) time_waits: TimeWaits,
    pub(super) recent: RecentTuples,
    pub(super) listeners: Listeners,
    pub(super) requests: Requests,
    pub(super) ports: Ports,
    /// Connections that no application holds and that are not over for the network.
    pub(super) orphans: usize,
}

impl Tables {
    pub(super) fn new(ports: Ports, timeouts: RtoBounds) -> Tables {
        Tables {
            demux: Demux::default(),
            time_waits: TimeWaits::default(),
            recent: RecentTuples::default(),
            listeners: Listeners::default(),
            requests: Requests::new(timeouts),
            ports,
            orphans: 0,
        }
    }

    pub(super) fn forget_everything(&mut self) {
        self.demux.clear();
        self.time_waits = TimeWaits::default();
        self.recent = RecentTuples::default();
        self.listeners = Listeners::default();
        self.requests.clear();
        self.ports.forget_everything();
        self.orphans = 0;
    }

    /// A connection begins.
    pub(super) fn enter(&mut self, id: FlowId, connection: &Connection) {
        let tuple = connection.tuple();
        self.ports.connection_begins(tuple.local_port, connection.options().reuse());
        self.demux.insert(tuple, id);
    }

    /// The application, or the listener, lets go of a connection.
    pub(super) fn orphan(&mut self, connection: &mut Connection) {
        connection.orphan();
        self.orphans += usize::from(!connection.is_detached());
    }

    /// The connection is over for the network: the tuple is free.
    pub(super) fn detach(&mut self, connection: &mut Connection) {
        if self.detach_and_hold_port(connection) {
            let reuse = connection.options().reuse();
            self.ports.connection_ends(connection.tuple().local_port, reuse);
        }
    }

    /// As [`Tables::detach`], for a connection whose port something else holds from now on. False if
    /// it was detached before.
    fn detach_and_hold_port(&mut self, connection: &mut Connection) -> bool {
        let is_new = connection.detach();
        if is_new {
            self.orphans -= usize::from(connection.owner() == Owner::Nobody);
            self.demux.remove(connection.tuple());
        }
        is_new
    }

    /// Takes note of what an engine was asked to do, or did, when it was in state `before`.
    #[inline]
    pub(super) fn settle(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        connection: &mut Connection,
        before: TcpState,
    ) {
        if connection.state() != before || connection.engine.is_over() != connection.is_detached() {
            self.settle_change(lower, id, connection, before);
        }
    }

    #[inline(never)]
    fn settle_change(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        connection: &mut Connection,
        before: TcpState,
    ) {
        let state = connection.state();
        if let Some(errno) = connection.engine.take_error() {
            connection.fail(errno);
        }
        if matches!(before, TcpState::Listen | TcpState::SynReceived)
            && !matches!(state, TcpState::Listen | TcpState::SynReceived)
            && let Owner::Listener(listener) = connection.owner()
            && let Some(listener) = self.listeners.get_mut(listener)
        {
            listener.half_open_ends();
            if state == TcpState::Closed {
                // It ended before it was established: nobody will ever hear of it.
                self.orphan(connection);
            } else {
                lower.ctx.mib.tcp.passive_opens += 1;
                listener.enqueue(id, lower.ctx.woken);
            }
        }
        if connection.engine.is_over() && !connection.is_detached() {
            if state == TcpState::TimeWait && self.leave_time_wait_record(lower, connection) {
                self.detach_and_hold_port(connection);
                self.ports.may_be_free(connection.tuple().local_port);
            } else {
                self.detach(connection);
            }
        }
        connection.wake(lower.ctx.woken);
    }

    /// Leaves a record, which holds the connection's port until it expires; false when there are too
    /// many.
    fn leave_time_wait_record(&mut self, lower: &Lower<'_>, connection: &Connection) -> bool {
        self.expire_time_waits(lower.ctx.now);
        let (status, tuple) = (connection.engine.status(), connection.tuple());
        let record = TimeWait {
            snd_nxt: status.snd_nxt,
            rcv_nxt: status.rcv_nxt,
            timestamps: status.timestamps,
            // The FIN is acknowledged at this moment. An ACK that it overtook needs no answer, and one
            // would be reset by a peer that has closed meanwhile.
            no_answer_before: lower.ctx.now.saturating_add(ANSWER_INTERVAL),
            window: status.window,
            reuse: connection.options().reuse(),
            ip_fields: connection.path().ip_fields,
            expires: lower.ctx.now.saturating_add(nanos(lower.ctx.options.time_wait)),
        };
        self.time_waits.insert(*tuple, record)
    }

    /// The addresses and ports of a connection in TIME-WAIT are free for another.
    pub(super) fn end_time_wait(&mut self, tuple: &FourTuple) -> Option<TimeWait> {
        let record = self.time_waits.remove(tuple)?;
        self.ports.connection_ends(tuple.local_port, record.reuse);
        Some(record)
    }

    pub(super) fn expire_time_waits(&mut self, now: u64) {
        let ports = &mut self.ports;
        self.time_waits.expire(now, |tuple, record| {
            ports.connection_ends(tuple.local_port, record.reuse);
        });
    }
}
