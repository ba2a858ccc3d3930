//! Two engines, and a path that delays, serialises, queues and loses by number.

use std::collections::{BTreeMap, VecDeque};

use crate::host::HostOptions;
use crate::tcp::boundary::{Counted, Env, Out};
use crate::tcp::engine::Engine;
use crate::tcp::options::TcpOptions;
use crate::tcp::shared::Shared;
use crate::tcp::state::TcpState;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{CE, ecn};
use crate::wire::tcp::{FourTuple, Segment, Seq};

pub(super) const MS: u64 = 1_000_000;
pub(super) const SECOND: u64 = 1_000 * MS;

pub(super) const CLIENT: usize = 0;
pub(super) const SERVER: usize = 1;

/// A segment on the wire.
#[derive(Clone, Debug)]
pub(super) struct OnWire {
    pub(super) at: u64,
    pub(super) from: usize,
    pub(super) len: u32,
    pub(super) fin: bool,
}

struct Side {
    tuple: FourTuple,
    shared: Shared,
    options: TcpOptions,
    engine: Option<Engine>,
    received: u64,
    /// Bytes are read as they arrive.
    reads: bool,
    unwritten: usize,
    /// It closes when that is written.
    closes: bool,
    /// When the last of what was asked for had arrived.
    states: Vec<TcpState>,
}

/// The way from one side to the other.
pub(super) struct Path {
    pub(super) delay: u64,
    /// Bits a second; 0 takes no time.
    pub(super) rate: u64,
    /// Packets that wait.
    pub(super) queue: usize,
    /// With so many it marks what may be marked (RFC 3168).
    pub(super) marks_from: usize,
    /// The most that have waited.
    pub(super) most_waiting: usize,
    /// Numbers, counted from 1, of the packets with data (or a FIN) that are lost.
    pub(super) lost_data: Vec<u32>,
    /// Those that arrive so much later than the others.
    pub(super) late_data: Vec<(u32, u64)>,
    /// The same of those without, and of SYNs.
    pub(super) lost_bare: Vec<u32>,
    free_at: u64,
    departures: VecDeque<u64>,
    data: u32,
    bare: u32,
}

pub(super) struct Pair {
    pub(super) now: u64,
    sides: [Side; 2],
    pub(super) paths: [Path; 2],
    arrivals: BTreeMap<(u64, u64), (usize, FrameBuffer)>,
    next: u64,
    pool: FramePool,
    pub(super) wire: Vec<OnWire>,
}

struct Outlet<'a> {
    tuple: &'a FourTuple,
    pool: &'a mut FramePool,
    sent: Vec<FrameBuffer>,
    states: &'a mut Vec<TcpState>,
}

impl Out for Outlet<'_> {
    fn tuple(&self) -> &FourTuple {
        self.tuple
    }

    fn pool(&mut self) -> &mut FramePool {
        self.pool
    }

    fn send(&mut self, packet: FrameBuffer, _: bool) {
        self.sent.push(packet);
    }

    fn count(&mut self, _: Counted) {}

    fn state_changed(&mut self, _: TcpState, to: TcpState) {
        self.states.push(to);
    }
}

impl Pair {
    /// Both as Linux has them, with `delay` one way.
    pub(super) fn linux(delay: u64) -> Pair {
        Pair::with(&HostOptions::linux(), delay)
    }

    pub(super) fn with(host: &HostOptions, delay: u64) -> Pair {
        let tuple =
            FourTuple::new("10.0.0.1:40000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        let side = |tuple: FourTuple, seed| Side {
            tuple,
            shared: Shared::new(host.tcp_limits(), seed),
            options: host.tcp(),
            engine: None,
            received: 0,
            reads: true,
            unwritten: 0,
            closes: false,
            states: Vec::new(),
        };
        let path = || Path {
            delay,
            rate: 0,
            queue: 100_000,
            marks_from: usize::MAX,
            most_waiting: 0,
            lost_data: Vec::new(),
            late_data: Vec::new(),
            lost_bare: Vec::new(),
            free_at: 0,
            departures: VecDeque::new(),
            data: 0,
            bare: 0,
        };
        Pair {
            now: SECOND,
            sides: [side(tuple, 1), side(tuple.reversed(), 2)],
            paths: [path(), path()],
            arrivals: BTreeMap::new(),
            next: 0,
            pool: FramePool::default(),
            wire: Vec::new(),
        }
    }

