//! How a host of a live world goes: what was written is delivered, and nobody is left waiting.

use std::io;

use super::{Engine, SECOND};

/// How long a host that ends waits for the other side's FIN.
const LINGER: u64 = SECOND;
/// How long it goes on delivering what was written.
const CLOSING: u64 = 5 * SECOND;

impl Engine<'_> {
    /// Tells whoever waits for this host that it goes.
    pub(super) fn take_leave(&mut self) -> io::Result<()> {
        if self.has_lost_its_address() {
            return Ok(());
        }
        self.reset_the_rest()?;
        self.release()?;
        self.see_off()
    }

    /// Whether nothing is left to be delivered, or it takes too long.
    pub(super) fn has_closed(&mut self, since: u64) -> bool {
        let waited = self.clock.now().saturating_sub(since);
        if waited >= CLOSING {
            return true;
        }
        // The loop looks again when something arrives, or when the time is over.
        self.closes_at = Some(since + if waited < LINGER { LINGER } else { CLOSING });
        let is_open = self.host.look(|host| host.has_unfinished_orphans(waited < LINGER));
        !is_open && !self.has_frames_to_send()
    }

    /// Nobody will answer for connections that are still open: their peers are told.
    fn reset_the_rest(&mut self) -> io::Result<()> {
        self.host.call(|host, now| host.reset_connections(now));
        self.host_turn(None, false)
    }

    /// Waits until what was sent has left, if it does so soon.
    fn see_off(&mut self) -> io::Result<()> {
        let until = self.clock.now().saturating_add(LINGER);
        self.closes_at = Some(until);
        self.device.flush();
        while self.has_frames_to_send() && self.clock.now() < until {
            let is_busy = self.settle()?;
            if let Some(signal) = self.sleep(is_busy)? {
                self.stopped_by = Some(signal);
                break;
            }
            self.fire_timers();
            self.receive()?;
            self.device.flush();
        }
        Ok(())
    }

    fn has_frames_to_send(&self) -> bool {
        let are_on_the_wire = self.wire.as_ref().is_some_and(|wire| wire.deadline().is_some());
        are_on_the_wire || !self.device.is_flushed()
    }
}
