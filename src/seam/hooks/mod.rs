//! The symbols of libc that this crate defines: each answers for the threads of a world, and hands
//! every other call to the kernel.
//!
//! Nothing in here takes a lock that sleeps, and nothing panics: a panic would end the process.

mod descriptors;
mod entropy;
mod files;
mod hosts;
mod interfaces;
mod machine;
mod messages;
mod names;
mod numbers;
mod options;
mod polling;
mod processes;
mod selecting;
mod signals;
mod sockets;
mod threads;
mod time;
mod transfer;
mod variadic;

pub(super) use numbers::answer as answer_number;

use super::descriptors::get;
use super::file::{File, Kind};
use super::real::abort;
use super::socket_file::SocketFile;
use crate::error::Errno;
use std::sync::Arc;

/// Defines a symbol of libc: `who` says whether a call is answered here, `answer` how. An answer is
/// a `Result` with an error number.
macro_rules! hook {
    (
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $ret:ty;
        if $who:expr => $answer:expr
    ) => {
        $(#[$attribute])*
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $ret {
            if $who {
                return $crate::seam::hooks::Answer::answer($answer);
            }
            static REAL: $crate::seam::real::Real = {
                const NAME: &str = concat!(stringify!($name), "\0");
                match ::std::ffi::CStr::from_bytes_with_nul(NAME.as_bytes()) {
                    Ok(name) => $crate::seam::real::Real::new(name),
                    Err(_) => panic!("a name ends with a NUL"),
                }
            };
            // SAFETY: the function has this name in libc, and so this type.
            let real: unsafe extern "C" fn($($type),*) -> $ret =
                unsafe { ::std::mem::transmute(REAL.address()) };
            // SAFETY: the arguments are the caller's.
            unsafe { real($($argument),*) }
        }
    };
}
pub(super) use hook;

/// What a call returns, with `errno` set for an error.
pub(super) trait Answer<R> {
    fn answer(self) -> R;
}

impl Answer<i32> for Result<i32, i32> {
    fn answer(self) -> i32 {
        self.unwrap_or_else(|number| {
            set_errno(number);
            -1
        })
    }
}

impl Answer<isize> for Result<isize, i32> {
    fn answer(self) -> isize {
        self.unwrap_or_else(|number| {
            set_errno(number);
            -1
        })
    }
}

/// For calls that return something of their own.
pub(super) struct Plain<R>(pub(super) R);

impl<R> Answer<R> for Plain<R> {
    fn answer(self) -> R {
        self.0
    }
}

pub(super) fn set_errno(number: i32) {
    // SAFETY: it points to the thread's own number.
    unsafe { *libc::__errno_location() = number };
}

/// The file with a number.
fn file(fd: i32) -> Result<Arc<File>, i32> {
    get(fd).map_err(i32::from)
}

/// Calls `call` with the socket with a number.
fn with_socket<R>(
    fd: i32,
    call: impl FnOnce(&Arc<File>, &SocketFile) -> Result<R, i32>,
) -> Result<R, i32> {
    let file = file(fd)?;
    match &file.kind {
        Kind::Socket(socket) => call(&file, socket),
        _ => Err(libc::ENOTSOCK),
    }
}

/// What a fortified function looks at first: that there is room for so many bytes. As in glibc the
/// process ends where there is not.
fn check_room(call: &str, len: usize, room: usize) {
    if len > room {
        abort(&[call.as_bytes(), b": buffer overflow detected: terminated\n"]);
    }
}

fn number(errno: Errno) -> i32 {
    errno.number()
}
