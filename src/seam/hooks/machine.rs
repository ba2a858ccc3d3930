//! What the machine is.

use libc::{c_char, c_int, size_t};

use super::{Plain, check_room, hook};
use crate::seam::seat;

/// A machine has one processor in a world: one thread of a world runs at a time.
const PROCESSORS: usize = 1;

hook! {
    fn sched_getaffinity(thread: libc::pid_t, len: size_t, set: *mut libc::cpu_set_t) -> c_int;
    if seat::is_taken() => {
        let _ = thread;
        if set.is_null() || len < 8 {
            Err(libc::EINVAL)
        } else {
            // SAFETY: the set has `len` bytes.
            unsafe {
                std::ptr::write_bytes(set.cast::<u8>(), 0, len);
                *set.cast::<u8>() = (1 << PROCESSORS) - 1;
            }
            Ok(0)
        }
    }
}

hook! {
    fn sysconf(name: c_int) -> libc::c_long;
    if seat::is_taken()
        && matches!(name, libc::_SC_NPROCESSORS_ONLN | libc::_SC_NPROCESSORS_CONF)
        => Plain(PROCESSORS as libc::c_long)
}

hook! {
    fn get_nprocs() -> c_int;
    if seat::is_taken() => Plain(PROCESSORS as c_int)
}

hook! {
    fn get_nprocs_conf() -> c_int;
    if seat::is_taken() => Plain(PROCESSORS as c_int)
}

hook! {
    fn sched_getcpu() -> c_int;
    if seat::is_taken() => Plain(0)
}

/// What `uname(2)` says of the kernel: of an age in which everything is there that is answered.
const RELEASE: &str = "6.12.0-glassnet";
const VERSION: &str = "#1 SMP";
const DOMAIN: &str = "(none)";

hook! {
    fn uname(names: *mut libc::utsname) -> c_int;
    if seat::is_taken() => {
        if names.is_null() {
            Err(libc::EFAULT)
        } else {
            let host = seat::with_seat(|seat| seat.map(|seat| seat.host_name().to_owned()));
            // SAFETY: it is not null, and the caller's to write; all zeros are empty texts.
            unsafe {
                let mut all: libc::utsname = std::mem::zeroed();
                write(&mut all.sysname, "Linux");
                write(&mut all.nodename, &host.unwrap_or_default());
                write(&mut all.release, RELEASE);
                write(&mut all.version, VERSION);
                write(&mut all.machine, std::env::consts::ARCH);
                write(&mut all.domainname, DOMAIN);
                *names = all;
            }
            Ok(0)
        }
    }
}

/// Writes a text, as much as there is room for beside its NUL.
fn write(room: &mut [c_char; 65], text: &str) {
    for (place, byte) in room[..64].iter_mut().zip(text.bytes()) {
        *place = byte as c_char;
    }
}

hook! {
    fn __gethostname_chk(name: *mut c_char, len: size_t, room: size_t) -> c_int;
    if seat::is_taken() => {
        check_room("__gethostname_chk", len, room);
        // SAFETY: it is the function below, with the caller's arguments.
        Plain(unsafe { gethostname(name, len) })
    }
}

hook! {
    fn gethostname(name: *mut c_char, len: size_t) -> c_int;
    if seat::is_taken() => {
        let host = seat::with_seat(|seat| seat.map(|seat| seat.host_name().to_owned()));
        let host = host.unwrap_or_default();
        let bytes = host.as_bytes();
        if name.is_null() {
            Err(libc::EFAULT)
        } else if bytes.len() + 1 > len {
            Err(libc::ENAMETOOLONG)
        } else {
            // SAFETY: there is room for the name and its NUL.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), name.cast::<u8>(), bytes.len());
                *name.add(bytes.len()) = 0;
            }
            Ok(0)
        }
    }
}
