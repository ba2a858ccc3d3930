//! The scripted peer: it puts any segment on the wire, and looks at each that the host sends.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::{Poll, Waker};

use crate::host::FlowId;
use crate::host::ListenerId;
use crate::host::host::Host;
use crate::host::iface::Prefix;
use crate::host::ip::NextHop;
use crate::host::options::HostOptions;
use crate::host::ports::{BindingId, Reuse};
use crate::rng::Seed;
use crate::tcp::Repairs;
use crate::tcp::TcpOptions;
use crate::tcp::TcpState;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, Mac};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::Seq;

pub(super) use super::peer::*;

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;

/// More polls than this without a frame, and the host spins.
const POLLS: u32 = 10_000;

/// The host under test, the wire and the clock.
pub(super) struct Wire {
    pub(super) host: Host,
    pub(super) pool: FramePool,
    pub(super) now: u64,
    /// Whether the peer answers ARP requests for its address.
    pub(super) answers_arp: bool,
    pub(super) sent: VecDeque<Sent>,
    /// ARP packets the host sent, but for requests that were answered.
    pub(super) arps: VecDeque<Arp>,
    /// Frames the host sent that hold neither TCP nor ARP.
    pub(super) others: VecDeque<Vec<u8>>,
    /// When the host wants to be polled.
    pub(super) deadline: Option<u64>,
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire::with(HostOptions::default())
    }

    pub(super) fn with(options: HostOptions) -> Wire {
        let stream = Seed(7).stream("host test");
        Wire {
            host: Host::new(HOST_MAC, &prefixes(), options, stream),
            pool: FramePool::default(),
            now: SECOND,
            answers_arp: true,
            sent: VecDeque::new(),
            arps: VecDeque::new(),
            others: VecDeque::new(),
            deadline: None,
        }
    }

    /// One whose engine is not repaired in every way.
    pub(super) fn repaired(repairs: Repairs) -> Wire {
        let mut wire = Wire::new();
        wire.host.tcp.set_repairs(repairs);
        wire
    }

    // ---- The wire ---------------------------------------------------------------------------

    /// The peer sends `segment`; the host has dealt with it when this returns.
    pub(super) fn inject(&mut self, segment: &Tcp) {
        self.inject_packet(PEER_MAC, ETHERTYPE_IPV4, &segment.packet());
    }

    pub(super) fn inject_packet(&mut self, from: Mac, ethertype: [u8; 2], packet: &[u8]) {
        let mut frame = Vec::with_capacity(ETHERNET_HEADER + packet.len());
        frame.extend(HOST_MAC);
        frame.extend(from);
        frame.extend(ethertype);
        frame.extend(packet);
        self.inject_frame(&frame, false);
    }

    /// Segments that arrive in one instant.
    pub(super) fn inject_burst(&mut self, segments: &[Tcp]) {
        for segment in segments {
            let packet = segment.packet();
            let mut frame = self.pool.take(ETHERNET_HEADER + packet.len());
            frame.bytes_mut()[..6].copy_from_slice(&HOST_MAC);
            frame.bytes_mut()[6..12].copy_from_slice(&PEER_MAC);
            frame.bytes_mut()[12..14].copy_from_slice(&ETHERTYPE_IPV4);
            frame.packet_mut().copy_from_slice(&packet);
            self.host.receive_in_burst(self.now, frame, &mut self.pool);
        }
        self.settle();
    }

    pub(super) fn inject_frame(&mut self, bytes: &[u8], is_trusted: bool) {
        let mut frame = self.pool.take(bytes.len());
        frame.bytes_mut().copy_from_slice(bytes);
        if !is_trusted {
            frame.set_checksum(Checksum::Unverified);
        }
        self.host.receive(self.now, frame, &mut self.pool);
        self.settle();
    }

    pub(super) fn inject_arp(&mut self, arp: &Arp) {
        self.inject_packet(arp.sender_mac, ETHERTYPE_ARP, &arp.packet());
    }

    /// Lets the host do what is due now, and collects what it sends.
    pub(super) fn settle(&mut self) {
        for _ in 0..POLLS {
            self.deadline = self.host.poll(self.now, &mut self.pool);
            let mut frames = Vec::new();
            self.host.take_outbox(&mut frames, true);
            self.host.take_woken(&mut Vec::new());
            if frames.is_empty() {
                match self.deadline {
                    Some(deadline) if deadline <= self.now => continue,
                    _ => return,
                }
            }
            for frame in frames {
                self.collect(frame);
            }
        }
        panic!("the host does not come to rest");
    }

    fn collect(&mut self, frame: FrameBuffer) {
        let header = &frame.bytes()[..ETHERNET_HEADER];
        assert_eq!(header[6..12], HOST_MAC, "the source address is the host's");
        if carries_tcp(&frame) {
            self.sent.push_back(Sent::read(self.now, &frame));
        } else if header[12..] != ETHERTYPE_ARP {
            self.others.push_back(frame.bytes().to_vec());
        } else {
            let arp = Arp::read(self.now, &frame);
            if self.answers_arp && arp.operation == 1 && arp.target == PEER {
                let mut reply = self.pool.take(ETHERNET_HEADER + 28);
                reply.bytes_mut()[..6].copy_from_slice(&HOST_MAC);
                reply.bytes_mut()[6..12].copy_from_slice(&PEER_MAC);
                reply.bytes_mut()[12..14].copy_from_slice(&ETHERTYPE_ARP);
                reply.packet_mut().copy_from_slice(&Arp::reply(PEER, PEER_MAC).packet());
                self.host.receive(self.now, reply, &mut self.pool);
            } else {
                self.arps.push_back(arp);
            }
        }
        self.pool.give_back(frame);
    }

    /// Time passes; the host is polled whenever it asked to be.
    pub(super) fn advance(&mut self, duration: u64) {
        let end = self.now + duration;
        self.settle();
        let (mut polls, mut seen) = (0, self.seen());
        while let Some(deadline) = self.deadline
            && deadline <= end
        {
            self.now = self.now.max(deadline);
            self.settle();
            polls += 1;
            if self.seen() != seen {
                seen = self.seen();
                polls = 0;
            }
            assert!(polls < POLLS, "the host spins at {} ns", self.now);
        }
        self.now = end;
        self.settle();
    }

    fn seen(&self) -> usize {
        self.sent.len() + self.arps.len() + self.others.len()
    }

    /// The oldest segment that was not looked at yet.
    #[track_caller]
    pub(super) fn next(&mut self) -> Sent {
        self.settle();
        self.sent.pop_front().expect("the host sends a segment")
    }

    /// The next segment, which must have these flags.
    #[track_caller]
    pub(super) fn expect(&mut self, flags: &str) -> Sent {
        let sent = self.next();
        assert_eq!(sent.flags, flags, "{sent:?}");
        sent
    }

    #[track_caller]
    pub(super) fn expect_silence(&mut self) {
        self.settle();
        assert!(self.sent.is_empty(), "the host sends {:?}", self.sent);
    }

    /// All segments that were not looked at yet.
    pub(super) fn take(&mut self) -> Vec<Sent> {
        self.settle();
        self.sent.drain(..).collect()
    }

    // ---- Handshakes -------------------------------------------------------------------------

    /// A listener at [`PORT`] on all addresses.
    pub(super) fn listen(&mut self, backlog: usize) -> ListenerId {
        let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        self.listen_at(local, backlog)
    }

    pub(super) fn listen_at(&mut self, local: SocketAddr, backlog: usize) -> ListenerId {
        let (binding, local) = self.bind(local, true).unwrap();
        let mut options = self.host.new_tcp_options();
        options.reuse_address = true;
        self.host.listen(local, binding, backlog, options).unwrap()
    }

    pub(super) fn bind(
        &mut self,
        local: SocketAddr,
        reuse_address: bool,
    ) -> io::Result<(BindingId, SocketAddr)> {
        let reuse = Reuse { address: reuse_address, port: false };
        self.host.bind(self.now, local, reuse, false)
    }

    /// As a socket does that is dropped.
    pub(super) fn close_listener(&mut self, listener: ListenerId) {
        if let Some((binding, local)) = self.host.stop_listening(self.now, listener) {
            self.host.unbind(local.port(), binding);
        }
    }

    pub(super) fn accept(&mut self, listener: ListenerId) -> Option<FlowId> {
        match self.host.poll_accept(listener, None) {
            Poll::Ready(accepted) => Some(accepted.unwrap().flow),
            Poll::Pending => None,
        }
    }

    /// The peer's SYN, the host's SYN-ACK, the peer's ACK.
    #[track_caller]
    pub(super) fn handshake(&mut self, peer: &mut Peer) -> Sent {
        let syn_ack = self.half_handshake(peer);
        self.inject(&peer.segment());
        syn_ack
    }

    /// The peer's SYN and the host's SYN-ACK.
    #[track_caller]
    pub(super) fn half_handshake(&mut self, peer: &mut Peer) -> Sent {
        self.inject(&peer.syn());
        let syn_ack = self.expect("SYN ACK");
        peer.seq = peer.seq.wrapping_add(1);
        assert_eq!(syn_ack.ack, Some(peer.seq));
        peer.ack = syn_ack.end();
        syn_ack
    }

    /// A connection that the peer opened and the application accepted.
    #[track_caller]
    pub(super) fn passive(&mut self) -> (FlowId, Peer) {
        let peer = Peer::new(PEER_PORT);
        self.passive_with(peer)
    }

    #[track_caller]
    pub(super) fn passive_with(&mut self, mut peer: Peer) -> (FlowId, Peer) {
        let listener = self.listen(8);
        self.handshake(&mut peer);
        let flow = self.accept(listener).expect("the connection is established");
        self.expect_silence();
        (flow, peer)
    }

    /// Begins to connect, with the options of a new socket.
    pub(super) fn connect_to(
        &mut self,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> io::Result<(FlowId, SocketAddr)> {
        let options = self.host.new_tcp_options();
        self.host.connect(self.now, bound, remote, options)
    }

    /// Begins to connect to the peer; the SYN has left.
    #[track_caller]
    pub(super) fn connect(&mut self) -> (FlowId, Peer) {
        let remote = SocketAddr::from((PEER, PORT));
        let (flow, local) = self.connect_to(None, remote).unwrap();
        let syn = self.expect("SYN");
        let mut peer = Peer::new(PORT);
        peer.host_port = local.port();
        peer.ack = syn.end();
        (flow, peer)
    }

    /// A connection that the host opened.
    #[track_caller]
    pub(super) fn active(&mut self) -> (FlowId, Peer) {
        let (flow, mut peer) = self.connect();
        self.inject(&peer.syn().ack(peer.ack));
        peer.seq = peer.seq.wrapping_add(1);
        let ack = self.expect("ACK");
        assert_eq!((ack.seq, ack.ack), (peer.ack, Some(peer.seq)));
        self.expect_silence();
        (flow, peer)
    }

    // ---- The application --------------------------------------------------------------------

    /// What `connect` gives; `None` while it waits.
    pub(super) fn connected(&mut self, flow: FlowId) -> Option<io::Result<()>> {
        ready(self.host.poll_connected(flow, None))
    }

    #[track_caller]
    pub(super) fn write(&mut self, flow: FlowId, data: &[u8]) {
        let written = self.try_write(flow, data).expect("there is room").unwrap();
        assert_eq!(written, data.len());
    }

    /// What a write gives; `None` when it waits.
    pub(super) fn try_write(&mut self, flow: FlowId, data: &[u8]) -> Option<io::Result<usize>> {
        let written = ready(self.host.poll_write(self.now, flow, data, Some(Waker::noop())));
        self.settle();
        written
    }

    /// What a read gives; `None` when it waits.
    pub(super) fn try_read(&mut self, flow: FlowId) -> Option<io::Result<Vec<u8>>> {
        self.read_up_to(flow, 1 << 17)
    }

    pub(super) fn read_up_to(&mut self, flow: FlowId, most: usize) -> Option<io::Result<Vec<u8>>> {
        let mut buffer = vec![0; most];
        let read =
            ready(self.host.poll_read(self.now, flow, &mut buffer, false, Some(Waker::noop())))?;
        self.settle();
        Some(read.map(|len| buffer[..len].to_vec()))
    }

    /// What there is to read; nothing is the end of the stream.
    #[track_caller]
    pub(super) fn read(&mut self, flow: FlowId) -> Vec<u8> {
        self.try_read(flow).expect("there is something to read").unwrap()
    }

    /// How a read fails.
    #[track_caller]
    pub(super) fn read_error(&mut self, flow: FlowId) -> io::ErrorKind {
        self.try_read(flow).expect("a read returns").unwrap_err().kind()
    }

    pub(super) fn shut_down_sending(&mut self, flow: FlowId) {
        self.host.shut_down(self.now, flow, std::net::Shutdown::Write).unwrap();
        self.settle();
    }

    #[track_caller]
    pub(super) fn options(&self, flow: FlowId) -> TcpOptions {
        self.host.flow_options(flow).unwrap()
    }

    pub(super) fn close(&mut self, flow: FlowId) {
        self.host.close(self.now, flow);
        self.settle();
    }

    #[track_caller]
    pub(super) fn state(&self, flow: FlowId) -> TcpState {
        self.host.tcp.state(flow).expect("the connection exists")
    }

    /// The entry of a neighbour, made if need be.
    pub(super) fn neighbor(&mut self, address: IpAddr) -> Option<NextHop> {
        let (mut ctx, ip) = self.host.ip_ctx_of_call(self.now);
        let neighbor = ip.hold_path(&mut ctx, address).0?;
        ip.release(neighbor);
        Some(neighbor)
    }

    /// The states of `netstat`, listeners left out.
    pub(super) fn states(&self) -> Vec<TcpState> {
        let connections = self.host.netstat(self.now).into_iter();
        let states = connections.map(|socket| socket.state);
        states.filter(|state| *state != TcpState::Listen).collect()
    }

    /// Everything the peer sends in order is read, and acknowledged in time.
    #[track_caller]
    pub(super) fn is_alive(&mut self, flow: FlowId, peer: &mut Peer) {
        self.take();
        self.inject(&peer.segment().payload(b"alive?"));
        peer.seq = peer.seq.wrapping_add(6);
        assert_eq!(self.read(flow), b"alive?");
        self.advance(50 * MILLISECOND);
        let ack = self.take().pop().expect("data is acknowledged");
        assert_eq!(ack.ack, Some(peer.seq));
    }

    /// As [`Segment`] compares them: how far `later` is ahead of `earlier`.
    pub(super) fn ahead(later: u32, earlier: u32) -> i32 {
        Seq(later).ahead_of(Seq(earlier))
    }
}

fn carries_tcp(frame: &FrameBuffer) -> bool {
    match frame.bytes().get(12..14) {
        Some([0x08, 0x00]) => frame.packet().get(9) == Some(&6),
        Some([0x86, 0xdd]) => frame.packet().get(6) == Some(&6),
        _ => false,
    }
}

/// The addresses of the host under test.
fn prefixes() -> [Prefix; 2] {
    [Prefix::new(HOST, 16), Prefix::new(HOST_V6, 64)]
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// `count` bytes, each different from its neighbours.
pub(super) fn octets(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at % 251) as u8).collect()
}

/// The times at which `sent` left, in milliseconds after `since`.
pub(super) fn times(sent: &[Sent], since: u64) -> Vec<u64> {
    sent.iter().map(|segment| (segment.at - since) / MILLISECOND).collect()
}

pub(super) fn peer_address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(PEER), port)
}
