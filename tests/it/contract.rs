//! The contract of the BSD calls: what each gives, row by row, with Linux's numbers.
//!
//! The rows were observed on Linux 6.18. Those about TCP on the wire are in `host`.

use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};

use crate::common::{
    self, EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EINVAL, ENETUNREACH,
    EPIPE, Log, alone, errno, ms, now, secs,
};
use glassnet::net::socket::{Domain, Protocol, SockAddr, Socket, Type};
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};

const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const ENOENT: i32 = 2;
const EDESTADDRREQ: i32 = 89;
const EMSGSIZE: i32 = 90;
const EPROTOTYPE: i32 = 91;
const EPROTONOSUPPORT: i32 = 93;
const ESOCKTNOSUPPORT: i32 = 94;
const EOPNOTSUPP: i32 = 95;
const EAFNOSUPPORT: i32 = 97;
const EISCONN: i32 = 106;
const ENOTCONN: i32 = 107;
const EALREADY: i32 = 114;
const EINPROGRESS: i32 = 115;

fn tcp() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
}

fn udp() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))
}

fn addr(text: &str) -> SockAddr {
    text.parse::<SocketAddr>().expect("an address").into()
}

/// A listener on a port of this host.
fn listening(port: u16, backlog: i32) -> std::io::Result<Socket> {
    let socket = tcp()?;
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], port)).into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// Two ends of a connection of one host: the one that connected, and the one that accepted.
async fn connected() -> std::io::Result<(Socket, Socket)> {
    let listener = listening(0, 1)?;
    let client = tcp()?;
    let to = listener.local_addr()?.as_socket().expect("an address");
    client.connect(&SocketAddr::from(([127, 0, 0, 1], to.port())).into()).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

// ---- socket -------------------------------------------------------------------------------------

#[test]
fn a_socket_is_of_a_domain_a_type_and_a_protocol_that_fit() -> glassnet::Result {
    alone(async {
        let (ipv4, ipv6, unix) = (Domain::IPV4, Domain::IPV6, Domain::UNIX);
        let (stream, dgram, raw) = (Type::STREAM, Type::DGRAM, Type::RAW);
        for (domain, kind) in
            [(ipv4, stream), (ipv4, dgram), (ipv6, stream), (ipv6, dgram), (unix, stream)]
        {
            let socket = Socket::new(domain, kind, None)?;
            assert_eq!((socket.domain()?, socket.r#type()?), (domain, kind));
        }
        Socket::new(ipv4, raw, Some(Protocol::ICMPV4))?;
        Socket::new(ipv6, raw, Some(Protocol::ICMPV6))?;
        let new = |domain, kind, protocol| errno(Socket::new(domain, kind, protocol));
        assert_eq!(new(ipv4, stream, Some(Protocol::UDP)), Some(EPROTONOSUPPORT));
        assert_eq!(new(ipv4, dgram, Some(Protocol::TCP)), Some(EPROTONOSUPPORT));
        assert_eq!(new(ipv4, raw, None), Some(EPROTONOSUPPORT));
        assert_eq!(new(ipv4, raw, Some(Protocol::ICMPV6)), Some(EPROTONOSUPPORT));
        assert_eq!(new(unix, stream, Some(Protocol::TCP)), Some(EPROTONOSUPPORT));
        assert_eq!(new(unix, raw, None), Some(ESOCKTNOSUPPORT));
        assert_eq!(errno(Socket::pair(ipv4, stream, None)), Some(EOPNOTSUPP));
        Ok(())
    })
}

// ---- connect ------------------------------------------------------------------------------------

#[test]
fn connect_to_a_closed_port_or_port_0_is_refused() -> glassnet::Result {
    alone(async {
        for to in ["127.0.0.1:9", "127.0.0.1:0", "10.0.0.1:9", "0.0.0.0:9"] {
            let error = tcp()?.connect(&addr(to)).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(ECONNREFUSED), "{to}");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        }
        Ok(())
    })
}

#[test]
fn connect_to_a_silent_host_is_unreachable_or_times_out_before() -> glassnet::Result {
    alone(async {
        let began = now();
        assert_eq!(errno(tcp()?.connect(&addr("10.0.0.9:80")).await), Some(EHOSTUNREACH));
        assert_eq!(now() - began, secs(3));
        let error = tcp()?.connect_timeout(&addr("10.0.0.9:80"), ms(300)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        let error = tcp()?.connect_timeout(&addr("10.0.0.9:80"), ms(0)).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        Ok(())
    })
}

#[test]
fn connect_without_a_route_says_so() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(tcp()?.connect(&addr("192.0.2.1:80")).await), Some(ENETUNREACH));
        Ok(())
    })
}

