//! Worlds: what drives time.
//!
//! [`Sim`] is the world of tests: virtual time, one thread, one queue of events, one seed. A
//! world on the wall clock comes beside it.

mod delivery;
mod drops;
mod engine;
mod event;
mod fault;
mod frames;
mod kept;
mod limits;
#[cfg(target_os = "linux")]
mod live;
mod names;
mod observe;
mod pace;
mod recorder;
mod replay;
mod report;
mod rules;
mod setup;
mod sim;
mod start;
mod state;
mod tables;
mod vantage;
mod verdict;

pub(crate) use kept::test_name;
#[cfg(target_os = "linux")]
pub use live::Live;
pub use observe::{Event, TcpSegment};
pub use report::{Failure, RunError};
pub use sim::{LinkHandle, Sim};
pub use tables::TableSizes;
