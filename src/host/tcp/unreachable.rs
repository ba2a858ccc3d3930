//! What ICMP, or IP, says of segments that did not arrive.

use std::net::IpAddr;

use super::Tcp;
use super::lower::Lower;
use super::output::Output;
use crate::error::Errno;
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
        let Some(id) = tables.demux.get(tuple) else { return };
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
        found.is_some_and(|connection| connection.engine.status().is_in_flight(seq))
    }

    /// A path was found to carry packets of `mtu` bytes only.
    pub(in crate::host) fn lower_path_mtu(&mut self, to: IpAddr, mtu: usize) {
        let concerned = self.connections.ids_of(|it| it.tuple().remote_addr == to);
        for id in concerned {
            let Tcp { connections, engines, .. } = self;
            if let Some(connection) = connections.get_mut(id) {
                connection.engine.set_path_mtu(engines, mtu);
            }
            // What was too large may leave again.
            connections.mark_dirty(id);
        }
    }
}