#[test]
fn connect_twice_or_on_a_listener_is_refused() -> glassnet::Result {
    alone(async {
        let listener = listening(80, 5)?;
        let client = tcp()?;
        client.connect(&addr("127.0.0.1:80")).await?;
        assert_eq!(errno(client.connect(&addr("127.0.0.1:80")).await), Some(EISCONN));
        assert_eq!(errno(listener.connect(&addr("127.0.0.1:80")).await), Some(EISCONN));
        Ok(())
    })
}

#[test]
fn a_socket_speaks_to_its_own_domain_only() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(tcp()?.connect(&addr("[::1]:80")).await), Some(EAFNOSUPPORT));
        assert_eq!(errno(tcp()?.bind(&SockAddr::unix("/a")?)), Some(EAFNOSUPPORT));
        let unix = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        assert_eq!(errno(unix.connect(&addr("127.0.0.1:80")).await), Some(EINVAL));
        Ok(())
    })
}

#[test]
fn a_nonblocking_connect_is_in_progress_and_then_tells_how_it_went() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let _listener = listening(80, 5)?;
        std::future::pending().await
    });
    sim.client("client", async {
        let refused = tcp()?;
        refused.set_nonblocking(true)?;
        assert_eq!(errno(refused.connect(&addr("10.0.0.1:9")).await), Some(EINPROGRESS));
        assert_eq!(errno(refused.connect(&addr("10.0.0.1:9")).await), Some(EALREADY));
        sleep(ms(10)).await;
        let error = refused.take_error()?.expect("SO_ERROR");
        assert_eq!(error.raw_os_error(), Some(ECONNREFUSED));
        assert!(refused.take_error()?.is_none(), "told once");

        let client = tcp()?;
        client.set_nonblocking(true)?;
        assert_eq!(errno(client.connect(&addr("10.0.0.1:80")).await), Some(EINPROGRESS));
        sleep(ms(10)).await;
        assert!(client.take_error()?.is_none());
        client.connect(&addr("10.0.0.1:80")).await?;
        assert_eq!(errno(client.connect(&addr("10.0.0.1:80")).await), Some(EISCONN));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_socket_that_was_refused_may_try_again() -> glassnet::Result {
    alone(async {
        let client = tcp()?;
        assert_eq!(errno(client.connect(&addr("127.0.0.1:80")).await), Some(ECONNREFUSED));
        let _listener = listening(80, 5)?;
        client.connect(&addr("127.0.0.1:80")).await?;
        Ok(())
    })
}

#[test]
fn a_socket_connects_to_itself_and_hears_its_echo() -> glassnet::Result {
    alone(async {
        let socket = tcp()?;
        socket.bind(&addr("127.0.0.1:4000"))?;
        socket.connect(&addr("127.0.0.1:4000")).await?;
        socket.send(b"hello").await?;
        let mut hello = [0; 9];
        assert_eq!(socket.recv(&mut hello).await?, 5);
        assert_eq!(&hello[..5], b"hello");
        Ok(())
    })
}

// ---- bind ---------------------------------------------------------------------------------------

#[test]
fn bind_to_what_another_holds_is_refused() -> glassnet::Result {
    alone(async {
        let first = tcp()?;
        first.bind(&addr("0.0.0.0:80"))?;
        assert_eq!(errno(tcp()?.bind(&addr("0.0.0.0:80"))), Some(EADDRINUSE));
        assert_eq!(errno(tcp()?.bind(&addr("127.0.0.1:80"))), Some(EADDRINUSE));
        first.listen(1)?;
        let reusing = tcp()?;
        reusing.set_reuse_address(true)?;
        assert_eq!(errno(reusing.bind(&addr("0.0.0.0:80"))), Some(EADDRINUSE));
        // TCP's and UDP's ports are different ones.
        udp()?.bind(&addr("0.0.0.0:80"))?;
        Ok(())
    })
}

#[test]
fn bind_to_a_foreign_address_or_twice_is_refused() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(tcp()?.bind(&addr("10.0.0.9:80"))), Some(EADDRNOTAVAIL));
        assert_eq!(errno(udp()?.bind(&addr("10.0.0.9:80"))), Some(EADDRNOTAVAIL));
        for socket in [tcp()?, udp()?] {
            socket.bind(&addr("127.0.0.1:80"))?;
            assert_eq!(errno(socket.bind(&addr("127.0.0.1:81"))), Some(EINVAL));
        }
        Ok(())
    })
}

