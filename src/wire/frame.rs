//! The bytes of a frame, and the pool they are taken from and return to.

use super::checksum::Checksum;
use super::ethernet::ETHERNET_HEADER;
use super::tcp::fill_tcp_checksums;

/// An Ethernet frame without its FCS.
// A pointer, because a frame goes through many hands on its way.
#[derive(Clone, Debug)]
pub(crate) struct FrameBuffer(Box<Frame>);

#[derive(Clone, Debug)]
struct Frame {
    // Kept at its high-water mark, so that a buffer that carried an ACK can carry a full segment
    // again without being zeroed.
    storage: Vec<u8>,
    len: usize,
    checksum: Checksum,
    retransmission: bool,
    link: u32,
}

/// The link of a frame that is on none.
const NO_LINK: u32 = u32::MAX;

impl FrameBuffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.storage[..self.0.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let Frame { storage, len, .. } = &mut *self.0;
        &mut storage[..*len]
    }

    /// What follows the Ethernet header.
    pub(crate) fn packet(&self) -> &[u8] {
        let Frame { storage, len, .. } = &*self.0;
        &storage[ETHERNET_HEADER.min(*len)..*len]
    }

    pub(crate) fn packet_mut(&mut self) -> &mut [u8] {
        let Frame { storage, len, .. } = &mut *self.0;
        &mut storage[ETHERNET_HEADER.min(*len)..*len]
    }

    /// Keeps the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.len = self.0.len.min(len);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len
    }

    #[inline]
    pub(crate) fn checksum(&self) -> Checksum {
        self.0.checksum
    }

    /// Only a packet with TCP and without options or extension headers may be
    /// [`Checksum::Partial`].
    pub(crate) fn set_checksum(&mut self, checksum: Checksum) {
        self.0.checksum = checksum;
    }

    /// Whether its host has sent it, or a part of it, before.
    pub(crate) fn is_retransmission(&self) -> bool {
        self.0.retransmission
    }

    pub(crate) fn set_retransmission(&mut self, retransmission: bool) {
        self.0.retransmission = retransmission;
    }

    /// It is on its way over a direction of a link, which counts what it carries.
    pub(crate) fn enter_link(&mut self, link: u32) {
        self.0.link = link;
    }

    /// It has arrived: the direction of a link that carried it, if one did that counts.
    #[inline]
    pub(crate) fn leave_link(&mut self) -> Option<u32> {
        let link = std::mem::replace(&mut self.0.link, NO_LINK);
        (link != NO_LINK).then_some(link)
    }

    /// Fills in the checksums if they were left out. It comes before anybody sees the bytes, and
    /// before a link changes them.
    #[inline]
    pub(crate) fn fill_checksums(&mut self) {
        if self.0.checksum == Checksum::Partial {
            self.0.checksum = Checksum::Verified;
            fill_tcp_checksums(self.packet_mut());
        }
    }
}

/// Fills in the checksums that were left out of a frame. Of one that was cut, it is those of
/// IPv4: TCP's is a sum of what is not there.
pub(crate) fn fill_checksums(frame: &mut [u8]) {
    if let Some(packet) = frame.get_mut(ETHERNET_HEADER..) {
        fill_tcp_checksums(packet);
    }
}

/// How many buffers wait for their next use, at most.
const POOLED: usize = 256;

/// Frame buffers that wait for their next use; one pool serves a world.
#[derive(Debug, Default)]
pub(crate) struct FramePool(Vec<FrameBuffer>);

impl FramePool {
    /// A buffer of `len` bytes with any content.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> FrameBuffer {
        let mut buffer = self.0.pop().unwrap_or_else(|| {
            FrameBuffer(Box::new(Frame {
                storage: Vec::new(),
                len: 0,
                checksum: Checksum::default(),
                retransmission: false,
                link: NO_LINK,
            }))
        });
        let frame = &mut *buffer.0;
        if frame.storage.len() < len {
            frame.storage.resize(len, 0);
        }
        (frame.len, frame.checksum, frame.link) = (len, Checksum::default(), NO_LINK);
        frame.retransmission = false;
        buffer
    }

    /// A copy of `frame`.
    pub(crate) fn copy(&mut self, frame: &FrameBuffer) -> FrameBuffer {
        let mut copy = self.take(frame.len());
        copy.bytes_mut().copy_from_slice(frame.bytes());
        (copy.0.checksum, copy.0.link) = (frame.0.checksum, frame.0.link);
        copy.0.retransmission = frame.0.retransmission;
        copy
    }

    /// Moves buffers from `other` here until there are `len`, as far as it has any.
    pub(crate) fn refill(&mut self, other: &mut FramePool, len: usize) {
        while self.0.len() < len {
            let Some(buffer) = other.0.pop() else { break };
            self.0.push(buffer);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(crate) fn give_back(&mut self, buffer: FrameBuffer) {
        if self.0.len() < POOLED {
            self.0.push(buffer);
        }
    }
}
