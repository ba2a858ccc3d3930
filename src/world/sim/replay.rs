//! The command that runs a failed run again.
//!
//! It is for people only: no world depends on the thread, the program and the environment that are
//! looked at here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What is known of this process.
struct Process {
    /// The program as it was called, and its arguments.
    arguments: Vec<String>,
    executable: PathBuf,
    /// The name of the thread, if it may be that of a test: `libtest` names threads by their tests.
    thread: Option<String>,
    package: Option<Package>,
}

/// The package that cargo, or cargo-nextest, runs.
struct Package {
    name: String,
    directory: PathBuf,
    /// It may be one of several: cargo must be told which.
    in_workspace: bool,
    /// The options about features with which it was built.
    features: Vec<String>,
}

/// The command that runs this again.
pub(crate) fn replay_command(seed: u64, from_environment: bool) -> String {
    let seed = if from_environment { format!("GLASSNET_SEED={seed} ") } else { String::new() };
    let words = Process::current().command();
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    seed + &quoted.join(" ")
}

/// The arguments with which this program, called again, runs this test and no other: those that
/// `libtest` takes, or, where no test is known, those that it was called with.
#[allow(clippy::disallowed_methods)]
pub(crate) fn arguments_for_test(test: Option<&str>) -> Vec<OsString> {
    let process = Process::current();
    let of_thread = || process.test_target().and_then(|_| process.test());
    match test.map(str::to_owned).or_else(of_thread) {
        Some(test) => {
            // With one thread the test would run in the main thread, which has another name.
            let options = ["--exact", "--test-threads=2"].map(str::to_owned);
            // It runs here: if it is an ignored one, that was asked for.
            let words = std::iter::once(test).chain(options).chain(process.ignored());
            words.map(OsString::from).collect()
        }
        None => std::env::args_os().skip(1).collect(),
    }
}

impl Process {
    #[allow(clippy::disallowed_methods)]
    fn current() -> Process {
        let arguments: Vec<String> =
            std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let executable = std::env::current_exe().unwrap_or_default();
        let name = std::env::var("CARGO_PKG_NAME").ok();
        let directory = std::env::var_os("CARGO_MANIFEST_DIR");
        let package = name.zip(directory).map(|(name, directory)| {
            let directory = PathBuf::from(directory);
            let mut above = directory.ancestors().skip(1);
            Package {
                in_workspace: above.any(|above| above.join("Cargo.toml").exists()),
                features: features_of_cargo().unwrap_or_else(|| features_of_build(&name)),
                name,
                directory,
            }
        });
        let thread = std::thread::current().name().map(str::to_owned);
        Process { arguments, executable, thread, package }
    }

    fn command(&self) -> Vec<String> {
        if let Some(package) = &self.package {
            if self.is_doctest() {
                let mut command = package.cargo_test();
                command.push("--doc".to_owned());
                return command;
            }
            if let Some(target) = self.test_target() {
                let mut command = package.cargo_test();
                command.extend(self.profile());
                command.extend(package.option_of(&target));
                command.extend(self.selection());
                return command;
            }
        }
        match (self.test(), self.arguments.first(), self.test_target()) {
            (Some(test), Some(program), Some(_)) => {
                let mut command = vec![program.clone(), test, "--exact".to_owned()];
                command.extend(self.ignored());
                command
            }
            _ => self.arguments.clone(),
        }
    }

    /// The name of a test target, from `target/debug/deps/NAME-0123456789abcdef`.
    fn test_target(&self) -> Option<String> {
        let directory = self.executable.parent()?.file_name()?;
        let (name, hash) = self.executable.file_stem()?.to_str()?.rsplit_once('-')?;
        let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        (directory == "deps" && is_hash).then(|| name.to_owned())
    }

    fn is_doctest(&self) -> bool {
        self.executable.file_stem().is_some_and(|name| name == "rust_out")
            || self.executable.ancestors().any(|path| {
                let name = path.file_name().map(|name| name.to_string_lossy());
                name.is_some_and(|name| name.starts_with("rustdoctest"))
            })
    }

    /// The option of the profile, from the directory of its builds.
    fn profile(&self) -> Vec<String> {
        let directory = self.executable.parent().and_then(Path::parent).and_then(Path::file_name);
        match directory.and_then(|name| name.to_str()) {
            None | Some("debug") => Vec::new(),
            Some("release") => vec!["--release".to_owned()],
            Some(profile) => vec!["--profile".to_owned(), profile.to_owned()],
        }
    }

