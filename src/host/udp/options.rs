//! The options of datagram sockets, with Linux's defaults (`ip(7)`, `ipv6(7)`, `socket(7)`).

use std::net::Ipv4Addr;

use crate::error::Errno;
use crate::host::ip::MtuDiscovery;
use crate::host::ports::Reuse;

/// `SO_RCVBUF` and `SO_SNDBUF` of a new socket: Linux's `rmem_default` and `wmem_default`.
const DEFAULT_BUFFER: usize = 212_992;
/// The most that can be asked for: Linux's `rmem_max` and `wmem_max`.
const MAX_BUFFER: usize = 4 << 20;
/// The least that is given.
const MIN_RECV_BUFFER: usize = 2304;
const MIN_SEND_BUFFER: usize = 4608;

/// The options of a datagram socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatagramOptions {
    /// `SO_REUSEADDR`.
    pub(crate) reuse_address: bool,
    /// `SO_BROADCAST`.
    pub(crate) broadcast: bool,
    /// `IPV6_V6ONLY`.
    pub(crate) only_v6: bool,
    /// `IP_RECVERR` and `IPV6_RECVERR`: errors that are not fatal are given, too, and to a socket
    /// that is not connected. There is no queue of them.
    pub(crate) recv_errors: bool,
    /// `IP_TTL`; see [`DatagramOptions::set_ttl`].
    pub(crate) ttl: u8,
    /// `IPV6_UNICAST_HOPS`.
    pub(crate) hop_limit: u8,
    /// `IP_TOS`.
    pub(crate) tos: u8,
    /// `IPV6_TCLASS`.
    pub(crate) traffic_class: u8,
    /// `IP_MULTICAST_TTL`.
    pub(crate) multicast_ttl: u8,
    /// `IPV6_MULTICAST_HOPS`.
    pub(crate) multicast_hops: u8,
    /// `IP_MULTICAST_LOOP`.
    pub(crate) multicast_loop: bool,
    /// `IPV6_MULTICAST_LOOP`.
    pub(crate) multicast_loop_v6: bool,
    /// `IP_MULTICAST_ALL`.
    pub(crate) multicast_all: bool,
    /// `IPV6_MULTICAST_ALL`.
    pub(crate) multicast_all_v6: bool,
    /// `IP_MULTICAST_IF`, by address: where what is for an IPv4 group comes from. EADDRNOTAVAIL
    /// when it is not the interface's.
    pub(crate) multicast_interface: Option<Ipv4Addr>,
    /// `IPV6_MULTICAST_IF`, by number; 0 is any. ENODEV when there is no such interface.
    pub(crate) multicast_interface_v6: u32,
    /// `IP_MTU_DISCOVER`.
    pub(crate) mtu_discovery: MtuDiscovery,
    /// `IPV6_MTU_DISCOVER`.
    pub(crate) mtu_discovery_v6: MtuDiscovery,
    /// `UDP_SEGMENT`: what is sent is cut into datagrams of so many bytes; 0 for one datagram.
    pub(crate) segment: u16,
    /// `SO_RCVBUF`; see [`DatagramOptions::set_recv_buffer`].
    pub(crate) recv_buffer: usize,
    /// `SO_SNDBUF`; see [`DatagramOptions::set_send_buffer`].
    pub(crate) send_buffer: usize,
}

impl Default for DatagramOptions {
    fn default() -> DatagramOptions {
        DatagramOptions {
            reuse_address: false,
            broadcast: false,
            only_v6: false,
            recv_errors: false,
            ttl: 64,
            hop_limit: 64,
            tos: 0,
            traffic_class: 0,
            multicast_ttl: 1,
            multicast_hops: 1,
            multicast_loop: true,
            multicast_loop_v6: true,
            multicast_all: true,
            multicast_all_v6: true,
            multicast_interface: None,
            multicast_interface_v6: 0,
            mtu_discovery: MtuDiscovery::default(),
            mtu_discovery_v6: MtuDiscovery::default(),
            segment: 0,
            recv_buffer: DEFAULT_BUFFER,
            send_buffer: DEFAULT_BUFFER,
        }
    }
}

impl DatagramOptions {
    /// Ports are shared by `SO_REUSEADDR` alone.
    pub(super) fn reuse(&self) -> Reuse {
        Reuse { address: self.reuse_address, port: false }
    }

    /// EINVAL for 0 and above 255.
    pub(crate) fn set_ttl(&mut self, ttl: u32) -> Result<(), Errno> {
        self.ttl = octet(ttl)?;
        if ttl == 0 { Err(Errno::Invalid) } else { Ok(()) }
    }

    /// EINVAL above 255; 0 is allowed.
    pub(crate) fn set_hop_limit(&mut self, hops: u32) -> Result<(), Errno> {
        self.hop_limit = octet(hops)?;
        Ok(())
    }

    /// The lowest eight bits are taken, as on Linux.
    pub(crate) fn set_tos(&mut self, tos: u32) {
        self.tos = tos as u8;
    }

    /// EINVAL above 255.
    pub(crate) fn set_traffic_class(&mut self, class: u32) -> Result<(), Errno> {
        self.traffic_class = octet(class)?;
        Ok(())
    }

    /// EINVAL above 255.
    pub(crate) fn set_multicast_ttl(&mut self, ttl: u32) -> Result<(), Errno> {
        self.multicast_ttl = octet(ttl)?;
        Ok(())
    }

    /// EINVAL above 255.
    pub(crate) fn set_multicast_hops(&mut self, hops: u32) -> Result<(), Errno> {
        self.multicast_hops = octet(hops)?;
        Ok(())
    }

    /// As on Linux the value is doubled, and never refused (`socket(7)`).
    pub(crate) fn set_recv_buffer(&mut self, bytes: usize) {
        self.recv_buffer = (bytes.min(MAX_BUFFER) * 2).max(MIN_RECV_BUFFER);
    }

    /// As on Linux the value is doubled, and never refused (`socket(7)`).
    pub(crate) fn set_send_buffer(&mut self, bytes: usize) {
        self.send_buffer = (bytes.min(MAX_BUFFER) * 2).max(MIN_SEND_BUFFER);
    }
}

/// An option that is one byte on the wire.
fn octet(value: u32) -> Result<u8, Errno> {
    u8::try_from(value).map_err(|_| Errno::Invalid)
}
