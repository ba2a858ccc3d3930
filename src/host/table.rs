//! The connections of a host: how they begin, change their state, and end.

use super::engine::{Engine, SocketBuffers};
use super::flow::{Flow, FlowId, Owner};
use super::listener::Listeners;
use super::recent::RecentTuples;
use super::stack::{Host, Slot, nanos};
use super::state::TcpState;
use super::tcp_options::TcpOptions;
use super::time_wait::{TimeWait, TimeWaits};
use crate::error::Errno;
use crate::time::Deadline;

/// Socket buffers that wait for the next connection.
const POOLED_BUFFERS: usize = 32;

impl Host {
    pub(super) fn new_engine(&mut self, options: &TcpOptions) -> Engine {
        let (recv, send) = (options.recv_buffer() as usize, options.send_buffer() as usize);
        let buffers = self.buffers.pop().filter(|buffers| buffers.fit(recv, send));
        Engine::new(buffers.unwrap_or_else(|| SocketBuffers::new(recv, send)), options)
    }

    pub(super) fn insert_flow(&mut self, now: u64, mut flow: Flow) -> FlowId {
        let remote = flow.tuple.remote_addr;
        let (mut ctx, ip) = self.ip_ctx_of_call(now);
        flow.neighbor = ip.hold(&mut ctx, remote);
        flow.path_mtu = ip.path_mtu(now, remote);
        flow.state = flow.engine.socket(|socket| socket.state()).into();
        self.ports.connection_begins(flow.tuple.local_port, flow.options.reuse());
        let index = self.free_slots.pop().unwrap_or_else(|| {
            self.flows.push(Slot::default());
            (self.flows.len() - 1) as u32
        });
        let slot = &mut self.flows[index as usize];
        let id = FlowId { index, generation: slot.generation };
        self.demux.insert(&flow.tuple, id);
        self.open_flows += 1;
        slot.flow = Some(Box::new(flow));
        id
    }

    pub(super) fn demand_id(&self, index: usize) -> FlowId {
        FlowId { index: index as u32, generation: self.flows[index].generation }
    }

    pub(super) fn forget_everything(&mut self) {
        for slot in &mut self.flows {
            slot.generation = slot.generation.wrapping_add(1);
            slot.flow = None;
        }
        self.demux.clear();
        self.orphans = 0;
        self.open_flows = 0;
        self.free_slots = (0..self.flows.len() as u32).collect();
        self.listeners = Listeners::default();
        self.time_waits = TimeWaits::default();
        self.recent = RecentTuples::default();
        self.ports.forget_everything();
        self.dirty.clear();
        self.deadlines.clear();
        self.io.outbox.clear();
        self.ip.forget_everything();
    }

    pub(super) fn flow(&self, id: FlowId) -> Option<&Flow> {
        let slot = self.flows.get(id.index as usize)?;
        if slot.generation == id.generation { slot.flow.as_deref() } else { None }
    }

