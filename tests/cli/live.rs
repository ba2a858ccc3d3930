//! `glassnet server` and `glassnet client` as processes of their own, on a cable.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use crate::directory::Directory;
use glassnet::Live;
use glassnet::net::TcpListener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A directory of one test, which is the user's `$XDG_RUNTIME_DIR`.
struct Runtime(Directory);

impl Runtime {
    fn new(test: &str) -> Runtime {
        Runtime(Directory::new(&format!("cli-{test}")))
    }

    fn glassnet(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassnet"));
        command.args(arguments).env("XDG_RUNTIME_DIR", &self.0).current_dir(&self.0);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A host called `server`, in a thread of this process, that serves one client on port 7.
    fn host<F>(
        &self,
        serve: impl FnOnce(TcpListener) -> F + Send + 'static,
    ) -> thread::JoinHandle<()>
    where
        F: Future<Output = glassnet::Result>,
    {
        let cable = self.0.join("glassnet.cable");
        let (listens, is_listening) = std::sync::mpsc::channel();
        let host = thread::spawn(move || {
            let mut live = Live::cable(cable).unwrap();
            live.hostname("server").leave_signals(true);
            live.run(async move {
                let listener = TcpListener::bind("0.0.0.0:7").await?;
                listens.send(())?;
                serve(listener).await
            })
            .unwrap();
        });
        is_listening.recv().unwrap();
        host
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

struct Server(Child);

impl Server {
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        send(&self.0, signal);
        let code = self.0.wait().unwrap().code();
        let mut printed = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut printed).unwrap();
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
        assert_eq!(text(&client.stdout), "Thank you for connecting", "{}", text(&client.stderr));
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
fn each_engine_greets_each_and_the_capture_says_which_it_was() {
    for [of_server, of_client] in
        [["glassnet", "glassnet"], ["glassnet", "smoltcp"], ["smoltcp", "glassnet"]]
    {
        let runtime = Runtime::new(&format!("engine-{of_server}-{of_client}"));
        let server = runtime.server(&["--engine", of_server, "--pcap", "server.pcapng"]);
        let client = ["server", "12345", "--engine", of_client, "--pcap", "client.pcapng"];
        let client = runtime.client(&client);
        assert_eq!(text(&client.stdout), "Thank you for connecting", "{}", text(&client.stderr));
        assert_eq!(server.stop("-TERM").0, Some(0));
        for (file, engine) in [("server.pcapng", of_server), ("client.pcapng", of_client)] {
            let capture = fs::read(runtime.0.join(file)).unwrap();
            let mark = b" engine=glassnet";
            let is_marked = capture.windows(mark.len()).any(|window| window == mark);
            assert_eq!(is_marked, engine == "glassnet", "{file}");
        }
    }
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
        stderr.read_to_string(&mut said).unwrap();
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
        (&["server", "--tap", "a/b", "--wait"], "cannot be the name of a device"),
        (&["server", "--frames-only"], "--pcap"),
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

/// Octets of all values, no text, and no line end at the end.
fn octets() -> Vec<u8> {
    (0..1_000_000_u32).map(|at| (at * 31 + at / 251) as u8 | 0x80).collect()
}

#[test]
fn standard_input_is_sent_and_what_comes_back_is_printed_octet_for_octet() {
    let runtime = Runtime::new("input");
    let host = runtime.host(|listener| async move {
        let (mut stream, _) = listener.accept().await?;
        // It answers when it has seen the end of what is sent.
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await?;
        stream.write_all(&heard).await?;
        Ok(())
    });
    let mut client =
        runtime.glassnet(&["client", "server", "7"]).stdin(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(&octets()).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(output.stdout == octets(), "{} octets came back", output.stdout.len());
    host.join().unwrap();
}

#[test]
fn a_server_that_speaks_first_is_heard_before_standard_input_says_anything() {
    let runtime = Runtime::new("dialogue");
    let host = runtime.host(|listener| async move {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"name? ").await?;
        let mut name = [0; 4];
        stream.read_exact(&mut name).await?;
        stream.write_all(b"hello ").await?;
        stream.write_all(&name).await?;
        Ok(())
    });
    let mut client =
        runtime.glassnet(&["client", "server", "7"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut out = client.stdout.take().unwrap();
    let mut asked = [0; 6];
    out.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"name? ");
    // And it is not waited for the end of what is said.
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all(b"Anna").unwrap();
    let mut answer = String::new();
    out.read_to_string(&mut answer).unwrap();
    assert_eq!((&*answer, client.wait().unwrap().code()), ("hello Anna", Some(0)));
    host.join().unwrap();
}

#[test]
fn what_cannot_be_read_from_standard_input_is_named() {
    let runtime = Runtime::new("directory");
    let host = runtime.host(|listener| async move {
        let (mut stream, _) = listener.accept().await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    let directory = fs::File::open(&runtime.0).unwrap();
    let output = runtime.glassnet(&["client", "server", "7"]).stdin(directory).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read standard input: Is a directory"));
    host.join().unwrap();
}

#[test]
fn who_writes_to_somebody_who_does_not_read_obeys_signals() {
    let runtime = Runtime::new("unread");
    // Each greeting alone fills a pipe with frames, and with what is greeted.
    let message = "x".repeat(100_000);
    let mut server =
        runtime.glassnet(&["server", "--pcap", "-", "--message", &message]).spawn().unwrap();
    let mut stderr = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    for _ in 0..3 {
        assert_eq!(text(&runtime.client(&["server", "12345"]).stdout), message);
    }
    let mut client = runtime.glassnet(&["client", "server", "12345"]).spawn().unwrap();
    let mut printed = vec![0; 1_000];
    client.stdout.as_mut().unwrap().read_exact(&mut printed).unwrap();
    send(&client, "-TERM");
    assert_eq!(client.wait().unwrap().code(), Some(128 + 15));
    send(&server, "-TERM");
    assert_eq!(server.wait().unwrap().code(), Some(1));
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains("cannot write the capture standard output: nobody reads it"), "{said}");
}
