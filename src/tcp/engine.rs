//! The engines behind their boundary.

use super::boundary::{Arrival, Env, Handshake, Out, Status, Timer, Written};
use super::glassnet::GlassnetEngine;
use super::info::TcpInfo;
use super::options::{TcpEngine, TcpOptions};
use super::shared::Shared;
use super::smoltcp::{SmoltcpEngine, SocketBuffers};
use super::state::TcpState;
use crate::clock::When;
use crate::error::Errno;
use crate::wire::tcp::{FourTuple, Segment, Seq};

/// What speaks TCP for one connection.
#[expect(clippy::large_enum_variant, reason = "a connection is boxed, whichever speaks for it")]
pub(crate) enum Engine {
    Smoltcp(SmoltcpEngine),
    Glassnet(GlassnetEngine),
}

/// Tells the compiler to lay out what follows away from what our own engine runs: the code of a
/// message is larger than what a processor's first cache of instructions holds.
#[cold]
#[inline]
fn elsewhere() {}

impl Engine {
    /// One that begins a connection, with an initial sequence number after `after` if there is
    /// one: where the peer is in TIME-WAIT, only such a SYN begins another (RFC 9293 3.6.1).
    /// `None` for ends that cannot be connected.
    pub(crate) fn connect(
        now: u64,
        shared: &mut Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
        after: Option<Seq>,
    ) -> Option<Engine> {
        match shared.limits.engine {
            TcpEngine::Smoltcp => {
                SmoltcpEngine::connect(now, shared, tuple, options, buffers, after)
                    .map(Engine::Smoltcp)
            }
            TcpEngine::Glassnet => {
                let Shared { glassnet, limits, .. } = shared;
                let engine = GlassnetEngine::connect(now, glassnet, limits, &tuple, options, after);
                Some(Engine::Glassnet(engine))
            }
        }
    }

    /// One that waits for a SYN from the other end of `tuple`, and for no other.
    pub(crate) fn listen(
        now: u64,
        shared: &Shared,
        tuple: FourTuple,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
    ) -> Engine {
        match shared.limits.engine {
            TcpEngine::Smoltcp => {
                Engine::Smoltcp(SmoltcpEngine::listen(now, shared, tuple, options, buffers))
            }
            TcpEngine::Glassnet => {
                let Shared { glassnet, limits, .. } = shared;
                let engine = GlassnetEngine::listen(now, glassnet, limits, &tuple, options);
                Engine::Glassnet(engine)
            }
        }
    }

    /// One that is in SYN-RECEIVED: it takes over a handshake that was kept without an engine. Nobody
    /// is told of what led there.
    pub(crate) fn resume(
        shared: &mut Shared,
        handshake: &Handshake,
        options: &TcpOptions,
        buffers: Option<SocketBuffers>,
        out: &mut impl Out,
    ) -> Engine {
        match shared.limits.engine {
            TcpEngine::Smoltcp => {
                let engine = SmoltcpEngine::resume(shared, handshake, options, buffers, out);
                Engine::Smoltcp(engine)
            }
            TcpEngine::Glassnet => {
                let Shared { glassnet, limits, .. } = shared;
                let tuple = out.tuple();
                let engine = GlassnetEngine::resume(glassnet, limits, tuple, handshake, options);
                Engine::Glassnet(engine)
            }
        }
    }

    /// Gives what its buffers are made of back to its host; false where they are smoltcp's, which
    /// [`Engine::into_buffers`] gives.
    #[inline]
    pub(crate) fn release(&mut self, shared: &mut Shared) -> bool {
        match self {
            Engine::Glassnet(engine) => {
                engine.release(&mut shared.glassnet);
                true
            }
            Engine::Smoltcp(_) => false,
        }
    }

    /// Smoltcp's buffers, to be used again.
    #[inline(never)]
    pub(crate) fn into_buffers(self) -> Option<SocketBuffers> {
        match self {
            Engine::Smoltcp(engine) => Some(engine.into_buffers()),
            Engine::Glassnet(_) => None,
        }
    }

    // ---- Segments and time ------------------------------------------------------------------

