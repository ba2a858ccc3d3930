//! The host, the wire and the clock.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::answers::Answers;
use super::capture::{Capture, Vantage};
use super::event::{Event, Events, Frame, NotIdle, Unrest};
use super::packet::{ToFrame, ethernet};
use crate::capture::{self, Direct, Direction};
use crate::clock::{Clock, END, Instant};
use crate::host::{Gateways, Host, HostCounters, HostOptions, Netstat, Nstat, Prefix, StateChange};
use crate::net::{Attachment, DirtyHosts, HostHandle, NameService, Names, Turn};
use crate::rng::Seed;
use crate::task::{Executor, HostScope, Streams};
use crate::wire::checksum::Checksum;
use crate::wire::ethernet::{Mac, ethertype_of_packet};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::world::TableSizes;

/// Turns of the host at one moment after which it is said to spin; and timers that may fire in a
/// row when nothing comes of it.
const MAX_TURNS: u32 = 10_000;

/// How long [`Wire::run_until_idle`] waits for the last timer.
const TIME_LIMIT: Duration = Duration::from_secs(3_600);

/// What a wire is made of.
pub(super) struct Setup {
    pub(super) seed: u64,
    pub(super) name: String,
    pub(super) options: HostOptions,
    pub(super) mac: Mac,
    pub(super) prefixes: Vec<Prefix>,
    pub(super) peer_mac: Mac,
    pub(super) peer_addresses: Vec<IpAddr>,
    pub(super) gateways: Gateways,
    pub(super) answers_neighbors: bool,
    pub(super) start: u64,
}

/// One host, the other end of its link, and the clock, all in your hands; see the
/// [module](super).
///
/// Time stands still but for [`advance`](Wire::advance), [`advance_to`](Wire::advance_to),
/// [`next_event`](Wire::next_event), [`run_until_idle`](Wire::run_until_idle) and
/// [`expect_nothing_for`](Wire::expect_nothing_for). What a call or a frame makes the host send has
/// left when time goes on, and is there when somebody looks for it.
///
/// 65,536 events, and 64 MiB of their frames, are kept until somebody takes them; then the oldest are
/// forgotten.
pub struct Wire {
    host: Arc<HostHandle>,
    scope: Rc<HostScope>,
    executor: Executor,
    clock: Clock,
    used: DirtyHosts,
    pool: FramePool,
    turn: Turn,
    /// When the host wants its turn.
    host_deadline: Option<u64>,
    answers: Answers,
    mac: Mac,
    prefixes: Vec<Prefix>,
    name: String,
    seed: u64,
    capture: Capture,
    events: Events,
    /// Frames that have left the host, those that the peer has answered by itself included.
    frames_sent: u64,
    /// Timers of the host that fired in a row, when nothing came of it.
    in_vain: u32,
    unrest: Option<NotIdle>,
}

impl Wire {
    pub(super) fn set_up(setup: Setup) -> Wire {
        let Setup { seed, name, options, mac, prefixes, peer_mac, gateways, .. } = setup;
        let root = Seed(seed);
        let executor = Executor::new();
        let clock = Clock::default();
        clock.advance_to(setup.start);
        let used = DirtyHosts::new(executor.world(), executor.alarm().clone());
        let mut host = Host::new(mac, &prefixes, options, root.stream(&format!("host {name}")));
        host.set_gateways(&gateways);
        host.observe(true);
        let host = HostHandle::new(0, host, clock.clone(), used.clone());
        let names = Names::default();
        for prefix in &prefixes {
            names.insert(&name, prefix.address);
        }
        // Those of the first start of a host of that name in a simulated world.
        let resolver = root.stream(&format!("resolver {name} start 0"));
        let names = Arc::new(NameService::new(&name, names, resolver));
        let attachment = Attachment { host: host.clone(), names };
        let streams = Streams::new(root, &name, " start 0");
        let scope = HostScope::new(
            name.clone(),
            clock.clone(),
            Arc::new(attachment),
            streams,
            executor.clone(),
        );
        let answers = Answers {
            is_on: setup.answers_neighbors,
            mac: peer_mac,
            addresses: setup.peer_addresses,
        };
        Wire {
            host,
            scope,
            executor,
            clock,
            used,
            pool: FramePool::default(),
            turn: Turn::default(),
            host_deadline: None,
            answers,
            mac,
            prefixes,
            name,
            seed,
            capture: Capture::default(),
            events: Events::default(),
            frames_sent: 0,
            in_vain: 0,
            unrest: None,
        }
    }

