//! Fragments, put together again.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::mib::PerFamily;
use crate::wire::checksum::Checksum;
use crate::wire::fragment::{Fragment, FragmentKey};
use crate::wire::ip::IPV6_HEADER;
use crate::wire::ipv4::set_total_len;
use crate::wire::ipv6::set_payload_len;

/// The largest packet that a length field can tell.
const MAX_PACKET: usize = 65_535;
const SECOND: u64 = 1_000_000_000;
/// Linux's `net.ipv4.ipfrag_time`.
pub(super) const IPV4_TIMEOUT: u64 = 30 * SECOND;
/// RFC 8200 4.5, and Linux's `net.ipv6.ip6frag_time`.
pub(super) const IPV6_TIMEOUT: u64 = 60 * SECOND;
/// Packets that are being put together at a time; the oldest gives way.
pub(super) const MAX_PACKETS: usize = 1024;
/// Bytes that all of them take; the oldest gives way (Linux's `ipfrag_high_thresh`).
pub(super) const MAX_BYTES: usize = 4 << 20;
/// What a fragment takes beside its payload, so that many small ones are bounded as well.
const OVERHEAD: usize = 128;

/// A packet that was put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole {
    pub(crate) packet: Vec<u8>,
    /// Trusted if each of its fragments was.
    pub(crate) checksum: Checksum,
}

/// A packet that was not whole in time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    /// Its first fragment, for an ICMP error to quote (RFC 792, RFC 4443 3.3); as if it were a
    /// packet of its own.
    pub(crate) first: Vec<u8>,
}

/// What a reassembler did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReassemblyCounters {
    /// Fragments that came.
    pub(crate) requests: u64,
    /// Packets that were put together.
    pub(crate) whole: u64,
    /// Packets that were not whole in time.
    pub(crate) timed_out: u64,
    /// Packets given up because their fragments overlap or contradict each other.
    pub(crate) contradictory: u64,
    /// Fragments that are useless by themselves.
    pub(crate) malformed: u64,
    /// Packets given up for want of room.
    pub(crate) evicted: u64,
    /// Fragments that had come already.
    pub(crate) duplicates: u64,
}

impl ReassemblyCounters {
    /// Packets that were never whole, and fragments of none.
    pub(crate) fn failures(&self) -> u64 {
        self.timed_out + self.contradictory + self.malformed + self.evicted
    }