#[test]
fn a_port_in_time_wait_is_bound_again_only_when_both_sockets_reuse() -> glassnet::Result {
    for (old, new) in [(false, false), (true, false), (false, true), (true, true)] {
        alone(async move {
            let listener = tcp()?;
            listener.set_reuse_address(old)?;
            listener.bind(&addr("127.0.0.1:80"))?;
            listener.listen(1)?;
            let client = tcp()?;
            client.connect(&addr("127.0.0.1:80")).await?;
            let (server, _) = listener.accept().await?;
            // The server's side closes first, and is the one in TIME-WAIT.
            drop(server);
            client.recv(&mut [0; 1]).await?;
            drop((client, listener));
            sleep(ms(10)).await;
            let again = tcp()?;
            again.set_reuse_address(new)?;
            let expected = if old && new { None } else { Some(EADDRINUSE) };
            assert_eq!(errno(again.bind(&addr("127.0.0.1:80"))), expected, "{old} {new}");
            Ok(())
        })?;
    }
    Ok(())
}

// ---- listen and accept --------------------------------------------------------------------------

#[test]
fn listen_binds_by_itself_may_be_repeated_and_wants_a_stream() -> glassnet::Result {
    alone(async {
        let socket = tcp()?;
        socket.listen(1)?;
        assert_ne!(socket.local_addr()?.as_socket().map(|local| local.port()), Some(0));
        socket.listen(9)?;
        let (client, _server) = connected().await?;
        assert_eq!(errno(client.listen(1)), Some(EINVAL));
        assert_eq!(errno(udp()?.listen(1)), Some(EOPNOTSUPP));
        Ok(())
    })
}

#[test]
fn a_backlog_of_n_lets_n_plus_1_connections_complete() -> glassnet::Result {
    for (backlog, most) in [(0, 1), (3, 4)] {
        let completed = Log::new();
        let mut sim = Sim::new(1);
        sim.host("server", move || async move {
            let _listener = listening(80, backlog)?;
            std::future::pending().await
        });
        let ours = completed.clone();
        sim.client("client", async move {
            for number in 0..8 {
                let ours = ours.clone();
                spawn(async move {
                    let Ok(socket) = tcp() else { return };
                    if socket.connect(&addr("10.0.0.1:80")).await.is_ok() {
                        ours.note(number);
                    }
                    common::for_ever().await;
                });
                sleep(ms(10)).await;
            }
            Ok(())
        });
        sim.run()?;
        assert_eq!(completed.len(), most, "backlog {backlog}");
    }
    Ok(())
}

