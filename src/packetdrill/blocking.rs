//! Calls that take time.

use super::clock::{Due, seconds, tolerance};
use super::error::{Ended, Step, Stop};
use super::pending::{Pending, Reply};
use super::run::Run;
use super::script::Syscall;

/// How long a call may go on after the script says that it has ended, in nanoseconds.
const PATIENCE: u64 = 1_000_000_000;

impl Run<'_> {
    /// Starts a call. One that does not block must end at once.
    pub(super) fn start(
        &mut self,
        call: &Syscall,
        due: &Due,
        line: u32,
        future: impl Future<Output = Reply> + 'static,
    ) -> Step {
        let mut running = self.wire.start(future);
        let begun = self.now();
        match call.end {
            None => match running.take() {
                Some(reply) => self.finish(call, reply),
                None => Stop::failed("the call waits, and the script says that it does not"),
            },
            Some(end) => {
                let (call, ends) = (call.clone(), due.also(end));
                self.pending = Some(Pending { call, line, begun, ends, running });
                Ok(())
            }
        }
    }

    /// If the call that blocks has ended: whether it did so at its time, and as it should.
    pub(super) fn check_pending(&mut self) -> Result<(), Ended> {
        let ended = self.pending.as_ref().and_then(|pending| pending.running.ended_at());
        let Some((at, mut pending)) = ended.and_then(|at| Some((at, self.pending.take()?))) else {
            return Ok(());
        };
        let at = at.as_nanos();
        let allowed = tolerance(pending.ends.checked_sub(pending.begun), self.settings);
        let here = |why: String| {
            let name = &pending.call.name;
            (pending.line, Stop::Failed(format!("runtime error in {name} call: {why}")))
        };
        if at.abs_diff(pending.ends) > allowed {
            return Err(here(format!(
                "timing error: expected system call return at {} sec but happened at {} sec; \
                 tolerance {} sec",
                seconds(pending.ends),
                seconds(at),
                seconds(allowed)
            )));
        }
        let Some(reply) = pending.running.take() else { return Ok(()) };
        self.finish(&pending.call, reply).map_err(|stop| match stop {
            Stop::Failed(why) => here(why),
            skipped @ Stop::Skipped(_) => (pending.line, skipped),
        })
    }

    /// Lets time pass until the call that blocks has ended.
    pub(super) fn finish_pending(&mut self) -> Result<(), Ended> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let line = pending.line;
        let limit = pending.ends.max(self.now()) + PATIENCE;
        loop {
            self.check_pending()?;
            if self.pending.is_none() {
                return Ok(());
            }
            let next = self.wire.deadline().map(|next| next.as_nanos());
            match next.filter(|next| *next <= limit) {
                Some(next) => self.advance_to(next).map_err(|stop| (line, stop))?,
                None => {
                    let why = "a blocking system call is still in progress";
                    return Err((line, Stop::Failed(why.to_owned())));
                }
            }
        }
    }
}