    fn plus(self, other: ReassemblyCounters) -> ReassemblyCounters {
        ReassemblyCounters {
            requests: self.requests + other.requests,
            whole: self.whole + other.whole,
            timed_out: self.timed_out + other.timed_out,
            contradictory: self.contradictory + other.contradictory,
            malformed: self.malformed + other.malformed,
            evicted: self.evicted + other.evicted,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}

/// A packet of which some fragments are there.
#[derive(Debug)]
pub(super) struct Assembly {
    age: u64,
    deadline: u64,
    /// By offset; they never overlap.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Of the first fragment, once it came.
    headers: Option<Vec<u8>>,
    checksum: Checksum,
    /// Of the payload that is there.
    len: usize,
    /// Where the furthest piece ends.
    end: usize,
    /// Whether `end` is the packet's, because the last fragment came.
    end_known: bool,
    /// What it counts for.
    bytes: usize,
}

/// Why a fragment was not taken.
enum Refusal {
    Duplicate,
    /// The fragment is useless by itself.
    Malformed,
    /// The packet can no longer be told.
    Contradiction,
}

impl Assembly {
    fn insert(&mut self, fragment: &Fragment<'_>) -> Result<(), Refusal> {
        // Only the last fragment's length need not be a multiple of 8. Linux cuts IPv4's.
        let mut payload = fragment.payload;
        if fragment.more && !payload.len().is_multiple_of(8) {
            if fragment.headers[0] >> 4 == 6 {
                return Err(Refusal::Malformed);
            }
            payload = &payload[..payload.len() & !7];
        }
        let (offset, end) = (fragment.offset, fragment.offset + payload.len());
        if payload.is_empty() {
            return Err(Refusal::Contradiction);
        }
        // IPv6's own header does not count.
        let uncounted = if fragment.headers[0] >> 4 == 6 { IPV6_HEADER } else { 0 };
        if end + fragment.headers.len() - uncounted > MAX_PACKET {
            return Err(Refusal::Malformed);
        }
        let contradicts = if fragment.more {
            self.end_known && end > self.end
        } else {
            end < self.end || (self.end_known && end != self.end)
        };
        if contradicts {
            return Err(Refusal::Contradiction);
        }
        if self.pieces.range(..end).next_back().is_some_and(|(at, piece)| at + piece.len() > offset)
        {
            let covered = self.covers(offset, end);
            return Err(if covered { Refusal::Duplicate } else { Refusal::Contradiction });
        }
        if offset == 0 {
            self.headers = Some(fragment.headers_of_whole());
        }
        self.len += payload.len();
        self.end = self.end.max(end);
        self.end_known |= !fragment.more;
        self.bytes += payload.len() + OVERHEAD;
        self.pieces.insert(offset, payload.to_vec());
        Ok(())
    }

    /// Whether every byte from `start` to `end` is there.
    fn covers(&self, start: usize, end: usize) -> bool {
        let Some((first, _)) = self.pieces.range(..=start).next_back() else { return false };
        let mut reached = *first;
        for (at, piece) in self.pieces.range(*first..end) {
            if *at != reached {
                return false;
            }
            reached += piece.len();
        }
        reached >= end
    }

    fn is_whole(&self) -> bool {
        self.end_known && self.len == self.end && self.headers.is_some()
    }

    fn join(self) -> Option<Whole> {
        let packet = with_payload(self.headers?, self.pieces.into_values())?;
        Some(Whole { packet, checksum: self.checksum })
    }

    fn expire(mut self) -> Option<Expired> {
        let first = self.pieces.remove(&0)?;
        Some(Expired { first: with_payload(self.headers?, std::iter::once(first))? })
    }
}

/// A packet of these headers, with the length and checksum that they need, and this payload.
fn with_payload(headers: Vec<u8>, pieces: impl Iterator<Item = Vec<u8>>) -> Option<Vec<u8>> {
    let (header_len, is_ipv6) = (headers.len(), headers[0] >> 4 == 6);
    let mut packet = headers;
    pieces.for_each(|piece| packet.extend_from_slice(&piece));
    let len = packet.len() - if is_ipv6 { IPV6_HEADER } else { 0 };
    if len > MAX_PACKET {
        return None;
    }
    if is_ipv6 {
        set_payload_len(&mut packet, len);
    } else {
        set_total_len(&mut packet[..header_len], len);
    }
    Some(packet)
}

/// The packets of a host that are being put together.
#[derive(Debug, Default)]
pub(crate) struct Reassembler {
    pub(super) by_key: BTreeMap<FragmentKey, Assembly>,
    pub(super) by_age: BTreeMap<u64, FragmentKey>,
    /// Deadline and age.
    deadlines: BTreeSet<(u64, u64)>,
    next_age: u64,
    pub(super) bytes: usize,
    counters: PerFamily<ReassemblyCounters>,
}

impl Reassembler {
    /// Takes in a fragment; the packet, when it was the last that was missing. `checksum` is
    /// that of the packet it came in.
    ///
    /// Fragments that overlap end the packet they are of, as RFC 8200 4.5 demands and Linux does
    /// for IPv4 as well; one that is there already is ignored.
    pub(crate) fn add(
        &mut self,
        now: u64,
        fragment: &Fragment<'_>,
        checksum: Checksum,
    ) -> Option<Whole> {
        let counters = self.counters.of(fragment.key.source);
        counters.requests += 1;
        if fragment.is_whole() {
            counters.whole += 1;
            let payload = std::iter::once(fragment.payload.to_vec());
            let packet = with_payload(fragment.headers_of_whole(), payload)?;
            return Some(Whole { packet, checksum });
        }
        let key = fragment.key;
        let mut assembly = match self.take(&key) {
            Some(assembly) => assembly,
            None => self.begin(now, &key),
        };
        match assembly.insert(fragment) {
            Ok(()) => assembly.checksum = assembly.checksum.and(checksum),
            Err(Refusal::Duplicate) => self.counters.of(key.source).duplicates += 1,
            Err(Refusal::Malformed) => self.counters.of(key.source).malformed += 1,
            Err(Refusal::Contradiction) => {
                self.counters.of(key.source).contradictory += 1;
                return None;
            }
        }
        if assembly.is_whole() {
            self.counters.of(key.source).whole += 1;
            return assembly.join();
        }
        if !assembly.pieces.is_empty() {
            self.put(key, assembly);
            self.make_room();
        }
        None
    }

    /// Counts a fragment that is useless by itself, and was not taken in.
    pub(crate) fn refuse(&mut self, fragment: &Fragment<'_>) {
        let counters = self.counters.of(fragment.key.source);
        counters.requests += 1;
        counters.malformed += 1;
    }

    /// Whether there is one: asked in each turn, and most hosts have none.
    #[inline]
    pub(crate) fn has_deadline(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// When [`Reassembler::expire`] is next needed.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Gives up what was not whole in time. Those packets whose first fragment had come are
    /// returned, because their senders are told.
    pub(crate) fn expire(&mut self, now: u64) -> Vec<Expired> {
        let mut expired = Vec::new();
        while let Some((deadline, age)) = self.deadlines.first().copied()
            && deadline <= now
        {
            if let Some(key) = self.by_age.get(&age) {
                self.counters.of(key.source).timed_out += 1;
            }
            expired.extend(self.take_aged(age).and_then(Assembly::expire));
        }
        expired
    }

    pub(crate) fn counters(&self) -> ReassemblyCounters {
        self.counters.v4.plus(self.counters.v6)
    }

    pub(in crate::host) fn counters_of_each(&self) -> PerFamily<ReassemblyCounters> {
        self.counters
    }

    /// Packets of which some fragments are there.
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    fn begin(&mut self, now: u64, key: &FragmentKey) -> Assembly {
        let timeout = if key.source.is_ipv6() { IPV6_TIMEOUT } else { IPV4_TIMEOUT };
        self.next_age += 1;
        Assembly {
            age: self.next_age,
            deadline: now.saturating_add(timeout),
            pieces: BTreeMap::new(),
            headers: None,
            checksum: Checksum::Verified,
            len: 0,
            end: 0,
            end_known: false,
            bytes: 0,
        }
    }

    fn put(&mut self, key: FragmentKey, assembly: Assembly) {
        self.bytes += assembly.bytes;
        self.by_age.insert(assembly.age, key);
        self.deadlines.insert((assembly.deadline, assembly.age));
        self.by_key.insert(key, assembly);
    }

    fn take(&mut self, key: &FragmentKey) -> Option<Assembly> {
        let assembly = self.by_key.remove(key)?;
        self.by_age.remove(&assembly.age);
        self.deadlines.remove(&(assembly.deadline, assembly.age));
        self.bytes -= assembly.bytes;
        Some(assembly)
    }

    fn take_aged(&mut self, age: u64) -> Option<Assembly> {
        let key = *self.by_age.get(&age)?;
        self.take(&key)
    }

    fn make_room(&mut self) {
        while self.by_key.len() > MAX_PACKETS || self.bytes > MAX_BYTES {
            let Some((oldest, key)) = self.by_age.first_key_value() else { return };
            self.counters.of(key.source).evicted += 1;
            let oldest = *oldest;
            self.take_aged(oldest);
        }
    }
}
