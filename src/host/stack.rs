//! The host itself: frames in, frames out.

use std::task::Waker;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::wire::HardwareAddress;

use super::context::Ctx;
use super::demux::Demux;
use super::discard::{Discarded, HostCounters};
use super::engine::{SocketBuffers, Wire, to_engine_time};
use super::flow::{Flow, FlowId, Owner};
use super::iface::{Prefix, earlier};
use super::io::Io;
use super::ip::{
    Delivery, Gateways, IcmpInput, InterfaceId, Ip, NextHop, Problem, Reported, is_plain_segment,
};
use super::listener::Listeners;
use super::local::LocalSockets;
use super::options::HostOptions;
use super::outbox::StateChange;
use super::ports::Ports;
use super::recent::RecentTuples;
use super::repair::Repairs;
use super::state::TcpState;
use super::time_wait::TimeWaits;
use super::udp::{Udp, UdpCalls};
use super::wakers::Woken;
use crate::error::Errno;
use crate::rng::Stream;
use crate::time::Deadlines;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Mac};
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
    pub(crate) unix: LocalSockets,
    pub(super) repairs: Repairs,
    pub(super) interface: Interface,
    /// What is for nobody is fed to this: the interface answers with a RST.
    pub(super) nobody: SocketSet<'static>,
    pub(super) flows: Vec<Slot>,
    pub(super) free_slots: Vec<u32>,
    pub(super) open_flows: usize,
    /// Flows that no application holds and that are not over for the network.
    pub(super) orphans: usize,
    pub(super) demux: Demux,
    pub(super) time_waits: TimeWaits,
    pub(super) recent: RecentTuples,
    pub(super) listeners: Listeners,
    pub(super) ports: Ports,
    pub(super) dirty: Vec<FlowId>,
    /// When connections want to be looked at, by slot.
    pub(super) deadlines: Deadlines,
    /// A deadline was queued that [`Host::poll`] has not told of yet.
    pub(super) has_new_deadline: bool,
    pub(super) buffers: Vec<SocketBuffers>,
    pub(super) sent: Vec<FrameBuffer>,
    pub(super) sends_in_calls: bool,
    /// More frames follow in this instant.
    pub(super) more_follows: bool,
    /// Octets of a burst that one ACK may stand for.
    pub(super) ack_stretch: u32,
    pub(super) retransmissions: u64,
}

