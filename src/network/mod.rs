//! The network between hosts: links and what they do to frames.
//!
//! With no topology named, all hosts share one LAN: an ideal switch that hands each frame to the
//! host it is for, over that pair's own path. A path has its own impairments and, for each
//! direction, its own random stream; nothing is stored for a pair until it is named.

mod frame_match;
mod impairment;
mod lan;
mod link;

pub(crate) use frame_match::CountedMatch;
pub use frame_match::{FrameKind, FrameMatch, ParseFrameMatchError};
pub use impairment::Impairments;
pub(crate) use lan::{Destination, HostAddresses, Lan};
pub(crate) use link::{Direction, charge};
pub use link::{DropReason, Fate};
