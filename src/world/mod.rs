//! Worlds: what drives time.
//!
//! [`Sim`] is the world of tests: virtual time, one thread, one queue of events, one seed. A
//! world on the wall clock comes beside it.

mod engine;
mod event;
mod fault;
mod limits;
mod observe;
mod report;
mod sim;
mod vantage;

pub use observe::{Event, TcpSegment};
pub use report::{Failure, RunError};
pub use sim::{LinkHandle, Sim};