#[test]
fn a_second_listen_changes_the_backlog() -> glassnet::Result {
    alone(async {
        let listener = listening(80, 0)?;
        let first = tcp()?;
        first.connect(&addr("127.0.0.1:80")).await?;
        let second = tcp()?;
        assert!(timeout(secs(2), second.connect(&addr("127.0.0.1:80"))).await.is_err());
        listener.listen(5)?;
        let third = tcp()?;
        third.connect(&addr("127.0.0.1:80")).await?;
        Ok(())
    })
}

#[test]
fn accept_wants_a_listener_that_still_listens() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(tcp()?.accept().await), Some(EINVAL));
        assert_eq!(errno(udp()?.accept().await), Some(EOPNOTSUPP));
        let listener = std::rc::Rc::new(listening(80, 1)?);
        listener.set_nonblocking(true)?;
        assert_eq!(errno(listener.accept().await), Some(EAGAIN));
        listener.set_nonblocking(false)?;
        let ours = listener.clone();
        let waiting = spawn(async move { errno(ours.accept().await) });
        sleep(ms(1)).await;
        listener.shutdown(Shutdown::Both)?;
        assert_eq!(waiting.await?, Some(EINVAL));
        Ok(())
    })
}

#[test]
fn a_connection_that_was_reset_before_it_was_accepted_is_accepted() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = listening(80, 5)?;
        sleep(ms(50)).await;
        let (socket, peer) = listener.accept().await?;
        assert_eq!(peer.as_socket().map(|peer| peer.ip()), Some([10, 0, 0, 2].into()));
        assert_eq!(errno(socket.recv(&mut [0; 1]).await), Some(ECONNRESET));
        Ok(())
    });
    sim.client("client", async {
        let socket = tcp()?;
        socket.set_linger(Some(secs(0)))?;
        socket.connect(&addr("10.0.0.1:80")).await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn a_listener_that_is_closed_resets_who_was_not_accepted() -> glassnet::Result {
    alone(async {
        let listener = listening(80, 5)?;
        let client = tcp()?;
        client.connect(&addr("127.0.0.1:80")).await?;
        drop(listener);
        assert_eq!(errno(client.recv(&mut [0; 1]).await), Some(ECONNRESET));
        Ok(())
    })
}

// ---- send and recv ------------------------------------------------------------------------------

#[test]
fn after_the_peers_close_reads_give_0_and_the_second_send_breaks() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        drop(server);
        assert_eq!(client.recv(&mut [0; 1]).await?, 0);
        assert_eq!(client.recv(&mut [0; 1]).await?, 0);
        assert_eq!(client.send(b"x").await?, 1);
        sleep(ms(10)).await;
        assert_eq!(errno(client.send(b"x").await), Some(EPIPE));
        Ok(())
    })
}

/// A connection that its peer has reset.
async fn reset() -> std::io::Result<Socket> {
    let (client, server) = connected().await?;
    server.set_linger(Some(secs(0)))?;
    drop(server);
    sleep(ms(10)).await;
    Ok(client)
}

#[test]
fn a_reset_is_told_once_then_the_end_then_a_broken_pipe() -> glassnet::Result {
    alone(async {
        let socket = reset().await?;
        assert_eq!(errno(socket.recv(&mut [0; 1]).await), Some(ECONNRESET));
        assert_eq!(socket.recv(&mut [0; 1]).await?, 0);
        assert_eq!(errno(socket.send(b"x").await), Some(EPIPE));
        let socket = reset().await?;
        assert_eq!(errno(socket.send(b"x").await), Some(ECONNRESET));
        assert_eq!(socket.recv(&mut [0; 1]).await?, 0);
        assert_eq!(errno(socket.send(b"x").await), Some(EPIPE));
        Ok(())
    })
}

