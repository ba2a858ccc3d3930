//! Packets out: by which way they leave, whole or in fragments.

use std::net::IpAddr;

use super::Ip;
use super::discovery::MtuDiscovery;
use super::routes::{NextHop, Route};
use crate::error::Errno;
use crate::host::context::Ctx;
use crate::host::discard::DiscardReason;
use crate::host::outbox::SocketCharge;
use crate::wire::ethernet::ETHERNET_HEADER;
use crate::wire::fragment::{Piece, split_ipv4, split_ipv6};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::wire::ip::{IPV6_HEADER, IpHeader};
use crate::wire::packet::write_packet;

/// The most that an IPv4 packet holds, header included, and an IPv6 one without its header.
const MAX_LEN: usize = 65_535;

impl Ip {
    /// Sends a packet on its way whose IP header is written: by `next_hop`, if that is known.
    #[inline]
    pub(in crate::host) fn send(
        &mut self,
        ctx: &mut Ctx<'_>,
        to: IpAddr,
        next_hop: Option<NextHop>,
        frame: FrameBuffer,
    ) {
        if let Some(NextHop { interface, neighbor }) = next_hop {
            self.interface_mut(interface).send(ctx, neighbor, frame, None);
        } else {
            self.send_by_route(ctx, to, frame);
        }
    }

    fn send_by_route(&mut self, ctx: &mut Ctx<'_>, to: IpAddr, frame: FrameBuffer) {
        match self.route(None, to) {
            Some(route) => {
                self.send_by(ctx, route, to, frame, None);
            }
            None => {
                let mac = self.interface(self.interface_to(to)).addresses().mac();
                ctx.discard(mac, frame, DiscardReason::NoRoute);
            }
        }
    }

    /// True when the packet waits for its neighbour.
    fn send_by(
        &mut self,
        ctx: &mut Ctx<'_>,
        route: Route,
        to: IpAddr,
        frame: FrameBuffer,
        socket: Option<SocketCharge>,
    ) -> bool {
        match route {
            Route::Own => ctx.outbox.loop_back(frame),
            Route::Many(interface) => self.interface(interface).send_to_many(ctx, to, frame),
            Route::Neighbor(interface, address) => {
                let interface = self.interface_mut(interface);
                match interface.neighbor(ctx, address) {
                    Some(neighbor) => return interface.send(ctx, neighbor, frame, socket),
                    None => {
                        let mac = interface.addresses().mac();
                        ctx.discard(mac, frame, DiscardReason::NeighborTableFull);
                    }
                }
            }
        }
        false
    }

    /// Sends a packet, in fragments when it is larger than what its path carries. What waits for its
    /// neighbour takes what `socket` says of that socket's send buffer, which is returned; the last
    /// fragment stands for all.
    pub(in crate::host) fn send_packet(
        &mut self,
        ctx: &mut Ctx<'_>,
        header: &IpHeader,
        payload: &[u8],
        discovery: MtuDiscovery,
        socket: Option<SocketCharge>,
    ) -> Result<usize, Errno> {
        let to = header.destination;
        let Some(route) = self.route(Some(header.source), to) else {
            ctx.mib.ip.of(to).out_no_routes += 1;
            return Err(Errno::NetUnreachable);
        };
        let packet_len = header.len() + payload.len();
        let max_len = if to.is_ipv4() { MAX_LEN } else { MAX_LEN + IPV6_HEADER };
        if packet_len > max_len {
            return Err(Errno::MessageSize);
        }
        let (Route::Many(interface) | Route::Neighbor(interface, _)) = route else {
            ctx.mib.ip.of(to).out_requests += 1;
            self.loop_back(ctx, header, payload);
            return Ok(0);
        };
        let mut mtu = self.interface(interface).mtu();
        if discovery.heeds_path()
            && let Some(learned) = self.path_mtus.get(ctx.now, to)
        {
            mtu = mtu.min(learned);
        }
        if packet_len > mtu && !discovery.makes_fragments() {
            return Err(Errno::MessageSize);
        }
        ctx.mib.ip.of(to).out_requests += 1;
        if packet_len <= mtu {
            let frame = write_packet(header, payload, discovery.forbids_fragments(), ctx.pool);
            let waits = self.send_by(ctx, route, to, frame, socket);
            return Ok(socket.filter(|_| waits).map_or(0, |socket| socket.bytes));
        }
        let fragments = self.fragments(header, payload, mtu, ctx.pool);
        let mib = ctx.mib.ip.of(to);
        mib.frag_oks += 1;
        mib.frag_creates += fragments.len() as u64;
        let (last, mut waiting) = (fragments.len().saturating_sub(1), 0);
        for (index, frame) in fragments.into_iter().enumerate() {
            let of_fragment = |socket: SocketCharge| SocketCharge {
                bytes: if index == last { socket.bytes } else { 0 },
                ..socket
            };
            let charge = socket.map(of_fragment);
            if self.send_by(ctx, route, to, frame, charge) {
                waiting += charge.map_or(0, |charge| charge.bytes);
            }
        }
        Ok(waiting)
    }

    fn fragments(
        &mut self,
        header: &IpHeader,
        payload: &[u8],
        mtu: usize,
        pool: &mut FramePool,
    ) -> Vec<FrameBuffer> {
        let id = self.next_ident;
        self.next_ident = self.next_ident.wrapping_add(1);
        let mut whole = write_packet(header, payload, false, pool);
        let fragments = if header.destination.is_ipv6() {
            let pieces = split_ipv6(whole.packet(), mtu, id).into_iter().flatten();
            pieces.map(|piece| write_piece(&piece, pool)).collect()
        } else {
            // The checksums of the fragments are their own.
            whole.packet_mut()[4..6].copy_from_slice(&(id as u16).to_be_bytes());
            let pieces = split_ipv4(whole.packet(), mtu).into_iter().flatten();
            pieces.map(|piece| write_piece(&piece, pool)).collect()
        };
        pool.give_back(whole);
        fragments
    }

    /// Hands a packet to this host itself, which it reaches like one from the link.
    pub(in crate::host) fn loop_back(&self, ctx: &mut Ctx<'_>, header: &IpHeader, payload: &[u8]) {
        if ctx.outbox.has_room_to_loop_back() {
            let frame = write_packet(header, payload, true, ctx.pool);
            ctx.outbox.loop_back(frame);
        } else {
            ctx.counters.loopback_queue_full += 1;
        }
    }
}

fn write_piece(piece: &Piece<'_>, pool: &mut FramePool) -> FrameBuffer {
    let mut frame = pool.take(ETHERNET_HEADER + piece.len());
    piece.write(frame.packet_mut());
    frame
}
