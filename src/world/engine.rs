//! The loop of the simulated world: tasks, hosts, events, in that order, until nothing is left.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::limits;
use super::pace::Settled;
use super::report::{Failure, RunError, describe_panic};
use super::state::{Machine, Main, World};
use crate::task::context;
use crate::time::END;

impl World {
    pub(super) fn run(&mut self, duration: Option<Duration>) -> std::result::Result<(), RunError> {
        let _running = self.clock.enter();
        if let Err(failure) = self.watch_polls().and_then(|()| self.start_pending()) {
            return Err(self.error(failure, None));
        }
        context::take_panicked();
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
        let end = duration.map(|duration| (self.now() + duration).as_nanos().min(END));
        let limit = self.time_limit;
        let last = end.unwrap_or_else(|| (self.now() + limit).as_nanos().min(END));
        let mut lingers_until = None;
        let mut unfinished = Vec::new();
        loop {
            let settled = self.settle()?;
            if let Some(wall) = self.wall.as_ref().filter(|wall| wall.is_up()) {
                let limit = wall.limit();
                return Err(self.error(Failure::WallLimit { limit }, None));
            }
            if let Some(error) = self.capture_failure.take() {
                return Err(self.error(Failure::Capture { message: error.to_string() }, None));
            }
            let clients_ended = self.clients_running == 0;
            if end.is_none() && clients_ended && settled != Settled::Busy {
                let now = self.clock.now();
                let until = *lingers_until.get_or_insert(now.saturating_add(limits::LINGER));
                if !self.has_unfinished_business(&mut unfinished, now < until) {
                    break;
                }
            }
            let timer = self.clock.next_timer();
            let event = self.queue.next();
            let next = earlier(timer, event).filter(|(at, _)| *at <= END);
            let is_due = next.is_some_and(|(at, _)| at <= self.clock.now());
            if !is_due && !self.lets_time_go_on(settled) {
                continue;
            }
            let Some((at, _)) = next else {
                if end.is_some() || clients_ended {
                    break;
                }
                if settled == Settled::Yielding {
                    continue;
                }
                return Err(self.error(Failure::Deadlock, None));
            };
            if at > last {
                if end.is_some() || clients_ended {
                    break;
                }
                self.clock.advance_to(last);
                let waiting = self.waiting_clients();
                return Err(self.error(Failure::TimeLimit { limit, waiting }, None));
            }
            if self.events >= self.event_limit {
                return Err(self.error(Failure::EventLimit { limit: self.event_limit }, None));
            }
            self.events += 1;
            self.pace.goes_on();
            if at > self.clock.now() {
                self.clock.advance_to(at);
                self.pace.begins_an_instant();
            }
            if timer.is_some() && earlier(timer, event) == timer {
                if let Some(timer) = timer {
                    self.fire(timer);
                }
            } else {
                self.handle_event();
                self.handle_rest_of_burst();
            }
        }
        if let Some(end) = end {
            self.clock.advance_to(end.max(self.clock.now()));
        }
        Ok(())
    }

    /// Runs tasks and hosts in turn, until none has anything to do at this instant, or all that
    /// tasks do is yield, or events that are due must have their turn.
    pub(super) fn settle(&mut self) -> std::result::Result<Settled, RunError> {
        for _ in 0..limits::ROUNDS {
            let round = self.executor.run_round();
            if round.polls > 0 {
                self.clock.end_round();
                self.collect_ended();
            }
            if let Some(error) = self.first_error.take() {
                return Err(error);
            }
            let mut dirty = std::mem::take(&mut self.dirty_now);
            self.dirty.take(&mut dirty);
            let is_resting = round.polls == 0 && dirty.is_empty();
            let sent_before = self.next_packet_id;
            let mut has_worked = false;
            for index in dirty.drain(..) {
                self.host_turn(index, None);
                has_worked |= self.turn.state_changed;
            }
            self.dirty_now = dirty;
            has_worked |= self.next_packet_id != sent_before;
            if is_resting {
                self.pace.goes_on();
                return Ok(Settled::Resting);
            }
            if let Err(polls) = self.pace.note(round, has_worked, self.poll_limit, self.event_limit)
            {
                let tasks = self.executor.last_tasks();
                return Err(self.error(Failure::Spinning { polls, tasks }, None));
            }
            if round.only_yields() {
                return Ok(Settled::Yielding);
            }
        }
        Ok(Settled::Busy)
    }

    /// Fires a timer. In random order those due with it have to fire before tasks run, else the
    /// order in which timers were set would be that of the tasks.
    fn fire(&mut self, timer: (u64, u64)) {
        self.clock.fire(timer);
        if self.executor.has_random_order() {
            while let Some(next) = self.clock.next_timer().filter(|(at, _)| *at == timer.0) {
                self.events += 1;
                self.clock.fire(next);
            }
        }
    }

    /// Whether the clock may move, as far as tasks are concerned.
    fn lets_time_go_on(&self, settled: Settled) -> bool {
        match settled {
            Settled::Resting => true,
            Settled::Yielding => self.pace.has_yielded_enough(),
            Settled::Busy => false,
        }
    }

    /// What the main tasks of clients that have not ended wait for.
    fn waiting_clients(&self) -> Vec<String> {
        let clients = self.machines.iter().filter(|machine| {
            let runs = machine.running.as_ref().is_some_and(|running| running.main.is_some());
            runs && matches!(machine.main, Main::Client(_))
        });
        let tasks = self.executor.waiting_tasks();
        let main_of = |client: &Machine| tasks.iter().find(|task| task.host() == client.name);
        clients.filter_map(main_of).map(ToString::to_string).collect()
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
        let scope = running.scope.clone();
        let name = machine.name.clone();
        let is_client = matches!(machine.main, Main::Client(_));
        if is_client {
            self.clients_running -= 1;
        }
        if let Ok(Err(source)) = ended
            && self.first_error.is_none()
        {
            let failure = if is_client { Failure::Client { name } } else { Failure::Host { name } };
            self.first_error = Some(self.error_of_main(failure, source, &scope));
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

/// Prints the report when something panics, which is a task or an observer: the panic itself goes on
/// to the caller of `run`.
struct PanicReport<'w> {
    world: &'w mut World,
}

impl Drop for PanicReport<'_> {
    fn drop(&mut self) {
        let world = &mut *self.world;
        let panicked = describe_panic(&format!("seed {}, at {}", world.seed.0, world.now()));
        eprintln!("{panicked}{}", world.details());
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
