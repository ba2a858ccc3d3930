//! The bytes of a frame, and the pool they are taken from and return to.

use super::checksum::fill_tcp_checksums;

/// Length of an Ethernet header: destination, source, type.
pub(crate) const ETHERNET_HEADER: usize = 14;

/// An Ethernet frame without its FCS.
#[derive(Clone, Debug)]
pub(crate) struct FrameBuffer {
    // Kept at its high-water mark, so that a buffer that carried an ACK can carry a full segment
    // again without being zeroed.
    storage: Vec<u8>,
    len: usize,
    /// Nothing on the way can have changed these bytes, so their checksums need no second look
    /// (what a NIC reports as CHECKSUM_UNNECESSARY).
    pub(crate) intact: bool,
    /// It is an engine's packet, and its checksums are left to whoever shows it to somebody or
    /// changes it (Linux's CHECKSUM_PARTIAL).
    pub(super) unsummed: bool,
}

impl FrameBuffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.storage[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.storage[..self.len]
    }

    /// What follows the Ethernet header.
    pub(crate) fn packet(&self) -> &[u8] {
        &self.storage[ETHERNET_HEADER.min(self.len)..self.len]
    }

    pub(crate) fn packet_mut(&mut self) -> &mut [u8] {
        &mut self.storage[ETHERNET_HEADER.min(self.len)..self.len]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills in the checksums if they were left out. It comes before anybody sees the bytes, and
    /// before a link changes them.
    #[inline]
    pub(crate) fn fill_checksums(&mut self) {
        if self.unsummed {
            self.unsummed = false;
            fill_tcp_checksums(self.packet_mut());
        }
    }
}

/// How many buffers wait for their next use, at most.
const POOLED: usize = 256;

/// Frame buffers that wait for their next use; one pool serves a world.
#[derive(Debug, Default)]
pub(crate) struct FramePool(Vec<FrameBuffer>);

impl FramePool {
    /// A buffer of `len` bytes with any content.
    pub(crate) fn take(&mut self, len: usize) -> FrameBuffer {
        let mut buffer = self.0.pop().unwrap_or(FrameBuffer {
            storage: Vec::new(),
            len: 0,
            intact: true,
            unsummed: false,
        });
        if buffer.storage.len() < len {
            buffer.storage.resize(len, 0);
        }
        buffer.len = len;
        buffer.intact = true;
        buffer.unsummed = false;
        buffer
    }

    /// A copy of `frame`.
    pub(crate) fn copy(&mut self, frame: &FrameBuffer) -> FrameBuffer {
        let mut copy = self.take(frame.len);
        copy.bytes_mut().copy_from_slice(frame.bytes());
        copy.intact = frame.intact;
        copy.unsummed = frame.unsummed;
        copy
    }

    pub(crate) fn give_back(&mut self, buffer: FrameBuffer) {
        if self.0.len() < POOLED {
            self.0.push(buffer);
        }
    }
}
