//! What came of many seeds.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::io;

use super::ended::text_of_panic;
use crate::error::Error;
use crate::world::{Failure, RunError};

/// Seeds that have failed of which more is kept than that they have.
const MAX_TOLD: usize = 20;

/// How a seed has failed.
pub(super) enum Failed {
    With(Error),
    Panicked(Box<dyn Any + Send>),
    /// Real time ran out before it, and maybe others, had its turn.
    NotRun,
}

impl Failed {
    /// Real time ran out, two seeds wanted one file, or two runs of one seed differ: that says
    /// nothing of the seed.
    fn is_of_this_machine(&self) -> bool {
        match self {
            Failed::With(error) => {
                let failure = error.run_error().map(RunError::failure);
                matches!(failure, Some(Failure::WallLimit { .. } | Failure::Differs { .. }))
                    || wants_a_taken_file(error)
            }
            Failed::Panicked(_) => false,
            Failed::NotRun => true,
        }
    }
}

/// Whether a capture could not be made because another one is written to its path.
fn wants_a_taken_file(error: &Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::ResourceBusy) {
            return true;
        }
        next = error.source();
    }
    false
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::With(error) => {
                formatter.write_str(error.to_string().lines().next().unwrap_or_default())
            }
            Failed::Panicked(payload) => {
                let line =
                    text_of_panic(payload).unwrap_or_default().lines().next().unwrap_or_default();
                write!(formatter, "panicked: {line}")
            }
            Failed::NotRun => formatter.write_str("not run: real time ran out"),
        }
    }
}

/// What came of the seeds that were run. Where it stops at the first failure, those after it count
/// for nothing.
#[derive(Default)]
pub(super) struct Counts {
    passed: u64,
    failed: u64,
    /// By their place in the order in which they were started, the first of them.
    told: BTreeMap<u64, (u64, Failed)>,
}

impl Counts {
    pub(super) fn note(&mut self, place: u64, seed: u64, ended: Result<(), Failed>) {
        match ended {
            Ok(()) => self.passed += 1,
            Err(failed) => {
                self.failed += 1;
                self.told.insert(place, (seed, failed));
                if self.told.len() > MAX_TOLD {
                    self.told.pop_last();
                }
            }
        }
    }

    pub(super) fn has_failures(&self) -> bool {
        self.failed > 0
    }

    /// The seeds to be tried again by everybody.
    pub(super) fn to_keep(&self, keeps_going: bool) -> impl Iterator<Item = u64> {
        let told = self.told.values().filter(|(_, failed)| !failed.is_of_this_machine());
        told.map(|(seed, _)| *seed).take(if keeps_going { MAX_TOLD } else { 1 })
    }

    /// What is to be said.
    pub(super) fn summary(&self, keeps_going: bool) -> String {
        let seeds = |count: u64| match count {
            1 => "1 seed".to_owned(),
            _ => format!("{count} seeds"),
        };
        let Some((place, (seed, _))) = self.told.first_key_value() else {
            return format!("glassnet: {} passed", seeds(self.passed));
        };
        if !keeps_going && *place == u64::MAX {
            return format!("glassnet: {} passed before real time ran out", seeds(self.passed));
        }
        if !keeps_going && *place == 0 {
            return format!("glassnet: seed {seed} failed, the first that was run");
        }
        if !keeps_going {
            return format!("glassnet: seed {seed} failed, after {} that passed", seeds(*place));
        }
        let run = self.passed + self.failed;
        let mut text = format!("glassnet: {} of {} failed:", self.failed, seeds(run));
        for (seed, failed) in self.told.values() {
            text.push_str(&format!("\n  seed {seed}: {failed}"));
        }
        let rest = self.failed - self.told.len() as u64;
        if rest > 0 {
            text.push_str(&format!("\n  and {rest} more"));
        }
        text
    }

    /// The first failure in the order in which they were started.
    pub(super) fn into_first(mut self) -> Option<Failed> {
        self.told.pop_first().map(|(_, (_, failed))| failed)
    }
}
