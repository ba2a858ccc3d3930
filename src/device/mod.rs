//! Where a host of a real world meets something real: a TAP device, or a cable to other
//! processes.
//!
//! A device has descriptors to wait for, gives the frames that arrive and takes those that leave.
//! It knows no clock but the one it is told, and no host.

mod at_exit;
mod cable;
mod counters;
mod interest;
mod learned;
mod member;
mod offload;
mod received;
mod switch;
mod tap;

pub(crate) use at_exit::at_exit;

use std::io;

pub(crate) use cable::Cable;
pub use cable::default_cable;
pub use counters::DeviceCounters;
pub(crate) use interest::Interest;
pub(crate) use received::{MAX_FRAME, Received};
pub(crate) use tap::{Mode, OTHER_END, Tap};

use crate::wire::checksum::Checksum;

/// What joins a host to others.
pub(crate) enum Device {
    Tap(Tap),
    Cable(Cable),
}

impl Device {
    /// What to wait for until [`Device::receive`] or [`Device::flush`] has something to do.
    pub(crate) fn interests<'d>(&'d self, interests: &mut Vec<Interest<'d>>) {
        match self {
            Device::Tap(tap) => interests.push(tap.interest()),
            Device::Cable(cable) => cable.interests(interests),
        }
    }

    /// Tells what [`poll(2)`] said of each interest, in their order.
    ///
    /// [`poll(2)`]: https://man7.org/linux/man-pages/man2/poll.2.html
    pub(crate) fn note_ready(&mut self, ready: &[bool]) {
        match self {
            Device::Tap(tap) => tap.note_ready(ready),
            Device::Cable(cable) => cable.note_ready(ready),
        }
    }

    /// Lets a frame stand for several, or tells the other side not to; true if it may from now on.
    /// Then [`Device::receive`] needs room for [`MAX_FRAME`].
    pub(crate) fn set_offload(&mut self, is_wanted: bool) -> bool {
        match self {
            Device::Tap(tap) => tap.set_offload(is_wanted),
            Device::Cable(_) => false,
        }
    }

    /// The next frame, into `buffer`; `None` when there is none now.
    pub(crate) fn receive(&mut self, now: u64, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        match self {
            Device::Tap(tap) => tap.receive(buffer),
            Device::Cable(cable) => {
                let len = cable.receive(now, buffer)?;
                Ok(len.map(|len| Received { len, checksum: Checksum::Unverified }))
            }
        }
    }

    /// Sends frames, as one where that is possible.
    pub(crate) fn send_all<'f>(
        &mut self,
        mut frames: impl Iterator<Item = &'f [u8]> + Clone,
    ) -> io::Result<()> {
        match self {
            Device::Tap(tap) => tap.send_all(frames),
            Device::Cable(_) => frames.try_for_each(|frame| self.send(frame)),
        }
    }

    /// Sends a frame. One for which there is no room is dropped and counted, as a network card
    /// does.
    pub(crate) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self {
            Device::Tap(tap) => tap.send(frame),
            Device::Cable(cable) => {
                cable.send(frame);
                Ok(())
            }
        }
    }

    /// Hands on what waits to be sent.
    pub(crate) fn flush(&mut self) {
        match self {
            Device::Tap(_) => {}
            Device::Cable(cable) => cable.flush(),
        }
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_flushed(&self) -> bool {
        match self {
            Device::Tap(_) => true,
            Device::Cable(cable) => cable.is_flushed(),
        }
    }

    /// When the device wants [`Device::receive`] to be called though nothing has happened.
    pub(crate) fn deadline(&self) -> Option<u64> {
        match self {
            Device::Tap(_) => None,
            Device::Cable(cable) => cable.deadline(),
        }
    }

    pub(crate) fn counters(&self) -> DeviceCounters {
        match self {
            Device::Tap(tap) => tap.counters,
            Device::Cable(cable) => cable.counters(),
        }
    }
}
