//! The options of the host's TCP sockets, connections and listeners.

use std::io;
use std::time::Duration;

use super::Tcp;
use super::ids::FlowId;
use super::ids::ListenerId;
use super::lower::Lower;
use super::netstat::listener_info;
use crate::clock::nanos;
use crate::error::Errno;
use crate::host::options::HostOptions;
use crate::host::ports::{BindingId, Reuse};
use crate::tcp::{Limits, RtoBounds, TcpInfo, TcpOptions};

impl HostOptions {
    /// The options of a new TCP socket.
    pub(crate) fn tcp(&self) -> TcpOptions {
        // They are within 2^30.
        let mut options = TcpOptions::new(self.recv_buffer as u32, self.send_buffer as u32);
        options.let_buffers_grow(
            self.recv_buffer_max as u32,
            self.send_buffer_max as u32,
            self.adv_win_scale,
        );
        let (time, interval) = (self.keepalive_time, self.keepalive_interval);
        options.keep_alive_by_default(time, interval, self.keepalive_probes);
        options.nodelay = !self.nagle;
        options.ack_delay = self.ack_delay;
        options.congestion_control = self.congestion_control;
        options
    }

    /// What bounds each connection.
    pub(crate) fn tcp_limits(&self) -> Limits {
        Limits {
            engine: self.tcp_engine,
            mtu: self.mtu_in_force(),
            syn_retries: self.syn_retries,
            syn_linear_timeouts: self.syn_linear_timeouts,
            synack_retries: self.synack_retries,
            retries: self.retries,
            orphan_retries: self.orphan_retries,
            fin_timeout: self.fin_timeout,
            rto: RtoBounds {
                initial: microseconds(self.rto_initial),
                min: microseconds(self.rto_min),
                floor: microseconds(self.rto_floor),
                max: microseconds(self.rto_max),
            },
            initial_window: self.initial_window,
            initial_window_bytes: self.initial_window_bytes.unwrap_or(u32::MAX),
            slow_start_after_idle: self.slow_start_after_idle,
            sack: self.sack,
            timestamps: self.timestamps,
            ecn: self.ecn,
            window_scaling: self.window_scaling,
            tail_loss_probe: self.tail_loss_probe,
            ack_delay_min: nanos(self.ack_delay_min),
            quick_acks: self.quick_acks,
        }
    }
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

impl TcpOptions {
    /// With whom a socket shares its address and port.
    pub(crate) fn reuse(&self) -> Reuse {
        Reuse { address: self.reuse_address, port: self.reuse_port }
    }
}

impl Tcp {
    /// The options of a connection, for as long as the application holds it.
    pub(in crate::host) fn options(&self, id: FlowId) -> io::Result<TcpOptions> {
        Ok(*self.connections.get(id).ok_or(Errno::NotConnected)?.options())
    }

    /// Changes the options of a connection. All that `change` changes is in force at once, or
    /// nothing is; sizes of buffers cannot change any more.
    pub(in crate::host) fn change_options(
        &mut self,
        lower: &mut Lower<'_>,
        id: FlowId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let connection = self.connections.get_mut(id).ok_or(Errno::NotConnected)?;
        let old = *connection.options();
        let mut new = old;
        change(&mut new)?;
        let sizes = |options: &TcpOptions| (options.recv_buffer(), options.send_buffer());
        if sizes(&new) != sizes(&old) {
            return Err(Errno::OperationNotSupported.into());
        }
        connection.engine.set_options(lower.ctx.now, &self.engines, new);
        if new.reuse() != old.reuse() && !connection.is_detached() {
            let port = connection.tuple().local_port;
            self.tables.ports.connection_ends(port, old.reuse());
            self.tables.ports.connection_begins(port, new.reuse());
        }
        // What waited for Nagle's algorithm leaves when that is switched off.
        self.transmit(lower, id);
        Ok(())
    }

    /// What a connection tells of itself, for as long as the application holds it.
    pub(in crate::host) fn info(&self, now: u64, id: FlowId) -> io::Result<TcpInfo> {
        let connection = self.connections.get(id).ok_or(Errno::NotConnected)?;
        Ok(connection.engine.info(now, &self.engines))
    }

    /// What a listener tells of itself.
    pub(in crate::host) fn listener_info(&self, id: ListenerId) -> io::Result<TcpInfo> {
        let listener = self.tables.listeners.get(id).ok_or(Errno::Invalid)?;
        Ok(listener_info(listener))
    }

    /// The options of a listener.
    pub(in crate::host) fn listener_options(&mut self, id: ListenerId) -> io::Result<TcpOptions> {
        Ok(self.tables.listeners.get_mut(id).ok_or(Errno::Invalid)?.options)
    }

    /// Changes the options with which the connections of a listener begin.
    pub(in crate::host) fn change_listener_options(
        &mut self,
        id: ListenerId,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let listener = self.tables.listeners.get_mut(id).ok_or(Errno::Invalid)?;
        let mut new = listener.options;
        change(&mut new)?;
        listener.options = new;
        self.tables.ports.set_reuse(listener.local.port(), listener.binding, new.reuse());
        Ok(())
    }

    /// A bound socket changes who may share its address and port.
    pub(in crate::host) fn set_binding_reuse(
        &mut self,
        port: u16,
        binding: BindingId,
        reuse: Reuse,
    ) {
        self.tables.ports.set_reuse(port, binding, reuse);
    }
}
