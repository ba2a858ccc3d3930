//! The limits that keep a run from spinning.

/// Events a run may handle before it is called endless.
pub(super) const EVENTS: u64 = 20_000_000;
/// Times that tasks may run without the clock moving.
pub(super) const POLLS_PER_INSTANT: u64 = 1_000_000;
/// Frames that a host takes in before its tasks have their turn: Linux's NAPI weight.
pub(super) const BURST: usize = 64;
/// Bytes that may be on their way in the whole world, each frame counted with 256 for itself:
/// enough for four links with as much on their way as one may have, and bounded so that a loop
/// that sends fills no machine.
pub(super) const IN_FLIGHT: usize = 256 << 20;
/// How long a run goes on after its clients have ended, in nanoseconds, only so that connections
/// which wait for the other side's FIN can be seen to close.
pub(super) const LINGER: u64 = 1_000_000_000;
