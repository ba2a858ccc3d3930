//! A world of two hosts and one connection, as a seed draws it.

use std::fmt;
use std::time::Duration;

use glassnet::CongestionControl;

use super::draw::Draw;
use super::knobs::{Stack, Way};

pub(crate) const NAMES: [&str; 2] = ["client", "server"];

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) ipv6: bool,
    /// The client and the server.
    pub(crate) ends: [End; 2],
    /// From the client to the server, and back.
    pub(crate) ways: [Way; 2],
    /// From when, and for how long, neither host hears the other.
    pub(crate) outage: Option<(Duration, Duration)>,
    /// When the network heals, and what it does from then on.
    pub(crate) heals_at: Duration,
    pub(crate) healed: Way,
}

/// A host and its application.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) stack: Stack,
    /// What it sends in all, in writes of up to `write_chunk` bytes with pauses up to `write_pause`.
    pub(crate) bytes: u64,
    pub(crate) write_chunk: u64,
    pub(crate) write_pause: Duration,
    /// It begins to read after this, up to `read_chunk` bytes at a time.
    pub(crate) read_after: Duration,
    pub(crate) read_chunk: u64,
    pub(crate) read_pause: Duration,
    pub(crate) close: Close,
    /// It shuts down by dropping its writing half.
    pub(crate) drops_half: bool,
}

/// When an end shuts its sending side down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    AfterWriting,
    /// It has written everything, and waits for the peer's end of the stream.
    AfterPeer,
    /// It writes its second half only after the peer's end of the stream.
    HalfAfterPeer,
}

impl Plan {
    /// A clean link and default options; the client sends `bytes`, the server nothing.
    pub(crate) fn plain(seed: u64, bytes: u64) -> Plan {
        let end = |bytes| End {
            stack: Stack::default(),
            bytes,
            write_chunk: u64::MAX,
            write_pause: Duration::ZERO,
            read_after: Duration::ZERO,
            read_chunk: 65_536,
            read_pause: Duration::ZERO,
            close: Close::AfterWriting,
            drops_half: false,
        };
        Plan {
            seed,
            ipv6: false,
            ends: [end(bytes), end(0)],
            ways: [Way::default(), Way::default()],
            outage: None,
            heals_at: Duration::from_secs(60),
            healed: Way::default(),
        }
    }

    /// Everything is drawn from the seed.
    pub(crate) fn drawn(seed: u64) -> Plan {
        let mut draw = Draw::new(seed);
        let ipv6 = draw.percent(30);
        let mut stacks = [stack(&mut draw, ipv6), stack(&mut draw, ipv6)];
        if draw.percent(40) {
            stacks[1].mtu = stacks[0].mtu;
        }
        let first = way(&mut draw);
        let mut ways = [first.clone(), first];
        if draw.percent(25) {
            ways[1] = way(&mut draw);
        }
        let heals_at = match draw.between(0, 3) {
            0 => Duration::from_millis(draw.log_between(1, 120_000)),
            _ => Duration::from_secs(60),
        };
        let delay = if draw.percent(80) { ways[0].delay } else { Duration::ZERO };
        let healed = Way::after(delay);
        let [client, server] = stacks;
        let mut ends = [end(&mut draw, client.clone(), &server), end(&mut draw, server, &client)];
        for end in 0..2 {
            // However slow the reader, it takes some hundreds of reads.
            let least = ends[1 - end].bytes / 200;
            ends[end].read_chunk = ends[end].read_chunk.max(least);
        }
        // One of them must end first.
        if ends.iter().all(|end| end.close != Close::AfterWriting) {
            ends[draw.between(0, 1) as usize].close = Close::AfterWriting;
        }
        Plan { seed, ipv6, ends, ways, outage: None, heals_at, healed }
    }

    /// The same, and for a while neither hears the other.
    pub(crate) fn with_outage(seed: u64) -> Plan {
        let mut plan = Plan::drawn(seed);
        let mut draw = Draw::new(!seed);
        let from = Duration::from_micros(draw.log_between(100, 60_000_000));
        for end in &mut plan.ends {
            // Few of the usual ones are left after an outage of the handshake.
            end.stack.handshake_retries = Some(12);
        }
        plan.outage = Some((from, Duration::from_micros(draw.log_between(1_000, 20_000_000))));
        plan
    }

    /// The same, but a large buffer whose window is scaled is just filled, or just not, before a
    /// late reader begins.
    pub(crate) fn with_full_buffer(seed: u64) -> Plan {
        let mut plan = Plan::drawn(seed);
        let mut draw = Draw::new(!seed);
        let window = draw.between(65_536, 1 << 20);
        let [sender, reader] = &mut plan.ends;
        sender.bytes = window + draw.between(0, 100) - 50;
        sender.write_chunk = 1 << 20;
        sender.stack.send_buffer = draw.log_between(4_096, 1 << 21) as usize;
        reader.stack.recv_buffer = window as usize;
        reader.read_after = Duration::from_millis(draw.between(1, 20_000));
        reader.read_chunk = draw.log_between(8_192, 1 << 20);
        for end in &mut plan.ends {
            end.stack.mtu = end.stack.mtu.max(1280);
        }
        plan
    }
}

