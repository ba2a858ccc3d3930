//! What stands at the head of a capture: who wrote it, at which interfaces, and the hosts' names.

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;

use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::name_resolution::{
    Ipv4Record, Ipv6Record, NameResolutionBlock, Record,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness};

use super::LONGEST_RECORD;
use crate::wire::ethernet::ETHERNET_HEADER;

/// How the application names itself; what marks a file as ours to overwrite.
pub(super) const APPLICATION_PREFIX: &str = "glassnet ";

const APPLICATION: &str = concat!("glassnet ", env!("CARGO_PKG_VERSION"));

/// What the whole file says about itself.
pub(crate) struct Section {
    /// The seed that gives these bytes again.
    pub(crate) seed: u64,
    /// Follows the seed in the comment, as in `vantage=client.eth0`.
    pub(crate) title: String,
    /// When its world began.
    pub(crate) start: Start,
}

/// When the world of a capture began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the same moment for every run: [`EPOCH_SECONDS`](super::EPOCH_SECONDS).
    #[default]
    Simulated,
    /// Nanoseconds since 1970.
    Real(u64),
}

impl Start {
    pub(super) fn nanoseconds(self) -> u64 {
        match self {
            Start::Simulated => super::EPOCH_SECONDS * 1_000_000_000,
            Start::Real(nanoseconds) => nanoseconds,
        }
    }

    fn hardware(self) -> &'static str {
        match self {
            Start::Simulated => "glassnet simulated network",
            Start::Real(_) => "glassnet host on a real network",
        }
    }
}

impl Section {
    /// No `shb_os`: the same seed must give the same bytes on every system.
    pub(super) fn block(&self) -> SectionHeaderBlock<'static> {
        let mut comment = format!("seed={}", self.seed);
        if !self.title.is_empty() {
            comment.push(' ');
            comment.push_str(&self.title);
        }
        SectionHeaderBlock {
            endianness: Endianness::Little,
            major_version: 1,
            minor_version: 0,
            section_length: -1,
            options: vec![
                SectionHeaderOption::Hardware(self.start.hardware().into()),
                SectionHeaderOption::UserApplication(APPLICATION.into()),
                SectionHeaderOption::Common(CommonOption::Comment(comment.into())),
            ],
        }
    }
}

/// What the frames of an interface begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LinkType {
    /// An Ethernet header.
    #[default]
    Ethernet,
    /// An IP header. The Ethernet header that they have on their way is made up, and left out.
    Ip,
}

impl LinkType {
    fn data_link(self) -> DataLink {
        match self {
            LinkType::Ethernet => DataLink::ETHERNET,
            LinkType::Ip => DataLink::RAW,
        }
    }

    /// The number of its LINKTYPE.
    pub(super) fn number(self) -> u16 {
        u32::from(self.data_link()) as u16
    }

    /// How much of a frame is left out.
    pub(super) fn skipped(self) -> usize {
        match self {
            LinkType::Ethernet => 0,
            LinkType::Ip => ETHERNET_HEADER,
        }
    }
}

/// An interface whose frames are in the file. The first one is number 0.
pub(crate) struct Interface {
    /// As in `client.eth0`.
    pub(crate) name: String,
    /// For people; left out when empty.
    pub(crate) description: String,
    pub(crate) link_type: LinkType,
    /// Its Ethernet address.
    pub(crate) mac: Option<[u8; 6]>,
    /// Its addresses, each with the length of its network's prefix.
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    /// The rate of its link.
    pub(crate) speed_bits_per_second: Option<u64>,
    /// How many bytes of a frame are kept; 0 keeps all.
    pub(crate) snap: u32,
}

impl Interface {
    /// How many bytes of a frame are kept.
    pub(super) fn limit(&self) -> usize {
        match self.snap {
            0 => LONGEST_RECORD,
            snap => LONGEST_RECORD.min(snap as usize),
        }
    }

    pub(super) fn block(&self) -> InterfaceDescriptionBlock<'_> {
        let mut options = vec![InterfaceDescriptionOption::IfName(self.name.as_str().into())];
        if !self.description.is_empty() {
            let description = self.description.as_str().into();
            options.push(InterfaceDescriptionOption::IfDescription(description));
        }
        for (address, prefix_len) in &self.addresses {
            options.push(match address {
                IpAddr::V4(address) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*prefix_len)).unwrap_or(0);
                    let value = [address.octets(), mask.to_be_bytes()].concat();
                    InterfaceDescriptionOption::IfIpv4Addr(value.into())
                }
                IpAddr::V6(address) => {
                    let value = [&address.octets()[..], &[*prefix_len]].concat();
                    InterfaceDescriptionOption::IfIpv6Addr(value.into())
                }
            });
        }
        if let Some(mac) = self.mac {
            options.push(InterfaceDescriptionOption::IfMacAddr(mac.to_vec().into()));
        }
        if let Some(speed) = self.speed_bits_per_second {
            options.push(InterfaceDescriptionOption::IfSpeed(speed));
        }
        options.push(InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO));
        // Said, because Wireshark otherwise takes bytes after the IP packet for a check sequence.
        options.push(InterfaceDescriptionOption::IfFcsLen(0));
        let linktype = self.link_type.data_link();
        InterfaceDescriptionBlock { linktype, snaplen: self.snap, options }
    }
}

/// The name resolution block for some of the names.
///
/// Refuses what the format cannot say: names are terminated by a zero byte, and a record without
/// a name makes readers refuse the file.
pub(super) fn names_block(names: &[(IpAddr, String)]) -> io::Result<NameResolutionBlock<'_>> {
    let mut records = Vec::with_capacity(names.len());
    for (address, name) in names {
        if name.is_empty() || name.contains('\0') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name:?} cannot be the name of {address} in a capture"),
            ));
        }
        let names = vec![Cow::Borrowed(name.as_str())];
        records.push(match *address {
            IpAddr::V4(ip_addr) => Record::Ipv4(Ipv4Record { ip_addr, names }),
            IpAddr::V6(ip_addr) => Record::Ipv6(Ipv6Record { ip_addr, names }),
        });
    }
    Ok(NameResolutionBlock { records, options: Vec::new() })
}
