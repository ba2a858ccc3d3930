//! Other processes, which would reach the machine's network: refused.

use libc::{c_char, c_int, c_void, pid_t};

use super::{Plain, hook};
use crate::seam::seat;

/// What is told of a call that would leave the world.
#[cold]
fn refused(call: &str) -> i32 {
    tracing::error!(
        target: "glassnet::seam",
        call,
        "refused: another process would use the machine's network and clock, not the world's"
    );
    libc::EPERM
}

hook! {
    fn fork() -> pid_t;
    if seat::is_taken() => Err(refused("fork"))
}

hook! {
    fn vfork() -> pid_t;
    if seat::is_taken() => Err(refused("vfork"))
}

hook! {
    fn execve(path: *const c_char, arguments: *const *const c_char, environment: *const *const c_char) -> c_int;
    if seat::is_taken() => {
        let _ = (path, arguments, environment);
        Err(refused("execve"))
    }
}

hook! {
    fn posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int;
    if seat::is_taken() => {
        let _ = (pid, path, actions, attributes, arguments, environment);
        // It returns its error number.
        Plain(refused("posix_spawn"))
    }
}

hook! {
    fn posix_spawnp(
        pid: *mut pid_t,
        file: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int;
    if seat::is_taken() => {
        let _ = (pid, file, actions, attributes, arguments, environment);
        // It returns its error number.
        Plain(refused("posix_spawnp"))
    }
}

hook! {
    fn execv(path: *const c_char, arguments: *const *const c_char) -> c_int;
    if seat::is_taken() => {
        let _ = (path, arguments);
        Err(refused("execv"))
    }
}

hook! {
    fn execvp(file: *const c_char, arguments: *const *const c_char) -> c_int;
    if seat::is_taken() => {
        let _ = (file, arguments);
        Err(refused("execvp"))
    }
}

hook! {
    fn execvpe(
        file: *const c_char,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) -> c_int;
    if seat::is_taken() => {
        let _ = (file, arguments, environment);
        Err(refused("execvpe"))
    }
}

hook! {
    fn system(command: *const c_char) -> c_int;
    if seat::is_taken() => {
        let _ = command;
        Err(refused("system"))
    }
}

hook! {
    fn popen(command: *const c_char, mode: *const c_char) -> *mut libc::FILE;
    if seat::is_taken() => {
        let _ = (command, mode);
        super::set_errno(refused("popen"));
        Plain(std::ptr::null_mut())
    }
}
