//! A connection as the script numbers it, and as it is on the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::script::{Body, Packet, Tcp, Way};
use crate::peer::{Segment, TcpOption};

/// Timestamps of the script that are remembered.
const MAX_TIMESTAMPS: usize = 65_536;

/// What a flow carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
    Icmp,
}

/// How far the script has come with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Listening,
    /// `connect` was called; the script has not shown the first packet.
    Connecting,
    SynSent,
    SynAcked,
    /// A SYN was injected for a listener.
    SynReceived,
    SynAckSent,
    Accepted,
}

/// A socket of the script, and the packets of its connection.
///
/// Numbers in segments with SYN are the script's own; in others they count from the SYN, as tcpdump
/// shows them.
pub(super) struct Flow {
    pub(super) transport: Transport,
    pub(super) phase: Phase,
    /// The script's descriptor.
    pub(super) fd: Option<i64>,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: SocketAddr,
    /// The peer's first sequence number, which the script gives.
    remote_isn: u32,
    script_local_isn: u32,
    live_local_isn: u32,
    /// TSvals of the host, by those of the script.
    timestamps: BTreeMap<u32, u32>,
    /// The first TSval: of the script, and of the host.
    first_timestamps: Option<(u32, u32)>,
}

impl Flow {
    pub(super) fn new(transport: Transport, fd: Option<i64>, remote: SocketAddr) -> Flow {
        Flow {
            transport,
            phase: Phase::New,
            fd,
            local: None,
            remote,
            remote_isn: 0,
            script_local_isn: 0,
            live_local_isn: 0,
            timestamps: BTreeMap::new(),
            first_timestamps: None,
        }
    }

    /// The connection that begins with a SYN for a listener.
    pub(super) fn of_syn(tcp: &Tcp, local: SocketAddr, remote: SocketAddr) -> Flow {
        Flow {
            phase: Phase::SynReceived,
            local: Some(local),
            remote_isn: tcp.seq,
            ..Flow::new(Transport::Tcp, None, remote)
        }
    }

    /// Whether it could send or receive such a packet.
    pub(super) fn can_carry(&self, packet: &Packet) -> bool {
        match (&packet.body, self.transport) {
            (Body::Icmp(_), _)
            | (Body::Tcp(_), Transport::Tcp)
            | (Body::Udp { .. }, Transport::Udp) => true,
            _ => packet.ports.is_some(),
        }
    }

    /// What the script says next: numbers that begin with it are noted.
    pub(super) fn note_script(&mut self, packet: &Packet) {
        let Body::Tcp(tcp) = &packet.body else { return };
        match (packet.way, self.phase) {
            (Way::Out, Phase::Connecting) if tcp.flags.syn && !tcp.flags.ack => {
                self.phase = Phase::SynSent;
                self.script_local_isn = tcp.seq;
            }
            (Way::Out, Phase::SynReceived) if tcp.flags.syn && tcp.flags.ack => {
                self.script_local_isn = tcp.seq;
            }
            (Way::In, Phase::SynAckSent) if tcp.flags.ack => self.phase = Phase::Accepted,
            (Way::In, Phase::SynSent) if tcp.flags.syn => {
                // Without ACK both ends have opened at once.
                if tcp.flags.ack {
                    self.phase = Phase::SynAcked;
                }
                self.remote_isn = tcp.seq;
            }
            _ => {}
        }
    }

    /// A segment that the host has sent for this flow.
    pub(super) fn note_sent(&mut self, segment: &Segment) {
        let is_first = match self.phase {
            Phase::SynReceived => segment.syn && segment.ack.is_some(),
            Phase::SynSent => segment.syn && self.local.is_none(),
            _ => false,
        };
        if is_first {
            self.live_local_isn = segment.seq;
            self.local = Some(segment.source);
            if self.phase == Phase::SynReceived {
                self.phase = Phase::SynAckSent;
            }
        }
    }

    fn local_offset(&self, syn: bool) -> u32 {
        match syn {
            true => self.live_local_isn.wrapping_sub(self.script_local_isn),
            false => self.live_local_isn,
        }
    }

    fn remote_offset(&self, syn: bool) -> u32 {
        if syn { 0 } else { self.remote_isn }
    }

