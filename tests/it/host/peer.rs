//! What the scripted peer puts on the wire, and what it reads there.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use glassnet::peer::{self, Checksum, Frame, Segment, TcpOption};

pub(super) type Mac = [u8; 6];

pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const HOST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
pub(super) const HOST_MAC: Mac = [2, 0, 0, 0, 0, 1];
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(super) const PEER_MAC: Mac = [2, 0, 0, 0, 0, 2];
pub(super) const BROADCAST: Mac = [0xff; 6];
pub(super) const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
pub(super) const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
pub(super) const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
/// Where the host listens.
pub(super) const PORT: u16 = 80;
/// The peer's first sequence number, and its port.
pub(super) const PEER_ISS: u32 = 5_000;
pub(super) const PEER_PORT: u16 = 40_000;

/// What the peer knows of one connection.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: Ipv4Addr,
    pub(super) port: u16,
    pub(super) host_port: u16,
    /// What it sends next, and what it expects next.
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) window: u16,
    pub(super) mss: Option<u16>,
    pub(super) window_scale: Option<u8>,
}

impl Peer {
    /// One that has not said anything to the host's listener.
    pub(super) fn new(port: u16) -> Peer {
        Peer {
            address: PEER,
            port,
            host_port: PORT,
            seq: PEER_ISS,
            ack: 0,
            window: 65_535,
            mss: Some(1460),
            window_scale: None,
        }
    }

    /// A pure ACK.
    pub(super) fn segment(&self) -> Segment {
        let ends = [(self.address, self.port), (HOST, self.host_port)].map(SocketAddr::from);
        Segment::new(ends[0], ends[1]).seq(self.seq).ack(self.ack).window(self.window)
    }

    /// A SYN without ACK, with the peer's options.
    pub(super) fn syn(&self) -> Segment {
        let mss = self.mss.map(TcpOption::MaxSegmentSize);
        let options = mss.into_iter().chain(self.window_scale.map(TcpOption::WindowScale));
        options.fold(self.segment().without_ack().syn(), Segment::option)
    }
}

/// A segment that the host sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: u64,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) to_mac: Mac,
    pub(super) ttl: u8,
    pub(super) tos: u8,
    /// Without PSH.
    pub(super) flags: &'static str,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) window: u16,
    pub(super) mss: Option<u16>,
    pub(super) window_scale: Option<u8>,
    pub(super) payload: Vec<u8>,
}

impl Sent {
    pub(super) fn read(sent: peer::Sent<Segment>) -> Sent {
        assert_eq!(sent.checksum, Checksum::Right, "{sent}");
        let mut segment = sent.packet;
        segment.psh = false;
        let known = ["SYN", "SYN ACK", "FIN ACK", "RST", "RST ACK", "ACK"];
        let flags = known.into_iter().find(|known| segment.flags() == *known).unwrap_or("absurd");
        Sent {
            at: sent.time.since_start().as_nanos() as u64,
            source: segment.source,
            destination: segment.destination,
            to_mac: sent.destination_mac,
            ttl: segment.hop_limit,
            tos: segment.traffic_class,
            flags,
            seq: segment.seq,
            ack: segment.ack,
            window: segment.window,
            mss: segment.mss(),
            window_scale: segment.window_scale(),
            payload: segment.payload,
        }
    }

    /// The sequence number after it.
    pub(super) fn end(&self) -> u32 {
        let control = u32::from(self.flags.contains("SYN")) + u32::from(self.flags == "FIN ACK");
        self.seq.wrapping_add(self.payload.len() as u32).wrapping_add(control)
    }
}

/// An ARP packet, from or to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arp {
    pub(super) at: u64,
    pub(super) to_mac: Mac,
    pub(super) operation: u8,
    pub(super) sender_mac: Mac,
    pub(super) sender: Ipv4Addr,
    pub(super) target_mac: Mac,
    pub(super) target: Ipv4Addr,
}

impl Arp {
    pub(super) fn request(sender: Ipv4Addr, sender_mac: Mac, target: Ipv4Addr) -> Arp {
        Arp {
            at: 0,
            to_mac: BROADCAST,
            operation: 1,
            sender_mac,
            sender,
            target_mac: [0; 6],
            target,
        }
    }

    pub(super) fn reply(sender: Ipv4Addr, sender_mac: Mac) -> Arp {
        Arp {
            at: 0,
            to_mac: HOST_MAC,
            operation: 2,
            sender_mac,
            sender,
            target_mac: HOST_MAC,
            target: HOST,
        }
    }

    pub(super) fn packet(&self) -> Vec<u8> {
        let mut packet = vec![0, 1, 8, 0, 6, 4, 0, self.operation];
        packet.extend(self.sender_mac);
        packet.extend(self.sender.octets());
        packet.extend(self.target_mac);
        packet.extend(self.target.octets());
        packet
    }

    pub(super) fn read(frame: &Frame) -> Arp {
        let packet = &frame.bytes[14..];
        assert_eq!(packet[..7], [0, 1, 8, 0, 6, 4, 0], "Ethernet and IPv4");
        let mac = |from: usize| packet[from..from + 6].try_into().unwrap();
        let address =
            |from: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&packet[from..from + 4]).unwrap());
        Arp {
            at: frame.time.since_start().as_nanos() as u64,
            to_mac: frame.bytes[..6].try_into().unwrap(),
            operation: packet[7],
            sender_mac: mac(8),
            sender: address(14),
            target_mac: mac(18),
            target: address(24),
        }
    }
}