    /// No SYN offers SACK from here on.
    pub(super) fn forbid_sack(&mut self) {
        self.sides.iter_mut().for_each(|side| side.shared.limits.sack = false);
    }

    pub(super) fn options(&mut self, side: usize) -> &mut TcpOptions {
        &mut self.sides[side].options
    }

    /// Both are connected, and the count of packets and the record of the wire begin here.
    pub(super) fn connected(mut self) -> Pair {
        self.connect();
        self.run_for(self.paths[0].delay * 4 + MS);
        assert_eq!(self.state(CLIENT), TcpState::Established);
        assert_eq!(self.state(SERVER), TcpState::Established);
        self.forget_the_past();
        self
    }

    /// The count of packets and the record of the wire begin here.
    pub(super) fn forget_the_past(&mut self) {
        self.wire.clear();
        self.paths.iter_mut().for_each(|path| (path.data, path.bare) = (0, 0));
    }

    pub(super) fn connect(&mut self) {
        let Side { tuple, shared, options, engine, .. } = &mut self.sides[CLIENT];
        *engine = Engine::connect(self.now, shared, *tuple, options, None, None);
        self.act(CLIENT, |_, _| {});
    }

    pub(super) fn state(&self, side: usize) -> TcpState {
        self.sides[side].engine.as_ref().map_or(TcpState::Closed, Engine::state)
    }

    pub(super) fn is_over(&self, side: usize) -> bool {
        self.sides[side].engine.as_ref().is_none_or(Engine::is_over)
    }

    /// Bytes that a side has read.
    pub(super) fn received(&self, side: usize) -> u64 {
        self.sides[side].received
    }

    pub(super) fn reads(&mut self, side: usize, reads: bool) {
        self.sides[side].reads = reads;
        if reads {
            self.read(side);
        }
    }

    /// Writes `len` bytes, as there is room for them.
    pub(super) fn write(&mut self, side: usize, len: usize) {
        self.sides[side].unwritten += len;
        self.write_on(side);
    }

    /// Closes when everything is written.
    pub(super) fn close(&mut self, side: usize) {
        self.sides[side].closes = true;
        self.write_on(side);
    }

    fn write_on(&mut self, side: usize) {
        while self.sides[side].unwritten > 0 {
            let Side { shared, engine, unwritten, .. } = &mut self.sides[side];
            let bytes = vec![0x5a; (*unwritten).min(65_536)];
            let Some(engine) = engine else { return };
            let written = engine.write(shared, [&bytes[..]].into_iter());
            let taken = written.map_or(0, |written| written.taken);
            *unwritten -= taken;
            self.act(side, |_, _| {});
            if taken == 0 {
                return;
            }
        }
        if std::mem::take(&mut self.sides[side].closes) {
            self.act(side, |engine, env| engine.close(env));
        }
    }

    fn read(&mut self, side: usize) {
        let Side { shared, engine: Some(engine), received, reads: true, .. } =
            &mut self.sides[side]
        else {
            return;
        };
        let mut buffer = [0; 4_096];
        let before = *received;
        while let Some(len) = engine.read(shared, &mut buffer).filter(|len| *len > 0) {
            assert!(buffer[..len].iter().all(|byte| *byte == 0x5a));
            *received += len as u64;
        }
        if *received > before && engine.owes_window_update() {
            self.act(side, |_, _| {});
        }
    }

    fn act(&mut self, side: usize, act: impl FnOnce(&mut Engine, &mut Env<'_, Outlet<'_>>)) {
        let now = self.now;
        let Side { tuple, shared, engine, states, .. } = &mut self.sides[side];
        let Some(engine) = engine else { return };
        let mut out = Outlet { tuple, pool: &mut self.pool, sent: Vec::new(), states };
        let mut env = Env { now, shared, out: &mut out };
        act(engine, &mut env);
        engine.on_deadline(&mut env);
        engine.transmit(&mut env);
        for frame in out.sent {
            self.depart(side, frame);
        }
    }

