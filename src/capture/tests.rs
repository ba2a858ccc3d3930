//! What is written is read back with pcap-file's own reader; what cannot be written is reported.

mod classic;
mod files;
#[cfg(target_os = "linux")]
mod pipe;
mod reading_back;
mod refusals;
mod secrets;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::output::Sink;
use super::{CaptureWriter, Interface, LinkType, Section, Start};

fn section() -> Section {
    Section { seed: 7, title: "vantage=client.eth0".to_owned(), start: Start::Simulated }
}

fn interface() -> Interface {
    Interface {
        name: "client.eth0".to_owned(),
        description: "to the LAN".to_owned(),
        link_type: LinkType::Ethernet,
        mac: Some([2, 0, 0, 0, 0, 1]),
        addresses: vec![(Ipv4Addr::new(10, 0, 0, 1).into(), 16), ("fd00::1".parse().unwrap(), 64)],
        speed_bits_per_second: Some(10_000_000),
        snap: 0,
    }
}

fn names() -> Vec<(IpAddr, String)> {
    vec![
        (Ipv4Addr::new(10, 0, 0, 1).into(), "client".to_owned()),
        (IpAddr::V6("fd00::2".parse().unwrap()), "server".to_owned()),
    ]
}

fn capture<S: Sink>(sink: S) -> io::Result<CaptureWriter<S>> {
    CaptureWriter::new(sink, &section(), &[interface()], &names())
}