#[test]
fn data_that_came_before_a_reset_is_read_before_it() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        server.send(b"last words").await?;
        sleep(ms(10)).await;
        server.set_linger(Some(secs(0)))?;
        drop(server);
        sleep(ms(10)).await;
        let mut words = [0; 20];
        assert_eq!(client.recv(&mut words).await?, 10);
        assert_eq!(errno(client.recv(&mut words).await), Some(ECONNRESET));
        Ok(())
    })
}

#[test]
fn a_peer_that_closes_with_our_data_unread_resets() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        client.send(b"unread").await?;
        sleep(ms(10)).await;
        drop(server);
        sleep(ms(10)).await;
        assert_eq!(errno(client.recv(&mut [0; 1]).await), Some(ECONNRESET));
        Ok(())
    })
}

#[test]
fn what_was_never_connected_neither_sends_nor_receives() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(tcp()?.send(b"x").await), Some(EPIPE));
        assert_eq!(errno(tcp()?.recv(&mut [0; 1]).await), Some(ENOTCONN));
        assert_eq!(errno(tcp()?.shutdown(Shutdown::Write)), Some(ENOTCONN));
        assert_eq!(errno(tcp()?.peer_addr()), Some(ENOTCONN));
        assert_eq!(tcp()?.local_addr()?, addr("0.0.0.0:0"));
        Ok(())
    })
}

#[test]
fn after_shutdown_of_writing_sends_break_and_receiving_goes_on() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        client.shutdown(Shutdown::Write)?;
        client.shutdown(Shutdown::Write)?;
        assert_eq!(errno(client.send(b"x").await), Some(EPIPE));
        assert_eq!(server.recv(&mut [0; 1]).await?, 0);
        server.send(b"still").await?;
        let mut still = [0; 9];
        assert_eq!(client.recv(&mut still).await?, 5);
        // Both sides have closed.
        server.shutdown(Shutdown::Write)?;
        sleep(secs(1)).await;
        assert_eq!(errno(server.shutdown(Shutdown::Write)), Some(ENOTCONN));
        Ok(())
    })
}

#[test]
fn after_shutdown_of_reading_reads_give_0_but_what_comes_later_is_readable() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        let client = std::rc::Rc::new(client);
        let ours = client.clone();
        let waiting = spawn(async move { ours.recv(&mut [0; 1]).await });
        sleep(ms(1)).await;
        client.shutdown(Shutdown::Read)?;
        assert_eq!(waiting.await??, 0);
        assert_eq!(client.recv(&mut [0; 1]).await?, 0);
        server.send(b"later").await?;
        sleep(ms(10)).await;
        let mut later = [0; 9];
        assert_eq!(client.recv(&mut later).await?, 5);
        assert_eq!(client.recv(&mut later).await?, 0);
        Ok(())
    })
}

#[test]
fn a_peek_takes_nothing() -> glassnet::Result {
    alone(async {
        let (client, server) = connected().await?;
        server.send(b"hello").await?;
        let mut seen = [0; 9];
        assert_eq!(client.peek(&mut seen).await?, 5);
        assert_eq!(client.recv(&mut seen).await?, 5);
        Ok(())
    })
}

#[test]
fn a_nonblocking_socket_would_block_where_others_wait() -> glassnet::Result {
    alone(async {
        let (client, _server) = connected().await?;
        client.set_nonblocking(true)?;
        assert_eq!(errno(client.recv(&mut [0; 1]).await), Some(EAGAIN));
        let mut sent = 0;
        let full = loop {
            match client.send(&[0; 10_000]).await {
                Ok(len) => sent += len,
                Err(error) => break error,
            }
        };
        assert_eq!(full.raw_os_error(), Some(EAGAIN));
        assert!(sent >= 65_535, "{sent}");
        let socket = udp()?;
        socket.set_nonblocking(true)?;
        assert_eq!(errno(socket.recv(&mut [0; 1]).await), Some(EAGAIN));
        Ok(())
    })
}

