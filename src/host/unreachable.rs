//! What ICMP, or a neighbour's silence, says of a segment that could not be delivered.

use std::net::IpAddr;

use super::flow::Flow;
use super::stack::Host;
use super::state::TcpState;
use crate::error::Errno;
use crate::wire::tcp::{FourTuple, Seq};

impl Host {
    /// A segment of the connection was not delivered. An attempt to connect fails; what is
    /// established goes on trying, and says so only if it gives up (RFC 1122 4.2.3.9, RFC 5927
    /// 5.2). `seq` is the number of the segment, where it is known.
    pub(super) fn tcp_unreachable(&mut self, tuple: &FourTuple, seq: Option<Seq>, errno: Errno) {
        let Some(id) = self.demux.get(tuple) else { return };
        let Some(mut flow) = self.take_flow(id) else { return };
        if has_in_flight(&flow, seq) {
            if flow.state == TcpState::SynSent {
                self.fail(&mut flow, errno);
            } else {
                flow.soft_error = Some(errno);
            }
        }
        self.put_back(id, flow);
    }

    /// No more than this reaches an address at once.
    pub(super) fn narrow_path(&mut self, to: IpAddr, mtu: usize) {
        for slot in &mut self.flows {
            if let Some(flow) = &mut slot.flow
                && flow.tuple.remote_addr == to
            {
                flow.path_mtu = flow.path_mtu.min(mtu);
            }
        }
    }

    /// Whether a segment with this number may be one of the connection's.
    pub(super) fn is_in_flight(&self, tuple: &FourTuple, seq: Option<Seq>) -> bool {
        let flow = self.demux.get(tuple).and_then(|id| self.flow(id));
        flow.is_some_and(|flow| has_in_flight(flow, seq))
    }
}

/// Whoever does not know what is in flight has not seen the connection: RFC 5927 4.1.
fn has_in_flight(flow: &Flow, seq: Option<Seq>) -> bool {
    seq.is_none_or(|seq| !seq.is_before(flow.snd_una()) && !seq.is_after(flow.sequences.snd_max))
}
