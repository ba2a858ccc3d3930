//! Where two journals differ, and what that says.

use std::fmt;
use std::io::{self, BufRead, Read};

use crate::time::Instant;
use crate::world::{Line, LoggedEvent};

/// Bytes of a line that are read.
const MAX_LINE: u64 = 64 << 10;

/// The first difference between two journals.
#[derive(Debug)]
pub(super) enum Difference {
    Event(Box<Pair>),
    /// One of many events that have no lines of their own.
    Among {
        after: u64,
        up_to: u64,
        time: u64,
    },
}

/// An event, in each process: `None` where there is none any more.
#[derive(Debug)]
pub(super) struct Pair {
    before: Option<LoggedEvent>,
    here: Option<LoggedEvent>,
    there: Option<LoggedEvent>,
}

/// The first line in which two journals differ.
pub(super) fn compare(here: impl BufRead, there: impl BufRead) -> io::Result<Option<Difference>> {
    let (mut here, mut there) = (Lines(here), Lines(there));
    let mut before = None;
    loop {
        let (left, right) = (here.next()?, there.next()?);
        if left == right {
            if left.is_none() {
                return Ok(None);
            }
            before = left;
            continue;
        }
        let events_before = before.as_ref().map_or(0, Line::events);
        let into_event = |line: Option<Line>| match line {
            Some(Line::Event(event)) => Some(event),
            _ => None,
        };
        return Ok(Some(match (left, right) {
            (Some(Line::Chunk { events, time, .. }), Some(Line::Chunk { events: others, .. }))
                if events.min(others) > events_before + 1 =>
            {
                Difference::Among { after: events_before, up_to: events.min(others), time }
            }
            (left, right) => Difference::Event(Box::new(Pair {
                before: into_event(before),
                here: into_event(left),
                there: into_event(right),
            })),
        }));
    }
}

/// Lines of a journal, up to one that was cut off.
struct Lines<R>(R);

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Vec::new();
        self.0.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        let line = String::from_utf8(line).unwrap_or_default();
        Ok(line.strip_suffix('\n').and_then(Line::parse))
    }
}

impl Difference {
    /// The number of the first event that differs, or may do so.
    pub(super) fn event(&self) -> u64 {
        match self {
            Difference::Event(pair) => {
                let Pair { before, here, there } = &**pair;
                let number = here.as_ref().or(there.as_ref()).map(|event| event.number);
                let after = || before.as_ref().map_or(1, |event| event.number + 1);
                number.unwrap_or_else(after)
            }
            Difference::Among { after, .. } => after + 1,
        }
    }

    /// When, in nanoseconds.
    pub(super) fn time(&self) -> u64 {
        match self {
            Difference::Event(pair) => {
                let time = |event: &Option<LoggedEvent>| event.as_ref().map(|event| event.time);
                time(&pair.here).or(time(&pair.there)).unwrap_or(0)
            }
            Difference::Among { time, .. } => *time,
        }
    }

    /// The last event without a difference, where those after it have no lines of their own.
    pub(super) fn is_after(&self) -> Option<u64> {
        match self {
            Difference::Event(_) => None,
            Difference::Among { after, .. } => Some(*after),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Among { after, up_to, .. } => write!(
                formatter,
                "\nit is one of the events {} to {up_to}; when the two were run again to see which, \
                 they did not differ there",
                after + 1
            ),
            Difference::Event(pair) => {
                let Pair { before, here, there } = &**pair;
                if let Some(before) = before {
                    write!(formatter, "\nbefore, in both:  ")?;
                    write_event(formatter, Some(before))?;
                }
                write!(formatter, "\nin this process:  ")?;
                write_event(formatter, here.as_ref())?;
                write!(formatter, "\nin the other one: ")?;
                write_event(formatter, there.as_ref())?;
                if let Some((here, there)) = here.as_ref().zip(there.as_ref()) {
                    write_bytes(formatter, here, there)?;
                }
                write!(formatter, "\nhint: {}", hint(here.as_ref(), there.as_ref()))
            }
        }
    }
}

fn write_event(formatter: &mut fmt::Formatter<'_>, event: Option<&LoggedEvent>) -> fmt::Result {
    let Some(event) = event else { return formatter.write_str("nothing: the run has ended") };
    let LoggedEvent { time, what, tasks, .. } = event;
    write!(formatter, "{}  {what}", Instant::from_nanos(*time))?;
    if tasks.is_empty() { Ok(()) } else { write!(formatter, ", by {tasks}") }
}

