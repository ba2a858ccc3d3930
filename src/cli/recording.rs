//! Keeps from a run what a ladder shows: each connection's segments and states, in order.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use glassnet::{ArpPacket, DropReason, Event, Fate, TcpSegment, TcpState};

/// Connections that are kept from beginning to end; the others are until they have closed well.
const CONNECTIONS: usize = 10;
/// Rows of a connection's beginning that are kept, and of its end.
const ROWS: usize = 10_000;
/// The same where there are many connections.
const ROWS_OF_MANY: usize = 100;

/// What happened in a run.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    connections: Vec<Connection>,
    /// Every connection seen; the first with their index.
    known: BTreeMap<Ends, Option<usize>>,
    /// Of the others those that have not closed, or not well.
    others: BTreeMap<Ends, Connection>,
    segments: u64,
    /// Nobody will see a connection.
    only_counts: bool,
}

/// The two ends of a connection, the lesser first.
type Ends = (SocketAddr, SocketAddr);

/// One connection, from the host that sent first to the other.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) left: End,
    pub(crate) right: End,
    /// Its beginning.
    begin: Vec<Row>,
    /// Its end, where it is long.
    end: VecDeque<Row>,
    /// Rows between the two.
    left_out: usize,
    most: usize,
    was_reset: bool,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) address: SocketAddr,
    /// Empty until the host is heard of.
    pub(crate) host: String,
    /// Where its sequence numbers begin.
    initial: Option<u32>,
    /// The number after the highest it has sent.
    next: Option<u32>,
    has_closed: bool,
}

/// The side of the ladder on which a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Something that a ladder shows.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Frame(Frame),
    State { time: Duration, side: Side, state: TcpState },
}

/// A frame on its way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) time: Duration,
    pub(crate) sender: Side,
    pub(crate) label: Label,
    pub(crate) remark: Option<Remark>,
    pub(crate) ending: Ending,
    /// Bytes of payload.
    pub(crate) len: u32,
    /// It carries data or acknowledges some, and nothing else: many of these are all alike.
    pub(crate) routine: bool,
}

/// What is written on a frame's arrow.
#[derive(Clone, Debug)]
pub(crate) enum Label {
    Arp(String),
    Segment(Header),
}

/// A segment's header, with numbers counted from the SYN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    flags: Flags,
    seq: u32,
    ack: Option<u32>,
    len: u32,
}

#[derive(Clone, Copy, Debug)]
struct Flags {
    syn: bool,
    fin: bool,
    rst: bool,
    psh: bool,
}

/// What is special about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remark {
    /// Its host has sent it, or a part of it, before.
    Retransmission,
    /// The link made it from the frame before.
    Duplicate,
}

/// How a frame's way ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Arrives(Duration),
    Lost(DropReason),
    /// The link keeps it.
    Held,
}

impl Recording {
    /// One that keeps no connections.
    pub(crate) fn only_counting() -> Recording {
        Recording { only_counts: true, ..Recording::default() }
    }

