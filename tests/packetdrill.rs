//! packetdrill's scripts: those of `tests/packetdrill`, and what is not understood.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::PathBuf;

use glassnet::packetdrill::{Drill, Script, Verdict};
use glassnet::{HostOptions, TcpEngine};

fn scripts() -> Vec<(PathBuf, String)> {
    scripts_in("")
}

fn scripts_in(folder: &str) -> Vec<(PathBuf, String)> {
    let directory = format!("{}/tests/packetdrill/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "pkt")).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

fn verdict(text: &str) -> Verdict {
    Drill::new().run(&Script::parse("test.pkt", text).unwrap()).verdict
}

/// The line and the first line of the reason of a script that fails.
fn failure(text: &str) -> (u32, String) {
    match verdict(text) {
        Verdict::Failed { line, why } => (line, why.lines().next().unwrap().to_owned()),
        other => panic!("{other:?}"),
    }
}

const SERVER: &str = "
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 65535 <mss 1000>
   +0 > S. 0:0(0) ack 1 <mss 1460>
 +.01 < . 1:1(0) ack 1 win 65535
   +0 accept(3, ..., ...) = 4
";

#[test]
fn glassnets_tcp_does_what_linux_does_in_every_script() {
    let mut failed = Vec::new();
    let scripts = scripts();
    for (file, text) in &scripts {
        let name = file.file_name().unwrap().to_string_lossy();
        let verdict = Drill::new().run(&Script::parse(&name, text).unwrap()).verdict;
        if verdict != Verdict::Passed {
            failed.push(format!("{name}: {verdict}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), scripts.len(), failed.join("\n"));
}

/// Each has what Linux does, and glassnet does not. One that passes belongs beside the others.
#[test]
fn known_deviations_from_linux_are_deviations_still() {
    for (file, text) in scripts_in("deviations") {
        assert!(matches!(verdict(&text), Verdict::Failed { .. }), "mended: {}", file.display());
    }
}

#[test]
fn what_was_expected_and_what_came_are_told_with_the_line() {
    let text = format!("{SERVER}   +0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1\n");
    let Verdict::Failed { line, why } = verdict(&text) else { panic!() };
    assert_eq!(line, 10);
    let expected = [
        "error handling packet: Timed out waiting for packet",
        "script packet:  0.010000 P. 1:12(11) ack 1",
    ];
    // Retransmissions of the ten bytes come instead of the eleventh.
    assert_eq!(why.lines().nth(1), Some(expected[1]), "{why}");
    let text = format!("{SERVER}   +0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 2\n");
    assert_eq!(
        failure(&text),
        (10, "error handling packet: live packet field tcp_psh: expected: 0 (0x0) vs actual: 1 (0x1)".to_owned())
    );
}

#[test]
fn a_packet_that_comes_too_late_or_never_is_a_failure() {
    let text = format!("{SERVER}   +0 write(4, ..., 10) = 10\n +.1 > P. 1:11(10) ack 1\n");
    let (line, why) = failure(&text);
    assert_eq!(line, 10);
    assert!(
        why.contains(
            "timing error: expected outbound packet at 0.110000 sec but happened at 0.010000 sec"
        ),
        "{why}"
    );
    let text = format!("{SERVER}   +0 > P. 1:11(10) ack 1\n");
    assert_eq!(
        failure(&text),
        (9, "error handling packet: Timed out waiting for packet".to_owned())
    );
}

#[test]
fn the_result_of_a_call_and_its_error_are_compared() {
    let text = format!("{SERVER}   +0 write(4, ..., 10) = 11\n");
    assert_eq!(failure(&text).1, "runtime error in write call: Expected result 11 but got 10");
    let text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(3, 1) = -1 EINVAL (Invalid argument)";
    assert_eq!(
        failure(text).1,
        "runtime error in listen call: Expected result -1 with errno EINVAL but got 0"
    );
    let text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 write(3, ..., 1) = -1 EINVAL (Invalid argument)";
    assert!(failure(text).1.contains("Expected errno EINVAL but got EPIPE"), "{:?}", failure(text));
}

#[test]
fn a_call_that_ends_at_another_time_than_the_script_says_is_a_failure() {
    let text =
        format!("{SERVER}   +0...0.2 read(4, ..., 10) = 10\n +.1 < . 1:11(10) ack 1 win 65535\n");
    let (line, why) = failure(&text);
    assert_eq!(line, 9);
    assert!(
        why.contains("expected system call return at 0.210000 sec but happened at 0.110000"),
        "{why}"
    );
    let text =
        format!("{SERVER}   +0...0.1 read(4, ..., 10) = 10\n +.1 < . 1:11(10) ack 1 win 65535\n");
    assert_eq!(verdict(&text), Verdict::Passed);
    let text = format!("{SERVER}   +0 read(4, ..., 10) = 10\n");
    assert!(failure(&text).1.contains("the call waits"));
}

#[test]
fn a_line_that_is_not_understood_is_an_error_with_its_number() {
    for (line, why) in [
        ("+0 frobnicate(3) = 0", "there is no call named frobnicate"),
        ("+0 < X 0:0(0) win 1", "Invalid TCP flag: 'X' in X"),
        ("+0 < S 0:0(0)", "window must be specified for inbound packets"),
        ("+0 < S 0:1(0) win 1", "inconsistent TCP sequence numbers and payload size"),
        ("+0 < S 0:0(0) win 70000", "TCP window value out of range"),
        (
            "+0 < S 0:0(0) win 1 <mss 1460,nop>",
            "TCP options are not padded correctly to ensure TCP header is a multiple of 4 bytes: 1 excess bytes",
        ),
        ("+0 < S 0:0(0) win 1 <swallow 3>", "swallow is no TCP option"),
        ("* < S 0:0(0) win 1", "the time * can only be used with outbound packets"),
        ("+.2~+.1 > S 0:0(0)", "time range is backwards"),
        ("+0 close(3) = -1 EWHATEVER (?)", "EWHATEVER is no error of the system"),
        ("nonsense", "nonsense is no error of the system"),
        ("+0 close(3)", "expected '=', found the end"),
        ("--mss=1000", "expected a time, found --mss"),
    ] {
        let text = format!("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n\n{line}\n");
        let error = Script::parse("test.pkt", &text).unwrap_err();
        assert_eq!((error.line(), error.reason()), (3, why), "{line}");
        assert!(!error.is_unsupported());
    }
    let error = Script::parse("test.pkt", "--warp=9\n0 close(3) = 0").unwrap_err();
    assert_eq!(error.to_string(), "line 1: there is no option --warp");
    let error = Script::parse("test.pkt", "1 close(3) = 0").unwrap_err();
    assert_eq!(error.to_string(), "line 1: first event should be at time 0");
    assert_eq!(
        Script::parse("test.pkt", "").unwrap_err().to_string(),
        "line 1: a script has at least one event"
    );
}

#[test]
fn what_is_not_simulated_skips_the_script_with_the_reason() {
    let error = Script::parse("test.pkt", "0 > S 0:0(0) <FO 1234,nop,nop>").unwrap_err();
    assert!(error.is_unsupported());
    assert_eq!(error.to_string(), "line 1: TCP Fast Open is not simulated");
    let skipped = |text: &str| match verdict(text) {
        Verdict::Skipped { line, why } => (line, why),
        other => panic!("{other:?}"),
    };
    let text = format!("`sysctl -q net.ipv4.tcp_frto=0`{SERVER}");
    assert_eq!(skipped(&text), (1, "tcp_frto=0 is not simulated".to_owned()));
    let text = format!("{SERVER}   +0 send(4, ..., 10, MSG_ZEROCOPY) = 10\n");
    assert_eq!(skipped(&text), (9, "MSG_ZEROCOPY is not simulated".to_owned()));
}

#[test]
fn a_command_that_is_not_understood_fails_unless_commands_are_ignored() {
    let text = format!("`make coffee`{SERVER}");
    assert_eq!(failure(&text), (1, "the command is not understood: make coffee".to_owned()));
    let script = Script::parse("test.pkt", &text).unwrap();
    assert_eq!(Drill::new().ignore_commands(true).run(&script).verdict, Verdict::Passed);
}

#[test]
fn settings_of_the_kernel_are_options_of_the_host() {
    let text = "`sysctl -q net.ipv4.tcp_syn_retries=1`
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
       +0...3 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)
       +0 > S 0:0(0) <...>
       +1 > S 0:0(0) <...>";
    assert_eq!(verdict(text), Verdict::Passed);
}

#[test]
fn scripts_run_over_ipv6_and_with_mapped_addresses() {
    for version in ["ipv4-mapped-ipv6", "ipv6"] {
        let mss = if version == "ipv6" { 1440 } else { 1460 };
        let server = SERVER.replace("<mss 1460>", &format!("<mss {mss}>"));
        let text = format!(
            "--ip_version={version}\n{server}   +0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"
        );
        assert_eq!(verdict(&text), Verdict::Passed, "{version}");
    }
}

#[test]
fn datagrams_and_messages_of_icmp_are_sent_and_expected() {
    let text = "
        0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
       +0 connect(3, ..., ...) = 0
       +0 write(3, ..., 100) = 100
       +0 > udp (100)
      +.1 < udp (50)
       +0 read(3, ..., 1000) = 50
       +0 write(3, ..., 100) = 100
       +0 > udp (100)
      +.1 < icmp unreachable port_unreachable [udp (100)]
       +0 read(3, ..., 1000) = -1 ECONNREFUSED (Connection refused)";
    assert_eq!(verdict(text), Verdict::Passed);
}

#[test]
fn a_capture_has_what_passed() {
    let directory = std::env::temp_dir().join(format!("glassnet-drill-{}", std::process::id()));
    let path = directory.with_extension("pcapng");
    let script = Script::parse("test.pkt", SERVER).unwrap();
    assert_eq!(Drill::new().capture(&path).run(&script).verdict, Verdict::Passed);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(bytes.len() > 3 * 54, "{}", bytes.len());
}

#[test]
fn smoltcps_tcp_runs_scripts_too() {
    let script = Script::parse("test.pkt", SERVER).unwrap();
    let options = HostOptions::default().tcp_engine(TcpEngine::Smoltcp);
    assert_eq!(Drill::new().host_options(options).run(&script).verdict, Verdict::Passed);
}

#[test]
fn the_same_script_gives_the_same_outcome_with_any_seed() {
    for (file, text) in scripts() {
        let script = Script::parse("test.pkt", &text).unwrap();
        let first = Drill::new().seed(7).run(&script);
        assert_eq!(first, Drill::new().seed(7).run(&script), "{}", file.display());
    }
}

/// Cuts, doubles and changes parts of scripts: parsing and running must end, without a panic.
#[test]
fn hostile_scripts_neither_panic_nor_run_for_ever() {
    let texts: Vec<String> = scripts().into_iter().map(|(_, text)| text).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let pieces = [
        "{",
        "}",
        "(",
        ")",
        "[",
        "<",
        ">",
        "...",
        "-",
        "+",
        "~",
        "*",
        "`",
        "\"",
        "%{",
        "}%",
        "|",
        "=",
        ":",
        "99999999999999999999",
        "-1",
        "0xffffffffffffffff",
        "4294967295",
        "65535",
        "86400",
        "/*",
        "//",
        "\\",
        "\u{1f600}",
        "--mss=1",
        "--mtu=68",
        "MSG_DONTWAIT",
        "sack",
        "1e308",
        "\n",
        "icmp",
        "udp",
        "%{ assert 1 << 126 > 0 }%",
        "%{ print(-7 % 0) }%",
        "{fd=4, events=1}",
        "win 0",
        "TS val 1 ecr 2",
    ];
    for _ in 0..3_000 {
        let mut words: Vec<String> =
            texts[random(texts.len())].split(' ').map(str::to_owned).collect();
        for _ in 0..=random(4) {
            let at = random(words.len());
            match random(4) {
                0 => drop(words.remove(at)),
                1 => words.insert(at, pieces[random(pieces.len())].to_owned()),
                2 => words[at] = pieces[random(pieces.len())].to_owned(),
                _ => {
                    let other = random(words.len());
                    words.swap(at, other);
                }
            }
            if words.is_empty() {
                words.push(String::new());
            }
        }
        let text = words.join(" ");
        if let Ok(script) = Script::parse("test.pkt", &text) {
            Drill::new().run(&script);
        }
    }
}
