//! The journal of a run: every event, with a rolling hash, so that two runs can be compared.
//!
//! It is a file of lines. From a given event on each event has one, until the file is as long as it
//! may be; before and after, 1,024 events have one together, with the hash so far.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Write};
use std::rc::Rc;

use super::describe::describe_alone;
use super::observe::Event;
use crate::clock::Clock;
use crate::network::Fate;
use crate::task::{Origin, TaskEvent, TaskStep};
use crate::time::Instant;

/// Events that have one line together where they have none of their own.
const CHUNK: u64 = 1_024;
/// Bytes of lines about single events.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of a frame that are kept in a line.
const MAX_FRAME: usize = 256;
/// Tasks of a host that are remembered as those that have just run.
const MAX_RAN: usize = 4;

/// The journal of one run. Clones write to the same one.
#[derive(Clone)]
pub(crate) struct Journal(Rc<RefCell<Log>>);

struct Log {
    file: BufWriter<File>,
    /// What the file has refused.
    failed: io::Result<()>,
    /// The first event that has a line of its own.
    from: u64,
    /// Bytes that such lines may still take.
    room: usize,
    hasher: DefaultHasher,
    events: u64,
    clock: Clock,
    /// By host, the tasks that ran last, all at one time.
    ran: BTreeMap<String, Ran>,
}

#[derive(Default)]
struct Ran {
    time: u64,
    tasks: Vec<(u64, Origin)>,
}

/// An event as a line has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoggedEvent {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The hash of this event and all before it.
    hash: u64,
    /// When, in nanoseconds.
    pub(crate) time: u64,
    /// What happened, and where.
    pub(crate) what: String,
    /// The tasks of the host that ran at that time.
    pub(crate) tasks: String,
    /// The first bytes of the frame, in hexadecimal digits; nothing where it is about none.
    pub(crate) bytes: String,
}

/// A line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Event(LoggedEvent),
    /// So many events have gone before, the last of them at that time, with that hash.
    Chunk {
        events: u64,
        time: u64,
        hash: u64,
    },
}

impl Journal {
    /// Writes to a file that is empty, with a line for each event from the one with number `from` on.
    pub(crate) fn new(file: File, from: u64) -> Journal {
        Journal(Rc::new(RefCell::new(Log {
            file: BufWriter::new(file),
            failed: Ok(()),
            from,
            room: MAX_BYTES,
            hasher: DefaultHasher::new(),
            events: 0,
            clock: Clock::default(),
            ran: BTreeMap::new(),
        })))
    }

    /// The run is that of the world with this clock.
    pub(in crate::world) fn set_clock(&self, clock: &Clock) {
        self.0.borrow_mut().clock = clock.clone();
    }

    /// What the test itself came to is its last event.
    ///
    /// # Errors
    /// When the journal could not be written.
    pub(crate) fn finish(&self, outcome: &str) -> io::Result<()> {
        let log = &mut *self.0.borrow_mut();
        log.note(&outcome, || (outcome.to_owned(), String::new(), &[]));
        log.write_chunk();
        std::mem::replace(&mut log.failed, Ok(()))?;
        log.file.flush()
    }

    /// A task does something.
    pub(in crate::world) fn note_task(&self, event: &TaskEvent<'_>) {
        let log = &mut *self.0.borrow_mut();
        let TaskEvent { host, id, origin, what } = *event;
        let time = log.clock.now();
        let number = id.number();
        if what == TaskStep::Polled {
            if !log.ran.contains_key(host) {
                log.ran.insert(host.to_owned(), Ran::default());
            }
            if let Some(ran) = log.ran.get_mut(host) {
                ran.note(time, number, origin);
            }
        }
        let (kind, detail) = match what {
            TaskStep::Polled => (0_u8, 0),
            TaskStep::SetsTimer { until } => (1, until.as_nanos()),
            TaskStep::HasDrawn { times } => (2, times),
            TaskStep::DrawsBranch => (3, 0),
        };
        log.note(&(b't', host, number, kind, detail), || {
            let what = match what {
                TaskStep::Polled => format!("a task of {host} runs"),
                TaskStep::SetsTimer { until } => {
                    format!("a task of {host} sets a timer for {until}")
                }
                TaskStep::HasDrawn { times } => {
                    format!("a task of {host} draws from glassnet::rng() ({times} times)")
                }
                TaskStep::DrawsBranch => format!("a task of {host} begins a select!"),
            };
            (what, task_in_words(number, origin), &[])
        });
    }

    /// A timer of a task fires.
    pub(in crate::world) fn note_timer(&self, at: u64) {
        self.0.borrow_mut().note(&(b'f', at), || {
            (format!("the timer for {} fires", Instant::from_nanos(at)), String::new(), &[])
        });
    }

