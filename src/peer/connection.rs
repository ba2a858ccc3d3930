//! The peer's end of a TCP connection.

use std::net::SocketAddr;

use super::event::Sent;
use super::segment::Segment;
use super::tcp_option::TcpOption;
use super::wire::Wire;

/// The peer's end of a TCP connection: its numbers, and segments made of them.
///
/// Nothing happens by itself: it sends what it is told to, and acknowledges what it is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The peer's address and port.
    pub address: SocketAddr,
    /// The host's address and port.
    pub host: SocketAddr,
    /// The sequence number that it sends next.
    pub seq: u32,
    /// The sequence number that it expects next; `None` before it has heard any.
    pub ack: Option<u32>,
    /// The window that it advertises, as on the wire.
    pub window: u16,
    /// The options of its SYN.
    pub options: Vec<TcpOption>,
}

impl Peer {
    /// An end that has not said anything: its first sequence number is 0, its window 65,535, its
    /// SYN tells an MSS of 1460.
    #[must_use]
    pub fn new(address: SocketAddr, host: SocketAddr) -> Peer {
        let options = vec![TcpOption::MaxSegmentSize(1_460)];
        Peer { address, host, seq: 0, ack: None, window: u16::MAX, options }
    }

    /// A segment with its numbers, which acknowledges what it has heard, and carries nothing.
    #[must_use]
    pub fn segment(&self) -> Segment {
        let segment = Segment::new(self.address, self.host).seq(self.seq).window(self.window);
        Segment { ack: self.ack, ..segment }
    }

    /// Its SYN; a SYN-ACK when it has heard the host's SYN.
    #[must_use]
    pub fn syn(&mut self) -> Segment {
        let syn = self.segment().syn();
        let syn = self.options.iter().cloned().fold(syn, Segment::option);
        self.seq = syn.end();
        syn
    }

    /// The next bytes of its stream, in one segment.
    #[must_use]
    pub fn data(&mut self, data: impl Into<Vec<u8>>) -> Segment {
        let segment = self.segment().psh().payload(data);
        self.seq = segment.end();
        segment
    }

    /// The end of its stream.
    #[must_use]
    pub fn fin(&mut self) -> Segment {
        let fin = self.segment().fin();
        self.seq = fin.end();
        fin
    }

    /// It has received a segment, which it acknowledges with the next it sends.
    pub fn received(&mut self, segment: &Segment) {
        self.ack = Some(segment.end());
    }
}

impl Wire {
    /// The peer opens a connection to a listener of the host: SYN, SYN-ACK, ACK. Returns the SYN-ACK.
    ///
    /// # Panics
    /// When the host does not answer with a SYN-ACK.
    #[track_caller]
    pub fn handshake(&mut self, peer: &mut Peer) -> Sent<Segment> {
        self.inject(&peer.syn());
        let syn_ack = self.expect_segment("SYN ACK");
        peer.received(&syn_ack);
        self.inject(&peer.segment());
        syn_ack
    }
}
