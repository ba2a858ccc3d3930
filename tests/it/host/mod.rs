//! A host against a scripted peer: what it does on the wire, subject by subject.
//!
//! Rows are those of the second table of the sockets' contract; RFC sections stand above the
//! tests that follow them. `known_deviations` holds what the engine does differently today. What
//! needs the inside of a host is in `src/host/tests`.

mod backlog;
mod challenges;
mod closing;
mod counters;
mod icmp_errors;
mod keep_alive;
mod known_deviations;
mod linger;
mod neighbors;
mod opening;
mod peer;
mod reassembly;
mod resets;
mod retransmission;
mod segments;
mod syn_options;
mod time_wait;
mod windows;
mod wire;
