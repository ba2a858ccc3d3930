//! A test without a harness: the determinism check calls it again with the same arguments.

use glassnet::{Check, Failure, RunError, Sim};

fn runs(sim: &mut Sim) -> glassnet::Result {
    sim.client("client", async { Ok(()) });
    sim.run()
}

fn main() -> glassnet::Result {
    let check = Check::new().seeds(2).regressions(false).determinism(true);
    check.clone().run(runs)?;
    let differs = check.run(|sim| {
        runs(sim)?;
        Err(format!("process {}", std::process::id()).into())
    });
    let error = differs.expect_err("each process has a number of its own");
    let failure = error.run_error().map(RunError::failure);
    assert!(matches!(failure, Some(Failure::Differs { event: 2 })), "{error}");
    Ok(())
}
