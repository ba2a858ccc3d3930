//! `glassnet server` and `glassnet client` as processes of their own, on a cable.
#![cfg(all(target_os = "linux", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "processes are what is tested")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// A directory of one test, which is the user's `$XDG_RUNTIME_DIR`.
struct Runtime(PathBuf);

impl Runtime {
    fn new(test: &str) -> Runtime {
        let directory =
            std::env::temp_dir().join(format!("glassnet-cli-{test}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        Runtime(directory)
    }

    fn glassnet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassnet"));
        command.args(arguments).env("XDG_RUNTIME_DIR", &self.0).current_dir(&self.0);
        command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A server that listens.
    fn server(&self, arguments: &[&str]) -> Server {
        let mut child = self.glassnet(&["server"]).args(arguments).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("glassnet: listening on port "), "{line}");
        Server(child)
    }

    fn client(&self, arguments: &[&str]) -> Output {
        self.glassnet(&["client"]).args(arguments).output().unwrap()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Server(Child);

impl Server {
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        send(&self.0, signal);
        let code = self.0.wait().unwrap().code();
        let mut printed = String::new();
        std::io::Read::read_to_string(self.0.stdout.as_mut().unwrap(), &mut printed).unwrap();
        (code, printed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn send(child: &Child, signal: &str) {
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn two_terminals_are_enough_for_a_greeting() {
    let runtime = Runtime::new("terminals");
    let server = runtime.server(&["--pcap", "server.pcapng"]);
    for _ in 0..2 {
        let client = runtime.client(&["server", "12345"]);
        assert_eq!(text(&client.stdout), "Thank you for connecting\n", "{}", text(&client.stderr));
        assert_eq!((client.status.code(), text(&client.stderr)), (Some(0), String::new()));
    }
    let (code, printed) = server.stop("-TERM");
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines.iter().all(|line| line.starts_with("Got connection from 10.")), "{printed}");
    // The capture is whole: every block of it can be read.
    let capture = fs::read(runtime.0.join("server.pcapng")).unwrap();
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(&capture).unwrap();
    let mut blocks = 0;
    while !rest.is_empty() {
        (rest, _) = parser.next_block(rest).unwrap();
        blocks += 1;
    }
    assert!(blocks > 20, "{blocks}");
}

#[test]
fn a_server_says_what_it_is_told_on_the_port_it_is_told() {
    let runtime = Runtime::new("options");
    let server = runtime.server(&[
        "--hostname",
        "mercury",
        "--port",
        "80",
        "--message",
        "hello\n",
        "--backlog",
        "1",
        "--max-connections",
        "10",
        "--once",
    ]);
    let client = runtime.client(&["mercury", "80", "--mtu", "600", "--seed", "3"]);
    assert_eq!(text(&client.stdout), "hello\n", "{}", text(&client.stderr));
    let mut server = server;
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn who_finds_nobody_is_told_what_to_look_for() {
    let runtime = Runtime::new("nobody");
    let alone = runtime.client(&["server", "12345"]);
    assert_eq!(alone.status.code(), Some(1));
    let said = text(&alone.stderr);
    assert!(said.contains("No route to host") && said.contains("start the server first"), "{said}");
    let _server = runtime.server(&[]);
    let refused = runtime.client(&["server", "1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("listens on no such port"));
    let second = runtime.glassnet(&["server"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second.stderr).contains("in use by a neighbour"), "{}", text(&second.stderr));
}

#[test]
fn an_interrupted_client_says_so_by_its_exit_code() {
    let runtime = Runtime::new("interrupted");
    // It waits for an answer that does not come: the wire loses everything.
    let mut client = runtime
        .glassnet(&["client", "10.0.0.1", "80", "--address", "10.0.0.2/24", "-v", "--loss", "100%"])
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(client.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("run seed=") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it ran");
    }
    send(&client, "-INT");
    assert_eq!(client.wait().unwrap().code(), Some(130));
}

#[test]
fn who_is_interrupted_while_it_asks_by_dhcp_ends_at_once() {
    let runtime = Runtime::new("dhcp");
    for (command, code) in [(&["server", "--dhcp"][..], 0), (&["client", "a", "80", "--dhcp"], 130)]
    {
        let mut child = runtime.glassnet(command).arg("-v").spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("run seed=") {
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended before it ran: {said}");
        }
        assert!(said.contains("glassnet: asking for an address by DHCP on the cable\n"), "{said}");
        send(&child, "-INT");
        assert_eq!(child.wait().unwrap().code(), Some(code));
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        assert!(!said.contains("no DHCP server") && !said.contains("listening"), "{said}");
    }
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    let runtime = Runtime::new("mistakes");
    for (arguments, named) in [
        (&["server", "--address", "10.0.0.1"][..], "10.0.0.1/24"),
        (&["server", "--tap", "tap0", "--cable", "c"], "cannot be used with"),
        (&["server", "--tap", "tap0", "--cable", "c"], "see 'glassnet server --help'"),
        (&["server", "--address", "10.0.0.0/24"], "such as 10.0.0.1/24"),
        (&["server", "--address", "10.0.0.1/24", "--gateway", "10.0.9.1"], "no neighbour"),
        (&["server", "--cable", "no/such/directory"], "make the directory first"),
        (&["server", "--tap", "a/b"], "cannot be the name of a device"),
        (&["server", "--hostname", "a b"], "a b"),
        (&["server", "--dhcp", "--address", "10.0.0.5/24"], "--address 10.0.0.5"),
        (&["server", "--dhcp", "--gateway", "10.0.0.5"], "10.0.0.5"),
        (&["server", "--dhcp", "--tun", "tun0"], "cannot be used with"),
        (&["server", "--loss", "3"], "percentage"),
        (&["client", "server", "0"], "1 to 65535"),
        (&["client", "server"], "PORT"),
    ] {
        let output = runtime.glassnet(arguments).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}
