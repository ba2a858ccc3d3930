//! The tasks of a world, and its clock.

use std::sync::Arc;

use super::machine::Running;
use crate::clock::Clock;
use crate::host::Host;
use crate::net::{Attachment, NameService, Names};
use crate::net::{DirtyHosts, HostHandle};
use crate::rng::Stream;
use crate::task::own_thread;
use crate::task::{Executor, HostScope, Streams};

/// The tasks of a world, its clock, and the hosts whose sockets they used.
pub(in crate::world) struct Tasks {
    pub(in crate::world) clock: Clock,
    pub(in crate::world) executor: Executor,
    pub(in crate::world) used: DirtyHosts,
}

/// The thread that this is on drives the world, until it is dropped.
pub(in crate::world) struct Driving {
    _guard: own_thread::Driving,
    executor: Executor,
    used: DirtyHosts,
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.executor.share_own();
        self.used.share_own();
    }
}

/// What a host draws from beside its stack, so that no draw moves one of another.
pub(in crate::world) struct HostStreams {
    pub(in crate::world) resolver: Stream,
    pub(in crate::world) applications: Streams,
}

impl Tasks {
    pub(in crate::world) fn new() -> Tasks {
        let executor = Executor::new();
        let used = DirtyHosts::new(executor.world(), executor.alarm().clone());
        Tasks { clock: Clock::default(), executor, used }
    }

    /// What tasks and sockets on this thread leave for the world takes no lock from now on.
    pub(in crate::world) fn drive(&self) -> Driving {
        let (executor, used) = (self.executor.clone(), self.used.clone());
        Driving { _guard: own_thread::drive(executor.world()), executor, used }
    }

    /// Nanoseconds since the world began.
    #[inline]
    pub(in crate::world) fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Moves to `hosts` those whose sockets were used since this was last asked.
    #[inline]
    pub(in crate::world) fn take_used(&self, hosts: &mut Vec<u32>) {
        self.used.take(hosts);
    }

    /// Whether no task can run, and no socket was used.
    pub(in crate::world) fn is_idle(&self) -> bool {
        self.executor.is_idle() && self.used.is_empty()
    }

    /// Makes a host one of this world; its main function is not running yet.
    pub(in crate::world) fn boot(
        &self,
        index: u32,
        name: &str,
        host: Host,
        names: &Names,
        streams: HostStreams,
    ) -> Running {
        let host = HostHandle::new(index, host, self.clock.clone(), self.used.clone());
        let names = Arc::new(NameService::new(name, names.clone(), streams.resolver));
        let attachment = Attachment { host: host.clone(), names };
        let scope = HostScope::new(
            name.to_owned(),
            self.clock.clone(),
            Arc::new(attachment),
            streams.applications,
            self.executor.clone(),
        );
        Running { host, scope, main: None }
    }
}
