//! One direction of a link at work.

use std::collections::VecDeque;

use super::fate::{DropReason, Fate};
use super::impairment::Impairments;
use crate::rng::Stream;
use crate::time::Instant;

/// What a frame on its way counts for beside its bytes: so many small ones are bounded as well.
const OVERHEAD: usize = 256;

/// What a frame of `len` bytes counts for while it is on its way.
#[inline]
pub(crate) fn charge(len: usize) -> usize {
    len + OVERHEAD
}

/// ARP takes no longer than over a path without impairments.
const ARP_DELAY: u64 = 1_000_000;

/// One direction of a link, by twice the number of the link, and one more for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HalfLinkId(u32);

impl HalfLinkId {
    /// The way there of a link.
    pub(super) fn first_of(link: usize) -> HalfLinkId {
        HalfLinkId(link as u32 * 2)
    }

    pub(super) fn numbered(number: u32) -> HalfLinkId {
        HalfLinkId(number)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn link(self) -> usize {
        (self.0 / 2) as usize
    }

    /// 0 for the way there, 1 for the way back.
    pub(super) fn side(self) -> usize {
        (self.0 % 2) as usize
    }

    pub(super) fn reverse(self) -> HalfLinkId {
        HalfLinkId(self.0 ^ 1)
    }
}

/// What stops the IP packets of one direction of a link on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// They are lost.
    Partition,
    /// They are kept.
    Hold,
}

/// Who stops them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoppedBy {
    /// Whoever says so, until somebody says the opposite.
    Call,
    /// One of any number of guards, until it is dropped.
    Guard,
}

/// Whether one [`Stop`] is in force.
#[derive(Clone, Copy, Debug, Default)]
struct Stopped {
    by_call: bool,
    guards: u32,
}

impl Stopped {
    #[inline]
    fn is_on(self) -> bool {
        self.by_call || self.guards > 0
    }

    fn set(&mut self, by: StoppedBy, on: bool) {
        match (by, on) {
            (StoppedBy::Call, on) => self.by_call = on,
            (StoppedBy::Guard, true) => self.guards = self.guards.saturating_add(1),
            (StoppedBy::Guard, false) => self.guards = self.guards.saturating_sub(1),
        }
    }
}

/// One direction of a link: its impairments, and where it stands.
pub(crate) struct HalfLink {
    impairments: Impairments,
    partition: Stopped,
    hold: Stopped,
    stream: Stream,
    /// When the frame being serialised is out.
    busy_until: u64,
    /// When each frame that waits, or is being serialised, will be out.
    departures: VecDeque<u64>,
    /// When the last of what it has carried arrives.
    last_arrival: u64,
    /// What is on its way or held, as [`charge`] counts it.
    in_flight: usize,
}

impl HalfLink {
    pub(crate) fn new(stream: Stream) -> HalfLink {
        HalfLink {
            impairments: Impairments::default(),
            partition: Stopped::default(),
            hold: Stopped::default(),
            stream,
            busy_until: 0,
            departures: VecDeque::new(),
            last_arrival: 0,
            in_flight: 0,
        }
    }

    /// Changes what it does to frames that it has not yet carried.
    pub(crate) fn set_impairments(&mut self, impairments: &Impairments) {
        self.impairments.clone_from(impairments);
    }

    /// Begins or ends a stop. Returns whether it is in force now.
    pub(crate) fn set_stop(&mut self, stop: Stop, by: StoppedBy, on: bool) -> bool {
        let stopped = match stop {
            Stop::Partition => &mut self.partition,
            Stop::Hold => &mut self.hold,
        };
        stopped.set(by, on);
        stopped.is_on()
    }

    /// When a frame that was held arrives if it is let go at `now`: at once, but not before those
    /// that it has carried until the hold.
    pub(crate) fn released_at(&self, now: u64) -> u64 {
        now.max(self.last_arrival)
    }

