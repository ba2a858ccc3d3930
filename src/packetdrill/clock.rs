//! The time of a script.

use std::time::Duration;

use super::config::Settings;
use super::script::{Event, Time};

/// When an event is due, and within which bounds: in nanoseconds after the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) from: u64,
    pub(super) to: Option<u64>,
    /// What relative times count from.
    pub(super) offset: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Absolute,
    Relative,
}

impl Due {
    /// The times of an event, when relative ones count from `offset`.
    pub(super) fn of(event: &Event, offset: u64) -> Due {
        match event.time {
            Time::Any => Due { from: offset, to: None, offset, kind: Kind::Any },
            Time::Absolute { from, to } => Due { from, to, offset, kind: Kind::Absolute },
            Time::Relative { from, to } => Due {
                from: from + offset,
                to: to.map(|to| to + offset),
                offset,
                kind: Kind::Relative,
            },
        }
    }

    /// A time that the script gives beside that of the event.
    pub(super) fn also(&self, time: u64) -> u64 {
        if self.kind == Kind::Relative { time + self.offset } else { time }
    }

    pub(super) fn is_any(&self) -> bool {
        self.kind == Kind::Any
    }

    /// Whether something may happen at `now`; `last` is when the event before was due.
    pub(super) fn check(
        &self,
        what: &str,
        now: u64,
        last: Option<u64>,
        settings: &Settings,
    ) -> Result<(), String> {
        if self.is_any() {
            return Ok(());
        }
        let tolerance = tolerance(last.map(|last| self.from.saturating_sub(last)), settings);
        let last_moment = self.to.unwrap_or(self.from) + tolerance;
        if (self.from.saturating_sub(tolerance)..=last_moment).contains(&now) {
            return Ok(());
        }
        let relative = |time: u64| format!("+{}", seconds(time.saturating_sub(self.offset)));
        Err(match (self.to, self.kind) {
            (Some(to), Kind::Relative) => format!(
                "timing error: expected {what} in relative time range {}~{} sec but happened at \
                 {} sec",
                relative(self.from),
                relative(to),
                relative(now)
            ),
            (Some(to), _) => format!(
                "timing error: expected {what} in time range {}~{} sec but happened at {} sec",
                seconds(self.from),
                seconds(to),
                seconds(now)
            ),
            (None, _) => format!(
                "timing error: expected {what} at {} sec but happened at {} sec; tolerance {} sec",
                seconds(self.from),
                seconds(now),
                seconds(tolerance)
            ),
        })
    }
}

/// What something may be early or late, when so much time has passed since the event before.
pub(super) fn tolerance(passed: Option<u64>, settings: &Settings) -> u64 {
    let part = passed.unwrap_or(0).saturating_mul(settings.tolerance_permille) / 1_000;
    let fixed = settings.tolerance.as_nanos().min(u64::MAX.into()) as u64;
    part.max(fixed)
}

/// Nanoseconds as seconds with six decimals.
pub(super) fn seconds(nanos: u64) -> String {
    let duration = Duration::from_nanos(nanos);
    format!("{}.{:06}", duration.as_secs(), duration.subsec_micros())
}
