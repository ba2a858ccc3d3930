//! Handshakes that a peer begins: the first few have an engine from the SYN on; of more, only what
//! the SYN said is kept until the handshake's ACK comes; and when even for that there is no room, the
//! SYN-ACK's sequence number alone tells what has to be known (RFC 4987 sections 3.3 and 3.6). A
//! flood of SYNs from anywhere costs a bounded amount of memory and shuts nobody out.
//!
//! It is Linux's `tcp_conn_request`, `tcp_check_req` and `cookie_v4_check`. An engine from the first
//! is what a greeting costs least with: as soon as it is played what passed without it, it has done
//! the same and more.

use super::Tcp;
use super::connection::Owner;
use super::ids::{FlowId, ListenerId};
use super::lower::Lower;
use super::output::Output;
use super::requests::Request;
use super::reset::answer_with_reset;
use crate::error::Errno;
use crate::host::ip::NextHop;
use crate::tcp::{Engine, Handshake, Out, Shared, TcpOptions, TcpState};
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::ip::IpFields;
use crate::wire::tcp::{
    FourTuple, Reset, Segment, Seq, SynOptions, ack_len, bare_ack_len, is_well_formed, write_ack,
    write_reset,
};

use super::connection::Path;
use super::time_wait::ANSWER_INTERVAL;

/// How long a listener takes ACKs for those of its cookies after it last sent one (Linux's
/// `TCP_SYNCOOKIE_VALID`).
const COOKIES_ARE_VALID: u64 = 120_000_000_000;

impl Tcp {
    /// Takes in a SYN for a listener.
    pub(super) fn receive_syn(
        &mut self,
        lower: &mut Lower<'_>,
        id: ListenerId,
        tuple: FourTuple,
        segment: &Segment,
        packet: &[u8],
    ) {
        let has_room = self.connections.len() < lower.ctx.options.max_connections;
        let Some(listener) = self.tables.listeners.get_mut(id) else { return };
        let half_open = listener.half_open();
        let is_crowded = half_open >= lower.ctx.options.syn_backlog;
        let drops = is_crowded && !lower.ctx.options.syn_cookies;
        if !has_room || listener.is_full() || drops {
            tracing::debug!(target: "glassnet::tcp", flow = %tuple, "backlog full: SYN dropped");
            lower.ctx.counters.listen_overflows += 1;
            lower.ctx.mib.tcp.syn_queue_full += u64::from(!listener.is_full());
            if lower.ctx.options.reset_on_overflow {
                answer_with_reset(lower, &tuple, segment, None, IpFields::default());
            }
            return;
        }
        let Some(options) = self.memory.grant(lower.ctx.options, &listener.options) else {
            tracing::debug!(target: "glassnet::tcp", flow = %tuple, "tcp_mem: SYN dropped");
            lower.ctx.counters.tcp_memory_drops += 1;
            return;
        };
        lower.ctx.counters.tcp_memory_pressures += u64::from(options != listener.options);
        if half_open < self.half_open_engines && !is_crowded {
            listener.half_open_begins();
            let buffers = self.buffers.pop();
            let engine = Engine::listen(lower.ctx.now, &self.engines, tuple, &options, buffers);
            let connection = self.insert(lower, tuple, engine, Owner::Listener(id));
            self.receive_for(lower, connection, segment, packet);
        } else if is_well_formed(packet) {
            let offer = self.engines.understood(SynOptions::of_packet(packet));
            if is_crowded {
                listener.sends_cookie(lower.ctx.now);
                self.send_cookie(lower, &tuple, (segment, packet), offer, &options);
            } else {
                listener.half_open_begins();
                self.keep_request(lower, id, tuple, (segment, packet), offer, options);
            }
        }
    }

