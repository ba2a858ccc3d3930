//! TIME-WAIT without a socket: what is left of a connection that this side closed first.
//!
//! A connection that reaches TIME-WAIT leaves a record of a few words, instead of an engine with its
//! buffers, for as long as the host's options say, and a new SYN may take its place.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use crate::host::ports::Reuse;
use crate::tcp::TimestampState;
use crate::wire::ip::IpFields;
use crate::wire::tcp::{BareAck, FourTuple, Segment, Seq, SynOptions, Timestamps, TupleKey};

/// Connections in TIME-WAIT that a host keeps (Linux's `tcp_max_tw_buckets`).
const MAX_ENTRIES: usize = 262_144;
/// What does not belong to a handshake, or takes no sequence space in TIME-WAIT, is answered no sooner
/// again (Linux's `tcp_invalid_ratelimit`; RFC 5961 section 7).
pub(super) const ANSWER_INTERVAL: u64 = 500_000_000;
/// Entries that may speak for no connection before they are looked for, beside as many as speak
/// for one.
const GARBAGE: usize = 64;

/// What is left of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWait {
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    pub(crate) timestamps: Option<TimestampState>,
    /// What takes no sequence space is not answered before.
    pub(crate) no_answer_before: u64,
    pub(crate) window: u16,
    pub(crate) reuse: Reuse,
    pub(crate) ip_fields: IpFields,
    pub(crate) expires: u64,
}

/// What a connection in TIME-WAIT does with a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The tuple is free for the new connection that this SYN asks for.
    Reopen,
    Acknowledge,
    Ignore,
}

/// The connections of a host that are in TIME-WAIT.
#[derive(Default)]
pub(crate) struct TimeWaits {
    by_tuple: FxHashMap<TupleKey, (TimeWait, u64)>,
    /// Each with its stamp: an entry whose stamp is not its record's speaks for none.
    by_expiry: VecDeque<(u64, u64, FourTuple)>,
    next_stamp: u64,
}

impl TimeWaits {
    /// Adds a connection; false when there are too many, which then simply ends.
    pub(crate) fn insert(&mut self, tuple: FourTuple, record: TimeWait) -> bool {
        if self.by_tuple.len() >= MAX_ENTRIES {
            return false;
        }
        let stamp = self.next_stamp;
        self.next_stamp += 1;
        self.by_tuple.insert((&tuple).into(), (record, stamp));
        // A tuple that is used again and again leaves an entry behind each time.
        if self.by_expiry.len() > 2 * self.by_tuple.len() + GARBAGE {
            let by_tuple = &self.by_tuple;
            self.by_expiry.retain(|(_, stamp, tuple)| speaks(by_tuple, tuple, *stamp));
        }
        self.by_expiry.push_back((record.expires, stamp, tuple));
        true
    }

    pub(crate) fn remove(&mut self, tuple: &FourTuple) -> Option<TimeWait> {
        self.by_tuple.remove(&tuple.into()).map(|(record, _)| record)
    }

    pub(crate) fn get(&self, tuple: &FourTuple) -> Option<&TimeWait> {
        self.by_tuple.get(&tuple.into()).map(|(record, _)| record)
    }

    /// How many entries there are, those included that speak for no connection.
    pub(super) fn entries(&self) -> usize {
        self.by_expiry.len()
    }

    /// Ends what has lasted long enough; the tuples that became free are handed to `freed`.
    pub(crate) fn expire(&mut self, now: u64, mut freed: impl FnMut(&FourTuple, &TimeWait)) {
        while let Some((at, stamp, tuple)) = self.by_expiry.front().copied()
            && at <= now
        {
            self.by_expiry.pop_front();
            let key = TupleKey::from(&tuple);
            match self.by_tuple.get(&key).copied() {
                Some((_, other)) if other != stamp => {}
                Some((record, _)) if record.expires > now => {
                    let at = self.by_expiry.partition_point(|(other, ..)| *other <= record.expires);
                    self.by_expiry.insert(at, (record.expires, stamp, tuple));
                }
                Some((record, _)) => {
                    self.by_tuple.remove(&key);
                    freed(&tuple, &record);
                }
                None => {}
            }
        }
    }

    /// Judges a segment for `tuple`; restarts the time, to last until `expires`, for a repeated FIN.
    pub(crate) fn receive(
        &mut self,
        now: u64,
        tuple: &FourTuple,
        (segment, packet): (&Segment, &[u8]),
        expires: u64,
    ) -> Option<(Verdict, TimeWait)> {
        let (record, _) = self.by_tuple.get_mut(&tuple.into())?;
        let timestamps = record.timestamps.and_then(|_| SynOptions::of_packet(packet).timestamps);
        let mut verdict = judge(now, record, segment, timestamps);
        if verdict == Verdict::Acknowledge {
            if segment.fin {
                record.expires = expires;
            }
            if segment.len() == 0 {
                // Two hosts could go on for ever.
                if now < record.no_answer_before {
                    verdict = Verdict::Ignore;
                } else {
                    record.no_answer_before = now.saturating_add(ANSWER_INTERVAL);
                }
            }
        }
        Some((verdict, *record))
    }

    /// Those that last, each once, and until when.
    pub(crate) fn iter(&self, now: u64) -> impl Iterator<Item = (&FourTuple, u64)> {
        let all: BTreeSet<&FourTuple> = self.by_expiry.iter().map(|(.., tuple)| tuple).collect();
        all.into_iter().filter_map(move |tuple| {
            let (record, _) = self.by_tuple.get(&TupleKey::from(tuple))?;
            (record.expires > now).then_some((tuple, record.expires))
        })
    }
}

fn speaks(by_tuple: &FxHashMap<TupleKey, (TimeWait, u64)>, tuple: &FourTuple, stamp: u64) -> bool {
    by_tuple.get(&tuple.into()).is_some_and(|(_, other)| *other == stamp)
}

/// RFC 9293 3.10.7.4 for TIME-WAIT, with RFC 1337's cure: a RST does not end it. Linux's
/// `tcp_timewait_state_process`.
fn judge(
    now: u64,
    record: &TimeWait,
    segment: &Segment,
    timestamps: Option<Timestamps>,
) -> Verdict {
    if segment.rst {
        return Verdict::Ignore;
    }
    let known = record.timestamps.zip(timestamps);
    let is_old = known.is_some_and(|(state, theirs)| state.is_old(now, theirs.value));
    // RFC 9293 3.6.1: a new connection may begin if its sequence numbers are all higher, or if its
    // timestamp is (RFC 6191).
    let is_new = segment.seq.is_after(record.rcv_nxt)
        || known.is_some_and(|(state, theirs)| Seq(theirs.value).is_after(Seq(state.recent)));
    if segment.syn && segment.ack.is_none() && !is_old && is_new {
        return Verdict::Reopen;
    }
    let is_expected = segment.len() == 0 && segment.seq == record.rcv_nxt && !is_old;
    if is_expected { Verdict::Ignore } else { Verdict::Acknowledge }
}

impl TimeWait {
    /// What it is answered with, and its timestamps.
    pub(crate) fn ack(&self, now: u64) -> (BareAck, Option<Timestamps>) {
        let ack = BareAck { seq: self.snd_nxt, ack: self.rcv_nxt, window: self.window };
        (ack, self.timestamps.map(|state| state.now(now)))
    }
}
