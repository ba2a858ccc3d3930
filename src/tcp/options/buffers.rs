//! `SO_RCVBUF`, `SO_SNDBUF`, `TCP_WINDOW_CLAMP`, and how buffers grow where these do not say.

use std::io;

use super::{Buffers, TcpOptions};
use crate::error::Errno;

/// The least that is given: Linux's `SOCK_MIN_RCVBUF` and `SOCK_MIN_SNDBUF`.
const MIN_RECV: u32 = 2_304;
const MIN_SEND: u32 = 4_608;

impl TcpOptions {
    /// The buffers grow with use up to these sizes, where they are not set.
    pub(crate) fn let_buffers_grow(&mut self, max_recv: u32, max_send: u32, adv_win_scale: u8) {
        let buffers = &mut self.buffers;
        buffers.max_recv = buffers.recv.max(max_recv);
        buffers.max_send = buffers.send.max(max_send);
        buffers.adv_win_scale = adv_win_scale;
    }

    /// The most that the application may ask for.
    pub(crate) fn bound_buffers(&mut self, max_recv: u32, max_send: u32) {
        (self.buffers.max_asked_recv, self.buffers.max_asked_send) = (max_recv, max_send);
    }

    /// The same with buffers of at most these sizes, which do not grow.
    pub(crate) fn with_buffers_up_to(&self, recv: u32, send: u32) -> TcpOptions {
        let (recv, send) = (self.buffers.recv.min(recv), self.buffers.send.min(send));
        let buffers = Buffers { recv, send, max_recv: recv, max_send: send, ..self.buffers };
        TcpOptions { buffers, ..*self }
    }

    /// How far the windows are shifted that it advertises, where the peer agrees to that: as far as its
    /// receive buffer needs (RFC 7323 2.3).
    pub(crate) fn window_scale(&self) -> u8 {
        let bits = u32::BITS - self.buffers.recv.leading_zeros();
        bits.saturating_sub(u16::BITS).min(14) as u8
    }

    /// The largest window that it may ever advertise. Where the application has not set the receive
    /// buffer that is all that it may grow to, as in Linux's `tcp_select_initial_window`.
    pub(crate) fn largest_window(&self) -> u32 {
        let Buffers { recv, max_recv, recv_is_set, .. } = self.buffers;
        self.clamped(if recv_is_set { self.advertised_of(recv) } else { max_recv })
    }

    /// The window that the receive buffer stands for now, and when it has grown as far as it may.
    pub(crate) fn windows(&self) -> (u32, u32) {
        let of = |size| self.clamped(self.advertised_of(size));
        (of(self.buffers.recv), of(self.buffers.max_recv))
    }

    fn clamped(&self, window: u32) -> u32 {
        match self.buffers.window_clamp {
            0 => window,
            clamp => window.min(clamp),
        }
    }

    /// `SO_RCVBUF`, as it is in use.
    pub(crate) fn recv_buffer(&self) -> u32 {
        self.buffers.recv
    }

    /// Linux's `__sock_set_rcvbuf`: no more than `rmem_max`, doubled, no less than the least; from
    /// now on it does not grow. It is never refused.
    pub(crate) fn set_recv_buffer(&mut self, size: u32) {
        let buffers = &mut self.buffers;
        buffers.recv = size.min(buffers.max_asked_recv).saturating_mul(2).max(MIN_RECV);
        (buffers.max_recv, buffers.recv_is_set) = (buffers.recv, true);
    }

    /// `SO_SNDBUF`, as it is in use.
    #[inline]
    pub(crate) fn send_buffer(&self) -> u32 {
        self.buffers.send
    }

    /// The same of the send buffer.
    pub(crate) fn set_send_buffer(&mut self, size: u32) {
        let buffers = &mut self.buffers;
        buffers.send = size.min(buffers.max_asked_send).saturating_mul(2).max(MIN_SEND);
        (buffers.max_send, buffers.grown) = (buffers.send, 0);
    }