    /// The test that runs: that of this thread, or else the one that the arguments ask for.
    fn test(&self) -> Option<String> {
        let of_thread = self.thread.as_ref().filter(|name| *name != "main" && is_path(name));
        let arguments = self.arguments.get(1..).unwrap_or_default();
        let is_exact = arguments.iter().any(|argument| argument == "--exact");
        let asked_for = || arguments.iter().find(|argument| is_exact && is_path(argument));
        of_thread.or_else(asked_for).cloned()
    }

    /// What follows the options of cargo: a test, or what this process was asked for.
    fn selection(&self) -> Vec<String> {
        match self.test() {
            Some(test) => {
                let mut selection = vec![test, "--".to_owned(), "--exact".to_owned()];
                selection.extend(self.ignored());
                selection
            }
            None => {
                let arguments = self.arguments.get(1..).unwrap_or_default();
                let separator = (!arguments.is_empty()).then(|| "--".to_owned());
                separator.into_iter().chain(arguments.iter().cloned()).collect()
            }
        }
    }

    /// A test that is ignored runs only where these are asked for.
    fn ignored(&self) -> Option<String> {
        let is_asked_for = |argument: &&String| {
            argument.as_str() == "--ignored" || argument.as_str() == "--include-ignored"
        };
        self.arguments.iter().skip(1).find(is_asked_for).cloned()
    }
}

impl Package {
    fn cargo_test(&self) -> Vec<String> {
        let mut command = vec!["cargo".to_owned(), "test".to_owned()];
        if self.in_workspace {
            command.extend(["-p".to_owned(), self.name.clone()]);
        }
        command.extend(self.features.iter().cloned());
        command
    }

