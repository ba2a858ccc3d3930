//! What smoltcp takes for its network interface: at most one packet to receive, and a list of
//! packets that it sent.

use smoltcp::phy::{self, ChecksumCapabilities, DeviceCapabilities, Medium};
use smoltcp::time::{Duration, Instant};

use crate::wire::checksum::Checksum;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::frame::{FrameBuffer, FramePool};

/// smoltcp counts microseconds: times are rounded down to one.
pub(super) fn to_smoltcp_time(now: u64) -> Instant {
    Instant::from_micros(i64::try_from(now / 1_000).unwrap_or(i64::MAX))
}

pub(super) fn to_smoltcp_duration(duration: std::time::Duration) -> Duration {
    // It is added to a time as a signed number.
    const MAX: u128 = 1 << 60;
    Duration::from_micros(duration.as_micros().min(MAX) as u64)
}

pub(super) struct Device<'a> {
    pub(super) received: Option<&'a [u8]>,
    pub(super) sent: &'a mut Vec<FrameBuffer>,
    pub(super) pool: &'a mut FramePool,
    pub(super) mtu: usize,
    /// It takes nothing that is to be sent.
    pub(super) is_full: bool,
}

impl smoltcp::phy::Device for Device<'_> {
    type RxToken<'t>
        = RxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = TxToken<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let packet = self.received.take()?;
        Some((RxToken(packet), TxToken { sent: self.sent, pool: self.pool }))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        (!self.is_full).then_some(TxToken { sent: self.sent, pool: self.pool })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        // Checksums are verified before a segment comes here, and filled in when somebody looks,
        // so smoltcp need do neither.
        capabilities.checksum = ChecksumCapabilities::default();
        capabilities.checksum.ipv4 = phy::Checksum::None;
        capabilities.checksum.tcp = phy::Checksum::None;
        capabilities
    }
}

pub(super) struct RxToken<'a>(&'a [u8]);

impl smoltcp::phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

pub(super) struct TxToken<'a> {
    sent: &'a mut Vec<FrameBuffer>,
    pool: &'a mut FramePool,
}

impl smoltcp::phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = self.pool.take(ETHERNET_HEADER + len);
        let result = write(frame.packet_mut());
        frame.set_checksum(Checksum::Partial);
        self.sent.push(frame);
        result
    }
}