fn stack(draw: &mut Draw, ipv6: bool) -> Stack {
    let least_mtu = if ipv6 { 1280 } else { 68 };
    let mtu = match draw.between(0, 3) {
        0 => least_mtu,
        1 => draw.one_of(&[1280, 1500, 9000, 9100]),
        _ => draw.log_between(least_mtu, 9100),
    };
    Stack {
        mtu: mtu as usize,
        recv_buffer: buffer(draw),
        send_buffer: buffer(draw),
        congestion_control: draw.one_of(&[
            CongestionControl::Reno,
            CongestionControl::Cubic,
            CongestionControl::None,
        ]),
        ack_delay: match draw.between(0, 3) {
            0 => None,
            1 => Some(Duration::from_millis(10)),
            2 => Some(Duration::from_millis(draw.between(0, 200))),
            _ => Some(Duration::from_micros(draw.log_between(1, 200_000))),
        },
        nagle: draw.percent(50),
        handshake_retries: None,
    }
}

fn buffer(draw: &mut Draw) -> usize {
    let bytes = match draw.between(0, 9) {
        0 => draw.one_of(&[65_535, 65_536, 131_072, 1 << 20]),
        1..=4 => draw.log_between(1, 1 << 20),
        _ => draw.log_between(1, 4_999),
    };
    bytes as usize
}

/// Each family is absent from half of the worlds, so that it is also seen what the others do alone.
fn way(draw: &mut Draw) -> Way {
    let mut probability = |most: u64| {
        let permille = if draw.percent(50) { draw.between(1, most) } else { 0 };
        permille as f64 / 1000.0
    };
    let (loss, duplicate, reorder) = (probability(80), probability(300), probability(300));
    let delay = if draw.percent(35) { 0 } else { draw.log_between(10, 50_000) };
    let jitter = if draw.percent(30) { draw.log_between(1, 20_000) } else { 0 };
    let mut way = Way {
        delay: Duration::from_micros(delay),
        jitter: Duration::from_micros(jitter),
        loss,
        duplicate,
        reorder,
        ..Way::default()
    };
    if draw.percent(30) {
        way.rate = Some(draw.log_between(64_000, 1_000_000_000));
        way.queue = draw.log_between(1, 1000) as usize;
    }
    way
}

fn end(draw: &mut Draw, stack: Stack, peer: &Stack) -> End {
    let window = peer.recv_buffer as u64;
    // A window of 1 byte costs a timeout a byte.
    let most = (500 * window.min(stack.send_buffer as u64)).min(60_000);
    let bytes = match draw.between(0, 9) {
        0 => 0,
        // It just fills the peer's buffer, or just does not.
        1 | 2 => (window + draw.between(0, 60)).saturating_sub(30).clamp(1, most),
        3 | 4 => most,
        _ => draw.log_between(1, most),
    };
    let chunk = |draw: &mut Draw, all: u64| match draw.between(0, 2) {
        0 => 65_536,
        _ => draw.log_between(1, 8_192).max(all / 200).max(1),
    };
    let pause = |draw: &mut Draw| match draw.between(0, 2) {
        0 => Duration::from_micros(draw.log_between(1, 1_000_000)),
        _ => Duration::ZERO,
    };
    End {
        bytes,
        write_chunk: chunk(draw, bytes),
        write_pause: pause(draw),
        read_after: match draw.between(0, 2) {
            0 => Duration::from_micros(draw.log_between(1, 20_000_000)),
            _ => Duration::ZERO,
        },
        read_chunk: chunk(draw, 0),
        read_pause: pause(draw),
        close: draw.one_of(&[
            Close::AfterWriting,
            Close::AfterWriting,
            Close::AfterPeer,
            Close::HalfAfterPeer,
        ]),
        drops_half: draw.percent(30),
        stack,
    }
}

/// One line.
impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.ipv6 { "IPv6" } else { "IPv4" };
        write!(formatter, "{version}")?;
        for (name, end) in NAMES.iter().zip(&self.ends) {
            write!(formatter, " | {name} {end}")?;
        }
        let ways = [("there", &self.ways[0]), ("back", &self.ways[1]), ("healed", &self.healed)];
        for (name, way) in ways {
            let Way { delay, jitter, loss, duplicate, reorder, rate, queue } = way;
            write!(formatter, " | {name}: delay {delay:?}")?;
            if !jitter.is_zero() {
                write!(formatter, " jitter {jitter:?}")?;
            }
            for (what, probability) in
                [("loss", loss), ("duplicate", duplicate), ("reorder", reorder)]
            {
                if *probability > 0.0 {
                    write!(formatter, " {what} {probability}")?;
                }
            }
            if let Some(rate) = rate {
                write!(formatter, " rate {rate} queue {queue}")?;
            }
        }
        write!(formatter, " after {:?}", self.heals_at)?;
        if let Some((from, lasts)) = self.outage {
            write!(formatter, " | outage from {from:?} for {lasts:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stack { mtu, recv_buffer, send_buffer, congestion_control, ack_delay, nagle, .. } =
            &self.stack;
        write!(
            formatter,
            "mtu {mtu} recv {recv_buffer} send {send_buffer} {congestion_control:?} ack {ack_delay:?} \
             nagle {nagle}; writes {} by {} pause {:?}; reads after {:?} by {} pause {:?}; \
             closes {:?}{}",
            self.bytes,
            self.write_chunk,
            self.write_pause,
            self.read_after,
            self.read_chunk,
            self.read_pause,
            self.close,
            if self.drops_half { " by drop" } else { "" }
        )
    }
}
