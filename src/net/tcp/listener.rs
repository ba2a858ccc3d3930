//! A socket that accepts connections.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::socket::TcpSocket;
use super::stream::TcpStream;
use crate::host::{HostHandle, ListenerId, TcpOptions};
use crate::net::addr::resolve;
use crate::net::{NoteFailure, ToSocketAddrs};
use crate::task::budget;
use crate::task::context::{self, Wait};

/// A TCP socket that listens, with the methods of `tokio::net::TcpListener`.
///
/// Dropping it resets the connections that nobody accepted.
pub struct TcpListener {
    host: Arc<HostHandle>,
    id: ListenerId,
    local: SocketAddr,
}

/// What tokio's `bind` takes.
const BACKLOG: u32 = 1024;

impl TcpListener {
    /// Listens on `addr` of the calling task's host, with a backlog of 1024. Port 0 takes an
    /// ephemeral port (49152 to 65535). Use [`TcpSocket`] for another backlog.
    ///
    /// # Errors
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when another socket listens there,
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable) for an address of another host, and
    /// what [`ToSocketAddrs`] says.
    pub async fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        resolve(&addr).await?.try_each(listen_on)
    }

    pub(super) fn new(host: Arc<HostHandle>, id: ListenerId, local: SocketAddr) -> TcpListener {
        TcpListener { host, id, local }
    }

    /// Waits for a connection, and returns it with the peer's address. Dropping the future loses
    /// no connection.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the host has crashed.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Polls for a connection. Unlike tokio's, every task that polls is remembered.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let waker = Some(cx.waker());
        let accept = || self.host.look_mut(|host| host.poll_accept(self.id, waker));
        let polled = budget::charge(waker, accept, |accepted| accepted.is_err());
        if polled.is_pending() {
            context::waits_for(Wait::Accept { on: self.local });
        }
        polled.note_failure(|| format!("accept on {}", self.local)).map_ok(|accepted| {
            let stream =
                TcpStream::new(self.host.clone(), accepted.flow, accepted.local, accepted.remote);
            (stream, accepted.remote)
        })
    }

    /// `IP_TTL`: the time to live in the IPv4 packets of the connections it accepts.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) when the host has crashed.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.options()?.ttl().into())
    }

    /// Sets [`TcpListener::ttl`], which is 64 by default. Connections that have begun keep theirs.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for what is not within 1 to 255, and when
    /// the host has crashed.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.change(|options| options.set_ttl(ttl))
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// None; the signature is tokio's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }

    pub(super) fn options(&self) -> io::Result<TcpOptions> {
        self.host.look_mut(|host| host.listener_options(self.id))
    }

    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut TcpOptions) -> io::Result<()>,
    ) -> io::Result<()> {
        let changed = self.host.call(|host, _| host.change_listener_options(self.id, change));
        changed.note_failure(|| format!("setsockopt on {}", self.local))
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As tokio, and std on Unix, do.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Drop for TcpListener {
    fn drop(&mut self) {
        self.host.call(|host, now| host.close_listener(now, self.id));
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TcpListener").field("addr", &self.local).finish()
    }
}
