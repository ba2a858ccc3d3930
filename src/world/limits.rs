//! The limits that keep a run from spinning.

/// Events a run may handle before it is called endless.
pub(super) const EVENTS: u64 = 20_000_000;
/// Times that tasks may run without the clock moving.
pub(super) const POLLS_PER_INSTANT: u64 = 1_000_000;
/// How long a run goes on after its clients have ended, in nanoseconds, only so that connections
/// which wait for the other side's FIN can be seen to close.
pub(super) const LINGER: u64 = 1_000_000_000;
