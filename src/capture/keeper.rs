//! Sees to it that captures are whole, whatever ends the process.
#![expect(
    clippy::disallowed_methods,
    reason = "a wall clock and a thread of its own decide when a capture is flushed, which changes nothing in a world"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long what was captured stays in memory at most.
const EACH: Duration = Duration::from_secs(1);
/// How often, and after what time each, an exit looks whether a capture that was being written to
/// at that moment can be had.
const TRIES: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// What can be flushed from another thread. False when it is in use at that moment.
pub(super) trait Kept: Send + Sync {
    /// Hands on what waits.
    fn flush(&self) -> bool;

    /// As the last thing before the process ends.
    fn settle(&self) -> bool;
}

/// All captures of this process.
static CAPTURES: Mutex<Captures> =
    Mutex::new(Captures { all: Vec::new(), has_thread: false, has_hook: false });

struct Captures {
    all: Vec<Arc<dyn Kept>>,
    has_thread: bool,
    has_hook: bool,
}

/// From now on it is flushed each second, and when the process exits.
pub(super) fn keep(capture: Arc<dyn Kept>) {
    let mut captures = captures();
    captures.all.push(capture);
    if !captures.has_thread {
        let started = thread::Builder::new().name("glassnet captures".to_owned()).spawn(flush_each);
        // Without it a capture is still flushed when it has grown, and in the end.
        captures.has_thread = started.is_ok();
    }
    if !captures.has_hook {
        captures.has_hook = true;
        #[cfg(target_os = "linux")]
        crate::device::at_exit(settle_all);
    }
}

pub(super) fn forget<K: Kept>(capture: &Arc<K>) {
    captures().all.retain(|kept| !std::ptr::addr_eq(Arc::as_ptr(kept), Arc::as_ptr(capture)));
}

fn captures() -> MutexGuard<'static, Captures> {
    CAPTURES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread. It ends when there is nothing to flush any more.
fn flush_each() {
    loop {
        thread::sleep(EACH);
        let all = {
            let mut captures = captures();
            captures.has_thread = !captures.all.is_empty();
            captures.all.clone()
        };
        if all.is_empty() {
            return;
        }
        for capture in &all {
            // One that is in use will have its turn in a second. A writer of somebody's own that
            // panics is no reason why others should not be flushed.
            let _ = catch_unwind(AssertUnwindSafe(|| capture.flush()));
        }
    }
}

#[cfg(target_os = "linux")]
extern "C" fn settle_all() {
    let all = captures().all.clone();
    for capture in all {
        for _ in 0..TRIES {
            if capture.settle() {
                break;
            }
            thread::sleep(BETWEEN_TRIES);
        }
    }
}
