//! Packets as packetdrill writes them.

use std::fmt::Write;

use super::script::{Body, Flags, Packet, Tcp};
use crate::peer::{Segment, TcpOption};

/// `P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>`
pub(super) fn tcp(segment: &Segment) -> String {
    let flags = Flags {
        fin: segment.fin,
        syn: segment.syn,
        rst: segment.rst,
        psh: segment.psh,
        ack: segment.ack.is_some(),
        urg: segment.urg,
        ece: segment.ece,
        cwr: segment.cwr,
    };
    let tcp = Tcp {
        flags,
        seq: segment.seq,
        len: segment.payload.len().min(65_535) as u16,
        ack: segment.ack.unwrap_or(0),
        window: Some(segment.window),
        urgent: segment.urgent_pointer,
        options: Some(segment.tcp_options()),
    };
    of_script(&tcp)
}

/// A packet as the script has it.
pub(super) fn script(packet: &Packet) -> String {
    match &packet.body {
        Body::Tcp(tcp) => of_script(tcp),
        Body::Udp { len } => format!("udp ({len})"),
        Body::Icmp(icmp) => {
            format!("icmp {} {}", icmp.kind, icmp.code.as_deref().unwrap_or_default())
        }
    }
}

fn of_script(tcp: &Tcp) -> String {
    let end = tcp.seq.wrapping_add(tcp.len.into());
    let mut text = format!("{} {}:{end}({})", letters(tcp.flags), tcp.seq, tcp.len);
    if tcp.flags.ack {
        let _ = write!(text, " ack {}", tcp.ack);
    }
    if let Some(window) = tcp.window {
        let _ = write!(text, " win {window}");
    }
    if tcp.urgent != 0 {
        let _ = write!(text, " urg {}", tcp.urgent);
    }
    match &tcp.options {
        None => text.push_str(" <...>"),
        Some(list) if list.is_empty() => {}
        Some(list) => {
            let _ = write!(text, " {}", options(list));
        }
    }
    text
}

fn letters(flags: Flags) -> String {
    let letters = [
        (flags.fin, 'F'),
        (flags.syn, 'S'),
        (flags.rst, 'R'),
        (flags.psh, 'P'),
        (flags.urg, 'U'),
        (flags.ece, 'E'),
        (flags.cwr, 'W'),
        (flags.ack, '.'),
    ];
    let set: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
    if set.is_empty() { "-".to_owned() } else { set }
}

/// `<mss 1460,nop,wscale 8>`
pub(super) fn options(options: &[TcpOption]) -> String {
    let texts: Vec<String> = options.iter().map(option).collect();
    format!("<{}>", texts.join(","))
}

pub(super) fn option(option: &TcpOption) -> String {
    match option {
        TcpOption::End => "eol".to_owned(),
        TcpOption::Nop => "nop".to_owned(),
        TcpOption::MaxSegmentSize(size) => format!("mss {size}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".to_owned(),
        TcpOption::Sack(blocks) => {
            let blocks: Vec<String> =
                blocks.iter().map(|(left, right)| format!("{left}:{right}")).collect();
            format!("sack {}", blocks.join(" "))
        }
        TcpOption::Timestamps { value, echo } => format!("TS val {value} ecr {echo}"),
        TcpOption::Other { kind, data } => {
            let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("kind {kind} {digits}")
        }
    }
}
