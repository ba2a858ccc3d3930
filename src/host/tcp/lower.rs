//! The layers below TCP, for one call.

use std::net::IpAddr;

use crate::host::context::Ctx;
use crate::host::ip::{Ip, NextHop};
use crate::wire::frame::FrameBuffer;

/// What TCP is given with each call.
pub(in crate::host) struct Lower<'a> {
    pub(in crate::host) ctx: Ctx<'a>,
    pub(in crate::host) ip: &'a mut Ip,
}

impl Lower<'_> {
    /// Sends a packet on its way: by `next_hop`, if that is known.
    #[inline]
    pub(super) fn send(&mut self, to: IpAddr, next_hop: Option<NextHop>, packet: FrameBuffer) {
        *self.ctx.mib.tcp.sent.of(to) += 1;
        self.ip.send(&mut self.ctx, to, next_hop, packet);
    }
}
