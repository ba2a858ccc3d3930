//! Faults: what a test does to hosts and links on purpose.

use super::sim::Sim;
use super::state::{Main, World};

impl Sim {
    /// Cuts two hosts off from each other: every IP packet between them is lost, in both
    /// directions, those on their way excepted. ARP still passes, as when something beyond the
    /// switch is broken, so a connection attempt meets silence rather than an unreachable host.
    ///
    /// # Panics
    /// When no host has one of the names, or both are the same.
    #[track_caller]
    pub fn partition(&mut self, a: &str, b: &str) {
        self.set_partitioned(a, b, true);
    }

    /// Ends a [`Sim::partition`].
    ///
    /// # Panics
    /// As [`Sim::partition`].
    #[track_caller]
    pub fn heal(&mut self, a: &str, b: &str) {
        self.set_partitioned(a, b, false);
    }

    /// Cuts a host's power: its tasks are dropped, its connections are gone, and nothing is sent
    /// any more, so that its peers meet silence. A client that crashes counts as ended.
    ///
    /// # Panics
    /// When no host has the name.
    #[track_caller]
    pub fn crash(&mut self, host: &str) {
        let index = self.world.faulted(host);
        self.world.crash(index);
    }

    /// Crashes a host, if it has not, and starts it anew: with an empty stack, the same address,
    /// and the function given to [`Sim::host`].
    ///
    /// # Panics
    /// When no host has the name, or it is a client, which cannot be bounced: its future runs
    /// once.
    #[track_caller]
    pub fn bounce(&mut self, host: &str) {
        let index = self.world.faulted(host);
        let is_client = matches!(self.world.machines[index as usize].main, Main::Client(_));
        assert!(!is_client, "{host:?} is a client, which cannot be bounced: its future runs once");
        self.world.bounce(index);
    }

    #[track_caller]
    fn set_partitioned(&mut self, a: &str, b: &str, partitioned: bool) {
        self.world.faulted(a);
        self.world.faulted(b);
        assert!(a != b, "host {a:?} cannot be cut off from itself: loopback has no link");
        self.world.direction(a, b).partitioned = partitioned;
        self.world.direction(b, a).partitioned = partitioned;
        let what = if partitioned { "partition of" } else { "healed:" };
        self.world.tell_link_captures(&format!("{what} {a} and {b}"));
    }
}

impl World {
    /// The host that a fault is for. An unknown name is an error here and now, because the next
    /// run, which could report it, may never come.
    #[track_caller]
    fn faulted(&self, name: &str) -> u32 {
        match self.host_index(name) {
            Some(index) => index,
            None => panic!("{}", self.no_host_called(name)),
        }
    }
}