    /// The host's segment in the numbers of the script. `script` is what is expected there.
    pub(super) fn translate_to_script(&mut self, segment: &mut Segment, script: &Tcp) {
        let syn = segment.syn;
        segment.seq = segment.seq.wrapping_sub(self.local_offset(syn));
        let remote = self.remote_offset(syn);
        segment.ack = segment.ack.map(|ack| ack.wrapping_sub(remote));
        let expected = script.options.iter().flatten().find_map(timestamp);
        let actual = segment.timestamps();
        let mut options = segment.tcp_options();
        for option in &mut options {
            match option {
                TcpOption::Sack(blocks) => {
                    for (left, right) in blocks {
                        *left = left.wrapping_sub(remote);
                        *right = right.wrapping_sub(remote);
                    }
                }
                TcpOption::Timestamps { value, .. } => {
                    *value = self.timestamp_to_script(*value, expected.map(|(value, _)| value));
                }
                _ => {}
            }
        }
        if let (Some((expected, _)), Some((value, _))) = (expected, actual)
            && self.timestamps.len() < MAX_TIMESTAMPS
        {
            self.timestamps.insert(expected, value);
        }
        rewrite(segment, &options);
    }

    fn timestamp_to_script(&mut self, value: u32, expected: Option<u32>) -> u32 {
        if let (None, Some(expected)) = (self.first_timestamps, expected) {
            self.first_timestamps = Some((expected, value));
        }
        let first = self.first_timestamps;
        first.map_or(value, |(script, live)| script.wrapping_add(value.wrapping_sub(live)))
    }

    /// A segment of the script in the numbers of the wire.
    pub(super) fn to_live(&self, tcp: &Tcp, ecr_scaled: bool) -> Result<Segment, String> {
        let local = self.local.ok_or("the host's port is not known yet")?;
        let flags = tcp.flags;
        let mut segment = Segment::new(self.remote, local)
            .seq(tcp.seq.wrapping_add(self.remote_offset(flags.syn)))
            .window(tcp.window.unwrap_or(0))
            .urgent_pointer(tcp.urgent)
            .payload(vec![0; tcp.len.into()]);
        (segment.fin, segment.syn, segment.rst) = (flags.fin, flags.syn, flags.rst);
        (segment.psh, segment.urg) = (flags.psh, flags.urg);
        (segment.ece, segment.cwr) = (flags.ece, flags.cwr);
        let offset = self.local_offset(flags.syn);
        segment.ack = flags.ack.then(|| tcp.ack.wrapping_add(offset));
        for option in tcp.options.iter().flatten() {
            segment = segment.option(match option {
                TcpOption::Sack(blocks) => TcpOption::Sack(
                    blocks
                        .iter()
                        .map(|(left, right)| {
                            (left.wrapping_add(offset), right.wrapping_add(offset))
                        })
                        .collect(),
                ),
                TcpOption::Timestamps { value, echo } if flags.ack => {
                    let echo = self.echo_to_live(*echo, ecr_scaled)?;
                    TcpOption::Timestamps { value: *value, echo }
                }
                other => other.clone(),
            });
        }
        Ok(segment)
    }

    fn echo_to_live(&self, echo: u32, ecr_scaled: bool) -> Result<u32, String> {
        if let Some(live) = self.timestamps.get(&echo) {
            return Ok(*live);
        }
        if let Some((script, live)) = self.first_timestamps.filter(|_| ecr_scaled) {
            return Ok(live.wrapping_add(echo.wrapping_sub(script)));
        }
        Err(format!(
            "unable to infer live TS ecr for script TS ecr {echo}; no matching or preceding \
             outbound TS val"
        ))
    }

    /// The host's sequence number for one of the script, of a segment without SYN.
    pub(super) fn local_seq_to_live(&self, seq: u32) -> u32 {
        seq.wrapping_add(self.live_local_isn)
    }
}

fn timestamp(option: &TcpOption) -> Option<(u32, u32)> {
    match option {
        TcpOption::Timestamps { value, echo } => Some((*value, *echo)),
        _ => None,
    }
}

/// Gives a segment these options, which take as many bytes as those it has.
fn rewrite(segment: &mut Segment, options: &[TcpOption]) {
    let len = segment.options.len();
    let blank = Segment::new(segment.source, segment.destination);
    segment.options = options.iter().cloned().fold(blank, Segment::option).options;
    segment.options.resize(len, 0);
}

/// An address as packets have it: an IPv4-mapped one is of IPv4.
pub(super) fn on_wire(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
