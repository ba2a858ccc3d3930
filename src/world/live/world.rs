//! A world on the wall clock, as a machine that is told what happens and says what it wants: it
//! waits for nothing and knows no descriptors. A driver feeds it.
//!
//! The driver calls [`LiveWorld::step`] until the world rests, sleeps until
//! [`LiveWorld::deadline`] or until something happens, and hands that to [`LiveWorld::handle`].
//! After each of these calls it sends what [`LiveWorld::take_sent`] gives it.

use std::future::Future;
use std::io;

use super::clock::WallClock;
use super::conflict::ConflictDetection;
use super::dhcp::{Birth, Change, Dhcp, OnLease, Outcome};
use super::settings::Setup;
use super::signals::is_impatient;
use super::uplink::{ONLY, Uplink};
use crate::capture::{Direction, Start};
use crate::device::{DeviceCounters, MAX_FRAME};
use crate::error::Result;
use crate::host::Host;
use crate::net::Turn;
use crate::task::{Alarm, Origin, Streams, Watched, context};
use crate::time::Instant;
use crate::wire::frame::FrameBuffer;
use crate::world::core::captures::Captures;
use crate::world::core::machine::Running;
use crate::world::core::report::{
    Hint, describe_panic, netstat_lines, write_netstat, write_waiting_tasks,
};
use crate::world::core::tasks::{HostStreams, Tasks};
use crate::world::plan::Plan;

const SECOND: u64 = 1_000_000_000;
/// How long a host that ends waits for the other side's FIN.
const LINGER: u64 = SECOND;
/// How long it goes on delivering what was written.
const CLOSING: u64 = 5 * SECOND;
/// Bytes of a burst that one ACK may stand for where kernels are the peers, whose windows grow by
/// the byte: at most half of the default window. On a cable the peers are of our own kind, and
/// their windows grow by the ACK.
const ACK_STRETCH: u32 = 32 * 1024;

pub(super) struct LiveWorld<'l> {
    plan: Plan,
    tasks: Tasks,
    machine: Running,
    uplink: Uplink<'l>,
    /// When the host wants its turn.
    deadline: Option<u64>,
    turn: Turn,
    used_hosts: Vec<u32>,
    conflicts: ConflictDetection,
    dhcp: Option<Dhcp<'l>>,
    phase: Phase,
    result: Result,
    stopped_by: Option<i32>,
    /// When to look again whether a host that ends has closed its connections.
    closes_at: Option<u64>,
}

/// How far a world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The main task has not begun: there may be no address yet.
    Starts,
    Runs,
    /// The main task has ended, and connections are closed.
    Closes {
        since: u64,
    },
    /// The last frames leave.
    Leaves {
        until: u64,
    },
    /// Nobody waits any longer.
    Ended,
}

/// What happens to a world from outside.
pub(super) enum Input {
    /// Time has gone on.
    Time,
    /// A frame arrived. Where more of them follow in the same burst, the host may wait with its
    /// answer.
    Frame { frame: FrameBuffer, more_follows: bool },
    /// A signal came.
    Signal(i32),
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more to do at once.
    Works,
    /// There may be more to do, but all that tasks do is yield.
    Yields,
    /// There is nothing to do now.
    Rests,
}

/// What is to be done when a world has nothing to do, or has worked long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next step, at once.
    Again,
    /// To wait for what happens.
    Wait,
    /// To take leave.
    Leave,
}