/// Where two frames differ that have the same words.
fn write_bytes(
    formatter: &mut fmt::Formatter<'_>,
    here: &LoggedEvent,
    there: &LoggedEvent,
) -> fmt::Result {
    if (&here.what, here.time) != (&there.what, there.time) || here.bytes.is_empty() {
        return Ok(());
    }
    let bytes_of = |event: &LoggedEvent| -> Vec<String> {
        event.bytes.as_bytes().chunks(2).map(|it| String::from_utf8_lossy(it).into()).collect()
    };
    let (left, right) = (bytes_of(here), bytes_of(there));
    let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    if same == left.len().min(right.len()) {
        return write!(formatter, "\nthe frames differ after their first {same} bytes");
    }
    let some =
        |bytes: &[String]| bytes[same..].iter().take(8).cloned().collect::<Vec<_>>().join(" ");
    let (left, right) = (some(&left), some(&right));
    write!(formatter, "\nthe frames differ from byte {same} on: {left} here, {right} there")
}

/// What is the likely cause. The guide has the whole list.
fn hint(here: Option<&LoggedEvent>, there: Option<&LoggedEvent>) -> String {
    let cause = match here.zip(there) {
        Some((here, there)) => cause(here, there),
        None => {
            "one run goes on where the other ends: a decision before depends on something that \
                 this world cannot see"
        }
    };
    format!(
        "{cause}. `glassnet::guide` lists what makes two runs of one seed differ, with remedies"
    )
}

fn cause(here: &LoggedEvent, there: &LoggedEvent) -> &'static str {
    let are_both = |words: &str| here.what.contains(words) && there.what.contains(words);
    let is_either = |words: &str| here.what.contains(words) || there.what.contains(words);
    if are_both(" sets a timer for ") {
        "a time was computed from something that is not the world's: the clock of `std`, or a \
         number that `glassnet::rng()` has not drawn"
    } else if are_both(" runs") {
        "tasks were woken in another order: by `tokio::sync::watch` with several receivers, by a \
         `HashMap` that is iterated, by `tokio::select!` without `biased;`, or by another thread"
    } else if is_either(" draws from ") || is_either(" begins a select!") {
        "one run draws random numbers that the other does not: look at what decides that they are drawn"
    } else if is_either("the test passes")
        || is_either("the test fails")
        || is_either("the test panics")
    {
        "what the test itself finds at the end depends on something that is not in the world, such \
         as a `HashMap` that is iterated, a `static`, or the clock of `std`"
    } else if here.what == there.what {
        "the same is sent with other contents: a `HashMap` that is iterated, the clock of `std`, \
         randomness of the operating system, a pointer, or the number of the process"
    } else {
        "a task has decided otherwise: by the order in which a `HashMap` is iterated, by \
         `tokio::select!` without `biased;`, by a clock of `std`, or by another source of randomness"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: u64, what: &str) -> String {
        format!("e\t{number}\t5\t{:016x}\t{what}\t\t\n", what.len())
    }

    fn chunk(events: u64, hash: u64) -> String {
        format!("c\t{events}\t7\t{hash:016x}\n")
    }

    fn difference(here: &str, there: &str) -> Option<(u64, Option<u64>)> {
        let difference = compare(here.as_bytes(), there.as_bytes()).unwrap();
        difference.map(|difference| (difference.event(), difference.is_after()))
    }

    #[test]
    fn journals_that_are_the_same_do_not_differ() {
        let journal = event(1, "a") + &chunk(1024, 9) + &chunk(1030, 3);
        assert_eq!(difference(&journal, &journal), None);
        assert_eq!(difference("", ""), None);
    }

    #[test]
    fn an_event_without_a_line_is_looked_for_after_the_last_that_is_the_same() {
        let same = chunk(1024, 9) + &chunk(2048, 8);
        let (here, there) = (same.clone() + &chunk(3072, 1), same + &chunk(2050, 1));
        assert_eq!(difference(&here, &there), Some((2049, Some(2048))));
        assert_eq!(difference(&chunk(4, 1), &chunk(4, 2)), Some((1, Some(0))));
    }

    #[test]
    fn a_journal_that_was_cut_off_ends_before_its_last_line() {
        let whole = event(1, "a") + &event(2, "bc");
        assert_eq!(difference(&whole, &whole[..whole.len() - 1]), Some((2, None)));
        let report = compare(whole.as_bytes(), event(1, "a").as_bytes()).unwrap().unwrap();
        let expected = "
before, in both:  0.000000005s  a
in this process:  0.000000005s  bc
in the other one: nothing: the run has ended
hint: one run goes on where the other ends";
        assert!(report.to_string().starts_with(expected), "{report}");
    }
}
