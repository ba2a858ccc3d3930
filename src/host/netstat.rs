//! What a host has open, as `ss -an` shows it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;

use super::host::Host;
use super::socket_status::{SocketEnd, SocketProtocol, SocketStatus};
use super::udp::{DatagramKind, DatagramSocket};
use crate::tcp::TcpState;

/// The sockets of a host at one moment: see [`Sim::netstat`](crate::Sim::netstat). It is a slice of
/// [`SocketStatus`].
///
/// `Display` prints the columns of `ss -an`, without that of processes; `{:#}` those of `ss -ano`,
/// which has the timers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Netstat(Vec<SocketStatus>);

impl Deref for Netstat {
    type Target = [SocketStatus];

    fn deref(&self) -> &[SocketStatus] {
        &self.0
    }
}

impl IntoIterator for Netstat {
    type Item = SocketStatus;
    type IntoIter = std::vec::IntoIter<SocketStatus>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Netstat {
    type Item = &'a SocketStatus;
    type IntoIter = std::slice::Iter<'a, SocketStatus>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

const TITLES: [&str; 8] =
    ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port"];

impl fmt::Display for Netstat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 8]> = self.0.iter().map(SocketStatus::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([TITLES[column].len()]).max().unwrap_or(0)
        };
        let widths: [usize; 8] = std::array::from_fn(width);
        write_row(formatter, &widths, &TITLES.map(str::to_owned), "")?;
        for (row, status) in rows.iter().zip(&self.0) {
            formatter.write_str("\n")?;
            let timer = status.timer.filter(|_| formatter.alternate());
            let timer = timer.map_or(String::new(), |timer| timer.to_string());
            write_row(formatter, &widths, row, &timer)?;
        }
        Ok(())
    }
}

/// As `ss` aligns its columns: the addresses to the right, and their ports next to them.
fn write_row(
    formatter: &mut fmt::Formatter<'_>,
    [netid, state, recv, send, local, local_port, remote, remote_port]: &[usize; 8],
    cells: &[String; 8],
    timer: &str,
) -> fmt::Result {
    let row = format!(
        "{:<netid$} {:<state$} {:<recv$} {:<send$} {:>local$}{:<local_port$} {:>remote$}{:<remote_port$} {timer}",
        cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6], cells[7],
    );
    formatter.write_str(row.trim_end())
}

impl Host {
    /// Where the sequence numbers of a connection begin: its host's own, and its peer's, if any
    /// was heard.
    pub(crate) fn initial_sequence_numbers(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<(u32, Option<u32>)> {
        self.tcp.initial_sequence_numbers(local, remote)
    }

    /// Its sockets, and what is in TIME-WAIT.
    pub(crate) fn netstat(&self, now: u64) -> Netstat {
        let mut sockets = self.unix.netstat();
        sockets.extend(self.udp().iter().map(datagram_socket));
        sockets.extend(self.tcp.netstat(now));
        sockets.sort_by_cached_key(SocketStatus::order);
        Netstat(sockets)
    }
}

fn datagram_socket(socket: &DatagramSocket) -> SocketStatus {
    let (local, remote) = (socket.shown_local(), socket.shown_remote());
    SocketStatus {
        protocol: match socket.kind {
            DatagramKind::Udp => SocketProtocol::Udp,
            DatagramKind::Ping if local.is_ipv4() => SocketProtocol::Icmp,
            DatagramKind::Ping => SocketProtocol::Icmp6,
            DatagramKind::Raw => SocketProtocol::Raw,
        },
        state: if remote.is_some() { TcpState::Established } else { TcpState::Closed },
        recv_queue: socket.waiting(),
        send_queue: socket.unsent,
        local: SocketEnd::Inet(local),
        remote: remote.map(SocketEnd::Inet),
        timer: None,
        is_dual_stack: socket.is_dual_stack(),
    }
}
