//! Files that are kept beside a test: where they are put, how they are called, and those with the
//! last frames of a run that failed. Nothing in a world depends on any of this.
#![allow(
    clippy::disallowed_methods,
    reason = "the names of thread, program and folder are for people only"
)]

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Hosts of a run whose last frames are written, at most.
const MAX_FILES: usize = 64;
/// Of them those that the report lists.
const LINES: usize = 8;
/// Runs of a process that leave their last frames, at most: where runs are meant to fail, they
/// must not fill the disk.
const MAX_RUNS: usize = 100;
/// Bytes of a test's name in the name of a file.
const MAX_NAME: usize = 120;

/// The name of the test that runs in this thread, where the harness has given it one.
pub(crate) fn test_name() -> Option<String> {
    std::thread::current().name().filter(|name| *name != "main").map(str::to_owned)
}

/// What this process and this thread call themselves, in characters that any file system takes:
/// package, program and test.
fn stem() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_stem).and_then(|stem| stem.to_str());
    let program = without_hash(program.unwrap_or("glassnet"));
    let package = std::env::var("CARGO_PKG_NAME").ok().filter(|package| package != program);
    let test = test_name().unwrap_or_else(|| "main".to_owned()).replace("::", "-");
    let parts = [package.as_deref(), Some(program), Some(&test)];
    let stem = parts.into_iter().flatten().collect::<Vec<_>>().join("-");
    let is_fine = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    stem.chars().map(|it| if is_fine(it) { it } else { '_' }).take(MAX_NAME).collect()
}

/// A program's name without what Cargo appends to that of a test.
fn without_hash(program: &str) -> &str {
    match program.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|it| it.is_ascii_hexdigit()) => {
            name
        }
        _ => program,
    }
}

/// How many worlds of this process have had a name.
static NAMED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

/// A name that no other world of this process has: those of one test and seed are numbered.
fn name_of_world(seed: u64) -> String {
    let name = format!("{}-seed{seed}", stem());
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    let number = named.entry(name.clone()).or_insert(0);
    *number += 1;
    if *number == 1 { name } else { format!("{name}-{number}") }
}

/// A path as one would type it here.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    below.as_deref().unwrap_or(path).display().to_string()
}

/// Where Cargo puts what it builds, if it built this program; else where temporary files go.
fn default_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // Cargo marks the folder so that backups leave it out.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned).join("glassnet")
}

/// Where to keep a capture of each host: `GLASSNET_PCAP_DIR`, if it is set.
pub(super) fn captures_directory() -> Option<PathBuf> {
    std::env::var_os("GLASSNET_PCAP_DIR").map(PathBuf::from)
}

/// What is kept of a world beside a test.
#[derive(Default)]
pub(super) struct Kept {
    /// What its files are called.
    name: OnceCell<String>,
    /// Where the last frames were written when it failed: a line each.
    last_frames: OnceCell<Vec<String>>,
}

impl Kept {
    /// The last frames are not written.
    pub(super) fn leave_nothing(&self) {
        let _ = self.last_frames.set(Vec::new());
    }

    /// The path of a file about a host, in a directory that is made if it is missing.
    pub(super) fn path(&self, directory: &Path, seed: u64, host: &str) -> io::Result<PathBuf> {
        fs::create_dir_all(directory).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot make {}: {error}", directory.display()))
        })?;
        let world = self.name.get_or_init(|| name_of_world(seed));
        Ok(directory.join(format!("{world}-{host}.pcapng")))
    }

    /// Writes the last frames of each of these hosts to files, once, and says which: a line each.
    pub(super) fn last_frames<'h>(
        &self,
        seed: u64,
        hosts: impl FnOnce() -> Vec<(u32, &'h str)>,
        write: impl Fn(u32, &Path) -> io::Result<()>,
    ) -> &[String] {
        self.last_frames.get_or_init(|| {
            static RUNS: AtomicUsize = AtomicUsize::new(0);
            let hosts = hosts();
            if hosts.is_empty() {
                return Vec::new();
            }
            if RUNS.fetch_add(1, Ordering::Relaxed) >= MAX_RUNS {
                return vec![format!(
                    "last frames: not written, as {MAX_RUNS} runs of this process have left theirs"
                )];
            }
            let directory = default_directory();
            let mut lines = Vec::new();
            for (host, name) in hosts.iter().take(MAX_FILES) {
                let path = self.path(&directory, seed, name);
                let written = path.and_then(|path| write(*host, &path).map(|()| path));
                lines.push(match written {
                    Ok(path) => format!("last frames of {name}: {}", shown(&path)),
                    Err(error) => format!("last frames of {name}: {error}"),
                });
            }
            let beside = lines.len().saturating_sub(LINES);
            if beside > 0 {
                lines.truncate(LINES);
                lines.push(format!("last frames of {beside} more hosts: beside them"));
            }
            let unwritten = hosts.len().saturating_sub(MAX_FILES);
            if unwritten > 0 {
                lines.push(format!("last frames of {unwritten} more hosts: not written"));
            }
            lines
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_appends_to_a_program_is_left_out() {
        assert_eq!(without_hash("check-bd04fc5c9876ab01"), "check");
        assert_eq!(without_hash("tcp-ping"), "tcp-ping");
    }

    #[test]
    fn worlds_of_one_test_and_seed_have_different_names() {
        let first = name_of_world(7);
        assert!(first.ends_with("-seed7"), "{first}");
        assert!(first.contains("worlds_of_one_test_and_seed_have_different_names"), "{first}");
        assert_eq!(name_of_world(7), format!("{first}-2"));
    }

    #[test]
    fn a_program_built_by_cargo_leaves_files_beside_what_was_built() {
        let directory = default_directory();
        assert!(std::env::current_exe().unwrap().starts_with(directory.parent().unwrap()));
    }
}
