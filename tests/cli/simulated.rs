//! The `glassnet` command, as its user meets it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::directory::Directory;

/// The directory in which the commands of one test run.
struct Place(Directory);

impl Place {
    fn new() -> Place {
        Place(Directory::new("cli"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glassnet"));
        command.args(arguments).current_dir(&self.0).env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    /// Runs `glassnet` with arguments that are separated by blanks.
    fn glassnet(&self, arguments: &str) -> Ended {
        Ended::from(self.command(arguments.split_whitespace()).output().unwrap())
    }
}

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

impl Ended {
    /// The line that says how many were greeted.
    fn summary(&self) -> &str {
        self.out.lines().find(|line| line.starts_with("greeted ")).unwrap_or_default()
    }

    fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

fn glassnet(arguments: &str) -> Ended {
    Place::new().glassnet(arguments)
}

/// The width of the longest line in characters.
fn width(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[track_caller]
fn assert_refused(arguments: &str, line: &str) {
    let directory = Place::new();
    let ended = directory.glassnet(arguments);
    assert_eq!(ended.errors, format!("glassnet: {line}\n"), "{arguments}");
    assert_eq!(ended.code, Some(2), "{arguments}");
    assert_eq!(ended.out, "", "{arguments}");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0, "{arguments} left a file");
}

// ---- What is printed -------------------------------------------------------------------------

#[test]
fn the_demo_prints_two_lines_a_ladder_and_a_summary() {
    let ended = glassnet("demo");
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(lines[0].starts_with("Got connection from 10.0.0.2:"), "{}", ended.out);
    assert_eq!(lines[1], "Thank you for connecting");
    assert!(lines[3].starts_with("client 10.0.0.2:"), "{}", ended.out);
    assert!(lines[3].ends_with(" ↔ server 10.0.0.1:12345"), "{}", ended.out);
    let labels = [
        "SYN-SENT │──────── ARP who has 10.0.0.1 ────────▶│ at 0.001000",
        "│───────────── SYN seq=0 ──────────────▶│",
        "│◀──────── SYN ACK seq=0 ack=1 ─────────│ SYN-RECEIVED",
        "ESTABLISHED │────────── ACK seq=1 ack=1 ───────────▶│",
        "│◀───── PSH ACK seq=1 ack=1 len=24 ─────│ ESTABLISHED",
        "│◀──────── FIN ACK seq=25 ack=1 ────────│ FIN-WAIT-1",
        "CLOSE-WAIT │",
        "LAST-ACK │──────── FIN ACK seq=1 ack=26 ────────▶│",
        "│◀────────── ACK seq=26 ack=2 ──────────│ TIME-WAIT",
        "CLOSED │",
    ];
    let mut rest = ended.out.as_str();
    for label in labels {
        let at = rest.find(label).unwrap_or_else(|| panic!("{label} is not in\n{}", ended.out));
        rest = &rest[at + label.len()..];
    }
    assert_eq!(
        ended.summary(),
        "greeted 1 of 1 client in 0.008000s (virtual): 7 segments, 0 retransmissions"
    );
    assert_eq!(ended.last_line(), "capture: glassnet-demo.pcapng");
    assert_eq!(ended.errors, "");
}

#[test]
fn the_ladder_fits_a_terminal_of_80_columns() {
    for arguments in ["demo", "demo --loss 30% --duplicate 30% --delay 20ms --seed 4"] {
        let out = glassnet(arguments).out;
        assert!(width(&out) <= 80, "{out}");
    }
}

#[test]
fn a_pipe_gets_plain_text() {
    let ended = glassnet("demo --loss 30%");
    assert!(!ended.out.contains('\x1b') && !ended.errors.contains('\x1b'));
}

#[test]
fn quiet_leaves_the_two_lines_and_the_summary() {
    let ended = glassnet("demo --quiet");
    assert_eq!(ended.out.lines().count(), 4, "{}", ended.out);
    assert!(ended.summary().starts_with("greeted 1 of 1 client"));
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    for arguments in ["--help", "-h", "demo --help", "demo -h"] {
        let help = glassnet(arguments);
        assert_eq!((help.code, help.errors.as_str()), (Some(0), ""));
        assert!(width(&help.out) <= 100, "{}", help.out);
    }
    assert!(glassnet("demo --help").out.contains("glassnet demo --delay 20ms --loss 20%"));
    let version = glassnet("--version");
    assert_eq!(version.out, format!("glassnet {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.code, Some(0));
}

// ---- What each option does -------------------------------------------------------------------

#[test]
fn the_same_seed_gives_the_same_output_and_the_same_capture() {
    let run = |seed: &str| {
        let directory = Place::new();
        let arguments = format!(
            "demo --seed {seed} --loss 10% --duplicate 10% --reorder 10% --jitter 900us --clients 2"
        );
        let ended = directory.glassnet(&arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        (ended.out, fs::read(directory.path("glassnet-demo.pcapng")).unwrap())
    };
    let (first, again, other) = (run("11"), run("11"), run("12"));
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
    assert_ne!(first.1, other.1);
}

#[test]
fn delay_sets_when_segments_arrive() {
    let out = glassnet("demo --delay 20ms").out;
    assert!(
        out.contains("0.000000       SYN-SENT")
            && out.contains("SYN seq=0 ──────────────▶│ at 0.022000"),
        "{out}"
    );
}

#[test]
fn a_delay_of_nanoseconds_is_told_apart() {
    let out = glassnet("demo --delay 5ns").out;
    assert!(out.contains("▶│ at 0.000000005") && out.contains("in 0.000000040s"), "{out}");
}

#[test]
fn jitter_varies_the_delay() {
    let out = glassnet("demo --jitter 500us").out;
    let whole = |line: &str| line.rsplit(' ').next().is_some_and(|at| at.ends_with("000"));
    let mut arrivals = out.lines().filter(|line| line.contains("│ at "));
    assert!(arrivals.any(|line| !whole(line)), "{out}");
}

#[test]
fn a_loss_is_shown_and_so_is_the_retransmission_that_repairs_it() {
    let out = glassnet("demo --loss 25% --seed 4").out;
    assert!(out.contains("✗ lost"), "{out}");
    assert!(out.contains("until server's retransmission timer fires"), "{out}");
    assert!(out.contains("─│ retransmission"), "{out}");
}

#[test]
fn the_ladder_marks_as_many_retransmissions_as_the_summary_counts() {
    for seed in 0..40 {
        let out = glassnet(&format!(
            "demo --seed {seed} --loss 20% --duplicate 20% --reorder 20% --delay 10ms"
        ))
        .out;
        let is_marked = |line: &&str| line.contains("retransmission") && line.contains('│');
        let marked = out.lines().filter(is_marked).count();
        let counted = format!(", {marked} retransmission{}\n", if marked == 1 { "" } else { "s" });
        assert!(out.contains(&counted), "{marked} marked in\n{out}");
    }
}

#[test]
fn duplicates_are_marked() {
    let out = glassnet("demo --duplicate 100%").out;
    assert!(out.contains("duplicate │╌╌╌╌╌╌╌╌╌╌╌╌╌ SYN seq=0"), "{out}");
    assert!(out.lines().any(|line| line.contains('◀') && line.ends_with("│ duplicate")), "{out}");
    let copies = out.lines().filter(|line| line.contains("duplicate")).count();
    let segments = out.lines().filter(|line| line.contains(" seq=")).count() - copies;
    assert_eq!(copies, segments, "{out}");
}

#[test]
fn reordering_holds_segments_back() {
    let out = glassnet("demo --reorder 100%").out;
    assert!(!out.contains("in 0.008000s"), "{out}");
}

#[test]
fn a_rate_makes_segments_take_time() {
    // A SYN of 66 bytes at 9600 bit/s takes 55 ms; with the delay of ARP and its own, 58.
    assert!(glassnet("demo --rate 9600bit").out.contains("▶│ at 0.058000"));
    // The same in bytes a second.
    assert!(glassnet("demo --rate 1.2kbps").out.contains("▶│ at 0.058000"));
}

#[test]
fn the_port_and_the_message_are_the_users() {
    let directory = Place::new();
    let arguments = ["demo", "--port", "80", "--message", "Grüß Gott, wie geht's?"];
    let ended = Ended::from(directory.command(arguments).output().unwrap());
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("↔ server 10.0.0.1:80\n"), "{}", ended.out);
    assert_eq!(ended.out.lines().nth(1), Some("Grüß Gott, wie geht's?"));
    assert!(ended.out.contains("len=24") == ("Grüß Gott, wie geht's?".len() == 24));
}

#[test]
fn a_long_message_is_folded() {
    let directory = Place::new();
    let message = "x".repeat(100_000);
    let ended = Ended::from(directory.command(["demo", "--message", &message]).output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.out.contains("more segments with"), "{}", ended.out);
    assert!(ended.out.lines().count() < 80, "{}", ended.out);
}

#[test]
fn an_empty_message_is_a_message() {
    let directory = Place::new();
    let ended = Ended::from(directory.command(["demo", "-q", "--message", ""]).output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(ended.out.lines().nth(1), Some(""));
}

#[test]
fn each_client_gets_a_ladder_up_to_ten() {
    let ended = glassnet("demo --clients 12");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(ended.out.matches("Got connection from").count(), 12);
    assert_eq!(ended.out.matches(" ↔ server").count(), 10);
    assert!(ended.out.contains("\nclient10 10.0.0.11:"), "{}", ended.out);
    assert!(ended.out.contains("\n… and 2 more (see the capture)\n"), "{}", ended.out);
    assert!(ended.summary().starts_with("greeted 12 of 12 clients"));
}

#[test]
fn two_thousand_clients_at_once_are_all_greeted() {
    let ended = glassnet("demo --clients 2000 --quiet");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(ended.summary().starts_with("greeted 2000 of 2000 clients"));
    assert!(ended.out.contains(", 0 retransmissions\n"));
}

#[test]
fn verbosity_goes_to_standard_error_and_changes_nothing_else() {
    let quiet = glassnet("demo --loss 25% --seed 4");
    assert_eq!(quiet.errors, "");
    let mut before = 0;
    for (option, said) in [("-v", "seed=4"), ("-vv", "dropped"), ("-vvv", "to=TIME-WAIT")] {
        let told = glassnet(&format!("demo --loss 25% --seed 4 {option}"));
        assert_eq!(told.out, quiet.out);
        assert!(told.errors.contains(said), "{}", told.errors);
        assert!(told.errors.len() > before, "{option} says more");
        before = told.errors.len();
    }
}

#[test]
fn what_is_told_has_the_time_of_the_world_and_its_host() {
    let told = glassnet("demo -vvv").errors;
    let opened = "0.004000000s TRACE host{name=\"client\"}: glassnet::tcp: state flow=10.0.0.2:";
    assert!(told.contains(opened), "{told}");
    assert!(told.lines().all(|line| !line.contains("time=")), "{told}");
}

#[test]
fn rust_log_chooses_what_is_told() {
    let directory = Place::new();
    let run = |filter: &str| {
        let mut command = directory.command(["demo", "-q"]);
        Ended::from(command.env("RUST_LOG", filter).output().unwrap())
    };
    let told = run("glassnet::tcp=trace");
    assert!(told.errors.contains("TIME-WAIT") && !told.errors.contains("INFO"), "{}", told.errors);
    let refused = run("glassnet=x=y");
    assert_eq!(refused.code, Some(2));
    assert!(refused.errors.starts_with("glassnet: RUST_LOG: "), "{}", refused.errors);
    assert_eq!(refused.errors.lines().count(), 1);
}

// ---- The capture -----------------------------------------------------------------------------

#[test]
fn the_capture_goes_where_it_should() {
    let directory = Place::new();
    let ended = directory.glassnet("demo --pcap other.pcapng");
    assert!(ended.last_line() == "capture: other.pcapng", "{}", ended.out);
    let capture = fs::read(directory.path("other.pcapng")).unwrap();
    assert_eq!(capture.first_chunk(), Some(&[0x0a, 0x0d, 0x0d, 0x0a]));
    assert!(!directory.path("glassnet-demo.pcapng").exists());
}

#[test]
fn the_capture_of_one_client_says_what_the_link_lost() {
    let directory = Place::new();
    let path = directory.path("glassnet-demo.pcapng");
    let holds = |text: &str| {
        let capture = fs::read(&path).unwrap();
        capture.windows(text.len()).any(|window| window == text.as_bytes())
    };
    assert_eq!(directory.glassnet("demo --loss 25% --seed 4").code, Some(0));
    assert!(holds("dropped: lost") && holds("vantage=link client-server"));
    assert_eq!(directory.glassnet("demo --clients 2").code, Some(0));
    assert!(holds("vantage=server.eth0"));
}

#[test]
fn an_older_capture_is_overwritten_and_a_foreign_file_never() {
    let directory = Place::new();
    let path = directory.path("glassnet-demo.pcapng");
    assert_eq!(directory.glassnet("demo -q").code, Some(0));
    assert_eq!(directory.glassnet("demo -q --seed 8").code, Some(0));
    fs::write(&path, "my thesis").unwrap();
    let ended = directory.glassnet("demo -q");
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    assert!(ended.errors.contains("glassnet did not write it"), "{}", ended.errors);
    assert_eq!(ended.out, "");
    assert_eq!(fs::read(&path).unwrap(), b"my thesis");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_of_the_run() {
    let ended = glassnet("demo -q --pcap /dev/full");
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
    assert!(ended.errors.contains("cannot write the capture /dev/full: No space left on device"));
    assert!(!ended.out.contains("capture"), "{}", ended.out);
}

// ---- Failing ---------------------------------------------------------------------------------

#[test]
fn a_greeting_that_cannot_arrive_is_a_failure_and_its_capture_is_kept() {
    let directory = Place::new();
    let ended = directory.glassnet("demo --loss 100%");
    assert_eq!(ended.code, Some(1));
    let errors: Vec<&str> = ended.errors.lines().collect();
    assert_eq!(errors.len(), 2, "{}", ended.errors);
    assert!(errors[0].starts_with("glassnet: client was not greeted: Connection timed out"));
    assert!(errors[0].ends_with("(seed 7, at 127.000000000s)"), "{}", ended.errors);
    assert!(errors[1].starts_with("hint: ") && errors[1].contains("--loss"), "{}", ended.errors);
    assert_eq!(ended.out.matches("✗ lost").count(), 7, "{}", ended.out);
    assert!(ended.summary().starts_with("greeted 0 of 1 client"));
    assert!(directory.path("glassnet-demo.pcapng").metadata().unwrap().len() > 0);
}

#[test]
fn one_client_of_several_that_fails_is_a_failure() {
    let ended = glassnet("demo --clients 3 --loss 60% --seed 1 -q");
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    assert!(!ended.summary().starts_with("greeted 3 of 3"), "{}", ended.out);
}

#[test]
fn bad_values_are_refused_in_one_line_that_says_what_to_give() {
    assert_refused("demo --loss 150%", "--loss 150%: a percentage is 0% to 100%");
    assert_refused("demo --loss -1%", "--loss -1%: a percentage is 0% to 100%");
    assert_refused("demo --loss 0.1", "--loss 0.1: a percentage needs its sign: 0.1%");
    let percentage = "a percentage is a number and its sign, such as 10% or 0.5%";
    assert_refused("demo --duplicate many", &format!("--duplicate many: {percentage}"));
    assert_refused("demo --reorder NaN%", &format!("--reorder NaN%: {percentage}"));
    assert_refused(
        "demo --delay 20",
        "--delay 20: a time needs its unit: 20ms or 20us, for example",
    );
    assert_refused("demo --delay -5ms", "--delay -5ms: a time is 0 or more");
    assert_refused("demo --delay 2h", "--delay 2h: the units of time are s, ms, us and ns");
    assert_refused("demo --jitter 3601s", "--jitter 3601s: a time is at most 3600s");
    let time = "a time is a number and a unit, such as 20ms, 1.5s, 500us or 5ns";
    assert_refused("demo --jitter long", &format!("--jitter long: {time}"));
    assert_refused("demo --delay --quiet", &format!("--delay --quiet: {time}"));
    let rate = "a rate is at least 1bit; for a link that carries nothing use --loss 100%";
    assert_refused("demo --rate 0mbit", &format!("--rate 0mbit: {rate}"));
    let rate = "a rate needs its unit: 100mbit or 100kbit, for example";
    assert_refused("demo --rate 100", &format!("--rate 100: {rate}"));
    let port = "a port is a number from 1 to 65535";
    assert_refused("demo --port 0", &format!("--port 0: {port}"));
    assert_refused("demo --port 65536", &format!("--port 65536: {port}"));
    let clients = "the number of clients is 1 to 65000";
    assert_refused("demo --clients 0", &format!("--clients 0: {clients}"));
    assert_refused("demo --clients 65001", &format!("--clients 65001: {clients}"));
    let seed = "a seed is a whole number from 0 to 18446744073709551615";
    assert_refused("demo --seed 1.5", &format!("--seed 1.5: {seed}"));
}

#[test]
fn what_is_not_known_is_refused_with_the_nearest_that_is() {
    assert_refused("demos", "unrecognized subcommand 'demos'; did you mean 'demo'?");
    assert_refused("demo --los 1%", "unexpected argument '--los' found; did you mean '--loss'?");
}

#[test]
fn a_path_that_cannot_be_written_is_refused() {
    for path in ["no/such/directory/x.pcapng", "."] {
        let ended = glassnet(&format!("demo --pcap {path}"));
        assert_eq!(ended.code, Some(2), "{path}");
        assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
        assert!(ended.errors.contains(path), "{}", ended.errors);
    }
}

#[test]
fn control_characters_in_a_value_do_not_reach_the_terminal() {
    let directory = Place::new();
    let ended = directory.command(["demo", "--loss", "a\n\x1b[31mb"]).output().unwrap();
    let errors = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(!errors.contains('\x1b'), "{errors}");
}

#[test]
fn a_reader_that_goes_away_during_the_ladder_is_no_failure() {
    let directory = Place::new();
    // Every segment twice, so that nothing is folded: more than fits into a pipe.
    let message = "x".repeat(60_000);
    let arguments = ["demo", "--clients", "10", "--duplicate", "100%", "--message", &message];
    let mut child =
        directory.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains('↔')));
    drop(lines);
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.errors, "");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_reader_that_goes_away_during_the_run_ends_it_without_a_panic() {
    let directory = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = directory.command(["demo"]).stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    // As a shell reports SIGPIPE.
    assert_eq!(ended.status.code(), Some(141));
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_said_in_one_line() {
    let directory = Place::new();
    let full = fs::OpenOptions::new().write(true).open(Path::new("/dev/full")).unwrap();
    let ended = Ended::from(directory.command(["demo"]).stdout(full).output().unwrap());
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.starts_with("glassnet: cannot write to standard output: No space left"));
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
}
