//! A scripted peer: one host with its stack, and the other end of its link in your hands.
//!
//! For people who have a stack, a driver or a bug report: put any frame on the wire, look at each
//! frame that the host sends, and let time pass as you like. There are no tasks and no second host,
//! and nothing is random: the same calls give the same frames.
//!
//! # A bug report
//!
//! The peer connects, sends data beyond a gap, and fills the gap later:
//!
//! ```
//! use std::time::Duration;
//!
//! use glassnet::peer::{Peer, Wire};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut wire = Wire::new(7); // the seed
//! let listener = wire.listen("10.0.0.1:80".parse()?, 5)?;
//!
//! let mut peer = Peer::new("10.0.0.2:40000".parse()?, "10.0.0.1:80".parse()?);
//! wire.inject(&peer.syn());
//! let syn_ack = wire.expect_segment("SYN ACK");
//! assert_eq!((syn_ack.ack, syn_ack.mss()), (Some(1), Some(1460)));
//! peer.received(&syn_ack);
//! wire.inject(&peer.segment()); // the ACK
//! let connection = wire.accept(&listener)?;
//!
//! wire.inject(&peer.segment().seq(peer.seq + 4).payload(b"two"));
//! let duplicate = wire.expect_segment("ACK"); // at once: there is a gap
//! assert_eq!(duplicate.ack, Some(1));
//! wire.inject(&peer.segment().payload(b"one "));
//! assert_eq!(wire.expect_segment("ACK").ack, Some(8));
//! assert_eq!(wire.read(&connection)?, b"one two");
//!
//! wire.write(&connection, b"thank you")?;
//! assert_eq!(wire.expect_segment("ACK").payload, b"thank you");
//! // Nobody acknowledges that: it is sent again when the timer fires.
//! let sent = wire.now();
//! wire.advance(Duration::from_secs(2))?;
//! let again = wire.expect_segment("ACK");
//! assert_eq!(again.payload, b"thank you");
//! assert!(again.time > sent);
//! # Ok(())
//! # }
//! ```
//!
//! # A driver's raw bytes
//!
//! [`Wire::inject`] takes any slice of bytes, and [`Frame::bytes`] is what would have gone to the
//! card. Here somebody asks for the host's Ethernet address:
//!
//! ```
//! use glassnet::peer::Wire;
//!
//! let mut wire = Wire::new(7);
//! let request = [
//!     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2, 0x08, 0x06, // Ethernet
//!     0, 1, 8, 0, 6, 4, 0, 1, // ARP: Ethernet, IPv4, request
//!     2, 0, 0, 0, 0, 2, 10, 0, 0, 2, // who asks
//!     0, 0, 0, 0, 0, 0, 10, 0, 0, 1, // for whom
//! ];
//! wire.inject(&request);
//! let reply = wire.next_frame().unwrap();
//! assert_eq!(reply.bytes[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x06]);
//! assert_eq!(reply.to_string(), "0.000000000s ARP reply 10.0.0.1 is at 02:00:00:00:00:01");
//! ```
//!
//! # What there is
//!
//! - [`Wire`] is the host, the link and the clock; [`Wire::builder`] gives it addresses, gateways
//!   and [`HostOptions`](crate::HostOptions) of your choice.
//! - Frames in: [`Wire::inject`] and [`Wire::inject_burst`], with [`Segment`], [`Datagram`],
//!   [`IcmpMessage`], [`ArpPacket`](crate::ArpPacket), [`IpPacket`], raw bytes, or whatever
//!   implements [`ToFrame`]. [`Peer`] keeps the numbers of a connection.
//! - Frames out: [`Wire::next_frame`], [`next_segment`](Wire::next_segment) and their relatives;
//!   [`expect_segment`](Wire::expect_segment) and [`expect_nothing_for`](Wire::expect_nothing_for)
//!   panic with the frame that was sent instead.
//! - What happens: [`Wire::next_event`] goes on to the next frame, change of state or timer.
//! - Time: [`Wire::advance`], [`run_until_idle`](Wire::run_until_idle),
//!   [`deadline`](Wire::deadline).
//! - Sockets: those of [`net::socket`](crate::net::socket) and of [`net`](crate::net), made in
//!   [`Wire::enter`]; a call that may wait is tried once by [`Wire::call`], or runs on by
//!   [`Wire::start`]. The usual ones are methods: [`listen`](Wire::listen),
//!   [`connect`](Wire::connect), [`accept`](Wire::accept), [`read`](Wire::read),
//!   [`write`](Wire::write), [`close`](Wire::close).
//! - [`Wire::capture`] shows everything to Wireshark.
//!
//! As long as nobody says otherwise, the peer answers ARP requests and neighbour solicitations for
//! its addresses, and those are no events.

mod answers;
mod builder;
mod calls;
mod capture;
mod connection;
mod datagram;
mod event;
mod expect;
mod icmp;
mod packet;
mod segment;
mod tcp_option;
mod wire;

pub use builder::WireBuilder;
pub use calls::Call;
pub use connection::Peer;
pub use datagram::Datagram;
pub use event::{Event, Frame, NotIdle, Sent};
pub use icmp::IcmpMessage;
pub use packet::{Checksum, IpPacket, ToFrame};
pub use segment::Segment;
pub use tcp_option::TcpOption;
pub use wire::Wire;