    /// Something happens on the network, or is done to it.
    pub(in crate::world) fn note(&self, event: &Event<'_>) {
        let log = &mut *self.0.borrow_mut();
        match *event {
            Event::Sent { from, to, frame, fate, .. } => {
                let tasks = log.ran_on(from);
                let fates = match fate {
                    Fate::Arrives { at, duplicate_at } => {
                        (at.as_nanos(), duplicate_at.map_or(0, Instant::as_nanos))
                    }
                    Fate::Dropped(reason) => (u64::MAX, reason as u64),
                    Fate::Held => (u64::MAX, u64::MAX),
                };
                log.note(&(b's', from, to, frame, fates), || {
                    let what = describe_alone(frame, frame.len());
                    let to = to.unwrap_or("nobody");
                    let fate = match fate {
                        Fate::Arrives { at, duplicate_at: None } => format!("arrives at {at}"),
                        Fate::Arrives { at, duplicate_at: Some(again) } => {
                            format!("arrives at {at} and {again}")
                        }
                        Fate::Dropped(reason) => reason.to_string(),
                        Fate::Held => "held".to_owned(),
                    };
                    (format!("{from} sends to {to}: {what} ({fate})"), tasks, frame)
                });
            }
            Event::Arrived { host, frame, duplicate, .. } => {
                log.note(&(b'a', host, frame, duplicate), || {
                    let what = describe_alone(frame, frame.len());
                    (format!("{host} receives: {what}"), String::new(), frame)
                });
            }
            Event::Dropped { host, frame, reason, .. } => {
                let tasks = log.ran_on(host);
                log.note(&(b'd', host, frame, reason as u64), || {
                    let what = describe_alone(frame, frame.len());
                    (format!("dropped at {host}: {what} ({reason})"), tasks, frame)
                });
            }
            Event::State { host, local, remote, from, to, .. } => {
                let tasks = log.ran_on(host);
                log.note(&(b'c', host, local, remote, from as u8, to as u8), || {
                    (format!("{host}: {local} > {remote} {from} -> {to}"), tasks, &[])
                });
            }
            Event::Fault { fault, .. } => {
                let fault = fault.to_string();
                log.note(&(b'x', &fault), || (format!("fault: {fault}"), String::new(), &[]));
            }
        }
    }
}

impl Log {
    /// An event: what of it must be the same, and then its words, its tasks and its frame.
    fn note<'f>(&mut self, event: &impl Hash, words: impl FnOnce() -> (String, String, &'f [u8])) {
        let time = self.clock.now();
        self.events += 1;
        (time, event).hash(&mut self.hasher);
        if self.events >= self.from && self.room > 0 {
            let (what, tasks, frame) = words();
            let number = self.events;
            let mut bytes = String::new();
            for byte in frame.iter().take(MAX_FRAME) {
                bytes.push_str(&format!("{byte:02x}"));
            }
            let hash = self.hasher.finish();
            self.write(&Line::Event(LoggedEvent { number, hash, time, what, tasks, bytes }));
        } else if self.events.is_multiple_of(CHUNK) {
            self.write_chunk();
        }
    }

    fn write_chunk(&mut self) {
        let hash = self.hasher.finish();
        self.write(&Line::Chunk { events: self.events, time: self.clock.now(), hash });
    }

    fn write(&mut self, line: &Line) {
        if self.failed.is_ok() {
            let text = line.to_string();
            self.room = self.room.saturating_sub(text.len());
            self.failed = writeln!(self.file, "{text}");
        }
    }

    /// The tasks of a host that have run at this moment.
    fn ran_on(&self, host: &str) -> String {
        let is_described = self.events + 1 >= self.from && self.room > 0;
        let ran = self.ran.get(host).filter(|ran| is_described && ran.time == self.clock.now());
        let tasks = ran.map(|ran| &ran.tasks[..]).unwrap_or_default();
        let words: Vec<String> =
            tasks.iter().map(|(number, origin)| task_in_words(*number, *origin)).collect();
        words.join(", or ")
    }
}

impl Ran {
    fn note(&mut self, time: u64, task: u64, origin: Origin) {
        if self.time != time {
            self.tasks.clear();
        }
        self.time = time;
        self.tasks.retain(|(number, _)| *number != task);
        // The last one is the most likely.
        self.tasks.insert(0, (task, origin));
        self.tasks.truncate(MAX_RAN);
    }
}

fn task_in_words(number: u64, origin: Origin) -> String {
    format!("{origin} (task {number})")
}

/// Without what parts fields and lines.
fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.replace(char::is_control, " "))
    } else {
        Cow::Borrowed(text)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Line::Event(LoggedEvent { number, hash, time, what, tasks, bytes }) => {
                let (what, tasks) = (plain(what), plain(tasks));
                write!(formatter, "e\t{number}\t{time}\t{hash:016x}\t{what}\t{tasks}\t{bytes}")
            }
            Line::Chunk { events, time, hash } => {
                write!(formatter, "c\t{events}\t{time}\t{hash:016x}")
            }
        }
    }
}

impl Line {
    /// How many events there are up to this one.
    pub(crate) fn events(&self) -> u64 {
        match self {
            Line::Event(event) => event.number,
            Line::Chunk { events, .. } => *events,
        }
    }

    /// Reads a line; `None` when it was cut off.
    pub(crate) fn parse(line: &str) -> Option<Line> {
        let mut fields = line.split('\t');
        let kind = fields.next()?;
        let events = fields.next()?.parse().ok()?;
        let time = fields.next()?.parse().ok()?;
        let hash = u64::from_str_radix(fields.next()?, 16).ok()?;
        match kind {
            "c" => Some(Line::Chunk { events, time, hash }),
            "e" => {
                let mut text = || fields.next().map(str::to_owned);
                let (what, tasks, bytes) = (text()?, text()?, text()?);
                Some(Line::Event(LoggedEvent { number: events, hash, time, what, tasks, bytes }))
            }
            _ => None,
        }
    }
}