    /// `TCP_WINDOW_CLAMP`; 0 is none.
    pub(crate) fn window_clamp(&self) -> u32 {
        self.buffers.window_clamp
    }

    /// Linux's `tcp_set_window_clamp`: no less than half of the least receive buffer.
    pub(crate) fn set_window_clamp(&mut self, bytes: u32) -> io::Result<()> {
        if bytes > 0 && !self.is_glassnets() {
            return Err(Errno::OperationNotSupported.into());
        }
        self.buffers.window_clamp = if bytes == 0 { 0 } else { bytes.max(MIN_RECV / 2) };
        Ok(())
    }

    /// What the peer may be told of a receive buffer of `size` bytes.
    fn advertised_of(&self, size: u32) -> u32 {
        match self.buffers.adv_win_scale {
            0 => size,
            scale => size - (size >> scale.min(31)),
        }
    }

    /// The send buffer may grow still.
    #[inline]
    pub(crate) fn send_buffer_grows(&self) -> bool {
        self.buffers.send < self.buffers.max_send
    }

    /// The send buffer grows to `size` bytes, or as far as it may.
    pub(crate) fn grow_send_buffer(&mut self, size: u32) {
        let buffers = &mut self.buffers;
        let more = size.min(buffers.max_send).saturating_sub(buffers.send);
        buffers.send += more;
        buffers.grown += more;
    }

    /// Bytes of buffers with which a connection began, or which were set since.
    pub(crate) fn first_buffers(&self) -> u64 {
        u64::from(self.buffers.recv) + u64::from(self.buffers.send - self.buffers.grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::options::TcpEngine;

    #[test]
    fn what_is_asked_for_is_bounded_doubled_and_not_tiny() {
        let mut options = TcpOptions::new(65_535, 98_304);
        for (asked, recv, send) in [
            (0, 2_304, 4_608),
            (1_152, 2_304, 4_608),
            (2_305, 4_610, 4_610),
            (100_000, 200_000, 200_000),
            (212_993, 425_984, 425_984),
            (u32::MAX, 425_984, 425_984),
        ] {
            options.set_recv_buffer(asked);
            options.set_send_buffer(asked);
            assert_eq!((options.recv_buffer(), options.send_buffer()), (recv, send), "{asked}");
        }
        options.bound_buffers(1 << 20, u32::MAX);
        options.set_recv_buffer(u32::MAX);
        options.set_send_buffer(u32::MAX);
        assert_eq!((options.recv_buffer(), options.send_buffer()), (1 << 21, u32::MAX));
    }

    #[test]
    fn a_buffer_that_is_set_grows_no_more_and_its_window_is_what_is_advertised_of_it() {
        let mut options = TcpOptions::new(131_072, 87_040);
        options.let_buffers_grow(6_291_456, 4_194_304, 1);
        assert_eq!(options.windows(), (65_536, 3_145_728));
        assert_eq!(options.largest_window(), 6_291_456);
        options.set_recv_buffer(50_000);
        assert_eq!((options.windows(), options.largest_window()), ((50_000, 50_000), 50_000));
        assert!(options.send_buffer_grows());
        options.grow_send_buffer(100_000);
        assert_eq!((options.send_buffer(), options.first_buffers()), (100_000, 187_040));
        options.set_send_buffer(50_000);
        assert!(!options.send_buffer_grows());
        assert_eq!(options.first_buffers(), 200_000);
    }

    #[test]
    fn a_clamp_bounds_the_windows_and_is_not_tiny() {
        let mut options = TcpOptions::new(131_072, 87_040);
        assert!(options.set_window_clamp(5_000).is_err());
        options.set_engine(TcpEngine::Glassnet);
        options.set_window_clamp(5_000).unwrap();
        assert_eq!((options.windows(), options.largest_window()), ((5_000, 5_000), 5_000));
        options.set_window_clamp(1).unwrap();
        assert_eq!(options.window_clamp(), 1_152);
    }
}
