//! The segments of one connection, as the log of a link has them.

use std::time::Duration;

use glassnet::peer::Segment;

/// A segment that came to the link, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Since the first.
    pub(crate) at: Duration,
    /// By who connected.
    pub(crate) from_client: bool,
    /// `S`, `F`, `R` in this order; PSH and ACK are left out.
    pub(crate) flags: String,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) len: u32,
    pub(crate) dropped: bool,
}

impl Logged {
    /// Whether two are the same segment, the time aside.
    pub(crate) fn is_like(&self, other: &Logged) -> bool {
        Logged { at: other.at, ..self.clone() } == *other
    }
}

impl std::fmt::Display for Logged {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Logged { at, from_client, flags, seq, ack, len, dropped } = self;
        let end = if *from_client { 'a' } else { 'b' };
        let lost = if *dropped { " DROP" } else { "" };
        let at = at.as_secs_f64() * 1e3;
        write!(formatter, "{at:10.3} {end} {flags}. seq {seq} ack {ack} len {len}{lost}")
    }
}

/// Reads the log of a link.
pub(crate) fn parse(text: &str) -> Vec<Logged> {
    let mut logged = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, end, flags, "seq", seq, "ack", ack, "len", len, "win", _, ..] = words[..] else {
            panic!("no line of a log: {line}");
        };
        logged.push(Logged {
            at: Duration::from_micros((at.parse::<f64>().unwrap() * 1e3).round() as u64),
            from_client: end == "a",
            flags: "SFR".chars().filter(|flag| flags.contains(*flag)).collect(),
            seq: seq.parse().unwrap(),
            ack: ack.parse().unwrap(),
            len: len.parse().unwrap(),
            dropped: line.trim_end().ends_with("DROP"),
        });
    }
    logged
}

/// The same of frames: when each was sent, by whom, and whether it was dropped.
pub(crate) fn of_frames<'f>(
    frames: impl Iterator<Item = (Duration, bool, bool, &'f [u8])>,
) -> Vec<Logged> {
    let mut initial = [None::<u32>; 2];
    let mut first = None;
    let mut logged = Vec::new();
    for (at, from_client, dropped, frame) in frames {
        let Some(segment) = Segment::parse(frame) else { continue };
        let ours = usize::from(!from_client);
        if segment.syn {
            initial[ours] = Some(segment.seq);
        }
        let relative =
            |number: u32, end: usize| number.wrapping_sub(initial[end].unwrap_or(number));
        let first = *first.get_or_insert(at);
        logged.push(Logged {
            at: at - first,
            from_client,
            flags: [(segment.syn, 'S'), (segment.fin, 'F'), (segment.rst, 'R')]
                .into_iter()
                .filter_map(|(is_set, flag)| is_set.then_some(flag))
                .collect(),
            seq: relative(segment.seq, ours),
            ack: segment.ack.map_or(0, |ack| relative(ack, 1 - ours)),
            len: segment.payload.len() as u32,
            dropped,
        });
    }
    logged
}
