//! Draws a connection as a ladder: a line for each host, time going down, an arrow a segment.

use std::io::{self, Write};
use std::time::Duration;

use glassnet::{DropReason, TcpState};

use super::output::{Style, decimals, seconds};
use super::recording::{Connection, End, Ending, Frame, Remark, Row, Side};

/// Of a run of segments that are all alike, so many are shown at its beginning and at its end.
const SHOWN_OF_A_RUN: usize = 3;
/// A run shorter than this is shown whole.
const SHORT_RUN: usize = 12;
/// Lines of one ladder, of which the last third is its end.
const LINES: usize = 120;
/// What a ladder is wide: the width of a terminal.
pub(crate) const WIDTH: usize = 80;
/// Room beside a host's line: `retransmission` is the longest of what stands there.
const NOTE: usize = 14;

/// One line of the picture.
#[derive(Clone, Copy)]
enum Line<'r> {
    Frame {
        frame: &'r Frame,
        state: Option<TcpState>,
    },
    State {
        time: Duration,
        side: Side,
        state: TcpState,
    },
    /// Nothing was on its way for a while.
    Gap {
        lasted: Duration,
        then: Option<&'r Frame>,
    },
    /// A run of segments that are all alike, shortened.
    Folded {
        data: usize,
        bytes: u64,
        acknowledgments: usize,
        lasted: Duration,
    },
    /// The middle of a long ladder, cut out.
    Cut {
        lines: usize,
    },
}

/// Writes the ladder of a connection.
///
/// # Errors
/// Those of writing.
pub(crate) fn draw(out: &mut impl Write, connection: &Connection, style: Style) -> io::Result<()> {
    let mut all = fold(&lines(connection.begin()));
    let (left_out, rest) = connection.rest();
    if left_out > 0 {
        all.push(Line::Cut { lines: left_out });
    }
    all.extend(fold(&lines(rest)));
    let lines = cut(all);
    let picture = Picture::new(connection, style);
    picture.head(out, connection)?;
    lines.iter().try_for_each(|line| picture.line(out, line))
}

/// Puts each change of state beside the segment that the host sends with it, and finds the gaps.
fn lines<'r>(rows: impl Iterator<Item = &'r Row>) -> Vec<Line<'r>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut quiet_since = Duration::ZERO;
    for row in rows {
        let time = row.time();
        if let Some(lasted) = time.checked_sub(quiet_since).filter(|lasted| !lasted.is_zero())
            && !lines.is_empty()
        {
            let then = match row {
                Row::Frame(frame) => Some(frame),
                Row::State { .. } => None,
            };
            lines.push(Line::Gap { lasted, then });
        }
        quiet_since = quiet_since.max(time);
        match row {
            Row::State { time, side, state } => {
                lines.push(Line::State { time: *time, side: *side, state: *state });
            }
            Row::Frame(frame) => {
                if let Ending::Arrives(at) = frame.ending {
                    quiet_since = quiet_since.max(at);
                }
                let state = match lines.last() {
                    Some(Line::State { time, side, state })
                        if *time == frame.time
                            && *side == frame.sender
                            && frame.remark.is_none() =>
                    {
                        Some(*state)
                    }
                    _ => None,
                };
                if state.is_some() {
                    lines.pop();
                }
                lines.push(Line::Frame { frame, state });
            }
        }
    }
    lines
}

/// Shortens long runs of plain data and acknowledgments.
fn fold<'r>(lines: &[Line<'r>]) -> Vec<Line<'r>> {
    let mut folded = Vec::with_capacity(lines.len());
    for run in lines.chunk_by(|one, other| one.is_routine() && other.is_routine()) {
        let middle = run.len().checked_sub(2 * SHOWN_OF_A_RUN).filter(|_| run.len() > SHORT_RUN);
        let (Some(middle), Some((first, rest))) = (middle, run.split_at_checked(SHOWN_OF_A_RUN))
        else {
            folded.extend_from_slice(run);
            continue;
        };
        let Some((middle, last)) = rest.split_at_checked(middle) else { continue };
        let frames = || {
            middle.iter().filter_map(|line| match line {
                Line::Frame { frame, .. } => Some(frame),
                _ => None,
            })
        };
        let begins = frames().next().map_or(Duration::ZERO, |frame| frame.time);
        let ends = frames().next_back().map_or(begins, |frame| frame.time);
        folded.extend_from_slice(first);
        folded.push(Line::Folded {
            data: frames().filter(|frame| frame.len > 0).count(),
            acknowledgments: frames().filter(|frame| frame.len == 0).count(),
            bytes: frames().map(|frame| u64::from(frame.len)).sum(),
            lasted: ends.saturating_sub(begins),
        });
        folded.extend_from_slice(last);
    }
    folded
}

