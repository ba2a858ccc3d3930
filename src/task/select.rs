//! What `select!` expands to calls these.

use std::task::{Context, Poll};

use super::{TaskStep, budget, context};

/// The branch of so many to begin with. Outside a task of a world, the first.
#[doc(hidden)]
#[must_use]
pub fn first_branch(branches: u32) -> u32 {
    context::tell(TaskStep::DrawsBranch);
    context::scope().map_or(0, |scope| scope.draw_branch(branches))
}

/// Pending, to be polled again at once, when the task has used up what it may do in this poll.
#[doc(hidden)]
pub fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    if budget::gives_way(cx.waker()) { Poll::Pending } else { Poll::Ready(()) }
}
