//! The loop of the simulated world: tasks, hosts, events, in that order, until nothing is left.

use std::time::Duration;

use super::failure::{Failure, RunError};
use super::machine::Machine;
use super::pace::Settled;
use super::world::World;
use crate::clock::END;
use crate::host::Host;
use crate::task::{TaskError, context};
use crate::world::core::limits::ROUNDS;
use crate::world::core::report::describe_panic;

/// How long a run goes on after its clients have ended, in nanoseconds, only so that connections
/// which wait for the other side's FIN can be seen to close.
const LINGER: u64 = 1_000_000_000;

/// How far a run goes.
pub(super) enum Goal<'g> {
    /// Until all clients have ended.
    Clients,
    /// For a time.
    For(Duration),
    /// Until this is true.
    Until(&'g mut dyn FnMut() -> bool),
    /// One event.
    Step,
}

impl Goal<'_> {
    /// Whether a run ends that far whatever the clients do.
    pub(super) fn is_timed(&self) -> bool {
        !matches!(self, Goal::Clients)
    }
}

impl World {
    /// Runs as far as `goal` says. Returns whether it came as far.
    pub(super) fn run(&mut self, goal: Goal<'_>) -> Result<bool, RunError> {
        let _running = self.tasks.clock.enter();
        // Threads of hosts' programs may ask what was left so far.
        let _driving = (!self.has_threads()).then(|| self.tasks.drive());
        self.carry_out_orders();
        if let Err(failure) = self.watch_polls().and_then(|()| self.start_pending()) {
            return Err(self.error(failure, None));
        }
        context::take_panicked();
        let result = {
            let guard = PanicReport { world: self };
            let result = guard.world.run_guarded(goal);
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
            Ok(reached) => captured.map(|()| reached),
        }
    }

