//! The interfaces of a host, as `ip -s link` shows them.

use std::fmt;
#[cfg(feature = "tokio")]
use std::net::IpAddr;
use std::ops::Deref;

use super::host::Host;
use super::ip::InterfaceId;
use crate::wire::ethernet::{Mac, show_mac};

/// The interfaces of a host, `lo` and `eth0`, in that order: see
/// [`Sim::interfaces`](crate::Sim::interfaces). It is a slice of [`InterfaceStatus`]; `Display` prints
/// what `ip -s link` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces(Vec<InterfaceStatus>);

impl Interfaces {
    /// One by its name: `lo` or `eth0`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&InterfaceStatus> {
        self.0.iter().find(|interface| interface.name == name)
    }
}

impl Deref for Interfaces {
    type Target = [InterfaceStatus];

    fn deref(&self) -> &[InterfaceStatus] {
        &self.0
    }
}

impl fmt::Display for Interfaces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, interface) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(formatter, "{end}{interface}")?;
        }
        Ok(())
    }
}

/// An interface of a host, with what passed it since the host was started. `Display` prints what
/// `ip -s link show` prints of it.
///
/// The columns of `ip` for what these interfaces never have, `errors`, `missed`, `carrier` and
/// `collsns`, are printed as 0: what a link loses, or damages, is the link's
/// ([`Sim::dropped`](crate::Sim::dropped)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceStatus {
    /// `lo` or `eth0`.
    pub name: &'static str,
    /// Its number: the scope of its link-local addresses.
    pub index: u32,
    /// Its Ethernet address; zeros for `lo`.
    pub mac: [u8; 6],
    /// The largest IP packet it sends, in bytes.
    pub mtu: usize,
    /// Bytes that arrived: with the Ethernet headers, without checksums; at `lo`, of IP packets.
    pub rx_bytes: u64,
    /// Frames that arrived.
    pub rx_packets: u64,
    /// Frames that arrived, and held neither IP nor ARP, or nothing whole. At `lo`, packets beyond
    /// the 1,000 that may wait (`netdev_max_backlog`), which are not within `rx_packets`.
    pub rx_dropped: u64,
    /// Frames that arrived for a group, broadcasts left out.
    pub rx_multicast: u64,
    /// Bytes that left, counted as `rx_bytes`.
    pub tx_bytes: u64,
    /// Frames that left.
    pub tx_packets: u64,
}

const RX: [&str; 6] = ["bytes", "packets", "errors", "dropped", "missed", "mcast"];
const TX: [&str; 6] = ["bytes", "packets", "errors", "dropped", "carrier", "collsns"];
/// As wide as `ip` makes its columns at least.
const MIN_WIDTHS: [usize; 6] = [10, 7, 6, 7, 7, 7];

impl fmt::Display for InterfaceStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_loopback = self.index == 1;
        let (flags, discipline, state, kind, broadcast) = match is_loopback {
            true => ("LOOPBACK,UP,LOWER_UP", "noqueue", "UNKNOWN", "loopback", [0; 6]),
            false => ("BROADCAST,MULTICAST,UP,LOWER_UP", "noqueue", "UP", "ether", [0xff; 6]),
        };
        let (index, name, mtu) = (self.index, self.name, self.mtu);
        write!(
            formatter,
            "{index}: {name}: <{flags}> mtu {mtu} qdisc {discipline} state {state} mode DEFAULT \
             group default qlen 1000\n    link/{kind} {} brd {}",
            show_mac(self.mac),
            show_mac(broadcast)
        )?;
        let rx = [self.rx_bytes, self.rx_packets, 0, self.rx_dropped, 0, self.rx_multicast];
        let tx = [self.tx_bytes, self.tx_packets, 0, 0, 0, 0];
        let width = |column: usize| {
            let digits = |count: u64| count.to_string().len();
            MIN_WIDTHS[column].max(digits(rx[column])).max(digits(tx[column]))
        };
        for (title, names, counts) in [("RX: ", RX, rx), ("TX: ", TX, tx)] {
            let line = |cells: [String; 6]| {
                let cells = cells.into_iter().enumerate();
                let cells = cells.map(|(at, cell)| format!("{cell:>width$}", width = width(at)));
                cells.collect::<Vec<_>>().join(" ")
            };
            let titles = line(names.map(str::to_owned));
            let counts = line(counts.map(|count| count.to_string()));
            // The title stands in the first column.
            write!(formatter, "\n    {title}{}\n    {counts}", &titles[title.len()..])?;
        }
        Ok(())
    }
}

impl Host {
    /// The addresses of its interfaces, and how many bits of each are its network's; by the
    /// interface's number.
    #[cfg(feature = "tokio")]
    pub(crate) fn interface_addresses(&self) -> Vec<(u32, IpAddr, u8)> {
        let mut all = Vec::new();
        for id in [InterfaceId::LOOPBACK, InterfaceId::ETH0] {
            let prefixes = self.ip.interface(id).addresses().prefixes();
            all.extend(prefixes.iter().map(|prefix| (id.number(), prefix.address, prefix.len)));
        }
        all
    }

    pub(crate) fn interfaces(&self) -> Interfaces {
        let (mib, counters) = (&self.io.mib, self.counters());
        let (lo, sent) = (mib.looped_back, self.io.outbox.sent());
        let status = |name, id: InterfaceId, mac: Mac| InterfaceStatus {
            name,
            index: id.number(),
            mac,
            mtu: self.ip.interface(id).mtu(),
            rx_bytes: lo.bytes,
            rx_packets: lo.packets,
            rx_dropped: counters.loopback_queue_full,
            rx_multicast: 0,
            tx_bytes: lo.bytes,
            tx_packets: lo.packets,
        };
        let eth0 = InterfaceStatus {
            rx_bytes: mib.received.bytes,
            rx_packets: mib.received.packets,
            rx_dropped: counters.unknown_ethertype,
            rx_multicast: mib.received_for_groups,
            tx_bytes: sent.bytes,
            tx_packets: sent.packets,
            ..status(
                "eth0",
                InterfaceId::ETH0,
                self.ip.interface(InterfaceId::ETH0).addresses().mac(),
            )
        };
        Interfaces(vec![status("lo", InterfaceId::LOOPBACK, [0; 6]), eth0])
    }
}
