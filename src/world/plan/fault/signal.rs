//! Signals, by number and by name: `signal(7)`, Linux's numbers on x86 and ARM.

use std::borrow::Cow;

const NAMES: [(i32, &str); 31] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
    (16, "SIGSTKFLT"),
    (17, "SIGCHLD"),
    (18, "SIGCONT"),
    (19, "SIGSTOP"),
    (20, "SIGTSTP"),
    (21, "SIGTTIN"),
    (22, "SIGTTOU"),
    (23, "SIGURG"),
    (24, "SIGXCPU"),
    (25, "SIGXFSZ"),
    (26, "SIGVTALRM"),
    (27, "SIGPROF"),
    (28, "SIGWINCH"),
    (29, "SIGIO"),
    (30, "SIGPWR"),
    (31, "SIGSYS"),
];

/// The last of those for applications.
const MAX: i32 = 64;

/// The name of a signal, or its number.
pub(super) fn name(signal: i32) -> Cow<'static, str> {
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => Cow::Borrowed(*name),
        None => Cow::Owned(signal.to_string()),
    }
}

/// The signal with a name or number.
pub(super) fn parse(text: &str) -> Option<i32> {
    let called = NAMES.iter().find(|(_, name)| *name == text).map(|(number, _)| *number);
    called.or_else(|| text.parse().ok())
}

/// What is wrong with a signal, if anything.
pub(super) fn check(signal: i32) -> Result<(), String> {
    match signal {
        19..=22 => Err(format!(
            "{} would stop a program, which cannot be done: use hold, or partition",
            name(signal)
        )),
        1..=MAX => Ok(()),
        _ => Err(format!("{signal} is no signal: they are 1 to {MAX}")),
    }
}

/// Whether a program that does nothing about a signal goes on.
pub(crate) fn is_ignored_by_default(signal: i32) -> bool {
    matches!(name(signal).as_ref(), "SIGCHLD" | "SIGCONT" | "SIGURG" | "SIGWINCH")
}