    /// Takes in a segment from the other end. What it answers leaves with [`Engine::answer`].
    #[inline]
    pub(crate) fn on_segment(
        &mut self,
        env: &mut Env<'_, impl Out>,
        segment: &Segment,
        packet: &[u8],
    ) -> Arrival {
        match self {
            Engine::Glassnet(engine) => engine.on_segment(env, segment, packet),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.on_segment(env, segment, packet)
            }
        }
    }

    /// Sends what a segment is answered with at once.
    #[inline]
    pub(crate) fn answer(&mut self, env: &mut Env<'_, impl Out>) {
        match self {
            Engine::Glassnet(engine) => engine.answer(env),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.answer(env)
            }
        }
    }

    /// Whether the rest of a burst may arrive before it transmits. One ACK may stand for
    /// `stretch` bytes of it.
    pub(crate) fn can_wait_for_the_rest(&self, segment: &Segment, stretch: u32) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.can_wait_for_the_rest(segment, stretch),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.can_wait_for_the_rest(segment, stretch)
            }
        }
    }

    /// Does what its timers ask for, if one is due.
    #[inline]
    pub(crate) fn on_deadline(&mut self, env: &mut Env<'_, impl Out>) {
        match self {
            Engine::Glassnet(engine) => engine.on_deadline(env),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.on_deadline(env)
            }
        }
    }

    /// Sends what there is to send and may leave.
    #[inline]
    pub(crate) fn transmit(&mut self, env: &mut Env<'_, impl Out>) {
        match self {
            Engine::Glassnet(engine) => engine.transmit(env),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.transmit(env)
            }
        }
    }

    /// When it wants [`Engine::on_deadline`], as of the last [`Engine::transmit`].
    #[inline]
    pub(crate) fn deadline(&self) -> When {
        match self {
            Engine::Glassnet(engine) => engine.deadline(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.deadline()
            }
        }
    }

    // ---- The application's calls ------------------------------------------------------------

    /// Takes bytes to be sent, as many as there is room for; `None` when nothing can be written.
    #[inline]
    pub(crate) fn write<'b>(
        &mut self,
        shared: &mut Shared,
        buffers: impl Iterator<Item = &'b [u8]>,
    ) -> Option<Written> {
        match self {
            Engine::Glassnet(engine) => engine.write(&mut shared.glassnet, buffers),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.write(buffers)
            }
        }
    }

    /// Whether a write that was taken waits for the peer, so that no timer changes either.
    pub(crate) fn waits_for_the_peer(&self, now: u64, shared: &mut Shared) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.waits_for_the_peer(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.waits_for_the_peer(now, shared)
            }
        }
    }

    /// Moves received bytes to `buffer`; `None` when there are none and none can come.
    #[inline]
    pub(crate) fn read(&mut self, shared: &mut Shared, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Engine::Glassnet(engine) => engine.read(&mut shared.glassnet, buffer),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.read(buffer)
            }
        }
    }

    /// As [`Engine::read`], and leaves them there.
    pub(crate) fn peek(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Engine::Smoltcp(engine) => engine.peek(buffer),
            Engine::Glassnet(engine) => engine.peek(buffer),
        }
    }

    /// Nothing more will be written: a FIN follows what was.
    pub(crate) fn close(&mut self, env: &mut Env<'_, impl Out>) {
        match self {
            Engine::Smoltcp(engine) => engine.close(env),
            Engine::Glassnet(engine) => engine.close(env),
        }
    }

    /// Ends the connection at once, with a RST for the peer in the next [`Engine::transmit`].
    pub(crate) fn abort(&mut self, out: &mut impl Out) {
        match self {
            Engine::Smoltcp(engine) => engine.abort(out),
            Engine::Glassnet(engine) => engine.abort(out),
        }
    }

    /// The same when what was written, and may leave, has left.
    pub(crate) fn abort_after_sending(&mut self) {
        match self {
            Engine::Smoltcp(engine) => engine.abort_after_sending(),
            Engine::Glassnet(engine) => engine.abort_after_sending(),
        }
    }

    /// A router, or this host, says that the segment with number `seq`, where it is known, was not
    /// delivered. An attempt to connect fails; what is established goes on trying, and says so only
    /// if it gives up (RFC 1122 4.2.3.9, RFC 5927 5.2).
    pub(crate) fn on_unreachable(&mut self, out: &mut impl Out, seq: Option<Seq>, errno: Errno) {
        match self {
            Engine::Smoltcp(engine) => engine.on_unreachable(out, seq, errno),
            Engine::Glassnet(engine) => engine.on_unreachable(out, seq, errno),
        }
    }

    /// Ends the connection without a word. What was received can still be read.
    pub(crate) fn end(&mut self, out: &mut impl Out) {
        match self {
            Engine::Smoltcp(engine) => engine.end(out),
            Engine::Glassnet(engine) => engine.end(out),
        }
    }

    /// The application lets go of it. What was written is delivered, but tried less long, and once
    /// it is closed it does not wait in FIN-WAIT-2 for ever.
    pub(crate) fn orphan(&mut self) {
        match self {
            Engine::Smoltcp(engine) => engine.orphan(),
            Engine::Glassnet(engine) => engine.orphan(),
        }
    }

    pub(crate) fn options(&self) -> &TcpOptions {
        match self {
            Engine::Glassnet(engine) => engine.options(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.options()
            }
        }
    }

    /// Changes the options; sizes of buffers stay as they are.
    pub(crate) fn set_options(&mut self, now: u64, shared: &Shared, options: TcpOptions) {
        match self {
            Engine::Smoltcp(engine) => engine.set_options(now, options),
            Engine::Glassnet(engine) => engine.set_options(now, &shared.limits, options),
        }
    }

    /// Largest IP packet that reaches the peer, as far as is known; it only gets smaller.
    pub(crate) fn set_path_mtu(&mut self, shared: &Shared, mtu: usize) {
        match self {
            Engine::Smoltcp(engine) => engine.set_path_mtu(mtu),
            Engine::Glassnet(engine) => engine.set_path_mtu(&shared.limits, mtu),
        }
    }

    /// A router has dropped a segment that was larger than the path MTU, which was lowered for it:
    /// what is in flight is sent again, in smaller segments, by the next [`Engine::transmit`].
    pub(crate) fn on_too_big(&mut self, env: &mut Env<'_, impl Out>) {
        match self {
            Engine::Smoltcp(engine) => engine.on_too_big(env),
            Engine::Glassnet(engine) => engine.on_too_big(),
        }
    }

    // ---- What it knows ----------------------------------------------------------------------

    #[inline]
    pub(crate) fn state(&self) -> TcpState {
        match self {
            Engine::Glassnet(engine) => engine.state(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.state()
            }
        }
    }

    /// The connection is over for the network: it neither sends nor receives any more, or has
    /// only TIME-WAIT left, which is the host's.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.is_over(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.is_over()
            }
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Engine::Smoltcp(engine) => engine.status(),
            Engine::Glassnet(engine) => engine.status(),
        }
    }

    /// What `getsockopt(TCP_INFO)` tells.
    pub(crate) fn info(&self, now: u64, shared: &Shared) -> TcpInfo {
        match self {
            Engine::Smoltcp(engine) => engine.info(now, &shared.limits),
            Engine::Glassnet(engine) => engine.info(now, &shared.limits),
        }
    }

    /// The timer that `ss -o` would show, if it is known.
    pub(crate) fn timer(&self) -> Option<Timer> {
        match self {
            Engine::Smoltcp(engine) => engine.timer(),
            Engine::Glassnet(engine) => engine.known_timer(),
        }
    }

    /// Why it ended, if that is an error and was not taken before.
    #[inline]
    pub(crate) fn take_error(&mut self) -> Option<Errno> {
        match self {
            Engine::Glassnet(engine) => engine.take_error(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.take_error()
            }
        }
    }

    /// The peer's FIN has arrived, in order.
    #[inline]
    pub(crate) fn has_received_fin(&self) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.has_received_fin(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.has_received_fin()
            }
        }
    }

    /// Our FIN has left.
    pub(crate) fn has_sent_fin(&self) -> bool {
        match self {
            Engine::Smoltcp(engine) => engine.has_sent_fin(),
            Engine::Glassnet(engine) => engine.has_sent_fin(),
        }
    }

    /// The receive window has grown so much that the peer is to be told.
    #[inline]
    pub(crate) fn owes_window_update(&mut self) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.owes_window_update(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.owes_window_update()
            }
        }
    }

    /// Bytes written that are not acknowledged.
    #[inline]
    pub(crate) fn send_queue(&self) -> u32 {
        match self {
            Engine::Glassnet(engine) => engine.send_queue(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.send_queue()
            }
        }
    }

    /// Bytes received that are not read.
    #[inline]
    pub(crate) fn recv_queue(&self) -> u32 {
        match self {
            Engine::Glassnet(engine) => engine.recv_queue(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.recv_queue()
            }
        }
    }

    /// Nothing that is written will leave any more.
    pub(crate) fn is_closed_for_writing(&self) -> bool {
        match self {
            Engine::Glassnet(engine) => engine.is_closed_for_writing(),
            Engine::Smoltcp(engine) => {
                elsewhere();
                engine.is_closed_for_writing()
            }
        }
    }
}
