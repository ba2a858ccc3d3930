//! The sockets are tokio's: one text, compiled against tokio and against glassnet, has the same
//! names, signatures and traits, and on Linux gets the same answers from the kernel and from ours.
#![allow(unreachable_pub, reason = "the texts are those of a library's user")]

mod tcp;
#[cfg(target_os = "linux")]
mod udp;
#[cfg(target_os = "linux")]
mod unix;
