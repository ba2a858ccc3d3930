//! What is said of a socket without looking at it: which it is, and of what type.

/// A socket of a host. An id is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnixId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl UnixId {
    /// One number for both parts.
    pub(super) fn inode(self) -> u64 {
        (u64::from(self.generation) << u32::BITS | u64::from(self.index)) + 1
    }
}

/// The types of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnixKind {
    Stream,
    Datagram,
}
