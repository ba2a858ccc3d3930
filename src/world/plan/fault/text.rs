//! The printed form of faults, and reading it.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Fault, Hosts, LinkChange, signal};

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Crash { hosts } => return write!(formatter, "crash {hosts}"),
            Fault::Bounce { hosts } => return write!(formatter, "bounce {hosts}"),
            Fault::Signal { hosts, signal } => {
                return write!(formatter, "signal {hosts} {}", signal::name(*signal));
            }
            Fault::Partition { .. } | Fault::PartitionOneWay { .. } => {
                formatter.write_str("partition")?;
            }
            Fault::Heal { .. } | Fault::HealOneWay { .. } => formatter.write_str("heal")?,
            Fault::Hold { .. } | Fault::HoldOneWay { .. } => formatter.write_str("hold")?,
            Fault::Release { .. } | Fault::ReleaseOneWay { .. } => {
                formatter.write_str("release")?;
            }
            Fault::Link { .. } | Fault::LinkOneWay { .. } => formatter.write_str("link")?,
        }
        if let Some((a, b, one_way)) = self.ends() {
            let arrow = if one_way { "> " } else { "" };
            write!(formatter, " {a} {arrow}{b}")?;
        }
        match self {
            Fault::Link { change, .. } | Fault::LinkOneWay { change, .. } => {
                write!(formatter, " {change}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkChange::Delay(delay) => write!(formatter, "delay {delay:?}"),
            LinkChange::Jitter(jitter) => write!(formatter, "jitter {jitter:?}"),
            LinkChange::Loss(it) => write!(formatter, "loss {}", percent(*it)),
            LinkChange::Duplicate(it) => write!(formatter, "duplicate {}", percent(*it)),
            LinkChange::Reorder(it) => write!(formatter, "reorder {}", percent(*it)),
            LinkChange::Rate(Some(rate)) => write!(formatter, "rate {rate}bit"),
            LinkChange::Rate(None) => formatter.write_str("rate none"),
            LinkChange::Queue(frames) => write!(formatter, "limit {frames}"),
            LinkChange::InFlight(bytes) => write!(formatter, "in-flight {bytes}"),
            LinkChange::Mtu(Some(bytes)) => write!(formatter, "mtu {bytes}"),
            LinkChange::Mtu(None) => formatter.write_str("mtu none"),
            LinkChange::Restore => formatter.write_str("restore"),
        }
    }
}

/// With as many digits as were meant.
fn percent(probability: f64) -> String {
    format!("{}%", (probability * 1e8).round() / 1e6)
}

/// What is wrong with the text of a [`Fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFaultError(String);

impl fmt::Display for ParseFaultError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for ParseFaultError {}

const VERBS: &str = "partition, heal, hold, release, link, crash, bounce, signal";
const CHANGES: &str =
    "delay, jitter, loss, duplicate, reorder, rate, limit, in-flight, mtu, restore";

/// As it is printed.
impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Fault, ParseFaultError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        parse(&words).map_err(|wrong| ParseFaultError(format!("fault {text:?}: {wrong}")))
    }
}

fn parse(words: &[&str]) -> Result<Fault, String> {
    match *words {
        ["crash", hosts] => Ok(Fault::Crash { hosts: group(hosts) }),
        ["bounce", hosts] => Ok(Fault::Bounce { hosts: group(hosts) }),
        ["signal", hosts, name] => {
            let signal = signal::parse(name).ok_or_else(|| format!("{name:?} is no signal"))?;
            Ok(Fault::Signal { hosts: group(hosts), signal })
        }
        ["signal", ..] => Err("it takes hosts, and a signal, as SIGTERM".to_owned()),
        ["crash" | "bounce", ..] => Err("it takes hosts, with commas between them".to_owned()),
        [verb @ ("partition" | "heal" | "hold" | "release"), ref rest @ ..] => {
            let (first, second, one_way) = match *rest {
                [from, ">", to] => (group(from), group(to), true),
                [a, b] => (group(a), group(b), false),
                _ => return Err("it takes A B, or A > B for one direction".to_owned()),
            };
            Ok(stop(verb, first, second, one_way))
        }
        ["link", from, ">", to, ref change @ ..] => {
            let change = parse_change(change)?;
            Ok(Fault::LinkOneWay { from: group(from), to: group(to), change })
        }
        ["link", a, b, ref change @ ..] => {
            Ok(Fault::Link { a: group(a), b: group(b), change: parse_change(change)? })
        }
        _ => Err(format!("it begins with one of {VERBS}")),
    }
}

fn stop(verb: &str, first: Hosts, second: Hosts, one_way: bool) -> Fault {
    let (a, b, from, to) = (first.clone(), second.clone(), first, second);
    match (verb, one_way) {
        ("partition", false) => Fault::Partition { a, b },
        ("partition", true) => Fault::PartitionOneWay { from, to },
        ("heal", false) => Fault::Heal { a, b },
        ("heal", true) => Fault::HealOneWay { from, to },
        ("hold", false) => Fault::Hold { a, b },
        ("hold", true) => Fault::HoldOneWay { from, to },
        (_, false) => Fault::Release { a, b },
        (_, true) => Fault::ReleaseOneWay { from, to },
    }
}

