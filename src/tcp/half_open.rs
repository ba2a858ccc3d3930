//! What is said for a half-open connection that has no engine yet, as its engine would.

use super::boundary::Handshake;
use super::options::{TcpEngine, TcpOptions};
use super::shared::Shared;
use crate::wire::tcp::{
    BareAck, FourTuple, OptionOrder, Syn, SynOptions, Timestamps, bare_ack_len,
};

impl Shared {
    /// The SYN-ACK that answers what `handshake` has kept of a SYN.
    pub(crate) fn syn_ack(
        &self,
        now: u64,
        tuple: &FourTuple,
        options: &TcpOptions,
        handshake: &Handshake,
    ) -> Syn {
        let Handshake { offer, .. } = *handshake;
        let agreed = match self.limits.engine {
            TcpEngine::Smoltcp => SynAckParts {
                window: u16::try_from(options.recv_buffer()).unwrap_or(u16::MAX),
                window_scale: offer.window_scale.map(|_| options.window_scale()),
                sack_permitted: offer.sack_permitted,
                timestamps: None,
                order: OptionOrder::Smoltcp,
                ecn: false,
            },
            TcpEngine::Glassnet => {
                self.glassnet.syn_ack(now, &self.limits, tuple, options, handshake)
            }
        };
        Syn {
            seq: handshake.iss,
            ack: Some(handshake.irs.plus(1)),
            window: agreed.window,
            options: SynOptions {
                mss: u16::try_from(self.limits.mtu.saturating_sub(bare_ack_len(tuple)))
                    .ok()
                    .map(|mss| options.mss_asked().map_or(mss, |asked| mss.min(asked))),
                window_scale: agreed.window_scale,
                sack_permitted: agreed.sack_permitted,
                timestamps: agreed.timestamps,
            },
            order: agreed.order,
            ecn: agreed.ecn,
        }
    }

    /// An ACK of the peer's SYN, for what does not belong to the handshake.
    pub(crate) fn ack_of_syn(
        &self,
        now: u64,
        tuple: &FourTuple,
        options: &TcpOptions,
        handshake: &Handshake,
    ) -> (BareAck, Option<Timestamps>) {
        let Syn { window, options: said, .. } = self.syn_ack(now, tuple, options, handshake);
        let window = match self.limits.engine {
            TcpEngine::Smoltcp => options.recv_buffer(),
            TcpEngine::Glassnet => window.into(),
        };
        let window = u16::try_from(window >> said.window_scale.unwrap_or(0)).unwrap_or(u16::MAX);
        let (seq, ack) = (handshake.iss.plus(1), handshake.irs.plus(1));
        (BareAck { seq, ack, window }, said.timestamps)
    }

    /// The SYN-ACKs have timestamps where the SYNs have them.
    pub(crate) fn has_timestamps(&self) -> bool {
        self.limits.engine == TcpEngine::Glassnet && self.limits.timestamps
    }

    /// Puts back what of a peer's SYN stood in a cookie's timestamp, which the peer echoes.
    pub(crate) fn open_cookie(&self, tuple: &FourTuple, handshake: &mut Handshake) {
        match self.limits.engine {
            TcpEngine::Smoltcp => {
                let mss = handshake.offer.mss;
                handshake.offer = SynOptions { mss, ..SynOptions::default() };
            }
            TcpEngine::Glassnet => self.glassnet.open_cookie(&self.limits, tuple, handshake),
        }
    }
}

/// What of a SYN-ACK depends on the engine.
pub(super) struct SynAckParts {
    pub(super) window: u16,
    pub(super) window_scale: Option<u8>,
    pub(super) sack_permitted: bool,
    pub(super) timestamps: Option<Timestamps>,
    pub(super) order: OptionOrder,
    pub(super) ecn: bool,
}
