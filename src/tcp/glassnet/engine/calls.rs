//! The application's calls (RFC 9293 3.10.1 to 3.10.6).

use super::{GlassnetEngine, delays_of};
use crate::error::Errno;
use crate::tcp::boundary::{Env, Out, Written};
use crate::tcp::glassnet::receive::Capacity;
use crate::tcp::glassnet::shared::Shared;
use crate::tcp::limits::Limits;
use crate::tcp::options::TcpOptions;
use crate::tcp::state::TcpState;
use crate::wire::tcp::Seq;

impl GlassnetEngine {
    #[inline]
    pub(in crate::tcp) fn write<'b>(
        &mut self,
        shared: &mut Shared,
        buffers: impl Iterator<Item = &'b [u8]>,
    ) -> Option<Written> {
        if self.is_closed_for_writing() || self.reset_due {
            return None;
        }
        let queued = self.send.queued();
        let room = self.options.send_buffer().saturating_sub(queued);
        self.is_pushed = false;
        let (asked, taken) = self.send.write(&mut shared.memory, buffers, room);
        Some(Written { asked, taken, was_empty: queued == 0 })
    }

    /// Whether a write that was taken waits for the peer, so that no timer changes either.
    pub(in crate::tcp) fn waits_for_the_peer(&self) -> bool {
        self.deadline.is_some() && self.send.waits_for_the_peer()
    }

    #[inline]
    pub(in crate::tcp) fn read(&mut self, shared: &mut Shared, buffer: &mut [u8]) -> Option<usize> {
        if self.receive.queued() == 0 && !self.can_receive() {
            return None;
        }
        Some(self.receive.read(&mut shared.memory, buffer) as usize)
    }

    pub(in crate::tcp) fn peek(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if self.receive.queued() == 0 && !self.can_receive() {
            return None;
        }
        Some(self.receive.peek(buffer) as usize)
    }

    fn can_receive(&self) -> bool {
        matches!(self.state, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2)
    }

    pub(in crate::tcp) fn close(&mut self, env: &mut Env<'_, impl Out>) {
        self.send.close();
        match self.state {
            TcpState::Established => self.set_state(TcpState::FinWait1, env.out),
            TcpState::CloseWait => self.set_state(TcpState::LastAck, env.out),
            _ => {}
        }
        self.limit_fin_wait_2(env);
    }

    /// Ends the connection at once, with a RST for the peer in the next transmission.
    pub(in crate::tcp) fn abort(&mut self, out: &mut impl Out) {
        match self.state {
            TcpState::Closed | TcpState::Listen | TcpState::SynSent | TcpState::TimeWait => {
                self.end(out);
            }
            _ => {
                self.set_state(TcpState::Closed, out);
                self.reset_due = true;
            }
        }
    }

    pub(in crate::tcp) fn abort_after_sending(&mut self) {
        self.reset_due = true;
    }

    pub(in crate::tcp) fn on_unreachable(
        &mut self,
        out: &mut impl Out,
        seq: Option<Seq>,
        errno: Errno,
    ) {
        if !self.status().is_in_flight(seq) {
            return;
        }
        if self.state == TcpState::SynSent {
            self.error = Some(errno);
            self.end(out);
        } else {
            self.soft_error = Some(errno);
        }
    }

    pub(in crate::tcp) fn orphan(&mut self) {
        self.is_orphan = true;
    }

    pub(in crate::tcp) fn set_options(
        &mut self,
        now: u64,
        limits: &Limits,
        mut options: TcpOptions,
    ) {
        if options.congestion_control != self.options.congestion_control {
            self.send.set_control(now, options.congestion_control);
        }
        if options.keep_alive && !self.options.keep_alive {
            (self.heard_at, self.keep_alive_probes) = (now, 0);
        }
        self.receive.acks.set_delays(delays_of(limits, &options));
        self.is_pushed |= options.take_push(&self.options);
        if let Some(quickack) = options.take_quickack() {
            self.receive.set_quickack(quickack);
        }
        let window = |options: &TcpOptions| (options.windows(), options.window_clamp());
        let resizes = window(&options) != window(&self.options);
        self.options = options;
        if resizes {
            self.receive.resize(Capacity::of(&self.options), !self.state.is_opening());
        }
    }

    /// A router has dropped a segment that was larger than the path MTU, which was lowered for it.
    pub(in crate::tcp) fn on_too_big(&mut self) {
        if !self.state.is_opening() && !self.is_over {
            self.send.resize();
        }
    }

    pub(in crate::tcp) fn set_path_mtu(&mut self, limits: &Limits, mtu: usize) {
        let mtu = u32::try_from(mtu).unwrap_or(u32::MAX);
        if mtu < self.path_mtu {
            self.path_mtu = mtu;
            let payload = self.payload_of_path(limits);
            self.send.set_path(payload);
        }
    }
}
