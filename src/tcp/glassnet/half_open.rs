//! Half-open connections without an engine: their SYN-ACKs, and cookies, which keep what a SYN has
//! offered in the low bits of a timestamp, as Linux's `cookie_init_timestamp` does.

use super::receive::{Capacity, scale_for};
use super::shared::Shared;
use crate::tcp::boundary::Handshake;
use crate::tcp::half_open::SynAckParts;
use crate::tcp::limits::Limits;
use crate::tcp::options::TcpOptions;
use crate::wire::tcp::{FourTuple, OptionOrder, SynOptions, Timestamps, bare_ack_len};

/// The window scale; all bits are set when there is none.
const SCALE: u32 = 0x0f;
const SACK: u32 = 0x10;
const ECN: u32 = 0x20;
const BITS: u32 = SCALE | SACK | ECN;

impl Shared {
    pub(in crate::tcp) fn syn_ack(
        &self,
        now: u64,
        limits: &Limits,
        tuple: &FourTuple,
        options: &TcpOptions,
        handshake: &Handshake,
    ) -> SynAckParts {
        let Handshake { offer, .. } = *handshake;
        let mss = limits.mtu.saturating_sub(bare_ack_len(tuple)).min(65_535) as u32;
        let mss = options.mss_asked().map_or(mss, |asked| mss.min(asked.into()));
        let timestamps = offer.timestamps.filter(|_| limits.timestamps);
        let timestamps = timestamps.map(|theirs| {
            let clock = (now / 1_000_000) as u32;
            let clock = if handshake.is_cookie { with_offer(clock, handshake) } else { clock };
            let value = clock.wrapping_add(self.timestamp_offset(tuple));
            Timestamps { value, echo: theirs.value }
        });
        SynAckParts {
            window: Capacity::of(options).initial_window(mss) as u16,
            window_scale: offer
                .window_scale
                .filter(|_| limits.window_scaling)
                .map(|_| scale_for(options.largest_window())),
            sack_permitted: offer.sack_permitted && limits.sack,
            timestamps,
            order: OptionOrder::Linux,
            ecn: handshake.asks_for_ecn,
        }
    }

    /// A cookie's ACK echoes what [`Shared::syn_ack`] said; without timestamps the offer is empty.
    pub(in crate::tcp) fn open_cookie(
        &self,
        limits: &Limits,
        tuple: &FourTuple,
        handshake: &mut Handshake,
    ) {
        let mss = handshake.offer.mss;
        let Some(timestamps) = handshake.offer.timestamps.filter(|_| limits.timestamps) else {
            handshake.offer = SynOptions { mss, ..SynOptions::default() };
            return;
        };
        let bits = timestamps.echo.wrapping_sub(self.timestamp_offset(tuple));
        let scale = bits & SCALE;
        handshake.offer = SynOptions {
            mss,
            window_scale: (scale != SCALE).then_some(scale as u8),
            sack_permitted: bits & SACK != 0,
            timestamps: Some(timestamps),
        };
        handshake.asks_for_ecn = bits & ECN != 0;
    }
}

/// The last time up to `clock` whose low bits say what a SYN has offered.
fn with_offer(clock: u32, handshake: &Handshake) -> u32 {
    let Handshake { offer, asks_for_ecn, .. } = handshake;
    let scale = offer.window_scale.map_or(SCALE, |scale| u32::from(scale) & SCALE);
    let sack = if offer.sack_permitted { SACK } else { 0 };
    let bits = scale | sack | if *asks_for_ecn { ECN } else { 0 };
    let time = clock & !BITS | bits;
    if time > clock { time.wrapping_sub(BITS + 1) } else { time }
}
