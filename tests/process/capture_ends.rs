//! A capture is whole whatever ends the process that writes it. What ends here is a process of its
//! own: this test program, called again for one test.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::again;
use crate::common::directory::Directory;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Live, Sim, TcpSegment};
use pcap_file::pcapng::{Block, PcapNgParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Where the process that ends has its directory.
const DIRECTORY: &str = "GLASSNET_TEST_CAPTURE_ENDS";
/// What the server sends.
const LEN: usize = 300_000;

/// The directory of one test.
struct Place(Directory);

impl Place {
    fn new(test: &str) -> Place {
        Place(Directory::new(&format!("ends-{test}")))
    }

    /// In the process that is to end: where its capture goes.
    fn of_this_process() -> Option<PathBuf> {
        std::env::var_os(DIRECTORY).map(|directory| PathBuf::from(directory).join("a.pcapng"))
    }

    /// The process that is to end.
    fn command(&self, test: &str) -> Command {
        let mut command = again(module_path!(), test);
        command.arg("--nocapture").env(DIRECTORY, &self.0);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn run(&self, test: &str) -> Output {
        self.command(test).output().unwrap()
    }

    fn capture(&self) -> PathBuf {
        self.0.join("a.pcapng")
    }
}

/// How many bytes of TCP a capture shows, all of whose blocks are whole.
fn octets(capture: &Path) -> usize {
    let capture = fs::read(capture).unwrap();
    let (mut rest, mut parser) = PcapNgParser::new(&capture).unwrap();
    let mut octets = 0;
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        if let Block::EnhancedPacket(packet) = block {
            octets += TcpSegment::parse(&packet.data).map_or(0, |segment| segment.len as usize);
        }
        rest = after;
    }
    octets
}

/// A simulation that is captured, and then comes to its end by `end`.
fn simulate(path: PathBuf, end: fn()) -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            listener.accept().await?.0.write_all(&[1; LEN]).await?;
        }
    });
    sim.client("client", async move {
        TcpStream::connect("server:80").await?.read_exact(&mut vec![0; LEN]).await?;
        end();
        Ok(())
    });
    sim.capture("client", path)?;
    sim.run()
}

#[test]
fn a_task_that_exits_leaves_a_whole_capture() {
    if let Some(path) = Place::of_this_process() {
        let _ = simulate(path, || std::process::exit(3));
        unreachable!("it has exited");
    }
    let directory = Place::new("task");
    let ended = directory.run("a_task_that_exits_leaves_a_whole_capture");
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(octets(&directory.capture()), LEN);
}

#[test]
fn another_thread_that_exits_leaves_a_whole_capture() {
    if let Some(path) = Place::of_this_process() {
        let _ = simulate(path, || {
            thread::spawn(|| std::process::exit(3)).join().unwrap();
        });
        unreachable!("it has exited");
    }
    let directory = Place::new("thread");
    let ended = directory.run("another_thread_that_exits_leaves_a_whole_capture");
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(octets(&directory.capture()), LEN);
}

#[test]
fn a_panic_leaves_a_whole_capture() {
    if let Some(path) = Place::of_this_process() {
        let _ = simulate(path, || panic!("as it was asked to"));
        unreachable!("it has panicked");
    }
    let directory = Place::new("panic");
    let ended = directory.run("a_panic_leaves_a_whole_capture");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("as it was asked to"));
    assert_eq!(octets(&directory.capture()), LEN);
}

#[test]
fn a_host_on_the_wall_clock_whose_process_exits_leaves_a_whole_capture() {
    if let Some(path) = Place::of_this_process() {
        let mut live = Live::cable(path.with_extension("cable")).unwrap();
        live.hostname("host").capture(&path).unwrap();
        live.run(async {
            let listener = TcpListener::bind("[::]:80").await?;
            let (connected, accepted) =
                tokio::join!(TcpStream::connect("10.255.255.254:80"), async {
                    let sent = glassnet::net::UdpSocket::bind("0.0.0.0:0").await?;
                    sent.send_to(&[1; 9], "255.255.255.255:9").await.map(drop)
                });
            drop((listener, connected, accepted));
            std::process::exit(3)
        })
        .unwrap();
    }
    let directory = Place::new("live");
    let ended =
        directory.run("a_host_on_the_wall_clock_whose_process_exits_leaves_a_whole_capture");
    assert_eq!(ended.status.code(), Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(octets(&directory.capture()), 0);
    assert!(fs::metadata(directory.capture()).unwrap().len() > 300);
}

#[test]
fn a_simulation_that_hangs_and_is_killed_leaves_what_it_did_before() {
    if let Some(path) = Place::of_this_process() {
        let _ = simulate(path, || {
            loop {
                thread::park();
            }
        });
        unreachable!("it hangs");
    }
    // The same world, whole.
    let whole = Place::new("whole");
    whole.run("a_task_that_exits_leaves_a_whole_capture");
    let whole = fs::metadata(whole.capture()).unwrap().len();
    let directory = Place::new("hangs");
    let mut child = directory
        .command("a_simulation_that_hangs_and_is_killed_leaves_what_it_did_before")
        .spawn()
        .unwrap();
    while fs::metadata(directory.capture()).map_or(0, |metadata| metadata.len()) < whole {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended by itself");
        thread::yield_now();
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert_eq!(octets(&directory.capture()), LEN);
}

#[test]
fn a_file_that_may_not_grow_ends_with_a_whole_block_and_the_run_says_why() {
    if let Some(path) = Place::of_this_process() {
        let error = simulate(path.clone(), || ()).unwrap_err().to_string();
        assert!(error.contains(&format!("cannot write the capture {}", path.display())), "{error}");
        assert!(error.contains("File too large"), "{error}");
        return;
    }
    let directory = Place::new("full");
    let test = "a_file_that_may_not_grow_ends_with_a_whole_block_and_the_run_says_why";
    let program = directory.command(test);
    // As a full disk: a part of what is written is taken.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\""]);
    limited.arg(program.get_program()).args(program.get_args()).env(DIRECTORY, &directory.0);
    let ended = limited.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let len = fs::metadata(directory.capture()).unwrap().len();
    // 200 times 512 bytes, as POSIX has it, or 1024; the last frame had no room.
    let limits = [102_400, 204_800];
    assert!(limits.iter().any(|limit| (limit - 1_600..=*limit).contains(&len)), "{len}");
    assert!(octets(&directory.capture()) > 50_000);
}

#[test]
fn a_disk_that_is_full_from_the_start_is_named() {
    let mut sim = Sim::new(1);
    sim.client("client", async { Ok(()) });
    sim.capture("client", "/dev/full").unwrap();
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("cannot write the capture /dev/full: No space left"), "{error}");
}
