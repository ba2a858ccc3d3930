//! What sockets know connections and listeners by.

/// A connection of a host. An id is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FlowId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl FlowId {
    #[cfg(test)]
    pub(super) fn of_slot(index: u32) -> FlowId {
        FlowId { index, generation: 0 }
    }

    #[cfg(test)]
    pub(in crate::host) fn slot(self) -> u32 {
        self.index
    }
}

/// A listening socket of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListenerId(pub(super) u64);
