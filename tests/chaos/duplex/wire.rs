//! What is seen on the wire: how much in all, how much in one instant, and how connections stand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use glassnet::time::Instant;
use glassnet::{Event, Fate, Sim, TcpSegment, TcpState};

use super::rules::Rules;

/// More frames than this in one instant are an instant without end. 60 kB each way in segments of
/// 28 bytes over a link without delay are 10,000.
const FRAMES_PER_INSTANT: u64 = 300_000;

/// What a run ends with when an instant has no end.
pub(crate) struct EndlessInstant;

pub(crate) struct Seen {
    pub(crate) segments: u64,
    pub(crate) rules: Rules,
    instant: Option<Instant>,
    frames_at_instant: u64,
    /// The last state of each connection, by host and address.
    states: BTreeMap<(String, SocketAddr, SocketAddr), TcpState>,
    /// One line for each frame and each change of state, if somebody wants to read them.
    pub(crate) lines: Option<Vec<String>>,
    first_seq: BTreeMap<SocketAddr, u32>,
}

/// Begins to watch; `in_full` keeps a line for everything.
pub(crate) fn watch(sim: &mut Sim, rules: Rules, in_full: bool) -> Rc<RefCell<Seen>> {
    let seen = Rc::new(RefCell::new(Seen {
        segments: 0,
        rules,
        instant: None,
        frames_at_instant: 0,
        states: BTreeMap::new(),
        lines: in_full.then(Vec::new),
        first_seq: BTreeMap::new(),
    }));
    let ours = seen.clone();
    sim.observe(move |event| ours.borrow_mut().note(event));
    seen
}

impl Seen {
    /// The connections that are neither closed nor in TIME-WAIT, with their states.
    pub(crate) fn open(&self) -> Vec<String> {
        let open = self.states.iter().filter(|(_, state)| {
            !matches!(state, TcpState::Closed | TcpState::TimeWait | TcpState::Listen)
        });
        open.map(|((host, ..), state)| format!("{host} in {state}")).collect()
    }

    fn note(&mut self, event: &Event<'_>) {
        match *event {
            Event::Sent { time, from, frame, .. } => {
                self.count(time);
                if let Some(segment) = TcpSegment::parse(frame) {
                    self.segments += 1;
                    self.rules.sent(from, &segment, frame);
                }
            }
            Event::Arrived { host, frame, .. } => {
                if let Some(segment) = TcpSegment::parse(frame) {
                    self.rules.arrived(host, &segment);
                }
            }
            Event::State { host, local, remote, to, .. } => {
                self.states.insert((host.to_owned(), local, remote), to);
            }
            _ => {}
        }
        if self.lines.is_some()
            && let Some(line) = self.line(event)
        {
            self.lines.get_or_insert_default().push(line);
        }
    }

    fn count(&mut self, time: Instant) {
        if self.instant != Some(time) {
            self.instant = Some(time);
            self.frames_at_instant = 0;
        }
        self.frames_at_instant += 1;
        if self.frames_at_instant > FRAMES_PER_INSTANT {
            std::panic::panic_any(EndlessInstant);
        }
    }

    fn line(&mut self, event: &Event<'_>) -> Option<String> {
        match *event {
            Event::Sent { time, from, frame, fate, .. } => {
                let segment = TcpSegment::parse(frame)?;
                if segment.syn {
                    self.first_seq.insert(segment.source, segment.seq);
                }
                let dropped = match fate {
                    Fate::Dropped(reason) => format!(" ({reason})"),
                    _ => String::new(),
                };
                Some(format!("{time} {from}: {}{dropped}", self.text(&segment)))
            }
            Event::Arrived { time, host, frame, duplicate, .. } => {
                let copy = if duplicate { "a copy of " } else { "" };
                let text = self.text(&TcpSegment::parse(frame)?);
                Some(format!("{time}     {host} receives {copy}{text}"))
            }
            Event::State { time, host, from, to, .. } => {
                Some(format!("{time} {host}: {from} -> {to}"))
            }
            _ => None,
        }
    }

    /// A segment with relative numbers.
    fn text(&self, segment: &TcpSegment) -> String {
        let relative = |number: u32, of: SocketAddr| {
            number.wrapping_sub(self.first_seq.get(&of).copied().unwrap_or(0)).cast_signed()
        };
        let seq = relative(segment.seq, segment.source);
        let ack = segment.ack.map(|ack| relative(ack, segment.destination));
        let (flags, len, window) = (segment.flags(), segment.len, segment.window);
        format!("{flags} seq={seq} len={len} ack={} win={window}", ack.unwrap_or(-1))
    }
}
