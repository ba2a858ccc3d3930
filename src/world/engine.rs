//! The loop of the simulated world: tasks, hosts, events, in that order, until nothing is left.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::limits;
use super::report::{Failure, RunError};
use super::state::{Machine, Main, World};

impl World {
    pub(super) fn run(&mut self, duration: Option<Duration>) -> std::result::Result<(), RunError> {
        if let Err(failure) = self.start_pending() {
            return Err(self.error(failure, None));
        }
        let result = {
            let guard = PanicReport { world: self };
            let result = guard.world.run_guarded(duration);
            std::mem::forget(guard);
            result
        };
        let captured = self.flush_captures();
        match result {
            Err(mut error) => {
                // The first error counts, but a capture that is incomplete must not look whole.
                if let Err(capture) = captured
                    && !matches!(error.failure, Failure::Capture { .. })
                {
                    error.details.push_str(&format!("\nalso: {}", capture.failure));
                }
                Err(error)
            }
            Ok(()) => captured,
        }
    }

    pub(super) fn run_guarded(
        &mut self,
        duration: Option<Duration>,
    ) -> std::result::Result<(), RunError> {
        let end = duration.map(|duration| self.now() + duration);
        let mut lingers_until = None;
        let mut unfinished = Vec::new();
        loop {
            self.settle()?;
            if let Some(error) = self.capture_failure.take() {
                return Err(self.error(Failure::Capture { message: error.to_string() }, None));
            }
            let clients_ended = self.clients_running == 0;
            if end.is_none() && clients_ended {
                let now = self.clock.now();
                let until = *lingers_until.get_or_insert(now.saturating_add(limits::LINGER));
                if !self.has_unfinished_business(&mut unfinished, now < until) {
                    break;
                }
            }
            let timer = self.clock.next_timer();
            let event = self.queue.next();
            let Some((at, _)) = earlier(timer, event) else {
                if end.is_none() && !clients_ended {
                    return Err(self.first_or(Failure::Deadlock));
                }
                break;
            };
            if end.is_some_and(|end| at > end.as_nanos()) {
                break;
            }
            if self.events >= self.event_limit {
                return Err(self.first_or(Failure::EventLimit { limit: self.event_limit }));
            }
            self.events += 1;
            if at > self.clock.now() {
                self.clock.advance_to(at);
                self.polls_at_instant = 0;
            }
            if timer.is_some() && earlier(timer, event) == timer {
                if let Some(timer) = timer {
                    self.clock.fire(timer);
                }
            } else {
                self.handle_event();
                self.handle_rest_of_burst();
            }
        }
        if let Some(end) = end {
            self.clock.advance_to(end.as_nanos().max(self.clock.now()));
        }
        self.first_error.take().map_or(Ok(()), Err)
    }

    /// Runs tasks and hosts until none has anything to do at this instant.
    pub(super) fn settle(&mut self) -> std::result::Result<(), RunError> {
        loop {
            let budget = limits::POLLS_PER_INSTANT.saturating_sub(self.polls_at_instant);
            let ran = self.executor.run_ready(budget);
            self.polls_at_instant += ran;
            if self.polls_at_instant >= limits::POLLS_PER_INSTANT {
                return Err(self.first_or(Failure::Spinning { polls: self.polls_at_instant }));
            }
            if ran > 0 {
                self.clock.end_round();
                self.collect_ended();
            }
            let mut dirty = std::mem::take(&mut self.dirty_now);
            self.dirty.take(&mut dirty);
            let settled = dirty.is_empty();
            for index in dirty.drain(..) {
                self.host_turn(index, None);
            }
            self.dirty_now = dirty;
            if settled {
                return Ok(());
            }
        }
    }

    /// Looks whether main tasks have ended, and with what.
    pub(super) fn collect_ended(&mut self) {
        for index in self.ended.take() {
            self.collect_main(index);
        }
        self.fail_on_lost_errors();
    }

    pub(super) fn collect_main(&mut self, index: u32) {
        let machine = &mut self.machines[index as usize];
        let Some(running) = &mut machine.running else { return };
        let Some(main) = &mut running.main else { return };
        let Poll::Ready(ended) = Pin::new(main).poll(&mut Context::from_waker(Waker::noop()))
        else {
            return;
        };
        running.main = None;
        let name = machine.name.clone();
        let is_client = matches!(machine.main, Main::Client(_));
        if is_client {
            self.clients_running -= 1;
        }
        if let Ok(Err(source)) = ended
            && self.first_error.is_none()
        {
            let failure = if is_client { Failure::Client { name } } else { Failure::Host { name } };
            self.first_error = Some(self.error(failure, Some(source)));
        }
    }

    /// Whether the run must go on though its clients have ended: something written, or a FIN,
    /// is not yet acknowledged; or, while it may `linger`, frames are on their way or the other
    /// side's FIN is awaited.
    pub(super) fn has_unfinished_business(&self, unfinished: &mut Vec<u32>, linger: bool) -> bool {
        if linger && self.queue.arrivals() > 0 {
            return true;
        }
        let is_unfinished = |machine: &Machine| {
            let running = machine.running.as_ref();
            running.is_some_and(|running| {
                running.host.look(|host| host.has_unfinished_orphans(linger))
            })
        };
        while let Some(host) = unfinished.last() {
            if is_unfinished(&self.machines[*host as usize]) {
                return true;
            }
            unfinished.pop();
        }
        // All that were known have finished: only now is it worth asking every host.
        let all = self.machines.iter().zip(0..);
        unfinished.extend(all.filter(|(machine, _)| is_unfinished(machine)).map(|(_, host)| host));
        !unfinished.is_empty()
    }

    /// Makes the captures whole as far as they go.
    pub(super) fn flush_captures(&mut self) -> std::result::Result<(), RunError> {
        let mut failed = None;
        for vantage in &mut self.vantages {
            if let Err(error) = vantage.flush() {
                failed.get_or_insert(error);
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(self.error(Failure::Capture { message: error.to_string() }, None)),
        }
    }
}

/// Prints the report when a task panics: the panic itself goes on to the caller of `run`.
struct PanicReport<'w> {
    world: &'w mut World,
}

impl Drop for PanicReport<'_> {
    fn drop(&mut self) {
        let world = &mut *self.world;
        eprintln!("a task panicked (seed {}, at {}){}", world.seed.0, world.now(), world.details());
        if let Err(error) = world.flush_captures() {
            eprintln!("{}", error.failure);
        }
        world.note_panic();
    }
}

fn earlier(timer: Option<(u64, u64)>, event: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (timer, event) {
        (Some(timer), Some(event)) => Some(timer.min(event)),
        (timer, event) => timer.or(event),
    }
}
