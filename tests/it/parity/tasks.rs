//! One text, compiled against tokio and against glassnet: tasks and timers have the same names,
//! signatures and traits, run in the same order, and are told the same at the same time.
#![allow(clippy::type_complexity, clippy::let_underscore_future)]

use std::cell::RefCell;
use std::rc::Rc;

mod with_tokio {
    use tokio::{select, spawn, task, time};

    include!("text/tasks.rs");

    pub(super) fn observed() -> Vec<String> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().unwrap();
        let mut all = runtime.block_on(async { spawn(observe()).await.unwrap() });
        // The future of `block_on` itself is polled by other rules than tasks are.
        let local = runtime.block_on(async {
            let set = LocalSet::new();
            set.run_until(async { task::spawn_local(observe_local()).await.unwrap() }).await
        });
        all.extend(local);
        all
    }
}

mod with_glassnet {
    use glassnet::{select, spawn, task, time};

    include!("text/tasks.rs");

    pub(super) fn observed() -> Vec<String> {
        let all = super::Rc::new(super::RefCell::new(Vec::new()));
        let noted = all.clone();
        let mut sim = glassnet::Sim::new(1);
        sim.isolate_panics(true);
        sim.client("alone", async move {
            let mut lines = spawn(observe()).await.unwrap();
            lines.extend(spawn(observe_local()).await.unwrap());
            noted.replace(lines);
            Ok(())
        });
        sim.run().unwrap();
        all.take()
    }
}

#[test]
fn tasks_and_timers_do_what_they_do_in_tokio() {
    let (tokio, ours) = (with_tokio::observed(), with_glassnet::observed());
    let same = tokio.iter().zip(&ours).take_while(|(tokio, ours)| tokio == ours).count();
    let of = |lines: &[String]| {
        let (from, to) = (same.saturating_sub(8), (same + 8).min(lines.len()));
        lines[from.min(to)..to].join("\n  ")
    };
    assert!(tokio == ours, "tokio:\n  {}\nours:\n  {}", of(&tokio), of(&ours));
    assert!(ours.len() > 200, "{}", ours.len());
}
