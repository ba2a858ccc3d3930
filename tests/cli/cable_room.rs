//! A cable under pressure: who finds no room on it is told, nobody can be shut out by those who
//! say nothing, and what lies beside its path is not touched.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "processes are what is tested")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const GLASSNET: &str = env!("CARGO_BIN_EXE_glassnet");

/// A directory of one test, with a cable in it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Directory {
        let directory =
            std::env::temp_dir().join(format!("glassnet-room-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Directory(directory)
    }

    fn cable(&self) -> PathBuf {
        self.0.join("cable")
    }

    /// Runs `glassnet` after the shell has done something, such as setting a limit.
    fn after(&self, setting: &str, arguments: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{setting}; exec {GLASSNET} {arguments} --cable cable")]);
        command.current_dir(&self.0).env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn server(&self, setting: &str) -> Server {
        let mut child = self.after(setting, "server").spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.contains("listening on port 12345"), "{line}");
        Server { child, stderr }
    }

    fn client(&self) -> Output {
        self.after(":", "client server 12345").output().unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Server {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Server {
    /// What it has used of the processor so far.
    fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        said
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Whether its switch says that there is no room; waits for that.
fn is_turned_away(stream: &mut UnixStream) -> bool {
    let mut said = Vec::new();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_to_end(&mut said).is_ok() && said.ends_with(&[0xff; 4])
}

#[test]
fn a_switch_without_descriptors_sleeps_and_tells_who_finds_no_room() {
    let directory = Directory::new("descriptors");
    let server = directory.server("ulimit -n 24");
    let mut callers: Vec<UnixStream> =
        (0..40).map(|_| UnixStream::connect(directory.cable()).unwrap()).collect();
    let told =
        callers.iter_mut().rev().take(20).filter_map(|caller| is_turned_away(caller).then_some(()));
    assert_eq!(told.count(), 20);
    // All of them stay open; the switch has nothing to do.
    let (before, since) = (server.processor_time(), Instant::now());
    std::thread::sleep(Duration::from_millis(1_500));
    let used = server.processor_time() - before;
    assert!(used * 10 < since.elapsed(), "{used:?} in {:?}", since.elapsed());
    // Those that got in have never said anything, so a host has their place.
    let client = directory.client();
    assert_eq!(text(&client.stdout), "Thank you for connecting", "{}", text(&client.stderr));
    let said = server.end();
    assert_eq!(said.matches("may not join the cable: Too many open files").count(), 1, "{said}");
}

#[test]
fn those_who_say_nothing_keep_nobody_out() {
    let directory = Directory::new("silent");
    let server = directory.server(":");
    let callers: Vec<UnixStream> =
        (0..400).map(|_| UnixStream::connect(directory.cable()).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(1_200));
    for _ in 0..3 {
        let client = directory.client();
        assert_eq!(text(&client.stdout), "Thank you for connecting", "{}", text(&client.stderr));
    }
    drop(callers);
    server.end();
}

#[test]
fn a_host_that_finds_no_room_says_so_and_ends() {
    let directory = Directory::new("full");
    let server = directory.server(":");
    let mut hosts = Vec::new();
    for number in 0..256_u16 {
        let mut host = UnixStream::connect(directory.cable()).unwrap();
        let [high, low] = number.to_be_bytes();
        let frame = [2, 0, 0, 0, 9, 9, 2, 0, 0, 1, high, low, 8, 0];
        host.write_all(&[&14_u32.to_be_bytes()[..], &frame].concat()).unwrap();
        hosts.push(host);
    }
    std::thread::sleep(Duration::from_millis(1_200));
    let client = directory.client();
    assert_eq!(client.status.code(), Some(1), "{}", text(&client.stderr));
    let said = text(&client.stderr);
    assert_eq!(
        said,
        "glassnet: cannot join the cable cable: its switch has no room for one more process; end \
         one that has joined, or use another cable\n"
    );
    hosts.truncate(200);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(text(&directory.client().stdout), "Thank you for connecting");
    server.end();
}

#[test]
fn a_lock_that_leads_elsewhere_is_refused_and_nothing_is_made_there() {
    let directory = Directory::new("lock");
    let lock = directory.0.join("cable.lock");
    let elsewhere = directory.0.join("elsewhere");
    symlink(&elsewhere, &lock).unwrap();
    let refused = directory.after(":", "server").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let line = "glassnet: cannot join the cable cable: cable.lock is a symbolic link; remove it\n";
    assert_eq!(text(&refused.stderr), line);
    assert!(!elsewhere.exists() && !directory.cable().exists());
    fs::write(&elsewhere, "dear").unwrap();
    let refused = directory.after(":", "server").output().unwrap();
    assert_eq!(text(&refused.stderr), line);
    assert_eq!(fs::read(&elsewhere).unwrap(), b"dear");
    fs::remove_file(&lock).unwrap();
    for what in ["mkfifo", "mkdir"] {
        assert!(Command::new(what).arg(&lock).status().unwrap().success());
        let refused = directory.after(":", "server").output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{what}");
        let said = text(&refused.stderr);
        assert!(said.contains("cable.lock") && said.lines().count() == 1, "{said}");
        let _ = fs::remove_file(&lock);
    }
}

#[test]
fn a_cable_is_its_users_alone_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let directory = Directory::new(&format!("umask-{umask}"));
        let server = directory.server(&format!("umask {umask}"));
        for name in ["cable", "cable.lock"] {
            let mode = fs::symlink_metadata(directory.0.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600, "{name} under umask {umask}");
        }
        assert_eq!(text(&directory.client().stdout), "Thank you for connecting");
        server.end();
    }
    let temporary = format!("/tmp/glassnet-{}", fs::metadata("/proc/self").unwrap().uid());
    if let Ok(metadata) = fs::symlink_metadata(temporary) {
        assert_eq!(metadata.permissions().mode() & 0o077, 0);
    }
}
