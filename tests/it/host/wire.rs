//! The scripted peer in few words: what most tests of a host on the wire do, a line each. Times are
//! nanoseconds, connections and listeners are numbers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::peer::{self, Call, Event, Segment, WireBuilder};
use glassnet::{HostCounters, HostOptions, SocketProtocol, SocketStatus, TableSizes, TcpState};

pub(super) use super::peer::*;
use crate::common::by_engine;

pub(super) const MILLISECOND: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;

/// What a read takes at most.
const MAX_READ: usize = 1 << 17;

/// A connection, or an attempt at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FlowId(usize);

/// A listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenerId(usize);

/// A socket of the host, until it is closed.
struct Open {
    socket: Rc<Socket>,
    /// The attempt to connect it.
    connecting: Option<Call<io::Result<()>>>,
    /// What the attempt ended with.
    connected: Option<Result<(), ErrorKind>>,
}

/// The host under test, the wire and the clock.
pub(super) struct Wire {
    pub(super) under: peer::Wire,
    sockets: Vec<Option<Open>>,
    pub(super) sent: VecDeque<Sent>,
    /// ARP packets the host sent, but for requests that were answered.
    pub(super) arps: VecDeque<Arp>,
    /// Frames the host sent that hold neither TCP nor ARP.
    pub(super) others: VecDeque<Vec<u8>>,
    /// Packets that never left it.
    pub(super) dropped: Vec<Event>,
}

/// A host as these tests have it.
pub(super) fn builder() -> WireBuilder {
    peer::Wire::builder(7)
        .mac(HOST_MAC)
        .address(HOST, 16)
        .address(HOST_V6, 64)
        .peer_mac(PEER_MAC)
        .peer_address(PEER)
        .start(Duration::from_secs(1))
}

impl Wire {
    pub(super) fn new() -> Wire {
        Wire::with(HostOptions::default())
    }

    pub(super) fn with(options: HostOptions) -> Wire {
        Wire::over(builder().host_options(options).build().unwrap())
    }

    pub(super) fn over(under: peer::Wire) -> Wire {
        Wire {
            under,
            sockets: Vec::new(),
            sent: VecDeque::new(),
            arps: VecDeque::new(),
            others: VecDeque::new(),
            dropped: Vec::new(),
        }
    }

    // ---- The wire ---------------------------------------------------------------------------

    /// Whether the peer answers ARP requests for its address.
    pub(super) fn answer_arp(&mut self, answers: bool) {
        self.under.answer_neighbors(answers);
    }

    /// The peer sends `segment`; the host has dealt with it when this returns.
    pub(super) fn inject(&mut self, segment: &Segment) {
        self.under.inject(segment);
        self.settle();
    }

    pub(super) fn inject_packet(&mut self, from: Mac, ethertype: [u8; 2], packet: &[u8]) {
        let frame = [&HOST_MAC[..], &from, &ethertype, packet].concat();
        self.inject_frame(&frame);
    }

    pub(super) fn inject_frame(&mut self, bytes: &[u8]) {
        self.under.inject(bytes);
        self.settle();
    }

    /// Segments that arrive in one instant.
    pub(super) fn inject_burst(&mut self, segments: &[Segment]) {
        self.under.inject_burst(segments);
        self.settle();
    }

    pub(super) fn inject_arp(&mut self, arp: &Arp) {
        self.inject_packet(arp.sender_mac, ETHERTYPE_ARP, &arp.packet());
    }

    /// Lets the host do what is due now, and collects what it sends.
    pub(super) fn settle(&mut self) {
        for event in self.under.take_events() {
            let frame = match event {
                Event::Sent(frame) => frame,
                Event::Dropped { .. } => {
                    self.dropped.push(event);
                    continue;
                }
                _ => continue,
            };
            assert_eq!(frame.bytes[6..12], HOST_MAC, "the source address is the host's");
            if let Some(segment) = frame.segment() {
                self.sent.push_back(Sent::read(segment));
            } else if frame.bytes[12..14] == ETHERTYPE_ARP {
                self.arps.push_back(Arp::read(&frame));
            } else {
                self.others.push_back(frame.bytes);
            }
        }
    }

    /// Time passes.
    pub(super) fn advance(&mut self, duration: u64) {
        self.under.advance(Duration::from_nanos(duration)).unwrap();
        self.settle();
    }

    pub(super) fn now(&self) -> u64 {
        self.under.now().since_start().as_nanos() as u64
    }

