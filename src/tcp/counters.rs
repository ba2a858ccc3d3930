//! What an engine counts of its segments.

use super::info::TcpInfo;
use crate::wire::tcp::Segment;

/// Segments so far (RFC 4898).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    segments_out: u32,
    segments_in: u32,
    data_segments_out: u32,
    data_segments_in: u32,
}

impl Counters {
    #[inline]
    pub(super) fn received(&mut self, segment: &Segment) {
        self.segments_in = self.segments_in.wrapping_add(1);
        if segment.payload_len > 0 {
            self.data_segments_in = self.data_segments_in.wrapping_add(1);
        }
    }

    /// A segment with `len` bytes of payload leaves.
    #[inline]
    pub(super) fn sent(&mut self, len: u32) {
        self.segments_out = self.segments_out.wrapping_add(1);
        self.data_segments_out = self.data_segments_out.wrapping_add(u32::from(len > 0));
    }

    /// A segment without payload leaves.
    #[inline]
    pub(super) fn sent_bare(&mut self) {
        self.segments_out = self.segments_out.wrapping_add(1);
    }

    /// The SYN arrived before there was an engine.
    pub(super) fn take_over(&mut self) {
        self.segments_in = 1;
    }

    /// Puts what it has counted into `info`.
    pub(super) fn inform(&self, info: &mut TcpInfo) {
        info.segs_out = self.segments_out;
        info.segs_in = self.segments_in;
        info.data_segs_out = self.data_segments_out;
        info.data_segs_in = self.data_segments_in;
    }
}

/// Milliseconds since then.
pub(super) fn millis_since(now: u64, then: u64) -> u32 {
    (now.saturating_sub(then) / 1_000_000).min(u64::from(u32::MAX)) as u32
}
