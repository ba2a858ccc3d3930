//! What a connection is ready for, as `poll(2)` tells it.

use std::task::Waker;

use super::Tcp;
use super::ids::FlowId;
use crate::host::wakers::Woken;

/// What a connection is ready for (Linux's `tcp_poll`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// A read would not wait.
    pub(crate) readable: bool,
    /// A write would not wait.
    pub(crate) writable: bool,
    /// Nothing more will come, as far as the application is concerned.
    pub(crate) read_closed: bool,
    /// Neither side is open any more, or there is an error to report.
    pub(crate) write_closed: bool,
    /// There is an error to report.
    pub(crate) error: bool,
}

impl Tcp {
    /// What a connection is ready for. One that is gone is ready for everything.
    pub(in crate::host) fn readiness(&self, id: FlowId) -> Readiness {
        let Some(connection) = self.connections.get(id) else {
            return Readiness {
                readable: true,
                writable: true,
                read_closed: true,
                write_closed: true,
                error: false,
            };
        };
        let over = connection.is_over();
        let read_closed =
            over || connection.engine.has_received_fin() || connection.is_receiving_shut_down();
        let error = connection.has_error();
        Readiness {
            readable: connection.is_readable(),
            writable: connection.is_writable(),
            read_closed,
            write_closed: over || error || (read_closed && connection.is_sending_shut_down()),
            error,
        }
    }

    /// Wakes `waker` when something changes of what a connection is ready for.
    pub(in crate::host) fn wait_for_readiness(
        &mut self,
        woken: &mut Woken,
        id: FlowId,
        reading: bool,
        writing: bool,
        waker: &Waker,
    ) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if reading {
            connection.wait_to_read(Some(waker), woken);
        }
        if writing {
            connection.wait_to_write(Some(waker), woken);
        }
    }
}
