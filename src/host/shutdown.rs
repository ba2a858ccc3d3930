//! The ends of a connection that the application chooses: `shutdown(2)`, a close that waits, and
//! resets.

use std::io;
use std::net::Shutdown;
use std::task::{Poll, Waker};

use super::engine::{Wire, to_engine_time};
use super::flow::{Flow, FlowId};
use super::stack::{Host, nanos};
use super::state::TcpState;
use crate::error::Errno;
use crate::wire::frame::FramePool;
use crate::wire::tcp::Segment;

impl Host {
    /// `shutdown(2)`. Of the sending side: the peer reads the end of the stream after what was
    /// written. Of the receiving side: reading gives 0 instead of waiting, at once for whoever
    /// waits; data that still arrives can be read all the same, as on Linux.
    pub(crate) fn shut_down(&mut self, now: u64, id: FlowId, how: Shutdown) -> io::Result<()> {
        let flow = self.flow_mut(id).ok_or(Errno::NotConnected)?;
        if flow.is_over() {
            return Err(Errno::NotConnected.into());
        }
        if flow.state == TcpState::SynSent {
            // Linux gives the attempt up.
            let Some(mut flow) = self.take_flow(id) else { return Ok(()) };
            self.fail(&mut flow, Errno::ConnReset);
            self.put_back(id, flow);
            return Ok(());
        }
        if how != Shutdown::Write {
            flow.receiving_shut_down = true;
        }
        let finish = how != Shutdown::Read && !flow.sending_shut_down;
        flow.sending_shut_down |= finish;
        if let Some(mut flow) = self.take_flow(id) {
            self.wake(&mut flow);
            self.put_back(id, flow);
        }
        if finish {
            self.send_fin(now, id);
        }
        Ok(())
    }

    /// The part of a close that `SO_LINGER` lets wait: ready when everything written, and the
    /// FIN, is acknowledged, or when the linger time is over. Then the caller closes; what is not
    /// delivered by then is delivered in the background, as on Linux.
    pub(crate) fn poll_linger(&mut self, now: u64, id: FlowId, waker: &Waker) -> Poll<()> {
        let Some(flow) = self.flow_mut(id) else { return Poll::Ready(()) };
        let linger = flow.options.linger().filter(|time| !time.is_zero());
        let unread = flow.recv_queue() > 0;
        let over = flow.is_over() || flow.state == TcpState::SynSent;
        let Some(linger) = linger.filter(|_| !over && !unread) else { return Poll::Ready(()) };
        let until = *flow.linger_until.get_or_insert(now.saturating_add(nanos(linger)));
        if !flow.sending_shut_down {
            flow.sending_shut_down = true;
            self.send_fin(now, id);
        }
        let Some(flow) = self.flow_mut(id) else { return Poll::Ready(()) };
        let delivered = !matches!(
            flow.state,
            TcpState::SynReceived | TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck
        );
        if delivered || until <= now {
            return Poll::Ready(());
        }
        self.wait_to_write(id, Some(waker));
        self.mark_dirty(id);
        Poll::Pending
    }

    /// Whether a connection has a peer: not before the handshake, and not when it is over, as
    /// `getpeername(2)` has it.
    pub(crate) fn has_peer(&self, id: FlowId) -> bool {
        self.flow(id).is_some_and(|flow| !flow.is_over() && flow.state != TcpState::SynSent)
    }

    /// Ends a connection with an error, and tells the peer with a RST.
    pub(super) fn abort(&mut self, now: u64, flow: &mut Flow, errno: Errno, pool: &mut FramePool) {
        flow.engine.socket_mut(|socket| socket.abort());
        self.emit(now, flow, pool);
        self.fail(flow, errno);
    }

    /// Answers a segment for a connection that nobody reads any more with a RST of that
    /// connection's.
    pub(super) fn refuse(&mut self, now: u64, flow: &Flow, packet: &[u8], pool: &mut FramePool) {
        let mut wire =
            Wire { received: Some(packet), sent: &mut self.sent, pool, mtu: self.options.mtu };
        self.interface.poll_ingress_single(to_engine_time(now), &mut wire, &mut self.nobody);
        while let Some(mut frame) = self.sent.pop() {
            flow.ip_fields().write(frame.packet_mut());
            if let Some((reply, _)) = Segment::parse(frame.packet(), true) {
                self.route(now, reply.local_addr, flow.neighbor, frame, pool);
            }
        }
    }
}
