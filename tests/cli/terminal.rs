//! The `glassnet` command on a terminal, where it colours, and where keys and the end of the
//! terminal send signals; and that it says the same in a pipe.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use crate::directory::Directory;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

const GLASSNET: &str = env!("CARGO_BIN_EXE_glassnet");

/// A directory of one test, which is the user's `$XDG_RUNTIME_DIR`.
struct Runtime(Directory);

impl Runtime {
    fn new(test: &str) -> Runtime {
        Runtime(Directory::new(&format!("terminal-{test}")))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", &self.0).current_dir(&self.0).env("TERM", "xterm");
        command.env_remove("RUST_LOG").env_remove("NO_COLOR");
        command
    }

    /// Runs `glassnet` in a session of its own that a terminal controls. Arguments are separated
    /// by blanks.
    fn on_terminal(&self, arguments: &str) -> Terminal {
        let mut command = self.command("setsid");
        command.args(["--ctty", GLASSNET]).args(arguments.split_whitespace());
        Terminal::run(command)
    }

    /// Runs `glassnet` where one pipe takes all output; returns the exit code and the output.
    fn in_pipe(&self, arguments: &str) -> (Option<i32>, String) {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(GLASSNET);
        command.args(arguments.split_whitespace()).stdin(Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        // It holds the writing end, too.
        drop(command);
        let mut printed = String::new();
        reader.read_to_string(&mut printed).unwrap();
        (child.wait().unwrap().code(), printed)
    }
}

/// A terminal on which a command runs.
struct Terminal {
    /// The user's side of it, unless the window was closed.
    window: Option<File>,
    child: Child,
    shown: Vec<u8>,
}

impl Terminal {
    fn run(mut command: Command) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let window = openpt(flags).unwrap();
        grantpt(&window).unwrap();
        unlockpt(&window).unwrap();
        let path = ptsname(&window, Vec::new()).unwrap().into_string().unwrap();
        let ours = OpenOptions::new().read(true).write(true).open(path).unwrap();
        command.stdin(ours.try_clone().unwrap()).stdout(ours.try_clone().unwrap()).stderr(ours);
        let child = command.spawn().unwrap();
        Terminal { window: Some(File::from(window)), child, shown: Vec::new() }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }

    fn wait_for(&mut self, text: &str) {
        while !self.shown().contains(text) {
            assert!(self.read_more(), "it ended without {text:?}: {}", self.shown());
        }
    }

    fn type_in(&mut self, keys: &[u8]) {
        self.window.as_mut().unwrap().write_all(keys).unwrap();
    }

    fn close(&mut self) {
        self.window = None;
    }

    /// Waits for the end; returns the exit code and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        while self.window.is_some() && self.read_more() {}
        (self.child.wait().unwrap().code(), self.shown())
    }

    /// False when no process has the terminal open any more.
    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        // Then it fails, with EIO.
        let len = self.window.as_mut().unwrap().read(&mut buffer).unwrap_or(0);
        self.shown.extend_from_slice(&buffer[..len]);
        len > 0
    }
}

/// How many blocks a whole capture has.
fn blocks(capture: &[u8]) -> usize {
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(capture).unwrap();
    let mut blocks = 0;
    while !rest.is_empty() {
        (rest, _) = parser.next_block(rest).unwrap();
        blocks += 1;
    }
    blocks
}

/// The text without the sequences that colour it.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut plain = pieces.next().unwrap().to_owned();
    for piece in pieces {
        plain.push_str(piece.split_once('m').unwrap().1);
    }
    plain
}

#[test]
fn every_subcommand_says_on_a_terminal_what_it_says_in_a_pipe() {
    let runtime = Runtime::new("same");
    for (arguments, code) in [
        ("", 2),
        ("--help", 0),
        ("--version", 0),
        ("help", 0),
        ("help client", 0),
        ("no-such-command", 2),
        ("demo --help", 0),
        ("demo", 0),
        ("demo --quiet", 0),
        ("demo -vvv --clients 2 --loss 20%", 0),
        ("demo --loss 101%", 2),
        ("demo --loss 100%", 1),
        ("server --help", 0),
        ("server --port 0", 2),
        ("server --tap no/device", 2),
        ("server -vvv --cable no/such/directory", 2),
        ("client --help", 0),
        ("client", 2),
        ("client server", 2),
        ("demo --pcap no/such/directory/x.pcap", 2),
        ("demo --clients 12 --loss 70% --seed 1", 1),
        ("client nobody 12345 --hostname me", 1),
    ] {
        let (code_in_pipe, in_pipe) = runtime.in_pipe(arguments);
        assert_eq!(code_in_pipe, Some(code), "{arguments:?}: {in_pipe}");
        assert!(!in_pipe.contains('\x1b'), "{arguments:?}: {in_pipe}");
        let (code_on_terminal, on_terminal) = runtime.on_terminal(arguments).end();
        assert_eq!(code_on_terminal, Some(code), "{arguments:?}: {on_terminal}");
        assert_eq!(without_colours(&on_terminal), in_pipe, "{arguments:?}");
    }
}

