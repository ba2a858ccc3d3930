//! Faults: what a test does to hosts and links on purpose.

use super::sim::Sim;

impl Sim {
    /// Cuts two hosts off from each other: every IP packet between them is lost, in both
    /// directions, those on their way excepted. ARP still passes, as when something beyond the
    /// switch is broken, so a connection attempt meets silence rather than an unreachable host.
    /// Hosts may be named before they exist.
    pub fn partition(&mut self, a: &str, b: &str) {
        self.set_partitioned(a, b, true);
    }

    /// Ends a [`Sim::partition`].
    pub fn heal(&mut self, a: &str, b: &str) {
        self.set_partitioned(a, b, false);
    }

    /// Cuts a host's power: its tasks are dropped, its connections are gone, and nothing is sent
    /// any more, so that its peers meet silence. A client that crashes counts as ended.
    pub fn crash(&mut self, host: &str) {
        self.with_host(host, |world, index| world.crash(index));
    }

    /// Crashes a host, if it has not, and starts it anew: with an empty stack, the same address,
    /// and the function given to [`Sim::host`]. A client cannot be bounced.
    pub fn bounce(&mut self, host: &str) {
        self.with_host(host, |world, index| world.bounce(index));
    }
}
