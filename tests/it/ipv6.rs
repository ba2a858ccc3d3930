//! IPv6: the same sockets over addresses of 128 bits, with neighbour discovery instead of ARP.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use crate::common::{
    EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENETUNREACH, Log, Wire, alone, errno, exchange, ms, now,
    pattern, secs,
};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::{DropReason, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ENODEV: i32 = 19;
/// The scope of a host's interface; that of its loopback interface is 1.
const ETH0: u32 = 2;

/// An echo server on `addr`, on host 1: fd00::1, fe80::ff:fe00:1, 10.0.0.1.
fn echo_on(sim: &mut Sim, addr: &'static str) {
    sim.host("server", move || async move {
        let listener = TcpListener::bind(addr).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
}

/// What a listener on `on` and a client that connects to `to` say of their ends.
fn ends(on: &'static str, to: SocketAddr) -> glassnet::Result<Vec<SocketAddr>> {
    let seen = Log::new();
    let mut sim = Sim::new(1);
    let ours = seen.clone();
    sim.client("server", async move {
        let (stream, peer) = TcpListener::bind(on).await?.accept().await?;
        ours.note(stream.local_addr()?);
        ours.note(peer);
        Ok(())
    });
    let theirs = seen.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect(to).await?;
        theirs.note(stream.peer_addr()?);
        theirs.note(stream.local_addr()?);
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(())
    });
    sim.run()?;
    let mut seen = seen.all();
    seen.sort_by_key(|end| (end.port() != 80, *end));
    Ok(seen)
}

fn texts(ends: &[SocketAddr]) -> Vec<String> {
    let ephemeral = |end: &SocketAddr| end.port() != 80;
    let text = |end: &SocketAddr| {
        let mut end = *end;
        if ephemeral(&end) {
            end.set_port(1);
        }
        end.to_string()
    };
    ends.iter().map(text).collect()
}

#[test]
fn a_stream_crosses_the_lan_over_global_addresses() -> glassnet::Result {
    let mut sim = Sim::new(3);
    sim.link("client", "server").delay(ms(20)).loss(0.05).reorder(0.1).duplicate(0.05);
    echo_on(&mut sim, "[fd00::1]:7");
    sim.client("client", async {
        let stream = TcpStream::connect("[fd00::1]:7").await?;
        assert_eq!(stream.local_addr()?.ip(), "fd00::2".parse::<Ipv6Addr>()?);
        assert!(exchange(stream, pattern(100_000)).await? == pattern(100_000));
        Ok(())
    });
    sim.run()
}

// RFC 4861 section 7.2.
#[test]
fn a_neighbour_is_solicited_once_and_then_known() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    echo_on(&mut sim, "[::]:7");
    sim.client("client", async {
        for _ in 0..2 {
            let stream = TcpStream::connect("[fd00::1]:7").await?;
            exchange(stream, vec![1]).await?;
        }
        Ok(())
    });
    sim.run()?;
    let of_kind = |kind: u8| {
        let sent = wire.sent().into_iter();
        sent.filter(move |sent| {
            sent.frame[12..14] == [0x86, 0xdd] && sent.frame[20] == 58 && sent.frame[54] == kind
        })
    };
    let questions: Vec<_> = of_kind(135).collect();
    assert_eq!(questions.len(), 1);
    assert_eq!(questions[0].frame[..6], [0x33, 0x33, 0xff, 0, 0, 1], "to the solicited node");
    assert_eq!(of_kind(136).count(), 1);
    assert!(wire.sent().iter().all(|sent| sent.frame[12..14] != [0x08, 0x06]), "no ARP");
    Ok(())
}

// `ipv6(7)`: sin6_scope_id.
#[test]
fn link_local_addresses_carry_their_scope() -> glassnet::Result {
    let to = SocketAddrV6::new("fe80::ff:fe00:1".parse()?, 80, 0, ETH0);
    let ends = ends("[::]:80", to.into())?;
    assert_eq!(
        texts(&ends),
        [
            "[fe80::ff:fe00:1%2]:80",
            "[fe80::ff:fe00:1%2]:80",
            "[fe80::ff:fe00:2%2]:1",
            "[fe80::ff:fe00:2%2]:1"
        ]
    );
    Ok(())
}

