//! FTP, the other example of the sockets tutorials: commands go over one connection, and each
//! file or list over another. In passive mode the client opens that one, in active mode the server.
//!
//! `cargo run --example ftp [CAPTURE]` prints the commands and replies, and leaves a capture of
//! the client's interface, which Wireshark dissects as FTP and FTP-DATA.

#[path = "ftp/client.rs"]
mod client;
#[path = "ftp/reply.rs"]
mod reply;
#[path = "ftp/server.rs"]
mod server;
#[path = "ftp/transfer.rs"]
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use client::{Client, Mode};
use glassnet::Sim;

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-ftp.pcapng"));

    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(20)).rate(10_000_000);
    sim.host("server", || async {
        let greeting = b"Thank you for connecting\n".to_vec();
        server::serve(&[("greeting.txt", greeting)], &[("guest", "secret")]).await
    });
    sim.client("client", session());
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{} s in all; {}", sim.now().since_start().as_secs_f64(), capture.display());
    Ok(())
}

async fn session() -> glassnet::Result {
    let photograph: Vec<u8> = (0..50_000_u32).map(|at| (at ^ (at >> 8)) as u8).collect();

    let mut ftp = Client::connect("server:21").await?;
    refused(ftp.login("guest", "a guess").await, 530)?;
    ftp.login("guest", "secret").await?;
    for mode in [Mode::Passive, Mode::Active] {
        ftp.set_mode(mode);
        ftp.set_type("A").await?;
        same(&ftp.retrieve("greeting.txt").await?, b"Thank you for connecting\r\n")?;
        ftp.store("note.txt", b"one\r\ntwo\r\n").await?;
        ftp.set_type("I").await?;
        same(&ftp.retrieve("note.txt").await?, b"one\ntwo\n")?;
        ftp.store("photograph.jpg", &photograph).await?;
        same(&ftp.retrieve("photograph.jpg").await?, &photograph)?;
        let list = String::from_utf8(ftp.list().await?)?;
        print!("{list}");
        if list.lines().count() != 3 {
            return Err("there should be three files".into());
        }
        refused(ftp.retrieve("missing.txt").await, 550)?;
    }
    ftp.quit().await
}

fn same(received: &[u8], expected: &[u8]) -> glassnet::Result {
    if received == expected { Ok(()) } else { Err("the file has changed on its way".into()) }
}

/// What must fail has failed, and with this code.
fn refused<T>(result: glassnet::Result<T>, code: u16) -> glassnet::Result {
    match result {
        Ok(_) => Err(format!("should have been refused with {code}").into()),
        Err(error) => match error.downcast::<reply::Refused>() {
            Ok(refused) if refused.0.code == code => Ok(()),
            Ok(other) => Err((*other).into()),
            Err(error) => Err(error),
        },
    }
}