    /// The option that chooses a target, as far as its sources are where cargo looks for them;
    /// without one, cargo looks for the test in every target.
    fn option_of(&self, target: &str) -> Vec<String> {
        let is_crate = target == self.name.replace('-', "_");
        let has = |source: &str| self.directory.join("src").join(source).exists();
        match (self.source_of("tests", target), self.source_of("benches", target)) {
            (Some(test), None) if !is_crate => vec!["--test".to_owned(), test],
            (None, Some(bench)) if !is_crate => vec!["--bench".to_owned(), bench],
            (None, None) if is_crate && has("lib.rs") && !has("main.rs") => {
                vec!["--lib".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// The name of a target whose source is in `directory`: `my-test` for the crate `my_test`.
    fn source_of(&self, directory: &str, target: &str) -> Option<String> {
        let entries = std::fs::read_dir(self.directory.join(directory)).ok()?;
        let sources = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs")
                || path.join("main.rs").exists();
            is_source.then(|| path.file_stem()?.to_str().map(str::to_owned))?
        });
        sources.filter(|source| source.replace('-', "_") == target).min()
    }
}

/// A path of Rust, as the name of a test is.
fn is_path(name: &str) -> bool {
    let is_name = |part: &str| {
        part.chars().all(|character| character.is_alphanumeric() || character == '_')
            && part.starts_with(|first: char| first.is_alphabetic() || first == '_')
    };
    name.split("::").all(is_name)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "_-./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The features of this crate, where the package is this crate.
fn features_of_build(package: &str) -> Vec<String> {
    if package != env!("CARGO_PKG_NAME") {
        return Vec::new();
    }
    let default = cfg!(feature = "cli");
    let all = [
        ("hyper", cfg!(feature = "hyper")),
        ("rustls", cfg!(feature = "rustls")),
        ("tracing-subscriber", cfg!(feature = "tracing-subscriber") && !default),
    ];
    let enabled: Vec<&str> = all.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let mut options = Vec::new();
    if !default {
        options.push("--no-default-features".to_owned());
    }
    if !enabled.is_empty() {
        options.extend(["--features".to_owned(), enabled.join(",")]);
    }
    options
}

/// The options about features of the cargo that has started this process: the features of a
/// package that uses this crate are known to nobody else.
#[cfg(target_os = "linux")]
fn features_of_cargo() -> Option<Vec<String>> {
    let mut process = std::os::unix::process::parent_id();
    // Between the two may be a runner, or a test that starts itself anew.
    for _ in 0..4 {
        let command = std::fs::read(format!("/proc/{process}/cmdline")).ok()?;
        let words: Vec<String> = command
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let program = Path::new(words.first()?).file_name()?.to_str()?;
        if program == "cargo" || program == "cargo-nextest" {
            return Some(feature_options(&words));
        }
        let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, after_name) = status.rsplit_once(')')?;
        process = after_name.split_whitespace().nth(1)?.parse().ok()?;
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn features_of_cargo() -> Option<Vec<String>> {
    None
}

/// The options about features of a command line of cargo's.
fn feature_options(words: &[String]) -> Vec<String> {
    let mut options = Vec::new();
    let mut words = words.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--features" | "-F" => {
                options.push(word.clone());
                options.extend(words.next().cloned());
            }
            "--all-features" | "--no-default-features" => options.push(word.clone()),
            _ if word.starts_with("--features=") || word.starts_with("-F") => {
                options.push(word.clone());
            }
            _ => {}
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

    fn process(executable: &str, arguments: &[&str], thread: Option<&str>) -> Process {
        let program = std::iter::once(executable).chain(arguments.iter().copied());
        Process {
            arguments: program.map(str::to_owned).collect(),
            executable: executable.into(),
            thread: thread.map(str::to_owned),
            package: Some(Package {
                name: "glassnet".to_owned(),
                directory: PACKAGE.into(),
                in_workspace: false,
                features: Vec::new(),
            }),
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_test_target_and_the_profile_are_those_of_the_executable() {
        let of = |executable: &str| process(executable, &[], Some("a_test")).command();
        let debug = of("/target/debug/deps/it-0123456789abcdef");
        assert_eq!(debug, words("cargo test --test it a_test -- --exact"));
        let release = of("/target/release/deps/it-0123456789abcdef");
        assert_eq!(release, words("cargo test --release --test it a_test -- --exact"));
        let profile = of("/target/small/deps/it-0123456789abcdef");
        assert_eq!(profile, words("cargo test --profile small --test it a_test -- --exact"));
    }

    #[test]
    fn a_package_of_a_workspace_is_named() {
        let mut one = process("/target/debug/deps/it-0123456789abcdef", &[], Some("a_test"));
        let package = one.package.as_mut().unwrap();
        package.in_workspace = true;
        package.features = words("--features a");
        let expected = "cargo test -p glassnet --features a --test it a_test -- --exact";
        assert_eq!(one.command(), words(expected));
    }

    #[test]
    fn a_target_that_may_be_one_of_two_is_left_to_cargo() {
        // The library and the binary of this package are both called that.
        let unit = process("/target/debug/deps/glassnet-0123456789abcdef", &[], Some("a::b"));
        assert_eq!(unit.command(), words("cargo test a::b -- --exact"));
    }

    #[test]
    fn a_thread_that_is_no_tests_runs_what_the_process_was_asked_for() {
        let run = "/target/debug/deps/it-0123456789abcdef";
        for thread in [None, Some("main"), Some("worker-3"), Some("of the test")] {
            let all = process(run, &[], thread).command();
            assert_eq!(all, words("cargo test --test it"), "{thread:?}");
            let some = process(run, &["some", "--nocapture"], thread).command();
            assert_eq!(some, words("cargo test --test it -- some --nocapture"), "{thread:?}");
            let one = process(run, &["--exact", "one"], thread).command();
            assert_eq!(one, words("cargo test --test it one -- --exact"), "{thread:?}");
        }
    }

    #[test]
    fn an_ignored_test_is_asked_for_as_it_was() {
        let run = "/target/debug/deps/it-0123456789abcdef";
        let ignored = process(run, &["--ignored"], Some("a_test")).command();
        assert_eq!(ignored, words("cargo test --test it a_test -- --exact --ignored"));
    }

    #[test]
    fn a_program_that_is_no_test_is_called_as_it_was() {
        let example = process("/target/debug/examples/outage", &["a b", "c"], Some("main"));
        assert_eq!(example.command(), ["/target/debug/examples/outage", "a b", "c"]);
        let mut alone = process("/target/debug/deps/it-0123456789abcdef", &[], Some("a_test"));
        alone.package = None;
        assert_eq!(alone.command(), words("/target/debug/deps/it-0123456789abcdef a_test --exact"));
    }

    #[test]
    fn a_doctest_is_run_with_the_others() {
        let old = process("/tmp/rustdoctestAbCdEf/rust_out", &[], Some("main"));
        assert_eq!(old.command(), words("cargo test --doc"));
    }

    #[test]
    fn features_are_those_of_the_command_line_of_cargo() {
        let of = |line: &str| feature_options(&words(line)).join(" ");
        assert_eq!(of("cargo test --features a,b --test it -- --features x"), "--features a,b");
        assert_eq!(of("cargo t -F a --no-default-features"), "-F a --no-default-features");
        assert_eq!(
            of("cargo nextest run --features=a --all-features"),
            "--features=a --all-features"
        );
        assert_eq!(of("cargo test"), "");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a_test::of-0.1"), "a_test::of-0.1");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
