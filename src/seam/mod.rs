//! Programs that use tokio, on our network and on our clock.
//!
//! A test binary calls the kernel through the symbols of libc. The executable is asked first for
//! such a symbol; `hooks` defines those that reach the network, the clock and entropy. They answer
//! for a thread while a host of a world is having its turn on it, and hand every other call to the
//! kernel.
//!
//! - `door`: `Sim::tokio`; `runtime`: a tokio runtime as the program of a host; `seat`: which host answers on a thread
//! - `descriptors`: the numbers of files; `file`: what they stand for: `socket_file`, `epoll`,
//!   `event_counter`, `timer_file`; `watchers`: who is told of a change
//! - `threads`: the threads a program starts, one at a time; `baton`: who runs; `lookups`: what they
//!   ask the thread that drives the world
//! - `signals`: what programs do about signals
//! - `dispatch`: system calls that are made without libc
//! - `child`: the process of a world
//! - `address`: `struct sockaddr`; `control`: control messages; `unanswered`: what is refused;
//!   `real`: the kernel's answer; `spin`: a lock that never sleeps
#![allow(unsafe_code)]

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
compile_error!(
    "glassnet's feature `tokio` needs Linux with glibc: elsewhere use `glassnet::net`, `glassnet::time` \
     and `glassnet::spawn`, which need no feature"
);

mod address;
mod baton;
mod child;
mod control;
mod descriptors;
mod dispatch;
mod door;
mod epoll;
mod event_counter;
mod file;
mod hooks;
mod lookups;
mod real;
mod runtime;
mod seat;
mod signals;
mod socket_file;
mod spin;
mod threads;
mod timer_file;
mod unanswered;
mod watchers;

pub(crate) use child::prepare as prepare_process;
pub use door::Door;
