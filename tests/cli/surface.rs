//! The words of the command line: what each option does, its short forms, what is said where it
//! makes no sense; and that all of it fits a terminal.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use crate::directory::Directory;

const GLASSNET: &str = env!("CARGO_BIN_EXE_glassnet");

/// A directory of one test, which is the user's `$XDG_RUNTIME_DIR`, too.
struct User(Directory);

/// How a command has ended, and what it said.
struct Ended {
    code: Option<i32>,
    out: String,
    errors: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl User {
    fn new(test: &str) -> User {
        User(Directory::new(test))
    }

    /// `glassnet` with arguments that are separated by blanks.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(GLASSNET);
        command.args(arguments.split_whitespace()).current_dir(&self.0).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", &*self.0).env("LC_ALL", "C.UTF-8");
        command.env_remove("RUST_LOG").env_remove("NO_COLOR");
        command
    }

    fn glassnet(&self, arguments: &str) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    /// A server that listens.
    fn server(&self, arguments: &str) -> Server {
        let mut command = self.command(&format!("server {arguments}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut listening = String::new();
        while !listening.contains("listening on") {
            listening.clear();
            assert!(stderr.read_line(&mut listening).unwrap() > 0, "it ended");
        }
        Server { child, listening }
    }
}

struct Server {
    child: Child,
    listening: String,
}

impl Server {
    /// Waits until it ends by itself; returns what it printed.
    fn printed(mut self) -> String {
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        printed
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn glassnet(arguments: &str) -> Ended {
    User::new("surface").glassnet(arguments)
}

/// The width of the longest line in characters.
fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[track_caller]
fn assert_refused(arguments: &str, line: &str) {
    let user = User::new("refused");
    let ended = user.glassnet(arguments);
    assert_eq!(ended.errors, format!("glassnet: {line}\n"), "{arguments}");
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments}");
    assert_eq!(fs::read_dir(&*user.0).unwrap().count(), 0, "{arguments} left a file");
}

// ---- Help ------------------------------------------------------------------------------------

#[test]
fn help_is_a_subcommand_and_says_what_the_option_says() {
    let help = glassnet("help");
    assert_eq!((help.code, help.errors.as_str()), (Some(0), ""));
    assert_eq!(help.out, glassnet("--help").out);
    for command in ["demo", "server", "client"] {
        let help = glassnet(&format!("help {command}"));
        assert_eq!(help.out, glassnet(&format!("{command} --help")).out);
        assert!(help.out.contains(&format!("Usage: glassnet {command}")), "{}", help.out);
    }
    assert_refused("help demos", "unrecognized subcommand 'demos'; see 'glassnet --help'");
}

#[test]
fn help_fits_100_columns_and_a_narrower_terminal() {
    for command in ["", "demo", "server", "client"] {
        for option in ["-h", "--help"] {
            let help = glassnet(&format!("{command} {option}")).out;
            assert!(width(&help) <= 100, "{help}");
            let user = User::new("narrow");
            let script =
                format!("stty cols 80 rows 24; {GLASSNET} {command} {option} --color never");
            let shown = Command::new("script")
                .args(["-qec", &script, "/dev/null"])
                .current_dir(&user.0)
                .stdin(Stdio::null())
                .output();
            // It is a part of util-linux, which may be missing.
            let Ok(shown) = shown else { continue };
            let shown = Ended::from(shown).out.replace("\r\n", "\n");
            assert!(width(&shown) <= 80 && shown.contains("Usage:"), "{shown}");
        }
    }
}

#[test]
fn short_forms_are_those_of_habit() {
    let user = User::new("short");
    let ended = user.glassnet("demo -q -c 3 -p 80 -6 -w short.pcap");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.out.contains("greeted 3 of 3 clients"), "{}", ended.out);
    assert!(ended.out.contains("Got connection from [fd00::2]:"), "{}", ended.out);
    assert!(ended.out.ends_with("capture: short.pcap\n"), "{}", ended.out);
    let capture = fs::read(user.0.join("short.pcap")).unwrap();
    assert_eq!(capture[..4], 0xa1b2_3c4d_u32.to_le_bytes());
    assert!(glassnet("demo -q -4").out.contains("Got connection from 10.0.0.2:"));
    assert_eq!(glassnet("demo -4 -6").code, Some(2));
}

// ---- Chosen frames ---------------------------------------------------------------------------

/// What the ladder says was dropped by a rule, and how often there was a retransmission.
fn dropped(arguments: &str) -> (Vec<String>, usize) {
    let ended = glassnet(arguments);
    assert_eq!(ended.code, Some(0), "{arguments}: {}", ended.errors);
    assert!(width(&ended.out) <= 80, "{}", ended.out);
    let lost = ended.out.lines().filter(|line| line.contains("✗ rule")).map(|line| {
        let arrow = line.split('│').nth(1).unwrap();
        let words = arrow.split_whitespace().filter(|word| word.bytes().all(|it| it.is_ascii()));
        words.take_while(|word| !word.starts_with("seq=")).collect::<Vec<_>>().join(" ")
    });
    let lost = lost.map(|label| label.replace("rule", "").trim().to_owned()).collect();
    let again = ended
        .out
        .lines()
        .filter(|line| line.contains("retransmission │") || line.ends_with("│ retransmission"));
    (lost, again.count())
}

#[test]
fn the_frames_that_are_named_are_dropped_and_no_others() {
    let labels =
        |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    assert_eq!(dropped("demo --drop client:syn:1"), (labels(&["SYN"]), 1));
    assert_eq!(dropped("demo --drop client:SYN:1-2"), (labels(&["SYN", "SYN"]), 2));
    assert_eq!(dropped("demo --drop Server:synack:1"), (labels(&["SYN ACK"]), 2));
    assert_eq!(dropped("demo --drop server:data:1"), (labels(&["PSH ACK"]), 1));
    assert_eq!(dropped("demo --drop client:fin:1").0, labels(&["FIN ACK"]));
    assert_eq!(dropped("demo --drop client:ack:1").0, labels(&["ACK"]));
    assert_eq!(dropped("demo --drop client:any:1").0, labels(&["ARP who has 10.0.0.1"]));
    // There is room for all that is said of a segment.
    assert!(
        glassnet("demo --drop server:data:1").out.contains("✗ rule ─ PSH ACK seq=1 ack=1 len=24 ─")
    );
    // The second segment with data is the retransmission of the first.
    let twice = dropped("demo --drop server:data:1 --drop server:data:2");
    assert_eq!(twice.0, labels(&["PSH ACK", "FIN ACK"]));
}

#[test]
fn a_capture_says_which_rule_dropped_a_frame() {
    let user = User::new("rule");
    assert_eq!(user.glassnet("demo -q --drop client:syn:1").code, Some(0));
    let capture = fs::read(user.0.join("glassnet-demo.pcapng")).unwrap();
    let holds = |text: &str| capture.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("dropped: by rule") && holds("rule client:syn:1 drops packet 3"));
}

#[test]
fn a_rule_that_meets_nothing_is_told() {
    let ended = glassnet("demo -q --drop client:data:1 --drop server:fin:2 --drop client:syn:1");
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.errors,
        "note: --drop client:data:1 dropped nothing: client sent 0 data frames\n\
         note: --drop server:fin:2 dropped nothing: server sent 1 fin frame\n"
    );
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let kinds = "give one of syn, synack, fin, rst, data, ack, udp, any";
    assert_refused(
        "demo --drop client:sin:1",
        &format!("--drop client:sin:1: \"sin\" is no kind of frames: {kinds}"),
    );
    let shape = "frames are written as HOST:KIND:N or HOST:KIND:N-M, such as client:syn:1";
    assert_refused("demo --drop syn", &format!("--drop syn: {shape}"));
    assert_refused("demo --drop client:syn:0", "--drop client:syn:0: the first frame is number 1");
    assert_refused(
        "demo --drop nobody:syn:1",
        "--drop nobody:syn:1: no host is called \"nobody\": there are server and client",
    );
    assert_refused(
        "demo -c 3 --drop client:syn:1",
        "--drop client:syn:1: no host is called \"client\": there are server and client1 to client3",
    );
}

