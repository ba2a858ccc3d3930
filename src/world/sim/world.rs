//! Everything a simulation consists of.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desk::Desk;
use super::failure::RunError;
use super::kept::Kept;
use super::machine::Machines;
use super::pace::Pace;
use super::rules::Rules;
use super::verdict::Verdict;
use super::wall::WallLimit;
use crate::net::Names;
use crate::net::Turn;
use crate::network::Impairments;
use crate::time::Instant;
use crate::world::core::captures::Captures;
use crate::world::core::fault_log::FaultLog;
use crate::world::core::frame_log::FrameLog;
use crate::world::core::journal::Journal;
use crate::world::core::observe::Observer;
use crate::world::core::tasks::Tasks;
use crate::world::core::traffic::Traffic;
use crate::world::plan::Plan;

/// Everything a simulation consists of.
pub(super) struct World {
    pub(super) plan: Plan,
    /// Whether the hosts, links and captures of the plan are all there.
    pub(super) is_built: bool,
    pub(super) tasks: Tasks,
    /// Whether the watchdog looks after the tasks.
    pub(super) is_watched: bool,
    pub(super) machines: Machines,
    pub(super) names: Names,
    pub(super) traffic: Traffic,
    pub(super) captures: Captures,
    /// Captures that are asked for from now on have a row for what is no frame, too.
    pub(super) captures_events: bool,
    pub(super) rules: Rules,
    /// Where faults are handed in.
    pub(super) desk: Desk,
    pub(super) carries_out_orders: bool,
    pub(super) faults: FaultLog,
    /// What directions of links do to frames where faults have changed it, by the hosts' names.
    pub(super) changed_links: BTreeMap<(String, String), Impairments>,
    pub(super) observer: Option<Observer>,
    /// What waits for threads outside of the world, where programs of hosts have threads.
    #[cfg(feature = "tokio")]
    pub(super) outside: Option<super::machine::Outside>,
    /// Where this run is compared with another.
    pub(super) journal: Option<Journal>,
    pub(super) log: FrameLog,
    pub(super) kept: Kept,
    /// How many events were handled.
    pub(super) events: u64,
    /// Real time that whoever runs this world gives it.
    pub(super) wall: Option<Arc<WallLimit>>,
    pub(super) pace: Pace,
    pub(super) first_error: Option<RunError>,
    pub(super) verdict: Verdict,
    /// Buffers of the loop, kept to keep their memory.
    pub(super) turn: Turn,
    pub(super) used_hosts: Vec<u32>,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let (tasks, traffic) = (Tasks::new(), Traffic::new());
        let interrupt = tasks.executor.interrupt().clone();
        let (clock, used, held) = (tasks.clock.clone(), tasks.used.clone(), traffic.held.clone());
        World {
            plan: Plan::new(seed),
            is_built: false,
            tasks,
            is_watched: false,
            machines: Machines::default(),
            names: Names::default(),
            traffic,
            captures: Captures::default(),
            captures_events: true,
            rules: Rules::default(),
            desk: Desk::new(clock, used, held, interrupt),
            carries_out_orders: false,
            faults: FaultLog::default(),
            changed_links: BTreeMap::new(),
            observer: None,
            #[cfg(feature = "tokio")]
            outside: None,
            journal: None,
            log: FrameLog::default(),
            kept: Kept::default(),
            events: 0,
            wall: None,
            pace: Pace::default(),
            first_error: None,
            verdict: Verdict::default(),
            turn: Turn::unwatched(),
            used_hosts: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.tasks.now())
    }
}
