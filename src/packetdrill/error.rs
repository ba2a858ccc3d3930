//! What ends a script before its end.

use std::fmt;

/// A script that cannot be understood: nothing of it was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    line: u32,
    why: String,
    unsupported: bool,
}

impl ScriptError {
    /// Something that packetdrill would not understand either.
    pub(super) fn wrong(line: u32, why: impl Into<String>) -> ScriptError {
        ScriptError { line, why: why.into(), unsupported: false }
    }

    /// Something of packetdrill's that a simulated host does not have.
    pub(super) fn unsupported(line: u32, why: impl Into<String>) -> ScriptError {
        ScriptError { line, why: why.into(), unsupported: true }
    }

    /// The line of the script, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// What is wrong with it, without the line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.why
    }

    /// Whether it is part of packetdrill's language, and only not of what this room does.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        self.unsupported
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for ScriptError {}

/// Why the run of a script ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It did not go as the script says.
    Failed(String),
    /// The script asks for something that a simulated host does not have.
    Skipped(String),
}

impl Stop {
    pub(super) fn failed<T>(why: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Failed(why.into()))
    }

    pub(super) fn skipped<T>(why: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Skipped(why.into()))
    }
}

/// What an event of a script, or a part of one, comes to.
pub(super) type Step<T = ()> = Result<T, Stop>;

/// The line at which a run ended, and why.
pub(super) type Ended = (u32, Stop);