    /// When the host wants to be polled.
    pub(super) fn deadline(&mut self) -> Option<u64> {
        self.under.deadline().map(|at| at.since_start().as_nanos() as u64)
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

    pub(super) fn counters(&self) -> HostCounters {
        self.under.counters()
    }

    pub(super) fn sizes(&self) -> TableSizes {
        self.under.table_sizes()
    }

    // ---- Handshakes -------------------------------------------------------------------------

    /// A listener at [`PORT`] on all addresses.
    pub(super) fn listen(&mut self, backlog: usize) -> ListenerId {
        self.listen_at(SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)), backlog)
    }

    pub(super) fn listen_at(&mut self, local: SocketAddr, backlog: usize) -> ListenerId {
        let socket = self.under.listen(local, backlog as i32).unwrap();
        ListenerId(self.open(socket))
    }

    pub(super) fn set_backlog(&mut self, listener: ListenerId, backlog: usize) {
        let socket = self.socket_of(listener.0);
        self.under.enter(|| socket.listen(backlog as i32)).unwrap();
    }

    fn open(&mut self, socket: Socket) -> usize {
        self.sockets.push(Some(Open {
            socket: Rc::new(socket),
            connecting: None,
            connected: None,
        }));
        self.sockets.len() - 1
    }

    #[track_caller]
    fn socket_of(&self, id: usize) -> Rc<Socket> {
        self.sockets[id].as_ref().expect("it is open").socket.clone()
    }

    /// Its options are the socket's to set.
    #[track_caller]
    pub(super) fn socket(&self, flow: FlowId) -> Rc<Socket> {
        self.socket_of(flow.0)
    }

    #[track_caller]
    pub(super) fn listening(&self, listener: ListenerId) -> Rc<Socket> {
        self.socket_of(listener.0)
    }

    /// A socket that is bound, and nothing else. Dropping it gives its port back.
    pub(super) fn bind(&mut self, local: SocketAddr, reuse_address: bool) -> io::Result<Socket> {
        let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = self.under.enter(|| Socket::new(domain, Type::STREAM, None))?;
        socket.set_reuse_address(reuse_address)?;
        self.under.enter(|| socket.bind(&local.into()))?;
        Ok(socket)
    }

    /// As a socket does that is dropped.
    pub(super) fn close_listener(&mut self, listener: ListenerId) {
        self.close(FlowId(listener.0));
    }

    pub(super) fn accept(&mut self, listener: ListenerId) -> Option<FlowId> {
        let listener = self.socket_of(listener.0);
        let accepted = would_wait(self.under.accept(&listener))?.unwrap();
        accepted.set_nonblocking(false).unwrap();
        Some(FlowId(self.open(accepted)))
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

    /// The first that the peer sends is acknowledged at once by our own engine, as by Linux, and by
    /// smoltcp's after a while.
    #[track_caller]
    pub(super) fn quick_ack(&mut self) {
        if by_engine(false, true) {
            self.expect("ACK");
        }
    }

    /// The peer asks and the application answers: from then on ACKs wait for the next answer.
    #[track_caller]
    pub(super) fn converse(&mut self, flow: FlowId, peer: &mut Peer) {
        self.inject(&peer.segment().payload(b"question"));
        peer.seq = peer.seq.wrapping_add(8);
        assert_eq!(self.read(flow), b"question");
        self.write(flow, b"answer");
        peer.ack = self.take().last().unwrap().end();
        self.inject(&peer.segment());
        self.expect_silence();
    }

    /// Begins to connect, with the options of a new socket.
    pub(super) fn connect_to(
        &mut self,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
    ) -> io::Result<(FlowId, SocketAddr)> {
        let domain = if remote.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = self.under.enter(|| Socket::new(domain, Type::STREAM, None))?;
        if let Some(local) = bound {
            socket.set_reuse_address(true)?;
            self.under.enter(|| socket.bind(&local.into()))?;
        }
        // It is tried once, and then goes on in a thread of its own.
        would_wait(self.under.call(socket.connect(&remote.into()))).unwrap_or(Ok(()))?;
        let local = socket.local_addr()?.as_socket().unwrap();
        let id = self.open(socket);
        let socket = self.socket_of(id);
        let connecting = self.under.start(async move { socket.connect(&remote.into()).await });
        self.sockets[id].as_mut().unwrap().connecting = Some(connecting);
        Ok((FlowId(id), local))
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
        self.settle();
        let open = self.sockets[flow.0].as_mut().expect("it is open");
        if let Some(ended) = open.connecting.as_mut().and_then(Call::take) {
            open.connected = Some(ended.map_err(|error| error.kind()));
        }
        open.connected.map(|ended| ended.map_err(io::Error::from))
    }

    #[track_caller]
    pub(super) fn write(&mut self, flow: FlowId, data: &[u8]) {
        let written = self.try_write(flow, data).expect("there is room").unwrap();
        assert_eq!(written, data.len());
    }

    /// What a write gives; `None` when it waits.
    pub(super) fn try_write(&mut self, flow: FlowId, data: &[u8]) -> Option<io::Result<usize>> {
        let socket = self.socket_of(flow.0);
        let written = would_wait(self.under.write(&socket, data));
        self.settle();
        written
    }

    /// What a read gives; `None` when it waits.
    pub(super) fn try_read(&mut self, flow: FlowId) -> Option<io::Result<Vec<u8>>> {
        self.read_up_to(flow, MAX_READ)
    }

    pub(super) fn read_up_to(&mut self, flow: FlowId, most: usize) -> Option<io::Result<Vec<u8>>> {
        let (socket, mut buffer) = (self.socket_of(flow.0), vec![0; most]);
        let read = would_wait(self.under.call(socket.recv(&mut buffer)))?;
        self.settle();
        Some(read.map(|len| buffer[..len].to_vec()))
    }

    /// What a look into the next `buffer` of bytes gives.
    pub(super) fn peek(&mut self, flow: FlowId, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.socket_of(flow.0);
        self.under.call(socket.peek(buffer))
    }

    /// What there is to read; nothing is the end of the stream.
    #[track_caller]
    pub(super) fn read(&mut self, flow: FlowId) -> Vec<u8> {
        self.try_read(flow).expect("there is something to read").unwrap()
    }

    /// How a read fails.
    #[track_caller]
    pub(super) fn read_error(&mut self, flow: FlowId) -> ErrorKind {
        self.try_read(flow).expect("a read returns").unwrap_err().kind()
    }

    #[track_caller]
    pub(super) fn write_error(&mut self, flow: FlowId) -> ErrorKind {
        self.try_write(flow, b"x").expect("a write returns").unwrap_err().kind()
    }

    pub(super) fn shut_down_sending(&mut self, flow: FlowId) {
        self.try_shut_down_sending(flow).unwrap();
    }

    pub(super) fn try_shut_down_sending(&mut self, flow: FlowId) -> io::Result<()> {
        let socket = self.socket_of(flow.0);
        let shut = self.under.enter(|| socket.shutdown(Shutdown::Write));
        self.settle();
        shut
    }

    pub(super) fn close(&mut self, flow: FlowId) {
        let Open { socket, connecting, .. } = self.sockets[flow.0].take().expect("it is open");
        if let Some(call) = connecting {
            // A call in another thread would hold the socket.
            call.cancel();
            self.settle();
        }
        let socket = Rc::into_inner(socket).expect("nobody else has it");
        self.under.close(socket);
        self.settle();
    }

    /// As [`Wire::close`], in a thread that waits as long as the socket says.
    pub(super) fn start_closing(&mut self, flow: FlowId) -> Call<()> {
        let Open { socket, connecting, .. } = self.sockets[flow.0].take().expect("it is open");
        if let Some(call) = connecting {
            call.cancel();
            self.settle();
        }
        let socket = Rc::into_inner(socket).expect("nobody else has it");
        self.under.start(async move { socket.close().await })
    }

    #[track_caller]
    pub(super) fn state(&self, flow: FlowId) -> TcpState {
        self.under.state(&self.socket_of(flow.0)).expect("the connection exists")
    }

    /// The states of all connections.
    pub(super) fn states(&self) -> Vec<TcpState> {
        let is_shown = |socket: &SocketStatus| {
            socket.protocol == SocketProtocol::Tcp && socket.state != TcpState::Listen
        };
        self.under.netstat().into_iter().filter(is_shown).map(|socket| socket.state).collect()
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

    /// How far `later` is ahead of `earlier`: RFC 9293 3.4.
    pub(super) fn ahead(later: u32, earlier: u32) -> i32 {
        later.wrapping_sub(earlier).cast_signed()
    }
}

/// `None` where a call would wait.
fn would_wait<T>(result: io::Result<T>) -> Option<io::Result<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        result => Some(result),
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
    SocketAddr::from((PEER, port))
}

/// The Internet checksum (RFC 1071) of bytes whose checksum field is zero; 0 when it is right.
pub(super) fn internet_checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}