    /// Takes note of an event of the run.
    pub(crate) fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::Sent { time, from, to, frame, fate, .. } => {
                let sent = Sent { time: time.since_start(), from, to, fate };
                if let Some(segment) = TcpSegment::parse(frame) {
                    self.segments += 1;
                    if self.only_counts {
                        return;
                    }
                    let (source, destination) = (segment.source, segment.destination);
                    if let Some(connection) = self.connection(source, destination, from) {
                        connection.segment(&sent, &segment);
                    }
                } else if !self.only_counts
                    && let Some(arp) = ArpPacket::parse(frame)
                    && let Some(connection) = self.between(arp.sender.into(), arp.target.into())
                {
                    connection.arp(&sent, &arp);
                }
            }
            Event::State { time, host, local, remote, to, .. } if !self.only_counts => {
                if let Some(connection) = self.connection(local, remote, host) {
                    let side = connection.side_of(local);
                    connection.name(side, host);
                    connection.push(Row::State { time: time.since_start(), side, state: to });
                    if matches!(to, TcpState::Closed | TcpState::TimeWait) {
                        connection.end_mut(side).has_closed = true;
                    }
                    if connection.has_closed_well() {
                        self.others.remove(&ends(local, remote));
                    }
                }
            }
            _ => {}
        }
    }

    /// The connections that were kept, in the order in which they began.
    pub(crate) fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// How many others there were.
    pub(crate) fn connections_not_kept(&self) -> usize {
        self.known.len().saturating_sub(self.connections.len())
    }

    /// Among those others, one that a client began and that has not closed well.
    pub(crate) fn unfinished_of(&self, client: &str) -> Option<&Connection> {
        self.others.values().find(|connection| connection.left.host == client)
    }

    /// TCP segments that hosts have sent.
    pub(crate) fn segments(&self) -> u64 {
        self.segments
    }

    /// The connection between two ends, made if there is room; `first` is the host that shows
    /// that there is one.
    fn connection(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        first: &str,
    ) -> Option<&mut Connection> {
        let ends = ends(local, remote);
        let index = match self.known.get(&ends) {
            Some(index) => *index,
            None => {
                let index = Some(self.connections.len()).filter(|index| *index < CONNECTIONS);
                let most = if index.is_some() { ROWS } else { ROWS_OF_MANY };
                let connection =
                    Connection::new(End::new(local, first), End::new(remote, ""), most);
                match index {
                    Some(_) => self.connections.push(connection),
                    None => _ = self.others.insert(ends, connection),
                }
                self.known.insert(ends, index);
                index
            }
        };
        match index {
            Some(index) => self.connections.get_mut(index),
            None => self.others.get_mut(&ends),
        }
    }

    /// The first connection between two hosts, which is the one their ARP was for.
    fn between(&mut self, one: IpAddr, other: IpAddr) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| {
            let ends = [connection.left.address.ip(), connection.right.address.ip()];
            ends.contains(&one) && ends.contains(&other)
        })
    }
}

fn ends(one: SocketAddr, other: SocketAddr) -> Ends {
    (one.min(other), one.max(other))
}

impl Connection {
    fn new(left: End, right: End, most: usize) -> Connection {
        Connection {
            left,
            right,
            begin: Vec::new(),
            end: VecDeque::new(),
            left_out: 0,
            most,
            was_reset: false,
        }
    }

    /// Its beginning, in order.
    pub(crate) fn begin(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.begin.iter()
    }

    /// How many rows are not kept, and those after them.
    pub(crate) fn rest(&self) -> (usize, impl DoubleEndedIterator<Item = &Row>) {
        (self.left_out, self.end.iter())
    }

    fn push(&mut self, row: Row) {
        if self.begin.len() < self.most {
            self.begin.push(row);
            return;
        }
        if self.end.len() == self.most {
            self.end.pop_front();
            self.left_out += 1;
        }
        self.end.push_back(row);
    }

