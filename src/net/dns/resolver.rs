//! A stub resolver: asks a host's DNS servers (RFC 1034, section 5.3.1).

use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use super::message::{Kind, PORT, Reply, query, read_reply};
use crate::host::DatagramKind;
use crate::net::attachment::attachment;
use crate::net::datagram::DatagramSocket;
use crate::net::names::{AddrInfoErrorKind, NameService};
use crate::net::tcp::Connection;
use crate::task::context::{self, Wait};
use crate::time::{Instant, timeout_at};

/// How many times each server is asked, and how long an answer may take: the `attempts` and the
/// `timeout` of resolv.conf(5).
const ATTEMPTS: u32 = 2;
const TIMEOUT: u64 = 5;
/// The longest datagram that is read: nobody was told of more than RFC 1035's 512 bytes.
const MAX_BYTES: usize = 1232;

struct Query {
    kind: Kind,
    id: u16,
    message: Vec<u8>,
    reply: Option<Reply>,
}

struct Server {
    address: SocketAddr,
    socket: Option<DatagramSocket>,
}

/// Asks the servers one after the other, and then again, until all is answered. Gives what was
/// answered, and an error if that is not all.
pub(super) async fn ask(
    names: &NameService,
    name: &str,
    kinds: &[Kind],
) -> io::Result<(Vec<Reply>, Option<io::Error>)> {
    let asking = pin!(ask_servers(names, name, kinds));
    noting(name, asking).await
}

async fn ask_servers(
    names: &NameService,
    name: &str,
    kinds: &[Kind],
) -> io::Result<(Vec<Reply>, Option<io::Error>)> {
    let mut queries = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let id = names.next_id();
        let no_name = || AddrInfoErrorKind::NoName.about(format!("{name:?}"));
        let message = query(id, name, *kind).ok_or_else(no_name)?;
        queries.push(Query { kind: *kind, id, message, reply: None });
    }
    let addresses = names.names().nameservers().into_iter();
    let mut servers: Vec<Server> =
        addresses.map(|ip| Server { address: (ip, PORT).into(), socket: None }).collect();
    let count = servers.len() as u64;
    let mut failure = None;
    'asking: for _ in 0..ATTEMPTS {
        for (server, place) in servers.iter_mut().zip(0..) {
            if let Err(error) = ask_one(server, name, &mut queries, patience(place, count)).await {
                // As good as silence; the next one is asked at once.
                failure = Some((server.address.ip(), error));
            }
            if queries.iter().all(|query| query.reply.is_some()) {
                break 'asking;
            }
        }
    }
    let is_answered = queries.iter().all(|query| query.reply.is_some());
    let replies = queries.into_iter().filter_map(|query| query.reply).collect();
    let unanswered = (!is_answered).then(|| {
        AddrInfoErrorKind::Again.about(match failure {
            Some((server, error)) => format!("{name:?}: DNS server {server}: {error}"),
            None => format!("{name:?}: no DNS server answers"),
        })
    });
    Ok((replies, unanswered))
}

/// How long the server at a place of the list is waited for: as in glibc, the later ones share
/// twice the time, and four times, among all.
fn patience(place: u32, count: u64) -> Duration {
    let seconds = TIMEOUT << place;
    Duration::from_secs(if place == 0 { seconds } else { (seconds / count).max(1) })
}

/// Asks one server what is not answered yet, and waits until it has answered everything, or
/// declined to.
async fn ask_one(
    server: &mut Server,
    name: &str,
    queries: &mut [Query],
    patience: Duration,
) -> io::Result<()> {
    let socket = match &server.socket {
        Some(socket) => socket,
        None => server.socket.insert(socket_to(server.address)?),
    };
    let deadline = Instant::now() + patience;
    let mut waiting = 0;
    for query in queries.iter().filter(|query| query.reply.is_none()) {
        poll_fn(|cx| socket.poll_send(&query.message, None, Some(cx.waker()))).await?;
        waiting += 1;
    }
    let mut refused = Vec::new();
    let mut buffer = [0; MAX_BYTES];
    while waiting > 0 {
        let receiving = poll_fn(|cx| socket.poll_recv(&mut buffer, false, Some(cx.waker())));
        let Ok(received) = timeout_at(deadline, receiving).await else { break };
        let message = &buffer[..received?.0];
        let mut open = queries.iter_mut().filter(|query| query.reply.is_none());
        let Some((query, reply)) = open.find_map(|query| {
            let reply = read_reply(message, query.id, name, query.kind)?;
            Some((query, reply))
        }) else {
            // Another's, or forged.
            continue;
        };
        match reply {
            Reply::Refused if refused.contains(&query.id) => continue,
            Reply::Refused => refused.push(query.id),
            Reply::Truncated => {
                let deadline = Instant::now() + patience;
                let asking = ask_over_tcp(server.address, name, query);
                if let Ok(Ok(reply)) = timeout_at(deadline, asking).await {
                    query.reply = Some(reply);
                }
            }
            reply => query.reply = Some(reply),
        }
        waiting -= 1;
    }
    Ok(())
}

/// A socket from an unpredictable port, which receives from the server alone.
fn socket_to(server: SocketAddr) -> io::Result<DatagramSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = DatagramSocket::new(DatagramKind::Udp, server.is_ipv6())?;
    socket.bind(SocketAddr::new(any, 0))?;
    socket.connect(Some(server))?;
    Ok(socket)
}

/// Messages over TCP have their length in front (RFC 1035, section 4.2.2).
async fn ask_over_tcp(server: SocketAddr, name: &str, query: &Query) -> io::Result<Reply> {
    let connection = Connection::connect(&attachment()?.host, server).await?;
    let len = query.message.len() as u16;
    connection.send_all(&[&len.to_be_bytes()[..], &query.message].concat()).await?;
    let mut len = [0; 2];
    connection.receive_exact(&mut len).await?;
    let mut message = vec![0; u16::from_be_bytes(len).into()];
    connection.receive_exact(&mut message).await?;
    match read_reply(&message, query.id, name, query.kind) {
        None | Some(Reply::Truncated | Reply::Refused) => Err(io::ErrorKind::InvalidData.into()),
        Some(reply) => Ok(reply),
    }
}

/// Notes for reports which name a task waits for.
async fn noting<F: Future + Unpin>(name: &str, mut future: F) -> F::Output {
    poll_fn(|cx| {
        let polled = pin!(&mut future).poll(cx);
        if polled.is_pending() {
            context::waits_for(Wait::Lookup { name: name.to_owned() });
        }
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_waited_for_as_glibc_does() {
        let seconds = |place, count| patience(place, count).as_secs();
        assert_eq!(seconds(0, 1), 5);
        assert_eq!((seconds(0, 2), seconds(1, 2)), (5, 5));
        assert_eq!((seconds(0, 3), seconds(1, 3), seconds(2, 3)), (5, 3, 6));
    }
}
