//! `sendmsg(2)` and `recvmsg(2)`: what goes with the bytes.

use std::io;
use std::net::IpAddr;
use std::task::Poll;

use super::calls::to_inet;
use super::wait::Direction;
use super::{End, SockAddr, Socket};
use crate::error::Errno;
use crate::host::SendControl;

/// What [`recv_message`](Socket::recv_message) received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// Bytes that there was room for.
    pub len: usize,
    /// Bytes of the whole datagram: more than `len` when it was truncated (`MSG_TRUNC`), and the
    /// rest is lost. Of a stream it is `len`.
    pub whole_len: usize,
    /// The sender of a datagram; `None` for a stream of TCP.
    pub from: Option<SockAddr>,
    /// What the packet of the datagram said; `None` for anything but datagrams of IP.
    pub packet: Option<PacketInfo>,
}

/// What the IP packet of a datagram said, and where it came in: the control messages `IP_PKTINFO`,
/// `IP_TTL` and `IP_TOS` of `ip(7)`, and `IPV6_PKTINFO`, `IPV6_HOPLIMIT` and `IPV6_TCLASS` of
/// `ipv6(7)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketInfo {
    /// The address that it was sent to, which may be that of a group or of everybody.
    pub destination: IpAddr,
    /// The address of the host that an answer is sent from: `destination`, where that is the
    /// host's own (`ipi_spec_dst`).
    pub local: IpAddr,
    /// The number of the interface, as of `if_nametoindex(3)`: 1 is `lo`, 2 is `eth0`.
    pub interface: u32,
    /// The hop limit that was left, IPv4's time to live.
    pub hop_limit: u8,
    /// The traffic class, IPv4's type of service: DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
}

/// What [`send_message`](Socket::send_message) sends one datagram with, instead of the socket's
/// options. The default is nothing of it. Streams take no notice.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "options do nothing until `send_message` has them"]
pub struct SendOptions(SendControl);

impl SendOptions {
    /// Nothing: the datagram is sent as by [`send`](Socket::send).
    pub fn new() -> SendOptions {
        SendOptions::default()
    }

    /// The address that it is sent from, which has to be one of the host's: `IP_PKTINFO` and
    /// `IPV6_PKTINFO`.
    pub fn source(mut self, source: IpAddr) -> SendOptions {
        self.0.source = Some(source.to_canonical());
        self
    }

    /// The number of the interface that it leaves by: `IP_PKTINFO` and `IPV6_PKTINFO`. 0 is any.
    pub fn interface(mut self, number: u32) -> SendOptions {
        self.0.interface = number;
        self
    }

    /// The hop limit, IPv4's time to live: `IP_TTL` and `IPV6_HOPLIMIT`.
    pub fn hop_limit(mut self, hops: u8) -> SendOptions {
        self.0.hop_limit = Some(hops);
        self
    }

    /// The traffic class, IPv4's type of service: `IP_TOS` and `IPV6_TCLASS`.
    pub fn traffic_class(mut self, class: u8) -> SendOptions {
        self.0.traffic_class = Some(class);
        self
    }

    /// Bytes of each datagram that the data is cut into, the last of which may have fewer:
    /// `UDP_SEGMENT` (`udp(7)`). 0 is one datagram.
    pub fn segment_size(mut self, bytes: u16) -> SendOptions {
        self.0.segment = Some(bytes);
        self
    }
}

impl Socket {
    /// `sendmsg(2)`: sends to an address, or without one to the peer, as `options` say.
    ///
    /// # Errors
    /// Those of [`send`](Socket::send) and [`send_to`](Socket::send_to); EINVAL for a source that is
    /// not an address of the host or does not reach there, and for more than 128 segments; ENODEV
    /// for an interface that the host does not have; EMSGSIZE for a segment that is larger than
    /// what the path carries.
    pub async fn send_message(
        &self,
        data: &[u8],
        to: Option<&SockAddr>,
        options: SendOptions,
    ) -> io::Result<usize> {
        let End::Datagram(datagram) = &self.end else {
            return match to {
                Some(to) => self.send_to(data, to).await,
                None => self.send(data).await,
            };
        };
        let modes = *self.modes();
        let to = to.map(to_inet).transpose()?;
        let sending = |waker: Option<&_>| datagram.poll_send_message(data, to, &options.0, waker);
        modes.wait(Direction::Write, Errno::TryAgain, sending).await
    }

    /// `recvmsg(2)`: receives, and says what went with it, whether the socket asked for it
    /// (`IP_PKTINFO` and the like) or not.
    ///
    /// # Errors
    /// Those of [`recv`](Socket::recv).
    pub async fn recv_message(&self, buffer: &mut [u8]) -> io::Result<ReceivedMessage> {
        self.receive_message(buffer, false, true).await
    }

    /// `recvmsg(2)` with `MSG_PEEK`: what is received stays in the queue.
    ///
    /// # Errors
    /// Those of [`recv`](Socket::recv).
    pub async fn peek_message(&self, buffer: &mut [u8]) -> io::Result<ReceivedMessage> {
        self.receive_message(buffer, true, true).await
    }

    pub(super) async fn receive_message(
        &self,
        buffer: &mut [u8],
        peek: bool,
        with_packet: bool,
    ) -> io::Result<ReceivedMessage> {
        let modes = *self.modes();
        let receiving = |waker: Option<&_>| -> Poll<io::Result<ReceivedMessage>> {
            match &self.end {
                End::Stream(endpoint) => endpoint.poll_receive(buffer, peek, waker).map_ok(|len| {
                    ReceivedMessage { len, whole_len: len, from: None, packet: None }
                }),
                End::Datagram(datagram) => {
                    datagram.poll_recv_message(buffer, peek, waker).map_ok(|received| {
                        let packet = received.to.filter(|_| with_packet).map(|destination| {
                            let from = received.from.ip();
                            let (local, interface) = datagram.packet_info(from, destination);
                            PacketInfo {
                                destination,
                                local,
                                interface,
                                hop_limit: received.hop_limit,
                                traffic_class: received.traffic_class,
                            }
                        });
                        ReceivedMessage {
                            len: received.len,
                            whole_len: received.whole_len,
                            from: Some(received.from.into()),
                            packet,
                        }
                    })
                }
                End::Local(local) => {
                    let mut filled = 0;
                    let taken = local.poll_recv_message(buffer.len(), peek, waker, |bytes| {
                        buffer[filled..filled + bytes.len()].copy_from_slice(bytes);
                        filled += bytes.len();
                    });
                    taken.map_ok(|(len, whole_len, from)| ReceivedMessage {
                        len,
                        whole_len,
                        from: Some(from.into()),
                        packet: None,
                    })
                }
            }
        };
        modes.wait(Direction::Read, Errno::TryAgain, receiving).await
    }
}