    fn keep_request(
        &mut self,
        lower: &mut Lower<'_>,
        listener: ListenerId,
        tuple: FourTuple,
        (segment, packet): (&Segment, &[u8]),
        offer: SynOptions,
        options: TcpOptions,
    ) {
        let now = lower.ctx.now;
        let handshake = Handshake {
            iss: self.secret.sequence_number(now, &tuple),
            irs: segment.seq,
            window: segment.window,
            offer,
            asks_for_ecn: segment.asks_for_ecn(packet),
            is_cookie: false,
            began: now,
            retransmissions: 0,
        };
        let request = Request { tuple, listener, options, handshake, no_answer_before: 0 };
        tell_state(lower, &request, (TcpState::Listen, TcpState::SynReceived));
        self.tables.requests.insert(request);
        send_syn_ack(lower, &self.engines, &request.tuple, &handshake, &options, false);
    }

    /// Answers a SYN and keeps nothing of it.
    fn send_cookie(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        (segment, packet): (&Segment, &[u8]),
        mut offer: SynOptions,
        options: &TcpOptions,
    ) {
        lower.ctx.counters.syn_cookies_sent += 1;
        let now = lower.ctx.now;
        let can_keep_offer = self.engines.has_timestamps() && offer.timestamps.is_some();
        if !can_keep_offer {
            offer = SynOptions { mss: offer.mss, ..SynOptions::default() };
        }
        let handshake = Handshake {
            iss: self.secret.cookie(now, tuple, segment.seq, offer.mss),
            irs: segment.seq,
            window: segment.window,
            offer,
            asks_for_ecn: can_keep_offer && segment.asks_for_ecn(packet),
            is_cookie: true,
            began: now,
            retransmissions: 0,
        };
        send_syn_ack(lower, &self.engines, tuple, &handshake, options, false);
    }

    /// True when the segment was for a half-open connection without an engine, and is done with.
    pub(super) fn receive_for_request(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        segment: &Segment,
        packet: &[u8],
    ) -> bool {
        let Some(request) = self.tables.requests.get_mut(tuple) else { return false };
        let now = lower.ctx.now;
        let Handshake { iss, irs, .. } = request.handshake;
        let ahead = segment.seq.ahead_of(irs.plus(1));
        let is_in_window =
            u32::try_from(ahead).is_ok_and(|ahead| ahead < u32::from(window_of(&request.options)));
        // RFC 9293 3.10.7.4, fifth: it acknowledges the SYN-ACK and nothing else.
        let is_ack = segment.ack == Some(iss.plus(1));
        let is_syn_again = segment.syn && segment.ack.is_none() && segment.seq == irs;
        if segment.rst {
            // RFC 5961 section 3.2: one that could be a guess is asked about.
            if ahead == 0 {
                self.forget_request(lower, tuple);
                return true;
            }
            if !is_in_window {
                return true;
            }
        } else if is_syn_again {
            // Linux's `tcp_check_req`: the SYN-ACK was lost. The timer goes on as before.
        } else if segment.syn || (is_ack && !is_in_window) {
            // RFC 5961 section 4.2; RFC 9293 3.10.7.4, first.
        } else if is_ack {
            self.receive_handshake_ack(lower, tuple, segment, packet);
            return true;
        } else if segment.ack.is_some() {
            let ip_fields = request.options.ip_fields(tuple.remote_addr);
            answer_with_reset(lower, tuple, segment, None, ip_fields);
            return true;
        } else {
            return true;
        }
        if now >= request.no_answer_before {
            request.no_answer_before = now.saturating_add(ANSWER_INTERVAL);
            let request = *request;
            if is_syn_again {
                self.engines.count_retransmission();
                send_syn_ack(
                    lower,
                    &self.engines,
                    tuple,
                    &request.handshake,
                    &request.options,
                    true,
                );
            } else {
                send_ack(lower, &self.engines, &request);
            }
        }
        true
    }

    fn receive_handshake_ack(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        segment: &Segment,
        packet: &[u8],
    ) {
        let Some(request) = self.tables.requests.get_mut(tuple).copied() else { return };
        let Request { listener, options, .. } = request;
        if !is_well_formed(packet) || !self.has_room_for(lower, listener, &options) {
            return;
        }
        self.tables.requests.remove(tuple);
        let Request { tuple, listener, options, handshake, .. } = request;
        let id = self.resume(lower, tuple, listener, &options, &handshake);
        self.receive_for(lower, id, segment, packet);
    }

