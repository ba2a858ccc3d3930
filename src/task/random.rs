//! Random numbers for applications.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_core::TryRng;

use super::observe;
use crate::rng::Stream;

/// A random generator of a host; made by [`rng()`](super::rng()). Clones draw from the same stream.
///
/// It implements `TryRng`, and with it `Rng`, of `rand_core` 0.10, so that what takes a generator
/// of `rand` 0.10 takes it. It is made for simulations, not for secrets.
#[derive(Clone)]
pub struct HostRng(Arc<Mutex<Stream>>);

impl HostRng {
    pub(crate) fn new(stream: Stream) -> HostRng {
        HostRng(Arc::new(Mutex::new(stream)))
    }

    /// A number of 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    /// A number of 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream().next_u64()
    }

    /// A number from 0 to `max`, both included, every one equally likely.
    pub fn up_to(&mut self, max: u64) -> u64 {
        self.stream().up_to(max)
    }

    /// True with the given probability: never at 0.0 and below, always at 1.0 and above.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.stream().chance(probability)
    }

    /// Fills a buffer with random bytes.
    pub fn fill_bytes(&mut self, buffer: &mut [u8]) {
        self.stream().fill_bytes(buffer);
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        observe::note_draw();
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TryRng for HostRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(HostRng::next_u32(self))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(HostRng::next_u64(self))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        HostRng::fill_bytes(self, buffer);
        Ok(())
    }
}

impl fmt::Debug for HostRng {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HostRng").finish_non_exhaustive()
    }
}
