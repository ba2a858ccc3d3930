//! In what form a capture is written: classic pcap by its name, with or without rows for what is
//! no frame, into anything that takes bytes; and that Wireshark's own tools take it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "files and processes are what is tested"
)]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use glassnet::Sim;
use glassnet::greeting::{greet, serve};
use pcap_file::pcapng::Block;

/// A directory of one test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let directory =
            std::env::temp_dir().join(format!("glassnet-formats-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Directory(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes that somebody else looks at.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

fn world() -> Sim {
    let mut sim = Sim::new(7);
    sim.host("server", || async { Ok(serve("0.0.0.0:12345").await?) });
    sim.client("client", async { greet("server:12345").await.map(|_| ()).map_err(Into::into) });
    sim
}

/// How many frames are in a pcapng file, and how many rows that are none.
fn frames_and_rows(file: &[u8]) -> (usize, usize) {
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(file).unwrap();
    let (mut frames, mut rows) = (0, 0);
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        rest = after;
        match block {
            Block::EnhancedPacket(_) => frames += 1,
            Block::SystemdJournalExport(_) => rows += 1,
            _ => {}
        }
    }
    (frames, rows)
}

fn frames_of_classic(file: &[u8]) -> usize {
    let mut reader = pcap_file::pcap::PcapReader::new(file).unwrap();
    let mut frames = 0;
    while let Some(packet) = reader.next_packet() {
        packet.unwrap();
        frames += 1;
    }
    frames
}

/// What a tool of Wireshark's says; `None` where it is not installed.
fn tool(program: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let output = Command::new(program).args(arguments).arg(file).output().ok()?;
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_name_says_the_format_and_the_frames_are_the_same() {
    let directory = Directory::new("name");
    let (classic, next) = (directory.path("a.pcap"), directory.path("a.pcapng"));
    // Twice: what was written here may be written again.
    for _ in 0..2 {
        let mut sim = world();
        sim.capture_link("client", "server", &classic).unwrap();
        sim.capture_link("client", "server", &next).unwrap();
        sim.run().unwrap();
    }
    let (frames, rows) = frames_and_rows(&fs::read(&next).unwrap());
    assert!(frames > 6 && rows > 6);
    assert_eq!(frames_of_classic(&fs::read(&classic).unwrap()), frames);
    if let Some(said) = tool("capinfos", &["-tEc"], &classic) {
        assert!(said.contains("nanosecond pcap") && said.contains("Ethernet"), "{said}");
    }
    let of = |file| {
        tool(
            "tshark",
            &[
                "-2n",
                "-T",
                "fields",
                "-e",
                "tcp.completeness",
                "-e",
                "frame.time_epoch",
                "-Y",
                "tcp",
                "-r",
            ],
            file,
        )
    };
    assert_eq!(of(&classic), of(&next));
}

#[test]
fn without_rows_there_are_frames_alone_and_editcap_takes_them() {
    let directory = Directory::new("rows");
    let (with, without) = (directory.path("with.pcapng"), directory.path("without.pcapng"));
    let mut sim = world();
    sim.capture("client", directory.path("host.pcapng")).unwrap();
    sim.capture_link("client", "server", &with).unwrap();
    sim.capture_events(false).capture_link("client", "server", &without).unwrap();
    sim.run().unwrap();
    let (with, rows) = frames_and_rows(&fs::read(with).unwrap());
    assert!(rows > 0);
    assert_eq!(frames_and_rows(&fs::read(&without).unwrap()), (with, 0));
    let converted = directory.path("converted.pcap");
    let editcap =
        Command::new("editcap").args(["-F", "pcap"]).args([&without, &converted]).status();
    if let Ok(status) = editcap {
        assert!(status.success());
        assert_eq!(frames_of_classic(&fs::read(converted).unwrap()), with);
    }
}

#[test]
fn a_world_is_captured_into_anything_that_takes_bytes() {
    let directory = Directory::new("stream");
    let (of_host, of_link) = (Shared::default(), Shared::default());
    let mut sim = world();
    sim.capture("client", directory.path("host.pcapng")).unwrap();
    sim.capture_link("client", "server", directory.path("link.pcapng")).unwrap();
    sim.capture_to("client", "memory", of_host.clone());
    sim.capture_link_to("client", "server", "memory", of_link.clone());
    sim.run().unwrap();
    assert!(of_host.bytes() == fs::read(directory.path("host.pcapng")).unwrap());
    assert!(of_link.bytes() == fs::read(directory.path("link.pcapng")).unwrap());
}

#[test]
fn a_writer_that_fails_is_an_error_of_the_run_and_named() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sim = world();
    sim.capture_to("server", "the recorder", Full);
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("cannot write the capture the recorder: no storage space"), "{error}");
}

#[test]
fn a_capture_of_a_host_that_does_not_exist_is_an_error_of_the_run() {
    let mut sim = world();
    sim.capture_to("nobody", "memory", Shared::default());
    assert!(sim.run().unwrap_err().to_string().contains("no host is called \"nobody\""));
}

#[cfg(all(target_os = "linux", feature = "cli"))]
#[test]
fn a_full_disk_cuts_no_record_in_two() {
    let directory = Directory::new("full");
    // As the shell limits it: 10 blocks of 512 bytes, of which signals are none of our business.
    let script = format!(
        "trap '' XFSZ; ulimit -f 10; exec {} demo -q --clients 20 --pcap full.pcap",
        env!("CARGO_BIN_EXE_glassnet")
    );
    let ended =
        Command::new("sh").args(["-c", &script]).current_dir(&directory.0).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.starts_with("glassnet: cannot write the capture full.pcap: "), "{said}");
    let file = fs::read(directory.path("full.pcap")).unwrap();
    assert!(file.len() > 4_000, "{}", file.len());
    assert!(frames_of_classic(&file) > 40);
}