#[test]
fn a_link_local_address_without_its_scope_is_invalid() -> glassnet::Result {
    alone(async {
        let of_scope = |scope| {
            let address = "fe80::ff:fe00:1"
                .parse::<Ipv6Addr>()
                .map(|address| SocketAddr::V6(SocketAddrV6::new(address, 80, 0, scope)));
            address.map_err(io::Error::other)
        };
        assert_eq!(errno(TcpStream::connect(of_scope(0)?).await), Some(EINVAL));
        assert_eq!(errno(TcpStream::connect(of_scope(9)?).await), Some(ENETUNREACH));
        assert_eq!(errno(TcpListener::bind(of_scope(0)?).await), Some(EINVAL));
        assert_eq!(errno(TcpListener::bind(of_scope(1)?).await), Some(ENODEV));
        TcpListener::bind(of_scope(ETH0)?).await?;
        Ok(())
    })
}

// RFC 3493 3.7; `ipv6(7)`: IPV6_V6ONLY.
#[test]
fn the_wildcard_of_ipv6_takes_ipv4_as_mapped_addresses() -> glassnet::Result {
    let ends = ends("[::]:80", "10.0.0.1:80".parse()?)?;
    assert_eq!(
        texts(&ends),
        ["10.0.0.1:80", "[::ffff:10.0.0.1]:80", "10.0.0.2:1", "[::ffff:10.0.0.2]:1"]
    );
    Ok(())
}

#[test]
fn a_mapped_address_connects_over_ipv4() -> glassnet::Result {
    let ends = ends("0.0.0.0:80", "[::ffff:10.0.0.1]:80".parse()?)?;
    assert_eq!(
        texts(&ends),
        ["10.0.0.1:80", "[::ffff:10.0.0.1]:80", "10.0.0.2:1", "[::ffff:10.0.0.2]:1"]
    );
    Ok(())
}

#[test]
fn the_wildcards_of_both_families_collide() -> glassnet::Result {
    alone(async {
        let _dual = TcpListener::bind("[::]:80").await?;
        assert_eq!(errno(TcpListener::bind("0.0.0.0:80").await), Some(EADDRINUSE));
        assert_eq!(errno(TcpListener::bind("10.0.0.1:80").await), Some(EADDRINUSE));
        let _v4 = TcpListener::bind("0.0.0.0:81").await?;
        assert_eq!(errno(TcpListener::bind("[::]:81").await), Some(EADDRINUSE));
        Ok(())
    })
}

#[test]
fn the_loopback_of_ipv6_reaches_the_host_itself() -> glassnet::Result {
    alone(async {
        let listener = TcpListener::bind("[::1]:80").await?;
        for to in ["[::1]:80", "[::]:80"] {
            let mut client = TcpStream::connect(to).await?;
            let (mut server, peer) = listener.accept().await?;
            assert_eq!(peer.ip(), Ipv6Addr::LOCALHOST);
            client.write_all(b"hello").await?;
            let mut hello = [0; 5];
            server.read_exact(&mut hello).await?;
            assert_eq!(&hello, b"hello");
        }
        Ok(())
    })
}

#[test]
fn addresses_of_others_and_of_no_network_are_refused() -> glassnet::Result {
    alone(async {
        assert_eq!(errno(TcpListener::bind("[fd00::9]:80").await), Some(EADDRNOTAVAIL));
        assert_eq!(errno(TcpStream::connect("[2001:db8::1]:80").await), Some(ENETUNREACH));
        assert_eq!(errno(TcpStream::connect("[ff02::1]:80").await), Some(ENETUNREACH));
        Ok(())
    })
}

// The contract of connect: `arp(7)`'s retries are neighbour discovery's, too.
#[test]
fn a_silent_neighbour_is_unreachable_after_three_questions() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let error = TcpStream::connect("[fd00::99]:80").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::HostUnreachable);
        assert_eq!(now(), secs(3));
        Ok(())
    });
    sim.run()?;
    let lost: Vec<_> = wire.sent().iter().map(|sent| sent.time).collect();
    assert_eq!(lost, [secs(0), secs(1), secs(2)]);
    assert!(wire.sent().iter().all(|sent| sent.is_dropped(DropReason::NoSuchHost)));
    Ok(())
}
