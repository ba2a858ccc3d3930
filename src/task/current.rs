//! What a task may ask about itself.

use super::context;
use super::id::Id;
use super::random::HostRng;

/// The [`Id`] of the task that calls this.
///
/// # Panics
/// When called outside a task of a world.
#[track_caller]
#[must_use]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("Can't get a task id when not inside a task"),
    }
}

/// The [`Id`] of the task that calls this; `None` outside a task of a world.
#[must_use]
pub fn try_id() -> Option<Id> {
    context::current_id()
}

/// The random generator of the host of the calling task.
///
/// Each host has a stream of its own for its applications, which follows from the seed of the
/// world and the name of the host: drawing from it changes neither the draws of other hosts nor
/// those of the network, and all tasks of the host share it. A host that was started anew by
/// [`Sim::bounce`](crate::Sim::bounce) has a new one. What it draws is the same for the same seed.
///
/// ```
/// let mut sim = glassnet::Sim::new(7);
/// sim.client("client", async {
///     let jitter = std::time::Duration::from_millis(glassnet::rng().up_to(100));
///     glassnet::time::sleep(jitter).await;
///     Ok(())
/// });
/// sim.run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// When called outside a task of a world.
#[must_use]
#[track_caller]
pub fn rng() -> HostRng {
    let Some(scope) = context::scope() else {
        panic!("rng needs a world: call it in a task of a host");
    };
    scope.rng()
}
