//! The bytes of a frame, and the pool they are taken from and return to.

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

    /// Keeps the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(crate) fn len(&self) -> usize {
        self.len
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
        let mut buffer =
            self.0.pop().unwrap_or(FrameBuffer { storage: Vec::new(), len: 0, intact: true });
        if buffer.storage.len() < len {
            buffer.storage.resize(len, 0);
        }
        buffer.len = len;
        buffer.intact = true;
        buffer
    }

    /// A copy of `frame`.
    pub(crate) fn copy(&mut self, frame: &FrameBuffer) -> FrameBuffer {
        let mut copy = self.take(frame.len);
        copy.bytes_mut().copy_from_slice(frame.bytes());
        copy.intact = frame.intact;
        copy
    }

    pub(crate) fn give_back(&mut self, buffer: FrameBuffer) {
        if self.0.len() < POOLED {
            self.0.push(buffer);
        }
    }
}
