//! The host itself: frames in, frames out.

use std::net::IpAddr;
use std::task::Waker;

use super::context::Ctx;
use super::discard::{Discarded, HostCounters};
use super::iface::{Prefix, earlier};
use super::io::Io;
use super::ip::{
    Delivery, Gateways, IcmpInput, InterfaceId, Ip, Problem, Reported, is_plain_segment,
};
use super::mib::PerFamily;
use super::options::HostOptions;
use super::outbox::StateChange;
use super::ports::Ports;
use super::tcp::{Lower, Tcp};
use super::udp::{Udp, UdpCalls};
use super::unix::Unix;
use super::wakers::Woken;
use crate::rng::Stream;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{
    BROADCAST, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, EthernetHeader, Mac, is_group,
};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::protocol;

/// Frames to the host itself that are handled in one go.
const LOCAL_BATCH: usize = 64;

/// One machine's stack.
pub(crate) struct Host {
    pub(super) options: HostOptions,
    pub(super) io: Io,
    pub(super) ip: Ip,
    udp: Udp,
    /// `AF_UNIX`.
    pub(crate) unix: Unix,
    pub(super) tcp: Tcp,
}

impl Host {
    /// A host with one Ethernet interface, which has a link-local address beside those given.
    /// `stream` feeds its initial sequence numbers and ports.
    pub(crate) fn new(
        mac: Mac,
        prefixes: &[Prefix],
        options: HostOptions,
        mut stream: Stream,
    ) -> Host {
        let seed = stream.next_u64();
        let tcp = Tcp::new(&options, seed, &mut stream);
        let next_ident = stream.next_u64() as u32;
        let udp_ports = Ports::new(options.ip_local_port_range.clone(), &mut stream);
        // Any identifier will do (Linux's `ping_get_port`).
        let echo_ids = Ports::new(1..=u16::MAX, &mut stream);
        Host {
            io: Io::default(),
            ip: Ip::new(mac, prefixes, options.mtu_in_force(), next_ident, stream),
            options,
            udp: Udp::new(udp_ports, echo_ids),
            unix: Unix::default(),
            tcp,
        }
    }

