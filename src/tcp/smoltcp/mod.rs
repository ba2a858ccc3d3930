//! smoltcp's TCP as an engine (DESIGN D3): its socket, and what the socket does not remember or
//! gets wrong.
//!
//! Its control block is closed, so where a connection stands is counted from the segments that pass
//! (`sequences`), and its defects are mended on the way in (`receive`) and out (`transmit`).

mod account;
mod device;
mod engine;
mod handshake;
mod info;
mod keep_alive;
mod last_ack;
mod memory;
mod narrow_path;
mod receive;
mod repair;
mod replay;
mod sequences;
mod shared;
mod socket;
mod split;
mod timers;
mod transmit;
mod watchdog;

pub(super) use engine::SmoltcpEngine;
#[cfg(test)]
pub(crate) use shared::Repairs;
pub(super) use shared::Shared;
pub(crate) use socket::SocketBuffers;
