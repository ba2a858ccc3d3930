//! `glassnet::Error` and the errors of anyhow and eyre: `?` works both ways.
#![allow(clippy::unwrap_used)]

use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Error, Sim};

fn refused(sim: &mut Sim) -> glassnet::Result {
    sim.client("client", async {
        TcpStream::connect("localhost:80").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn theirs_convert_into_it() {
    assert_eq!(Error::from(anyhow::anyhow!("of anyhow")).to_string(), "of anyhow");
    assert_eq!(Error::from(eyre::eyre!("of eyre")).to_string(), "of eyre");
}

#[test]
fn it_is_found_in_anyhows() {
    let of_anyhow: anyhow::Error = refused(&mut Sim::new(7)).unwrap_err().into();
    assert!(of_anyhow.downcast_ref::<Error>().unwrap().run_error().is_some());
}

fn in_a_test_of_anyhows(sim: &mut Sim) -> anyhow::Result<()> {
    refused(sim)?;
    Ok(sim.run()?)
}

fn in_a_test_of_eyres(sim: &mut Sim) -> eyre::Result<()> {
    sim.client("client", async {
        fn of_a_library() -> eyre::Result<()> {
            eyre::bail!("of a library")
        }
        of_a_library()?;
        Ok(())
    });
    sim.run()?;
    Ok(())
}

#[test]
fn question_marks_work_in_tests_of_theirs() {
    let error = in_a_test_of_anyhows(&mut Sim::new(7)).unwrap_err();
    assert!(error.to_string().contains("client `client` failed: Connection refused"), "{error}");
    assert!(error.downcast_ref::<Error>().is_some());
    let error = in_a_test_of_eyres(&mut Sim::new(7)).unwrap_err();
    assert!(error.to_string().contains("client `client` failed: of a library (seed 7"), "{error}");
}

/// The only host, an error of another crate's.
#[glassnet::test(seed = 7)]
async fn a_test_of_one_host_returns_theirs() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let connects = glassnet::spawn(TcpStream::connect(listener.local_addr()?));
    anyhow::ensure!(listener.accept().await.is_ok());
    connects.await??;
    Ok(())
}
