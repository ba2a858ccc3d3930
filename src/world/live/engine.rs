//! The loop of the live world: tasks, host, frames out, sleep, frames in.

mod dhcp;
mod leave;

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use self::dhcp::{Birth, Dhcp};
use super::OnLease;
use super::presence::Presence;
use super::settings::Plan;
use super::signals::{Signals, is_impatient};
use super::vantage::Vantage;
use super::wire::Wire;
use crate::capture::{Direction, TlsSecrets};
use crate::device::{Device, LARGEST_FRAME};
use crate::error::Result;
use crate::host::{DirtyHosts, Discarded, Host, HostHandle, Turn};
use crate::net::{Attachment, NameService};
use crate::network::{DropReason, Fate};
use crate::task::{Executor, HostScope, JoinHandle, Origin, Streams, Watched, context};
use crate::time::{Clock, Instant as WorldInstant};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::world::frames::describe_alone;
use crate::world::limits::POLL_TIME;
use crate::world::report::{
    Hint, describe_panic, netstat_lines, write_netstat, write_waiting_tasks,
};

const SECOND: u64 = 1_000_000_000;
/// Frames that are taken in before tasks, timers and signals have their turn.
const BATCH: usize = 64;
/// Octets of a batch that one ACK may stand for where kernels are the peers, whose windows grow by
/// the octet: at most half of the default window. On a cable the peers are of our own kind, and
/// their windows grow by the ACK.
const ACK_STRETCH: u32 = 32 * 1024;
/// Rounds of tasks and host before frames have their turn, so that busy tasks keep nobody out.
const ROUNDS: usize = 64;
/// The host's number.
const ONLY: u32 = 0;

pub(super) struct Engine<'l> {
    device: &'l mut Device,
    captures: &'l mut [Vantage],
    started: Instant,
    clock: Clock,
    executor: Executor,
    host: Arc<HostHandle>,
    scope: Rc<HostScope>,
    dirty: DirtyHosts,
    dirty_now: Vec<u32>,
    /// When the host wants its turn.
    deadline: Option<u64>,
    turn: Turn,
    pool: FramePool,
    frame_len: usize,
    wire: Option<Wire>,
    presence: Presence,
    dhcp: Option<Dhcp<'l>>,
    signals: Option<Signals>,
    stopped_by: Option<i32>,
    /// When to look again whether a host that ends has closed its connections.
    closes_at: Option<u64>,
    alarm: Arc<OwnedFd>,
    ready: Vec<bool>,
    next_packet_id: u64,
}

/// Why the loop goes on.
enum Phase {
    Runs,
    /// The main task has ended.
    Closes {
        since: u64,
    },
}

