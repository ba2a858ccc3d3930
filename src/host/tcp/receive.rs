//! Segments in: which connection one is for.

use std::net::IpAddr;

use super::connection::{Connection, Owner};
use super::ids::FlowId;
use super::lower::Lower;
use super::output::Output;
use super::reset::answer_with_reset;
use super::time_wait::{TimeWait, Verdict};
use super::{POOLED_BUFFERS, Tcp};
use crate::clock::nanos;
use crate::tcp::{Arrival, Engine, Env, TcpState};
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::ip::IpFields;
use crate::wire::ipv4::Ipv4Header;
use crate::wire::tcp::{FourTuple, Segment, ack_len, write_ack};

impl Tcp {
    /// Takes in a whole TCP segment, from the link or, unless `from_outside`, from this host itself.
    pub(in crate::host) fn receive(
        &mut self,
        lower: &mut Lower<'_>,
        packet: &[u8],
        checksum: Checksum,
        from_outside: bool,
    ) {
        let Some((key, segment)) = Segment::parse_with_key(packet, checksum) else {
            return count_malformed(lower, packet, checksum);
        };
        let found = self.tables.demux.find(&key);
        // A connection with a neighbour has no address of this host's at its other end.
        if let Some(id) = found
            && self.connections.get(id).is_some_and(|found| found.next_hop().is_some())
        {
            *lower.ctx.mib.tcp.received.of_packet(packet) += 1;
            self.receive_for(lower, id, &segment, packet);
            return;
        }
        self.receive_for_others(lower, found, &key.tuple(), &segment, packet, from_outside);
    }

    /// A segment that is for no connection, or for one of this host with itself.
    #[inline(never)]
    fn receive_for_others(
        &mut self,
        lower: &mut Lower<'_>,
        found: Option<FlowId>,
        tuple: &FourTuple,
        segment: &Segment,
        packet: &[u8],
        from_outside: bool,
    ) {
        // RFC 1122 3.2.1.3, RFC 4291 2.5.3.
        if from_outside && (lower.ip.is_own(tuple.remote_addr) || tuple.local_addr.is_loopback()) {
            lower.ctx.counters.ip_address_errors += 1;
            return;
        }
        if let Some(id) = found {
            *lower.ctx.mib.tcp.received.of_packet(packet) += 1;
            self.receive_for(lower, id, segment, packet);
            return;
        }
        // Nobody could be answered: RFC 1122 4.2.3.10.
        if !lower.ip.is_own(tuple.local_addr) || !lower.ip.may_answer(tuple.remote_addr) {
            lower.ctx.counters.ip_address_errors += 1;
            return;
        }
        *lower.ctx.mib.tcp.received.of_packet(packet) += 1;
        if self.receive_for_request(lower, tuple, segment, packet)
            || self.receive_in_time_wait(lower, tuple, segment, packet)
        {
            return;
        }
        if let Some(listener) = self.tables.listeners.find(tuple) {
            if segment.ack.is_none() && !segment.rst {
                // RFC 9293 3.10.7.2: nothing else without an ACK is answered; Linux takes no SYN with
                // FIN.
                if segment.syn && !segment.fin {
                    self.receive_syn(lower, listener, *tuple, segment, packet);
                }
                return;
            }
            if self.receive_for_cookie(lower, listener, tuple, segment, packet) {
                return;
            }
        }
        answer_with_reset(lower, tuple, segment, None, IpFields::default());
    }

    /// True when the segment was for a connection in TIME-WAIT and is done with.
    fn receive_in_time_wait(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        segment: &Segment,
        packet: &[u8],
    ) -> bool {
        let now = lower.ctx.now;
        let tables = &mut self.tables;
        tables.expire_time_waits(now);
        let expires = now.saturating_add(nanos(lower.ctx.options.time_wait));
        match tables.time_waits.receive(now, tuple, (segment, packet), expires) {
            None => false,
            Some((Verdict::Reopen, _)) => {
                tables.end_time_wait(tuple);
                false
            }
            Some((Verdict::Acknowledge, record)) => {
                send_ack(lower, tuple, &record);
                true
            }
            Some((Verdict::Ignore, _)) => true,
        }
    }

    /// A connection begins.
    pub(super) fn insert(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: FourTuple,
        mut engine: Engine,
        owner: Owner,
    ) -> FlowId {
        let remote: IpAddr = tuple.remote_addr;
        let (next_hop, mtu) = lower.ip.hold_path(&mut lower.ctx, remote);
        engine.set_path_mtu(&self.engines, mtu);
        self.memory.take(engine.options());
        let id = self.connections.insert(Connection::new(tuple, engine, owner, next_hop));
        if let Some(connection) = self.connections.get(id) {
            self.tables.enter(id, connection);
        }
        id
    }

