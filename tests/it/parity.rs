//! The sockets, tasks and timers are tokio's: one text, compiled against tokio and against glassnet,
//! has the same names, signatures and traits; sockets, on Linux, get the same answers from the kernel
//! and from ours, and tasks run in the same order and are told the same at the same time.
#![allow(unreachable_pub, reason = "the texts are those of a library's user")]

#[cfg(target_os = "linux")]
mod halves;
mod tasks;
mod tcp;
#[cfg(target_os = "linux")]
mod udp;
#[cfg(target_os = "linux")]
mod unix;
