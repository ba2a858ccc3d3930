//! The README's Rust, word for word: it compiles, and the test runs and passes.

#![cfg_attr(rustfmt, rustfmt_skip)]

#[path = "common/from_turmoil.rs"]
mod from_turmoil;

use std::time::Duration;

use glassnet::{Sim, net::{TcpListener, TcpStream}};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_greeting_survives_ten_percent_loss() -> glassnet::Result {
    let mut sim = Sim::new(7);                                   // the seed
    sim.link("client", "server").delay(Duration::from_millis(20)).loss(0.10);
    sim.host("server", || async {                                // Fn: can be restarted after a crash
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        loop {
            let (mut stream, peer) = listener.accept().await?;
            println!("Got connection from {peer}");
            stream.write_all(b"Thank you for connecting").await?;
        }
    });
    sim.client("client", async {                                 // the run ends when all clients have
        let mut stream = TcpStream::connect("server:12345").await?;
        let mut greeting = String::new();
        stream.read_to_string(&mut greeting).await?;
        assert_eq!(greeting, "Thank you for connecting");
        Ok(())
    });
    sim.capture("client", std::env::temp_dir().join("greeting.pcapng"))?; // the client's interface
    sim.run()
}

#[cfg(target_os = "linux")]
use glassnet::Live;

#[cfg(target_os = "linux")]
fn greet_over_tap() -> glassnet::Result {
    let mut live = Live::tap("tap0")?;                           // or Live::cable(path), Live::tun(name)
    live.address([192, 0, 2, 2], 24);                            // or live.dhcp(true)
    live.capture("server.pcapng")?;
    live.run(async {                                             // until it ends, or Ctrl-C
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        loop {
            let (mut stream, peer) = listener.accept().await?;
            println!("Got connection from {peer}");
            stream.write_all(b"Thank you for connecting").await?;
        }
    })
}

#[test]
fn the_readme_shows_what_is_compiled_here() {
    // What has a TAP device is run by scripts/check-tap.sh; here it is compiled.
    #[cfg(target_os = "linux")]
    let _: fn() -> glassnet::Result = greet_over_tap;
    let readme = include_str!("../README.md");
    let shown: Vec<&str> = blocks(readme, "rust").collect();
    assert_eq!(shown.len(), 3);
    // CI runs the tests of that package with either feature.
    let compiled = [include_str!("readme.rs"), include_str!("../examples/two-runtimes/src/lib.rs")];
    for shown in shown {
        assert!(compiled.iter().any(|file| file.contains(shown)), "{shown}");
    }
}

/// What stands in the README's blocks of a language.
fn blocks<'r>(readme: &'r str, language: &str) -> impl Iterator<Item = &'r str> {
    let start = format!("```{language}\n");
    let blocks: Vec<&str> = readme.split(&start).skip(1).collect();
    blocks.into_iter().filter_map(|rest| rest.split("\n```").next())
}

#[test]
fn the_readme_arranges_a_crate_as_the_example_is_arranged() {
    let mut shown = blocks(include_str!("../README.md"), "toml");
    let manifest = include_str!("../examples/two-runtimes/Cargo.toml").replace("../..", "../glassnet");
    assert!(shown.all(|shown| manifest.contains(shown)));
    assert_eq!(blocks(include_str!("../README.md"), "toml").count(), 1);
}

#[test]
fn the_readme_turns_a_test_of_turmoil_into_one_that_runs_here() {
    let readme = include_str!("../README.md");
    let [diff] = blocks(readme, "diff").collect::<Vec<_>>()[..] else { panic!("one diff") };
    let is_new = |line: &&str| !line.starts_with('-');
    let new: Vec<&str> = diff.lines().filter(is_new).map(|line| line.get(1..).unwrap_or("")).collect();
    assert!(include_str!("common/from_turmoil.rs").contains(&new.join("\n")));
    assert!(diff.lines().any(|line| line.starts_with("-use turmoil::net")));
}

#[test]
fn the_report_of_the_readme() {
    let mut sim = Sim::new(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        listener.accept().await?;
        Ok(())
    });
    sim.client("client", async {
        TcpStream::connect("server:80").await?;
        Ok(())
    });
    let report = sim.run().map_err(|error| error.to_string()).unwrap_err();
    // Wherever this was built, the README shows it as built beside the sources.
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let report = report.replace(&format!("{}/", target.display()), "target/");
    let readme = include_str!("../README.md");
    let (report, replay) = report.rsplit_once("\nreplay: ").unwrap();
    assert!(readme.contains(report), "{report}");
    // Between the two may be the profile and the features of this very run.
    let (cargo, test) = ("cargo test ", "--test readme the_report_of_the_readme -- --exact");
    assert!(replay.starts_with(cargo) && replay.ends_with(test), "{replay}");
    assert!(readme.contains(&format!("\nreplay: {cargo}{test}\n")));
}

#[cfg(feature = "cli")]
#[test]
fn the_demo_prints_what_the_readme_shows() {
    let directory = std::env::temp_dir().join(format!("glassnet-readme-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let demo = std::process::Command::new(env!("CARGO_BIN_EXE_glassnet"))
        .args(["demo", "--seed", "62", "--delay", "20ms", "--loss", "20%"])
        .current_dir(&directory)
        .output()
        .unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let printed = String::from_utf8(demo.stdout).unwrap();
    assert!(include_str!("../README.md").contains(printed.trim_end()), "{printed}");
}
