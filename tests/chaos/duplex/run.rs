//! One world from its plan, and the verdict on it.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Failure, IpVersion, RunError, Sim};

use super::application::{Note, exchange, stream_of};
use super::knobs::Way;
use super::plan::{NAMES, Plan};
use super::rules::Rules;
use super::wire::{EndlessInstant, Seen, watch};
use crate::portion::engines;

/// Far more than any world needs that ends.
const EVENTS: u64 = 5_000_000;
const STEP: Duration = Duration::from_secs(60);
/// Ten times the longest timeout of the engine, and the longest pause of an application.
const STEPS_WITHOUT_A_BYTE: u32 = 11;
/// 15 retries take 924 seconds, FIN-WAIT-2 and TIME-WAIT 60 each.
const STEPS_UNTIL_QUIET: u32 = 20;
const QUIET: Duration = Duration::from_secs(1800);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The network healed, and for ten of the longest timeouts no byte and no end of a stream has
    /// reached an application.
    Hang,
    /// A clean end of the stream with bytes missing.
    Truncated,
    /// A byte that nobody wrote, or wrote there.
    WrongByte,
    /// A segment that must never be sent.
    BrokenRule,
    /// A call failed.
    Error,
    EndlessInstant,
    /// Both applications have ended, and something still happens.
    NeverQuiet,
    /// Nothing will ever happen again, and a connection is not closed.
    LeftOpen,
    Panic,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::Hang => "hang",
            Kind::Truncated => "truncated",
            Kind::WrongByte => "wrong-byte",
            Kind::BrokenRule => "broken-rule",
            Kind::Error => "error",
            Kind::EndlessInstant => "endless-instant",
            Kind::NeverQuiet => "never-quiet",
            Kind::LeftOpen => "left-open",
            Kind::Panic => "panic",
        })
    }
}

pub(crate) struct Verdict {
    pub(crate) failure: Option<(Kind, String)>,
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    pub(crate) retransmissions: u64,
    pub(crate) events: u64,
    /// What was on the wire, if it was asked for.
    pub(crate) lines: Vec<String>,
}

/// Runs the world of a plan to its end; `in_full` keeps a line for everything on the wire.
pub(crate) fn run(plan: &Plan, in_full: bool) -> Verdict {
    let notes = [Rc::new(Note::default()), Rc::new(Note::default())];
    let mut sim = build(plan, &notes);
    let rules = Rules::new([0, 1].map(|end| stream_of(plan.seed, end, plan.ends[end].bytes)));
    let seen = watch(&mut sim, rules, in_full);
    // A world that panicked is only asked what it has counted.
    let ended = catch_unwind(AssertUnwindSafe(|| live(&mut sim, plan, &notes, &seen)));
    let failure = ended.unwrap_or_else(|panic| Err(of_panic(panic.as_ref()))).err();
    let mut seen = seen.borrow_mut();
    Verdict {
        failure,
        bytes: notes.iter().map(|note| note.read.get()).sum(),
        segments: seen.segments,
        retransmissions: sim.retransmissions(),
        events: sim.events(),
        lines: seen.lines.take().unwrap_or_default(),
    }
}

fn build(plan: &Plan, notes: &[Rc<Note>; 2]) -> Sim {
    let mut sim = Sim::new(plan.seed);
    sim.event_limit(EVENTS);
    sim.ip_version(if plan.ipv6 { IpVersion::V6 } else { IpVersion::V4 });
    let streams = [0, 1].map(|end| stream_of(plan.seed, end, plan.ends[end].bytes));
    let [client, server] = plan.ends.clone();
    let [client_note, server_note] = notes.clone();
    sim.host_options(NAMES[0], client.stack.host_options().tcp_engine(engines()[0]));
    sim.host_options(NAMES[1], server.stack.host_options().tcp_engine(engines()[1]));
    set_impairments(&mut sim, &plan.ways);
    let (seed, any) = (plan.seed, if plan.ipv6 { "[::]:7" } else { "0.0.0.0:7" });
    sim.client(NAMES[1], async move {
        let listener = TcpListener::bind(any).await?;
        let (stream, _) = listener.accept().await?;
        exchange(stream, server, !seed, streams[1], streams[0], server_note).await;
        Ok(())
    });
    sim.client(NAMES[0], async move {
        match TcpStream::connect("server:7").await {
            Ok(stream) => exchange(stream, client, seed, streams[0], streams[1], client_note).await,
            Err(error) => client_note.fail("connect", &error),
        }
        Ok(())
    });
    sim
}

fn set_impairments(sim: &mut Sim, ways: &[Way; 2]) {
    sim.one_way(NAMES[0], NAMES[1]).impairments(ways[0].impairments());
    sim.one_way(NAMES[1], NAMES[0]).impairments(ways[1].impairments());
}

