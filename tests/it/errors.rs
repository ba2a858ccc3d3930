//! `glassnet::Error`: what converts into it and into what it converts, and what it holds.

use std::error::Error as StdError;
use std::io;

use glassnet::net::TcpStream;
use glassnet::{Error, Failure, RunError, Sim};

/// A test of somebody who uses this crate, with `?` and `sim.run()` at its end.
fn refused(sim: &mut Sim) -> glassnet::Result {
    sim.client("client", async {
        let port: u16 = "80".parse()?;
        TcpStream::connect(("localhost", port)).await?;
        Ok(())
    });
    sim.run()
}

fn sends<T: Send + Sync + StdError + 'static>() {}

#[test]
fn errors_may_go_to_other_threads() {
    sends::<Error>();
    sends::<RunError>();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| refused(&mut Sim::new(7)).unwrap_err()).join().unwrap()
    });
    assert_eq!(error.run_error().unwrap().seed(), 7);
}

#[test]
fn what_a_run_fails_with_is_inside() {
    let error = refused(&mut Sim::new(7)).unwrap_err();
    let run = error.run_error().unwrap();
    assert!(matches!(run.failure(), Failure::Client { name, .. } if name == "client"));
    assert_eq!(error.to_string(), run.to_string());
    assert_eq!(format!("{error:?}"), format!("{run:?}"));
    // What the client returned, not a box around it.
    let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
    let run: Box<RunError> = error.downcast().unwrap();
    assert_eq!(run.seed(), 7);
}

#[test]
fn everything_converts_into_it() {
    fn converts(error: impl Into<Error>) -> String {
        error.into().to_string()
    }
    assert_eq!(converts("a text"), "a text");
    assert_eq!(converts("a text".to_owned()), "a text");
    assert_eq!(converts(io::Error::other("of std")), "of std");
    assert_eq!(converts(Box::<dyn StdError + Send + Sync>::from("boxed")), "boxed");
    assert_eq!(converts(Error::from("itself")), "itself");
    assert!(Error::from("a text").run_error().is_none());
    assert!(Error::from("a text").downcast::<io::Error>().is_err());
}

#[test]
fn a_way_there_and_back_leaves_no_box_around_it() {
    let boxed: Box<dyn StdError + Send + Sync> = refused(&mut Sim::new(7)).unwrap_err().into();
    assert!(Error::from(boxed).run_error().is_some());
}

fn in_a_test_of_stds(sim: &mut Sim) -> Result<(), Box<dyn StdError>> {
    refused(sim)?;
    Ok(())
}

#[test]
fn question_marks_work_in_tests_that_return_others_errors() {
    let error = in_a_test_of_stds(&mut Sim::new(7)).unwrap_err();
    assert!(error.to_string().contains("(seed 7, at "), "{error}");
}

#[test]
fn a_task_may_return_it_and_when_nobody_takes_it_it_is_lost() {
    let mut sim = Sim::new(1);
    sim.strict(true);
    sim.client("client", async {
        drop(glassnet::spawn(async { glassnet::Result::<()>::Err("lost".into()) }));
        glassnet::task::yield_now().await;
        Ok(())
    });
    let error = sim.run().unwrap_err();
    assert!(
        matches!(error.run_error().unwrap().failure(), Failure::Task { message, .. } if message == "lost")
    );
}

/// An error of somebody's own with one of this crate's inside.
#[derive(Debug)]
struct Outer(Box<glassnet::Error>);

impl std::fmt::Display for Outer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "outer: {}", self.0)
    }
}

impl std::error::Error for Outer {}

#[test]
fn an_error_that_holds_one_of_this_crate_converts_into_one() {
    let fails = || -> glassnet::Result { Err(Outer(Box::new("inner".into())))? };
    assert_eq!(fails().unwrap_err().to_string(), "outer: inner");
}