    pub(super) fn flow_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        flow_at(&mut self.flows, id)
    }

    /// Takes a flow out of its slot while it is worked on; [`Host::put_back`] ends that.
    pub(super) fn take_flow(&mut self, id: FlowId) -> Option<Box<Flow>> {
        let slot = self.flows.get_mut(id.index as usize)?;
        if slot.generation == id.generation { slot.flow.take() } else { None }
    }

    /// Puts a flow back, or frees it when neither the network nor an application needs it.
    pub(super) fn put_back(&mut self, id: FlowId, mut flow: Box<Flow>) {
        if flow.detached && flow.owner == Owner::Nobody {
            self.free(id, flow);
            return;
        }
        if let Some(deadline) = flow.deadline_to_queue() {
            self.queue_flow(id, deadline);
            self.has_new_deadline = true;
        }
        self.flows[id.index as usize].flow = Some(flow);
    }

    /// The connection wants to be looked at when its deadline comes, which was not queued.
    pub(super) fn queue_deadline(&mut self, id: FlowId) {
        if let Some(deadline) = self.flow_mut(id).and_then(Flow::deadline_to_queue) {
            self.queue_flow(id, deadline);
        }
    }

    fn queue_flow(&mut self, id: FlowId, at: u64) {
        self.deadlines.set(Deadline { at, order: id.index.into(), id: id.index });
    }

    pub(super) fn free(&mut self, id: FlowId, flow: Box<Flow>) {
        let slot = &mut self.flows[id.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free_slots.push(id.index);
        self.deadlines.remove(id.index);
        self.open_flows -= 1;
        if let Some(neighbor) = flow.neighbor {
            self.ip.release(neighbor);
        }
        if self.buffers.len() < POOLED_BUFFERS {
            self.buffers.push(flow.engine.into_buffers());
        }
    }

    pub(super) fn mark_dirty(&mut self, id: FlowId) {
        let Some(flow) = self.flow_mut(id) else { return };
        flow.dirty = true;
        if !flow.in_dirty_list {
            flow.in_dirty_list = true;
            self.dirty.push(id);
        }
    }

    /// The connections the host has, in the order of their slots.
    pub(super) fn open_flows(&self) -> impl Iterator<Item = &Flow> {
        self.flows.iter().filter_map(|slot| slot.flow.as_deref())
    }

    /// The peer has not answered for too long. Linux says nothing to it, and neither do we.
    pub(super) fn give_up(&mut self, flow: &mut Flow) {
        if let (Owner::Listener(listener), TcpState::SynReceived) = (flow.owner, flow.state)
            && let Some(listener) = self.listeners.get_mut(listener)
        {
            listener.half_open_ends();
            self.orphan(flow);
        }
        tracing::debug!(target: "glassnet::tcp", flow = %flow.tuple, "timed out");
        self.fail(flow, flow.soft_error.unwrap_or(Errno::TimedOut));
    }

    pub(super) fn fail(&mut self, flow: &mut Flow, errno: Errno) {
        flow.error = Some(errno);
        self.set_state(flow, TcpState::Closed);
        self.retire(flow);
        self.wake(flow);
    }

    /// The application, or the listener, lets go of a connection.
    pub(super) fn orphan(&mut self, flow: &mut Flow) {
        debug_assert!(flow.owner != Owner::Nobody, "a flow is let go of once");
        flow.owner = Owner::Nobody;
        self.orphans += usize::from(!flow.detached);
    }

    /// The connection is over for the network: the tuple is free, the engine is left alone.
    pub(super) fn retire(&mut self, flow: &mut Flow) {
        if !flow.detached {
            flow.detached = true;
            self.orphans -= usize::from(flow.owner == Owner::Nobody);
            flow.deadline = None;
            flow.give_up_at = None;
            self.demux.remove(&flow.tuple);
            self.ports.connection_ends(flow.tuple.local_port, flow.options.reuse());
        }
    }

    pub(super) fn leave_time_wait_record(&mut self, now: u64, flow: &mut Flow) {
        self.expire_time_waits(now);
        let expires = now.saturating_add(nanos(self.options.time_wait));
        let (snd_nxt, rcv_nxt) = (flow.sequences.snd_max, flow.rcv_nxt());
        let (window, reuse, ip_fields) =
            (flow.window_to_repeat(), flow.options.reuse(), flow.ip_fields());
        let record = TimeWait { snd_nxt, rcv_nxt, window, reuse, ip_fields, expires };
        if self.time_waits.insert(flow.tuple, record) {
            self.ports.connection_begins(flow.tuple.local_port, reuse);
        }
        self.retire(flow);
        self.wake(flow);
    }

    /// Every change of a connection's state passes here.
    pub(super) fn set_state(&mut self, flow: &mut Flow, to: TcpState) {
        let from = flow.state;
        if from == to {
            return;
        }
        flow.state = to;
        flow.fin_received |= to.has_received_fin();
        tracing::trace!(target: "glassnet::tcp", flow = %flow.tuple, %from, %to, "state");
        self.io.outbox.change_state((from, to), || (flow.tuple.local(), flow.tuple.remote()));
    }

    pub(super) fn wake(&mut self, flow: &mut Flow) {
        if !flow.readers.is_empty() && flow.is_readable() {
            flow.readers.wake_all(&mut self.io.woken);
        }
        if !flow.writers.is_empty() && flow.is_writable() {
            flow.writers.wake_all(&mut self.io.woken);
        }
    }
}

/// The flow of a slot, for who holds other parts of the host besides.
pub(super) fn flow_at(slots: &mut [Slot], id: FlowId) -> Option<&mut Flow> {
    let slot = slots.get_mut(id.index as usize)?;
    if slot.generation == id.generation { slot.flow.as_deref_mut() } else { None }
}
