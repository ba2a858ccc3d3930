//! Calls while they run, and what they end with.

use std::io;

use super::clock::{Due, seconds, tolerance};
use super::error::Stop;
use super::run::{Ended, Run, Step};
use super::script::Syscall;
use super::symbols::{ERRORS, describe_errno};
use crate::net::socket::{SockAddr, Socket};
use crate::peer::Call;

/// How long a call may go on after the script says that it has ended, in nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

/// What a call has ended with.
pub(super) struct Reply {
    pub(super) result: io::Result<i64>,
    pub(super) detail: Detail,
}

/// What there is beside the result.
pub(super) enum Detail {
    None,
    Socket(Socket),
    Accepted(Socket, SockAddr),
    /// What `getsockopt` or `ioctl` tells.
    Value(OptionValue),
    /// `revents` of each socket.
    Polled(Vec<i64>),
    /// Events of `epoll_wait`, each with its data.
    Events(Vec<(i64, u64)>),
    /// `msg_flags`
    Flags(i64),
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OptionValue {
    Integer(i64),
    Text(Vec<u8>),
    Linger { onoff: i64, linger: i64 },
}

impl Reply {
    pub(super) fn of(result: io::Result<i64>) -> Reply {
        Reply { result, detail: Detail::None }
    }

    /// A call that returns 0 where it succeeds.
    pub(super) fn done(result: io::Result<()>) -> Reply {
        Reply::of(result.map(|()| 0))
    }

    pub(super) fn with(result: i64, detail: Detail) -> Reply {
        Reply { result: Ok(result), detail }
    }
}

/// A call that runs.
pub(super) struct Pending {
    pub(super) call: Syscall,
    pub(super) line: u32,
    begun: u64,
    /// When the script says that it ends.
    ends: u64,
    running: Call<Reply>,
}

impl Run<'_> {
    /// Starts a call. One that does not block must end at once.
    pub(super) fn start(
        &mut self,
        call: &Syscall,
        due: &Due,
        line: u32,
        future: impl Future<Output = Reply> + 'static,
    ) -> Step {
        let mut running = self.wire.start(future);
        let begun = self.now();
        match call.end {
            None => match running.take() {
                Some(reply) => self.finish(call, reply),
                None => Stop::failed("the call waits, and the script says that it does not"),
            },
            Some(end) => {
                let (call, ends) = (call.clone(), due.also(end));
                self.pending = Some(Pending { call, line, begun, ends, running });
                Ok(())
            }
        }
    }

    /// If the call that blocks has ended: whether it did so at its time, and as it should.
    pub(super) fn check_pending(&mut self) -> Result<(), Ended> {
        let ended = self.pending.as_ref().and_then(|pending| pending.running.ended_at());
        let Some((at, mut pending)) = ended.and_then(|at| Some((at, self.pending.take()?))) else {
            return Ok(());
        };
        let at = at.as_nanos();
        let allowed = tolerance(pending.ends.checked_sub(pending.begun), self.settings);
        let here = |why: String| {
            let name = &pending.call.name;
            (pending.line, Stop::Failed(format!("runtime error in {name} call: {why}")))
        };
        if at.abs_diff(pending.ends) > allowed {
            return Err(here(format!(
                "timing error: expected system call return at {} sec but happened at {} sec; \
                 tolerance {} sec",
                seconds(pending.ends),
                seconds(at),
                seconds(allowed)
            )));
        }
        let Some(reply) = pending.running.take() else { return Ok(()) };
        self.finish(&pending.call, reply).map_err(|stop| match stop {
            Stop::Failed(why) => here(why),
            skipped @ Stop::Skipped(_) => (pending.line, skipped),
        })
    }

    /// Lets time pass until the call that blocks has ended.
    pub(super) fn finish_pending(&mut self) -> Result<(), Ended> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let line = pending.line;
        let limit = pending.ends.max(self.now()) + PATIENCE;
        loop {
            self.check_pending()?;
            if self.pending.is_none() {
                return Ok(());
            }
            let next = self.wire.deadline().map(|next| next.as_nanos());
            match next.filter(|next| *next <= limit) {
                Some(next) => self.advance_to(next).map_err(|stop| (line, stop))?,
                None => {
                    let why = "a blocking system call is still in progress";
                    return Err((line, Stop::Failed(why.to_owned())));
                }
            }
        }
    }
}

/// Linux's number of an error.
pub(super) fn errno(error: &io::Error) -> i32 {
    let by_text = || {
        let text = error.to_string();
        ERRORS.iter().find(|(_, _, known)| text.starts_with(known)).map(|(_, number, _)| *number)
    };
    let by_kind = match error.kind() {
        io::ErrorKind::Unsupported => 95,
        io::ErrorKind::InvalidInput => 22,
        io::ErrorKind::TimedOut => 110,
        _ => 5,
    };
    let number = if cfg!(target_os = "linux") { error.raw_os_error() } else { None };
    number.or_else(by_text).unwrap_or(by_kind)
}

/// Whether a call has returned what the script says. Returns the result where it succeeded.
pub(super) fn check_result(
    expected: i64,
    expected_errno: Option<&str>,
    result: &io::Result<i64>,
    is_descriptor: bool,
) -> Result<Option<i64>, Stop> {
    match result {
        Ok(result) if is_descriptor && expected >= 0 => Ok(Some(*result)),
        Ok(result) if *result == expected && expected_errno.is_none() => Ok(Some(*result)),
        Ok(result) => match expected_errno {
            Some(name) => Stop::failed(format!(
                "Expected result {expected} with errno {name} but got {result}"
            )),
            None => Stop::failed(format!("Expected result {expected} but got {result}")),
        },
        Err(error) => {
            let number = errno(error);
            let (name, text) = describe_errno(number);
            if expected >= 0 {
                let wanted = if is_descriptor {
                    "non-negative result".to_owned()
                } else {
                    format!("result {expected}")
                };
                return Stop::failed(format!(
                    "Expected {wanted} but got -1 with errno {number} ({text})"
                ));
            }
            if expected != -1 {
                return Stop::failed(format!(
                    "Expected result {expected} but got -1 with errno {number} ({text})"
                ));
            }
            match expected_errno {
                Some(wanted) if super::symbols::errno_named(wanted) != Some(number) => {
                    Stop::failed(format!(
                        "Expected errno {wanted} but got {name} ({text}), which is {number}"
                    ))
                }
                _ => Ok(None),
            }
        }
    }
}
