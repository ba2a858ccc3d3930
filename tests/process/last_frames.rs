//! What a failing run leaves without being asked: the last frames of each host.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::again_though_ignored;
use crate::common::*;
use glassnet::net::{TcpStream, UdpSocket};
use glassnet::{RunError, Sim};
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};

/// A frame of a capture: when, its bytes, its length on the wire, its comments.
type Captured = (Duration, Vec<u8>, u32, Vec<String>);

fn frames_of(path: &Path) -> Vec<Captured> {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let mut frames = Vec::new();
    while let Some(block) = reader.next_block() {
        if let (Block::EnhancedPacket(packet), _) = block.unwrap() {
            let comments = packet.options.iter().filter_map(|option| match option {
                EnhancedPacketOption::Common(common) => Some(format!("{common:?}")),
                _ => None,
            });
            let comments = comments.collect();
            frames.push((packet.timestamp, packet.data.to_vec(), packet.original_len, comments));
        }
    }
    frames
}

/// The files that a report says were written.
fn files_of(report: &str) -> Vec<PathBuf> {
    let files =
        report.lines().filter_map(|line| line.strip_prefix("last frames of ")?.split_once(": "));
    let files = files.map(|(_, path)| std::path::absolute(path).unwrap());
    files.filter(|path| path.extension().is_some()).collect()
}

fn file_of(error: &RunError, host: &str) -> PathBuf {
    let files = files_of(&error.to_string());
    let is_of_host = |path: &&PathBuf| path.to_str().unwrap().ends_with(&format!("-{host}.pcapng"));
    files.iter().find(is_of_host).unwrap_or_else(|| panic!("{error}")).clone()
}

/// A client that talks to an echo server over a lossy link, and then fails.
fn failing(sim: &mut Sim, bytes: usize) {
    sim.link("client", "server").loss(0.1);
    echo_host(sim, "server");
    sim.client("client", async move {
        let stream = TcpStream::connect("server:7").await?;
        exchange(stream, pattern(bytes)).await?;
        Err("on purpose".into())
    });
}

#[test]
fn a_run_that_fails_leaves_the_frames_of_each_host_as_a_capture_would_have_them() {
    let mut whole = Sim::new(5);
    let paths = ["client", "server"].map(|host| scratch(&format!("whole-{host}.pcapng")));
    whole.capture("client", &paths[0]).unwrap();
    whole.capture("server", &paths[1]).unwrap();
    failing(&mut whole, 20_000);
    let error = failure(whole.run());
    // What has a capture of its own leaves nothing else.
    assert_eq!(files_of(&error.to_string()), <[PathBuf; 0]>::default());

    // Nobody looked at these frames, so their checksums were left out on the way.
    let mut sim = Sim::new(5);
    failing(&mut sim, 20_000);
    let error = failure(sim.run());
    for (host, path) in ["client", "server"].iter().zip(paths) {
        let (mut kept, mut captured) = (frames_of(&file_of(&error, host)), frames_of(&path));
        // Frames of one instant have no order.
        let order = |frame: &Captured| (frame.0, frame.1[..50.min(frame.1.len())].to_vec());
        kept.sort_by_key(order);
        captured.sort_by_key(order);
        // The capture went on until the run had ended.
        let missing = captured.len().checked_sub(kept.len()).unwrap();
        assert!(kept.len() > 10 && missing < 5, "{host}: {} without {missing}", kept.len());
        for (kept, captured) in kept.iter().zip(&captured) {
            assert_eq!((kept.0, kept.2), (captured.0, captured.2), "{host}");
            let is_whole = kept.1.len() == captured.1.len();
            assert!(is_whole || kept.1.len() == 128, "{host}: {} bytes", kept.1.len());
            let same = if is_whole { captured.1.len() } else { 50 };
            assert_eq!(kept.1[..same], captured.1[..same], "{host}");
        }
        assert!(kept.iter().any(|frame| frame.1.len() < frame.2 as usize), "none was cut");
        if *host == "client" {
            let lost = kept.iter().filter(|frame| frame.3.concat().contains("dropped: lost"));
            assert!(lost.count() > 0);
        }
    }
}

