//! Frames out: what the engines want to send, how it leaves, and where it goes.

use std::net::IpAddr;

use super::engine::{Wire, to_engine_time};
use super::flow::{Departure, Flow};
use super::frame::{ETHERNET_HEADER, FrameBuffer, FramePool};
use super::marks::Marks;
use super::neighbor::NeighborId;
use super::repair;
use super::segment::{BareAck, FourTuple, Segment, bare_ack_len, rewrite_seq, write_bare_ack};
use super::split::split_segment;
use super::stack::Host;
use super::state::TcpState;

impl Host {
    pub(super) fn drain(&mut self, now: u64, pool: &mut FramePool) {
        let mut at = 0;
        while at < self.dirty.len() {
            let id = self.dirty[at];
            at += 1;
            let Some(flow) = self.flow_mut(id) else { continue };
            flow.in_dirty_list = false;
            // A call may have sent what there was.
            if !flow.dirty {
                continue;
            }
            let Some(mut flow) = self.take_flow(id) else { continue };
            self.drain_flow(now, &mut flow, pool);
            self.put_back(id, flow);
        }
        self.dirty.clear();
    }

    pub(super) fn drain_flow(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        flow.dirty = false;
        if flow.detached {
            return;
        }
        if self.run_timers(now, flow, pool) {
            return;
        }
        if let Some(syn) = flow.syn.take() {
            self.sent.push(syn);
            self.flush(now, flow, pool);
        }
        let mut poll_at = self.emit(now, flow, pool);
        if flow.detached {
            return;
        }
        if flow.abort_pending {
            flow.abort_pending = false;
            self.set_state(flow, TcpState::Closed);
            flow.engine.socket_mut(|socket| socket.abort());
            poll_at = self.emit(now, flow, pool);
            if flow.detached {
                return;
            }
        }
        if self.repairs.silent_window
            && let Some(interval) = repair::silent_window_keep_alive(flow, poll_at)
        {
            flow.watchdog += 1;
            let interval = smoltcp::time::Duration::from_micros(interval / 1_000);
            flow.engine.socket_mut(|socket| socket.set_keep_alive(Some(interval)));
            poll_at = self.emit(now, flow, pool);
        }
        if self.repairs.time_wait && repair::leaves_time_wait_record(flow) {
            self.leave_time_wait_record(now, flow);
            return;
        }
        // The engine sometimes wants to be polled now and then has nothing to say.
        let poll_at = poll_at.map(|at| at.max(now + 1_000));
        flow.note_unacknowledged(now);
        flow.deadline = match (poll_at, flow.timer_at(now)) {
            (Some(engine), Some(host)) => Some(engine.min(host)),
            (engine, host) => engine.or(host),
        };
    }

    /// Lets the engine send all it wants to; returns when it wants to be asked again.
    pub(super) fn emit(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) -> Option<u64> {
        let time = to_engine_time(now);
        let poll_at = loop {
            // Whoever has something that never left is likely to send it: asking first would only
            // cost.
            if !flow.has_unsent() {
                let poll_at = flow.engine.poll_at(&mut self.interface, now);
                if poll_at.is_none_or(|at| at > now) {
                    break poll_at;
                }
            }
            let mut wire =
                Wire { received: None, sent: &mut self.sent, pool, mtu: self.options.mtu };
            let interface = &mut self.interface;
            flow.engine.with_set(|set| interface.poll_egress(time, &mut wire, set));
            if self.sent.is_empty() {
                break flow.engine.poll_at(&mut self.interface, now);
            }
            self.flush(now, flow, pool);
            if flow.detached {
                break None;
            }
        };
        let state: TcpState = flow.engine.socket(|socket| socket.state()).into();
        if state != flow.state && !flow.detached {
            self.set_state(flow, state);
            self.wake(flow);
        }
        poll_at
    }

    /// Sends what the engine has handed over.
    pub(super) fn flush(&mut self, now: u64, flow: &mut Flow, pool: &mut FramePool) {
        if self.sent.is_empty() {
            return;
        }
        if self.sent.len() > 1 {
            let mut sent = std::mem::take(&mut self.sent);
            for frame in sent.drain(..) {
                self.depart(now, flow, frame, pool);
            }
            self.sent = sent;
        } else if let Some(frame) = self.sent.pop() {
            self.depart(now, flow, frame, pool);
        }
    }

    #[inline]
    fn depart(&mut self, now: u64, flow: &mut Flow, mut frame: FrameBuffer, pool: &mut FramePool) {
        let Some(segment) = Segment::of_engine(frame.packet()) else {
            return pool.give_back(frame);
        };
        let departure = if flow.detached {
            Departure::GiveUp
        } else {
            flow.departs(now, &segment, &self.options, self.repairs.rewound_ack)
        };
        match departure {
            Departure::Send { seq, retransmission } => {
                if seq != segment.seq {
                    rewrite_seq(frame.packet_mut(), seq);
                }
                flow.marks().write(frame.packet_mut());
                self.retransmissions += u64::from(retransmission);
                let (remote, neighbor) = (flow.tuple.remote_addr, flow.neighbor);
                if frame.packet().len() > flow.path_mtu {
                    for part in split_segment(frame.packet(), flow.path_mtu, pool) {
                        self.route(now, remote, neighbor, part, pool);
                    }
                    pool.give_back(frame);
                } else {
                    self.route(now, remote, neighbor, frame, pool);
                }
                // A RST may also answer a segment that has nothing to do with us.
                if segment.rst && flow.engine.socket(|socket| !socket.is_open()) {
                    self.retire(flow);
                }
            }
            Departure::GiveUp => {
                pool.give_back(frame);
                // A connection attempt has its own hour: Linux waits once more after the last SYN.
                if !flow.detached && flow.give_up_at.is_none() {
                    self.give_up(now, flow);
                }
            }
        }
    }

    pub(super) fn route(
        &mut self,
        now: u64,
        to: IpAddr,
        neighbor: Option<NeighborId>,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) {
        if let Some(neighbor) = neighbor {
            self.neighbors.send(now, neighbor, frame, pool, &mut self.outbox);
        } else if self.addresses.is_own(to) {
            self.local.push_back(frame);
        } else if to.is_multicast() || self.addresses.is_broadcast(to) {
            self.neighbors.send_to_many(to, frame, &mut self.outbox);
        } else if let Some(next_hop) = self.addresses.next_hop(to) {
            match self.neighbors.entry(next_hop) {
                Some(neighbor) => {
                    self.neighbors.send(now, neighbor, frame, pool, &mut self.outbox);
                }
                // Linux's "neighbour table overflow".
                None => pool.give_back(frame),
            }
        } else {
            pool.give_back(frame);
        }
    }

    pub(super) fn send_bare_ack(
        &mut self,
        now: u64,
        tuple: &FourTuple,
        marks: Marks,
        ack: BareAck,
        pool: &mut FramePool,
    ) {
        let mut frame = pool.take(ETHERNET_HEADER + bare_ack_len(tuple));
        write_bare_ack(frame.packet_mut(), tuple, ack);
        marks.write(frame.packet_mut());
        self.route(now, tuple.remote_addr, None, frame, pool);
    }
}
