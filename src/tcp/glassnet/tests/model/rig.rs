//! One engine, and the segments that it sends.

use crate::host::HostOptions;
use crate::tcp::boundary::{Arrival, Counted, Env, Out, Status};
use crate::tcp::engine::Engine;
use crate::tcp::glassnet::options::SegmentOptions;

use crate::tcp::options::TcpOptions;
use crate::tcp::shared::Shared;
use crate::tcp::state::TcpState;
use crate::wire::checksum::Checksum;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IPV4_HEADER, IpHeader, protocol};
use crate::wire::tcp::{FourTuple, Segment, Seq, TCP_HEADER};

use super::reference::Incoming;

/// A segment that the engine has sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) seq: Seq,
    pub(super) ack: Option<Seq>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) window: u16,
    pub(super) len: u32,
    pub(super) scale: Option<u8>,
}

impl Sent {
    pub(super) fn end(&self) -> Seq {
        self.seq.plus(self.len + u32::from(self.syn) + u32::from(self.fin))
    }
}

struct Outlet<'a> {
    tuple: &'a FourTuple,
    pool: &'a mut FramePool,
    sent: &'a mut Vec<Sent>,
}

impl Out for Outlet<'_> {
    fn tuple(&self) -> &FourTuple {
        self.tuple
    }

    fn pool(&mut self) -> &mut FramePool {
        self.pool
    }

    fn send(&mut self, mut packet: FrameBuffer, _: bool) {
        packet.fill_checksums();
        let bytes = packet.packet();
        let (_, segment) = Segment::parse(bytes, Checksum::Unverified).expect("it is whole");
        let options = SegmentOptions::parse(segment.options(bytes));
        let Segment { seq, ack, syn, fin, rst, window, payload_len: len, .. } = segment;
        self.sent.push(Sent { seq, ack, syn, fin, rst, window, len, scale: options.window_scale });
        self.pool.give_back(packet);
    }

    fn count(&mut self, _: Counted) {}

    fn state_changed(&mut self, _: TcpState, _: TcpState) {}
}

pub(super) struct Rig {
    pub(super) now: u64,
    tuple: FourTuple,
    shared: Shared,
    options: TcpOptions,
    engine: Engine,
    pool: FramePool,
    pub(super) has_timestamps: bool,
    /// What the last call has sent.
    pub(super) sent: Vec<Sent>,
}

impl Rig {
    pub(super) fn new(host: &HostOptions) -> Rig {
        let tuple =
            FourTuple::new("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let (now, options) = (1_000_000_000, host.tcp());
        let shared = Shared::new(host.tcp_limits(), 7);
        let engine = Engine::listen(now, &shared, tuple, &options, None);
        let has_timestamps = shared.has_timestamps();
        let (pool, sent) = (FramePool::default(), Vec::new());
        Rig { now, tuple, shared, options, engine, pool, has_timestamps, sent }
    }

    pub(super) fn status(&self) -> Status {
        self.engine.status()
    }

    pub(super) fn rto(&self) -> u64 {
        match &self.engine {
            Engine::Glassnet(engine) => engine.send.rto(),
            Engine::Smoltcp(_) => 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.engine.is_over()
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Engine, &mut Env<'_, Outlet<'_>>) -> T) -> T {
        self.sent.clear();
        let Rig { now, tuple, shared, engine, pool, sent, .. } = self;
        let mut out = Outlet { tuple, pool, sent };
        let mut env = Env { now: *now, shared, out: &mut out };
        let result = act(engine, &mut env);
        engine.transmit(&mut env);
        result
    }

    pub(super) fn connect(&mut self) {
        let Rig { now, tuple, shared, options, .. } = self;
        self.engine = Engine::connect(*now, shared, *tuple, options, None, None).unwrap();
        self.act(|_, _| {});
    }

    /// It waits for this SYN; its own initial number.
    pub(super) fn listen(&mut self, _: &Incoming) -> Seq {
        self.status().iss
    }

    pub(super) fn write(&mut self, len: usize) {
        let bytes = vec![0x5a; len];
        self.act(|engine, env| engine.write(env.shared, [&bytes[..]].into_iter()));
    }

    pub(super) fn read(&mut self, len: usize) {
        let mut buffer = vec![0; len];
        self.act(|engine, env| {
            engine.read(env.shared, &mut buffer);
            engine.owes_window_update();
        });
        assert!(buffer.iter().all(|byte| matches!(byte, 0 | 0x5a)));
    }

    pub(super) fn close(&mut self) {
        self.act(|engine, env| engine.close(env));
    }

    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
        self.act(|engine, env| engine.on_deadline(env));
    }

    /// A segment arrives; true if it was refused, so that the host answers with a RST.
    pub(super) fn hear(&mut self, incoming: &Incoming) -> bool {
        let packet = packet_of(&self.tuple, incoming);
        let (_, segment) = Segment::parse(&packet, Checksum::Verified).expect("it is whole");
        self.act(|engine, env| engine.on_segment(env, &segment, &packet)) == Arrival::Refused
    }
}

fn packet_of(tuple: &FourTuple, incoming: &Incoming) -> Vec<u8> {
    let mut packet = vec![0; IPV4_HEADER];
    packet.extend(tuple.remote_port.to_be_bytes());
    packet.extend(tuple.local_port.to_be_bytes());
    packet.extend(incoming.seq.0.to_be_bytes());
    packet.extend(incoming.ack.map_or(0, |ack| ack.0).to_be_bytes());
    let flag = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    let flags = flag(incoming.fin, 0x01)
        | flag(incoming.syn, 0x02)
        | flag(incoming.rst, 0x04)
        | flag(incoming.ack.is_some(), 0x10)
        | incoming.other_flags;
    assert_eq!(incoming.options.len() % 4, 0);
    packet.extend([((TCP_HEADER + incoming.options.len()) << 2) as u8, flags]);
    packet.extend(incoming.window.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(&incoming.options);
    packet.extend(std::iter::repeat_n(0x5a, incoming.len as usize));
    let ip = IpHeader {
        source: tuple.remote_addr,
        destination: tuple.local_addr,
        protocol: protocol::TCP,
        hop_limit: 64,
        traffic_class: 0,
    };
    ip.write(&mut packet, true);
    packet
}
