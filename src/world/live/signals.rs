//! SIGINT and SIGTERM, as something to wait for.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// Runs that catch the signals now. While there is none, they end the program as ever.
static RUNS: AtomicUsize = AtomicUsize::new(0);

/// The signals of one run.
pub(super) struct Signals {
    caught: [(i32, UnixStream, SigId); 2],
}

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let caught = [catch_one(SIGINT)?, catch_one(SIGTERM)?];
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
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, as_ever.clone())?;
    }
    Ok(as_ever)
}
