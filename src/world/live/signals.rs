//! The signals that end a run, as something to wait for.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// Whether a second signal, this one, ends a run at once that is ending already. A terminal that
/// ends and its shell may both send SIGHUP.
pub(super) fn is_impatient(signal: i32) -> bool {
    signal != SIGHUP
}

/// Runs that catch the signals now. With none, the default action is restored.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The signals of one run.
pub(super) struct Signals {
    caught: Vec<(i32, UnixStream, SigId)>,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let caught = ending().iter().map(|signal| catch_one(*signal)).collect::<io::Result<_>>()?;
        RUNS.fetch_add(1, Ordering::SeqCst);
        default_action()?.store(false, Ordering::SeqCst);
        Ok(Signals { caught })
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.caught.iter().map(|(_, pipe, _)| pipe.as_fd())
    }

    /// The signal that came since this was last asked.
    pub(super) fn take(&mut self) -> Option<i32> {
        let mut bytes = [0; 64];
        let came = |(signal, pipe, _): &mut (i32, UnixStream, SigId)| {
            pipe.read(&mut bytes).is_ok_and(|len| len > 0).then_some(*signal)
        };
        self.caught.iter_mut().find_map(came)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (_, _, id) in &self.caught {
            low_level::unregister(*id);
        }
        if RUNS.fetch_sub(1, Ordering::SeqCst) == 1
            && let Ok(is_default) = default_action()
        {
            is_default.store(true, Ordering::SeqCst);
        }
    }
}

/// SIGINT, SIGTERM, and SIGHUP unless it was ignored when the first run began, as nohup(1) has it.
fn ending() -> &'static [i32] {
    static ENDING: OnceLock<&[i32]> = OnceLock::new();
    if let Some(ending) = ENDING.get() {
        return ending;
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let is_hangup_ignored = ignored & (1 << (SIGHUP - 1)) != 0;
    let of_all = &[SIGINT, SIGTERM, SIGHUP];
    ENDING.get_or_init(|| if is_hangup_ignored { &of_all[..2] } else { of_all })
}

fn catch_one(signal: i32) -> io::Result<(i32, UnixStream, SigId)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let id = low_level::pipe::register(signal, theirs)?;
    Ok((signal, ours, id))
}

/// Whether the signals have their default action. A handler once set stays.
fn default_action() -> io::Result<Arc<AtomicBool>> {
    static IS_DEFAULT: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(is_default) = IS_DEFAULT.get() {
        return Ok(is_default.clone());
    }
    let is_default = IS_DEFAULT.get_or_init(Arc::default).clone();
    for signal in ending() {
        flag::register_conditional_default(*signal, is_default.clone())?;
    }
    Ok(is_default)
}