    /// Carries a frame of `len` bytes with an IP packet of `packet_len`. Whoever has it carried
    /// says when it, and its duplicate, has [`HalfLink::arrived`].
    pub(crate) fn carry(&mut self, now: u64, len: usize, packet_len: usize) -> Fate {
        if self.partition.is_on() {
            return Fate::Dropped(DropReason::Partition);
        }
        if let Some(mtu) = self.impairments.mtu
            && packet_len > mtu
        {
            return Fate::Dropped(DropReason::TooBig);
        }
        if self.hold.is_on() {
            if self.in_flight.saturating_add(charge(len)) > self.impairments.in_flight {
                return Fate::Dropped(DropReason::InFlightLimit);
            }
            self.in_flight += charge(len);
            return Fate::Held;
        }
        if self.stream.chance(self.impairments.loss) {
            return Fate::Dropped(DropReason::Loss);
        }
        if self.in_flight.saturating_add(charge(len)) > self.impairments.in_flight {
            return Fate::Dropped(DropReason::InFlightLimit);
        }
        let Some(departs) = self.serialise(now, len) else {
            return Fate::Dropped(DropReason::QueueFull);
        };
        let duplicated = self.stream.chance(self.impairments.duplicate);
        let at = self.propagate(departs);
        let duplicate_at = duplicated.then(|| self.propagate(departs));
        self.in_flight += charge(len) * (1 + usize::from(duplicated));
        self.last_arrival = self.last_arrival.max(duplicate_at.unwrap_or(at).max(at).as_nanos());
        Fate::Arrives { at, duplicate_at }
    }

    /// A frame of `len` bytes that was carried has arrived.
    #[inline]
    pub(crate) fn arrived(&mut self, len: usize) {
        self.in_flight -= charge(len);
    }

    /// Carries a frame of ARP or neighbour discovery, which meets no impairments.
    pub(crate) fn carry_arp(&self, now: u64) -> Fate {
        let delay = nanos(self.impairments.delay_in_force()).min(ARP_DELAY);
        let at = Instant::from_nanos(now.saturating_add(delay));
        Fate::Arrives { at, duplicate_at: None }
    }

    /// When the last bit of a frame leaves; `None` when the queue is full.
    fn serialise(&mut self, now: u64, len: usize) -> Option<u64> {
        let Some(rate) = self.impairments.rate else { return Some(now) };
        while self.departures.front().is_some_and(|departs| *departs <= now) {
            self.departures.pop_front();
        }
        // The one being serialised does not wait.
        if self.departures.len() > self.impairments.queue {
            return None;
        }
        let bits = len as u128 * 8;
        let takes = (bits * 1_000_000_000).div_ceil(u128::from(rate));
        let takes = u64::try_from(takes).unwrap_or(u64::MAX);
        let departs = self.busy_until.max(now).saturating_add(takes);
        self.busy_until = departs;
        self.departures.push_back(departs);
        Some(departs)
    }

    fn propagate(&mut self, departs: u64) -> Instant {
        let delay = nanos(self.impairments.delay_in_force());
        let jitter = nanos(self.impairments.jitter);
        let mut at = departs.saturating_add(delay);
        if jitter > 0 {
            at = at
                .saturating_add(self.stream.up_to(jitter.saturating_mul(2)))
                .saturating_sub(jitter);
        }
        if self.stream.chance(self.impairments.reorder) {
            let max = delay.saturating_mul(2).max(1_000_000);
            at = at.saturating_add(self.stream.up_to(max));
        }
        Instant::from_nanos(at.max(departs))
    }
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rng::Seed;

    const MS: u64 = 1_000_000;

    fn half_link(impairments: Impairments) -> HalfLink {
        let mut half_link = HalfLink::new(Seed(7).stream("link a>b"));
        half_link.set_impairments(&impairments);
        half_link
    }

    fn arrival(fate: Fate) -> u64 {
        match fate {
            Fate::Arrives { at, .. } => at.as_nanos(),
            fate => panic!("{fate:?}"),
        }
    }

    #[test]
    fn frames_are_serialised_one_after_the_other_at_the_rate() {
        let impairments = Impairments::default().rate(8_000_000).delay(Duration::from_millis(5));
        let mut link = half_link(impairments);
        assert_eq!(arrival(link.carry(0, 1000, 986)), 6 * MS);
        assert_eq!(arrival(link.carry(0, 1000, 986)), 7 * MS);
        assert_eq!(arrival(link.carry(10 * MS, 1000, 986)), 16 * MS);
    }

