//! The options of a segment: MSS (RFC 9293 3.7.1), window scale and timestamps (RFC 7323), selective
//! acknowledgments (RFC 2018), in the order in which Linux writes them.

use crate::wire::tcp::Seq;
pub(super) use crate::wire::tcp::Timestamps;

/// SACK blocks a segment has room for.
pub(super) const MAX_SACKS: usize = 4;
/// Bytes that options take, at most.
pub(super) const MAX_OPTIONS: usize = 40;
/// Bytes that timestamps take, with what aligns them.
pub(super) const TIMESTAMPS_LEN: u32 = 12;

/// NOP, NOP, Timestamps, 10 bytes: RFC 7323 appendix A.
const ALIGNED_TIMESTAMPS: u32 = 0x0101_080a;

/// A block of sequence numbers, from the first to the one after the last.
pub(super) type Block = (Seq, Seq);

/// The options that a segment carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SegmentOptions {
    pub(super) mss: Option<u16>,
    pub(super) window_scale: Option<u8>,
    pub(super) sack_permitted: bool,
    pub(super) timestamps: Option<Timestamps>,
    sacks: [Block; MAX_SACKS],
    sack_count: u8,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The timestamps of a segment that has them, aligned, as its only option.
#[inline]
pub(super) fn only_timestamps(options: &[u8]) -> Option<Timestamps> {
    let options: &[u8; 12] = options.try_into().ok()?;
    (word(options, 0) == ALIGNED_TIMESTAMPS)
        .then(|| Timestamps { value: word(options, 4), echo: word(options, 8) })
}

impl SegmentOptions {
    /// Reads what stands between the header and the payload. What makes no sense ends the reading.
    #[inline]
    pub(super) fn parse(options: &[u8]) -> SegmentOptions {
        // What all segments but SYNs and those with SACK blocks have.
        match only_timestamps(options) {
            None if !options.is_empty() => SegmentOptions::parse_any(options),
            timestamps => SegmentOptions { timestamps, ..SegmentOptions::default() },
        }
    }

    #[inline(never)]
    fn parse_any(mut options: &[u8]) -> SegmentOptions {
        let mut parsed = SegmentOptions::default();
        loop {
            match *options {
                [] | [0, ..] | [_] => return parsed,
                [1, ..] => options = &options[1..],
                [kind, len, ..] => {
                    let len = usize::from(len);
                    if len < 2 || len > options.len() {
                        return parsed;
                    }
                    parsed.take(kind, &options[2..len]);
                    options = &options[len..];
                }
            }
        }
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value.len()) {
            (2, 2) => self.mss = Some(u16::from_be_bytes([value[0], value[1]])),
            // RFC 7323 2.3.
            (3, 1) => self.window_scale = Some(value[0].min(14)),
            (4, 0) => self.sack_permitted = true,
            (5, 8 | 16 | 24 | 32) => {
                for (block, bytes) in self.sacks.iter_mut().zip(value.chunks_exact(8)) {
                    *block = (Seq(word(bytes, 0)), Seq(word(bytes, 4)));
                }
                self.sack_count = (value.len() / 8) as u8;
            }
            (8, 8) => {
                self.timestamps = Some(Timestamps { value: word(value, 0), echo: word(value, 4) });
            }
            _ => {}
        }
    }

    pub(super) fn sacks(&self) -> &[Block] {
        &self.sacks[..usize::from(self.sack_count)]
    }
}

/// Options as they are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct OptionBytes {
    bytes: [u8; MAX_OPTIONS],
    len: u8,
}

impl OptionBytes {
    pub(super) fn new() -> OptionBytes {
        OptionBytes { bytes: [0; MAX_OPTIONS], len: 0 }
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let at = usize::from(self.len);
        self.bytes[at..at + N].copy_from_slice(&bytes);
        self.len += N as u8;
    }

    fn put_word(&mut self, word: u32) {
        self.put(word.to_be_bytes());
    }

