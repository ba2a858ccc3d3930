//! Packets onto the wire, and from it.

use std::net::IpAddr;

use super::clock::{Due, seconds, tolerance};
use super::error::{Step, Stop};
use super::flow::{Flow, Phase, Transport};
use super::run::Run;
use super::script::{Body, Icmp, IpInfo, Packet, Tcp, Tos};
use super::{describe, icmp, verify};
use crate::peer::{Datagram, Frame, IcmpMessage, Segment, TcpOption};

/// How long a packet is waited for after it was due, in nanoseconds.
const PATIENCE: u64 = 2_000_000_000;
/// How long one is waited for that may come at any time.
const MAX_WAIT: u64 = 3_600_000_000_000;
/// The largest payload of a frame whose network is Ethernet, less its headers.
const MAX_FRAME: u16 = 65_000;

impl Run<'_> {
    /// The flow that packets are about, which [`find_flow`](Run) has made sure of.
    fn under_test(&mut self) -> Step<&mut Flow> {
        self.current().ok_or_else(|| Stop::Failed("no socket under test".to_owned()))
    }

    // ---- In -----------------------------------------------------------------------------------

    pub(super) fn inject(&mut self, packet: &Packet) -> Step {
        let ecr_scaled = self.settings.ts_ecr_scaled;
        let ports = packet.ports;
        match &packet.body {
            Body::Tcp(tcp) => {
                let segment = self.under_test()?.to_live(tcp, ecr_scaled).map_err(Stop::Failed)?;
                let mut segment = with_ip(segment, packet.ip);
                if let Some((source, destination)) = ports {
                    segment.source.set_port(source);
                    segment.destination.set_port(destination);
                }
                self.inject_segment(&segment);
            }
            Body::Udp { len } => {
                let flow = self.under_test()?;
                let local = flow.local.ok_or_else(|| no_port(packet))?;
                let mut datagram = Datagram::new(flow.remote, local, vec![0; (*len).into()]);
                if let Some((source, destination)) = ports {
                    datagram.source.set_port(source);
                    datagram.destination.set_port(destination);
                }
                datagram.hop_limit = packet.ip.ttl.unwrap_or(255);
                datagram.traffic_class = tos_byte(packet.ip.tos);
                self.wire.inject(&datagram);
            }
            Body::Icmp(message) => {
                let message = self.icmp_message(message)?;
                self.wire.inject(&message);
            }
        }
        Ok(())
    }

    /// A segment, in several where a network card would have joined them.
    fn inject_segment(&mut self, segment: &Segment) {
        let mss = usize::from(self.settings.mss.unwrap_or(MAX_FRAME));
        if segment.payload.len() <= mss || segment.syn {
            return self.wire.inject(segment);
        }
        let count = segment.payload.len().div_ceil(mss);
        let parts = segment.payload.chunks(mss).enumerate().map(|(at, payload)| {
            let is_last = at + 1 == count;
            let mut part = segment.clone().seq(segment.seq.wrapping_add((at * mss) as u32));
            part.payload = payload.to_vec();
            part.fin &= is_last;
            part.psh &= is_last;
            part
        });
        let parts: Vec<Segment> = parts.collect();
        self.wire.inject_burst(&parts);
    }

    fn icmp_message(&mut self, message: &Icmp) -> Step<IcmpMessage> {
        let is_v6 = self.settings.is_v6();
        let flow = self.under_test()?;
        let message = icmp::to_live(message, flow, is_v6);
        message.map_err(Stop::Failed)
    }

    // ---- Out ------------------------------------------------------------------------------------

    pub(super) fn expect(&mut self, packet: &Packet, due: &Due) -> Step {
        let checked = match &packet.body {
            Body::Tcp(tcp) => self.expect_tcp(tcp, packet.ip, due),
            Body::Udp { len } => self.expect_udp(*len, packet.ip, due),
            Body::Icmp(message) => self.expect_icmp(message, packet.ip, due),
        };
        checked.map_err(|stop| match stop {
            Stop::Failed(why) => {
                let (first, rest) = why.split_once('\n').unwrap_or((&why, ""));
                let rest = if rest.is_empty() { String::new() } else { format!("\n{rest}") };
                let (time, script) = (seconds(due.from), describe::script(packet));
                Stop::Failed(format!("{first}\nscript packet: {time:>9} {script}{rest}"))
            }
            skipped @ Stop::Skipped(_) => skipped,
        })
    }

    /// The next frame of which `read` makes something; time passes until there is one.
    fn sniff<T>(
        &mut self,
        due: &Due,
        read: impl Fn(&mut Flow, &Frame) -> Option<T>,
    ) -> Step<(u64, T)> {
        let begin = self.now();
        let wait = match due.is_any() {
            true => MAX_WAIT,
            false => {
                let since = self.last_due().unwrap_or(0);
                due.to.unwrap_or(due.from).max(due.from).saturating_sub(since) + PATIENCE
            }
        };
        let limit = begin + wait;
        loop {
            while let Some(frame) = self.wire.next_frame() {
                let flow = self.under_test()?;
                if let Some(found) = read(flow, &frame) {
                    return Ok((frame.time.as_nanos(), found));
                }
            }
            let next = self.wire.deadline().map(|next| next.as_nanos());
            match next.filter(|next| *next <= limit) {
                Some(next) => self.advance_to(next)?,
                None if self.now() < limit => self.advance_to(limit)?,
                None => return Stop::failed("Timed out waiting for packet"),
            }
        }
    }

    fn expect_tcp(&mut self, script: &Tcp, ip: IpInfo, due: &Due) -> Step {
        let (at, mut whole) = self.sniff_segment(due, script)?;
        let (mut last_at, mut count) = (at, 1);
        let mut previous = whole.clone();
        let expected = usize::from(script.len);
        while whole.payload.len() < expected && !self.settings.strict_segments {
            let (at, next) = self.sniff_segment(due, script)?;
            let left = expected - whole.payload.len();
            let is_even =
                next.payload.len() >= left || next.payload.len() == previous.payload.len();
            let fits = verify::fragment(&next, &previous).and_then(|()| match is_even {
                true => Ok(()),
                false => Err(format!(
                    "fragment payload: expected {} bytes vs actual {} bytes; total payload: \
                     expected {expected} bytes vs actual {} bytes",
                    previous.payload.len(),
                    next.payload.len(),
                    whole.payload.len() + next.payload.len()
                )),
            });
            if let Err(why) = fits {
                let (first, second) = (describe::tcp(&previous), describe::tcp(&next));
                let (one, other) = (seconds(last_at), seconds(at));
                return Stop::failed(format!(
                    "{why}\nactual #{}: {one:>9} {first}\nactual #{count}: {other:>9} {second}",
                    count - 1
                ));
            }
            whole.payload.extend_from_slice(&next.payload);
            // As packetdrill has it: what is said by the last, but for its number and CWR. Linux sets
            // PSH on each packet that a card is to cut, and here is none.
            let Segment { payload, seq, cwr, .. } = whole;
            whole = Segment { payload, seq, cwr, psh: script.flags.psh, ..next.clone() };
            (last_at, previous, count) = (at, next, count + 1);
        }
        let checked = self
            .check_segment(&whole, script, ip)
            .and_then(|()| due.check("outbound packet", last_at, self.last_due(), self.settings));
        checked.map_err(|why| {
            let (time, actual) = (seconds(last_at), describe::tcp(&whole));
            Stop::Failed(format!("{why}\nactual packet: {time:>9} {actual}"))
        })
    }

    fn check_segment(&mut self, whole: &Segment, script: &Tcp, ip: IpInfo) -> Result<(), String> {
        let expected = usize::from(script.len);
        if whole.payload.len() != expected {
            return Err(format!(
                "live packet payload: expected {expected} bytes vs actual {} bytes",
                whole.payload.len()
            ));
        }
        verify::segment(whole, ip, script)?;
        self.check_timestamp(whole, script)?;
        if !self.writes_text && whole.payload.iter().any(|byte| *byte != 0) {
            return Err("incorrect outbound data payload".to_owned());
        }
        Ok(())
    }

    fn check_timestamp(&self, whole: &Segment, script: &Tcp) -> Result<(), String> {
        let expected = script.options.iter().flatten().find_map(|option| match option {
            TcpOption::Timestamps { value, .. } => Some(*value),
            _ => None,
        });
        let tick = self.settings.ts_tick_usecs;
        let (Some(expected), Some((actual, _))) = (expected, whole.timestamps()) else {
            return Ok(());
        };
        let apart = u64::from(actual.wrapping_sub(expected).cast_signed().unsigned_abs());
        let tolerance = tolerance(Some(self.now()), self.settings) / 1_000;
        match apart * tick > tolerance {
            false => Ok(()),
            true => Err(format!(
                "bad outbound TCP timestamp value, tolerance {tolerance}: expected {expected} \
                 actual {actual}"
            )),
        }
    }

    /// The next segment of the flow, in the numbers of the script.
    fn sniff_segment(&mut self, due: &Due, script: &Tcp) -> Step<(u64, Segment)> {
        self.sniff(due, |flow, frame| {
            let mut segment = Segment::parse(&frame.bytes)?;
            let is_of_flow = segment.destination == flow.remote
                && match flow.local {
                    Some(local) => segment.source == local,
                    None => flow.phase == Phase::SynSent && segment.syn && segment.ack.is_none(),
                };
            if !is_of_flow || flow.transport != Transport::Tcp {
                return None;
            }
            flow.note_sent(&segment);
            flow.translate_to_script(&mut segment, script);
            Some(segment)
        })
    }

    fn expect_udp(&mut self, len: u16, ip: IpInfo, due: &Due) -> Step {
        let (at, datagram) = self.sniff(due, |flow, frame| {
            let datagram = Datagram::parse(&frame.bytes)?;
            let is_of_flow = datagram.destination == flow.remote
                && flow.local.is_none_or(|local| local == datagram.source);
            if !is_of_flow || flow.transport != Transport::Udp {
                return None;
            }
            flow.local = Some(datagram.source);
            Some(datagram)
        })?;
        let checked = verify::ip(datagram.traffic_class, datagram.hop_limit, ip)
            .and_then(|()| {
                verify::field("udp_len", u32::from(len) + 8, datagram.payload.len() as u32 + 8)
            })
            .and_then(|()| due.check("outbound packet", at, self.last_due(), self.settings));
        checked.map_err(|why| {
            let len = datagram.payload.len();
            Stop::Failed(format!("{why}\nactual packet: {:>9} udp ({len})", seconds(at)))
        })
    }

    fn expect_icmp(&mut self, script: &Icmp, ip: IpInfo, due: &Due) -> Step {
        let is_v6 = self.settings.is_v6();
        let (kind, code) = icmp::numbers(script, is_v6).map_err(Stop::Failed)?;
        let remote: IpAddr = self.settings.remote();
        let (at, message) = self.sniff(due, |_, frame| {
            let message = IcmpMessage::parse(&frame.bytes)?;
            (message.destination == remote).then_some(message)
        })?;
        let checked = verify::ip(0, message.hop_limit, IpInfo { tos: Tos::Unchecked, ..ip })
            .and_then(|()| verify::field("icmp_type", kind.into(), message.kind.into()))
            .and_then(|()| verify::field("icmp_code", code.into(), message.code.into()))
            .and_then(|()| due.check("outbound packet", at, self.last_due(), self.settings));
        checked.map_err(|why| {
            let (kind, code) = (message.kind, message.code);
            let time = seconds(at);
            Stop::Failed(format!("{why}\nactual packet: {time:>9} icmp type_{kind} code_{code}"))
        })
    }
}

fn with_ip(mut segment: Segment, ip: IpInfo) -> Segment {
    // packetdrill's packets come from 255 hops away, if the script says nothing.
    segment.hop_limit = ip.ttl.unwrap_or(255);
    segment.traffic_class = tos_byte(ip.tos);
    segment
}

fn tos_byte(tos: Tos) -> u8 {
    match tos {
        Tos::Ecn(bits) | Tos::Whole(bits) => bits,
        Tos::Unchecked | Tos::AnyEct => 0,
    }
}

fn no_port(packet: &Packet) -> Stop {
    let what = describe::script(packet);
    Stop::Failed(format!("the host's port is not known yet: {what}"))
}