#[test]
fn two_terminals_are_enough_for_a_greeting_and_ctrl_c_ends_the_server() {
    let runtime = Runtime::new("greeting");
    let mut server = runtime.on_terminal("server --pcap server.pcapng");
    server.wait_for("glassnet: listening on port 12345 of ");
    let client = runtime.on_terminal("client server 12345").end();
    assert_eq!(client, (Some(0), "Thank you for connecting\n".to_owned()));
    server.wait_for("Got connection from ");
    server.type_in(b"\x03");
    let (code, shown) = server.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(shown.matches("Got connection from 10.").count(), 1, "{shown}");
}

#[test]
fn ctrl_c_ends_a_client_that_waits() {
    let runtime = Runtime::new("waits");
    let mut client = runtime
        .on_terminal("client 10.0.0.1 80 --address 10.0.0.2/24 --hostname me --loss 100% -v");
    client.wait_for("host");
    client.type_in(b"\x03");
    let (code, shown) = client.end();
    assert_eq!(code, Some(130), "{shown}");
}

#[test]
fn who_closes_the_terminal_ends_what_runs_there_and_captures_are_whole() {
    let runtime = Runtime::new("closed");
    let mut server = runtime.on_terminal("server --pcap server.pcapng");
    server.wait_for("listening on port 12345");
    let mut client = runtime.command(GLASSNET);
    client.args(["client", "server", "12345"]).stdin(Stdio::null()).stdout(Stdio::null());
    assert!(client.status().unwrap().success());
    server.close();
    assert_eq!(server.end().0, Some(0));
    assert!(blocks(&fs::read(runtime.0.join("server.pcapng")).unwrap()) > 10);

    let mut waiting = runtime
        .on_terminal("client 10.0.0.1 80 --address 10.0.0.2/24 --loss 100% -v --hostname me");
    waiting.wait_for("host");
    waiting.close();
    assert_eq!(waiting.end().0, Some(128 + 1));
}

#[test]
fn who_was_started_by_nohup_stays_when_the_terminal_closes() {
    let runtime = Runtime::new("nohup");
    let mut command = runtime.command("setsid");
    command.args(["--ctty", "nohup", GLASSNET, "server", "--once"]);
    let mut server = Terminal::run(command);
    server.wait_for("nohup: ");
    let said = runtime.0.join("nohup.out");
    while !fs::read_to_string(&said).is_ok_and(|said| said.contains("listening on port 12345")) {
        std::thread::yield_now();
    }
    server.close();
    let (code, greeting) = runtime.in_pipe("client server 12345");
    assert_eq!((code, &*greeting), (Some(0), "Thank you for connecting"));
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_terminal_shows_events_in_colour_unless_the_user_has_declined() {
    let runtime = Runtime::new("colour");
    let coloured = runtime.on_terminal("demo --quiet -v").end().1;
    assert!(coloured.contains("\x1b["), "{coloured}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut command = runtime.command("setsid");
        command.args(["--ctty", GLASSNET, "demo", "-v"]).env(name, value);
        let (code, plain) = Terminal::run(command).end();
        assert_eq!(code, Some(0), "{plain}");
        assert!(plain.contains("INFO") && !plain.contains('\x1b'), "{name}: {plain}");
    }
}

#[test]
fn a_capture_does_not_go_to_a_terminal() {
    let runtime = Runtime::new("capture");
    let (code, shown) = runtime.on_terminal("server --pcap -").end();
    assert_eq!(code, Some(2), "{shown}");
    assert!(shown.contains("standard output is a terminal"), "{shown}");
}
