//! Whether what the host sent is what the script expects.

use super::describe;
use super::script::{IpInfo, Tcp, Tos};
use crate::peer::{Segment, TcpOption};

const FIXED_HEADER: usize = 20;

/// What differs first, of a segment in the numbers of the script. Both have the same payload's
/// length, so far as it was gathered.
pub(super) fn segment(actual: &Segment, ip: IpInfo, script: &Tcp) -> Result<(), String> {
    self::ip(actual.traffic_class, actual.hop_limit, ip)?;
    if let Some(options) = &script.options {
        let expected: usize = options.iter().map(TcpOption::len).sum();
        field("tcp_data_offset", words(expected), words(actual.options.len()))?;
    }
    let flags = script.flags;
    field("tcp_fin", flags.fin.into(), actual.fin.into())?;
    field("tcp_syn", flags.syn.into(), actual.syn.into())?;
    field("tcp_rst", flags.rst.into(), actual.rst.into())?;
    field("tcp_psh", flags.psh.into(), actual.psh.into())?;
    field("tcp_ack", flags.ack.into(), actual.ack.is_some().into())?;
    field("tcp_urg", flags.urg.into(), actual.urg.into())?;
    field("tcp_ece", flags.ece.into(), actual.ece.into())?;
    field("tcp_cwr", flags.cwr.into(), actual.cwr.into())?;
    field("tcp_seq", script.seq, actual.seq)?;
    field("tcp_ack_seq", script.ack, actual.ack.unwrap_or(0))?;
    if let Some(window) = script.window {
        field("tcp_window", window.into(), actual.window.into())?;
    }
    field("tcp_urg_ptr", script.urgent.into(), actual.urgent_pointer.into())?;
    match &script.options {
        Some(expected) => options(expected, &actual.tcp_options()),
        None => Ok(()),
    }
}

/// Whether two segments can be parts of what a network card would have cut.
pub(super) fn fragment(next: &Segment, previous: &Segment) -> Result<(), String> {
    field("tcp_data_offset", words(previous.options.len()), words(next.options.len()))?;
    field("tcp_syn", previous.syn.into(), next.syn.into())?;
    field("tcp_rst", previous.rst.into(), next.rst.into())?;
    field("tcp_ack", previous.ack.is_some().into(), next.ack.is_some().into())?;
    field("tcp_urg", previous.urg.into(), next.urg.into())?;
    field("tcp_ece", previous.ece.into(), next.ece.into())?;
    let end = previous.seq.wrapping_add(previous.payload.len() as u32);
    field("tcp_seq", end, next.seq)?;
    field("tcp_ack_seq", previous.ack.unwrap_or(0), next.ack.unwrap_or(0))?;
    field("tcp_window", previous.window.into(), next.window.into())
}

/// Type of service and time to live, so far as the script says them.
pub(super) fn ip(traffic_class: u8, hop_limit: u8, script: IpInfo) -> Result<(), String> {
    match script.tos {
        Tos::Unchecked => {}
        Tos::Ecn(ecn) => field("ip_ecn", ecn.into(), u32::from(traffic_class & 3))?,
        Tos::AnyEct if [1, 2].contains(&(traffic_class & 3)) => {}
        Tos::AnyEct => {
            let ecn = traffic_class & 3;
            return Err(format!(
                "live packet field ip_ecn: expected: 0x1 or 0x2 vs actual: {ecn:#x}"
            ));
        }
        Tos::Whole(tos) => field("tos", tos.into(), traffic_class.into())?,
    }
    match script.ttl {
        Some(ttl) => field("ttl", ttl.into(), hop_limit.into()),
        None => Ok(()),
    }
}

/// TSvals are compared by whoever knows their tick, and TSecrs are not, as in packetdrill.
fn options(expected: &[TcpOption], actual: &[TcpOption]) -> Result<(), String> {
    let kinds = |options: &[TcpOption]| -> Vec<u8> { options.iter().map(kind).collect() };
    if kinds(expected) != kinds(actual) {
        let (expected, actual) = (describe::options(expected), describe::options(actual));
        return Err(format!("bad outbound TCP options: expected: {expected} actual: {actual}"));
    }
    let differs = |(expected, actual): &(&TcpOption, &TcpOption)| {
        expected != actual && !matches!(expected, TcpOption::Timestamps { .. })
    };
    match expected.iter().zip(actual).find(differs) {
        None => Ok(()),
        Some((expected, actual)) => Err(format!(
            "bad value in outbound TCP option (kind={}): expected: {} actual: {}",
            kind(expected),
            describe::option(expected),
            describe::option(actual)
        )),
    }
}

fn kind(option: &TcpOption) -> u8 {
    match option {
        TcpOption::End => 0,
        TcpOption::Nop => 1,
        TcpOption::MaxSegmentSize(_) => 2,
        TcpOption::WindowScale(_) => 3,
        TcpOption::SackPermitted => 4,
        TcpOption::Sack(_) => 5,
        TcpOption::Timestamps { .. } => 8,
        TcpOption::Other { kind, .. } => *kind,
    }
}

fn words(options: usize) -> u32 {
    (FIXED_HEADER + options).div_ceil(4) as u32
}

pub(super) fn field(name: &str, expected: u32, actual: u32) -> Result<(), String> {
    match expected == actual {
        true => Ok(()),
        false => Err(format!(
            "live packet field {name}: expected: {expected} ({expected:#x}) vs actual: {actual} \
             ({actual:#x})"
        )),
    }
}