// ---- What else can be set --------------------------------------------------------------------

#[test]
fn many_bytes_arrive_and_are_as_many_as_asked_for() {
    for (asked, came) in [("0", 0), ("1", 1), ("100000", 100_000), ("64K", 65_536)] {
        let ended = glassnet(&format!("demo --bytes {asked} --loss 5% --seed 3 -c 2"));
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert_eq!(ended.out.matches(&format!("Got {came} bytes\n")).count(), 2, "{}", ended.out);
        assert!(width(&ended.out) <= 80, "{}", ended.out);
    }
    assert_refused(
        "demo --bytes 5G",
        "--bytes 5G: a number of bytes is written as 1000, 64K or 1M, and is 0 to 4G",
    );
    assert_eq!(glassnet("demo --bytes 5 --message hello").code, Some(2));
}

/// The payload lengths that a ladder shows.
fn lengths(arguments: &str) -> Vec<u32> {
    let out = glassnet(arguments).out;
    let lengths = out.split("len=").skip(1);
    lengths.map(|rest| rest.split_whitespace().next().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_mtu_makes_segments_small() {
    assert_eq!(lengths("demo --bytes 2000"), [1460, 540]);
    assert_eq!(lengths("demo --bytes 2000 --mtu 600"), [560, 560, 560, 320]);
    assert_refused("demo --mtu 10", "--mtu 10: an MTU is 68 to 65535");
    assert_refused("demo -6 --mtu 1279", "--mtu 1279: IPv6 (-6) needs an MTU of 1280 (RFC 8200)");
}

#[test]
fn acknowledgments_wait_as_long_as_they_are_told_to() {
    let acks_the_first = |delay: &str| {
        let options = format!("demo --bytes 20000 --rate 10mbit --ack-delay {delay}");
        glassnet(&options).out.contains(" ACK seq=1 ack=1461 ")
    };
    assert!(acks_the_first("0") && !acks_the_first("10ms"));
}

#[test]
fn nodelay_sends_the_last_small_segment_at_once() {
    let lasts = |options: &str| {
        let ended = glassnet(&format!("demo -q --bytes 2000 --delay 30ms {options}"));
        assert_eq!(ended.code, Some(0));
        ended.out.lines().find(|line| line.starts_with("greeted")).unwrap().to_owned()
    };
    assert_ne!(lasts(""), lasts("--nodelay"));
}

#[test]
fn a_queue_that_is_short_drops_and_needs_a_rate() {
    let of = |queue: &str| {
        glassnet(&format!("demo --bytes 100K --rate 10mbit --queue {queue}"))
            .out
            .contains("queue full")
    };
    assert!(of("2") && !of("1000"));
    let missing = "a value is required for '--queue <FRAMES>' but none was supplied";
    assert_refused("demo --queue", &format!("{missing}; see 'glassnet demo --help'"));
    assert_refused("demo --queue 5", "missing: --rate <RATE>; see 'glassnet demo --help'");
    assert_refused(
        "demo --rate 1mbit --queue 0",
        "--queue 0: a queue has room for 1 to 1000000 frames",
    );
}

#[test]
fn congestion_controls_differ_and_have_names() {
    let of = |name: &str| {
        glassnet(&format!("demo -q --bytes 300K --rate 10mbit --queue 10 --congestion {name}")).out
    };
    assert_ne!(of("reno"), of("cubic"));
    assert_ne!(of("reno"), of("none"));
    assert_refused(
        "demo --congestion bbr",
        "--congestion bbr: a congestion control is reno, cubic or none",
    );
}

#[test]
fn an_engine_is_chosen_by_its_name_and_the_capture_says_which() {
    let user = User::new("engine");
    let of_syn = |arguments: &str| {
        let ended = user.glassnet(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        let capture = fs::read(user.0.join("glassnet-demo.pcapng")).unwrap();
        let holds = |bytes: &[u8]| capture.windows(bytes.len()).any(|window| window == bytes);
        // An MSS of 1460, SACK permitted and timestamps begin the options of Linux's SYN.
        let is_linuxs = holds(&[2, 4, 5, 180, 4, 2, 8, 10]);
        (is_linuxs, holds(b"vantage=link client-server engine=glassnet"))
    };
    assert_eq!(of_syn("demo"), (false, false));
    assert_eq!(of_syn("demo --engine smoltcp"), (false, false));
    assert_eq!(of_syn("demo --engine glassnet"), (true, true));
    assert_refused("demo --engine linux", "--engine linux: an engine is smoltcp or glassnet");
    // Each has the congestion control that it begins with, unless one is asked for.
    let rest = "-q --bytes 1M --rate 10mbit --queue 20 --engine glassnet";
    let greeted = |options: &str| user.glassnet(&format!("demo {rest} {options}")).out;
    assert_eq!(greeted(""), greeted("--congestion cubic"));
    assert_ne!(greeted(""), greeted("--congestion reno"));
    let many = user.glassnet("demo -q -c 1001 --engine glassnet");
    assert_eq!(many.code, Some(0), "{}", many.errors);
}

// ---- How it is drawn -------------------------------------------------------------------------

#[test]
fn ascii_is_all_there_is_where_the_locale_has_no_more() {
    let user = User::new("ascii");
    let arguments = "demo --clients 12 --loss 30% --duplicate 20% --delay 9ms --bytes 30K --seed 2";
    let in_locale = |variable: &str, value: &str| {
        let mut command = user.command(arguments);
        command.env_remove("LC_ALL").env_remove("LC_CTYPE").env_remove("LANG");
        Ended::from(command.env(variable, value).output().unwrap()).out
    };
    let asked = user.glassnet(&format!("{arguments} --ascii")).out;
    assert!(asked.is_ascii() && width(&asked) <= 80, "{asked}");
    for mark in ["<->", "-->|", "|<--", "X lost", "..", " : ", "... and 2 more"] {
        assert!(asked.contains(mark), "{mark:?} is not in\n{asked}");
    }
    for (variable, value) in [("LC_ALL", "C"), ("LC_CTYPE", "POSIX"), ("LANG", "de_DE.ISO-8859-1")]
    {
        assert_eq!(in_locale(variable, value), asked, "{variable}={value}");
    }
    for (variable, value) in [("LC_ALL", "de_DE.UTF-8"), ("LANG", "C.utf8"), ("LANG", "")] {
        assert!(!in_locale(variable, value).is_ascii(), "{variable}={value}");
    }
}

#[test]
fn colours_come_when_they_are_asked_for() {
    let user = User::new("colours");
    let is_coloured = |arguments: &str| {
        let mut command = user.command(arguments);
        let ended = Ended::from(command.env("NO_COLOR", "1").env("TERM", "dumb").output().unwrap());
        ended.out.contains("\x1b[")
    };
    assert!(is_coloured("demo --color always") && is_coloured("demo --help --color=always"));
    assert!(is_coloured("--color always demo"));
    assert!(!is_coloured("demo --color never") && !is_coloured("demo --color auto"));
    let colours = "--color sometimes: there are colours auto, always or never";
    assert_refused("demo --color sometimes", colours);
    let logged = user.glassnet("demo -q -v --color always").errors;
    assert!(logged.contains("\x1b["), "{logged}");
}

#[test]
fn the_client_that_failed_is_named_and_drawn_also_when_it_is_none_of_the_first() {
    let ended = glassnet("demo --clients 40 --drop client33:syn:1-9");
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(ended.errors.starts_with("glassnet: client33 was not greeted: "), "{}", ended.errors);
    assert_eq!(ended.out.matches(" ↔ server").count(), 11, "{}", ended.out);
    let (_, drawn) = ended.out.split_once("… and 30 more (see the capture)\n").unwrap();
    assert!(drawn.contains("client33 10.0.0.34:") && drawn.contains("✗ rule"), "{drawn}");
    assert!(width(&ended.out) <= 80, "{}", ended.out);
    // What waits for ever has a name as well.
    let ended = glassnet("demo --clients 20 --loss 20%");
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    let first = ended.errors.lines().next().unwrap();
    let name = first.strip_prefix("glassnet: ").unwrap().split(' ').next().unwrap();
    assert!(first.contains(" waits for its greeting for ever (seed 7, at "), "{first}");
    assert!(ended.out.contains(&format!("\n{name} 10.0.0.")), "{name}: {}", ended.out);
}

#[test]
fn everything_fits_80_columns_whatever_happens() {
    for arguments in [
        "demo --bytes 1M --rate 1mbit --queue 4 --seed 5",
        "demo --bytes 1M -6 --loss 20% --duplicate 20% --reorder 20% --jitter 5ms --delay 20ms",
        "demo --clients 300 --loss 60% --delay 700ms",
        "demo --delay 3600s",
        "demo --delay 3ns --bytes 5000",
        "demo --bytes 2M --congestion none --rate 1gbit --queue 3",
    ] {
        let ended = glassnet(arguments);
        assert!(width(&ended.out) <= 80, "{arguments}: {}", ended.out);
        assert!(ended.out.contains("greeted "), "{}", ended.errors);
    }
}

// ---- The capture -----------------------------------------------------------------------------

#[test]
fn a_capture_on_standard_output_is_the_one_in_the_file() {
    for options in ["", "--clients 3", "--loss 25% --seed 4 --frames-only"] {
        let user = User::new("stdout");
        let file = user.glassnet(&format!("demo {options} -w file.pcapng"));
        let piped = user.command(&format!("demo {options} -w -")).output().unwrap();
        assert_eq!(piped.status.code(), Some(0));
        assert!(piped.stdout == fs::read(user.0.join("file.pcapng")).unwrap(), "{options}");
        let said = String::from_utf8(piped.stderr).unwrap();
        assert_eq!(file.out.strip_suffix("capture: file.pcapng\n"), Some(&*said));
        assert_eq!(fs::read_dir(&*user.0).unwrap().count(), 1);
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let user = User::new("stdout-full");
    let ended = Ended::from(user.command("demo -q -w -").stdout(full).output().unwrap());
    assert_eq!(ended.code, Some(1));
    let last = ended.errors.lines().last().unwrap();
    let expected = "glassnet: cannot write the capture standard output: No space left on device";
    assert!(last.starts_with(expected), "{}", ended.errors);
}

#[test]
fn a_capture_is_not_written_through_a_link() {
    let user = User::new("link");
    std::os::unix::fs::symlink("precious", user.0.join("link.pcapng")).unwrap();
    for arguments in ["demo -w link.pcapng", "server -w link.pcapng"] {
        let ended = user.glassnet(arguments);
        assert_eq!(ended.code, Some(2));
        assert_eq!(
            ended.errors,
            "glassnet: cannot write the capture link.pcapng: it is a symbolic link; give the path \
             that it leads to, precious\n"
        );
        assert!(!user.0.join("precious").exists());
    }
}

#[test]
fn a_capture_does_not_go_to_a_terminal() {
    let user = User::new("terminal");
    for command in ["demo -w -", "demo -w /dev/stdout", "server -w -", "client server 7 -w -"] {
        let script = format!("{GLASSNET} {command}");
        let shown = Command::new("script").args(["-qec", &script, "/dev/null"]).output();
        // It is a part of util-linux, which may be missing.
        let Ok(shown) = shown else { continue };
        assert_eq!(shown.status.code(), Some(2), "{command}");
        let line = "glassnet: --pcap -: standard output is a terminal; add | wireshark -k -i -\r\n";
        assert_eq!(Ended::from(shown).out, line, "{command}");
    }
    assert_eq!(fs::read_dir(&*user.0).unwrap().count(), 0);
}

// ---- Server and client -----------------------------------------------------------------------

#[test]
fn a_host_and_its_port_may_stand_together_and_case_makes_no_difference() {
    let user = User::new("target");
    let server = user.server("-p 7 --count 5 --hostname Anna");
    for target in ["anna 7", "ANNA:7", "Anna:7 -4", "anna:7 -6"] {
        let ended = user.glassnet(&format!("client {target}"));
        assert_eq!(ended.out, "Thank you for connecting", "{target}: {}", ended.errors);
    }
    let address = server.listening.split([' ', ',', '\n']).find(|word| word.starts_with("fd00:"));
    let ended = user.glassnet(&format!("client [{}]:7", address.unwrap()));
    assert_eq!(ended.out, "Thank you for connecting", "{}", ended.errors);
    let printed = server.printed();
    assert_eq!(printed.lines().count(), 5, "{printed}");
    assert_eq!(printed.matches("Got connection from [fd00:").count(), 2, "{printed}");
}

#[test]
fn a_server_of_one_family_takes_no_others() {
    let user = User::new("family");
    for (family, mark) in [("-4", "10."), ("-6", "fd00:")] {
        let server = user.server(&format!("{family} --once"));
        let addresses = server.listening.split_once(" of ").unwrap().1;
        assert!(addresses.starts_with(mark) && !addresses.contains(','), "{}", server.listening);
        let other = if family == "-4" { "-6" } else { "-4" };
        let refused = user.glassnet(&format!("client server 12345 {other}"));
        assert_eq!(refused.code, Some(1), "{}", refused.out);
        assert!(refused.errors.contains("Connection refused"), "{}", refused.errors);
        let greeted = user.glassnet(&format!("client server 12345 {family}"));
        assert_eq!(greeted.out, "Thank you for connecting", "{}", greeted.errors);
        server.printed();
    }
    let ended = user.glassnet("client 10.1.2.3 80 -6");
    assert_eq!((ended.code, ended.errors.lines().count()), (Some(1), 1), "{}", ended.errors);
}

#[test]
fn targets_that_make_no_sense_are_refused() {
    assert_refused("client server", "missing: <PORT>; see 'glassnet client --help'");
    assert_refused("client server:80 80", "two ports: give one");
    let port = "a port is a number from 1 to 65535";
    assert_refused("client server:http", &format!("<HOST[:PORT]> server:http: {port}"));
    assert_refused(
        "client [fd00::1",
        "<HOST[:PORT]> [fd00::1: an IPv6 address and a port are written as [fd00::1]:80",
    );
    assert_refused("server --count 0", "--count 0: a count is 1 or more");
    assert_eq!(glassnet("server --wait --cable x").code, Some(2));
    assert_refused("server --wait", "--wait: nobody waits for a cable; give --tap or --tun");
}

#[test]
fn a_demo_that_lasts_too_long_says_what_would_shorten_it() {
    let ended = glassnet("demo -q --bytes 1M --rate 1kbit");
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("a faster --rate or fewer --bytes"), "{}", ended.errors);
}