    // ---- Frames in --------------------------------------------------------------------------

    /// A frame reaches the host: one of your own as a slice of bytes, or one of the packets of this
    /// module. The host has dealt with it when this returns.
    ///
    /// Its checksums are verified, as those of any frame that comes from outside.
    pub fn inject(&mut self, frame: &(impl ToFrame + ?Sized)) {
        let frame = frame.to_frame(self.answers.mac, self.mac);
        self.arrives(&frame, false);
        self.settle();
    }

    /// An IP packet reaches the host, in a frame from the peer's Ethernet address.
    pub fn inject_packet(&mut self, packet: &[u8]) {
        self.inject(&ethernet(self.answers.mac, self.mac, ethertype_of_packet(packet), packet));
    }

    /// Frames reach the host in one instant, as a driver finds several in its ring at once: what can
    /// wait for the last of them, such as an acknowledgment, waits.
    pub fn inject_burst<F: ToFrame>(&mut self, frames: &[F]) {
        for (at, frame) in frames.iter().enumerate() {
            let frame = frame.to_frame(self.answers.mac, self.mac);
            self.arrives(&frame, at + 1 < frames.len());
        }
        self.settle();
    }

    fn arrives(&mut self, bytes: &[u8], more_follows: bool) {
        self.capture.frame(self.clock.now(), Direction::Inbound, &[], bytes);
        let mut frame = self.pool.take(bytes.len());
        frame.bytes_mut().copy_from_slice(bytes);
        frame.set_checksum(Checksum::Unverified);
        let _running = self.clock.enter();
        self.host_turn(Some(frame), more_follows);
    }

    // ---- The host's turn --------------------------------------------------------------------

    /// Lets the host, and what was started on it, do what there is to do now.
    pub(super) fn settle(&mut self) {
        let _running = self.clock.enter();
        for _ in 0..MAX_TURNS {
            let round = self.executor.run_round();
            if round.polls > 0 {
                self.clock.end_round();
            }
            let mut used = Vec::new();
            self.used.take(&mut used);
            let has_sent = self.host_turn(None, false);
            let is_due = self.host_deadline.is_some_and(|deadline| deadline <= self.clock.now());
            let has_fired = self.fire_timers();
            let is_resting = round.polls == 0 && self.executor.is_idle() && self.used.is_empty();
            if is_resting && !has_sent && !is_due && !has_fired {
                return;
            }
        }
        self.note_unrest(Unrest::Spins);
    }

    fn note_unrest(&mut self, why: Unrest) {
        let time = self.now();
        self.unrest.get_or_insert(NotIdle { time, why });
    }

    fn fire_timers(&mut self) -> bool {
        let mut has_fired = false;
        while let Some(timer) = self.clock.next_timer().filter(|(at, _)| *at <= self.clock.now()) {
            self.clock.fire(timer);
            has_fired = true;
        }
        has_fired
    }

    /// The host's turn, and what comes of the peer's answers. Whether anything was sent.
    fn host_turn(&mut self, arrived: Option<FrameBuffer>, more_follows: bool) -> bool {
        let mut has_sent = false;
        let mut arrivals = VecDeque::from([arrived]);
        while let Some(arrived) = arrivals.pop_front() {
            let more_follows = more_follows && arrivals.is_empty();
            let span = self.scope.span.clone();
            let _in_span = span.enter();
            self.host_deadline =
                self.host.turn(arrived, more_follows, &mut self.pool, &mut self.turn);
            let time = self.now();
            for discarded in self.turn.discarded.drain(..) {
                let frame = Frame { time, bytes: discarded.frame.bytes().to_vec() };
                let reason = discarded.reason.into();
                self.events.push(Event::Dropped { frame, reason });
            }
            let sent = std::mem::take(&mut self.turn.sent);
            has_sent |= !sent.is_empty();
            for (frames_sent, frame) in sent.into_iter().enumerate() {
                self.note_changes(frames_sent);
                arrivals.extend(self.leaves(frame).map(Some));
            }
            self.note_changes(usize::MAX);
        }
        has_sent
    }