    /// Those of a SYN: `mss,sackOK,ts,nop,ws`, or what of them there is, aligned.
    pub(super) fn of_syn(
        mss: u16,
        sack: bool,
        timestamps: Option<Timestamps>,
        window_scale: Option<u8>,
    ) -> OptionBytes {
        let mut options = OptionBytes::new();
        let [high, low] = mss.to_be_bytes();
        options.put([2, 4, high, low]);
        match (sack, timestamps) {
            (true, Some(_)) => options.put([4, 2, 8, 10]),
            (true, None) => options.put([1, 1, 4, 2]),
            (false, Some(_)) => options.put_word(ALIGNED_TIMESTAMPS),
            (false, None) => {}
        }
        if let Some(Timestamps { value, echo }) = timestamps {
            options.put_word(value);
            options.put_word(echo);
        }
        if let Some(shift) = window_scale {
            options.put([1, 3, 3, shift]);
        }
        options
    }

    /// Adds timestamps.
    pub(super) fn timestamps(&mut self, Timestamps { value, echo }: Timestamps) {
        self.put_word(ALIGNED_TIMESTAMPS);
        self.put_word(value);
        self.put_word(echo);
    }

    /// Adds as many blocks as there is room for.
    pub(super) fn sacks(&mut self, blocks: &[Block]) {
        let room = (MAX_OPTIONS - usize::from(self.len)).saturating_sub(4) / 8;
        let blocks = &blocks[..blocks.len().min(room)];
        if blocks.is_empty() {
            return;
        }
        self.put([1, 1, 5, 2 + 8 * blocks.len() as u8]);
        for (start, end) in blocks {
            self.put_word(start.0);
            self.put_word(end.0);
        }
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TS: Timestamps = Timestamps { value: 0x0102_0304, echo: 0x0506_0708 };

    #[test]
    fn a_syn_has_its_options_in_linuxs_order() {
        let options = OptionBytes::of_syn(1460, true, Some(TS), Some(7));
        let expected = [2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7];
        assert_eq!(options.bytes(), expected);
        let parsed = SegmentOptions::parse(options.bytes());
        assert_eq!((parsed.mss, parsed.window_scale), (Some(1460), Some(7)));
        assert_eq!((parsed.sack_permitted, parsed.timestamps), (true, Some(TS)));
        let without = OptionBytes::of_syn(536, false, None, None);
        assert_eq!(without.bytes(), [2, 4, 2, 24]);
        for sack in [false, true] {
            for timestamps in [None, Some(TS)] {
                for scale in [None, Some(0)] {
                    let options = OptionBytes::of_syn(536, sack, timestamps, scale);
                    assert_eq!(options.bytes().len() % 4, 0);
                    let parsed = SegmentOptions::parse(options.bytes());
                    assert_eq!((parsed.sack_permitted, parsed.timestamps), (sack, timestamps));
                    assert_eq!(parsed.window_scale, scale);
                }
            }
        }
    }

    #[test]
    fn four_blocks_fit_alone_and_three_beside_timestamps() {
        let blocks = [1, 3, 5, 7].map(|at| (Seq(at), Seq(at + 1)));
        let mut options = OptionBytes::new();
        options.sacks(&blocks);
        assert_eq!(SegmentOptions::parse(options.bytes()).sacks(), blocks);
        let mut options = OptionBytes::new();
        options.timestamps(TS);
        assert_eq!(only_timestamps(options.bytes()), Some(TS));
        options.sacks(&blocks);
        let parsed = SegmentOptions::parse(options.bytes());
        assert_eq!((parsed.sacks(), parsed.timestamps), (&blocks[..3], Some(TS)));
        assert_eq!(only_timestamps(options.bytes()), None);
    }

    #[test]
    fn options_that_make_no_sense_end_the_reading_and_are_never_read_beyond() {
        for bytes in [&[2, 0, 5, 180][..], &[2, 4, 5], &[5, 9, 0, 0], &[8], &[3, 1], &[1, 1, 1]] {
            assert_eq!(SegmentOptions::parse(bytes), SegmentOptions::default());
        }
        assert_eq!(SegmentOptions::parse(&[0, 2, 4, 5, 180]).mss, None);
        assert_eq!(SegmentOptions::parse(&[3, 3, 200]).window_scale, Some(14));
        assert_eq!(SegmentOptions::parse(&[254, 4, 1, 2, 2, 4, 5, 180]).mss, Some(1460));
    }
}
