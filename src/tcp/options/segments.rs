//! What a socket says of its segments: `TCP_NODELAY`, `TCP_CORK`, `TCP_MAXSEG`,
//! `TCP_NOTSENT_LOWAT`, `TCP_QUICKACK`.

use std::io;
use std::time::Duration;

use super::{Segments, TcpEngine, TcpOptions};
use crate::error::Errno;

/// Linux's `TCP_MIN_MSS` and `MAX_TCP_WINDOW`.
const MIN_MSS: u32 = 88;
const MAX_MSS: u32 = 32_767;
/// The MSS of a socket without a connection: Linux's `TCP_MSS_DEFAULT`.
const DEFAULT_MSS: u16 = 536;

impl TcpOptions {
    /// `TCP_NODELAY`: what waits leaves, even if it was set before.
    pub(crate) fn set_nodelay(&mut self, on: bool) {
        self.nodelay = on;
        self.segments.nodelay_was_set |= on;
    }

    /// `TCP_CORK`.
    #[inline]
    pub(crate) fn cork(&self) -> bool {
        self.segments.cork
    }

    pub(crate) fn set_cork(&mut self, on: bool) -> io::Result<()> {
        if on && !self.is_glassnets() {
            return Err(Errno::OperationNotSupported.into());
        }
        self.segments.cork = on;
        Ok(())
    }

    /// Whether something that waits is to leave, after what was set since `before`: takes note of
    /// that.
    pub(in crate::tcp) fn take_push(&mut self, before: &TcpOptions) -> bool {
        let was_set = std::mem::take(&mut self.segments.nodelay_was_set);
        was_set || (before.segments.cork && !self.segments.cork && self.nodelay)
    }

    /// How long an acknowledgment waits.
    pub(crate) fn ack_delay_in_force(&self) -> Option<Duration> {
        if self.segments.quickack { None } else { self.ack_delay }
    }

    /// `TCP_QUICKACK`.
    pub(crate) fn quickack(&self) -> bool {
        let Segments { quickack_asked, quickack_in_force, .. } = self.segments;
        match self.engine {
            _ if self.ack_delay_in_force().is_none() => true,
            TcpEngine::Smoltcp => false,
            TcpEngine::Glassnet => quickack_asked.or(quickack_in_force).unwrap_or(true),
        }
    }

    pub(crate) fn set_quickack(&mut self, on: bool) {
        match self.engine {
            TcpEngine::Smoltcp => self.segments.quickack = on,
            TcpEngine::Glassnet => self.segments.quickack_asked = Some(on),
        }
    }

    /// What was asked for, once.
    pub(in crate::tcp) fn take_quickack(&mut self) -> Option<bool> {
        self.segments.quickack_asked.take()
    }

    /// `TCP_MAXSEG` that the application has set.
    pub(crate) fn mss_asked(&self) -> Option<u16> {
        Some(self.segments.mss).filter(|mss| *mss > 0)
    }

    /// `TCP_MAXSEG` as Linux tells it: that of the connection, or what was set, or the default.
    pub(crate) fn mss(&self) -> io::Result<u32> {
        match self.segments {
            Segments { mss_in_force: mss @ 1.., .. } | Segments { mss: mss @ 1.., .. } => {
                Ok(mss.into())
            }
            _ if self.segments.quickack_in_force.is_some() => {
                Err(Errno::OperationNotSupported.into())
            }
            _ => Ok(DEFAULT_MSS.into()),
        }
    }

    /// 0 takes it back.
    pub(crate) fn set_mss(&mut self, bytes: u32) -> io::Result<()> {
        if bytes != 0 && !(MIN_MSS..=MAX_MSS).contains(&bytes) {
            return Err(Errno::Invalid.into());
        }
        if bytes != 0 && !self.is_glassnets() {
            return Err(Errno::OperationNotSupported.into());
        }
        self.segments.mss = bytes as u16;
        Ok(())
    }

    /// `TCP_NOTSENT_LOWAT`; 0 is none.
    #[inline]
    pub(crate) fn notsent_lowat(&self) -> u32 {
        self.segments.notsent_lowat
    }

    pub(crate) fn set_notsent_lowat(&mut self, bytes: u32) {
        self.segments.notsent_lowat = bytes;
    }

    /// These are a connection's, as its application sees them: with what it does of its own accord.
    pub(crate) fn seen(mut self, quickack: bool, mss: Option<u32>) -> TcpOptions {
        self.segments.quickack_in_force = Some(quickack);
        self.segments.mss_in_force = mss.map_or(0, |mss| u16::try_from(mss).unwrap_or(u16::MAX));
        self
    }

    /// These are a socket's whose connection is gone.
    pub(crate) fn unseen(mut self) -> TcpOptions {
        (self.segments.quickack_in_force, self.segments.mss_in_force) = (None, 0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(engine: TcpEngine) -> TcpOptions {
        let mut options = TcpOptions::new(65_535, 98_304);
        options.set_engine(engine);
        options
    }

    #[test]
    fn a_maximum_segment_size_is_within_linuxs_bounds() {
        let mut options = of(TcpEngine::Glassnet);
        assert_eq!(options.mss().unwrap(), 536);
        for refused in [1, 87, 32_768, u32::MAX] {
            let error = options.set_mss(refused).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
        options.set_mss(88).unwrap();
        assert_eq!((options.mss().unwrap(), options.mss_asked()), (88, Some(88)));
        assert_eq!(options.seen(true, Some(1_448)).mss().unwrap(), 1_448);
        options.set_mss(0).unwrap();
        assert_eq!((options.mss().unwrap(), options.mss_asked()), (536, None));
    }

    #[test]
    fn what_smoltcps_engine_cannot_do_is_refused_unless_it_is_to_be_off() {
        let mut options = of(TcpEngine::Smoltcp);
        for result in [options.set_cork(true), options.set_mss(1_000)] {
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::Unsupported);
        }
        options.set_cork(false).unwrap();
        options.set_mss(0).unwrap();
        assert_eq!(options.set_mss(1).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_waits_leaves_when_nodelay_is_set_again_or_the_cork_is_out() {
        let mut options = of(TcpEngine::Glassnet);
        options.set_nodelay(true);
        let before = options;
        assert!(options.take_push(&before) && !options.take_push(&before));
        options.set_cork(true).unwrap();
        let corked = options;
        assert!(!options.take_push(&before));
        options.set_cork(false).unwrap();
        assert!(options.take_push(&corked));
        options.set_nodelay(false);
        assert!(!options.take_push(&corked));
    }
}