    fn depart(&mut self, from: usize, mut frame: FrameBuffer) {
        frame.fill_checksums();
        let (_, segment) = Segment::parse(frame.packet(), Checksum::Unverified).unwrap();
        let path = &mut self.paths[from];
        let is_data = segment.payload_len > 0 || segment.fin;
        let (count, lost) = if is_data {
            (&mut path.data, &path.lost_data)
        } else {
            (&mut path.bare, &path.lost_bare)
        };
        *count += 1;
        let is_lost = lost.contains(count);
        let late = path.late_data.iter().find(|(number, _)| is_data && number == count);
        let late = late.map_or(0, |(_, late)| *late);
        let full = path.departures.len() >= path.queue;
        while path.departures.front().is_some_and(|departure| *departure <= self.now) {
            path.departures.pop_front();
        }
        let is_lost = is_lost || (full && path.departures.len() >= path.queue);
        self.wire.push(OnWire { at: self.now, from, len: segment.payload_len, fin: segment.fin });
        if is_lost {
            return;
        }
        let bits = (frame.len() as u64 + 4) * 8;
        let takes = (bits * SECOND).checked_div(path.rate).unwrap_or(0);
        path.free_at = path.free_at.max(self.now) + takes;
        path.departures.push_back(path.free_at);
        path.most_waiting = path.most_waiting.max(path.departures.len());
        if path.departures.len() > path.marks_from && ecn(frame.packet()) != 0 {
            frame.packet_mut()[1] |= CE;
        }
        let at = path.free_at + path.delay + late;
        self.next += 1;
        self.arrivals.insert((at, self.next), (1 - from, frame));
    }

    fn arrive(&mut self, side: usize, frame: &FrameBuffer) {
        let parsed = Segment::parse(frame.packet(), Checksum::Verified);
        let Some((tuple, segment)) = parsed else { return };
        let Side { shared, engine, options, .. } = &mut self.sides[side];
        if engine.is_none() && segment.syn && segment.ack.is_none() {
            *engine = Some(Engine::listen(self.now, shared, tuple, options, None));
        }
        self.act(side, |engine, env| {
            engine.on_segment(env, &segment, frame.packet());
        });
        self.read(side);
        self.write_on(side);
    }

    /// The ends of a side's connection, and SND.UNA, SND.NXT and RCV.NXT.
    pub(super) fn numbers(&self, side: usize) -> Option<(FourTuple, [Seq; 3])> {
        let Side { tuple, engine, .. } = &self.sides[side];
        let status = engine.as_ref().filter(|engine| !engine.is_over())?.status();
        Some((*tuple, [status.snd_una, status.snd_nxt, status.rcv_nxt]))
    }

    /// A packet that nobody sent arrives.
    pub(super) fn inject(&mut self, side: usize, packet: &[u8]) {
        let mut frame = self.pool.take(ETHERNET_HEADER + packet.len());
        frame.packet_mut().copy_from_slice(packet);
        self.arrive(side, &frame);
        self.pool.give_back(frame);
    }

    fn next_event(&self) -> Option<u64> {
        let deadlines = self.sides.iter().filter_map(|side| side.engine.as_ref()?.deadline().get());
        let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
        deadlines.chain(arrival).min()
    }

    /// Goes on until `until` holds, and tells when; for an hour at most.
    pub(super) fn run_until(&mut self, until: impl Fn(&Pair) -> bool) -> u64 {
        let end = self.now + 3_600 * SECOND;
        while !until(self) {
            let at = self.next_event().expect("something is to come");
            assert!(at <= end, "it takes too long");
            self.step(at);
        }
        self.now
    }

    pub(super) fn run_for(&mut self, time: u64) {
        let end = self.now + time;
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
    }

    fn step(&mut self, at: u64) {
        self.now = self.now.max(at);
        while let Some(((at, _), _)) = self.arrivals.first_key_value()
            && *at <= self.now
        {
            let Some((_, (side, frame))) = self.arrivals.pop_first() else { break };
            self.arrive(side, &frame);
            self.pool.give_back(frame);
        }
        for side in [CLIENT, SERVER] {
            let is_due =
                |side: &Side| side.engine.as_ref().is_some_and(|it| it.deadline().is_due(at));
            if is_due(&self.sides[side]) {
                self.act(side, |_, _| {});
                self.write_on(side);
            }
        }
    }

    /// What one side sent with data in it, or a FIN: when, in milliseconds from `since`.
    pub(super) fn data_times(&self, from: usize, since: u64) -> Vec<u64> {
        let sent = self.wire.iter().filter(|it| it.from == from && (it.len > 0 || it.fin));
        sent.map(|it| (it.at - since) / MS).collect()
    }

    /// Milliseconds until a side has received `len` bytes.
    pub(super) fn arrives(&mut self, side: usize, len: u64) -> u64 {
        let began = self.now;
        self.run_until(|pair| pair.received(side) >= len);
        (self.now - began) / MS
    }
}