/// Cuts the middle out of a ladder that is too long all the same.
fn cut(mut lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    if lines.len() > LINES {
        let end = LINES / 3;
        let begin = LINES - end;
        let cut = begin..begin + lines.len() - LINES;
        let left_out = lines[cut.clone()].iter().map(|line| match line {
            Line::Cut { lines } => *lines,
            _ => 1,
        });
        let left_out = left_out.sum();
        lines.splice(cut, [Line::Cut { lines: left_out }]);
    }
    lines
}

impl Line<'_> {
    fn is_routine(&self) -> bool {
        match self {
            Line::Frame { frame, state } => {
                frame.routine && state.is_none() && matches!(frame.ending, Ending::Arrives(_))
            }
            _ => false,
        }
    }
}

impl Row {
    fn time(&self) -> Duration {
        match self {
            Row::Frame(frame) => frame.time,
            Row::State { time, .. } => *time,
        }
    }
}

/// The measures of a ladder.
struct Picture {
    style: Style,
    /// The name of each host.
    left: String,
    right: String,
    /// Width of the times.
    times: usize,
    /// Digits after a second's point.
    decimals: usize,
    /// Width of the arrows.
    lane: usize,
}

impl Picture {
    fn new(connection: &Connection, style: Style) -> Picture {
        let (_, mut rest) = connection.rest();
        let last = rest.next_back().or_else(|| connection.begin().next_back());
        let last = last.map_or(Duration::ZERO, Row::time);
        let decimals = decimals(last);
        let times = seconds(last, decimals).len().max("0.000000".len());
        let beside = times + 1 + NOTE + width(" ││ ") + NOTE;
        let lane = WIDTH.saturating_sub(beside);
        let name = |end: &End| match end.host.as_str() {
            "" => end.address.ip().to_string(),
            host => host.to_owned(),
        };
        let (left, right) = (name(&connection.left), name(&connection.right));
        Picture { style, left, right, times, decimals, lane }
    }

    fn head(&self, out: &mut impl Write, connection: &Connection) -> io::Result<()> {
        let title = |end: &End| match end.host.as_str() {
            "" => end.address.to_string(),
            host => format!("{host} {}", end.address),
        };
        let style = self.style;
        let (left, right) = (title(&connection.left), title(&connection.right));
        writeln!(out, "{}", style.bold(format!("{left} {} {right}", style.glyphs().both_ways)))?;
        let (left, right) = (&self.left, &self.right);
        let time = format!("{:>width$}", "s", width = self.times);
        // The names stand over the lines, as far as their length lets them.
        let left = format!("{left:>width$}", width = NOTE + 2);
        let between = self.lane + 2 - 2.min(right.chars().count() / 2);
        writeln!(out, "{} {left}{}{right}", style.dim(time), " ".repeat(between.saturating_sub(1)))
    }

    fn line(&self, out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
        let empty = " ".repeat(self.lane);
        match line {
            Line::Frame { frame, state } => self.frame(out, frame, *state),
            Line::State { time, side, state } => {
                let own = pad(&state.to_string(), *side);
                self.row(out, *time, *side, &own, &pad("", side.other()), &empty)
            }
            Line::Gap { lasted, then } => {
                let lasted = seconds(*lasted, self.decimals);
                let until = match then {
                    Some(Frame { remark: Some(Remark::Retransmission), sender, .. }) => {
                        format!(" until {}'s retransmission timer fires", self.name(*sender))
                    }
                    // With nothing on its way, only its timer can have sent it.
                    Some(Frame { routine: true, len: 0, sender, .. }) => {
                        format!(" until {}'s delayed ACK", self.name(*sender))
                    }
                    _ => " pass".to_owned(),
                };
                self.remark(out, &format!("{lasted}s{until}"))
            }
            Line::Folded { data, bytes, acknowledgments, lasted } => {
                let data = match data {
                    0 => String::new(),
                    _ => format!("{data} more segments with {bytes} bytes, "),
                };
                let lasted = seconds(*lasted, self.decimals);
                self.remark(out, &format!("{data}{acknowledgments} more ACKs, {lasted}s"))
            }
            Line::Cut { lines } => {
                self.remark(out, &format!("{lines} lines left out (see the capture)"))
            }
        }
    }

