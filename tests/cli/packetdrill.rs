//! `glassnet packetdrill`, as its user meets it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::directory::Directory;

/// The exit code, standard output and standard error of `glassnet` with these arguments.
fn glassnet(directory: &Directory, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glassnet"));
    command.args(arguments).current_dir(&**directory).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const GOOD: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n";
const BAD: &str = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 5\n";
const SKIPPED: &str =
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 send(3, ..., 9, MSG_ZEROCOPY) = 9\n";

fn scripts() -> Directory {
    let directory = Directory::new("drill");
    for (name, text) in
        [("good", GOOD), ("bad", BAD), ("skipped", SKIPPED), ("unknown", "0 jump(3) = 0")]
    {
        fs::write(directory.join(format!("{name}.pkt")), text).unwrap();
    }
    directory
}

#[test]
fn one_script_gives_one_line_and_an_exit_code() {
    let directory = scripts();
    let run = |file| glassnet(&directory, &["packetdrill", file]);
    assert_eq!(run("good.pkt"), (Some(0), "PASS good.pkt\n".to_owned(), String::new()));
    let failed = "FAIL bad.pkt:2: runtime error in close call: Expected result 5 but got 0\n";
    assert_eq!(run("bad.pkt"), (Some(1), failed.to_owned(), String::new()));
    let skipped = "SKIP skipped.pkt:2: MSG_ZEROCOPY is not simulated\n";
    assert_eq!(run("skipped.pkt"), (Some(0), skipped.to_owned(), String::new()));
    let unknown = "ERROR unknown.pkt: line 1: there is no call named jump\n";
    assert_eq!(run("unknown.pkt"), (Some(2), unknown.to_owned(), String::new()));
    assert_eq!(run("nowhere.pkt").0, Some(2));
}

#[test]
fn several_scripts_give_a_table_and_the_failures_whole() {
    let directory = scripts();
    let (code, out, _) = glassnet(&directory, &["drill", "good.pkt", "bad.pkt", "skipped.pkt"]);
    let expected = "PASS  good.pkt\n\
        FAIL  bad.pkt      2: runtime error in close call: Expected result 5 but got 0\n\
        SKIP  skipped.pkt  2: MSG_ZEROCOPY is not simulated\n\n\
        bad.pkt:2: runtime error in close call: Expected result 5 but got 0\n\n\
        3 scripts: 1 FAIL, 1 PASS, 1 SKIP\n";
    assert_eq!((code, out.as_str()), (Some(1), expected));
    assert_eq!(glassnet(&directory, &["drill", "good.pkt", "skipped.pkt"]).0, Some(0));
}

#[test]
fn every_script_of_the_project_passes() {
    let directory = Directory::new("drill");
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packetdrill");
    let files = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let is_script = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "pkt");
    let files: Vec<String> =
        files.filter(is_script).map(|file| file.display().to_string()).collect();
    let arguments: Vec<&str> =
        ["drill"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (code, out, _) = glassnet(&directory, &arguments);
    assert!(files.len() >= 40);
    assert_eq!(out.lines().last().unwrap(), format!("{0} scripts: {0} PASS", files.len()), "{out}");
    assert_eq!(code, Some(0));
}

#[test]
fn the_help_has_the_language_and_wrong_options_are_told() {
    let directory = scripts();
    let (code, out, _) = glassnet(&directory, &["packetdrill", "--help"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("What is understood of packetdrill's language"));
    let (code, _, errors) = glassnet(&directory, &["drill", "--engine", "steam", "good.pkt"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("--engine steam: there are glassnet and smoltcp"), "{errors}");
    let (code, _, errors) = glassnet(&directory, &["drill", "--pcap", "a", "good.pkt", "bad.pkt"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("--pcap captures one script"), "{errors}");
}

#[test]
fn a_script_is_captured_and_runs_with_defines_and_either_engine() {
    let directory = scripts();
    fs::write(directory.join("port.pkt"), "0 socket(..., KIND, IPPROTO_TCP) = 3\n").unwrap();
    for engine in ["glassnet", "smoltcp"] {
        let arguments = [
            "drill",
            "--engine",
            engine,
            "-D",
            "KIND=SOCK_STREAM",
            "--pcap",
            "a.pcapng",
            "port.pkt",
        ];
        assert_eq!(glassnet(&directory, &arguments).1, "PASS port.pkt\n");
        assert!(fs::metadata(directory.join("a.pcapng")).unwrap().len() > 0);
        fs::remove_file(directory.join("a.pcapng")).unwrap();
    }
    let (code, out, _) = glassnet(&directory, &["drill", "port.pkt"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("unknown symbol: 'KIND'"), "{out}");
}
