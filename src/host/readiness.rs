//! What a connection is ready for, as `poll(2)` tells it.

use std::task::{Poll, Waker};

use super::flow::FlowId;
use super::stack::Host;
use super::table::flow_at;

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

impl Host {
    /// What a connection is ready for. One that is gone is ready for everything.
    pub(crate) fn readiness(&self, id: FlowId) -> Readiness {
        let Some(flow) = self.flow(id) else {
            return Readiness {
                readable: true,
                writable: true,
                read_closed: true,
                write_closed: true,
                error: false,
            };
        };
        let over = flow.is_over();
        let read_closed = over || flow.fin_received || flow.receiving_shut_down;
        let error = flow.error.is_some();
        Readiness {
            readable: flow.is_readable(),
            writable: flow.is_writable(),
            read_closed,
            write_closed: over || error || (read_closed && flow.sending_shut_down),
            error,
        }
    }

    /// Wakes `waker` when something changes of what a connection is ready for.
    pub(crate) fn wait_for_readiness(
        &mut self,
        id: FlowId,
        reading: bool,
        writing: bool,
        waker: &Waker,
    ) {
        if reading {
            self.wait_to_read(id, Some(waker));
        }
        if writing {
            self.wait_to_write(id, Some(waker));
        }
    }

    /// Wakes `waker`, if there is one, when a read may not have to wait any more.
    pub(super) fn wait_to_read(&mut self, id: FlowId, waker: Option<&Waker>) {
        if let (Some(flow), Some(waker)) = (flow_at(&mut self.flows, id), waker) {
            flow.readers.register(waker, &mut self.io.woken);
        }
    }

    /// Wakes `waker`, if there is one, when a write may not have to wait any more.
    pub(super) fn wait_to_write(&mut self, id: FlowId, waker: Option<&Waker>) {
        if let (Some(flow), Some(waker)) = (flow_at(&mut self.flows, id), waker) {
            flow.writers.register(waker, &mut self.io.woken);
        }
    }

    /// Ready when a read would not wait.
    pub(crate) fn poll_readable(&mut self, id: FlowId, waker: &Waker) -> Poll<()> {
        match self.flow_mut(id) {
            Some(flow) if !flow.is_readable() => {
                self.wait_to_read(id, Some(waker));
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Ready when a write would not wait.
    pub(crate) fn poll_writable(&mut self, id: FlowId, waker: &Waker) -> Poll<()> {
        match self.flow_mut(id) {
            Some(flow) if !flow.is_writable() => {
                self.wait_to_write(id, Some(waker));
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}