    /// True when the segment acknowledges a cookie, and is done with.
    pub(super) fn receive_for_cookie(
        &mut self,
        lower: &mut Lower<'_>,
        id: ListenerId,
        tuple: &FourTuple,
        segment: &Segment,
        packet: &[u8],
    ) -> bool {
        let now = lower.ctx.now;
        let Some(ack) = segment.ack.filter(|_| !segment.rst && !segment.syn) else { return false };
        let Some(listener) = self.tables.listeners.get_mut(id) else { return false };
        let last_sent = listener.last_cookie();
        if last_sent.is_none_or(|sent| now >= sent.saturating_add(COOKIES_ARE_VALID)) {
            return false;
        }
        // In what it has advertised it must not be too generous; with less it goes on as well.
        let granted = self.memory.grant(lower.ctx.options, &listener.options);
        let options = granted.unwrap_or(listener.options);
        let (iss, irs) = (Seq(ack.0.wrapping_sub(1)), Seq(segment.seq.0.wrapping_sub(1)));
        let Some(mss) = self.secret.open(now, tuple, irs, iss).filter(|_| is_well_formed(packet))
        else {
            lower.ctx.counters.syn_cookies_failed += 1;
            return false;
        };
        if !self.has_room_for(lower, id, &options) {
            return true;
        }
        lower.ctx.counters.syn_cookies_received += 1;
        let mut handshake = Handshake {
            iss,
            irs,
            window: segment.window,
            offer: SynOptions { mss: Some(mss), ..SynOptions::of_packet(packet) },
            asks_for_ecn: false,
            is_cookie: true,
            began: now,
            retransmissions: 0,
        };
        self.engines.open_cookie(tuple, &mut handshake);
        if let Some(listener) = self.tables.listeners.get_mut(id) {
            listener.half_open_begins();
        }
        let connection = self.resume(lower, *tuple, id, &options, &handshake);
        if let Some(connection) = self.connections.get(connection) {
            let path = connection.path();
            Output { lower, path }.state_changed(TcpState::Listen, TcpState::SynReceived);
        }
        self.receive_for(lower, connection, segment, packet);
        true
    }

    /// Whether a listener can take one connection more. As in Linux the ACK of a handshake is
    /// otherwise dropped: the client believes itself connected, and its data, or our SYN-ACK again,
    /// tries once more.
    fn has_room_for(
        &mut self,
        lower: &mut Lower<'_>,
        listener: ListenerId,
        options: &TcpOptions,
    ) -> bool {
        if !self.memory.has_room(lower.ctx.options.tcp_mem_in_force(), options) {
            lower.ctx.counters.tcp_memory_drops += 1;
            return false;
        }
        let listener = self.tables.listeners.get_mut(listener);
        let has_room = listener.is_some_and(|listener| !listener.is_full())
            && self.connections.len() < lower.ctx.options.max_connections;
        lower.ctx.counters.listen_overflows += u64::from(!has_room);
        has_room
    }

    /// A connection in SYN-RECEIVED, whose handshake had no engine until now.
    fn resume(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: FourTuple,
        listener: ListenerId,
        options: &TcpOptions,
        handshake: &Handshake,
    ) -> FlowId {
        let buffers = self.buffers.pop();
        let path = Path { tuple: &tuple, next_hop: None, ip_fields: IpFields::default() };
        let mut out = Output { lower, path };
        let engine = Engine::resume(&mut self.engines, handshake, options, buffers, &mut out);
        self.insert(lower, tuple, engine, Owner::Listener(listener))
    }

    /// Sends the SYN-ACKs again that are due, and forgets who was asked often enough.
    pub(super) fn expire_requests(&mut self, lower: &mut Lower<'_>) {
        while let Some(request) = self.tables.requests.next_due(lower.ctx.now) {
            if request.handshake.retransmissions > lower.ctx.options.synack_retries {
                self.forget_request(lower, &request.tuple);
            } else {
                self.engines.count_retransmission();
                let Request { tuple, handshake, options, .. } = &request;
                send_syn_ack(lower, &self.engines, tuple, handshake, options, true);
            }
        }
    }

