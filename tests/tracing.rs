//! What `tracing` is told: events of the stack and of tasks, each in the span of its host, at the
//! world's time.

#![allow(clippy::expect_used)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glassnet::Sim;
use glassnet::greeting;
use glassnet::time::{Instant, sleep};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down every event, with the spans it is in.
#[derive(Clone, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    spans: Vec<String>,
    entered: Vec<usize>,
    events: Vec<String>,
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl Notebook {
    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Notebook {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("mio")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut text = attributes.metadata().name().to_owned();
        attributes.record(&mut Fields(&mut text));
        let mut notes = self.notes();
        notes.spans.push(text);
        Id::from_u64(notes.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = event.metadata().target().to_owned();
        event.record(&mut Fields(&mut text));
        let mut notes = self.notes();
        let spans: Vec<String> =
            notes.entered.iter().map(|span| notes.spans[*span].clone()).collect();
        let time = Instant::try_now().map_or("-".to_owned(), |now| now.to_string());
        notes.events.push(format!("{time} {} |{text}", spans.join(" ")));
    }

    fn enter(&self, span: &Id) {
        self.notes().entered.push(span.into_u64() as usize - 1);
    }

    fn exit(&self, _: &Id) {
        self.notes().entered.pop();
    }
}

fn events_of(run: impl FnOnce() -> glassnet::Result) -> Vec<String> {
    let notebook = Notebook::default();
    tracing::subscriber::with_default(notebook.clone(), run).expect("the run succeeds");
    let notes = notebook.notes();
    notes.events.clone()
}

#[test]
fn a_task_runs_in_the_span_of_its_host() {
    let events = events_of(|| {
        let mut sim = Sim::new(7);
        sim.client("alice", async {
            tracing::info!("from the main task");
            let spawned = glassnet::spawn(async { tracing::info!("from a spawned task") });
            Ok(spawned.await?)
        });
        sim.client("bob", async {
            tracing::info!("from bob");
            Ok(())
        });
        sim.run()
    });
    let of = |message: &str| events.iter().find(|event| event.contains(message)).cloned();
    for message in ["from the main task", "from a spawned task"] {
        assert!(
            of(message)
                .is_some_and(|event| event.starts_with("0.000000000s host name=\"alice\" |")),
            "{events:?}"
        );
    }
    assert!(
        of("from bob").is_some_and(|event| event.starts_with("0.000000000s host name=\"bob\" |")),
        "{events:?}"
    );
}

#[test]
fn events_of_tcp_carry_virtual_time_host_and_flow() {
    let events = events_of(|| {
        let mut sim = Sim::new(7);
        sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
        sim.client("client", async { Ok(greeting::greet("server:12345").await.map(drop)?) });
        sim.run()
    });
    let established = events.iter().find(|event| {
        event.contains("name=\"client\"") && event.contains("from=SYN-SENT to=ESTABLISHED")
    });
    let established = established.expect("the client's connection is established");
    let expected = "0.004000000s host name=\"client\" |glassnet::tcp ";
    assert!(established.starts_with(expected), "{established}");
    assert!(established.contains("flow=10.0.0.2:"), "{established}");
}

#[test]
fn an_event_while_a_task_is_dropped_is_in_the_span_of_its_host() {
    struct Dropped(&'static str);
    impl Drop for Dropped {
        fn drop(&mut self) {
            tracing::info!(how = self.0, "dropped");
        }
    }
    let events = events_of(|| {
        let mut sim = Sim::new(7);
        sim.host("crashed", || async {
            let _dropped = Dropped("by a crash");
            std::future::pending().await
        });
        sim.host("aborted", || async {
            let never_polled = Dropped("before its first poll");
            glassnet::spawn(async move { drop(never_polled) }).abort();
            let task = glassnet::spawn(async {
                let _dropped = Dropped("by an abort");
                std::future::pending::<()>().await;
            });
            sleep(Duration::from_secs(1)).await;
            task.abort();
            std::future::pending().await
        });
        sim.host("left", || async {
            let _dropped = Dropped("with the world");
            std::future::pending().await
        });
        sim.run_for(Duration::from_secs(2))?;
        sim.crash("crashed");
        Ok(())
    });
    for (host, how) in [
        ("crashed", "by a crash"),
        ("aborted", "before its first poll"),
        ("aborted", "by an abort"),
        ("left", "with the world"),
    ] {
        let dropped = events.iter().find(|event| event.contains(how)).expect(how);
        assert!(dropped.contains(&format!("s host name=\"{host}\" |")), "{dropped}");
    }
    let crash = events.iter().find(|event| event.ends_with("message=crash"));
    let expected = "2.000000000s host name=\"crashed\" |glassnet::world message=crash";
    assert_eq!(crash.map(String::as_str), Some(expected));
}

#[test]
fn a_call_that_fails_is_told_with_its_address() {
    let events = events_of(|| {
        let mut sim = Sim::new(7);
        sim.client("client", async {
            assert!(glassnet::net::TcpStream::connect("localhost:1").await.is_err());
            Ok(())
        });
        sim.run()
    });
    let failed = events.iter().find(|event| event.contains("|glassnet::net "));
    let expected = "call=\"connect to 127.0.0.1:1\" error=Connection refused (os error 111)";
    assert!(failed.is_some_and(|event| event.contains(expected)), "{events:?}");
}

#[test]
fn dropped_frames_are_told_with_their_reason() {
    let events = events_of(|| {
        let mut sim = Sim::new(7);
        sim.link("client", "server").loss(0.3);
        sim.host("server", || async { Ok(greeting::serve("0.0.0.0:12345").await?) });
        sim.client("client", async { Ok(greeting::greet("server:12345").await.map(drop)?) });
        sim.run()
    });
    let dropped = events.iter().find(|event| event.contains("glassnet::network"));
    assert!(dropped.is_some_and(|event| event.contains("reason=lost")), "{events:?}");
}
