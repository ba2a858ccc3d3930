//! What reports of both worlds have in common: tasks, sockets, panics.

use std::fmt::Write;

use crate::net::HostHandle;
use crate::task::Executor;
use crate::task::context::{self, Panicked};
use crate::task::{FailedCall, WaitingTask};

/// Lines of a kind that a report shows before it only counts.
pub(in crate::world) const LINES: usize = 24;

/// Who has panicked, `when`: called while a panic of this thread unwinds.
pub(in crate::world) fn describe_panic(when: &str) -> String {
    let Some(Panicked { task, failed_call }) = context::take_panicked() else {
        return format!("something outside of all tasks panicked ({when})");
    };
    let mut text = format!("{task} panicked ({when})");
    write_failed_call(&mut text, failed_call);
    text
}

/// The call that gave an error, which itself cannot say so.
pub(in crate::world) fn write_failed_call(text: &mut String, failed_call: Option<FailedCall>) {
    if let Some(failed_call) = failed_call {
        let _ = write!(text, "\nfailed call: {failed_call}");
    }
}

/// Whether a report says what a task may wait for that waits for neither a socket nor a timer: where
/// that is why the run failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Hint {
    Given,
    Spared,
}

pub(in crate::world) fn write_waiting_tasks(text: &mut String, executor: &Executor, hint: Hint) {
    let tasks = executor.waiting_tasks();
    write_limited(text, "waiting tasks", tasks.iter().map(ToString::to_string));
    if hint == Hint::Given && tasks.iter().any(WaitingTask::waits_for_the_unknown) {
        text.push_str(NEITHER_SOCKET_NOR_TIMER);
    }
}

const NEITHER_SOCKET_NOR_TIMER: &str = "
  hint: what is neither a socket nor a timer of this world is a channel or a lock that another
  task must serve, or it belongs to another runtime, which does not run while the world does:
  tokio::spawn, tokio::time and tokio::net of an entered tokio runtime (as in #[tokio::test]).
  Use #[test] and glassnet's spawn, time and net.";

/// What a host has open.
pub(in crate::world) fn netstat_lines(name: &str, host: &HostHandle) -> Vec<String> {
    host.netstat().iter().take(LINES).map(|socket| format!("{name}: {socket}")).collect()
}

pub(in crate::world) fn write_netstat(text: &mut String, lines: Vec<String>) {
    write_limited(text, "netstat (netid state recv-q send-q local peer)", lines.into_iter());
}

/// Writes a few of the lines after a title, and how many more there are.
pub(in crate::world) fn write_limited(
    text: &mut String,
    title: &str,
    lines: impl ExactSizeIterator<Item = String>,
) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = write!(text, "\n{title}:");
    for line in lines.take(LINES) {
        let _ = write!(text, "\n  {line}");
    }
    if count > LINES {
        let _ = write!(text, "\n  … and {} more", count - LINES);
    }
}