    fn frame(
        &self,
        out: &mut impl Write,
        frame: &Frame,
        state: Option<TcpState>,
    ) -> io::Result<()> {
        let style = self.style;
        let is_lost = matches!(frame.ending, Ending::Lost(_) | Ending::Held);
        let lane = self.arrow(frame);
        let lane = if is_lost { style.red(lane) } else { lane };
        let of_sender = match (frame.remark, state) {
            (Some(Remark::Retransmission), _) => style.red(pad("retransmission", frame.sender)),
            (Some(Remark::Duplicate), _) => pad("duplicate", frame.sender),
            (None, Some(state)) => pad(&state.to_string(), frame.sender),
            (None, None) => pad("", frame.sender),
        };
        let receiver = frame.sender.other();
        let of_receiver = match frame.ending {
            Ending::Arrives(at) => {
                style.dim(pad(&format!("at {}", seconds(at, self.decimals)), receiver))
            }
            Ending::Lost(_) | Ending::Held => pad("", receiver),
        };
        self.row(out, frame.time, frame.sender, &of_sender, &of_receiver, &lane)
    }

    /// `own` and `others` are what stands on a side and opposite, padded.
    fn row(
        &self,
        out: &mut impl Write,
        time: Duration,
        side: Side,
        own: &str,
        others: &str,
        lane: &str,
    ) -> io::Result<()> {
        let (left, right) = match side {
            Side::Left => (own, others),
            Side::Right => (others, own),
        };
        let time = seconds(time, self.decimals);
        let bar = self.style.glyphs().bar;
        let row = format!("{time:>width$} {left} {bar}{lane}{bar} {right}", width = self.times);
        writeln!(out, "{}", row.trim_end())
    }

    /// Beside the left host's line, or as far to the left as it takes.
    fn remark(&self, out: &mut impl Write, text: &str) -> io::Result<()> {
        let text = format!("{} {text}", self.style.glyphs().gap);
        let indent = (self.times + NOTE + 2).min(WIDTH.saturating_sub(width(&text)));
        writeln!(out, "{}", self.style.dim(format!("{:indent$}{text}", "")))
    }

    fn name(&self, side: Side) -> &str {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// The arrow between the lines, its label in the middle.
    fn arrow(&self, frame: &Frame) -> String {
        let glyphs = self.style.glyphs();
        let is_copy = frame.remark == Some(Remark::Duplicate);
        let stroke = if is_copy { glyphs.dashed } else { glyphs.line };
        let head = match frame.ending {
            Ending::Arrives(_) => String::new(),
            Ending::Lost(reason) => format!("{} {}", glyphs.lost, in_short(reason)),
            Ending::Held => format!("{} held", glyphs.lost),
        };
        let label = self.label(frame, width(&head));
        let tail_end = match frame.ending {
            Ending::Arrives(_) => self.lane.saturating_sub(1),
            // It stops on its way; how far depends on what has to be written on it.
            Ending::Lost(_) | Ending::Held => {
                let least = width(&label) + 2;
                (self.lane * 2 / 3).saturating_sub(width(&head)).max(least)
            }
        };
        let strokes = tail_end.saturating_sub(width(&label));
        let (before, after) = (strokes / 2, strokes - strokes / 2);
        let shaft = format!("{}{label}{}", stroke.repeat(before), stroke.repeat(after));
        match (frame.ending, frame.sender) {
            (Ending::Arrives(_), Side::Left) => format!("{shaft}{}", glyphs.to_right),
            (Ending::Arrives(_), Side::Right) => format!("{}{shaft}", glyphs.to_left),
            (Ending::Lost(_) | Ending::Held, Side::Left) => {
                format!("{:<width$}", format!("{shaft}{head}"), width = self.lane)
            }
            (Ending::Lost(_) | Ending::Held, Side::Right) => {
                format!("{:>width$}", format!("{head} {shaft}"), width = self.lane)
            }
        }
    }

    /// As much of a frame's label as there is room for, between blanks.
    fn label(&self, frame: &Frame, head: usize) -> String {
        // Two blanks, two strokes, and the arrow's head or a blank beside why it stops.
        let room = self.lane.saturating_sub(5 + head);
        let variants = frame.label.variants();
        let fitting = variants.iter().find(|label| width(label) <= room);
        format!(" {} ", fitting.or(variants.last()).map_or("", String::as_str))
    }
}

/// Why a frame was lost, in the room that there is.
fn in_short(reason: DropReason) -> String {
    match reason {
        DropReason::TooBig => "too big".to_owned(),
        DropReason::InFlightLimit => "too much".to_owned(),
        DropReason::HostDown => "host down".to_owned(),
        DropReason::NeighborUnreachable => "no answer".to_owned(),
        DropReason::Rule => "rule".to_owned(),
        DropReason::NeighborQueueFull | DropReason::NeighborTableFull => "full".to_owned(),
        other => other.to_string(),
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// What stands beside a host's line; padded before it is painted, for what paints has no width.
fn pad(note: &str, side: Side) -> String {
    match side {
        Side::Left => format!("{note:>NOTE$}"),
        Side::Right => note.to_owned(),
    }
}
