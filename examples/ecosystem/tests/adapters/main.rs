//! Libraries that take a runtime of yours, at the first door: what they want of it, given by
//! glassnet's own sockets, timers and tasks. No tokio runtime, and no feature `tokio`.
//!
//! What these libraries draw at random comes from the machine here, so that the bytes of two runs
//! differ; times and lengths do not.

mod dns;
mod quic;
