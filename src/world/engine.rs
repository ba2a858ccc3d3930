//! The loop of the simulated world: tasks, hosts, events, in that order, until nothing is left.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::event::{EventQueue, Scheduled};
use super::limits;
use super::observe::Event;
use super::report::{self, Failure, LastFrames, RunError};
use super::vantage::{CapturedHost, Vantage};
use crate::capture::Direction as CaptureDirection;
use crate::error::Result;
use crate::host::{
    DirtyHosts, FrameBuffer, FramePool, Host, HostHandle, HostOptions, Mac, StateChange, Turn,
};
use crate::net::{Attachment, Names};
use crate::network::{self, DropReason, Fate, Lan};
use crate::rng::Seed;
use crate::task::{Executor, HostScope, JoinHandle};
use crate::time::{Clock, Instant};

type MainFuture = Pin<Box<dyn Future<Output = Result>>>;
type Observer = Box<dyn FnMut(&Event<'_>)>;

/// What a host runs.
enum Main {
    Host(Rc<dyn Fn() -> MainFuture>),
    /// Taken when it starts.
    Client(Option<MainFuture>),
}

/// One host of the world.
struct Machine {
    name: String,
    mac: Mac,
    address: Ipv4Addr,
    main: Main,
    /// How often it has been started.
    starts: u32,
    /// `None` while it is down.
    running: Option<Running>,
    /// The earliest event that will ask the host what is due.
    queued_deadline: Option<u64>,
    /// Its captures, by index.
    vantages: Vec<usize>,
    retransmissions_before: u64,
}

struct Running {
    host: Arc<HostHandle>,
    scope: Rc<HostScope>,
    /// `None` once its end was seen.
    main: Option<JoinHandle<Result>>,
}

/// Everything a simulation consists of.
pub(super) struct World {
    seed: Seed,
    seed_from_environment: bool,
    clock: Clock,
    executor: Executor,
    queue: EventQueue,
    lan: Lan,
    names: Names,
    machines: Vec<Machine>,
    by_name: BTreeMap<String, u32>,
    options: BTreeMap<String, HostOptions>,
    dirty: DirtyHosts,
    pool: FramePool,
    vantages: Vec<Vantage>,
    /// Captures of links, by direction: vantage and end.
    link_vantages: BTreeMap<usize, Vec<(usize, u32)>>,
    observer: Option<Observer>,
    last_frames: LastFrames,
    next_packet_id: u64,
    clients_running: usize,
    /// Hosts whose main task has ended since the world last looked.
    ended: Rc<RefCell<Vec<u32>>>,
    events: u64,
    event_limit: u64,
    polls_at_instant: u64,
    setup_failure: Option<Failure>,
    capture_failure: Option<io::Error>,
    first_error: Option<RunError>,
    started: bool,
    /// Buffers of the loop, kept to keep their memory.
    turn: Turn,
    dirty_now: Vec<u32>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let seed = Seed(seed);
        World {
            seed,
            seed_from_environment: false,
            clock: Clock::default(),
            executor: Executor::new(),
            queue: EventQueue::default(),
            lan: Lan::new(seed),
            names: Names::default(),
            machines: Vec::new(),
            by_name: BTreeMap::new(),
            options: BTreeMap::new(),
            dirty: DirtyHosts::default(),
            pool: FramePool::default(),
            vantages: Vec::new(),
            link_vantages: BTreeMap::new(),
            observer: None,
            last_frames: LastFrames::default(),
            next_packet_id: 1,
            clients_running: 0,
            ended: Rc::default(),
            events: 0,
            event_limit: limits::EVENTS,
            polls_at_instant: 0,
            setup_failure: None,
            capture_failure: None,
            first_error: None,
            started: false,
            turn: Turn::default(),
            dirty_now: Vec::new(),
        }
    }

    // ---- Setting up ------------------------------------------------------------------------

    pub(super) fn add_host(&mut self, name: &str, main: Rc<dyn Fn() -> MainFuture>) {
        self.add_machine(name, Main::Host(main));
    }

    pub(super) fn add_client(&mut self, name: &str, main: MainFuture) {
        self.add_machine(name, Main::Client(Some(main)));
    }

    fn add_machine(&mut self, name: &str, main: Main) {
        if let Err(wrong) = check_name(name) {
            return self.setup_failed(wrong);
        }
        if self.by_name.contains_key(name) {
            return self.setup_failed(format!("two hosts are called {name:?}"));
        }
        let Some((index, mac, address)) = self.lan.add_host() else {
            return self
                .setup_failed(format!("no address is left for host {name:?}: the LAN is full"));
        };
        self.by_name.insert(name.to_owned(), index);
        self.names.insert(name, IpAddr::V4(address));
        self.machines.push(Machine {
            name: name.to_owned(),
            mac,
            address,
            main,
            starts: 0,
            running: None,
            queued_deadline: None,
            vantages: Vec::new(),
            retransmissions_before: 0,
        });
        self.started = false;
    }

    pub(super) fn set_host_options(&mut self, name: &str, options: HostOptions) {
        if let Err(wrong) = options.check() {
            return self.setup_failed(format!("options of host {name:?}: {wrong}"));
        }
        if self.host_index(name).is_some_and(|index| self.machines[index as usize].starts > 0) {
            return self.setup_failed(format!("options of host {name:?}: it is running already"));
        }
        self.options.insert(name.to_owned(), options);
    }

    pub(super) fn set_seed_from_environment(&mut self) {
        self.seed_from_environment = true;
    }

    pub(super) fn set_event_limit(&mut self, events: u64) {
        self.event_limit = events;
    }

    pub(super) fn observe(&mut self, observer: Observer) {
        self.observer = Some(observer);
        for machine in &self.machines {
            if let Some(running) = &machine.running {
                running.host.look_mut(|host| host.observe(true));
            }
        }
    }

    pub(super) fn direction(&mut self, from: &str, to: &str) -> &mut network::Direction {
        self.started = false;
        self.lan.direction(from, to)
    }

    pub(super) fn capture_host(&mut self, host: &str, path: &Path) -> io::Result<()> {
        self.vantages.push(Vantage::interface(path, host)?);
        self.started = false;
        Ok(())
    }

    pub(super) fn capture_link(&mut self, a: &str, b: &str, path: &Path) -> io::Result<()> {
        self.vantages.push(Vantage::link(path, a, b)?);
        self.lan.direction(a, b);
        self.lan.direction(b, a);
        self.started = false;
        Ok(())
    }

    pub(super) fn setup_failed(&mut self, message: String) {
        self.fail_setup(Failure::Setup { message });
    }

    /// The first mistake is kept for the next run to report.
    pub(super) fn fail_setup(&mut self, failure: Failure) {
        self.setup_failure.get_or_insert(failure);
    }

    pub(super) fn host_index(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.0
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.now())
    }

    pub(super) fn lookup(&self, name: &str) -> Option<IpAddr> {
        self.names.resolve(name)
    }

    pub(super) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn retransmissions(&self) -> u64 {
        let of = |machine: &Machine| {
            let now = machine
                .running
                .as_ref()
                .map_or(0, |running| running.host.look(Host::retransmissions));
            machine.retransmissions_before + now
        };
        self.machines.iter().map(of).sum()
    }

    // ---- Starting and ending hosts ---------------------------------------------------------

    fn start_pending(&mut self) -> std::result::Result<(), Failure> {
        if let Some(failure) = self.setup_failure.take() {
            return Err(failure);
        }
        if self.started {
            return Ok(());
        }
        let unknown =
            |name: &str| Failure::Setup { message: format!("no host is called {name:?}") };
        let by_name = &self.by_name;
        for (from, to) in self.lan.named_pairs() {
            for name in [from, to] {
                if !by_name.contains_key(name) {
                    return Err(unknown(name));
                }
            }
        }
        if let Some(name) = self.options.keys().find(|name| !by_name.contains_key(*name)) {
            return Err(unknown(name));
        }
        self.lan.connect_named_pairs(|name| by_name.get(name).copied());
        self.begin_captures()?;
        for index in 0..self.machines.len() {
            if self.machines[index].starts == 0 {
                self.start(index as u32);
            }
        }
        self.started = true;
        Ok(())
    }

    fn begin_captures(&mut self) -> std::result::Result<(), Failure> {
        let netmask = match network::netmask() {
            IpAddr::V4(netmask) => netmask,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let names = self.names.all();
        for index in 0..self.vantages.len() {
            let vantage = &mut self.vantages[index];
            let mut ends = Vec::new();
            for name in vantage.ends() {
                let Some(host) = self.by_name.get(name) else {
                    return Err(Failure::Setup { message: format!("no host is called {name:?}") });
                };
                ends.push(*host);
            }
            let captured: Vec<CapturedHost> = ends
                .iter()
                .map(|end| {
                    let machine = &self.machines[*end as usize];
                    CapturedHost {
                        name: machine.name.clone(),
                        mac: machine.mac,
                        address: machine.address,
                        netmask,
                    }
                })
                .collect();
            let begun = vantage.begin(self.seed, &captured, &names);
            begun.map_err(|error| Failure::Capture { message: error.to_string() })?;
            match ends[..] {
                [host] => {
                    let vantages = &mut self.machines[host as usize].vantages;
                    if !vantages.contains(&index) {
                        vantages.push(index);
                    }
                }
                [a, b] => {
                    for (end, (from, to)) in [(0, (a, b)), (1, (b, a))] {
                        if let Some(direction) = self.lan.index_between(from, to) {
                            let taps = self.link_vantages.entry(direction).or_default();
                            if !taps.contains(&(index, end)) {
                                taps.push((index, end));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn start(&mut self, index: u32) {
        let machine = &mut self.machines[index as usize];
        let stream = match machine.starts {
            0 => self.seed.stream(&format!("host {}", machine.name)),
            // A restarted machine remembers nothing: its numbers are new.
            again => self.seed.stream(&format!("host {} start {again}", machine.name)),
        };
        let options = self.options.get(&machine.name).cloned().unwrap_or_default();
        let mut host = Host::new(
            &machine.name,
            machine.mac,
            machine.address,
            network::PREFIX_LEN,
            options,
            stream,
        );
        host.observe(self.observer.is_some());
        let host = HostHandle::new(index, host, self.clock.clone(), self.dirty.clone());
        let attachment = Attachment { host: host.clone(), names: self.names.clone() };
        let scope = HostScope::new(
            machine.name.clone(),
            self.clock.clone(),
            Arc::new(attachment),
            self.executor.clone(),
        );
        let main = match &mut machine.main {
            Main::Host(main) => {
                // Called by the task, so that its first lines, too, run on the host.
                let main = main.clone();
                let main = Box::pin(async move { main().await });
                Some(scope.spawn(Some("main"), noting_its_end(main, index, &self.ended)))
            }
            Main::Client(main) => main.take().map(|main| {
                self.clients_running += 1;
                scope.spawn(Some("main"), noting_its_end(main, index, &self.ended))
            }),
        };
        machine.starts += 1;
        machine.running = Some(Running { host, scope, main });
    }

    pub(super) fn crash(&mut self, index: u32) {
        let machine = &mut self.machines[index as usize];
        let Some(running) = machine.running.take() else { return };
        machine.queued_deadline = None;
        machine.retransmissions_before += running.host.look(Host::retransmissions);
        running.host.look_mut(Host::crash);
        running.scope.crash();
        if matches!(machine.main, Main::Client(_)) && running.main.is_some() {
            self.clients_running -= 1;
        }
        tracing::info!(target: "glassnet::world", time = self.clock.now(), host = %machine.name, "crash");
        // Its tasks are dropped now, before anything else happens.
        self.executor.run_ready(limits::POLLS_PER_INSTANT);
    }

    pub(super) fn bounce(&mut self, index: u32) {
        if matches!(self.machines[index as usize].main, Main::Client(_)) {
            let name = self.machines[index as usize].name.clone();
            return self.setup_failed(format!(
                "{name:?} is a client, which cannot be bounced: its future runs once"
            ));
        }
        self.crash(index);
        if self.machines[index as usize].starts > 0 {
            self.start(index);
        }
    }

    // ---- Running ---------------------------------------------------------------------------

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
        let captured = self.finish_captures(duration.is_none());
        match result {
            Err(error) => Err(error),
            Ok(()) => captured,
        }
    }

    fn run_guarded(&mut self, duration: Option<Duration>) -> std::result::Result<(), RunError> {
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
                self.handle_rest_of_burst(at);
            }
        }
        if let Some(end) = end {
            self.clock.advance_to(end.as_nanos().max(self.clock.now()));
        }
        self.first_error.take().map_or(Ok(()), Err)
    }

    /// Runs tasks and hosts until none has anything to do at this instant.
    fn settle(&mut self) -> std::result::Result<(), RunError> {
        loop {
            let budget = limits::POLLS_PER_INSTANT.saturating_sub(self.polls_at_instant);
            let ran = self.executor.run_ready(budget);
            self.polls_at_instant += ran;
            if self.polls_at_instant >= limits::POLLS_PER_INSTANT {
                return Err(self.first_or(Failure::Spinning { polls: self.polls_at_instant }));
            }
            if ran > 0 {
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
    fn collect_ended(&mut self) {
        for index in self.ended.take() {
            self.collect_main(index);
        }
    }

    fn collect_main(&mut self, index: u32) {
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

    fn handle_event(&mut self) {
        match self.queue.pop() {
            Some(Scheduled::Arrival { host, frame, packet_id, duplicate }) => {
                self.arrive(host, frame, packet_id, duplicate);
            }
            Some(Scheduled::HostDeadline { host }) => {
                let now = self.clock.now();
                let machine = &mut self.machines[host as usize];
                if machine.queued_deadline.is_some_and(|at| at <= now) {
                    machine.queued_deadline = None;
                    self.host_turn(host, None);
                }
            }
            None => {}
        }
    }

    /// Frames that reach a host in one instant are handed to it before its tasks run again, as
    /// a network card's interrupt coalescing does, unless one changed a connection's state: what
    /// accepts connections must have its turn before a queue overflows.
    fn handle_rest_of_burst(&mut self, at: u64) {
        while !self.turn.state_changed
            && self.queue.next_is_arrival_at(at, self.turn.host)
            && self.clock.next_timer().is_none_or(|timer| self.queue.next() < Some(timer))
        {
            self.events += 1;
            self.handle_event();
        }
    }

    fn arrive(&mut self, index: u32, frame: FrameBuffer, packet_id: u64, duplicate: bool) {
        let now = self.clock.now();
        let machine = &self.machines[index as usize];
        if machine.running.is_none() {
            self.pool.give_back(frame);
            return;
        }
        for vantage in &machine.vantages {
            let written = self.vantages[*vantage].frame(
                now,
                CaptureDirection::Inbound,
                packet_id,
                duplicate,
                frame.bytes(),
            );
            if let Err(error) = written {
                self.capture_failure.get_or_insert(error);
            }
        }
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            observer(&Event::Arrived {
                time,
                host: &machine.name,
                packet_id,
                frame: frame.bytes(),
                duplicate,
            });
        }
        self.host_turn(index, Some(frame));
    }

    /// Lets a host do what there is to do, and sends what it has to send.
    fn host_turn(&mut self, index: u32, arrived: Option<FrameBuffer>) {
        let Some(running) = &self.machines[index as usize].running else { return };
        let deadline = running.host.turn(arrived, &mut self.pool, &mut self.turn);
        if !self.turn.changes.is_empty() {
            self.tell_changes(index);
        }
        if !self.turn.sent.is_empty() {
            let mut sent = std::mem::take(&mut self.turn.sent);
            for frame in sent.drain(..) {
                self.send(index, frame);
            }
            self.turn.sent = sent;
        }
        if let Some(deadline) = deadline {
            self.queue_deadline(index, deadline);
        }
    }

    fn tell_changes(&mut self, index: u32) {
        let changes = self.turn.changes.drain(..);
        let Some(observer) = &mut self.observer else { return };
        let time = Instant::from_nanos(self.clock.now());
        let host = &self.machines[index as usize].name;
        for StateChange { local, remote, from, to } in changes {
            observer(&Event::State { time, host, local, remote, from, to });
        }
    }

    fn queue_deadline(&mut self, index: u32, deadline: u64) {
        let machine = &mut self.machines[index as usize];
        if machine.queued_deadline.is_none_or(|queued| deadline < queued) {
            machine.queued_deadline = Some(deadline);
            let at = deadline.max(self.clock.now());
            self.queue.push(
                at,
                self.clock.next_sequence(),
                Scheduled::HostDeadline { host: index },
            );
        }
    }

    /// Puts a frame on the network.
    fn send(&mut self, from: u32, frame: FrameBuffer) {
        let now = self.clock.now();
        let packet_id = self.next_packet_id;
        self.next_packet_id += 1;
        let to = self.lan.destination(&frame);
        let fate = match to {
            None => Lan::nobody(),
            Some(to) if self.machines[to as usize].running.is_none() => {
                Fate::Dropped(DropReason::HostDown)
            }
            Some(to) => self.lan.carry(now, from, to, &frame),
        };
        self.note_sent(now, from, to, packet_id, &fate, &frame);
        let (Fate::Arrives { at, duplicate_at }, Some(host)) = (fate, to) else {
            self.pool.give_back(frame);
            return;
        };
        let copy = duplicate_at.map(|at| (at, self.pool.copy(&frame)));
        let first = Scheduled::Arrival { host, frame, packet_id, duplicate: false };
        self.queue.push(at.as_nanos(), self.clock.next_sequence(), first);
        if let Some((at, frame)) = copy {
            let second = Scheduled::Arrival { host, frame, packet_id, duplicate: true };
            self.queue.push(at.as_nanos(), self.clock.next_sequence(), second);
        }
    }

    /// Tells captures, observer and report of a frame that was sent.
    fn note_sent(
        &mut self,
        now: u64,
        from: u32,
        to: Option<u32>,
        packet_id: u64,
        fate: &Fate,
        frame: &FrameBuffer,
    ) {
        self.last_frames.push(now, from, to, *fate, frame.bytes());
        let machine = &self.machines[from as usize];
        for vantage in &machine.vantages {
            let written = self.vantages[*vantage].frame(
                now,
                CaptureDirection::Outbound,
                packet_id,
                false,
                frame.bytes(),
            );
            if let Err(error) = written {
                self.capture_failure.get_or_insert(error);
            }
        }
        if !self.link_vantages.is_empty()
            && let Some(to) = to
            && let Some(taps) = self
                .lan
                .index_between(from, to)
                .and_then(|direction| self.link_vantages.get(&direction))
        {
            for (vantage, end) in taps {
                let written =
                    self.vantages[*vantage].transmission(now, *end, packet_id, fate, frame.bytes());
                if let Err(error) = written {
                    self.capture_failure.get_or_insert(error);
                }
            }
        }
        if let Some(observer) = &mut self.observer {
            let time = Instant::from_nanos(now);
            let to = to.map(|to| self.machines[to as usize].name.as_str());
            observer(&Event::Sent {
                time,
                from: &machine.name,
                to,
                packet_id,
                frame: frame.bytes(),
                fate: *fate,
            });
        }
        if let Fate::Dropped(reason) = fate {
            tracing::debug!(target: "glassnet::network", time = now, host = %machine.name, packet_id, %reason, "dropped");
        }
    }

    /// Whether the run must go on though its clients have ended: something written, or a FIN,
    /// is not yet acknowledged; or, while it may `linger`, frames are on their way or the other
    /// side's FIN is awaited.
    fn has_unfinished_business(&self, unfinished: &mut Vec<u32>, linger: bool) -> bool {
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

    /// Flushes the captures; a run that has ended has also ended its captures.
    fn finish_captures(&mut self, ended: bool) -> std::result::Result<(), RunError> {
        if !ended {
            return Ok(());
        }
        let mut failed = None;
        for vantage in &mut self.vantages {
            if let Err(error) = vantage.finish() {
                failed.get_or_insert(error);
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => Err(self.error(Failure::Capture { message: error.to_string() }, None)),
        }
    }

    // ---- Reports ---------------------------------------------------------------------------

    /// The first error of a client or a host, or else this one.
    fn first_or(&mut self, failure: Failure) -> RunError {
        match self.first_error.take() {
            Some(first) => first,
            None => self.error(failure, None),
        }
    }

    fn error(&self, failure: Failure, source: Option<Box<dyn std::error::Error>>) -> RunError {
        let details = self.details();
        RunError { failure, source, seed: self.seed.0, time: self.now(), details }
    }

    fn details(&self) -> String {
        let mut text = String::new();
        write_limited(
            &mut text,
            "waiting tasks",
            self.executor.waiting_tasks().iter().map(ToString::to_string),
        );
        let now = self.clock.now();
        let mut connections = Vec::new();
        for machine in &self.machines {
            let Some(running) = &machine.running else {
                if machine.starts > 0 {
                    connections.push(format!("{} ({}): down", machine.name, machine.address));
                }
                continue;
            };
            let open = running.host.look(|host| host.netstat(now));
            let of_host = |connection| format!("{}: {connection}", machine.name);
            connections.extend(open.iter().take(report::LINES).map(of_host));
        }
        write_limited(
            &mut text,
            "netstat (recv-q send-q local remote state)",
            connections.into_iter(),
        );
        let name_of = |host: u32| self.machines[host as usize].name.clone();
        self.last_frames.write(&mut text, name_of);
        let paths: Vec<_> = self.vantages.iter().map(|vantage| vantage.path.clone()).collect();
        report::write_captures(&mut text, &paths);
        let _ = write!(
            text,
            "\nreplay: {}",
            report::replay_command(self.seed.0, self.seed_from_environment)
        );
        text
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.executor.shut_down();
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
        if let Err(error) = world.finish_captures(true) {
            eprintln!("{}", error.failure);
        }
    }
}

fn noting_its_end(
    main: MainFuture,
    index: u32,
    ended: &Rc<RefCell<Vec<u32>>>,
) -> impl Future<Output = Result> + 'static {
    let ended = ended.clone();
    async move {
        let result = main.await;
        ended.borrow_mut().push(index);
        result
    }
}

fn earlier(timer: Option<(u64, u64)>, event: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (timer, event) {
        (Some(timer), Some(event)) => Some(timer.min(event)),
        (timer, event) => timer.or(event),
    }
}

fn check_name(name: &str) -> std::result::Result<(), String> {
    let is_fine = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if name.is_empty() || name.len() > 63 || !name.chars().all(is_fine) || name == "localhost" {
        return Err(format!(
            "{name:?} cannot be a host's name: use 1 to 63 letters, digits, '-', '_' or '.', and not \"localhost\""
        ));
    }
    Ok(())
}

fn write_limited(text: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count == 0 {
        return;
    }
    let _ = write!(text, "\n{title}:");
    for line in lines.take(report::LINES) {
        let _ = write!(text, "\n  {line}");
    }
    if count > report::LINES {
        let _ = write!(text, "\n  … and {} more", count - report::LINES);
    }
}
