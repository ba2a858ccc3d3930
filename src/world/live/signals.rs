//! The signals that end a run, as something to wait for.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// Whether who sends this signal to a run that ends already has no more patience. A terminal that
/// ends and its shell may both say so.
pub(super) fn is_impatient(signal: i32) -> bool {
    signal != SIGHUP
}

/// Runs that catch the signals now. While there is none, they end the program as ever.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The signals of one run.
pub(super) struct Signals {
    caught: Vec<(i32, UnixStream, SigId)>,
}

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let caught = ending().iter().map(|signal| catch_one(*signal)).collect::<io::Result<_>>()?;
        RUNS.fetch_add(1, Ordering::SeqCst);
        as_ever()?.store(false, Ordering::SeqCst);
        Ok(Signals { caught })
    }

    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.caught.iter().map(|(_, pipe, _)| pipe.as_fd())
    }

    /// The signal that came since this was last asked.
    pub(super) fn take(&mut self) -> Option<i32> {
        let mut octet = [0; 64];
        let came = |(signal, pipe, _): &mut (i32, UnixStream, SigId)| {
            pipe.read(&mut octet).is_ok_and(|len| len > 0).then_some(*signal)
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
            && let Ok(as_ever) = as_ever()
        {
            as_ever.store(true, Ordering::SeqCst);
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

/// Whether the signals do what they do without a handler. A handler once set stays.
fn as_ever() -> io::Result<Arc<AtomicBool>> {
    static AS_EVER: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(as_ever) = AS_EVER.get() {
        return Ok(as_ever.clone());
    }
    let as_ever = AS_EVER.get_or_init(Arc::default).clone();
    for signal in ending() {
        flag::register_conditional_default(*signal, as_ever.clone())?;
    }
    Ok(as_ever)
}