    /// What IP needs, and IP.
    #[inline]
    pub(super) fn ip_ctx<'a>(
        &'a mut self,
        now: u64,
        pool: &'a mut FramePool,
    ) -> (Ctx<'a>, &'a mut Ip) {
        (self.io.ctx(now, &self.options, pool), &mut self.ip)
    }

    /// As [`Host::ip_ctx`], in a call.
    #[inline]
    pub(super) fn ip_ctx_of_call(&mut self, now: u64) -> (Ctx<'_>, &mut Ip) {
        (self.io.ctx_of_call(now, &self.options), &mut self.ip)
    }

    /// The datagram sockets, for a call.
    pub(crate) fn udp_calls(&mut self, now: u64) -> UdpCalls<'_> {
        let ctx = self.io.ctx_of_call(now, &self.options);
        UdpCalls { ctx, ip: &mut self.ip, udp: &mut self.udp }
    }

    /// The datagram sockets, for a call that leaves nothing to send, and who is to be woken.
    pub(crate) fn udp_mut(&mut self) -> (&mut Udp, &mut Woken) {
        (&mut self.udp, &mut self.io.woken)
    }

    /// See [`Ip::packet_info`].
    pub(crate) fn packet_info(&self, from: IpAddr, to: IpAddr) -> (IpAddr, u32) {
        self.ip.packet_info(from, to)
    }

    pub(crate) fn udp(&self) -> &Udp {
        &self.udp
    }

    /// Gives it a way to what is not on its link.
    pub(crate) fn set_gateways(&mut self, gateways: &Gateways) {
        self.ip.set_gateways(gateways);
    }

    /// Tells switches in which groups its neighbours look for it.
    pub(crate) fn report_solicited_nodes(&mut self, now: u64) {
        let (mut ctx, ip) = self.ip_ctx_of_call(now);
        ip.report_solicited_nodes(&mut ctx);
    }

    /// Whether the interface would let a frame in that is for many.
    pub(crate) fn listens_to(&self, frame: &FrameBuffer) -> bool {
        self.ip.listens_to(frame)
    }

    /// Lets one ACK stand for up to `bytes` of a burst: see [`Tcp::stretch_acks`].
    pub(crate) fn stretch_acks(&mut self, bytes: u32) {
        self.tcp.stretch_acks(bytes);
    }

    /// Takes in a frame. What it causes to be sent leaves with the next [`Host::poll`].
    pub(crate) fn receive(&mut self, now: u64, frame: FrameBuffer, pool: &mut FramePool) {
        let from = InterfaceId::ETH0;
        self.io.mib.received.count(frame.len());
        if let Some((header, packet)) = EthernetHeader::split_from(frame.bytes()) {
            let to = header.destination;
            let is_for_many = is_group(to);
            if is_for_many && to != BROADCAST {
                self.io.mib.received_for_groups += 1;
            }
            if is_for_many || to == self.ip.interface(from).addresses().mac() {
                match header.ethertype {
                    ETHERTYPE_IPV4 | ETHERTYPE_IPV6
                        if is_for_many && self.ip.is_for_one(packet) =>
                    {
                        self.io.takes_in(packet);
                        self.io.ctx(now, &self.options, pool).counters.ip_address_errors += 1;
                    }
                    ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {
                        self.io.takes_in(packet);
                        self.receive_ip(now, from, packet, frame.checksum(), pool);
                    }
                    ETHERTYPE_ARP => {
                        let (mut ctx, ip) = self.ip_ctx(now, pool);
                        ip.interface_mut(from).receive_arp(&mut ctx, packet);
                    }
                    _ => self.io.counters.v4.unknown_ethertype += 1,
                }
            } else {
                self.io.counters.v4.other_host += 1;
            }
        } else {
            self.io.counters.v4.unknown_ethertype += 1;
        }
        pool.give_back(frame);
    }

    /// Takes in an IP packet, from the link of an interface or, by `lo`, from this host itself.
    #[inline]
    fn receive_ip(
        &mut self,
        now: u64,
        from: InterfaceId,
        packet: &[u8],
        checksum: Checksum,
        pool: &mut FramePool,
    ) {
        if is_plain_segment(packet) {
            let from_outside = from != InterfaceId::LOOPBACK;
            self.receive_segment(now, packet, checksum, from_outside, pool);
        } else {
            self.receive_other(now, from, packet, checksum, pool);
        }
    }

    /// As [`Host::receive_ip`], for what is no ordinary TCP segment.
    fn receive_other(
        &mut self,
        now: u64,
        from: InterfaceId,
        packet: &[u8],
        checksum: Checksum,
        pool: &mut FramePool,
    ) {
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        match ip.receive(&mut ctx, from, packet, checksum) {
            Delivery::Done => {}
            Delivery::Segment(segment) => {
                let from_outside = from != InterfaceId::LOOPBACK;
                self.receive_segment(now, &segment, checksum, from_outside, pool);
            }
            Delivery::Udp(packet) => self.udp_turn(now, pool).receive(&packet),
            Delivery::Icmp(packet, input) => {
                let mut udp = self.udp_turn(now, pool);
                udp.receive_raw(&packet);
                match input {
                    IcmpInput::EchoReply => udp.receive_echo_reply(&packet),
                    IcmpInput::Error(reported) => self.receive_icmp_error(now, &reported, pool),
                    IcmpInput::Other => {}
                }
            }
            // It is whole now, and comes here no more than once again.
            Delivery::Reassembled(whole) => {
                self.receive_ip(now, from, &whole.packet, whole.checksum, pool);
            }
        }
    }

    fn udp_turn<'a>(&'a mut self, now: u64, pool: &'a mut FramePool) -> UdpCalls<'a> {
        let ctx = self.io.ctx(now, &self.options, pool);
        UdpCalls { ctx, ip: &mut self.ip, udp: &mut self.udp }
    }

    /// Something is wrong with a packet that this host sent, if it is of a connection or a socket
    /// that there is.
    fn receive_icmp_error(&mut self, now: u64, reported: &Reported, pool: &mut FramePool) {
        let Reported { packet: quoted, problem } = reported;
        let is_tcp = quoted.protocol == protocol::TCP;
        match *problem {
            Problem::TooBig(mtu) => {
                let is_known = if is_tcp {
                    self.tcp.is_in_flight(&quoted.tuple(), quoted.seq)
                } else {
                    self.udp.knows_of(quoted)
                };
                if !is_known {
                    return;
                }
                if let Some(mtu) = self.ip.lower_path_mtu(now, quoted.destination, mtu) {
                    self.tcp.lower_path_mtu(quoted.destination, mtu);
                }
                if is_tcp {
                    let (tcp, mut lower) = self.tcp_in_turn(now, pool);
                    tcp.too_big(&mut lower, &quoted.tuple());
                } else {
                    self.udp.report(quoted, *problem, &mut self.io.woken);
                }
            }
            Problem::Undelivered { errno, .. } if is_tcp => {
                let (tcp, mut lower) = self.tcp_in_turn(now, pool);
                tcp.unreachable(&mut lower, &quoted.tuple(), quoted.seq, errno);
            }
            Problem::Undelivered { .. } => {
                self.udp.report(quoted, *problem, &mut self.io.woken);
            }
        }
    }

    /// Takes in a frame after which more follow in this instant; what can wait for the last of
    /// them waits. True when it cannot, because a connection changed its state.
    pub(crate) fn receive_in_burst(
        &mut self,
        now: u64,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) -> bool {
        self.tcp.expect_more(true);
        self.receive(now, frame, pool);
        self.tcp.expect_more(false);
        self.io.outbox.state_changed()
    }

    /// Does what is due, and puts what there is to send into the outbox. Returns when it wants
    /// to be polled next if nothing arrives and no socket is used; a time not after `now` means
    /// that there is more to do when the tasks have had their turn.
    pub(crate) fn poll(&mut self, now: u64, pool: &mut FramePool) -> Option<u64> {
        self.tcp.expire(now);
        if self.ip.has_deadline() {
            self.expire_ip(now, pool);
        }
        self.drain_tcp(now, pool);
        if self.io.outbox.has_looped_back() || self.io.outbox.has_released() {
            self.take_in_looped_back(now, pool);
            if self.io.outbox.has_looped_back() {
                return Some(now);
            }
        }
        if self.udp.has_unsent() {
            self.udp.note_sent(&mut self.io.woken);
        }
        let first = self.tcp.deadline();
        if self.ip.has_deadline() { earlier(first, self.ip.deadline()) } else { first }
    }

    /// Takes in what it has sent to itself, and notes what waits for neighbours no longer.
    #[inline(never)]
    fn take_in_looped_back(&mut self, now: u64, pool: &mut FramePool) {
        for _ in 0..LOCAL_BATCH {
            let Some(frame) = self.io.outbox.take_looped_back() else { break };
            self.io.mib.looped_back.count(frame.packet().len());
            self.io.takes_in(frame.packet());
            self.receive_ip(now, InterfaceId::LOOPBACK, frame.packet(), Checksum::Verified, pool);
            pool.give_back(frame);
            self.drain_tcp(now, pool);
        }
        let released = self.io.outbox.take_released();
        if !released.is_empty() {
            self.udp.release(released, &mut self.io.woken);
        }
    }

    /// Moves what there is to send to `frames`. Their checksums are filled
    /// in if somebody will look at them; else some are [partial](crate::wire::checksum::Checksum).
    pub(crate) fn take_outbox(&mut self, frames: &mut Vec<FrameBuffer>, looked_at: bool) {
        self.io.outbox.take_frames(frames, looked_at);
    }

    /// Moves what never left to `discarded`.
    pub(crate) fn take_discarded(&mut self, discarded: &mut Vec<Discarded>) {
        self.io.outbox.take_discarded(discarded);
    }

    pub(crate) fn take_changes(&mut self, changes: &mut Vec<StateChange>) {
        self.io.outbox.take_changes(changes);
    }

    /// Whether a segment or a timer changed a connection's state since this was last asked.
    pub(crate) fn take_state_changed(&mut self) -> bool {
        self.io.outbox.take_state_changed()
    }

    /// Makes up for the frames that calls have used: see [`Io::refill_reserve`].
    pub(crate) fn refill_reserve(&mut self, pool: &mut FramePool) {
        self.io.refill_reserve(pool);
    }

    /// What it has discarded so far.
    pub(crate) fn counters(&self) -> HostCounters {
        let PerFamily { v4: mut counters, v6 } = self.io.counters;
        counters.add(&v6);
        counters.reassembly_failures = self.ip.reassembly_failures();
        counters
    }

    /// Whether there is anything for [`Host::take_woken`] to take.
    pub(crate) fn has_woken(&self) -> bool {
        !self.io.woken.is_empty() || self.unix.has_woken()
    }

    pub(crate) fn take_woken(&mut self, woken: &mut Vec<Waker>) {
        self.io.woken.take(woken);
        if self.unix.has_woken() {
            self.unix.take_woken(woken);
        }
    }

    /// Tells what changes when every task that could run has run.
    pub(crate) fn set_round(&mut self, round: u32) {
        self.io.woken.set_round(round);
        self.unix.set_round(round);
    }

    /// Whether what a call has to send leaves in the call, or with the next [`Host::poll`].
    pub(crate) fn send_in_calls(&mut self, in_calls: bool) {
        self.tcp.send_in_calls(in_calls);
    }

    /// Whether a call has left something for [`Host::poll`] to do.
    pub(crate) fn has_work(&self) -> bool {
        self.tcp.has_work() || self.io.outbox.has_work() || self.udp.has_unsent()
    }

    /// Whether state changes are to be noted for [`Host::take_changes`].
    pub(crate) fn observe(&mut self, observed: bool) {
        self.io.outbox.observe(observed);
    }

    /// Segments sent again so far.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.tcp.retransmissions()
    }

    /// Whether a connection that no application holds still has something to deliver; or, when
    /// `waiting` counts too, waits for the other side's FIN.
    pub(crate) fn has_unfinished_orphans(&self, waiting: bool) -> bool {
        self.tcp.has_unfinished_orphans(waiting)
    }

    #[inline(never)]
    fn expire_ip(&mut self, now: u64, pool: &mut FramePool) {
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        if ip.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for neighbor in ip.expire_neighbors(&mut ctx) {
            let (tcp, mut lower) = self.tcp_in_turn(now, pool);
            tcp.neighbor_unreachable(&mut lower, neighbor);
        }
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        ip.expire(&mut ctx);
    }

    /// Lets TCP send what it has to send.
    #[inline]
    fn drain_tcp(&mut self, now: u64, pool: &mut FramePool) {
        let (tcp, mut lower) = self.tcp_in_turn(now, pool);
        tcp.drain(&mut lower);
    }

    fn receive_segment(
        &mut self,
        now: u64,
        packet: &[u8],
        checksum: Checksum,
        from_outside: bool,
        pool: &mut FramePool,
    ) {
        let (tcp, mut lower) = self.tcp_in_turn(now, pool);
        tcp.receive(&mut lower, packet, checksum, from_outside);
    }

    /// TCP and what it is given, in the host's turn.
    #[inline]
    fn tcp_in_turn<'a>(
        &'a mut self,
        now: u64,
        pool: &'a mut FramePool,
    ) -> (&'a mut Tcp, Lower<'a>) {
        let ctx = self.io.ctx(now, &self.options, pool);
        (&mut self.tcp, Lower { ctx, ip: &mut self.ip })
    }

    /// The same in a call.
    #[inline]
    pub(super) fn tcp_in_call(&mut self, now: u64) -> (&mut Tcp, Lower<'_>) {
        let ctx = self.io.ctx_of_call(now, &self.options);
        (&mut self.tcp, Lower { ctx, ip: &mut self.ip })
    }

    /// The power goes: every connection and listener is gone, and no peer is told. Who waits for a
    /// socket of this host and is no task of it, which may be another thread, finds it dead.
    pub(crate) fn crash(&mut self) {
        self.tcp.crash(&mut self.io.woken);
        self.unix.crash();
        self.udp.crash(&mut self.io.woken);
        self.io.outbox.clear();
        self.ip.forget_everything();
    }
}
