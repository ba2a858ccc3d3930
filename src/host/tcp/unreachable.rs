//! What ICMP, or IP, says of segments that did not arrive.

use std::net::IpAddr;

use super::Tcp;
use super::lower::Lower;
use super::output::Output;
use crate::error::Errno;
use crate::tcp::Env;
use crate::wire::tcp::{FourTuple, Seq};

impl Tcp {
    /// A segment of a connection was not delivered. `seq` is its number, where it is known.
    pub(in crate::host) fn unreachable(
        &mut self,
        lower: &mut Lower<'_>,
        tuple: &FourTuple,
        seq: Option<Seq>,
        errno: Errno,
    ) {
        let Tcp { connections, tables, .. } = self;
        let Some(id) = tables.demux.get(tuple) else {
            self.request_is_unreachable(lower, tuple, seq, errno);
            return;
        };
        let Some(connection) = connections.get_mut(id) else { return };
        let before = connection.state();
        let (engine, path) = connection.parts();
        engine.on_unreachable(&mut Output { lower, path }, seq, errno);
        tables.settle(lower, id, connection, before);
        self.release_if_over(lower, id);
    }

    /// Whether a segment with this number may be one of a connection's.
    pub(in crate::host) fn is_in_flight(&self, tuple: &FourTuple, seq: Option<Seq>) -> bool {
        let found = self.tables.demux.get(tuple).and_then(|id| self.connections.get(id));
        match found {
            Some(connection) => connection.engine.status().is_in_flight(seq),
            None => self
                .tables
                .requests
                .get(tuple)
                .is_some_and(|request| seq.is_none_or(|seq| seq == request.handshake.iss)),
        }
    }

    /// A segment of a connection was too large for its path, whose MTU was lowered for that: it
    /// leaves again with the host's turn, in smaller ones.
    pub(in crate::host) fn too_big(&mut self, lower: &mut Lower<'_>, tuple: &FourTuple) {
        let Tcp { connections, tables, engines, .. } = self;
        let Some(id) = tables.demux.get(tuple) else { return };
        let Some(connection) = connections.get_mut(id) else { return };
        let now = lower.ctx.now;
        let (engine, path) = connection.parts();
        let mut out = Output { lower, path };
        engine.on_too_big(&mut Env { now, shared: engines, out: &mut out });
        connections.mark_dirty(id);
    }

    /// A path was found to carry packets of `mtu` bytes only.
    pub(in crate::host) fn lower_path_mtu(&mut self, to: IpAddr, mtu: usize) {
        let Tcp { connections, engines, .. } = self;
        for connection in connections.iter_mut() {
            if connection.tuple().remote_addr == to {
                connection.engine.set_path_mtu(engines, mtu);
            }
        }
    }
}
