//! One host, one connection, and a peer that sends what it likes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use glassnet::net::socket::Socket;
use glassnet::peer::{Event, Segment, Wire};
use glassnet::{CongestionControl, HostOptions, TcpEngine};

use crate::random::Random;

const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 80;
const PEER_PORT: u16 = 40_000;
/// Segments that one event may be answered with, beside one for each byte that was written.
const MAX_ANSWERS: usize = 3_000;

/// The byte at a place of a stream.
fn byte_at(at: u32) -> u8 {
    (at.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

struct World {
    wire: Wire,
    random: Random,
    host: SocketAddr,
    peer: SocketAddr,
    socket: Option<Socket>,
    listener: Option<Socket>,
    /// The host's numbers as its segments show them: the first, SND.NXT, RCV.NXT and the edge of its
    /// window.
    iss: Option<u32>,
    snd_nxt: u32,
    rcv_nxt: u32,
    edge: u32,
    scale: u8,
    timestamp: u32,
    /// The peer's first number.
    irs: u32,
    written: u32,
    read: u32,
}

pub fn run(seed: u64, engine: TcpEngine) {
    let mut random = Random::new(seed);
    let options = options(&mut random, engine);
    let wire = Wire::builder(seed)
        .address(HOST, 16)
        .peer_address(PEER)
        .start(Duration::from_secs(1))
        .host_options(options)
        .build()
        .expect("a host can be had");
    let mut world = World {
        wire,
        host: (HOST, PORT).into(),
        peer: (PEER, PEER_PORT).into(),
        socket: None,
        listener: None,
        iss: None,
        snd_nxt: random.word() as u32,
        rcv_nxt: 0,
        edge: 0,
        scale: 0,
        timestamp: random.word() as u32,
        irs: random.word() as u32,
        written: 0,
        read: 0,
        random,
    };
    world.rcv_nxt = world.irs.wrapping_add(1);
    world.open();
    for _ in 0..80 {
        world.step();
    }
    if let Some(listener) = world.listener.take() {
        world.wire.close(listener);
    }
    // Whatever has happened: it comes to rest.
    world.wire.advance(Duration::from_secs(7_200)).expect("nothing goes on without end");
    world.note_events();
}

fn options(random: &mut Random, engine: TcpEngine) -> HostOptions {
    let options = match engine {
        TcpEngine::Glassnet if random.once_in(2) => HostOptions::linux(),
        engine => HostOptions::default()
            .tcp_engine(engine)
            .recv_buffer(random.one_of(&[1, 700, 4_000, 65_535, 1 << 20]))
            .send_buffer(random.one_of(&[1, 700, 4_000, 98_304])),
    };
    let control = [CongestionControl::Reno, CongestionControl::Cubic, CongestionControl::None];
    options
        .congestion_control(random.one_of(&control))
        .mtu(random.one_of(&[100, 576, 1_500, 9_000]))
        .syn_backlog(random.one_of(&[1, 1_024]))
}

impl World {
    /// The peer connects, or the host does.
    fn open(&mut self) {
        if self.random.once_in(3) {
            let to = SocketAddr::from((PEER, PEER_PORT));
            self.host.set_port(0);
            self.socket = self.wire.connect(to).ok();
            self.note_events();
            let syn_ack = self.random.once_in(2);
            let mut syn = Segment::new(self.peer, self.host).seq(self.irs).syn();
            syn.ack = syn_ack.then_some(self.snd_nxt);
            syn.options = self.syn_options();
            self.inject(&syn);
        } else {
            let listener = self.wire.listen(self.host, 4).expect("nobody else listens");
            let mut syn = Segment::new(self.peer, self.host).seq(self.irs).syn();
            syn.options = self.syn_options();
            self.inject(&syn);
            if !self.random.once_in(4) {
                let mut ack = self.expected();
                ack.options = Vec::new();
                self.inject(&ack);
            }
            self.socket = self.wire.accept(&listener).ok();
            if self.random.once_in(3) {
                self.wire.close(listener);
                self.note_events();
            } else {
                self.listener = Some(listener);
            }
        }
    }

    fn syn_options(&mut self) -> Vec<u8> {
        let mut options = vec![2, 4, 0, 0];
        let mss = self.random.one_of(&[0u16, 1, 48, 536, 1_460, 65_535]);
        options[2..].copy_from_slice(&mss.to_be_bytes());
        if self.random.once_in(2) {
            options.extend([4, 2]);
            options.extend(self.timestamps());
            options.extend([1, 3, 3, self.random.up_to(16) as u8]);
        }
        if self.random.once_in(8) {
            options.truncate(self.random.up_to(options.len() as u64) as usize);
        }
        options
    }

    fn timestamps(&mut self) -> Vec<u8> {
        let back = self.random.one_of(&[0, 0, 0, 1, 1_000, u32::MAX, 1 << 31]);
        self.timestamp = self.timestamp.wrapping_add(self.random.up_to(2) as u32);
        let mut option = vec![8, 10];
        option.extend(self.timestamp.wrapping_sub(back).to_be_bytes());
        option.extend((self.random.word() as u32).to_be_bytes());
        option
    }

    fn expected(&self) -> Segment {
        Segment::new(self.peer, self.host).seq(self.rcv_nxt).ack(self.snd_nxt)
    }

    fn step(&mut self) {
        match self.random.up_to(11) {
            0 => {
                let len = self.random.one_of(&[1, 100, 3_000, 20_000]);
                let data: Vec<u8> = (0..len).map(|at| byte_at(self.written + at)).collect();
                if let Some(socket) = &self.socket
                    && let Ok(len) = self.wire.write(socket, &data)
                {
                    self.written += len as u32;
                }
                self.note_events();
            }
            1 => self.read(),
            2 if self.random.once_in(6) => {
                if let Some(socket) = self.socket.take() {
                    self.wire.close(socket);
                    self.note_events();
                }
            }
            3 => {
                let time = self.random.one_of(&[1, 40, 210, 1_000, 70_000]);
                self.wire.advance(Duration::from_millis(time)).expect("time passes");
                self.note_events();
            }
            4 => {
                // Some at once.
                let burst: Vec<Segment> =
                    (0..self.random.up_to(20)).map(|_| self.any_segment()).collect();
                self.wire.inject_burst(&burst);
                self.note_events();
            }
            _ => {
                let segment = self.any_segment();
                self.inject(&segment);
            }
        }
    }

    /// What the application reads is what the peer has sent, from the first byte on.
    fn read(&mut self) {
        let Some(socket) = &self.socket else { return };
        if let Ok(data) = self.wire.read(socket) {
            for byte in data {
                assert_eq!(byte, byte_at(self.read), "byte {} of what is read", self.read);
                self.read += 1;
            }
        }
        self.note_events();
    }

    fn inject(&mut self, segment: &Segment) {
        self.wire.inject(segment);
        self.note_events();
    }

    /// What the host sends is what was written, byte by byte, and it is not too much of it.
    fn note_events(&mut self) {
        let events = self.wire.take_events();
        let mut answers = 0;
        for event in events {
            let Event::Sent(frame) = event else { continue };
            let Some(segment) = frame.segment() else { continue };
            answers += 1;
            if segment.rst {
                continue;
            }
            if segment.syn && self.iss.is_none() {
                self.iss = Some(segment.seq);
                self.snd_nxt = segment.seq;
                self.host = segment.source;
                self.scale = segment.window_scale().unwrap_or(0);
            }
            let Some(iss) = self.iss else { continue };
            let first = segment.seq.wrapping_sub(iss).wrapping_sub(1);
            for (at, byte) in segment.payload.iter().enumerate() {
                let at = first.wrapping_add(at as u32);
                assert!(at < self.written, "byte {at} was never written");
                assert_eq!(*byte, byte_at(at), "byte {at} of what is sent");
            }
            if segment.end().wrapping_sub(self.snd_nxt).cast_signed() > 0 {
                self.snd_nxt = segment.end();
            }
            if let Some(ack) = segment.ack {
                let scale = if segment.syn { 0 } else { self.scale };
                self.edge = ack.wrapping_add(u32::from(segment.window) << scale);
                self.rcv_nxt = ack;
            }
        }
        assert!(answers < MAX_ANSWERS + self.written as usize, "{answers} segments at once");
    }

    /// A number near one of `around`, or any.
    fn near(&mut self, around: &[u32]) -> u32 {
        let center = self.random.one_of(around);
        match self.random.up_to(12) {
            0 => self.random.word() as u32,
            1..=7 => center,
            8 => center.wrapping_add(self.random.up_to(3) as u32),
            9 => center.wrapping_sub(self.random.up_to(3) as u32),
            10 => center.wrapping_sub(self.random.up_to(70_000) as u32),
            _ => center.wrapping_add(self.random.up_to(70_000) as u32),
        }
    }

    fn any_segment(&mut self) -> Segment {
        let iss = self.iss.unwrap_or(0);
        let seq = self.near(&[self.rcv_nxt, self.rcv_nxt, self.rcv_nxt, self.edge, self.irs]);
        let ack = self.near(&[self.snd_nxt, self.snd_nxt, self.snd_nxt.wrapping_sub(1_000), iss]);
        let mut segment = Segment::new(self.peer, self.host).seq(seq).ack(ack);
        if self.random.once_in(10) {
            segment = segment.without_ack();
        }
        segment.syn = self.random.once_in(15);
        segment.fin = self.random.once_in(8);
        // One that is believed ends it too soon.
        segment.rst = self.random.once_in(60);
        segment.psh = self.random.once_in(2);
        segment.urg = self.random.once_in(20);
        segment.ece = self.random.once_in(20);
        segment.cwr = self.random.once_in(20);
        segment.window = match self.random.up_to(3) {
            0 => 0,
            1 => self.random.up_to(100) as u16,
            _ => self.random.up_to(65_535) as u16,
        };
        if !self.random.once_in(3) {
            let len = match self.random.up_to(2) {
                0 => self.random.up_to(3),
                1 => self.random.up_to(60),
                _ => self.random.up_to(5_000),
            };
            // Of each number always the same byte.
            let first = seq.wrapping_sub(self.irs).wrapping_sub(1);
            let first = first.wrapping_add(u32::from(segment.syn));
            segment.payload = (0..len as u32).map(|at| byte_at(first.wrapping_add(at))).collect();
        }
        segment.options = self.any_options();
        segment
    }

    fn any_options(&mut self) -> Vec<u8> {
        let mut options = Vec::new();
        for _ in 0..self.random.up_to(3) {
            match self.random.up_to(6) {
                0 => options.push(1),
                1..=3 => options.extend(self.timestamps()),
                4 | 5 => {
                    let blocks = self.random.up_to(4) as u8;
                    options.extend([5, 2 + 8 * blocks]);
                    for _ in 0..2 * blocks {
                        let number = self.near(&[self.snd_nxt, self.snd_nxt.wrapping_sub(3_000)]);
                        options.extend(number.to_be_bytes());
                    }
                }
                _ => options.extend([self.random.word() as u8, self.random.up_to(12) as u8]),
            }
        }
        options.truncate(40);
        options
    }
}
