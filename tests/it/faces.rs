//! `Socket` beside tokio's types: two faces of one socket, so both give the same. What they give
//! was observed on Linux 6.18.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use crate::common::{
    EADDRINUSE, ECONNREFUSED, EINVAL, ENETUNREACH, EPIPE, alone, by_engine, errno, ms, secs,
};
use glassnet::net::socket::{Domain, SockAddr, Socket, Type};
use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use glassnet::time::{sleep, timeout};
use glassnet::{HostOptions, Sim};

const EAFNOSUPPORT: i32 = 97;
const ECONNABORTED: i32 = 103;
const ENOTCONN: i32 = 107;
const EINPROGRESS: i32 = 115;

fn tcp() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn addr(text: &str) -> SockAddr {
    at(text).into()
}

/// With SO_LINGER of no time, so that a drop resets.
async fn reset(listener: &TcpListener) -> io::Result<()> {
    listener.accept().await?.0.set_zero_linger()
}

// ---- Options ------------------------------------------------------------------------------------

#[test]
fn parameters_of_keep_alive_are_set_all_or_none() -> glassnet::Result {
    alone(async {
        let (ours, tokios) = (tcp()?, TcpSocket::new_v4()?);
        let tokios = SockRef::from(&tokios);
        let wrong = TcpKeepalive::new().with_time(secs(60)).with_interval(secs(40_000));
        assert_eq!(errno(ours.set_tcp_keepalive(&wrong)), Some(EINVAL));
        assert_eq!(errno(tokios.set_tcp_keepalive(&wrong)), Some(EINVAL));
        assert_eq!((ours.keepalive()?, ours.tcp_keepalive_time()?), (false, secs(7_200)));
        assert_eq!((tokios.keepalive()?, tokios.tcp_keepalive_time()?), (false, secs(7_200)));
        Ok(())
    })
}

#[test]
fn quickack_tells_whether_acknowledgments_leave_at_once() -> glassnet::Result {
    alone(async {
        let (ours, tokios) = (tcp()?, TcpSocket::new_v4()?);
        let tokios = SockRef::from(&tokios);
        // On Linux they do until a request was answered.
        let at_first = by_engine(false, true);
        assert_eq!((ours.tcp_quickack()?, tokios.tcp_quickack()?), (at_first, at_first));
        ours.set_tcp_ack_delay(None)?;
        tokios.set_tcp_ack_delay(None)?;
        assert_eq!((ours.tcp_quickack()?, tokios.tcp_quickack()?), (true, true));
        ours.set_tcp_ack_delay(Some(ms(40)))?;
        ours.set_tcp_quickack(true)?;
        assert!(ours.tcp_quickack()?);
        Ok(())
    })
}

#[test]
fn options_set_while_it_listens_stay_when_it_listens_no_more() -> glassnet::Result {
    alone(async {
        let socket = tcp()?;
        socket.listen(1)?;
        socket.set_ttl_v4(9)?;
        socket.shutdown(Shutdown::Both)?;
        assert_eq!(socket.ttl_v4()?, 9);
        socket.listen(1)?;
        assert_eq!(socket.ttl_v4()?, 9);
        Ok(())
    })
}

// ---- Addresses ----------------------------------------------------------------------------------

#[test]
fn a_tcp_socket_refuses_an_address_of_the_other_family() -> glassnet::Result {
    alone(async {
        let (v4, v6) = (at("127.0.0.1:80"), at("[::1]:80"));
        let tcp_v6 = || Socket::new(Domain::IPV6, Type::STREAM, None);
        assert_eq!(errno(tcp_v6()?.bind(&v4.into())), Some(EINVAL));
        assert_eq!(errno(TcpSocket::new_v6()?.bind(v4)), Some(EINVAL));
        assert_eq!(errno(tcp_v6()?.connect(&v4.into()).await), Some(EINVAL));
        assert_eq!(errno(TcpSocket::new_v6()?.connect(v4).await), Some(EINVAL));
        assert_eq!(errno(tcp()?.bind(&v6.into())), Some(EAFNOSUPPORT));
        assert_eq!(errno(TcpSocket::new_v4()?.bind(v6)), Some(EAFNOSUPPORT));
        assert_eq!(errno(tcp()?.connect(&v6.into()).await), Some(EAFNOSUPPORT));
        assert_eq!(errno(TcpSocket::new_v4()?.connect(v6).await), Some(EAFNOSUPPORT));
        Ok(())
    })
}

#[test]
fn a_datagram_socket_of_ipv6_sends_to_ipv4_as_well() -> glassnet::Result {
    alone(async {
        let v4 = UdpSocket::bind("127.0.0.1:7").await?;
        let udp_v6 = || Socket::new(Domain::IPV6, Type::DGRAM, None);
        let sender = udp_v6()?;
        assert_eq!(sender.send_to(b"one", &addr("127.0.0.1:7")).await?, 3);
        sender.connect(&addr("127.0.0.1:7")).await?;
        assert_eq!(sender.send(b"two").await?, 3);
        for expected in [b"one", b"two"] {
            let mut buffer = [0; 4];
            assert_eq!(v4.recv(&mut buffer).await?, 3);
            assert_eq!(&buffer[..3], expected);
        }

        assert_eq!(errno(udp_v6()?.bind(&addr("127.0.0.1:8"))), Some(EINVAL));
        let ours = udp_v6()?;
        ours.bind(&addr("[::1]:0"))?;
        let tokios = UdpSocket::bind("[::1]:0").await?;
        assert_eq!(errno(ours.send_to(b"one", &addr("127.0.0.1:7")).await), Some(ENETUNREACH));
        assert_eq!(errno(tokios.send_to(b"one", "127.0.0.1:7").await), Some(ENETUNREACH));
        Ok(())
    })
}

