//! What `#[glassnet::test]` expands to calls these.

use super::Check;
use crate::error::{Error, Result};
use crate::world::{Failure, RunError, Sim};

/// What a test may return.
#[diagnostic::on_unimplemented(
    message = "a test of glassnet returns nothing, or a `Result<(), E>`",
    note = "`E` converts into `glassnet::Error`: a boxed error has to be `Send` and `Sync`"
)]
pub trait Outcome {
    /// As a test of this crate.
    ///
    /// # Errors
    /// Those of the test.
    fn into_result(self) -> Result;
}

impl Outcome for () {
    fn into_result(self) -> Result {
        Ok(())
    }
}

impl<E: Into<Error>> Outcome for std::result::Result<(), E> {
    fn into_result(self) -> Result {
        self.map_err(Into::into)
    }
}

/// Panics with the error of a test that should panic. That two runs differ is none of its errors: it
/// must not pass for that.
pub fn panic_with_error(result: Result) {
    let Err(error) = result else { return };
    let failure = error.run_error().map(RunError::failure);
    if matches!(failure, Some(Failure::Differs { .. })) {
        eprintln!("{error}");
    } else {
        panic!("{error}");
    }
}

/// Runs a test that is given a world.
///
/// # Errors
/// As [`Check::run`].
#[track_caller]
pub fn run<R: Outcome>(check: Check, path: &str, test: impl Fn(&mut Sim) -> R + Sync) -> Result {
    check.named(path).run(move |sim| test(sim).into_result())
}

/// Runs a test that is the main function of the only host.
///
/// # Errors
/// As [`Check::run`].
#[track_caller]
pub fn run_async<F>(check: Check, path: &str, main: fn() -> F) -> Result
where
    F: Future + 'static,
    F::Output: Outcome,
{
    check.named(path).run(move |sim| {
        sim.client("test", async move { main().await.into_result() });
        sim.run()
    })
}
