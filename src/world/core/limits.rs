//! How long one part of a world may go on before the others have their turn.

/// Rounds of tasks and hosts after which events that are due, or frames that wait, have their turn.
pub(in crate::world) const ROUNDS: u32 = 64;
/// Rounds in a row in which every task yields before time goes on.
pub(in crate::world) const YIELDING_ROUNDS: u32 = 1_000;
/// Frames that a host takes in before its tasks have their turn: Linux's NAPI weight.
pub(in crate::world) const BURST: usize = 64;
