//! One connection's TCP engine: a smoltcp socket in a set of its own, with its buffers.

use self_cell::{MutBorrow, self_cell};
use smoltcp::iface::{Context, Interface, SocketHandle, SocketSet, SocketStorage};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};

use super::options::CongestionControl;
use super::tcp_options::TcpOptions;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{FourTuple, Segment, Seq};

/// The memory of a socket. It outlives the socket, because allocating and zeroing it costs more
/// than everything else a short connection does.
pub(crate) struct SocketBuffers {
    // One allocation for both: of the default size it comes from the system as pages that are
    // zero without being touched, so that a connection takes only the memory it uses.
    memory: Vec<u8>,
    recv: usize,
}

impl SocketBuffers {
    pub(crate) fn new(recv: usize, send: usize) -> SocketBuffers {
        SocketBuffers { memory: vec![0; recv + send], recv }
    }

    pub(crate) fn fit(&self, recv: usize, send: usize) -> bool {
        self.recv == recv && self.memory.len() == recv + send
    }
}

self_cell!(
    struct Cell {
        owner: MutBorrow<SocketBuffers>,
        #[not_covariant]
        dependent: SocketSet,
    }
);

/// A smoltcp TCP socket alone in its set (DESIGN D1).
pub(crate) struct Engine {
    cell: Cell,
    handle: SocketHandle,
}

impl Engine {
    pub(crate) fn new(buffers: SocketBuffers, options: &TcpOptions) -> Engine {
        let mut handle = SocketHandle::default();
        let cell = Cell::new(MutBorrow::new(buffers), |buffers| {
            let SocketBuffers { memory, recv } = buffers.borrow_mut();
            let (recv, send) = memory.split_at_mut(*recv);
            let mut socket =
                tcp::Socket::new(tcp::SocketBuffer::new(recv), tcp::SocketBuffer::new(send));
            socket.set_congestion_control(to_engine_control(options.congestion_control));
            socket.set_ack_delay(options.ack_delay_in_force().map(to_engine_duration));
            socket.set_nagle_enabled(!options.nodelay);
            let mut set = SocketSet::new(vec![SocketStorage::EMPTY]);
            handle = set.add(socket);
            set
        });
        Engine { cell, handle }
    }

    /// Changes what the socket's options say, from `old` to `new`.
    pub(crate) fn apply(&mut self, old: &TcpOptions, new: &TcpOptions) {
        self.socket_mut(|socket| {
            socket.set_nagle_enabled(!new.nodelay);
            socket.set_ack_delay(new.ack_delay_in_force().map(to_engine_duration));
            // Setting it makes the engine begin anew with its initial window.
            if new.congestion_control != old.congestion_control {
                socket.set_congestion_control(to_engine_control(new.congestion_control));
            }
        });
    }

    pub(crate) fn into_buffers(self) -> SocketBuffers {
        self.cell.into_owner().into_inner()
    }

