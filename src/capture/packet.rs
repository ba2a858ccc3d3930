//! The body of an Enhanced Packet Block.
//!
//! Laid out here because pcap-file's typed block allocates and encodes twice, which costs three times
//! as much. The tests hold the two to the same bytes.
//!
//! Layout: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html#name-enhanced-packet-block>

use super::{Direction, fit, pad};

/// An option's code and the length of its value.
const fn option_header(code: u16, length: u16) -> [u8; 4] {
    let [code_low, code_high] = code.to_le_bytes();
    let [length_low, length_high] = length.to_le_bytes();
    [code_low, code_high, length_low, length_high]
}

const OPT_COMMENT: u16 = 1;
const END_OF_OPTIONS: [u8; 4] = option_header(0, 0);
const EPB_FLAGS: [u8; 4] = option_header(2, 4);
const EPB_DROPCOUNT: [u8; 4] = option_header(4, 8);
const EPB_PACKETID: [u8; 4] = option_header(5, 8);

const FLAG_INBOUND: u32 = 1;
const FLAG_OUTBOUND: u32 = 2;
const FLAG_CRC_ERROR: u32 = 1 << 24;

/// One frame, and what is said about it.
pub(super) struct Packet<'a> {
    pub(super) nanoseconds: u64,
    pub(super) interface: u32,
    pub(super) direction: Direction,
    pub(super) packet_id: u64,
    /// Frames of the same interface that were left out before this one.
    pub(super) dropped: u64,
    pub(super) comments: &'a [&'a str],
    pub(super) crc_error: bool,
    /// What is kept of the frame, at most `LONGEST_RECORD` bytes.
    pub(super) captured: &'a [u8],
    /// How long the frame was on the wire.
    pub(super) original_length: u32,
}

impl Packet<'_> {
    /// Appends the body.
    pub(super) fn lay_out(&self, body: &mut Vec<u8>) {
        let captured_length = self.captured.len() as u32;
        let mut head = [0; 20];
        head[0..4].copy_from_slice(&self.interface.to_le_bytes());
        // The two halves of the time are two words, the high one first, in any byte order.
        head[4..8].copy_from_slice(&((self.nanoseconds >> 32) as u32).to_le_bytes());
        head[8..12].copy_from_slice(&(self.nanoseconds as u32).to_le_bytes());
        head[12..16].copy_from_slice(&captured_length.to_le_bytes());
        head[16..20].copy_from_slice(&self.original_length.to_le_bytes());
        body.extend_from_slice(&head);
        body.extend_from_slice(self.captured);
        pad(body);

        let mut options = [0; 20];
        options[0..4].copy_from_slice(&EPB_FLAGS);
        options[4..8].copy_from_slice(&self.flags().to_le_bytes());
        options[8..12].copy_from_slice(&EPB_PACKETID);
        options[12..20].copy_from_slice(&self.packet_id.to_le_bytes());
        body.extend_from_slice(&options);
        if self.dropped > 0 {
            body.extend_from_slice(&EPB_DROPCOUNT);
            body.extend_from_slice(&self.dropped.to_le_bytes());
        }
        for comment in self.comments {
            let (text, cut) = fit(comment);
            let length = (text.len() + cut.len()) as u16;
            body.extend_from_slice(&option_header(OPT_COMMENT, length));
            body.extend_from_slice(text.as_bytes());
            body.extend_from_slice(cut.as_bytes());
            pad(body);
        }
        body.extend_from_slice(&END_OF_OPTIONS);
    }

    fn flags(&self) -> u32 {
        let direction = match self.direction {
            Direction::Inbound => FLAG_INBOUND,
            Direction::Outbound => FLAG_OUTBOUND,
        };
        if self.crc_error { direction | FLAG_CRC_ERROR } else { direction }
    }
}