    fn has_closed_well(&self) -> bool {
        self.left.has_closed && self.right.has_closed && !self.was_reset
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn side_of(&self, address: SocketAddr) -> Side {
        if address == self.left.address { Side::Left } else { Side::Right }
    }

    fn name(&mut self, side: Side, host: &str) {
        let end = self.end_mut(side);
        if end.host.is_empty() {
            host.clone_into(&mut end.host);
        }
    }

    fn segment(&mut self, sent: &Sent<'_>, segment: &TcpSegment) {
        let sender = self.side_of(segment.source);
        self.name(sender, sent.from);
        if let Some(to) = sent.to {
            self.name(sender.other(), to);
        }
        let (from, to) = match sender {
            Side::Left => (&mut self.left, &self.right),
            Side::Right => (&mut self.right, &self.left),
        };
        self.was_reset |= segment.rst;
        let again = from.sends(segment);
        let seq = from.relative(segment.seq);
        let ack = segment.ack.map(|ack| to.relative(ack));
        let TcpSegment { syn, fin, rst, psh, len, .. } = *segment;
        self.push_frame(
            sent,
            Frame {
                time: sent.time,
                sender,
                label: Label::Segment(Header {
                    flags: Flags { syn, fin, rst, psh },
                    seq,
                    ack,
                    len,
                }),
                remark: again.then_some(Remark::Retransmission),
                ending: sent.ending(),
                len: segment.len,
                routine: !(again || segment.syn || segment.fin || segment.rst),
            },
        );
    }

    fn arp(&mut self, sent: &Sent<'_>, arp: &ArpPacket) {
        let is_of_left = IpAddr::V4(arp.sender) == self.left.address.ip();
        let sender = if is_of_left { Side::Left } else { Side::Right };
        let label = if arp.is_reply {
            let [a, b, c, d, e, f] = arp.sender_mac;
            format!("ARP reply {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
        } else {
            format!("ARP who has {}", arp.target)
        };
        let ending = sent.ending();
        let time = sent.time;
        let label = Label::Arp(label);
        self.push_frame(
            sent,
            Frame { time, sender, label, remark: None, ending, len: 0, routine: false },
        );
    }

    fn push_frame(&mut self, sent: &Sent<'_>, frame: Frame) {
        let copy = match sent.fate {
            Fate::Arrives { duplicate_at: Some(at), .. } => Some(Frame {
                remark: Some(Remark::Duplicate),
                ending: Ending::Arrives(at.since_start()),
                routine: false,
                ..frame.clone()
            }),
            _ => None,
        };
        self.push(Row::Frame(frame));
        if let Some(copy) = copy {
            self.push(Row::Frame(copy));
        }
    }
}

impl End {
    fn new(address: SocketAddr, host: &str) -> End {
        End { address, host: host.to_owned(), initial: None, next: None, has_closed: false }
    }

    /// Follows the sequence numbers that this end sends; says whether these were sent before.
    fn sends(&mut self, segment: &TcpSegment) -> bool {
        if segment.syn {
            self.initial = Some(segment.seq);
        }
        let takes_room = segment.end() != segment.seq;
        match self.next {
            Some(next) if is_before(segment.seq, next) => {
                if is_before(next, segment.end()) {
                    self.next = Some(segment.end());
                }
                takes_room
            }
            _ => {
                self.next = Some(segment.end());
                false
            }
        }
    }

    /// The number as people read it: counted from the SYN.
    fn relative(&self, number: u32) -> u32 {
        number.wrapping_sub(self.initial.unwrap_or(0))
    }
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// What is known of a frame beside its bytes.
struct Sent<'e> {
    time: Duration,
    from: &'e str,
    to: Option<&'e str>,
    fate: Fate,
}

impl Sent<'_> {
    fn ending(&self) -> Ending {
        match self.fate {
            Fate::Arrives { at, .. } => Ending::Arrives(at.since_start()),
            Fate::Dropped(reason) => Ending::Lost(reason),
            Fate::Held => Ending::Held,
            // A demo's frames have no other.
            _ => Ending::Arrives(self.time),
        }
    }
}

impl Label {
    /// The whole label, and then shorter ones.
    pub(crate) fn variants(&self) -> Vec<String> {
        match self {
            Label::Arp(label) => vec![label.clone()],
            Label::Segment(header) => header.variants(),
        }
    }
}

impl Header {
    fn variants(&self) -> Vec<String> {
        let Header { flags, seq, ack, len } = *self;
        let flags = [
            (flags.syn, "SYN"),
            (flags.fin, "FIN"),
            (flags.rst, "RST"),
            (flags.psh, "PSH"),
            (ack.is_some(), "ACK"),
        ];
        let set: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
        let flags = set.join(" ");
        let seq = format!(" seq={seq}");
        let ack = ack.map(|ack| format!(" ack={ack}")).unwrap_or_default();
        let len = if len > 0 { format!(" len={len}") } else { String::new() };
        // The ACK of data is what says least.
        let but_one = if len.is_empty() { &ack } else { &len };
        vec![
            format!("{flags}{seq}{ack}{len}"),
            format!("{flags}{seq}{but_one}"),
            format!("{flags}{but_one}"),
            flags,
        ]
    }
}

/// The order of sequence numbers (RFC 9293 3.4).
fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}
