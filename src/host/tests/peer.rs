//! What the scripted peer puts on the wire, and what it reads there.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet, TcpOption, TcpPacket, TcpSeqNumber};

use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{BROADCAST, Mac};
use crate::wire::frame::FrameBuffer;
use crate::wire::tcp::{Segment, tcp_offset};

pub(super) const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const HOST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
pub(super) const HOST_MAC: Mac = [2, 0, 0, 0, 0, 1];
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(super) const PEER_MAC: Mac = [2, 0, 0, 0, 0, 2];
/// Where the host listens.
pub(super) const PORT: u16 = 80;
/// The peer's first sequence number, and its port.
pub(super) const PEER_ISS: u32 = 5_000;
pub(super) const PEER_PORT: u16 = 40_000;

/// A segment to put on the wire, from the peer to the host.
#[derive(Clone, Debug)]
pub(super) struct Tcp {
    pub(super) from: (Ipv4Addr, u16),
    pub(super) to: (Ipv4Addr, u16),
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) psh: bool,
    pub(super) window: u16,
    pub(super) options: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Tcp {
    /// The IPv4 packet, with good checksums.
    pub(super) fn packet(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        while !options.len().is_multiple_of(4) {
            options.push(0);
        }
        let header_len = 20 + options.len();
        let mut packet = vec![0; 20 + header_len + self.payload.len()];
        let total_len = packet.len() as u16;
        let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(total_len);
        ip.set_dont_frag(true);
        ip.set_hop_limit(64);
        ip.set_next_header(IpProtocol::Tcp);
        ip.set_src_addr(self.from.0);
        ip.set_dst_addr(self.to.0);
        ip.fill_checksum();
        let mut tcp = TcpPacket::new_unchecked(&mut packet[20..]);
        tcp.clear_flags();
        tcp.set_src_port(self.from.1);
        tcp.set_dst_port(self.to.1);
        tcp.set_seq_number(TcpSeqNumber(self.seq.cast_signed()));
        tcp.set_ack_number(TcpSeqNumber(self.ack.unwrap_or(0).cast_signed()));
        tcp.set_header_len(header_len as u8);
        tcp.set_ack(self.ack.is_some());
        tcp.set_syn(self.syn);
        tcp.set_fin(self.fin);
        tcp.set_rst(self.rst);
        tcp.set_psh(self.psh);
        tcp.set_window_len(self.window);
        tcp.options_mut().copy_from_slice(&options);
        tcp.payload_mut().copy_from_slice(&self.payload);
        tcp.fill_checksum(&IpAddress::Ipv4(self.from.0), &IpAddress::Ipv4(self.to.0));
        packet
    }

    pub(super) fn ack(mut self, ack: u32) -> Tcp {
        self.ack = Some(ack);
        self
    }

    pub(super) fn without_ack(mut self) -> Tcp {
        self.ack = None;
        self
    }

    pub(super) fn seq(mut self, seq: u32) -> Tcp {
        self.seq = seq;
        self
    }

    pub(super) fn fin(mut self) -> Tcp {
        self.fin = true;
        self
    }

    pub(super) fn syn(mut self) -> Tcp {
        self.syn = true;
        self
    }

    pub(super) fn rst(mut self) -> Tcp {
        self.rst = true;
        self
    }

    pub(super) fn window(mut self, window: u16) -> Tcp {
        self.window = window;
        self
    }

    pub(super) fn options(mut self, options: &[u8]) -> Tcp {
        self.options = options.to_vec();
        self
    }

    pub(super) fn payload(mut self, payload: &[u8]) -> Tcp {
        self.payload = payload.to_vec();
        self
    }
}

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
    pub(super) fn segment(&self) -> Tcp {
        Tcp {
            from: (self.address, self.port),
            to: (HOST, self.host_port),
            seq: self.seq,
            ack: Some(self.ack),
            syn: false,
            fin: false,
            rst: false,
            psh: false,
            window: self.window,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// A SYN without ACK, with the peer's options.
    pub(super) fn syn(&self) -> Tcp {
        let mut options = Vec::new();
        if let Some(mss) = self.mss {
            options.extend([2, 4]);
            options.extend(mss.to_be_bytes());
        }
        if let Some(shift) = self.window_scale {
            options.extend([3, 3, shift]);
        }
        self.segment().without_ack().syn().options(&options)
    }
}

/// A segment that the host sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: u64,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) to_mac: Mac,
    pub(super) flags: &'static str,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) window: u16,
    pub(super) mss: Option<u16>,
    pub(super) window_scale: Option<u8>,
    pub(super) sack_permitted: bool,
    pub(super) payload: Vec<u8>,
}

impl Sent {
    pub(super) fn read(at: u64, frame: &FrameBuffer) -> Sent {
        // Not trusted: the checksums are verified.
        let (tuple, segment) =
            Segment::parse(frame.packet(), Checksum::Unverified).expect("the host sends good TCP");
        let tcp = TcpPacket::new_checked(&frame.packet()[tcp_offset(frame.packet())..]).unwrap();
        let (mut mss, mut window_scale, mut sack_permitted) = (None, None, false);
        let mut options = tcp.options();
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::MaxSegmentSize(size) => mss = Some(size),
                TcpOption::WindowScale(shift) => window_scale = Some(shift),
                TcpOption::SackPermitted => sack_permitted = true,
                _ => {}
            }
            options = rest;
            if options.is_empty() {
                break;
            }
        }
        let flags = match (segment.syn, segment.fin, segment.rst, segment.ack.is_some()) {
            (true, false, false, false) => "SYN",
            (true, false, false, true) => "SYN ACK",
            (false, true, false, true) => "FIN ACK",
            (false, false, true, false) => "RST",
            (false, false, true, true) => "RST ACK",
            (false, false, false, true) => "ACK",
            _ => "absurd",
        };
        Sent {
            at,
            source: tuple.remote(),
            destination: tuple.local(),
            to_mac: frame.bytes()[..6].try_into().unwrap(),
            flags,
            seq: segment.seq.0,
            ack: segment.ack.map(|ack| ack.0),
            window: segment.window,
            mss,
            window_scale,
            sack_permitted,
            payload: tcp.payload().to_vec(),
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

    pub(super) fn read(at: u64, frame: &FrameBuffer) -> Arp {
        let packet = frame.packet();
        assert_eq!(packet[..7], [0, 1, 8, 0, 6, 4, 0], "Ethernet and IPv4");
        let mac = |from: usize| packet[from..from + 6].try_into().unwrap();
        let address =
            |from: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&packet[from..from + 4]).unwrap());
        Arp {
            at,
            to_mac: frame.bytes()[..6].try_into().unwrap(),
            operation: packet[7],
            sender_mac: mac(8),
            sender: address(14),
            target_mac: mac(18),
            target: address(24),
        }
    }
}
