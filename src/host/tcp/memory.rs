//! What the buffers of all connections of a host take together, and how much a new one may have
//! (Linux's `tcp_mem`).
//!
//! An engine has its buffers for as long as it lives, and a window that was advertised is not taken
//! back (RFC 9293 3.8.6). So it is the connections that begin which have to make do with less when
//! memory gets scarce: their windows, and what can be written to them at once. No connection that
//! there is notices.

use crate::host::options::HostOptions;
use crate::tcp::TcpOptions;

/// When half of the memory is used, a buffer gets no more than this part of what is left.
const PARTS: u64 = 4_096;

/// The memory of a host's connections.
#[derive(Default)]
pub(super) struct Memory {
    /// Bytes that the buffers of all connections hold when they are full.
    used: u64,
}

impl Memory {
    /// With which buffers a connection may begin that asks for those of `options`; `None` when there
    /// is no room even for the smallest.
    pub(super) fn grant(&self, host: &HostOptions, options: &TcpOptions) -> Option<TcpOptions> {
        let max = host.tcp_mem_in_force();
        if self.used.saturating_add(size(options)) <= max / 2 {
            return Some(*options);
        }
        let part = u32::try_from(max.saturating_sub(self.used) / PARTS).unwrap_or(u32::MAX);
        let least = |bytes: usize| part.max(u32::try_from(bytes).unwrap_or(u32::MAX));
        let granted =
            options.with_buffers_up_to(least(host.recv_buffer_min), least(host.send_buffer_min));
        self.has_room(max, &granted).then_some(granted)
    }

    /// Whether there is room for buffers of these sizes.
    pub(super) fn has_room(&self, max: u64, options: &TcpOptions) -> bool {
        self.used.saturating_add(size(options)) <= max
    }

    /// A connection begins.
    pub(super) fn take(&mut self, options: &TcpOptions) {
        self.used = self.used.saturating_add(size(options));
    }

    /// A connection's buffers are free.
    pub(super) fn give_back(&mut self, options: &TcpOptions) {
        self.used = self.used.saturating_sub(size(options));
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> u64 {
        self.used
    }
}

fn size(options: &TcpOptions) -> u64 {
    options.first_buffers()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_whole_up_to_half_of_the_memory_and_shrink_down_to_the_least_from_there() {
        let (mut memory, host) = (Memory::default(), HostOptions::default());
        let max = host.tcp_mem_in_force();
        let asked = TcpOptions::new(65_535, 98_304);
        let mut granted = Vec::new();
        while let Some(options) = memory.grant(&host, &asked) {
            memory.take(&options);
            granted.push(options.recv_buffer());
            assert!(options.recv_buffer() <= 65_535 && options.send_buffer() <= 98_304);
        }
        assert_eq!(granted.iter().filter(|buffer| **buffer == 65_535).count(), 819);
        assert!(granted.is_sorted_by(|one, next| one >= next));
        assert_eq!(granted.last(), Some(&4_096));
        assert!(granted.len() > 7_000 && memory.used() <= max);
        assert!(memory.used() > max - 2 * 4_096);
        // Who asks for less than the least gets what it asks for.
        memory.give_back(&TcpOptions::new(4_096, 4_096));
        let small = TcpOptions::new(1, 100);
        let sizes = |options: TcpOptions| (options.recv_buffer(), options.send_buffer());
        assert_eq!(memory.grant(&host, &small).map(sizes), Some((1, 100)));
    }
}
