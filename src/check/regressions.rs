//! Seeds with which a check has failed, in a file beside the sources.
//!
//! A file for each source file that calls `check`, a line for each seed: the name of the test and
//! the seed, in the order in which they failed. What is not known to be wrong with the file is
//! never an error: a check must not fail because it cannot remember.
#![allow(
    clippy::disallowed_methods,
    reason = "which seeds are run is decided before a world begins"
)]

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write as _};
use std::panic::Location;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Seeds that are kept of one test.
const MAX_SEEDS: usize = 100;
/// Bytes of a file that are read.
const MAX_BYTES: u64 = 1 << 20;
/// Stands for the name of a test that the harness runs in the main thread, where it has none.
const UNNAMED: &str = "-";

const HEAD: &str = "\
# Seeds with which a test that calls `glassnet::check` has failed, each after the test's name.
# The test runs its own before any other. Keep this file under version control; remove a line
# when its seed means nothing any more.
";

/// The failed seeds of one test.
pub(super) struct Regressions {
    /// `None` when none are kept.
    path: Option<PathBuf>,
    test: String,
    /// Those that the file had.
    pub(super) seeds: Vec<u64>,
}

impl Regressions {
    /// None, and none are kept.
    pub(super) fn none() -> Regressions {
        Regressions { path: None, test: UNNAMED.to_owned(), seeds: Vec::new() }
    }

    /// Those of the test called `test` that calls `check` at `caller`.
    pub(super) fn read(caller: &Location<'_>, test: Option<&str>) -> Regressions {
        let path = path_for(caller.file());
        let test = test.filter(|name| !name.contains(char::is_whitespace));
        let mut regressions =
            Regressions { path, test: test.unwrap_or(UNNAMED).to_owned(), seeds: Vec::new() };
        if let Some(path) = &regressions.path {
            match read(path) {
                Ok(text) => regressions.seeds = seeds_in(&text, &regressions.test),
                Err(error) => eprintln!("cannot read {}: {error}", path.display()),
            }
        }
        regressions
    }

    /// Adds a seed, unless it is there, and says where it is kept.
    pub(super) fn add(&self, seed: u64) -> Option<String> {
        let path = self.path.as_ref()?;
        if self.seeds.contains(&seed) {
            return None;
        }
        Some(match self.append(path, seed) {
            Ok(true) => format!("kept: seed {seed} in {}, to be run first", path.display()),
            Ok(false) => {
                format!("not kept: {} has {MAX_SEEDS} seeds of this test already", path.display())
            }
            Err(error) => format!("not kept: cannot write {}: {error}", path.display()),
        })
    }

    fn append(&self, path: &Path, seed: u64) -> io::Result<bool> {
        // Two tests of this process must not both begin the file.
        static WRITING: Mutex<()> = Mutex::new(());
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seeds.len() >= MAX_SEEDS {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut lines = String::new();
        let text = read(path)?;
        if text.is_empty() {
            lines.push_str(HEAD);
        } else if !text.ends_with('\n') {
            lines.push('\n');
        }
        let _ = writeln!(lines, "{} {seed}", self.test);
        OpenOptions::new().append(true).create(true).open(path)?.write_all(lines.as_bytes())?;
        Ok(true)
    }
}

/// The text of the file; nothing if there is none.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match fs::File::open(path) {
        Ok(file) => file.take(MAX_BYTES).read_to_string(&mut text).map(|_| text),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(text),
        Err(error) => Err(error),
    }
}

/// The seeds of a test. A test without a name has those of all, and all have its.
fn seeds_in(text: &str, test: &str) -> Vec<u64> {
    let mut seeds = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(name) = words.next().filter(|name| !name.starts_with('#')) else { continue };
        let is_meant = name == test || name == UNNAMED || test == UNNAMED;
        match words.next().map(str::parse) {
            Some(Ok(seed)) => {
                if is_meant && !seeds.contains(&seed) && seeds.len() < MAX_SEEDS {
                    seeds.push(seed);
                }
            }
            _ => eprintln!("no seed follows the name of a test: {line:?}"),
        }
    }
    seeds
}

/// The file for a source file: in the directory that `GLASSNET_REGRESSIONS` names, where an empty
/// name stands for none; else in `glassnet-regressions` beside the `Cargo.toml` of the package that
/// Cargo tests.
fn path_for(source: &str) -> Option<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let directory = match std::env::var_os("GLASSNET_REGRESSIONS") {
        Some(directory) if directory.is_empty() => return None,
        Some(directory) => PathBuf::from(directory),
        None => package.clone()?.join("glassnet-regressions"),
    };
    let source = within_package(Path::new(source), package.as_deref());
    Some(directory.join(source).with_extension("txt"))
}

/// A source file as its package calls it. Compilers call it as the workspace does, or, if it is
/// another package's, by its whole path, of which only the name is taken.
fn within_package(source: &Path, package: Option<&Path>) -> PathBuf {
    let package = package.unwrap_or(Path::new(""));
    let found = package.ancestors().map(|folder| folder.join(source)).find(|path| path.is_file());
    let source = match &found {
        Some(found) => found.strip_prefix(package).ok(),
        None => Some(source),
    };
    let is_plain = |path: &&Path| path.components().all(|it| matches!(it, Component::Normal(_)));
    match source.filter(is_plain) {
        Some(source) => source.to_owned(),
        None => found.as_deref().and_then(Path::file_name).unwrap_or("check.rs".as_ref()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_its_own_seeds_and_those_of_a_test_without_a_name() {
        let text = format!("{HEAD}one 5\ntwo 6\n- 7\none 5\n<<<<<<< merged\none\n\none 8 # why\n");
        assert_eq!(seeds_in(&text, "one"), [5, 7, 8]);
        assert_eq!(seeds_in(&text, "two"), [6, 7]);
        assert_eq!(seeds_in(&text, UNNAMED), [5, 6, 7, 8]);
    }

    #[test]
    fn only_so_many_seeds_of_a_test_are_run() {
        let text: String = (0..1_000).map(|seed| format!("one {seed}\n")).collect();
        assert_eq!(seeds_in(&text, "one").len(), MAX_SEEDS);
    }

    #[test]
    fn a_source_file_is_called_as_its_package_calls_it() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let within = |source: &str| within_package(Path::new(source), Some(package));
        assert_eq!(within("src/check.rs"), Path::new("src/check.rs"));
        let whole = package.join("src/check.rs");
        assert_eq!(within(whole.to_str().unwrap()), Path::new("src/check.rs"));
        // As from a workspace that holds the package.
        let inner = within_package(Path::new("src/check.rs"), Some(&package.join("src")));
        assert_eq!(inner, Path::new("check.rs"));
        // Another package's, and a path that leads out.
        assert_eq!(within("/proc/self/status"), Path::new("status"));
        assert_eq!(within("../elsewhere/none.rs"), Path::new("check.rs"));
    }
}
