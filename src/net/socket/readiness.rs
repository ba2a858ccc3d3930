//! What a socket is ready for, as `poll(2)` tells it.

use std::task::{Context, Waker};

use tokio::io::Ready;

use super::{End, Socket};
use crate::net::ready::Pollable;

impl Socket {
    /// What it is ready for.
    pub(crate) fn readiness(&self) -> Ready {
        match &self.end {
            End::Stream(endpoint) => endpoint.readiness(),
            End::Datagram(datagram) => datagram.readiness(),
            End::Local(local) => local.readiness(),
        }
    }

    /// Wakes `waker` when something may have changed that readers hear of (data, the end, an
    /// error), or writers (room, an error).
    pub(crate) fn wait_for_readiness(&self, reading: bool, writing: bool, waker: &Waker) {
        let mut cx = Context::from_waker(waker);
        let _ = match &self.end {
            End::Stream(endpoint) => endpoint.wait_for(reading, writing, &mut cx),
            End::Datagram(datagram) => datagram.wait_for(reading, writing, &mut cx),
            End::Local(local) => local.wait_for(reading, writing, &mut cx),
        };
    }

    /// `SO_ACCEPTCONN`: whether it listens.
    pub(crate) fn is_listening(&self) -> bool {
        match &self.end {
            End::Stream(endpoint) => endpoint.is_listening(),
            End::Datagram(_) => false,
            End::Local(local) => local.is_listening(),
        }
    }

    /// `FIONREAD`: bytes received that are not read; of datagrams those of the first.
    pub(crate) fn recv_queue(&self) -> usize {
        match &self.end {
            End::Stream(endpoint) => endpoint.recv_queue(),
            End::Datagram(datagram) => datagram.recv_queue(),
            End::Local(local) => local.recv_queue(),
        }
    }
}
