//! What a host has open, as `ss -an` shows it.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;

use super::host::Host;
use super::info_line::InfoLine;
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

impl Netstat {
    /// Its TCP connections as `ss -tino` prints them: with timers, and a second line of what each
    /// tells of itself ([`TcpInfo`](crate::TcpInfo)). Listeners are not among them. Times are in
    /// milliseconds, rates in bits a second; what is 0 is left out.
    ///
    /// ```text
    /// State Recv-Q Send-Q Local Address:Port Peer Address:Port
    /// ESTAB 0      1448        10.0.0.2:49721    10.0.0.1:80   timer:(on,231ms,0)
    /// \t ts sack cubic wscale:7,7 rto:220 rtt:20/5 mss:1448 pmtu:1500 rcvmss:536 advmss:1448 cwnd:10 …
    /// ```
    pub fn details(&self) -> impl fmt::Display + '_ {
        Details(self)
    }
}

struct Details<'n>(&'n Netstat);

impl fmt::Display for Details<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_shown = |status: &&SocketStatus| {
            status.protocol == SocketProtocol::Tcp && status.state != TcpState::Listen
        };
        let shown: Vec<&SocketStatus> = self.0.iter().filter(is_shown).collect();
        // They are all of one kind.
        let cells = shown.iter().map(|status| {
            let mut cells = status.cells();
            cells[0].clear();
            cells
        });
        let rows: Vec<[String; 8]> = cells.collect();
        let mut titles = TITLES.map(str::to_owned);
        titles[0].clear();
        let widths = widths(&titles, &rows);
        write_row(formatter, &widths, &titles, "")?;
        for (row, status) in rows.iter().zip(shown) {
            formatter.write_str("\n")?;
            let timer = status.timer.map_or(String::new(), |timer| timer.to_string());
            write_row(formatter, &widths, row, &timer)?;
            if let (Some(info), control) = (&status.tcp_info, status.congestion_control) {
                write!(formatter, "\n\t {}", InfoLine { info, control })?;
            }
        }
        Ok(())
    }
}

fn widths(titles: &[String; 8], rows: &[[String; 8]]) -> [usize; 8] {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or(0)
    };
    std::array::from_fn(width)
}

const TITLES: [&str; 8] =
    ["Netid", "State", "Recv-Q", "Send-Q", "Local Address:", "Port", "Peer Address:", "Port"];

impl fmt::Display for Netstat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<[String; 8]> = self.0.iter().map(SocketStatus::cells).collect();
        let titles = TITLES.map(str::to_owned);
        let widths = widths(&titles, &rows);
        write_row(formatter, &widths, &titles, "")?;
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
    let netid_gap = if *netid > 0 { " " } else { "" };
    let row = format!(
        "{:<netid$}{netid_gap}{:<state$} {:<recv$} {:<send$} {:>local$}{:<local_port$} {:>remote$}{:<remote_port$} {timer}",
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
        tcp_info: None,
        congestion_control: None,
        is_dual_stack: socket.is_dual_stack(),
    }
}