#[test]
fn the_last_ten_thousand_frames_of_a_host_are_left() {
    let mut sim = Sim::new(1);
    sim.host("deaf", || async {
        let _socket = UdpSocket::bind("0.0.0.0:9").await?;
        for_ever().await
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0..25_000u32 {
            socket.send_to(&number.to_be_bytes(), "deaf:9").await?;
            if number % 50 == 49 {
                glassnet::time::sleep(ms(1)).await;
            }
        }
        Err("on purpose".into())
    });
    let error = failure(sim.run());
    let frames = frames_of(&file_of(&error, "client"));
    assert_eq!(frames.len(), 10_000);
    let number = |frame: &Captured| u32::from_be_bytes(frame.1[42..46].try_into().unwrap());
    assert!(frames.iter().map(number).eq(15_000..25_000));
}

#[test]
fn what_reaches_a_host_that_is_down_is_not_among_its_frames() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _socket = UdpSocket::bind("0.0.0.0:9").await?;
        for_ever().await
    });
    sim.client("client", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for _ in 0..60 {
            socket.send_to(b"x", "10.0.0.1:9").await?;
            glassnet::time::sleep(ms(1)).await;
        }
        Err("on purpose".into())
    });
    // Between its own frames and those of the client.
    sim.run_for(ms(20) + Duration::from_micros(500))?;
    sim.crash("server");
    sim.run_for(ms(20))?;
    sim.bounce("server");
    let error = failure(sim.run());
    let began = Duration::from_secs(946_684_800);
    let times = frames_of(&file_of(&error, "server")).into_iter().map(|it| it.0 - began);
    let times: Vec<Duration> = times.collect();
    let (down, up) = (Duration::from_micros(20_500), Duration::from_micros(40_500));
    assert!(times.iter().any(|at| *at < down) && times.iter().any(|at| *at > up), "{times:?}");
    assert!(!times.iter().any(|at| *at > down && *at <= up), "{times:?}");
    Ok(())
}

#[test]
fn worlds_of_one_test_leave_files_of_their_own_beside_what_was_built() {
    let mut files = Vec::new();
    for _ in 0..3 {
        let mut sim = Sim::new(5);
        failing(&mut sim, 1);
        let error = failure(sim.run());
        files.push(file_of(&error, "client"));
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    for (file, number) in files.iter().zip(["", "-2", "-3"]) {
        let name = format!(
            "glassnet-process-last_frames-worlds_of_one_test_leave_files_of_their_own_beside_what_was_built\
             -seed5{number}-client.pcapng"
        );
        assert_eq!(*file, target.join("glassnet").join(name));
        assert!(!frames_of(file).is_empty());
    }
}

#[test]
fn as_many_are_left_as_were_asked_for() {
    for (asked, left) in [(0, 0), (1, 1), (5, 5)] {
        let mut sim = Sim::new(5);
        sim.last_frames(asked);
        failing(&mut sim, 10_000);
        let error = failure(sim.run());
        if left == 0 {
            assert_eq!(files_of(&error.to_string()), <[PathBuf; 0]>::default());
        } else {
            assert_eq!(frames_of(&file_of(&error, "client")).len(), left);
        }
    }
}

#[test]
fn the_names_of_the_hosts_of_a_large_world_are_not_all_files() {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    for number in 0..100 {
        sim.client(&format!("client{number}"), async {
            drop(TcpStream::connect("server:7").await?);
            glassnet::time::sleep(secs(1)).await;
            Err("on purpose".into())
        });
    }
    let report = failure(sim.run()).to_string();
    let files = files_of(&report);
    assert_eq!(files.len(), 8, "{report}");
    assert!(report.contains("last frames of 56 more hosts: beside them"), "{report}");
    assert!(report.contains("last frames of 37 more hosts: not written"), "{report}");
}

#[test]
#[ignore = "run by the test below"]
fn a_panic_after_some_frames() {
    let mut sim = Sim::new(9);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    sim.run().unwrap();
    panic!("on purpose");
}

#[test]
fn a_panic_while_a_world_is_alive_leaves_them_too() {
    let mut command = again_though_ignored(module_path!(), "a_panic_after_some_frames");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    let files = files_of(&report);
    assert_eq!(files.len(), 2, "{report}");
    assert!(files.iter().all(|file| !frames_of(file).is_empty()), "{report}");
}
