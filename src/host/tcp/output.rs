//! Where what an engine says goes: segments to IP, changes of state to whoever watches.

use super::connection::Path;
use super::lower::Lower;
use crate::tcp::{Counted, Out, TcpState};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IPV4_HEADER, IPV6_HEADER};
use crate::wire::tcp::FourTuple;

/// Where what one connection's engine says goes.
pub(super) struct Output<'a, 'l> {
    pub(super) lower: &'a mut Lower<'l>,
    pub(super) path: Path<'a>,
}

impl Out for Output<'_, '_> {
    fn tuple(&self) -> &FourTuple {
        self.path.tuple
    }

    #[inline]
    fn pool(&mut self) -> &mut FramePool {
        self.lower.ctx.pool
    }

    #[inline]
    fn send(&mut self, mut packet: FrameBuffer, retransmission: bool) {
        let Path { tuple, next_hop, ip_fields } = self.path;
        ip_fields.write(packet.packet_mut());
        packet.set_retransmission(retransmission);
        let mib = &mut self.lower.ctx.mib.tcp;
        let flags = flags_of(packet.packet(), tuple);
        mib.resets_sent += u64::from(flags & RST != 0);
        mib.syns_sent_again += u64::from(retransmission && flags & SYN != 0);
        self.lower.send(tuple.remote_addr, next_hop, packet);
    }

    fn state_changed(&mut self, from: TcpState, to: TcpState) {
        let tuple = self.path.tuple;
        tracing::trace!(target: "glassnet::tcp", flow = %tuple, %from, %to, "state");
        let mib = &mut self.lower.ctx.mib.tcp;
        // RFC 4022.
        match (from, to) {
            (TcpState::Closed, TcpState::SynSent) => mib.active_opens += 1,
            (TcpState::SynSent | TcpState::SynReceived, TcpState::Closed) => mib.attempt_fails += 1,
            (TcpState::Established | TcpState::CloseWait, TcpState::Closed) => {
                mib.estab_resets += 1;
            }
            _ => {}
        }
        let outbox = &mut self.lower.ctx.outbox;
        outbox.change_state((from, to), || (tuple.local(), tuple.remote()));
    }

    fn count(&mut self, event: Counted) {
        let mib = &mut self.lower.ctx.mib.tcp;
        match event {
            Counted::TimedOut => mib.aborts_on_timeout += 1,
            Counted::ChallengeAck => mib.challenge_acks += 1,
            Counted::KeepAliveProbe => mib.keep_alive_probes += 1,
        }
    }
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;

/// The flags of a segment behind an IP header without options.
#[inline]
fn flags_of(packet: &[u8], tuple: &FourTuple) -> u8 {
    const FLAGS: usize = 13;
    let header = if tuple.remote_addr.is_ipv4() { IPV4_HEADER } else { IPV6_HEADER };
    packet.get(header + FLAGS).copied().unwrap_or(0)
}
