//! Worlds: what drives time.
//!
//! - `plan`: a world as data
//! - `core`: what both worlds have in common
//! - [`Sim`], the world of tests: virtual time, one thread, one queue of events, one seed
//! - `Live`, the same hosts on the wall clock, attached to something real

mod core;
#[cfg(target_os = "linux")]
mod live;
mod plan;
mod sim;

pub(crate) use self::core::journal::{Journal, Line, LoggedEvent};
pub use self::core::observe::{Event, TcpSegment};
#[cfg(target_os = "linux")]
pub use live::Live;
pub(crate) use plan::check_name;
#[cfg(feature = "tokio")]
pub(crate) use plan::is_ignored_by_default;
pub use plan::{Fault, Hosts, LinkChange, ParseFaultError};
#[cfg(feature = "tokio")]
pub(crate) use sim::MainFuture;
pub use sim::{
    Failure, FaultGuard, Faults, FaultsAt, GuardedFaults, HeldFrame, LinkFault, LinkHandle,
    RunError, Sim, TableSizes,
};
pub(crate) use sim::{WallLimit, arguments_for_test, replay_command, test_name};
