//! The limits that keep a run from going on for ever.

use std::time::Duration;

/// Events a run may handle before it is called endless, and polls of one instant.
pub(super) const EVENTS: u64 = 20_000_000;
/// Polls in a row, while nothing else happens than that tasks run, before one is said to spin.
pub(super) const IDLE_POLLS: u64 = 1_000_000;
/// Rounds in a row in which every task yields before time goes on.
pub(super) const YIELDING_ROUNDS: u32 = 1_000;
/// Rounds of tasks and hosts after which events that are due have their turn.
pub(super) const ROUNDS: u32 = 64;
/// Virtual time that clients have.
pub(super) const TIME: Duration = Duration::from_secs(3_600);
/// Real time that one poll of a task may take.
pub(super) const POLL_TIME: Duration = Duration::from_secs(30);
/// Frames that a host takes in before its tasks have their turn: Linux's NAPI weight.
pub(super) const BURST: usize = 64;
/// Bytes that may be on their way in the whole world, each frame counted with 256 for itself:
/// enough for four links with as much on their way as one may have, and bounded so that a loop
/// that sends fills no machine.
pub(super) const IN_FLIGHT: usize = 256 << 20;
/// How long a run goes on after its clients have ended, in nanoseconds, only so that connections
/// which wait for the other side's FIN can be seen to close.
pub(super) const LINGER: u64 = 1_000_000_000;
