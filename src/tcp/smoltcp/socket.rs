//! One smoltcp socket, alone in its set (DESIGN D1), with its buffers.

use self_cell::{MutBorrow, self_cell};
use smoltcp::iface::{SocketHandle, SocketSet, SocketStorage};
use smoltcp::socket::tcp;

use super::device::{Device, to_smoltcp_duration, to_smoltcp_time};
use super::shared::Shared;
use crate::tcp::options::{CongestionControl, TcpOptions};
use crate::tcp::state::TcpState;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::{FourTuple, Segment, Seq};

/// No retransmission timer of smoltcp's is as long, in nanoseconds: its longest timeout is a minute.
const AFTER_ANY_TIMEOUT: u64 = 61_000_000_000;

/// The memory of a socket. It outlives the socket, because allocating and zeroing it costs more
/// than everything else a short connection does.
pub(crate) struct SocketBuffers {
    // One allocation for both: of the default size it comes from the system as pages that are
    // zero without being touched, so that a connection takes only the memory it uses.
    memory: Vec<u8>,
    recv: usize,
}

impl SocketBuffers {
    pub(super) fn new(options: &TcpOptions) -> SocketBuffers {
        let (recv, send) = (options.recv_buffer() as usize, options.send_buffer() as usize);
        SocketBuffers { memory: vec![0; recv + send], recv }
    }

    /// Whether they have the sizes that `options` ask for.
    pub(crate) fn fit(&self, options: &TcpOptions) -> bool {
        let (recv, send) = (options.recv_buffer() as usize, options.send_buffer() as usize);
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

/// A smoltcp socket. What it looks like is read once after each thing done to it, and asked for
/// many times.
pub(super) struct Socket {
    cell: Cell,
    handle: SocketHandle,
    seen: Seen,
}

/// What a socket looked like when something was last done to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) state: TcpState,
    /// Bytes written that are not acknowledged.
    pub(super) send_queue: u32,
    /// Bytes received that are not read.
    pub(super) recv_queue: u32,
}

impl Seen {
    #[inline]
    fn of(socket: &tcp::Socket<'_>) -> Seen {
        Seen {
            state: socket.state().into(),
            send_queue: socket.send_queue() as u32,
            recv_queue: socket.recv_queue() as u32,
        }
    }
}

impl Socket {
    pub(super) fn new(buffers: SocketBuffers, options: &TcpOptions) -> Socket {
        let mut handle = SocketHandle::default();
        let cell = Cell::new(MutBorrow::new(buffers), |buffers| {
            let SocketBuffers { memory, recv } = buffers.borrow_mut();
            let (recv, send) = memory.split_at_mut(*recv);
            let mut socket =
                tcp::Socket::new(tcp::SocketBuffer::new(recv), tcp::SocketBuffer::new(send));
            socket.set_congestion_control(to_smoltcp_control(options.congestion_control));
            socket.set_ack_delay(options.ack_delay_in_force().map(to_smoltcp_duration));
            socket.set_nagle_enabled(!options.nodelay);
            let mut set = SocketSet::new(vec![SocketStorage::EMPTY]);
            handle = set.add(socket);
            set
        });
        let seen = Seen { state: TcpState::Closed, send_queue: 0, recv_queue: 0 };
        Socket { cell, handle, seen }
    }

    pub(super) fn into_buffers(self) -> SocketBuffers {
        self.cell.into_owner().into_inner()
    }

    #[inline]
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Changes what the socket's options say, from `old` to `new`.
    pub(super) fn apply(&mut self, old: &TcpOptions, new: &TcpOptions) {
        self.act(|socket| {
            socket.set_nagle_enabled(!new.nodelay);
            socket.set_ack_delay(new.ack_delay_in_force().map(to_smoltcp_duration));
            // Setting it makes the socket begin anew with its initial window.
            if new.congestion_control != old.congestion_control {
                socket.set_congestion_control(to_smoltcp_control(new.congestion_control));
            }
        });
    }

