//! Listeners, connections and what is in TIME-WAIT, as `ss` shows them.

use std::time::Duration;

use super::Tcp;
use super::connection::Connection;
use super::listener::Listener;
use crate::host::socket_status::{SocketEnd, SocketProtocol, SocketStatus, SocketTimer, TimerKind};
use crate::tcp::{Shared, TcpInfo, TcpState, Timer};
use crate::wire::tcp::FourTuple;

impl Tcp {
    pub(in crate::host) fn netstat(&self, now: u64) -> impl Iterator<Item = SocketStatus> {
        let is_shown = |connection: &&Connection| {
            !connection.is_detached() || connection.engine.recv_queue() > 0
        };
        let listeners = self.tables.listeners.iter().map(listener);
        let connections = self.connections.iter().filter(is_shown);
        let connections = connections.map(move |shown| connection(shown, &self.engines, now));
        let requests = self.tables.requests.iter();
        let requests = requests.map(|request| between(&request.tuple, TcpState::SynReceived));
        let time_waits = self.tables.time_waits.iter(now);
        let time_waits = time_waits.map(move |(tuple, expires)| SocketStatus {
            timer: Some(timer(TimerKind::TimeWait, expires, 0, now)),
            ..between(tuple, TcpState::TimeWait)
        });
        listeners.chain(connections).chain(requests).chain(time_waits)
    }
}

/// What a listener tells of itself.
pub(super) fn listener_info(listener: &Listener) -> TcpInfo {
    TcpInfo::of_listener(listener.queued() as u32, listener.backlog() as u32)
}

fn listener(listener: &Listener) -> SocketStatus {
    SocketStatus {
        protocol: SocketProtocol::Tcp,
        state: TcpState::Listen,
        recv_queue: listener.queued(),
        send_queue: listener.backlog(),
        local: SocketEnd::Inet(listener.local),
        remote: None,
        timer: None,
        tcp_info: Some(Box::new(listener_info(listener))),
        congestion_control: Some(listener.options.congestion_control),
        is_dual_stack: listener.is_dual_stack(),
    }
}

fn connection(connection: &Connection, engines: &Shared, now: u64) -> SocketStatus {
    let status = connection.engine.status();
    SocketStatus {
        recv_queue: status.recv_queue as usize,
        send_queue: status.send_queue as usize,
        timer: connection.engine.timer().map(|shown| match shown {
            Timer::Retransmission { at, retransmits } => {
                timer(TimerKind::Retransmission, at, retransmits, now)
            }
            Timer::WindowProbe { at, probes } => timer(TimerKind::WindowProbe, at, probes, now),
            Timer::KeepAlive { at, probes } => timer(TimerKind::KeepAlive, at, probes, now),
            Timer::FinWait2 { at } => timer(TimerKind::TimeWait, at, 0, now),
        }),
        tcp_info: Some(Box::new(connection.engine.info(now, engines))),
        congestion_control: Some(connection.options().congestion_control),
        ..between(connection.tuple(), status.state)
    }
}

fn between(tuple: &FourTuple, state: TcpState) -> SocketStatus {
    SocketStatus {
        protocol: SocketProtocol::Tcp,
        state,
        recv_queue: 0,
        send_queue: 0,
        local: SocketEnd::Inet(tuple.local()),
        remote: Some(SocketEnd::Inet(tuple.remote())),
        timer: None,
        tcp_info: None,
        congestion_control: None,
        is_dual_stack: false,
    }
}

fn timer(kind: TimerKind, at: u64, retransmits: u32, now: u64) -> SocketTimer {
    SocketTimer { kind, remaining: Duration::from_nanos(at.saturating_sub(now)), retransmits }
}
