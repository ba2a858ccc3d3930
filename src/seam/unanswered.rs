//! What a world does not answer: an error that names the call, and the place that made it.

use std::backtrace::Backtrace;
use std::collections::BTreeSet;
use std::io;

use super::seat;
use super::spin::Spin;
use crate::task::context;

/// The calls that were told of.
static TOLD: Spin<BTreeSet<String>> = Spin::new(BTreeSet::new());

/// Tells, once of each `call`, that a world does not answer it, and `why`. Returns `error`, its
/// number.
#[cold]
pub(super) fn refuse(call: &str, why: &str, error: i32) -> i32 {
    if TOLD.lock().insert(call.to_owned()) {
        let at = place(&Backtrace::force_capture().to_string());
        let seat = seat::current();
        let host = seat.as_ref().map_or("", |seat| seat.host_name());
        tracing::error!(target: "glassnet::seam", host, call, at, why, "not answered");
    }
    if let Some(seat) = seat::current() {
        let note = || {
            context::note_failed_call(
                format!("{call}: {why}"),
                &io::Error::from_raw_os_error(error),
            );
        };
        seat.as_task(note);
    }
    error
}

/// Where a program made a call: the first line of a trace behind those of this room, of std and of
/// libc.
fn place(trace: &str) -> String {
    let mut function = "";
    for line in trace.lines() {
        let line = line.trim_start();
        if let Some(at) = line.strip_prefix("at ") {
            let is_theirs = !function.is_empty() && !at.contains("/rustc/");
            if is_theirs {
                return at.to_owned();
            }
        } else if let Some((_, name)) = line.split_once(": ") {
            if !function.is_empty() {
                // There are no line numbers.
                return function.to_owned();
            }
            let is_ours = ["glassnet::seam", "std::", "core::", "<std::", "<core::"];
            let is_hook = !name.contains("::");
            if !is_hook && !is_ours.iter().any(|ours| name.starts_with(ours)) {
                function = name;
            }
        }
    }
    function.to_owned()
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_place_is_the_first_line_that_is_not_of_std_or_of_this_room() {
        let with_lines = "   0: glassnet::seam::unanswered::refuse\n             at ./src/seam/unanswered.rs:20:14\n   1: getsomething\n             at ./src/seam/hooks/mod.rs:50:9\n   2: std::sys::call\n             at /rustc/0/library/std/src/sys.rs:3:4\n   3: theirs::ask\n             at ./src/theirs.rs:7:5\n";
        assert_eq!(place(with_lines), "./src/theirs.rs:7:5");
        let without = "   0: glassnet::seam::unanswered::refuse\n   1: getsomething\n   2: theirs::ask\n   3: theirs::main\n";
        assert_eq!(place(without), "theirs::ask");
        assert_eq!(place(""), "");
    }
}
