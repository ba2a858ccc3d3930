//! Calls while they run, and what they end with.

use std::io;

use super::error::Stop;
use super::script::Syscall;
use super::symbols::{ERRORS, describe_errno};
use crate::net::socket::{SockAddr, Socket};
use crate::peer::Call;

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
    pub(super) begun: u64,
    /// When the script says that it ends.
    pub(super) ends: u64,
    pub(super) running: Call<Reply>,
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