impl<'l> LiveWorld<'l> {
    pub(super) fn new(
        setup: Setup,
        captures: &'l mut Captures,
        on_lease: &'l mut Option<OnLease>,
        clock: WallClock,
        has_kernel_peers: bool,
    ) -> io::Result<LiveWorld<'l>> {
        let Setup { plan, names, is_impaired, has_neighbors, dhcp_on, .. } = setup;
        let tasks = Tasks::new();
        let impairments =
            is_impaired.then(|| plan.links().map(|(.., it)| it)).into_iter().flatten();
        let start = Start::Real(clock.began());
        let mut uplink = Uplink::new(plan.seed, impairments.last(), captures, clock);
        uplink.begin_captures(&plan, &names, start, tasks.executor.alarm())?;
        tasks.clock.set_real_start(clock.began());
        // On the wall clock a task may block for long on purpose: that is told, and no more.
        let (watched, limit) = (tasks.clock.clone(), plan.limits.poll_time);
        tasks.executor.watch(Watched { clock: watched, seed: plan.seed.0, limit, aborts: false });
        let ack_stretch = if has_kernel_peers { ACK_STRETCH } else { 0 };
        let birth = Birth::new(&plan, ONLY, ack_stretch);
        let (seed, name) = (plan.seed, plan.name(ONLY));
        tracing::info!(target: "glassnet::world", seed = seed.0, host = %name, "run");
        tracing::trace!(target: "glassnet::world", %plan, "built");
        let conflicts = ConflictDetection::new(&plan.host(ONLY).interface, has_neighbors);
        let streams = HostStreams {
            resolver: seed.stream(&format!("resolver {name}")),
            applications: Streams::new(seed, name, ""),
        };
        let machine = tasks.boot(ONLY, name, birth.host(None), &names, streams);
        let dhcp = dhcp_on.map(|on| {
            let stream = seed.stream(&format!("dhcp {name}"));
            Dhcp::new(birth, on, names.clone(), stream, on_lease)
        });
        Ok(LiveWorld {
            plan,
            tasks,
            machine,
            uplink,
            deadline: Some(0),
            turn: Turn::default(),
            used_hosts: Vec::new(),
            conflicts,
            dhcp,
            phase: Phase::Starts,
            result: Ok(()),
            stopped_by: None,
            closes_at: None,
        })
    }

    /// Rings when another thread has left something to do.
    pub(super) fn alarm(&self) -> &Alarm {
        self.tasks.executor.alarm()
    }

    /// Whether one frame may stand for several on the way to the device. With a capture or
    /// impairments, no: those are shown frames that a wire would have.
    pub(super) fn may_offload(&self) -> bool {
        self.uplink.may_offload()
    }

    /// The longest frame that the host's MTU allows, with an 802.1Q tag.
    pub(super) fn max_frame_len(&self) -> usize {
        let mtu = self.plan.options(self.plan.name(ONLY)).mtu_in_force();
        MAX_FRAME.min(mtu.max(1_500) + 18)
    }

    /// Makes this the world that runs on this thread, until what it returns is dropped.
    pub(super) fn enter(&self) -> impl Drop + use<> {
        context::take_panicked();
        self.tasks.clock.enter()
    }

    pub(super) fn span(&self) -> tracing::Span {
        self.machine.scope.span.clone()
    }

    /// The world's time, which goes on when it is told what happens.
    pub(super) fn now(&self) -> u64 {
        self.tasks.now()
    }

    pub(super) fn stopped_by(&self) -> Option<i32> {
        self.stopped_by
    }

    /// An empty buffer for a frame that may arrive.
    pub(super) fn take_buffer(&mut self, len: usize) -> FrameBuffer {
        self.uplink.traffic.pool.take(len)
    }

    pub(super) fn give_back(&mut self, frame: FrameBuffer) {
        self.uplink.traffic.pool.give_back(frame);
    }

    /// Moves to `frames` what the device is to send now. Their buffers are to be given back.
    pub(super) fn take_sent(&mut self, frames: &mut Vec<FrameBuffer>) {
        frames.append(&mut self.uplink.sent);
    }

    /// Whether the main task cannot begin yet: DHCP has not brought an address.
    pub(super) fn waits_for_address(&self) -> bool {
        self.stopped_by.is_none() && self.dhcp.as_ref().is_some_and(Dhcp::waits)
    }

    /// Begins the main task.
    pub(super) fn start<F>(&mut self, origin: Origin, main: F)
    where
        F: Future<Output = Result> + 'static,
    {
        self.machine.start(origin, main);
        self.phase = Phase::Runs;
    }

    /// What `main` has ended with.
    pub(super) fn take_result(&mut self) -> Result {
        std::mem::replace(&mut self.result, Ok(()))
    }

    /// Lets each task that can run, and then the host, have its turn.
    pub(super) fn step(&mut self) -> io::Result<Progress> {
        let round = self.tasks.executor.run_round();
        // Threads beside this one, whose tasks are not counted, use sockets, too.
        self.tasks.clock.end_round();
        self.tasks.take_used(&mut self.used_hosts);
        let was_used = !self.used_hosts.is_empty();
        self.used_hosts.clear();
        let is_due = self.deadline.is_some_and(|at| at <= self.tasks.now());
        if was_used || is_due {
            self.host_turn(None, false);
            self.check_captures()?;
        } else if round.polls == 0 {
            return Ok(Progress::Rests);
        }
        Ok(if round.only_yields() { Progress::Yields } else { Progress::Works })
    }

    /// Something happens at `now`.
    pub(super) fn handle(&mut self, now: u64, input: Input) -> io::Result<()> {
        let now = now.max(self.tasks.now());
        self.tasks.clock.advance_to(now);
        match input {
            Input::Signal(signal) => {
                self.stop(signal);
                return Ok(());
            }
            Input::Time => {
                self.fire_timers();
                while let Some(dhcp) = &mut self.dhcp
                    && let Some(outcome) = dhcp.do_due(now, &mut self.uplink.traffic.pool)
                {
                    self.follow(outcome)?;
                }
                for frame in self.conflicts.due(now, &mut self.uplink.traffic.pool) {
                    self.send(frame);
                }
                self.uplink.deliver_due(now);
            }
            Input::Frame { frame, more_follows } => {
                self.uplink.capture(Direction::Inbound, &[], &frame);
                self.check_captures()?;
                self.conflicts.check(now, &frame)?;
                let pool = &mut self.uplink.traffic.pool;
                let (rest, outcome) = match &mut self.dhcp {
                    Some(dhcp) => dhcp.receive(now, frame, pool),
                    None => (Some(frame), Outcome::default()),
                };
                self.follow(outcome)?;
                self.host_turn(rest, more_follows);
            }
        }
        self.check_captures()
    }

    /// Whether the last frame changed the state of a connection: tasks must have their turn before
    /// the next one.
    pub(super) fn has_changed_states(&self) -> bool {
        self.turn.state_changed
    }

    /// When time must go on, at the latest, though nothing happens; `None` is never.
    pub(super) fn deadline(&self) -> Option<u64> {
        if !self.tasks.is_idle() {
            return Some(self.tasks.now());
        }
        let deadlines = [
            self.deadline,
            self.tasks.clock.next_timer().map(|(at, _)| at),
            self.uplink.deadline(),
            self.conflicts.deadline(),
            self.dhcp.as_ref().and_then(Dhcp::deadline),
            self.closes_at,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Hands on what readers of captures may be waiting for.
    pub(super) fn flush_streams(&mut self) -> io::Result<()> {
        self.uplink.captures.flush_streams()
    }

    /// What is to be done after a step. `is_flushed`: the device has sent everything.
    pub(super) fn next(&mut self, is_flushed: bool) -> Next {
        match self.phase {
            Phase::Runs => {
                let ended = self.machine.take_end();
                if ended.is_none() && self.stopped_by.is_none() {
                    return Next::Wait;
                }
                if let Some(Ok(result)) = ended {
                    self.result = result;
                }
                self.tasks.executor.shut_down();
                self.phase = Phase::Closes { since: self.tasks.now() };
                Next::Again
            }
            Phase::Closes { since } => match self.has_closed(since, is_flushed) {
                true => Next::Leave,
                false => Next::Wait,
            },
            Phase::Starts | Phase::Leaves { .. } | Phase::Ended => Next::Leave,
        }
    }

    /// Whether nothing is left to be delivered, or it takes too long.
    fn has_closed(&mut self, since: u64, is_flushed: bool) -> bool {
        let waited = self.tasks.now().saturating_sub(since);
        if waited >= CLOSING {
            return true;
        }
        // It is looked at again when something arrives, or when the time is over.
        self.closes_at = Some(since + if waited < LINGER { LINGER } else { CLOSING });
        let host = &self.machine.host;
        let is_open = host.look(|host| host.has_unfinished_orphans(waited < LINGER));
        !is_open && self.has_sent_all(is_flushed)
    }

    fn has_sent_all(&self, is_flushed: bool) -> bool {
        is_flushed && self.uplink.is_empty()
    }

    /// Ends all tasks, and tells whoever waits for this host that it goes: connections that are
    /// still open are reset, and its address is given back.
    pub(super) fn leave(&mut self) -> io::Result<()> {
        self.tasks.executor.shut_down();
        if self.dhcp.as_ref().is_some_and(Dhcp::is_over) {
            self.phase = Phase::Ended;
            return Ok(());
        }
        self.machine.host.call(|host, now| host.reset_connections(now));
        self.host_turn(None, false);
        let pool = &mut self.uplink.traffic.pool;
        if let Some(last) = self.dhcp.as_mut().and_then(|dhcp| dhcp.release(pool)) {
            self.send(last);
        }
        let until = self.tasks.now().saturating_add(LINGER);
        self.closes_at = Some(until);
        self.phase = Phase::Leaves { until };
        self.check_captures()
    }

    /// Whether something is still to be sent, and may be soon.
    pub(super) fn is_leaving(&self, is_flushed: bool) -> bool {
        match self.phase {
            Phase::Leaves { until } => !self.has_sent_all(is_flushed) && self.tasks.now() < until,
            _ => false,
        }
    }

    /// Whether nobody waits for it any longer.
    pub(super) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Makes the captures whole, and says how it was.
    pub(super) fn conclude(&mut self, ended: &Result, counters: DeviceCounters) -> io::Result<()> {
        let scope = &self.machine.scope;
        if let Err(error) = ended
            && let Some(failed_call) = scope.failed_call_behind(error)
        {
            tracing::info!(target: "glassnet::world", %failed_call, "main has failed");
        }
        let settled = self.uplink.captures.settle();
        let host = &self.machine.host;
        tracing::info!(
            target: "glassnet::world",
            received = counters.received,
            sent = counters.sent,
            dropped = counters.dropped,
            retransmissions = host.look(Host::retransmissions),
            discarded = %host.look(Host::counters),
            "run has ended"
        );
        settled
    }

    fn stop(&mut self, signal: i32) {
        match self.phase {
            Phase::Starts => self.stopped_by = Some(signal),
            Phase::Leaves { .. } => {
                self.stopped_by = Some(signal);
                self.phase = Phase::Ended;
            }
            Phase::Runs | Phase::Closes { .. } | Phase::Ended => {
                tracing::info!(target: "glassnet::world", signal, "stops");
                if self.stopped_by.is_some() && is_impatient(signal) {
                    self.stopped_by = Some(signal);
                    self.phase = Phase::Ended;
                }
                self.stopped_by.get_or_insert(signal);
            }
        }
    }

    fn fire_timers(&mut self) {
        let now = self.tasks.now();
        while let Some(timer) = self.tasks.clock.next_timer()
            && timer.0 <= now
        {
            self.tasks.clock.fire(timer);
        }
    }

    fn host_turn(&mut self, arrived: Option<FrameBuffer>, more_follows: bool) {
        let pool = &mut self.uplink.traffic.pool;
        let deadline = self.machine.host.turn(arrived, more_follows, pool, &mut self.turn);
        if !more_follows || self.turn.state_changed {
            self.deadline = deadline;
        }
        self.turn.changes.clear();
        for discarded in self.turn.discarded.drain(..) {
            self.uplink.tell_discarded(self.plan.name(ONLY), discarded);
        }
        self.uplink.send_all(&self.tasks.clock, &mut self.turn.sent);
    }

    fn send(&mut self, frame: FrameBuffer) {
        self.uplink.send(&self.tasks.clock, frame);
    }

    /// Does what DHCP has brought.
    fn follow(&mut self, outcome: Outcome) -> io::Result<()> {
        outcome.sent.into_iter().for_each(|frame| self.send(frame));
        match outcome.change.transpose()? {
            None => {}
            Some(Change::Host(host, address)) => {
                // Nothing holds a socket yet, so that the host can be another one.
                self.machine.host.call(|made, _| *made = *host);
                self.deadline = Some(0);
                self.conflicts.watch(address);
            }
            Some(Change::Gateways(gateways)) => {
                self.machine.host.call(|host, _| host.set_gateways(&gateways));
            }
        }
        Ok(())
    }

    /// The first error of writing a capture is one of the run.
    fn check_captures(&mut self) -> io::Result<()> {
        self.uplink.captures.take_failure().map_or(Ok(()), Err)
    }

    /// The panic itself goes on to the caller of `run`.
    fn report_panic(&self) {
        let now = self.tasks.now();
        let mut text = describe_panic(&format!("at {}", Instant::from_nanos(now)));
        write_waiting_tasks(&mut text, &self.tasks.executor, Hint::Spared);
        write_netstat(&mut text, netstat_lines(self.plan.name(ONLY), &self.machine.host));
        eprintln!("{text}");
    }
}

impl Drop for LiveWorld<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report_panic();
        } else {
            self.tasks.executor.shut_down();
        }
        // A thread that waits for a socket of this host would wait for ever.
        self.machine.host.call(|host, _| host.crash());
    }
}