// `socket(7)`: SO_RCVTIMEO and SO_SNDTIMEO.
#[test]
fn timeouts_end_what_waits_and_are_not_zero() -> glassnet::Result {
    alone(async {
        let (client, _server) = connected().await?;
        client.set_read_timeout(Some(ms(300)))?;
        assert_eq!(client.read_timeout()?, Some(ms(300)));
        let began = now();
        assert_eq!(errno(client.recv(&mut [0; 1]).await), Some(EAGAIN));
        assert_eq!(now() - began, ms(300));
        client.set_write_timeout(Some(secs(2)))?;
        let (full, began) = loop {
            let began = now();
            if let Err(error) = client.send(&[0; 100_000]).await {
                break (error, began);
            }
        };
        assert_eq!(full.raw_os_error(), Some(EAGAIN));
        assert_eq!(now() - began, secs(2));
        let zero = client.set_read_timeout(Some(secs(0))).unwrap_err();
        assert_eq!(zero.kind(), std::io::ErrorKind::InvalidInput);
        let listener = listening(0, 1)?;
        listener.set_read_timeout(Some(secs(1)))?;
        assert_eq!(errno(listener.accept().await), Some(EAGAIN));
        let silent = tcp()?;
        silent.set_write_timeout(Some(secs(1)))?;
        assert_eq!(errno(silent.connect(&addr("10.0.0.9:80")).await), Some(EINPROGRESS));
        Ok(())
    })
}

// ---- UDP ----------------------------------------------------------------------------------------

#[test]
fn a_datagram_wants_a_destination_a_port_and_at_most_65507_octets() -> glassnet::Result {
    alone(async {
        let socket = udp()?;
        assert_eq!(errno(socket.send(b"x").await), Some(EDESTADDRREQ));
        assert_eq!(errno(socket.send_to(b"x", &addr("127.0.0.1:0")).await), Some(EINVAL));
        let to = addr("127.0.0.1:7");
        assert_eq!(errno(socket.send_to(&[0; 65_508], &to).await), Some(EMSGSIZE));
        assert_eq!(socket.send_to(&[0; 65_507], &to).await?, 65_507);
        Ok(())
    })
}

/// Two datagram sockets of one host, each bound, neither connected.
fn two() -> std::io::Result<(Socket, Socket, SockAddr)> {
    let (a, b) = (udp()?, udp()?);
    a.bind(&addr("127.0.0.1:0"))?;
    b.bind(&addr("127.0.0.1:0"))?;
    let to = b.local_addr()?;
    Ok((a, b, to))
}

#[test]
fn a_short_read_loses_the_rest_of_a_datagram_and_an_empty_one_is_delivered() -> glassnet::Result {
    alone(async {
        let (a, b, to) = two()?;
        a.send_to(b"0123456789", &to).await?;
        a.send_to(b"", &to).await?;
        a.send_to(b"next", &to).await?;
        let mut buffer = [0; 4];
        assert_eq!(b.peek_from(&mut buffer).await?.0, 4);
        let (len, from) = b.recv_from(&mut buffer).await?;
        assert_eq!((len, &buffer, from), (4, b"0123", a.local_addr()?));
        assert_eq!(b.recv_from(&mut buffer).await?.0, 0);
        assert_eq!(b.recv(&mut buffer).await?, 4);
        assert_eq!(&buffer, b"next");
        Ok(())
    })
}

#[test]
fn a_connected_datagram_socket_hears_its_peer_alone_and_may_send_elsewhere() -> glassnet::Result {
    alone(async {
        let (a, b, to_b) = two()?;
        let stranger = udp()?;
        stranger.bind(&addr("127.0.0.1:0"))?;
        a.connect(&to_b).await?;
        assert_eq!(a.peer_addr()?, to_b);
        stranger.send_to(b"psst", &a.local_addr()?).await?;
        b.send_to(b"hello", &a.local_addr()?).await?;
        let mut buffer = [0; 9];
        assert_eq!(a.recv(&mut buffer).await?, 5);
        a.send_to(b"elsewhere", &stranger.local_addr()?).await?;
        assert_eq!(stranger.recv(&mut buffer).await?, 9);
        a.send(b"home").await?;
        assert_eq!(b.recv(&mut buffer).await?, 4);
        Ok(())
    })
}