// ---- Connections --------------------------------------------------------------------------------

#[test]
fn an_attempt_that_has_succeeded_has_a_peer_before_anybody_asks_again() -> glassnet::Result {
    alone(async {
        let _listener = TcpListener::bind("127.0.0.1:80").await?;
        let client = tcp()?;
        client.set_nonblocking(true)?;
        assert_eq!(errno(client.connect(&addr("127.0.0.1:80")).await), Some(EINPROGRESS));
        sleep(ms(1)).await;
        assert_eq!(client.peer_addr()?, addr("127.0.0.1:80"));
        client.connect(&addr("127.0.0.1:80")).await?;
        Ok(())
    })
}

#[test]
fn an_attempt_whose_error_was_taken_is_aborted_and_then_another_begins() -> glassnet::Result {
    alone(async {
        let client = tcp()?;
        client.set_nonblocking(true)?;
        let nobody = addr("127.0.0.1:9");
        assert_eq!(errno(client.connect(&nobody).await), Some(EINPROGRESS));
        sleep(ms(1)).await;
        let error = client.take_error()?.and_then(|error| error.raw_os_error());
        assert_eq!(error, Some(ECONNREFUSED));
        assert!(client.take_error()?.is_none());
        assert_eq!(client.recv(&mut [0; 1]).await?, 0);
        assert_eq!(errno(client.send(b"x").await), Some(EPIPE));
        assert_eq!(errno(client.peer_addr()), Some(ENOTCONN));
        assert_eq!(errno(client.connect(&nobody).await), Some(ECONNABORTED));
        assert_eq!(errno(client.connect(&nobody).await), Some(EINPROGRESS));
        sleep(ms(1)).await;
        assert_eq!(errno(client.connect(&nobody).await), Some(ECONNREFUSED));
        Ok(())
    })
}

#[test]
fn a_port_stays_taken_until_the_socket_is_closed_though_the_connection_is_over() -> glassnet::Result
{
    alone(async {
        let listener = TcpListener::bind("127.0.0.1:80").await?;
        let ours = tcp()?;
        ours.bind(&addr("127.0.0.1:1001"))?;
        ours.connect(&addr("127.0.0.1:80")).await?;
        reset(&listener).await?;
        let tokios = TcpSocket::new_v4()?;
        tokios.bind(at("127.0.0.1:1002"))?;
        let tokios = tokios.connect(at("127.0.0.1:80")).await?;
        reset(&listener).await?;
        sleep(ms(1)).await;
        for port in [1001, 1002] {
            let bind = || tcp()?.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into());
            assert_eq!(errno(bind()), Some(EADDRINUSE), "{port}");
        }
        // Unless both sockets reuse the address, whenever they say so.
        ours.set_reuse_address(true)?;
        SockRef::from(&tokios).set_reuse_address(true)?;
        for port in [1001, 1002] {
            let socket = tcp()?;
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
        }
        drop((ours, tokios));
        tcp()?.bind(&addr("127.0.0.1:1001"))?;
        tcp()?.bind(&addr("127.0.0.1:1002"))?;
        Ok(())
    })
}

// ---- Listeners ----------------------------------------------------------------------------------

#[test]
fn a_listener_that_is_shut_down_listens_no_more_and_stays_bound() -> glassnet::Result {
    alone(async {
        let ours = tcp()?;
        ours.bind(&addr("127.0.0.1:80"))?;
        ours.listen(1)?;
        let tokios = TcpListener::bind("127.0.0.1:81").await?;
        let borrowed = SockRef::from(&tokios);
        ours.shutdown(Shutdown::Write)?;
        borrowed.shutdown(Shutdown::Write)?;
        TcpStream::connect("127.0.0.1:80").await?;
        TcpStream::connect("127.0.0.1:81").await?;
        tokios.accept().await?;

        ours.shutdown(Shutdown::Read)?;
        borrowed.shutdown(Shutdown::Read)?;
        assert_eq!(errno(ours.accept().await), Some(EINVAL));
        assert_eq!(errno(tokios.accept().await), Some(EINVAL));
        for address in ["127.0.0.1:80", "127.0.0.1:81"] {
            assert_eq!(errno(TcpStream::connect(address).await), Some(ECONNREFUSED));
            assert_eq!(errno(tcp()?.bind(&addr(address))), Some(EADDRINUSE));
        }
        assert_eq!(errno(ours.shutdown(Shutdown::Both)), Some(ENOTCONN));
        assert_eq!(errno(borrowed.shutdown(Shutdown::Both)), Some(ENOTCONN));
        assert_eq!(tokios.local_addr()?, at("127.0.0.1:81"));
        drop(tokios);
        TcpListener::bind("127.0.0.1:81").await?;
        Ok(())
    })
}

// Linux's `somaxconn`.
#[test]
fn a_backlog_is_at_most_4096() -> glassnet::Result {
    let mut sim = Sim::new(1);
    // The buffers of so many are more than a host has room for by default.
    sim.host_options("alone", HostOptions::default().tcp_mem(1 << 30));
    sim.client("alone", async {
        let ours = tcp()?;
        ours.bind(&addr("127.0.0.1:80"))?;
        ours.listen(i32::MAX)?;
        let tokios = TcpSocket::new_v4()?;
        tokios.bind(at("127.0.0.1:81"))?;
        let _tokios = tokios.listen(u32::MAX)?;
        for address in ["127.0.0.1:80", "127.0.0.1:81"] {
            let mut streams = Vec::new();
            for _ in 0..=4_096 {
                streams.push(TcpStream::connect(address).await?);
            }
            let one_more = timeout(Duration::from_millis(500), TcpStream::connect(address)).await;
            assert!(one_more.is_err(), "{address}");
        }
        Ok(())
    });
    sim.run()
}