fn live(
    sim: &mut Sim,
    plan: &Plan,
    notes: &[Rc<Note>; 2],
    seen: &Rc<RefCell<Seen>>,
) -> Result<(), (Kind, String)> {
    let mut heals_after = plan.heals_at;
    if let Some((from, lasts)) = plan.outage {
        go(sim, from)?;
        sim.partition(NAMES[0], NAMES[1]);
        go(sim, lasts)?;
        sim.heal(NAMES[0], NAMES[1]);
        heals_after = heals_after.saturating_sub(from + lasts);
    }
    go(sim, heals_after)?;
    set_impairments(sim, &[plan.healed.clone(), plan.healed.clone()]);
    judge(plan, notes, seen)?;
    let mut stalled = 0;
    while !notes.iter().all(|note| note.done.get()) {
        let (before, segments) = (progress(notes), seen.borrow().segments);
        go(sim, STEP)?;
        judge(plan, notes, seen)?;
        stalled = if progress(notes) == before { stalled + 1 } else { 0 };
        if stalled == STEPS_WITHOUT_A_BYTE {
            let segments = seen.borrow().segments - segments;
            let open = seen.borrow().open().join(", ");
            let [client, server] = [0, 1].map(|end| standing(plan, notes, end));
            let what = format!(
                "{open}; {segments} segments in the last minute; client {client}; server {server}"
            );
            return Err((Kind::Hang, what));
        }
    }
    become_quiet(sim, seen)?;
    judge(plan, notes, seen)
}

/// When the applications have ended, so must the connections and their timers.
fn become_quiet(sim: &mut Sim, seen: &Rc<RefCell<Seen>>) -> Result<(), (Kind, String)> {
    for step in 0.. {
        let before = sim.events();
        go(sim, STEP)?;
        if sim.events() == before {
            break;
        }
        if step == STEPS_UNTIL_QUIET {
            let what =
                format!("{}, 20 minutes after the last call", seen.borrow().open().join(", "));
            return Err((Kind::NeverQuiet, what));
        }
    }
    let before = sim.events();
    go(sim, QUIET)?;
    if sim.events() > before {
        return Err((Kind::NeverQuiet, "something happens after a minute of silence".to_owned()));
    }
    let open = seen.borrow().open();
    if open.is_empty() { Ok(()) } else { Err((Kind::LeftOpen, open.join(", "))) }
}

fn go(sim: &mut Sim, duration: Duration) -> Result<(), (Kind, String)> {
    sim.run_for(duration).map_err(|error| {
        let failure = error.downcast_ref::<RunError>().map(RunError::failure);
        let kind = match failure {
            Some(Failure::EventLimit { .. } | Failure::Spinning { .. }) => Kind::EndlessInstant,
            _ => Kind::Error,
        };
        (kind, error.to_string().lines().next().unwrap_or_default().to_owned())
    })
}

/// Whatever is more when an application gets on.
fn progress(notes: &[Rc<Note>; 2]) -> u64 {
    let of = |note: &Note| {
        note.written.get()
            + note.read.get()
            + u64::from(note.end_of_stream.get())
            + u64::from(note.done.get())
    };
    notes.iter().map(|note| of(note)).sum()
}

fn judge(
    plan: &Plan,
    notes: &[Rc<Note>; 2],
    seen: &Rc<RefCell<Seen>>,
) -> Result<(), (Kind, String)> {
    for (end, name) in NAMES.iter().enumerate() {
        let note = &notes[end];
        let what = || format!("{name} {}", standing(plan, notes, end));
        if let Some(at) = note.wrong.get() {
            return Err((Kind::WrongByte, format!("at {at}; {}", what())));
        }
        if note.end_of_stream.get() && note.read.get() < plan.ends[1 - end].bytes {
            return Err((Kind::Truncated, what()));
        }
        if let Some(error) = &*note.error.borrow() {
            return Err((Kind::Error, format!("{error}; {}", what())));
        }
    }
    match &seen.borrow().rules.broken {
        Some(broken) => Err((Kind::BrokenRule, broken.clone())),
        None => Ok(()),
    }
}

fn standing(plan: &Plan, notes: &[Rc<Note>; 2], end: usize) -> String {
    let (note, sends, receives) = (&notes[end], plan.ends[end].bytes, plan.ends[1 - end].bytes);
    let ended = if note.end_of_stream.get() { " and the end" } else { "" };
    format!(
        "wrote {} of {sends}, read {} of {receives}{ended}",
        note.written.get(),
        note.read.get()
    )
}

fn of_panic(panic: &(dyn Any + Send)) -> (Kind, String) {
    if panic.is::<EndlessInstant>() {
        return (Kind::EndlessInstant, "frames without end in one instant".to_owned());
    }
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    (Kind::Panic, text.unwrap_or("a panic without words").to_owned())
}