    /// Notes changes of state before the host's turn had sent more than so many frames.
    fn note_changes(&mut self, frames_sent: usize) {
        let time = self.now();
        let changes = &mut self.turn.changes;
        let due = changes.partition_point(|change| change.frames_before <= frames_sent);
        for StateChange { local, remote, from, to, .. } in changes.drain(..due) {
            let message = || format!("{local} > {remote} {from} -> {to}");
            self.capture.event(time.as_nanos(), &self.name, message);
            self.events.push(Event::State { time, local, remote, from, to });
        }
    }

    /// A frame leaves the host; the peer may answer.
    fn leaves(&mut self, frame: FrameBuffer) -> Option<FrameBuffer> {
        let (time, bytes) = (self.now(), frame.bytes());
        self.capture.frame(time.as_nanos(), Direction::Outbound, &[], bytes);
        self.frames_sent += 1;
        let answer = self.answers.to(bytes, &mut self.pool);
        match &answer {
            Some(answer) => {
                self.capture.frame(time.as_nanos(), Direction::Inbound, &[], answer.bytes());
            }
            None => self.events.push(Event::Sent(Frame { time, bytes: bytes.to_vec() })),
        }
        self.pool.give_back(frame);
        answer
    }

    // ---- Time -------------------------------------------------------------------------------

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now())
    }

    /// When the next timer fires, of the host's stack or of a call that was
    /// [started](Wire::start); `None` when nothing will happen any more by itself.
    #[must_use]
    pub fn deadline(&mut self) -> Option<Instant> {
        self.settle();
        self.next_deadline().map(Instant::from_nanos)
    }

    fn next_deadline(&self) -> Option<u64> {
        let timer = self.clock.next_timer().map(|(at, _)| at);
        let next = self.host_deadline.into_iter().chain(timer).min();
        next.filter(|at| *at <= END)
    }

    /// The clock goes on to `at`, where timers fire.
    fn step(&mut self, at: u64) -> Result<(), NotIdle> {
        let is_of_host = self.host_deadline == Some(at);
        let before = (self.events.total(), self.frames_sent);
        self.clock.advance_to(at.max(self.clock.now()));
        self.settle();
        let is_in_vain = is_of_host && before == (self.events.total(), self.frames_sent);
        self.in_vain = if is_in_vain { self.in_vain + 1 } else { 0 };
        if self.in_vain == MAX_TURNS {
            self.in_vain = 0;
            self.note_unrest(Unrest::InVain);
        }
        self.take_unrest()
    }

    fn take_unrest(&mut self) -> Result<(), NotIdle> {
        self.unrest.take().map_or(Ok(()), Err)
    }

    /// Time passes; timers fire when they are due.
    ///
    /// # Errors
    /// When the host does not come to rest at some moment, which is a bug of its stack, or of a
    /// call that was [started](Wire::start) and never waits. Time has not gone further than that.
    pub fn advance(&mut self, duration: Duration) -> Result<(), NotIdle> {
        self.advance_to(self.now() + duration)
    }

    /// Time passes until `end`, or not at all if that is over.
    ///
    /// # Errors
    /// Those of [`advance`](Wire::advance).
    pub fn advance_to(&mut self, end: Instant) -> Result<(), NotIdle> {
        let end = end.as_nanos().min(END);
        self.settle();
        self.take_unrest()?;
        while let Some(at) = self.next_deadline().filter(|at| *at <= end) {
            self.step(at)?;
        }
        self.clock.advance_to(end.max(self.clock.now()));
        Ok(())
    }

    /// Lets time pass until no timer is left, as after the last retransmission or TIME-WAIT; for at
    /// most an hour.
    ///
    /// # Errors
    /// When a timer is left after that hour, which those of keep-alives and of zero window probes
    /// always are; and those of [`advance`](Wire::advance).
    pub fn run_until_idle(&mut self) -> Result<(), NotIdle> {
        let end = (self.now() + TIME_LIMIT).as_nanos().min(END);
        self.settle();
        self.take_unrest()?;
        while let Some(at) = self.next_deadline() {
            if at > end {
                let next = Instant::from_nanos(at);
                self.clock.advance_to(end);
                return Err(NotIdle { time: self.now(), why: Unrest::Late(next) });
            }
            self.step(at)?;
        }
        Ok(())
    }

    /// What happened next: the oldest event that nobody has taken; when there is none, time goes on
    /// to the next timer, and the first thing that comes of it is returned. `None` when nothing
    /// will happen any more by itself.
    ///
    /// Frames that are taken by [`next_frame`](Wire::next_frame), or by one of its relatives, are no
    /// events any more.
    ///
    /// # Errors
    /// Those of [`advance`](Wire::advance).
    pub fn next_event(&mut self) -> Result<Option<Event>, NotIdle> {
        self.settle();
        self.take_unrest()?;
        if let Some(event) = self.events.pop() {
            return Ok(Some(event));
        }
        let Some(at) = self.next_deadline() else { return Ok(None) };
        self.step(at)?;
        let time = self.now();
        Ok(Some(self.events.pop().unwrap_or(Event::Timer { time })))
    }

    /// All events that nobody has taken, the oldest first; no time passes.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.settle();
        self.events.take_all()
    }

    pub(super) fn events(&mut self) -> &mut Events {
        self.settle();
        &mut self.events
    }

    // ---- The host ---------------------------------------------------------------------------

    /// The host's Ethernet address.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// The host's addresses, each with the length of its network's prefix; without the link-local
    /// one.
    #[must_use]
    pub fn addresses(&self) -> Vec<(IpAddr, u8)> {
        self.prefixes.iter().map(|prefix| (prefix.address, prefix.len)).collect()
    }

    /// The peer's Ethernet address.
    #[must_use]
    pub fn peer_mac(&self) -> [u8; 6] {
        self.answers.mac
    }

    /// Whether the peer answers ARP requests and neighbour solicitations for its addresses from now
    /// on. Requests that are answered are no events; those that are not are.
    pub fn answer_neighbors(&mut self, answers: bool) {
        self.answers.is_on = answers;
    }

    /// The host's sockets, as [`Sim::netstat`](crate::Sim::netstat) gives them.
    #[must_use]
    pub fn netstat(&self) -> Netstat {
        self.host.netstat()
    }

    /// The host's counters, as [`Sim::nstat`](crate::Sim::nstat) gives them.
    #[must_use]
    pub fn nstat(&self) -> Nstat {
        self.host.nstat()
    }

    /// What the host has discarded so far.
    #[must_use]
    pub fn counters(&self) -> HostCounters {
        self.host.look(Host::counters)
    }

    /// How many entries the host's tables have.
    #[must_use]
    pub fn table_sizes(&self) -> TableSizes {
        let mut sizes = TableSizes { timers: self.clock.timers_pending(), ..TableSizes::default() };
        sizes.add(self.host.look(Host::sizes));
        sizes
    }

    pub(super) fn scope(&self) -> &Rc<HostScope> {
        &self.scope
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    // ---- The capture ------------------------------------------------------------------------

    /// Captures what passes the host's interface from now on into a file: pcapng, or classic pcap
    /// if its name ends in `.pcap`. Frames that were injected are inbound.
    ///
    /// # Errors
    /// Those of creating the file; [`AlreadyExists`](io::ErrorKind::AlreadyExists) for one that is
    /// no capture of glassnet's.
    pub fn capture(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let file = capture::create_file(path)?;
        self.add_capture(&path.display().to_string(), Direct::File(file))
    }

    /// Captures what passes the host's interface from now on into anything that takes bytes, which
    /// errors call `name`; pcapng.
    ///
    /// # Errors
    /// Those of writing the head of the capture.
    pub fn capture_to(
        &mut self,
        name: &str,
        writer: impl Write + Send + 'static,
    ) -> io::Result<()> {
        self.add_capture(name, Direct::Writer(Box::new(writer)))
    }

    fn add_capture(&mut self, name: &str, to: Direct) -> io::Result<()> {
        let addresses = self.addresses();
        let vantage = Vantage { seed: self.seed, host: &self.name, mac: self.mac, addresses };
        self.capture.add(name, to, vantage)
    }

    /// Writes what is captured so far. It is written as well when the wire is dropped, but only
    /// this tells whether it could be.
    ///
    /// # Errors
    /// The first error of writing a capture, once.
    pub fn flush_captures(&mut self) -> io::Result<()> {
        self.settle();
        self.capture.flush()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _running = self.clock.enter();
        self.scope.end();
        self.executor.shut_down();
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Wire");
        debug.field("host", &self.name).field("seed", &self.seed).field("now", &self.now());
        debug.finish_non_exhaustive()
    }
}