    fn run_guarded(&mut self, mut goal: Goal<'_>) -> Result<bool, RunError> {
        let end = match goal {
            Goal::For(duration) => Some((self.now() + duration).as_nanos().min(END)),
            Goal::Step => Some(END),
            Goal::Clients | Goal::Until(_) => None,
        };
        let limit = self.plan.limits.time;
        let last = end.unwrap_or_else(|| (self.now() + limit).as_nanos().min(END));
        // A run until something is so also ends where the clients have, if there are any.
        let ends_with_clients = match goal {
            Goal::Clients => true,
            Goal::Until(_) => self.machines.all().iter().any(Machine::is_client),
            Goal::For(_) | Goal::Step => false,
        };
        let mut has_stepped = false;
        let mut lingers_until = None;
        let mut unfinished = Vec::new();
        loop {
            let settled = self.settle()?;
            if let Some(wall) = self.wall.as_ref().filter(|wall| wall.is_up()) {
                let limit = wall.limit();
                return Err(self.error(Failure::WallLimit { limit }, None));
            }
            if let Some(error) = self.captures.take_failure() {
                return Err(self.error(Failure::Capture { message: error.to_string() }, None));
            }
            let is_reached = match &mut goal {
                Goal::Until(is_so) => is_so(),
                Goal::Step => has_stepped,
                Goal::Clients | Goal::For(_) => false,
            };
            if is_reached {
                return Ok(true);
            }
            let clients_ended = self.machines.clients_running() == 0;
            if ends_with_clients && clients_ended && settled != Settled::Busy {
                let now = self.tasks.now();
                let until = *lingers_until.get_or_insert(now.saturating_add(LINGER));
                if !self.has_unfinished_business(&mut unfinished, now < until) {
                    break;
                }
            }
            let timer = self.tasks.clock.next_timer();
            let event = self.traffic.queue.next();
            let next = earlier(timer, event).filter(|(at, _)| *at <= END);
            let is_due = next.is_some_and(|(at, _)| at <= self.tasks.now());
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
                if self.is_woken_from_outside() {
                    continue;
                }
                return Err(self.error(Failure::Deadlock, None));
            };
            if at > last {
                if end.is_some() || ends_with_clients && clients_ended {
                    break;
                }
                self.tasks.clock.advance_to(last);
                let waiting = self.waiting_clients();
                let failure = match goal {
                    Goal::Until(_) => Failure::ConditionLimit { limit, waiting },
                    _ => Failure::TimeLimit { limit, waiting },
                };
                return Err(self.error(failure, None));
            }
            self.check_event_limit()?;
            self.events += 1;
            self.pace.goes_on();
            if at > self.tasks.now() {
                self.tasks.clock.advance_to(at);
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
            has_stepped = true;
        }
        match (goal, end) {
            (Goal::For(_), Some(end)) => {
                self.tasks.clock.advance_to(end.max(self.tasks.now()));
                Ok(true)
            }
            (Goal::Clients, _) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Whether programs of hosts have threads.
    fn has_threads(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.outside.is_some();
        #[cfg(not(feature = "tokio"))]
        false
    }

    /// Whether a thread outside of the world has woken a task, or does so before long: it may hold
    /// what a thread of a host's program waits for.
    fn is_woken_from_outside(&self) -> bool {
        #[cfg(feature = "tokio")]
        if let Some(outside) = self.outside {
            return outside(&|| !self.tasks.executor.is_idle());
        }
        false
    }

    /// Runs tasks and hosts in turn, until none has anything to do at this instant, or all that
    /// tasks do is yield, or events that are due must have their turn.
    fn settle(&mut self) -> Result<Settled, RunError> {
        for _ in 0..ROUNDS {
            let round = self.tasks.executor.run_round();
            if round.polls > 0 {
                if !round.is_cut {
                    self.tasks.clock.end_round();
                }
                self.collect_ended();
            }
            let has_orders = self.desk.has_orders();
            if has_orders {
                self.carry_out_orders();
                self.check_event_limit()?;
            }
            if let Some(error) = self.first_error.take() {
                return Err(error);
            }
            let mut used = std::mem::take(&mut self.used_hosts);
            self.tasks.take_used(&mut used);
            let is_resting = round.polls == 0 && used.is_empty() && !has_orders;
            let sent_before = self.traffic.packets();
            let mut has_worked = false;
            for index in &used {
                self.host_turn(*index, None);
                has_worked |= self.turn.state_changed;
            }
            used.clear();
            self.used_hosts = used;
            has_worked |= self.traffic.packets() != sent_before;
            if is_resting {
                self.pace.goes_on();
                return Ok(Settled::Resting);
            }
            if let Err(polls) = self.pace.note(round, has_worked, &self.plan.limits) {
                let tasks = self.tasks.executor.last_tasks();
                return Err(self.error(Failure::Spinning { polls, tasks }, None));
            }
            if round.only_yields() {
                return Ok(Settled::Yielding);
            }
        }
        Ok(Settled::Busy)
    }

    fn check_event_limit(&self) -> Result<(), RunError> {
        let limit = self.plan.limits.events;
        match self.events < limit {
            true => Ok(()),
            false => Err(self.error(Failure::EventLimit { limit }, None)),
        }
    }

    /// Fires a timer. In random order those due with it have to fire before tasks run, else the
    /// order in which timers were set would be that of the tasks.
    fn fire(&mut self, timer: (u64, u64)) {
        let clock = &self.tasks.clock;
        if let Some(journal) = &self.journal {
            journal.note_timer(timer.0);
        }
        clock.fire(timer);
        if self.tasks.executor.has_random_order() {
            while let Some(next) = clock.next_timer().filter(|(at, _)| *at == timer.0) {
                self.events += 1;
                clock.fire(next);
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
        let clients = self.machines.all().iter().zip(self.plan.hosts());
        let clients = clients.filter(|(machine, _)| machine.is_running_client());
        let tasks = self.tasks.executor.waiting_tasks();
        let main_of = |name: &str| tasks.iter().find(|task| task.host() == name);
        clients.filter_map(|(_, plan)| main_of(&plan.name)).map(ToString::to_string).collect()
    }

    /// Looks whether main tasks have ended, and with what.
    pub(super) fn collect_ended(&mut self) {
        for index in self.machines.take_ended() {
            self.collect_main(index);
        }
        self.fail_on_lost_errors();
    }

    fn collect_main(&mut self, index: u32) {
        let Some((running, ended)) = self.machines.collect_main(index) else { return };
        let scope = running.scope.clone();
        if let Err(source) = ended
            && self.first_error.is_none()
        {
            let name = self.plan.name(index).to_owned();
            let failure = match self.machines.get(index).is_client() {
                true => Failure::Client { name },
                false => Failure::Host { name },
            };
            self.first_error = Some(self.error_of_main(failure, source, &scope));
        }
    }

    /// In a strict world an error that a task returned to nobody is one of the run.
    fn fail_on_lost_errors(&mut self) {
        if self.verdict.is_strict()
            && self.first_error.is_none()
            && let Some(TaskError { host, error, .. }) = self.tasks.executor.lost_errors().first()
        {
            let failure = Failure::Task { host, message: error };
            self.first_error = Some(self.error(failure, None));
        }
    }

    /// Whether the run must go on though its clients have ended: something written, or a FIN,
    /// is not yet acknowledged; or, while it may `linger`, frames are on their way or the other
    /// side's FIN is awaited.
    fn has_unfinished_business(&self, unfinished: &mut Vec<u32>, linger: bool) -> bool {
        if linger && self.traffic.queue.arrivals() > 0 {
            return true;
        }
        let is_unfinished = |machine: &Machine| {
            machine.running().is_some_and(|running| {
                running.host.look(|host: &Host| host.has_unfinished_orphans(linger))
            })
        };
        while let Some(host) = unfinished.last() {
            if is_unfinished(self.machines.get(*host)) {
                return true;
            }
            unfinished.pop();
        }
        // All that were known have finished: only now is it worth asking every host.
        let all = self.machines.all().iter().zip(0..);
        unfinished.extend(all.filter(|(machine, _)| is_unfinished(machine)).map(|(_, host)| host));
        !unfinished.is_empty()
    }

    /// Makes the captures whole as far as they go.
    fn flush_captures(&mut self) -> Result<(), RunError> {
        match self.captures.settle() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.error(Failure::Capture { message: error.to_string() }, None)),
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
        let panicked = describe_panic(&format!("seed {}, at {}", world.plan.seed.0, world.now()));
        eprintln!("{panicked}{}", world.details());
        if let Err(error) = world.flush_captures() {
            eprintln!("{}", error.failure);
        }
        world.verdict.note_panic();
    }
}

fn earlier(timer: Option<(u64, u64)>, event: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (timer, event) {
        (Some(timer), Some(event)) => Some(timer.min(event)),
        (timer, event) => timer.or(event),
    }
}
