//! Connecting.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::stream::TcpStream;
use crate::host::TcpOptions;
use crate::net::NoteFailure;
use crate::net::host_handle::HostHandle;

/// A connection attempt. Dropping it abandons the attempt.
pub(super) struct Connecting(TcpStream);

impl Connecting {
    pub(super) fn begin(
        host: &Arc<HostHandle>,
        bound: Option<SocketAddr>,
        peer: SocketAddr,
        options: TcpOptions,
    ) -> io::Result<Connecting> {
        let peer = or_this_host(peer);
        let begun = host.call(|host, now| host.connect(now, bound, peer, options));
        let (flow, local) = begun.note_failure(|| format!("connect to {peer}"))?;
        Ok(Connecting(TcpStream::new(host.clone(), flow, local, peer)))
    }

    pub(super) async fn finish(self) -> io::Result<TcpStream> {
        poll_fn(|cx| self.0.poll_connected(cx)).await?;
        Ok(self.0)
    }
}

/// Linux takes 0.0.0.0 and :: for this host.
pub(crate) fn or_this_host(peer: SocketAddr) -> SocketAddr {
    let here: IpAddr = match peer.ip() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    if peer.ip().is_unspecified() { SocketAddr::new(here, peer.port()) } else { peer }
}