#[test]
fn an_unreachable_port_is_told_once_and_to_connected_sockets_alone() -> glassnet::Result {
    alone(async {
        let socket = udp()?;
        socket.connect(&addr("127.0.0.1:9")).await?;
        socket.send(b"x").await?;
        sleep(ms(10)).await;
        assert_eq!(errno(socket.send(b"x").await), Some(ECONNREFUSED));
        socket.set_nonblocking(true)?;
        assert_eq!(socket.take_error()?.map(|_| ()), None);
        let unconnected = udp()?;
        unconnected.send_to(b"x", &addr("127.0.0.1:9")).await?;
        sleep(ms(10)).await;
        unconnected.set_nonblocking(true)?;
        assert_eq!(errno(unconnected.recv(&mut [0; 1]).await), Some(EAGAIN));
        Ok(())
    })
}

#[test]
fn broadcast_wants_its_option() -> glassnet::Result {
    alone(async {
        let socket = udp()?;
        for to in ["255.255.255.255:7", "10.0.255.255:7"] {
            assert_eq!(errno(socket.send_to(b"x", &addr(to)).await), Some(EACCES), "{to}");
        }
        assert!(!socket.broadcast()?);
        socket.set_broadcast(true)?;
        assert!(socket.broadcast()?);
        socket.send_to(b"x", &addr("255.255.255.255:7")).await?;
        Ok(())
    })
}

// ---- UNIX ---------------------------------------------------------------------------------------

fn unix(kind: Type) -> std::io::Result<Socket> {
    Socket::new(Domain::UNIX, kind, None)
}

#[test]
fn names_of_the_unix_domain_exist_or_not() -> glassnet::Result {
    alone(async {
        let listener = unix(Type::STREAM)?;
        listener.bind(&SockAddr::unix("/run/a")?)?;
        assert_eq!(errno(unix(Type::STREAM)?.bind(&SockAddr::unix("/run/a")?)), Some(EADDRINUSE));
        let connect = async |kind, name: &str| {
            errno(unix(kind)?.connect(&SockAddr::unix(name)?).await).map_or(Ok(0), Ok)
        };
        let connect =
            async |kind, name: &str| -> std::io::Result<i32> { connect(kind, name).await };
        assert_eq!(connect(Type::STREAM, "/run/missing").await?, ENOENT);
        assert_eq!(connect(Type::STREAM, "/run/a").await?, ECONNREFUSED, "it does not listen");
        assert_eq!(connect(Type::DGRAM, "/run/a").await?, EPROTOTYPE);
        assert_eq!(connect(Type::STREAM, "\0missing").await?, ECONNREFUSED);
        drop(listener);
        assert_eq!(connect(Type::STREAM, "/run/a").await?, ECONNREFUSED, "a stale file");
        assert!(SockAddr::unix("x".repeat(108)).is_err());
        assert!(SockAddr::unix(format!("\0{}", "x".repeat(107))).is_ok());
        Ok(())
    })
}

#[test]
fn a_stream_of_the_unix_domain_ends_as_linuxs_does() -> glassnet::Result {
    alone(async {
        let (a, b) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
        a.send(b"hello").await?;
        let mut buffer = [0; 9];
        assert_eq!(b.recv(&mut buffer).await?, 5);
        drop(a);
        assert_eq!(b.recv(&mut buffer).await?, 0);
        assert_eq!(errno(b.send(b"x").await), Some(EPIPE));
        let (a, b) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
        a.send(b"unread").await?;
        drop(b);
        assert_eq!(errno(a.recv(&mut buffer).await), Some(ECONNRESET));
        Ok(())
    })
}

