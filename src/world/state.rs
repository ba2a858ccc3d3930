//! Everything a simulation consists of.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::drops::Drops;
use super::event::EventQueue;
use super::limits;
use super::observe::Event;
use super::pace::Pace;
use super::recorder::Recorder;
use super::report::{Failure, LastFrames, RunError};
use super::rules::Rules;
use super::vantage::Vantage;
use super::verdict::Verdict;
use crate::capture::TlsSecrets;
use crate::error::Result;
use crate::host::{DirtyHosts, HostCounters, HostHandle, HostOptions, Turn};
use crate::net::Names;
use crate::network::{HostAddresses, Lan};
use crate::rng::Seed;
use crate::task::{Executor, HostScope, JoinHandle, Origin};
use crate::time::Clock;
use crate::wire::frame::FramePool;

pub(super) type MainFuture = Pin<Box<dyn Future<Output = Result>>>;
pub(super) type Observer = Box<dyn FnMut(&Event<'_>)>;

/// What a host runs.
pub(super) enum Main {
    Host(Rc<dyn Fn() -> MainFuture>),
    /// Taken when it starts.
    Client(Option<MainFuture>),
}

/// One host of the world.
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) addresses: HostAddresses,
    pub(super) main: Main,
    pub(super) origin: Origin,
    /// How often it has been started.
    pub(super) starts: u32,
    /// Its power was cut before it was ever started.
    pub(super) held_down: bool,
    /// `None` while it is down.
    pub(super) running: Option<Running>,
    /// The earliest event that will ask the host what is due.
    pub(super) queued_deadline: Option<u64>,
    /// Its captures, by index.
    pub(super) vantages: Vec<usize>,
    pub(super) retransmissions_before: u64,
    /// What it had discarded when it last crashed.
    pub(super) counters_before: HostCounters,
}

pub(super) struct Running {
    pub(super) host: Arc<HostHandle>,
    pub(super) scope: Rc<HostScope>,
    /// `None` once its end was seen.
    pub(super) main: Option<JoinHandle<Result>>,
}

/// Everything a simulation consists of.
pub(super) struct World {
    pub(super) seed: Seed,
    pub(super) seed_from_environment: bool,
    pub(super) clock: Clock,
    pub(super) executor: Executor,
    pub(super) queue: EventQueue,
    pub(super) lan: Lan,
    pub(super) names: Names,
    pub(super) machines: Vec<Machine>,
    pub(super) by_name: BTreeMap<String, u32>,
    pub(super) options: BTreeMap<String, HostOptions>,
    pub(super) dirty: DirtyHosts,
    pub(super) pool: FramePool,
    pub(super) vantages: Vec<Vantage>,
    /// Captures that are asked for from now on have a row for what is no frame, too.
    pub(super) captures_events: bool,
    /// What every capture needs to show what is encrypted.
    pub(super) secrets: TlsSecrets,
    /// Captures of links, by direction: vantage and end.
    pub(super) link_vantages: BTreeMap<usize, Vec<(usize, u32)>>,
    pub(super) observer: Option<Observer>,
    pub(super) last_frames: LastFrames,
    pub(super) recorder: Recorder,
    /// What files of this world are called.
    pub(super) kept_name: OnceCell<String>,
    /// Where the last frames were written when it failed.
    pub(super) kept: OnceCell<Vec<String>>,
    pub(super) next_packet_id: u64,
    pub(super) drops: Drops,
    pub(super) rules: Rules,
    pub(super) in_flight_limit: usize,
    pub(super) clients_running: usize,
    /// Hosts whose main task has ended since the world last looked.
    pub(super) ended: Rc<RefCell<Vec<u32>>>,
    pub(super) events: u64,
    pub(super) event_limit: u64,
    pub(super) poll_limit: u64,
    /// What one run may last.
    pub(super) time_limit: Duration,
    /// What one poll may last, in real time.
    pub(super) poll_time: Duration,
    pub(super) is_watched: bool,
    pub(super) pace: Pace,
    pub(super) setup_failure: Option<Failure>,
    pub(super) capture_failure: Option<io::Error>,
    pub(super) first_error: Option<RunError>,
    pub(super) started: bool,
    pub(super) verdict: Verdict,
    /// Buffers of the loop, kept to keep their memory.
    pub(super) turn: Turn,
    pub(super) dirty_now: Vec<u32>,
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
            captures_events: true,
            secrets: TlsSecrets::default(),
            link_vantages: BTreeMap::new(),
            observer: None,
            last_frames: LastFrames::default(),
            recorder: Recorder::default(),
            kept_name: OnceCell::new(),
            kept: OnceCell::new(),
            next_packet_id: 1,
            drops: Drops::default(),
            rules: Rules::default(),
            in_flight_limit: limits::IN_FLIGHT,
            clients_running: 0,
            ended: Rc::default(),
            events: 0,
            event_limit: limits::EVENTS,
            poll_limit: limits::IDLE_POLLS,
            time_limit: limits::TIME,
            poll_time: limits::POLL_TIME,
            is_watched: false,
            pace: Pace::default(),
            setup_failure: None,
            capture_failure: None,
            first_error: None,
            started: false,
            verdict: Verdict::default(),
            turn: Turn::unwatched(),
            dirty_now: Vec::new(),
        }
    }
}
