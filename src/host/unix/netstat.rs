//! The sockets of `AF_UNIX`, as `ss -x` shows them.

use super::Unix;
use super::id::{UnixId, UnixKind};
use super::names::UnixName;
use super::table::{Inbox, Peer, Socket};
use crate::host::socket_status::{SocketEnd, SocketProtocol, SocketStatus};
use crate::tcp::TcpState;

impl Unix {
    pub(in crate::host) fn netstat(&self) -> Vec<SocketStatus> {
        self.sockets.iter().map(|(id, socket)| self.status(id, socket)).collect()
    }

    fn status(&self, id: UnixId, socket: &Socket) -> SocketStatus {
        let peer = socket.peer.as_ref();
        SocketStatus {
            protocol: match socket.kind {
                UnixKind::Stream => SocketProtocol::UnixStream,
                UnixKind::Datagram => SocketProtocol::UnixDatagram,
            },
            state: match peer {
                _ if socket.listens() => TcpState::Listen,
                Some(_) => TcpState::Established,
                None => TcpState::Closed,
            },
            recv_queue: match &socket.inbox {
                Inbox::Bytes(bytes) => bytes.len(),
                Inbox::Datagrams(queue) => queue.iter().map(|datagram| datagram.data.len()).sum(),
                Inbox::Connections { queue, .. } => queue.len(),
            },
            send_queue: match &socket.inbox {
                Inbox::Bytes(_) => peer.map_or(0, |peer| self.bytes_before(peer)),
                Inbox::Datagrams(_) => socket.in_flight,
                Inbox::Connections { backlog, .. } => *backlog,
            },
            local: end(id, socket.name.as_ref()),
            remote: peer.map(|peer| end(peer.id, peer.name.as_ref())),
            timer: None,
            tcp_info: None,
            congestion_control: None,
            is_dual_stack: false,
        }
    }

    /// What a stream's peer has not read.
    fn bytes_before(&self, peer: &Peer) -> usize {
        match self.sockets.get(peer.id) {
            Some(Socket { inbox: Inbox::Bytes(bytes), .. }) => bytes.len(),
            _ => 0,
        }
    }
}

fn end(id: UnixId, name: Option<&UnixName>) -> SocketEnd {
    SocketEnd::Unix { name: name.map(UnixName::to_string), inode: id.inode() }
}