#[test]
fn datagrams_of_the_unix_domain_keep_their_boundaries() -> glassnet::Result {
    alone(async {
        let receiver = unix(Type::DGRAM)?;
        receiver.bind(&SockAddr::unix("\0receiver")?)?;
        let sender = unix(Type::DGRAM)?;
        sender.bind(&SockAddr::unix("/run/sender")?)?;
        sender.connect(&SockAddr::unix("\0receiver")?).await?;
        sender.send(b"one").await?;
        sender.send(b"two").await?;
        let mut buffer = [0; 9];
        let (len, from) = receiver.recv_from(&mut buffer).await?;
        assert_eq!((len, from.as_pathname()), (3, Some("/run/sender".as_ref())));
        assert_eq!(receiver.recv(&mut buffer).await?, 3);
        drop(receiver);
        assert_eq!(errno(sender.send(b"x").await), Some(ECONNREFUSED));
        Ok(())
    })
}

#[test]
fn a_unix_listener_with_a_backlog_of_0_takes_one() -> glassnet::Result {
    alone(async {
        let listener = unix(Type::STREAM)?;
        listener.bind(&SockAddr::unix("/run/l")?)?;
        listener.listen(0)?;
        let first = unix(Type::STREAM)?;
        first.connect(&SockAddr::unix("/run/l")?).await?;
        let second = unix(Type::STREAM)?;
        second.set_nonblocking(true)?;
        assert_eq!(errno(second.connect(&SockAddr::unix("/run/l")?).await), Some(EAGAIN));
        let (accepted, _) = listener.accept().await?;
        first.send(b"hello").await?;
        assert_eq!(accepted.recv(&mut [0; 9]).await?, 5);
        Ok(())
    })
}

// ---- options ------------------------------------------------------------------------------------

// RFC 3493 5.3.
#[test]
fn a_listener_for_ipv6_alone_leaves_ipv4_to_others() -> glassnet::Result {
    alone(async {
        let only_v6 = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        only_v6.set_only_v6(true)?;
        assert!(only_v6.only_v6()?);
        only_v6.bind(&addr("[::]:80"))?;
        only_v6.listen(1)?;
        assert_eq!(errno(tcp()?.connect(&addr("127.0.0.1:80")).await), Some(ECONNREFUSED));
        let _v4 = listening(80, 1)?;
        tcp()?.connect(&addr("127.0.0.1:80")).await?;
        assert_eq!(errno(only_v6.set_only_v6(false)), Some(EINVAL), "it is bound");
        let dual = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        dual.bind(&addr("[::]:81"))?;
        dual.listen(1)?;
        tcp()?.connect(&addr("127.0.0.1:81")).await?;
        let (_, peer) = dual.accept().await?;
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(peer.as_socket().map(|peer| peer.ip()), Some(mapped.into()));
        Ok(())
    })
}

#[test]
fn an_option_of_another_protocol_is_refused() -> glassnet::Result {
    alone(async {
        const ENOPROTOOPT: i32 = 92;
        assert_eq!(errno(udp()?.set_tcp_nodelay(true)), Some(ENOPROTOOPT));
        assert_eq!(errno(unix(Type::STREAM)?.set_tcp_nodelay(true)), Some(EOPNOTSUPP));
        assert_eq!(errno(tcp()?.set_only_v6(true)), Some(ENOPROTOOPT));
        assert_eq!(errno(udp()?.set_unicast_hops_v6(3)), Some(ENOPROTOOPT));
        assert_eq!(errno(tcp()?.only_v6()), Some(EOPNOTSUPP));
        assert_eq!(errno(udp()?.multicast_hops_v6()), Some(EOPNOTSUPP));
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 9);
        assert_eq!(errno(udp()?.join_multicast_v6(&group, 0)), Some(ENOPROTOOPT));
        Ok(())
    })
}
