//! The process of a world: without what would make it differ from another of the same seed.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_ulong, prctl};

/// Variables of the environment that a process of a world is given, beside those that begin with a
/// prefix: what loads it and says where files go.
const PASSED: [&str; 5] = ["HOME", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "PATH", "TMPDIR"];
/// What cargo, its test harness, nextest, sanitizers and this crate ask.
const PREFIXES: [&str; 7] = ["ASAN_", "CARGO", "GLASSNET_", "LSAN_", "NEXTEST", "RUST", "TSAN_"];

/// The value of `OPENSSL_ia32cap` with which aws-lc and OpenSSL take no random numbers from the
/// processor, but from the system, and so from the world.
const WITHOUT_RDRAND: &str = "~0x4000000000000000";

/// What `personality(2)` is asked for to tell how it is set.
const ASK: c_ulong = 0xffff_ffff;

/// Makes a command one of a process of a world: with the environment that is passed to it, with its
/// memory at the same addresses in every run, and not longer alive than the thread that starts it.
#[allow(clippy::disallowed_methods, reason = "the environment is looked at before a world begins")]
pub(crate) fn prepare(command: &mut Command) {
    let given: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        let is_passed = name.to_str().is_some_and(|name| {
            PASSED.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if is_passed {
            command.env(name, value);
        }
    }
    command.env("OPENSSL_ia32cap", WITHOUT_RDRAND).env("TZ", "UTC");
    for (name, value) in given {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    warn_unless_addresses_can_be_fixed();
    // SAFETY: between fork and exec it makes two system calls, and nothing else.
    unsafe {
        command.pre_exec(|| {
            fix_addresses();
            prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong);
            Ok(())
        });
    }
}

/// Has the next program of this process at the same addresses in every run. False where the system
/// does not allow it.
fn fix_addresses() -> bool {
    // SAFETY: it changes nothing but what the next program is given.
    unsafe {
        let current = libc::personality(ASK);
        current >= 0 && libc::personality((current | libc::ADDR_NO_RANDOMIZE) as c_ulong) >= 0
    }
}

/// Container runtimes may forbid it.
fn warn_unless_addresses_can_be_fixed() {
    static IS_KNOWN: AtomicBool = AtomicBool::new(false);
    if IS_KNOWN.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: it is this thread's alone, and set back.
    let before = unsafe { libc::personality(ASK) };
    if !fix_addresses() {
        eprintln!(
            "glassnet: this system does not let a process have its memory at fixed addresses \
             (personality(2)): programs that hash pointers may differ from run to run"
        );
    }
    if before >= 0 {
        // SAFETY: as above.
        unsafe { libc::personality(before as c_ulong) };
    }
}