    pub(super) fn receive_for(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        segment: &Segment,
        packet: &[u8],
    ) {
        let Tcp { connections, tables, engines, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        let before = connection.state();
        if before == TcpState::SynReceived
            && let Owner::Listener(listener) = connection.owner()
            && segment.ack.is_some()
            && !segment.rst
            && tables.listeners.get_mut(listener).is_some_and(|listener| listener.is_full())
        {
            // Linux does the same: the client believes itself connected, and its data, or our
            // SYN-ACK again, tries once more.
            lower.ctx.counters.listen_overflows += 1;
            return;
        }
        let now = lower.ctx.now;
        let (engine, path) = connection.parts();
        let mut out = Output { lower, path };
        let mut env = Env { now, shared: engines, out: &mut out };
        match engine.on_segment(&mut env, segment, packet) {
            Arrival::Ignored => return,
            Arrival::Accepted => {}
            Arrival::Refused => return self.refuse(lower, id, segment, before),
        }
        if let Some(next_hop) = connection.next_hop() {
            lower.ip.confirm(now, next_hop);
        }
        if connection.state() != before {
            if before == TcpState::LastAck
                && connection.state() == TcpState::Closed
                && !segment.rst
                // Who listens there connects from elsewhere.
                && tables.listeners.find(connection.tuple()).is_none()
            {
                let snd_nxt = connection.engine.status().snd_nxt;
                tables.recent.insert(now, connection.tuple(), snd_nxt);
            }
            tables.settle(lower, id, connection, before);
        } else {
            connection.wake(lower.ctx.woken);
        }
        let before = connection.state();
        let (engine, path) = connection.parts();
        let mut out = Output { lower, path };
        let mut env = Env { now, shared: engines, out: &mut out };
        engine.answer(&mut env);
        if self.more_follows && engine.can_wait_for_the_rest(segment, self.ack_stretch) {
            tables.settle(lower, id, connection, before);
            if connection.is_detached() {
                self.release_if_over(lower, id);
            } else {
                connections.mark_dirty(id);
            }
            return;
        }
        self.drain_one(lower, id, before);
    }

    /// A connection's engine has refused a segment.
    #[cold]
    fn refuse(&mut self, lower: &mut Lower<'_>, id: FlowId, segment: &Segment, before: TcpState) {
        let Tcp { connections, tables, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        lower.ctx.mib.tcp.aborts_on_data += 1;
        tables.settle(lower, id, connection, before);
        let path = connection.path();
        let (tuple, next_hop, ip_fields) = (path.tuple, path.next_hop, path.ip_fields);
        answer_with_reset(lower, tuple, segment, next_hop, ip_fields);
        self.release_if_over(lower, id);
    }

    /// Frees a connection that neither the network nor an application needs.
    #[inline]
    pub(super) fn release_if_over(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let is_over = |connection: &Connection| {
            connection.is_detached() && connection.owner() == Owner::Nobody
        };
        if self.connections.get(id).is_some_and(is_over) {
            self.release(lower, id);
        }
    }

    #[inline(never)]
    fn release(&mut self, lower: &mut Lower<'_>, id: FlowId) {
        let Some(mut connection) = self.connections.remove(id) else { return };
        if let Some(next_hop) = connection.next_hop() {
            lower.ip.release(next_hop);
        }
        self.memory.give_back(connection.options());
        if !connection.engine.release(&mut self.engines)
            && self.buffers.len() < POOLED_BUFFERS
            && let Some(buffers) = connection.engine.into_buffers()
        {
            self.buffers.push(buffers);
        }
    }
}

fn send_ack(lower: &mut Lower<'_>, tuple: &FourTuple, record: &TimeWait) {
    let (ack, timestamps) = record.ack(lower.ctx.now);
    let mut frame = lower.ctx.pool.take(ETHERNET_HEADER + ack_len(tuple, timestamps));
    write_ack(frame.packet_mut(), tuple, ack, timestamps);
    record.ip_fields.write(frame.packet_mut());
    lower.send(tuple.remote_addr, None, frame);
}

#[cold]
fn count_malformed(lower: &mut Lower<'_>, packet: &[u8], checksum: Checksum) {
    let counters = &mut *lower.ctx.counters;
    match is_ip_header_wrong(packet, checksum) {
        true => counters.ip_header_errors += 1,
        false => {
            counters.tcp_errors += 1;
            *lower.ctx.mib.tcp.received.of_packet(packet) += 1;
        }
    }
}

/// Whether what is wrong with a segment is wrong with the IPv4 header around it.
#[cold]
fn is_ip_header_wrong(packet: &[u8], checksum: Checksum) -> bool {
    let is_wrong = |ip: Ipv4Header| !ip.has_good_checksum(packet);
    !checksum.is_trusted() && Ipv4Header::parse(packet).is_some_and(is_wrong)
}