    /// A half-open connection ends without a word.
    pub(super) fn forget_request(&mut self, lower: &mut Lower<'_>, tuple: &FourTuple) {
        let Some(request) = self.tables.requests.remove(tuple) else { return };
        if let Some(listener) = self.tables.listeners.get_mut(request.listener) {
            listener.half_open_ends();
        }
        tell_state(lower, &request, (TcpState::SynReceived, TcpState::Closed));
    }

    /// The half-open connections of a listener, or all of them, end; the peers are told if `tells`.
    pub(super) fn forget_requests(
        &mut self,
        lower: &mut Lower<'_>,
        of: Option<ListenerId>,
        tells: bool,
    ) {
        let is_meant = |request: &&Request| of.is_none_or(|id| request.listener == id);
        let meant: Vec<Request> = self.tables.requests.iter().filter(is_meant).copied().collect();
        for request in meant {
            self.forget_request(lower, &request.tuple);
            if tells {
                send_reset(lower, &request);
            }
        }
    }

    /// The SYN-ACK was not delivered. Linux's `tcp_req_err`: who cannot be reached is forgotten.
    pub(super) fn request_is_unreachable(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        seq: Option<Seq>,
        errno: Errno,
    ) {
        let Some(request) = self.tables.requests.get_mut(tuple) else { return };
        let is_lost = matches!(errno, Errno::HostUnreachable | Errno::NetUnreachable);
        if seq == Some(request.handshake.iss) && is_lost {
            self.forget_request(lower, tuple);
        }
    }
}

/// The window of a SYN-ACK, which is not scaled.
fn window_of(options: &TcpOptions) -> u16 {
    u16::try_from(options.recv_buffer()).unwrap_or(u16::MAX)
}

fn send_syn_ack(
    lower: &mut Lower<'_>,
    engines: &Shared,
    tuple: &FourTuple,
    handshake: &Handshake,
    options: &TcpOptions,
    again: bool,
) {
    let syn_ack = engines.syn_ack(lower.ctx.now, tuple, options, handshake);
    let mut frame = lower.ctx.pool.take(ETHERNET_HEADER + syn_ack.packet_len(tuple));
    syn_ack.write(frame.packet_mut(), tuple);
    options.ip_fields(tuple.remote_addr).write(frame.packet_mut());
    frame.set_retransmission(again);
    lower.send(tuple.remote_addr, None, frame);
}

fn send_ack(lower: &mut Lower<'_>, engines: &Shared, request: &Request) {
    let Request { tuple, options, handshake, .. } = request;
    let (ack, timestamps) = engines.ack_of_syn(lower.ctx.now, tuple, options, handshake);
    let mut frame = lower.ctx.pool.take(ETHERNET_HEADER + ack_len(tuple, timestamps));
    write_ack(frame.packet_mut(), tuple, ack, timestamps);
    options.ip_fields(tuple.remote_addr).write(frame.packet_mut());
    lower.send(tuple.remote_addr, None, frame);
}

fn send_reset(lower: &mut Lower<'_>, request: &Request) {
    let Request { tuple, options, handshake, .. } = request;
    let reset = Reset { seq: handshake.iss.plus(1), ack: Some(handshake.irs.plus(1)) };
    let mut frame = lower.ctx.pool.take(ETHERNET_HEADER + bare_ack_len(tuple));
    write_reset(frame.packet_mut(), tuple, reset);
    options.ip_fields(tuple.remote_addr).write(frame.packet_mut());
    lower.send(tuple.remote_addr, None, frame);
}

fn tell_state(lower: &mut Lower<'_>, request: &Request, (from, to): (TcpState, TcpState)) {
    let next_hop: Option<NextHop> = None;
    let path = Path { tuple: &request.tuple, next_hop, ip_fields: IpFields::default() };
    Output { lower, path }.state_changed(from, to);
}
