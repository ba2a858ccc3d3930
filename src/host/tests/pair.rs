//! Two hosts joined by a wire of our choosing: what one host alone cannot show.

use std::net::{Ipv4Addr, SocketAddr};
use std::task::Poll;

use super::wire::{HOST, HOST_MAC, MILLISECOND, PEER, PEER_MAC, PORT, SECOND};
use crate::host::FlowId;
use crate::host::host::Host;
use crate::host::iface::Prefix;
use crate::host::options::HostOptions;
use crate::host::ports::Reuse;
use crate::rng::Seed;
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERTYPE_IPV4;
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::tcp::Segment;

/// One way takes this long.
const DELAY: u64 = 10 * MILLISECOND;

/// Two hosts, by index: 0 connects, 1 listens.
pub(super) struct Pair {
    pub(super) hosts: [Host; 2],
    pool: FramePool,
    pub(super) now: u64,
    /// What is on its way: when it arrives, where, and what it is.
    in_flight: Vec<(u64, usize, FrameBuffer)>,
    deadlines: [Option<u64>; 2],
    /// Whether a segment from a host is lost.
    pub(super) loses: fn(usize, &Segment) -> bool,
}

impl Pair {
    pub(super) fn new(options: &HostOptions) -> Pair {
        let host = |name: &str, mac, address| {
            let prefixes = [Prefix::new(address, 16)];
            Host::new(mac, &prefixes, options.clone(), Seed(7).stream(name))
        };
        Pair {
            hosts: [host("client", HOST_MAC, HOST), host("server", PEER_MAC, PEER)],
            pool: FramePool::default(),
            now: SECOND,
            in_flight: Vec::new(),
            deadlines: [None; 2],
            loses: |_, _| false,
        }
    }

    /// Runs for `duration`, and returns how many segments were sent.
    pub(super) fn run(&mut self, duration: u64) -> usize {
        let end = self.now + duration;
        let mut segments = 0;
        loop {
            for index in 0..2 {
                segments += self.turn(index);
            }
            let arrival = self.in_flight.iter().map(|(at, ..)| *at).min();
            let next = self.deadlines.into_iter().flatten().chain(arrival).min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
            while let Some(at) = self.in_flight.iter().position(|(at, ..)| *at <= self.now) {
                let (_, to, frame) = self.in_flight.remove(at);
                self.hosts[to].receive(self.now, frame, &mut self.pool);
            }
        }
        self.now = end;
        segments
    }

    fn turn(&mut self, index: usize) -> usize {
        self.deadlines[index] = self.hosts[index].poll(self.now, &mut self.pool);
        let (mut frames, mut segments) = (Vec::new(), 0);
        self.hosts[index].take_outbox(&mut frames, true);
        for frame in frames {
            let is_tcp = frame.bytes()[12..14] == ETHERTYPE_IPV4;
            segments += usize::from(is_tcp);
            if is_tcp
                && Segment::parse(frame.packet(), Checksum::Unverified)
                    .is_none_or(|(_, segment)| (self.loses)(index, &segment))
            {
                continue;
            }
            self.in_flight.push((self.now + DELAY, 1 - index, frame));
        }
        segments
    }

    /// A connection from host 0 to host 1.
    pub(super) fn connect(&mut self) -> [FlowId; 2] {
        let options = self.hosts[0].new_tcp_options();
        let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let (binding, local) =
            self.hosts[1].bind(self.now, local, Reuse::default(), false).unwrap();
        let listener = self.hosts[1].listen(local, binding, 8, options).unwrap();
        let remote = SocketAddr::from((PEER, PORT));
        let (client, _) = self.hosts[0].connect(self.now, None, remote, options).unwrap();
        self.run(SECOND);
        let Poll::Ready(Ok(accepted)) = self.hosts[1].poll_accept(listener, None) else {
            panic!("the connection is established");
        };
        [client, accepted.flow]
    }

    pub(super) fn write(&mut self, index: usize, flow: FlowId, data: &[u8]) -> usize {
        let now = self.now;
        match self.hosts[index].poll_write(now, flow, data, None) {
            Poll::Ready(written) => written.unwrap(),
            Poll::Pending => 0,
        }
    }

    /// Reads what there is; `None` at the end of the stream.
    pub(super) fn read(&mut self, index: usize, flow: FlowId) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 1 << 17];
        match self.hosts[index].poll_read(self.now, flow, &mut buffer, false, None) {
            Poll::Ready(Ok(0)) => None,
            Poll::Ready(read) => {
                buffer.truncate(read.unwrap());
                Some(buffer)
            }
            Poll::Pending => Some(Vec::new()),
        }
    }
}

#[test]
fn two_hosts_carry_a_stream_both_ways_and_close_it() {
    let mut pair = Pair::new(&HostOptions::default());
    let [client, server] = pair.connect();
    let data = super::wire::octets(200_000);
    let (mut written, mut echoed, mut received) = (0, Vec::new(), Vec::new());
    for _ in 0..2_000 {
        if written < data.len() {
            written += pair.write(0, client, &data[written..]);
        }
        echoed.extend(pair.read(1, server).unwrap());
        let sent = pair.write(1, server, &echoed);
        echoed.drain(..sent);
        received.extend(pair.read(0, client).unwrap());
        pair.run(5 * MILLISECOND);
    }
    assert!(received == data, "{} octets of {}", received.len(), data.len());
    for (index, flow) in [client, server].into_iter().enumerate() {
        let now = pair.now;
        pair.hosts[index].close(now, flow);
    }
    pair.run(120 * SECOND);
    assert_eq!((pair.hosts[0].sizes().connections, pair.hosts[1].sizes().connections), (0, 0));
}
