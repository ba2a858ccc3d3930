//! Opening the files that a resolver reads: a program is given what the world has in them. Every
//! other path is the kernel's.

use std::ffi::CStr;

use libc::{FILE, c_char, c_int};

use super::hook;
use crate::net::names::file_of_names;
use crate::seam::seat;

hook! {
    fn open(path: *const c_char, flags: c_int, mode: usize) -> c_int;
    // SAFETY: the path is the caller's.
    if unsafe { is_of_world(path) } => unsafe { open_text(path, flags, mode) }
}

hook! {
    fn open64(path: *const c_char, flags: c_int, mode: usize) -> c_int;
    // SAFETY: the path is the caller's.
    if unsafe { is_of_world(path) } => unsafe { open_text(path, flags, mode) }
}

hook! {
    fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: usize) -> c_int;
    // SAFETY: the path is the caller's. It is absolute, so that the directory does not matter.
    if unsafe { is_of_world(path) } => unsafe {
        let _ = directory;
        open_text(path, flags, mode)
    }
}

hook! {
    fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: usize) -> c_int;
    // SAFETY: as above.
    if unsafe { is_of_world(path) } => unsafe {
        let _ = directory;
        open_text(path, flags, mode)
    }
}

hook! {
    fn __open_2(path: *const c_char, flags: c_int) -> c_int;
    // SAFETY: the path is the caller's.
    if unsafe { is_of_world(path) } => unsafe { open_text(path, flags, 0) }
}

hook! {
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int;
    // SAFETY: the path is the caller's.
    if unsafe { is_of_world(path) } => unsafe { open_text(path, flags, 0) }
}

hook! {
    fn fopen(path: *const c_char, mode: *const c_char) -> *mut FILE;
    // SAFETY: the path and the mode are the caller's.
    if unsafe { is_of_world(path) } => super::Plain(unsafe { open_stream(path, mode) })
}

hook! {
    fn fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE;
    // SAFETY: the path and the mode are the caller's.
    if unsafe { is_of_world(path) } => super::Plain(unsafe { open_stream(path, mode) })
}

/// Whether a path is one that the world has a text for.
///
/// # Safety
/// `path` is null or a string of C's.
unsafe fn is_of_world(path: *const c_char) -> bool {
    if path.is_null() || !seat::is_taken() {
        return false;
    }
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) };
    let files = [c"/etc/hosts", c"/etc/hostname", c"/etc/nsswitch.conf", c"/etc/resolv.conf"];
    files.contains(&path)
}

/// A file in memory with the text of a path. It is the kernel's, so that everything can be done with
/// it.
///
/// # Safety
/// `path` is a string of C's.
unsafe fn open_text(path: *const c_char, flags: c_int, _mode: usize) -> Result<i32, i32> {
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Err(libc::EACCES);
    }
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) }.to_str().map_err(|_| libc::ENOENT)?;
    let seat = seat::current().ok_or(libc::ENOENT)?;
    let text = seat.as_task(|| file_of_names(path)).ok_or(libc::ENOENT)?;
    let text = text.ok().flatten().ok_or(libc::ENOENT)?;
    let closes = if flags & libc::O_CLOEXEC != 0 { libc::MFD_CLOEXEC } else { 0 };
    // SAFETY: the name is a string, and the text is of this length; the numbers are a file's.
    unsafe {
        let fd = libc::memfd_create(c"glassnet".as_ptr(), closes);
        if fd < 0 {
            return Err(libc::ENFILE);
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.len());
        if usize::try_from(written) != Ok(text.len()) {
            libc::close(fd);
            return Err(libc::ENOSPC);
        }
        libc::lseek(fd, 0, libc::SEEK_SET);
        Ok(fd)
    }
}

/// # Safety
/// `path` and `mode` are strings of C's.
unsafe fn open_stream(path: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: as the caller promises.
    let mode = unsafe { CStr::from_ptr(mode) };
    let text = mode.to_bytes();
    let reads_only = text.first() == Some(&b'r') && !text.contains(&b'+');
    let access = if reads_only { libc::O_RDONLY } else { libc::O_RDWR };
    let closes = if text.contains(&b'e') { libc::O_CLOEXEC } else { 0 };
    // SAFETY: as the caller promises.
    match unsafe { open_text(path, access | closes, 0) } {
        // SAFETY: the file is open, and nobody else's.
        Ok(fd) => unsafe { libc::fdopen(fd, mode.as_ptr()) },
        Err(number) => {
            super::set_errno(number);
            std::ptr::null_mut()
        }
    }
}