fn group(names: &str) -> Hosts {
    Hosts::from(names.split(',').collect::<Vec<_>>())
}

fn parse_change(words: &[&str]) -> Result<LinkChange, String> {
    let wrong = |value: &str, wanted: &str| format!("{value:?} is not {wanted}");
    let (name, value) = match *words {
        ["restore"] => return Ok(LinkChange::Restore),
        [name, value] => (name, value),
        _ => return Err(format!("what changes is one of {CHANGES}, and a value")),
    };
    let duration = || parse_duration(value).ok_or_else(|| wrong(value, "a duration, as 20ms"));
    let probability = || {
        let digits = value.strip_suffix('%').and_then(|digits| digits.parse::<f64>().ok());
        digits.map(|percent| percent / 100.0).ok_or_else(|| wrong(value, "a percentage, as 10%"))
    };
    let count = || value.parse().map_err(|_| wrong(value, "a number"));
    Ok(match name {
        "delay" => LinkChange::Delay(duration()?),
        "jitter" => LinkChange::Jitter(duration()?),
        "loss" => LinkChange::Loss(probability()?),
        "duplicate" => LinkChange::Duplicate(probability()?),
        "reorder" => LinkChange::Reorder(probability()?),
        "rate" if value == "none" => LinkChange::Rate(None),
        "rate" => {
            let digits = value.strip_suffix("bit").and_then(|digits| digits.parse().ok());
            LinkChange::Rate(Some(digits.ok_or_else(|| wrong(value, "a rate, as 8000000bit"))?))
        }
        "limit" => LinkChange::Queue(count()?),
        "in-flight" => LinkChange::InFlight(count()?),
        "mtu" if value == "none" => LinkChange::Mtu(None),
        "mtu" => LinkChange::Mtu(Some(count()?)),
        _ => return Err(format!("what changes is one of {CHANGES}")),
    })
}

/// A duration as `Debug` prints it; `us` is taken for `µs`.
fn parse_duration(text: &str) -> Option<Duration> {
    let units = [("ns", 0), ("µs", 3), ("us", 3), ("ms", 6), ("s", 9)];
    let (number, digits) =
        units.iter().find_map(|(unit, digits)| Some((text.strip_suffix(unit)?, *digits)))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(part) || part.len() > digits {
        return None;
    }
    let scale = 10u64.pow(digits as u32);
    let part = format!("{part:0<digits$}");
    let part = if digits == 0 { 0 } else { part.parse::<u64>().ok()? };
    let nanos = whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part)?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_read_back_as_it_was_printed() {
        let (a, b) = (|| Hosts::from(["a", "b"]), || Hosts::from("c"));
        let changes = [
            LinkChange::Delay(Duration::from_micros(1_500)),
            LinkChange::Jitter(Duration::from_nanos(7)),
            LinkChange::Loss(0.1),
            LinkChange::Duplicate(0.005),
            LinkChange::Reorder(1.0),
            LinkChange::Rate(Some(8_000_000)),
            LinkChange::Rate(None),
            LinkChange::Queue(3),
            LinkChange::InFlight(4_000),
            LinkChange::Mtu(Some(1_400)),
            LinkChange::Mtu(None),
            LinkChange::Restore,
        ];
        let mut faults = vec![Fault::Crash { hosts: a() }, Fault::Bounce { hosts: b() }];
        for verb in ["partition", "heal", "hold", "release"] {
            faults.extend([false, true].map(|one_way| stop(verb, a(), b(), one_way)));
        }
        for change in changes {
            faults.push(Fault::LinkOneWay { from: b(), to: a(), change: change.clone() });
            faults.push(Fault::Link { a: a(), b: b(), change });
        }
        for fault in faults {
            assert_eq!(fault.to_string().parse(), Ok(fault.clone()), "{fault}");
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_and_says_what_would_be_one() {
        for (text, about) in [
            ("", "one of partition, heal"),
            ("cut a b", "one of partition, heal"),
            ("partition a", "A > B"),
            ("partition a < b", "A > B"),
            ("crash", "commas"),
            ("link a b", "one of delay"),
            ("link a b colour red", "one of delay"),
            ("link a b delay 20", "as 20ms"),
            ("link a b delay 0.0000000001s", "as 20ms"),
            ("link a b delay 99999999999999s", "as 20ms"),
            ("link a b delay .ns", "as 20ms"),
            ("link a b loss 0.1", "as 10%"),
            ("link a b rate 8Mbit", "as 8000000bit"),
            ("link a b mtu -1", "a number"),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(about), "{error}");
        }
    }
}