#[derive(Default)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) flow: Option<Box<Flow>>,
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
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = stream.next_u64();
        let mut wire = Wire {
            received: None,
            sent: &mut Vec::new(),
            pool: &mut FramePool::default(),
            mtu: options.mtu,
        };
        let mut interface = Interface::new(config, &mut wire, to_engine_time(0));
        // The host itself decides what is for it, and hands its engines nothing else.
        interface.set_any_ip(true);
        let ports = Ports::new(&mut stream);
        let next_ident = stream.next_u64() as u32;
        let udp_ports = Ports::new(&mut stream);
        let echo_ids = Ports::new(&mut stream);
        Host {
            io: Io::default(),
            ip: Ip::new(mac, prefixes, options.mtu, next_ident, stream),
            options,
            udp: Udp::new(udp_ports, echo_ids),
            unix: LocalSockets::default(),
            repairs: Repairs::default(),
            interface,
            nobody: SocketSet::new(Vec::new()),
            flows: Vec::new(),
            free_slots: Vec::new(),
            open_flows: 0,
            orphans: 0,
            demux: Demux::default(),
            time_waits: TimeWaits::default(),
            recent: RecentTuples::default(),
            listeners: Listeners::default(),
            ports,
            dirty: Vec::new(),
            deadlines: Deadlines::default(),
            has_new_deadline: false,
            buffers: Vec::new(),
            sent: Vec::new(),
            sends_in_calls: true,
            more_follows: false,
            ack_stretch: 0,
            retransmissions: 0,
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

    /// Acknowledges up to `octets` of a burst at once, as Linux does where its interface hands it
    /// segments together (GRO), and not every second segment as RFC 9293 3.8.6.3 would have it. A
    /// peer whose congestion window grows by the ACK and not by the octet grows it more slowly.
    pub(crate) fn stretch_acks(&mut self, octets: u32) {
        self.ack_stretch = octets;
    }

    /// Takes in a frame. What it causes to be sent leaves with the next [`Host::poll`].
    pub(crate) fn receive(&mut self, now: u64, frame: FrameBuffer, pool: &mut FramePool) {
        let from = InterfaceId::ETH0;
        if let Some((header, packet)) = frame.bytes().split_at_checked(ETHERNET_HEADER) {
            let is_for_many = header[0] & 1 != 0;
            if is_for_many || header[..6] == self.ip.interface(from).addresses().mac() {
                match [header[12], header[13]] {
                    ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => {
                        self.receive_ip(now, from, packet, frame.is_intact(), pool);
                    }
                    ETHERTYPE_ARP => {
                        let (mut ctx, ip) = self.ip_ctx(now, pool);
                        ip.interface_mut(from).receive_arp(&mut ctx, packet);
                    }
                    _ => self.io.counters.unknown_ethertype += 1,
                }
            } else {
                self.io.counters.other_host += 1;
            }
        } else {
            self.io.counters.unknown_ethertype += 1;
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
        intact: bool,
        pool: &mut FramePool,
    ) {
        if is_plain_segment(packet) {
            let from_outside = from != InterfaceId::LOOPBACK;
            self.receive_segment(now, packet, intact, from_outside, pool);
        } else {
            self.receive_other(now, from, packet, intact, pool);
        }
    }

    /// As [`Host::receive_ip`], for what is no ordinary TCP segment.
    fn receive_other(
        &mut self,
        now: u64,
        from: InterfaceId,
        packet: &[u8],
        intact: bool,
        pool: &mut FramePool,
    ) {
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        match ip.receive(&mut ctx, from, packet, intact) {
            Delivery::Done => {}
            Delivery::Segment(segment) => {
                let from_outside = from != InterfaceId::LOOPBACK;
                self.receive_segment(now, &segment, intact, from_outside, pool);
            }
            Delivery::Udp(packet) => self.udp_turn(now, pool).receive(&packet),
            Delivery::Icmp(packet, input) => {
                let mut udp = self.udp_turn(now, pool);
                udp.receive_raw(&packet);
                match input {
                    IcmpInput::EchoReply => udp.receive_echo_reply(&packet),
                    IcmpInput::Error(reported) => self.receive_icmp_error(now, &reported),
                    IcmpInput::Other => {}
                }
            }
            // It is whole now, and comes here no more than once again.
            Delivery::Reassembled(whole) => {
                self.receive_ip(now, from, &whole.packet, whole.intact, pool);
            }
        }
    }

    fn udp_turn<'a>(&'a mut self, now: u64, pool: &'a mut FramePool) -> UdpCalls<'a> {
        let ctx = self.io.ctx(now, &self.options, pool);
        UdpCalls { ctx, ip: &mut self.ip, udp: &mut self.udp }
    }

    /// Something is wrong with a packet that this host sent, if it is of a connection or a socket
    /// that there is.
    fn receive_icmp_error(&mut self, now: u64, reported: &Reported) {
        let Reported { packet: quoted, problem } = reported;
        let is_tcp = quoted.protocol == protocol::TCP;
        match *problem {
            Problem::TooBig(mtu) => {
                let is_known = if is_tcp {
                    self.is_in_flight(&quoted.tuple(), quoted.seq)
                } else {
                    self.udp.knows_of(quoted)
                };
                if !is_known {
                    return;
                }
                if let Some(mtu) = self.ip.lower_path_mtu(now, quoted.destination, mtu) {
                    self.narrow_path(quoted.destination, mtu);
                }
                // TCP sends again, in smaller segments.
                if !is_tcp {
                    self.udp.report(quoted, *problem, &mut self.io.woken);
                }
            }
            Problem::Undelivered { errno, .. } if is_tcp => {
                self.tcp_unreachable(&quoted.tuple(), quoted.seq, errno);
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
        self.more_follows = true;
        self.receive(now, frame, pool);
        self.more_follows = false;
        self.io.outbox.state_changed()
    }

    /// Does what is due, and puts what there is to send into the outbox. Returns when it wants
    /// to be polled next if nothing arrives and no socket is used; a time not after `now` means
    /// that there is more to do when the tasks have had their turn.
    pub(crate) fn poll(&mut self, now: u64, pool: &mut FramePool) -> Option<u64> {
        self.expire(now, pool);
        self.drain(now, pool);
        for _ in 0..LOCAL_BATCH {
            let Some(frame) = self.io.outbox.take_looped_back() else { break };
            self.receive_ip(now, InterfaceId::LOOPBACK, frame.packet(), true, pool);
            pool.give_back(frame);
            self.drain(now, pool);
        }
        self.udp.release(self.ip.take_released(), &mut self.io.woken);
        if self.io.outbox.has_looped_back() {
            return Some(now);
        }
        if self.udp.has_unsent() {
            self.udp.note_sent(&mut self.io.woken);
        }
        self.has_new_deadline = false;
        self.deadline()
    }

    /// Moves what there is to send to `frames`. Checksums may be left out, for
    /// [`FrameBuffer::fill_checksums`], unless they are `summed`.
    pub(crate) fn take_outbox(&mut self, frames: &mut Vec<FrameBuffer>, summed: bool) {
        self.io.outbox.take_frames(frames, summed);
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
        HostCounters { reassembly_failures: self.ip.reassembly_failures(), ..self.io.counters }
    }

    /// Whether there is anything for [`Host::take_woken`] to take.
    pub(crate) fn has_woken(&self) -> bool {
        !self.io.woken.is_empty() || self.unix.has_woken()
    }

    pub(crate) fn take_woken(&mut self, woken: &mut Vec<Waker>) {
        self.io.woken.take(woken);
        self.unix.take_woken(woken);
    }

    /// Tells what changes when every task that could run has run.
    pub(crate) fn set_round(&mut self, round: u32) {
        self.io.woken.set_round(round);
        self.unix.set_round(round);
    }

    /// Whether what a call has to send leaves in the call, or with the next [`Host::poll`].
    pub(crate) fn send_in_calls(&mut self, in_calls: bool) {
        self.sends_in_calls = in_calls;
    }

    /// Whether a call has left something for [`Host::poll`] to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.dirty.is_empty()
            || self.io.outbox.has_work()
            || self.has_new_deadline
            || self.udp.has_unsent()
    }

    /// Whether state changes are to be noted for [`Host::take_changes`].
    pub(crate) fn observe(&mut self, observed: bool) {
        self.io.outbox.observe(observed);
    }

    /// Segments sent again so far.
    pub(crate) fn retransmissions(&self) -> u64 {
        self.retransmissions
    }

    /// Whether a connection that no application holds still has something to deliver; or, when
    /// `waiting` counts too, waits for the other side's FIN.
    pub(crate) fn has_unfinished_orphans(&self, waiting: bool) -> bool {
        self.orphans > 0
            && (waiting
                || self
                    .open_flows()
                    .any(|flow| flow.owner == Owner::Nobody && flow.state != TcpState::FinWait2))
    }

    fn deadline(&self) -> Option<u64> {
        earlier(self.deadlines.first().map(|first| first.at), self.ip.deadline())
    }

    fn expire(&mut self, now: u64, pool: &mut FramePool) {
        while let Some(due) = self.deadlines.first().copied()
            && due.at <= now
        {
            self.deadlines.remove(due.id);
            let id = self.demand_id(due.id as usize);
            let Some(flow) = self.flow_mut(id) else { continue };
            flow.queued_deadline = None;
            match flow.deadline {
                Some(deadline) if deadline > now => self.queue_deadline(id),
                Some(_) => self.mark_dirty(id),
                None => {}
            }
        }
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        if ip.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for neighbor in ip.expire_neighbors(&mut ctx) {
            self.neighbor_unreachable(neighbor);
        }
        let (mut ctx, ip) = self.ip_ctx(now, pool);
        ip.expire(&mut ctx);
    }

    /// Connection attempts to a neighbour that does not answer fail with EHOSTUNREACH. What is
    /// established goes on trying, as on Linux.
    fn neighbor_unreachable(&mut self, neighbor: NextHop) {
        for index in 0..self.flows.len() {
            let Some(mut flow) = self.flows[index].flow.take() else { continue };
            if flow.neighbor == Some(neighbor) && flow.state == TcpState::SynSent {
                self.fail(&mut flow, Errno::HostUnreachable);
            }
            self.flows[index].flow = Some(flow);
        }
    }
}

/// How long an attempt lasts that sends a SYN, or SYN-ACK, again `retries` times: the timeout
/// doubles from one second to at most Linux's `TCP_RTO_MAX`, two minutes.
pub(super) fn handshake_timeout(retries: u32) -> u64 {
    // 1, 2, 4, ... 64 seconds; then two minutes each time.
    const DOUBLINGS: u32 = 6;
    let doubled = (2u64 << retries.min(DOUBLINGS)) - 1;
    let constant = u64::from(retries.saturating_sub(DOUBLINGS)) * 120;
    (doubled + constant).saturating_mul(1_000_000_000)
}

/// Whole nanoseconds; durations beyond the world's time are its end.
pub(super) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
