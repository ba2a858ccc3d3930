//! The network between hosts: nodes, ports, links, and what links do to frames.
//!
//! With no topology named, all hosts share one LAN: an ideal switch that hands each frame to the
//! host it is for, over that pair's own path. A path has its own impairments and, for each
//! direction, its own random stream; nothing is stored for a pair until it is named.
//!
//! - `topology`: nodes, their ports, and where a frame goes from one
//! - `switch`: the switch of the LAN; `addresses`: the addresses of the LAN
//! - `half_link`: one direction of a link; `impairment`: what it is told to do to frames
//! - `fate`: what becomes of a frame; `frame_match`: which frames a rule is for

mod addresses;
mod fate;
mod frame_match;
mod half_link;
mod impairment;
mod switch;
mod topology;

pub(crate) use addresses::HostAddresses;
pub use fate::{DropReason, Fate};
pub(crate) use frame_match::CountedMatch;
pub use frame_match::{FrameKind, FrameMatch, ParseFrameMatchError};
pub(crate) use half_link::{HalfLinkId, Stop, StoppedBy, charge};
pub use impairment::Impairments;
pub(crate) use topology::{InterfaceName, NextHop, Node, Port, Topology};