    #[test]
    fn a_full_queue_drops_the_next_frame() {
        let mut link = half_link(Impairments::default().rate(8_000_000).queue(2));
        let fates: Vec<bool> =
            (0..4).map(|_| matches!(link.carry(0, 1000, 986), Fate::Arrives { .. })).collect();
        assert_eq!(fates, [true, true, true, false]);
        assert!(matches!(link.carry(MS, 1000, 986), Fate::Arrives { .. }));
    }

    #[test]
    fn what_is_on_its_way_is_bounded_also_without_a_rate() {
        let mut link = half_link(Impairments::default().in_flight(3_000));
        let fates: Vec<Fate> = (0..3).map(|_| link.carry(0, 1000, 986)).collect();
        assert!(matches!(fates[..2], [Fate::Arrives { .. }, Fate::Arrives { .. }]));
        assert_eq!(fates[2], Fate::Dropped(DropReason::InFlightLimit));
        link.arrived(1000);
        assert!(matches!(link.carry(MS, 1000, 986), Fate::Arrives { .. }));
    }

    #[test]
    fn a_duplicate_is_on_its_way_as_well() {
        let mut link = half_link(Impairments::default().duplicate(1.0));
        assert!(matches!(link.carry(0, 1000, 986), Fate::Arrives { duplicate_at: Some(_), .. }));
        link.arrived(1000);
        assert_eq!(link.in_flight, charge(1000));
        link.arrived(1000);
        assert_eq!(link.in_flight, 0);
    }

    #[test]
    fn jitter_stays_within_its_bounds_on_both_sides() {
        let impairments =
            Impairments::default().delay(Duration::from_millis(5)).jitter(Duration::from_millis(2));
        let mut link = half_link(impairments);
        let arrivals: Vec<u64> = (0..1000).map(|_| arrival(link.carry(0, 60, 46))).collect();
        assert!(arrivals.iter().all(|at| (3 * MS..=7 * MS).contains(at)));
        assert!(arrivals.iter().any(|at| *at < 4 * MS) && arrivals.iter().any(|at| *at > 6 * MS));
    }

    #[test]
    fn a_packet_above_the_mtu_is_dropped_and_a_partition_spares_arp() {
        let mut link = half_link(Impairments::default().mtu(1000));
        assert_eq!(link.carry(0, 1015, 1001), Fate::Dropped(DropReason::TooBig));
        assert!(matches!(link.carry(0, 1014, 1000), Fate::Arrives { .. }));
        link.set_stop(Stop::Partition, StoppedBy::Call, true);
        assert_eq!(link.carry(0, 54, 40), Fate::Dropped(DropReason::Partition));
        assert!(matches!(link.carry_arp(0), Fate::Arrives { .. }));
    }

    #[test]
    fn a_guard_ends_its_own_stop_and_no_other() {
        let mut link = half_link(Impairments::default());
        let (partition, call, guard) = (Stop::Partition, StoppedBy::Call, StoppedBy::Guard);
        let steps = [
            (call, true, true),
            (guard, true, true),
            (guard, true, true),
            (call, false, true),
            (guard, false, true),
            (guard, false, false),
        ];
        for (by, on, stops) in steps {
            assert_eq!(link.set_stop(partition, by, on), stops, "{by:?} {on}");
            assert_eq!(link.carry(0, 60, 46) == Fate::Dropped(DropReason::Partition), stops);
        }
    }

    #[test]
    fn what_is_held_is_bounded_and_is_released_after_what_was_carried_before() {
        let delay = Duration::from_millis(5);
        let mut link = half_link(Impairments::default().delay(delay).in_flight(3_000));
        assert_eq!(arrival(link.carry(0, 1000, 986)), 5 * MS);
        link.set_stop(Stop::Hold, StoppedBy::Call, true);
        assert_eq!(link.carry(MS, 1000, 986), Fate::Held);
        assert_eq!(link.carry(MS, 1000, 986), Fate::Dropped(DropReason::InFlightLimit));
        assert_eq!((link.released_at(2 * MS), link.released_at(7 * MS)), (5 * MS, 7 * MS));
    }

    #[test]
    fn a_reordered_frame_is_overtaken() {
        let mut link = half_link(Impairments::default().reorder(0.5));
        let arrivals: Vec<u64> = (0..100).map(|frame| arrival(link.carry(frame, 60, 46))).collect();
        assert!(!arrivals.is_sorted());
    }
}
