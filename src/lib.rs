//! glassnet
mod capture;
mod error;
pub mod greeting;
mod host;
pub mod net;
mod network;
mod rng;
pub mod task;
pub mod time;
mod world;

pub use error::Result;
pub use host::{CongestionControl, HostOptions, TcpState};
pub use network::{DropReason, Fate, Impairments};
pub use task::spawn;
pub use world::{Event, Failure, LinkHandle, RunError, Sim, TcpSegment};