    #[inline]
    fn act<R>(&mut self, act: impl FnOnce(&mut tcp::Socket<'_>) -> R) -> R {
        let (handle, seen) = (self.handle, &mut self.seen);
        self.cell.with_dependent_mut(|_, set| {
            let socket = set.get_mut(handle);
            let result = act(socket);
            *seen = Seen::of(socket);
            result
        })
    }

    /// Begins a connection. With `after` its initial sequence number is after that: the socket
    /// draws it and keeps it to itself, so its SYN is looked at; it is returned, and must be sent.
    pub(super) fn connect(
        &mut self,
        now: u64,
        shared: &mut Shared,
        tuple: &FourTuple,
        after: Option<Seq>,
    ) -> Result<Option<FrameBuffer>, tcp::ConnectError> {
        let Some(after) = after else {
            self.begin(shared, tuple)?;
            return Ok(None);
        };
        let mut pool = FramePool::default();
        let mut syn = None;
        // Every second number is higher: more attempts than this are never needed.
        for _ in 0..64 {
            self.begin(shared, tuple)?;
            self.poll_egress(now, shared, &mut pool);
            syn = shared.sent.pop();
            let segment = syn.as_ref().and_then(|frame| Segment::of_engine(frame.packet()));
            if segment.is_none_or(|segment| segment.seq.is_after(after)) {
                break;
            }
            self.close();
        }
        Ok(syn)
    }

    fn begin(&mut self, shared: &mut Shared, tuple: &FourTuple) -> Result<(), tcp::ConnectError> {
        let remote = (tuple.remote_addr, tuple.remote_port);
        let local = (tuple.local_addr, tuple.local_port);
        self.act(|socket| socket.connect(shared.interface.context(), remote, local))
    }

    pub(super) fn listen(&mut self, tuple: &FourTuple) {
        let listens = self.act(|socket| socket.listen((tuple.local_addr, tuple.local_port)));
        debug_assert!(listens.is_ok(), "a new socket can listen");
    }

    /// Lets the socket see a segment.
    #[inline]
    pub(super) fn feed(
        &mut self,
        now: u64,
        shared: &mut Shared,
        packet: &[u8],
        pool: &mut FramePool,
    ) {
        let Shared { interface, mtu, sent, .. } = shared;
        let mut device = Device { received: Some(packet), sent, pool, mtu: *mtu, is_full: false };
        let (handle, seen) = (self.handle, &mut self.seen);
        self.cell.with_dependent_mut(|_, set| {
            interface.poll_ingress_single(to_smoltcp_time(now), &mut device, set);
            *seen = Seen::of(set.get(handle));
        });
    }

    /// Lets the socket send one segment, if it wants to.
    #[inline]
    pub(super) fn poll_egress(&mut self, now: u64, shared: &mut Shared, pool: &mut FramePool) {
        self.poll_egress_into(now, shared, pool, false);
    }

    /// The same; nothing is sent when the device `is_full`.
    #[inline]
    fn poll_egress_into(
        &mut self,
        now: u64,
        shared: &mut Shared,
        pool: &mut FramePool,
        is_full: bool,
    ) {
        let Shared { interface, mtu, sent, .. } = shared;
        let mut device = Device { received: None, sent, pool, mtu: *mtu, is_full };
        let (handle, seen) = (self.handle, &mut self.seen);
        self.cell.with_dependent_mut(|_, set| {
            interface.poll_egress(to_smoltcp_time(now), &mut device, set);
            *seen = Seen::of(set.get(handle));
        });
    }

    /// Makes the socket begin again with the first byte that is not acknowledged.
    ///
    /// It does so only when its retransmission timer fires. So it is told that it is late enough for
    /// that, while there is a device that takes nothing: the socket has gone back then, and waits to
    /// send, and no time that it remembers is one of the future. What it has learned of the path's
    /// congestion is not what it lost these segments for: it begins anew with slow start and its
    /// initial window, and no lower threshold, as RFC 8201 5.4 wants it.
    pub(super) fn go_back(
        &mut self,
        now: u64,
        shared: &mut Shared,
        pool: &mut FramePool,
        options: &TcpOptions,
    ) {
        self.poll_egress_into(now.saturating_add(AFTER_ANY_TIMEOUT), shared, pool, true);
        self.act(|socket| {
            socket.set_congestion_control(to_smoltcp_control(options.congestion_control));
        });
    }

    /// When the socket wants to be polled next, in nanoseconds; a time in the past means now.
    #[inline]
    pub(super) fn poll_at(&self, now: u64, shared: &mut Shared) -> Option<u64> {
        let interface = &mut shared.interface;
        let at = self.cell.with_dependent(|_, set| interface.poll_at(to_smoltcp_time(now), set));
        // What lies beyond the world's time never comes.
        at.and_then(|at| u64::try_from(at.total_micros()).unwrap_or(0).checked_mul(1_000))
    }

    /// Takes bytes of one buffer after the other until there is no room: how many there were, and
    /// how many it took. `None` when nothing can be written.
    #[inline]
    pub(super) fn write<'b>(
        &mut self,
        buffers: impl Iterator<Item = &'b [u8]>,
    ) -> Option<(usize, usize)> {
        self.act(|socket| {
            let (mut asked, mut taken) = (0, 0);
            for buffer in buffers {
                asked += buffer.len();
                taken += socket.send_slice(buffer).ok()?;
                if taken < asked {
                    break;
                }
            }
            Some((asked, taken))
        })
    }

    /// Moves received bytes to `buffer`; `None` when there are none and none can come.
    #[inline]
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // Most reads that find nothing find a connection that goes on.
        if self.seen.recv_queue == 0 && self.seen.state == TcpState::Established {
            return Some(0);
        }
        self.act(|socket| socket.recv_slice(buffer).ok())
    }

    pub(super) fn peek(&mut self, buffer: &mut [u8]) -> Option<usize> {
        // smoltcp's `peek_slice` knows no end, unlike its `recv_slice`.
        self.act(|socket| socket.peek_slice(buffer).ok().filter(|_| socket.may_recv()))
    }

    pub(super) fn close(&mut self) {
        self.act(|socket| socket.close());
    }

    pub(super) fn abort(&mut self) {
        self.act(|socket| socket.abort());
    }
}

fn to_smoltcp_control(control: CongestionControl) -> tcp::CongestionControl {
    match control {
        CongestionControl::Reno => tcp::CongestionControl::Reno,
        CongestionControl::Cubic => tcp::CongestionControl::Cubic,
        CongestionControl::None => tcp::CongestionControl::None,
    }
}

impl From<tcp::State> for TcpState {
    fn from(state: tcp::State) -> TcpState {
        match state {
            tcp::State::Closed => TcpState::Closed,
            tcp::State::Listen => TcpState::Listen,
            tcp::State::SynSent => TcpState::SynSent,
            tcp::State::SynReceived => TcpState::SynReceived,
            tcp::State::Established => TcpState::Established,
            tcp::State::FinWait1 => TcpState::FinWait1,
            tcp::State::FinWait2 => TcpState::FinWait2,
            tcp::State::CloseWait => TcpState::CloseWait,
            tcp::State::Closing => TcpState::Closing,
            tcp::State::LastAck => TcpState::LastAck,
            tcp::State::TimeWait => TcpState::TimeWait,
        }
    }
}