    pub(crate) fn socket<R>(&self, look: impl FnOnce(&tcp::Socket<'_>) -> R) -> R {
        self.cell.with_dependent(|_, set| look(set.get(self.handle)))
    }

    pub(crate) fn socket_mut<R>(&mut self, act: impl FnOnce(&mut tcp::Socket<'_>) -> R) -> R {
        let handle = self.handle;
        self.cell.with_dependent_mut(|_, set| act(set.get_mut(handle)))
    }

    pub(crate) fn with_set<R>(&mut self, act: impl FnOnce(&mut SocketSet<'_>) -> R) -> R {
        self.cell.with_dependent_mut(|_, set| act(set))
    }

    /// When the engine wants to be polled next, in nanoseconds; a time in the past means now.
    pub(crate) fn poll_at(&self, interface: &mut Interface, now: u64) -> Option<u64> {
        let at = self.cell.with_dependent(|_, set| interface.poll_at(to_engine_time(now), set));
        // What lies beyond the world's time never comes.
        at.and_then(|at| u64::try_from(at.total_micros()).unwrap_or(0).checked_mul(1_000))
    }

    pub(crate) fn connect(
        &mut self,
        context: &mut Context,
        tuple: &FourTuple,
    ) -> Result<(), tcp::ConnectError> {
        let remote = (tuple.remote_addr, tuple.remote_port);
        let local = (tuple.local_addr, tuple.local_port);
        self.socket_mut(|socket| socket.connect(context, remote, local))
    }

    /// Begins a connection with an initial sequence number after `after`. The engine draws it
    /// and keeps it to itself, so its SYN is looked at; it is returned, and must be sent.
    pub(crate) fn connect_after(
        &mut self,
        interface: &mut Interface,
        now: u64,
        mtu: usize,
        tuple: &FourTuple,
        after: Seq,
    ) -> Result<Option<FrameBuffer>, tcp::ConnectError> {
        let (mut sent, mut pool) = (Vec::new(), FramePool::default());
        // Every second number is higher: more attempts than this are never needed.
        for _ in 0..64 {
            sent.clear();
            self.connect(interface.context(), tuple)?;
            let mut wire = Wire { received: None, sent: &mut sent, pool: &mut pool, mtu };
            self.with_set(|set| interface.poll_egress(to_engine_time(now), &mut wire, set));
            let syn = sent.first().and_then(|frame| Segment::of_engine(frame.packet()));
            if syn.is_none_or(|syn| syn.seq.is_after(after)) {
                break;
            }
            self.socket_mut(|socket| socket.close());
        }
        Ok(sent.pop())
    }

    pub(crate) fn listen(&mut self, tuple: &FourTuple) -> Result<(), tcp::ListenError> {
        self.socket_mut(|socket| socket.listen((tuple.local_addr, tuple.local_port)))
    }
}

fn to_engine_control(control: CongestionControl) -> tcp::CongestionControl {
    match control {
        CongestionControl::Reno => tcp::CongestionControl::Reno,
        CongestionControl::Cubic => tcp::CongestionControl::Cubic,
        CongestionControl::None => tcp::CongestionControl::None,
    }
}

/// The engine counts microseconds; what happens within one of them happens at its start.
pub(crate) fn to_engine_time(now: u64) -> Instant {
    Instant::from_micros(i64::try_from(now / 1_000).unwrap_or(i64::MAX))
}

pub(crate) fn to_engine_duration(duration: std::time::Duration) -> Duration {
    // The engine adds it to a time as a signed number.
    const LONGEST: u128 = 1 << 60;
    Duration::from_micros(duration.as_micros().min(LONGEST) as u64)
}

/// What the engine takes for its device: at most one packet to receive, and a list of frames
/// that it sent.
pub(crate) struct Wire<'a> {
    pub(crate) received: Option<&'a [u8]>,
    pub(crate) sent: &'a mut Vec<FrameBuffer>,
    pub(crate) pool: &'a mut FramePool,
    pub(crate) mtu: usize,
}

impl Device for Wire<'_> {
    type RxToken<'t>
        = Received<'t>
    where
        Self: 't;
    type TxToken<'t>
        = Transmit<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Transmit<'_>)> {
        let packet = self.received.take()?;
        Some((Received(packet), Transmit { sent: self.sent, pool: self.pool }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit { sent: self.sent, pool: self.pool })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        // The host verifies checksums before it acts on a segment, and fills them in when somebody
        // looks, so the engine need do neither.
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities.checksum.ipv4 = phy::Checksum::None;
        capabilities.checksum.tcp = phy::Checksum::None;
        capabilities
    }
}

pub(crate) struct Received<'a>(&'a [u8]);

impl smoltcp::phy::RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

pub(crate) struct Transmit<'a> {
    sent: &'a mut Vec<FrameBuffer>,
    pool: &'a mut FramePool,
}

impl smoltcp::phy::TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = self.pool.take(ETHERNET_HEADER + len);
        let result = write(frame.packet_mut());
        frame.set_checksum(Checksum::Partial);
        self.sent.push(frame);
        result
    }
}
