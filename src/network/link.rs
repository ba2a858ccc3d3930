//! One direction of a link at work.

use std::collections::VecDeque;
use std::fmt;

use super::impairment::Impairments;
use crate::rng::Stream;
use crate::time::Instant;

/// What became of a frame that a host sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives at a time; its duplicate, if the link made one, at another.
    Arrives {
        /// When.
        at: Instant,
        /// When the duplicate does.
        duplicate_at: Option<Instant>,
    },
    /// It is lost.
    Dropped(DropReason),
}

/// Why a frame did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The link lost it, as its `loss` says.
    Loss,
    /// Too many frames waited to be serialised.
    QueueFull,
    /// It was larger than the link's MTU.
    TooBig,
    /// The two hosts are partitioned.
    Partition,
    /// No host has that address.
    NoSuchHost,
    /// The host it was for has crashed.
    HostDown,
    /// It is for a group that no other host has joined.
    NoListener,
}

impl fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            DropReason::Loss => "lost",
            DropReason::QueueFull => "queue full",
            DropReason::TooBig => "larger than the link's MTU",
            DropReason::Partition => "partition",
            DropReason::NoSuchHost => "no such host",
            DropReason::HostDown => "host is down",
            DropReason::NoListener => "no host listens",
        })
    }
}

/// ARP takes no longer than over a path without impairments.
const ARP_DELAY: u64 = 1_000_000;

/// One direction of a link: its impairments, and where it stands.
pub(crate) struct Direction {
    pub(crate) impairments: Impairments,
    pub(crate) partitioned: bool,
    stream: Stream,
    /// When the frame being serialised is out.
    busy_until: u64,
    /// When each frame that waits, or is being serialised, will be out.
    departures: VecDeque<u64>,
}

impl Direction {
    pub(crate) fn new(stream: Stream) -> Direction {
        Direction {
            impairments: Impairments::default(),
            partitioned: false,
            stream,
            busy_until: 0,
            departures: VecDeque::new(),
        }
    }

    /// Carries a frame of `len` bytes with an IP packet of `packet_len`.
    pub(crate) fn carry(&mut self, now: u64, len: usize, packet_len: usize) -> Fate {
        if self.partitioned {
            return Fate::Dropped(DropReason::Partition);
        }
        if let Some(mtu) = self.impairments.mtu
            && packet_len > mtu
        {
            return Fate::Dropped(DropReason::TooBig);
        }
        if self.stream.chance(self.impairments.loss) {
            return Fate::Dropped(DropReason::Loss);
        }
        let Some(departs) = self.serialise(now, len) else {
            return Fate::Dropped(DropReason::QueueFull);
        };
        let duplicated = self.stream.chance(self.impairments.duplicate);
        let at = self.propagate(departs);
        let duplicate_at = duplicated.then(|| self.propagate(departs));
        Fate::Arrives { at, duplicate_at }
    }

    /// Carries a frame of ARP, which goes no further than the switch.
    pub(crate) fn carry_arp(&self, now: u64) -> Fate {
        let delay = nanos(self.impairments.delay).min(ARP_DELAY);
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
        let delay = nanos(self.impairments.delay);
        let jitter = nanos(self.impairments.jitter);
        let mut at = departs.saturating_add(delay);
        if jitter > 0 {
            at = at
                .saturating_add(self.stream.up_to(jitter.saturating_mul(2)))
                .saturating_sub(jitter);
        }
        if self.stream.chance(self.impairments.reorder) {
            let most = delay.saturating_mul(2).max(1_000_000);
            at = at.saturating_add(self.stream.up_to(most));
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

    fn direction(impairments: Impairments) -> Direction {
        let mut direction = Direction::new(Seed(7).stream("link a>b"));
        direction.impairments = impairments;
        direction
    }

    fn arrival(fate: Fate) -> u64 {
        match fate {
            Fate::Arrives { at, .. } => at.as_nanos(),
            Fate::Dropped(reason) => panic!("dropped: {reason}"),
        }
    }

    #[test]
    fn frames_are_serialised_one_after_the_other_at_the_rate() {
        let impairments = Impairments {
            rate: Some(8_000_000),
            delay: Duration::from_millis(5),
            ..Impairments::default()
        };
        let mut link = direction(impairments);
        assert_eq!(arrival(link.carry(0, 1000, 986)), 6 * MS);
        assert_eq!(arrival(link.carry(0, 1000, 986)), 7 * MS);
        assert_eq!(arrival(link.carry(10 * MS, 1000, 986)), 16 * MS);
    }

    #[test]
    fn a_full_queue_drops_the_next_frame() {
        let mut link =
            direction(Impairments { rate: Some(8_000_000), queue: 2, ..Impairments::default() });
        let fates: Vec<bool> =
            (0..4).map(|_| matches!(link.carry(0, 1000, 986), Fate::Arrives { .. })).collect();
        assert_eq!(fates, [true, true, true, false]);
        assert!(matches!(link.carry(MS, 1000, 986), Fate::Arrives { .. }));
    }

    #[test]
    fn jitter_stays_within_its_bounds_on_both_sides() {
        let impairments = Impairments {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(2),
            ..Impairments::default()
        };
        let mut link = direction(impairments);
        let arrivals: Vec<u64> = (0..1000).map(|_| arrival(link.carry(0, 60, 46))).collect();
        assert!(arrivals.iter().all(|at| (3 * MS..=7 * MS).contains(at)));
        assert!(arrivals.iter().any(|at| *at < 4 * MS) && arrivals.iter().any(|at| *at > 6 * MS));
    }

    #[test]
    fn a_packet_above_the_mtu_is_dropped_and_a_partition_spares_arp() {
        let mut link = direction(Impairments { mtu: Some(1000), ..Impairments::default() });
        assert_eq!(link.carry(0, 1015, 1001), Fate::Dropped(DropReason::TooBig));
        assert!(matches!(link.carry(0, 1014, 1000), Fate::Arrives { .. }));
        link.partitioned = true;
        assert_eq!(link.carry(0, 54, 40), Fate::Dropped(DropReason::Partition));
        assert!(matches!(link.carry_arp(0), Fate::Arrives { .. }));
    }

    #[test]
    fn a_reordered_frame_is_overtaken() {
        let mut link = direction(Impairments { reorder: 0.5, ..Impairments::default() });
        let arrivals: Vec<u64> = (0..100).map(|frame| arrival(link.carry(frame, 60, 46))).collect();
        assert!(!arrivals.is_sorted());
    }
}
