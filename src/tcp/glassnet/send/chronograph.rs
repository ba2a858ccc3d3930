//! How long the sender was busy, and what held it back meanwhile (RFC 4898's `SndLimTime`, Linux's
//! `tcp_chrono`).

use super::seldom::Seldom;

/// What holds the sender back; of several the last counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Limit {
    /// There is nothing to send, and nothing in flight.
    #[default]
    Idle,
    /// The path, or the congestion window.
    Path,
    /// The peer's window.
    PeerWindow,
    /// The send buffer: everything that fits has left, and the application has more.
    SendBuffer,
}

/// How long there was something to do, and what holds the sender back now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chronograph {
    since: u64,
    /// Nanoseconds that something was to be sent or in flight, before `since`.
    busy: u64,
    limit: Limit,
}

impl Chronograph {
    #[inline]
    pub(super) fn limit(&self) -> Limit {
        self.limit
    }

    /// There is something to send.
    #[inline]
    pub(super) fn begin(&mut self, now: u64) {
        if self.limit == Limit::Idle {
            (self.limit, self.since) = (Limit::Path, now);
        }
    }

    /// Everything is acknowledged.
    #[inline]
    pub(super) fn rest(&mut self, now: u64, seldom: &mut Seldom) {
        if self.limit == Limit::Path {
            self.busy += now.saturating_sub(self.since);
            self.limit = Limit::Idle;
        } else {
            self.set(now, Limit::Idle, seldom);
        }
    }

    /// Something else holds the sender back, or nothing does.
    #[inline(never)]
    pub(super) fn set(&mut self, now: u64, limit: Limit, seldom: &mut Seldom) {
        let elapsed = now.saturating_sub(self.since);
        match self.limit {
            Limit::Idle => {}
            Limit::Path => self.busy += elapsed,
            Limit::PeerWindow => {
                self.busy += elapsed;
                seldom.add_held_by_window(elapsed);
            }
            Limit::SendBuffer => {
                self.busy += elapsed;
                seldom.add_held_by_buffer(elapsed);
            }
        }
        (self.limit, self.since) = (limit, now);
    }

    /// Microseconds in which something was to be sent or in flight.
    pub(super) fn busy(&self, now: u64) -> u64 {
        let current = if self.limit == Limit::Idle { 0 } else { now.saturating_sub(self.since) };
        (self.busy + current) / 1_000
    }

    /// Microseconds in which the peer's window held the sender back.
    pub(super) fn held_by_window(&self, now: u64, seldom: &Seldom) -> u64 {
        (seldom.held_by_window() + self.current(now, Limit::PeerWindow)) / 1_000
    }

    /// Microseconds in which the size of the send buffer did.
    pub(super) fn held_by_buffer(&self, now: u64, seldom: &Seldom) -> u64 {
        (seldom.held_by_buffer() + self.current(now, Limit::SendBuffer)) / 1_000
    }

    fn current(&self, now: u64, limit: Limit) -> u64 {
        if self.limit == limit { now.saturating_sub(self.since) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_the_sender_back_is_part_of_the_time_in_which_it_is_busy() {
        let (mut chronograph, mut seldom) = (Chronograph::default(), Seldom::default());
        chronograph.begin(1_000);
        chronograph.set(3_000, Limit::SendBuffer, &mut seldom);
        assert_eq!(chronograph.held_by_buffer(5_000, &seldom), 2);
        assert_eq!(chronograph.busy(5_000), 4);
        chronograph.set(9_000, Limit::Path, &mut seldom);
        chronograph.rest(10_000, &mut seldom);
        assert_eq!(chronograph.busy(50_000), 9);
        assert_eq!(chronograph.held_by_window(50_000, &seldom), 0);
        assert_eq!(chronograph.held_by_buffer(50_000, &seldom), 6);
    }
}
