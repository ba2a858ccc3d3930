//! The hosts of a simulated world, up or down.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::error::Result;
use crate::host::{Host, HostCounters};
use crate::task::Origin;
use crate::world::core::machine::Running;

pub(crate) type MainFuture = Pin<Box<dyn Future<Output = Result>>>;

/// Makes the task of a host of its main function, which it calls.
#[cfg(feature = "tokio")]
pub(crate) type Runner = fn(Box<dyn FnOnce() -> MainFuture>) -> MainFuture;

/// Waits, in real time, until a thread outside of the world has made something true. False when
/// none is waited for, or it takes long.
#[cfg(feature = "tokio")]
pub(crate) type Outside = fn(&dyn Fn() -> bool) -> bool;

/// What a host runs.
pub(super) enum Main {
    Host(Rc<dyn Fn() -> MainFuture>),
    /// Taken when it starts.
    Client(Option<MainFuture>),
}

/// One host of the world. Its name and its addresses are in the plan.
pub(super) struct Machine {
    main: Main,
    origin: Origin,
    /// How many times it has been started.
    starts: u32,
    /// Its power was cut before it was ever started.
    held_down: bool,
    /// `None` while it is down.
    running: Option<Running>,
    retransmissions_before: u64,
    /// What it had discarded when it last crashed.
    counters_before: HostCounters,
}

impl Machine {
    fn new(main: Main, origin: Origin) -> Machine {
        Machine {
            main,
            origin,
            starts: 0,
            held_down: false,
            running: None,
            retransmissions_before: 0,
            counters_before: HostCounters::default(),
        }
    }

    #[inline]
    pub(super) fn running(&self) -> Option<&Running> {
        self.running.as_ref()
    }

    pub(super) fn starts(&self) -> u32 {
        self.starts
    }

    /// Whether the next run starts it.
    pub(super) fn is_to_start(&self) -> bool {
        self.starts == 0 && !self.held_down
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self.main, Main::Client(_))
    }

    /// Whether it is a client that has not ended.
    pub(super) fn is_running_client(&self) -> bool {
        self.is_client() && self.running.as_ref().is_some_and(Running::has_main)
    }

    /// Segments that it has sent again.
    pub(super) fn retransmissions(&self) -> u64 {
        let running = self.running.as_ref();
        let now = running.map_or(0, |running| running.host.look(Host::retransmissions));
        self.retransmissions_before + now
    }

    /// What it has discarded.
    pub(super) fn counters(&self) -> HostCounters {
        let mut counters = self.counters_before;
        if let Some(running) = &self.running {
            counters.add(&running.host.look(Host::counters));
        }
        counters
    }
}

/// Notes that the main task of a host has ended, or was dropped.
struct NoteEnd {
    index: u32,
    ended: Rc<RefCell<Vec<u32>>>,
}

impl Drop for NoteEnd {
    fn drop(&mut self) {
        self.ended.borrow_mut().push(self.index);
    }
}

/// All hosts of the world, by their number.
#[derive(Default)]
pub(super) struct Machines {
    all: Vec<Machine>,
    clients_running: usize,
    /// Hosts whose main task has ended since the world last looked.
    ended: Rc<RefCell<Vec<u32>>>,
}

impl Machines {
    pub(super) fn add(&mut self, main: Main, origin: Origin) {
        self.all.push(Machine::new(main, origin));
    }

    pub(super) fn all(&self) -> &[Machine] {
        &self.all
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> &Machine {
        &self.all[index as usize]
    }

    /// Those that are up.
    pub(super) fn running(&self) -> impl Iterator<Item = &Running> {
        self.all.iter().filter_map(Machine::running)
    }

    #[inline]
    pub(super) fn clients_running(&self) -> usize {
        self.clients_running
    }

    /// Hosts whose main task has ended since this was last asked.
    pub(super) fn take_ended(&self) -> Vec<u32> {
        self.ended.take()
    }

    /// A host that was made runs from now on.
    pub(super) fn start(&mut self, index: u32, mut running: Running) {
        let machine = &mut self.all[index as usize];
        let ended = self.ended.clone();
        let main: Option<MainFuture> = match &mut machine.main {
            Main::Host(main) => {
                // Called by the task, so that its first lines, too, run on the host.
                let main = main.clone();
                Some(Box::pin(async move { main().await }))
            }
            Main::Client(main) => {
                let main = main.take();
                self.clients_running += usize::from(main.is_some());
                main
            }
        };
        if let Some(main) = main {
            let note = NoteEnd { index, ended };
            let noting_its_end = async move {
                let _note = note;
                main.await
            };
            running.start(machine.origin, noting_its_end);
        }
        machine.starts += 1;
        machine.held_down = false;
        machine.running = Some(running);
    }

    /// A host that has no power any more. `None` when it had none before: then it is not started
    /// by the next run either.
    pub(super) fn cut_power(&mut self, index: u32) -> Option<Running> {
        let machine = &mut self.all[index as usize];
        let Some(running) = machine.running.take() else {
            machine.held_down = machine.starts == 0;
            return None;
        };
        machine.retransmissions_before += running.host.look(Host::retransmissions);
        machine.counters_before.add(&running.host.look(Host::counters));
        if matches!(machine.main, Main::Client(_)) && running.has_main() {
            self.clients_running -= 1;
        }
        Some(running)
    }

    /// The main task of a host ends without a result, as a process that is killed.
    pub(super) fn end_main(&mut self, index: u32) {
        if let Some(running) = &self.all[index as usize].running {
            running.end_main();
        }
    }

    /// A host that never ran starts with the next run, whatever was done to it.
    pub(super) fn release(&mut self, index: u32) {
        self.all[index as usize].held_down = false;
    }

    /// The end of a main task that was not seen yet: the host that it ran on, and its result.
    pub(super) fn collect_main(&mut self, index: u32) -> Option<(&Running, Result)> {
        let machine = &mut self.all[index as usize];
        let is_client = matches!(machine.main, Main::Client(_));
        let running = machine.running.as_mut()?;
        let ended = running.take_end()?;
        self.clients_running -= usize::from(is_client);
        // A main task that was dropped has no result.
        Some((running, ended.unwrap_or(Ok(()))))
    }
}