impl<'l> Engine<'l> {
    pub(super) fn new(
        device: &'l mut Device,
        plan: Plan,
        captures: &'l mut [Vantage],
        secrets: &TlsSecrets,
        on_lease: &'l mut Option<OnLease>,
    ) -> io::Result<Engine<'l>> {
        let signals = if plan.stops_on_signals { Some(Signals::catch()?) } else { None };
        let started = Instant::now();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start = since_1970.map_or(1, |since| u64::try_from(since.as_nanos()).unwrap_or(1));
        let executor = Executor::new();
        for capture in captures.iter_mut() {
            capture.begin(&plan, start, secrets, executor.alarm())?;
        }
        let clock = Clock::default();
        clock.set_real_start(start);
        // On the wall clock a task may block for long on purpose: that is told, and no more.
        let watched =
            Watched { clock: clock.clone(), seed: plan.seed.0, limit: POLL_TIME, aborts: false };
        executor.watch(watched);
        let alarm = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let bell = alarm.clone();
        executor.alarm().set(Box::new(move || {
            let _ = rustix::io::write(&*bell, &1u64.to_ne_bytes());
        }));
        let Plan { hostname, mac, prefixes, gateways, names, seed, options, .. } = plan;
        tracing::info!(target: "glassnet::world", seed = seed.0, host = %hostname, "run");
        let presence = Presence::new(mac, &prefixes, plan.has_neighbors);
        // An 802.1Q tag may come on top of what the MTU allows.
        let frame_len = LARGEST_FRAME.min(options.mtu.max(1_500) + 18);
        // Who watches or disturbs frames is shown those that a wire would have.
        let offloads = device.set_offload(captures.is_empty() && plan.impairments.is_none());
        let frame_len = if offloads { LARGEST_FRAME } else { frame_len };
        let stream = seed.stream(&format!("host {hostname}"));
        let ack_stretch = if matches!(device, Device::Tap(_)) { ACK_STRETCH } else { 0 };
        let birth = Birth { hostname, mac, prefixes, gateways, options, stream, ack_stretch };
        let host = birth.host(None);
        let dirty = DirtyHosts::new(executor.alarm().clone());
        let host = HostHandle::new(ONLY, host, clock.clone(), dirty.clone());
        let hostname = birth.hostname.clone();
        let ids = seed.stream(&format!("resolver {hostname}"));
        let streams = Streams::new(seed, &hostname, "");
        let dhcp = plan.dhcp_on.map(|on| {
            let stream = seed.stream(&format!("dhcp {hostname}"));
            Dhcp::new(birth, on, names.clone(), stream, on_lease)
        });
        let names = Arc::new(NameService::new(&hostname, names, ids));
        let attachment = Attachment { host: host.clone(), names };
        let stack = Arc::new(attachment);
        let scope = HostScope::new(hostname, clock.clone(), stack, streams, executor.clone());
        Ok(Engine {
            device,
            captures,
            started,
            clock,
            executor,
            host,
            scope,
            dirty,
            dirty_now: Vec::new(),
            deadline: Some(0),
            turn: Turn::default(),
            pool: FramePool::default(),
            frame_len,
            wire: plan.impairments.map(|impairments| Wire::new(impairments, seed)),
            presence,
            dhcp,
            signals,
            stopped_by: None,
            closes_at: None,
            alarm,
            ready: Vec::new(),
            next_packet_id: 1,
        })
    }

    pub(super) fn stopped_by(&self) -> Option<i32> {
        self.stopped_by
    }

    pub(super) fn run<F>(&mut self, main: F, at: &'static Location<'static>) -> Result
    where
        F: Future<Output = Result> + 'static,
    {
        context::take_panicked();
        let _running = self.clock.enter();
        let span = self.scope.span.clone();
        let _in_span = span.enter();
        // Whatever goes wrong, tasks end as tasks of this host, and captures are whole.
        let ended = self.acquire_and_run(main, Origin::Main(at));
        if let Err(error) = &ended
            && let Some(failed_call) = self.scope.failed_call_behind(error)
        {
            tracing::info!(target: "glassnet::world", %failed_call, "main has failed");
        }
        let flushed = self.captures.iter_mut().map(Vantage::settle).fold(Ok(()), io::Result::and);
        let counters = self.device.counters();
        tracing::info!(
            target: "glassnet::world",
            received = counters.received,
            sent = counters.sent,
            dropped = counters.dropped,
            retransmissions = self.host.look(Host::retransmissions),
            discarded = %self.host.look(Host::counters),
            "run has ended"
        );
        ended?;
        Ok(flushed?)
    }

    fn acquire_and_run<F>(&mut self, main: F, origin: Origin) -> Result
    where
        F: Future<Output = Result> + 'static,
    {
        let ended = match self.acquire() {
            Ok(()) if self.stopped_by.is_none() => {
                let main = self.scope.spawn_main(origin, main);
                self.run_until_closed(main)
            }
            acquired => acquired.map_err(Into::into),
        };
        self.executor.shut_down();
        let left = self.take_leave();
        ended?;
        Ok(left?)
    }

    fn run_until_closed(&mut self, main: JoinHandle<Result>) -> Result {
        let mut main = main;
        let mut result = Ok(());
        let mut phase = Phase::Runs;
        loop {
            let is_busy = self.settle()?;
            match phase {
                Phase::Runs if main.is_finished() || self.stopped_by.is_some() => {
                    if let Poll::Ready(Ok(ended)) =
                        Pin::new(&mut main).poll(&mut Context::from_waker(Waker::noop()))
                    {
                        result = ended;
                    }
                    self.executor.shut_down();
                    phase = Phase::Closes { since: self.clock.now() };
                    continue;
                }
                Phase::Closes { since } if self.has_closed(since) => break,
                _ => {}
            }
            if let Some(signal) = self.sleep(is_busy)? {
                tracing::info!(target: "glassnet::world", signal, "stops");
                if self.stopped_by.is_some() && is_impatient(signal) {
                    self.stopped_by = Some(signal);
                    break;
                }
                self.stopped_by.get_or_insert(signal);
            }
            self.fire_timers();
            self.receive()?;
        }
        result
    }

    /// Runs tasks and host until neither has anything to do now. True when they may have more.
    fn settle(&mut self) -> io::Result<bool> {
        for _ in 0..ROUNDS {
            let round = self.executor.run_round();
            self.clock.end_round();
            self.dirty.take(&mut self.dirty_now);
            let was_used = !self.dirty_now.is_empty();
            self.dirty_now.clear();
            let is_due = self.deadline.is_some_and(|at| at <= self.clock.now());
            if was_used || is_due {
                self.host_turn(None, false)?;
            } else if round.polls == 0 {
                return Ok(false);
            }
            if round.only_yields() {
                // They may wait for what the device brings.
                break;
            }
        }
        Ok(true)
    }

    fn host_turn(&mut self, arrived: Option<FrameBuffer>, more_follows: bool) -> io::Result<()> {
        let deadline = self.host.turn(arrived, more_follows, &mut self.pool, &mut self.turn);
        if !more_follows || self.turn.state_changed {
            self.deadline = deadline;
        }
        self.turn.changes.clear();
        self.tell_discarded()?;
        let mut sent = std::mem::take(&mut self.turn.sent);
        if sent.len() > 1 && self.captures.is_empty() && self.wire.is_none() {
            self.device.send_all(sent.iter().map(FrameBuffer::bytes))?;
            sent.drain(..).for_each(|frame| self.pool.give_back(frame));
        }
        // The host takes them all for sent, whatever became of one.
        let mut result = Ok(());
        for frame in sent.drain(..) {
            result = result.and(self.send(frame));
        }
        self.turn.sent = sent;
        result
    }

    /// Tells captures and log of what never left the host.
    fn tell_discarded(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        for Discarded { frame, reason } in std::mem::take(&mut self.turn.discarded) {
            let reason = DropReason::from(reason);
            let now = self.wall_clock();
            let host = self.scope.name.as_str();
            tracing::debug!(target: "glassnet::network", %reason, "dropped");
            let what = describe_alone(frame.bytes(), frame.len());
            let message = format!("dropped: {reason} ({what})");
            for capture in self.captures.iter_mut() {
                result = result.and(capture.event(now, host, &message));
            }
            self.pool.give_back(frame);
        }
        result
    }

    /// Puts a frame on the wire.
    fn send(&mut self, mut frame: FrameBuffer) -> io::Result<()> {
        let now = self.clock.now();
        let fate = self.wire.as_mut().map(|wire| wire.fate(now, &mut frame));
        let comment = match fate {
            Some(Fate::Dropped(reason)) => Some(format!("dropped: {reason}")),
            Some(Fate::Arrives { duplicate_at: Some(_), .. }) => {
                Some("duplicated by the link".to_owned())
            }
            _ => None,
        };
        let noted = self.note(Direction::Outbound, comment.as_deref(), &frame);
        match (&mut self.wire, fate) {
            (Some(wire), Some(fate)) => wire.take(fate, frame, &mut self.pool),
            _ => {
                self.device.send(frame.bytes())?;
                self.pool.give_back(frame);
            }
        }
        noted
    }

    fn note(
        &mut self,
        direction: Direction,
        comment: Option<&str>,
        frame: &FrameBuffer,
    ) -> io::Result<()> {
        if self.captures.is_empty() {
            return Ok(());
        }
        let id = self.next_packet_id;
        self.next_packet_id += 1;
        // Not the world's time, which stands still while hosts and tasks work.
        let now = self.wall_clock();
        let comments = comment.as_slice();
        for capture in self.captures.iter_mut() {
            capture.frame(now, direction, id, comments, frame.bytes())?;
        }
        Ok(())
    }

    /// Sleeps until something happens. Returns the signal that came.
    fn sleep(&mut self, is_busy: bool) -> io::Result<Option<i32>> {
        self.device.flush();
        let now = self.clock.now();
        for capture in self.captures.iter_mut() {
            capture.flush_if_watched()?;
        }
        self.executor.alarm().arm();
        let may_sleep = !is_busy && self.executor.is_idle() && self.dirty.is_empty();
        let until = if may_sleep { self.next_deadline() } else { Some(now) };
        let timeout = until.map(|until| {
            // The clock has gone on since it was last read.
            let left = until.saturating_sub(self.wall_clock());
            Timespec {
                tv_sec: i64::try_from(left / SECOND).unwrap_or(i64::MAX),
                tv_nsec: (left % SECOND) as _,
            }
        });
        let mut interests = Vec::with_capacity(4);
        self.device.interests(&mut interests);
        let of_device = interests.len();
        let mut polled: Vec<PollFd<'_>> = Vec::with_capacity(of_device + 3);
        for interest in &interests {
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, interest.writable);
            polled.push(PollFd::from_borrowed_fd(interest.descriptor, flags));
        }
        polled.push(PollFd::from_borrowed_fd(self.alarm.as_fd(), PollFlags::IN));
        for signal in self.signals.iter().flat_map(Signals::descriptors) {
            polled.push(PollFd::from_borrowed_fd(signal, PollFlags::IN));
        }
        let result = poll(&mut polled, timeout.as_ref());
        self.ready.clear();
        self.ready.extend(polled.iter().map(|polled| {
            let happened = polled.revents();
            result.is_ok() && !happened.is_empty() && happened != PollFlags::OUT
        }));
        drop(polled);
        drop(interests);
        self.executor.alarm().disarm();
        match result {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let now = self.wall_clock();
        self.clock.advance_to(now.max(self.clock.now()));
        self.device.note_ready(&self.ready[..of_device]);
        if self.ready[of_device] {
            let _ = rustix::io::read(&*self.alarm, &mut [0; 8]);
        }
        let has_signal = self.ready[of_device + 1..].contains(&true);
        Ok(self.signals.as_mut().filter(|_| has_signal).and_then(Signals::take))
    }

    fn next_deadline(&self) -> Option<u64> {
        let deadlines = [
            self.deadline,
            self.clock.next_timer().map(|(at, _)| at),
            self.wire.as_ref().and_then(Wire::deadline),
            self.presence.deadline(),
            self.dhcp.as_ref().and_then(Dhcp::deadline),
            self.device.deadline(),
            self.closes_at,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Nanoseconds since the world began.
    fn wall_clock(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn fire_timers(&mut self) {
        let now = self.clock.now();
        while let Some(timer) = self.clock.next_timer()
            && timer.0 <= now
        {
            self.clock.fire(timer);
        }
    }

    /// Takes in what has arrived, and lets go what is due.
    fn receive(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        self.do_due_of_dhcp()?;
        for frame in self.presence.due(now, &mut self.pool) {
            self.send(frame)?;
        }
        while let Some(frame) = self.wire.as_mut().and_then(|wire| wire.arrived(now)) {
            self.device.send(frame.bytes())?;
            self.pool.give_back(frame);
        }
        let mut next = self.next_frame()?;
        for _ in 0..BATCH {
            let Some(frame) = next else { return Ok(()) };
            next = self.next_frame()?;
            self.arrive(frame, next.is_some())?;
        }
        match next {
            Some(frame) => self.arrive(frame, false),
            None => Ok(()),
        }
    }

    fn next_frame(&mut self) -> io::Result<Option<FrameBuffer>> {
        let mut frame = self.pool.take(self.frame_len);
        match self.device.receive(self.clock.now(), frame.bytes_mut())? {
            Some(received) => {
                frame.truncate(received.len);
                if !received.intact {
                    frame.distrust();
                }
                Ok(Some(frame))
            }
            None => {
                self.pool.give_back(frame);
                Ok(None)
            }
        }
    }

    fn arrive(&mut self, frame: FrameBuffer, more_follows: bool) -> io::Result<()> {
        self.note(Direction::Inbound, None, &frame)?;
        self.presence.hear(self.clock.now(), &frame)?;
        let frame = self.pass_by_dhcp(frame)?;
        self.host_turn(frame, more_follows)?;
        if more_follows && self.turn.state_changed {
            // What accepts connections must have its turn before a queue overflows.
            self.settle()?;
        }
        Ok(())
    }

    /// The panic itself goes on to the caller of `run`.
    fn report_panic(&self) {
        let now = self.clock.now();
        let mut text = describe_panic(&format!("at {}", WorldInstant::from_nanos(now)));
        write_waiting_tasks(&mut text, &self.executor, Hint::Spared);
        write_netstat(&mut text, netstat_lines(&self.scope.name, &self.host, now));
        eprintln!("{text}");
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.report_panic();
        } else {
            self.executor.shut_down();
        }
        // A thread that waits for a socket of this host would wait for ever.
        self.host.call(|host, _| host.crash());
    }
}
