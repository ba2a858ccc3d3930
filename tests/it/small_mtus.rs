//! IPv6 on hosts whose MTU is below what it needs (RFC 8200 section 5): there is none, as on Linux.

use std::net::{Ipv6Addr, SocketAddr};

use crate::common::{EADDRNOTAVAIL, EINVAL, ENETUNREACH, errno, exchange, failure};
use glassnet::net::{TcpListener, TcpStream, UdpSocket, lookup_host};
use glassnet::{HostOptions, IpVersion, Sim};

const ENODEV: i32 = 19;

fn narrow(mtu: usize) -> HostOptions {
    HostOptions::default().mtu(mtu)
}

/// A world with an echo server of this MTU, whose options are given before or after it is.
fn with_server(mtu: usize, given_first: bool, ip_version: IpVersion) -> Sim {
    let mut sim = Sim::new(1);
    sim.ip_version(ip_version);
    if given_first {
        sim.host_options("server", narrow(mtu));
    }
    sim.host("server", || async {
        let listener = TcpListener::bind("[::]:7").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            glassnet::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    if !given_first {
        sim.host_options("server", narrow(mtu));
    }
    sim
}

#[test]
fn the_name_of_a_host_with_a_small_mtu_stands_for_its_ipv4_address_alone() -> glassnet::Result {
    for (mtu, addresses) in [
        (68, &["10.0.0.1:7"][..]),
        (1_279, &["10.0.0.1:7"]),
        (1_280, &["[fd00::1]:7", "10.0.0.1:7"]),
    ] {
        for given_first in [true, false] {
            let mut sim = with_server(mtu, given_first, IpVersion::Dual);
            sim.client("client", async move {
                let found: Vec<_> = lookup_host("server:7").await?.collect();
                let expected: Vec<SocketAddr> =
                    addresses.iter().map(|address| address.parse().unwrap()).collect();
                assert_eq!(found, expected, "MTU {mtu}");
                let stream = TcpStream::connect("server:7").await?;
                assert_eq!(exchange(stream, b"hello".to_vec()).await?, b"hello");
                Ok(())
            });
            sim.run()?;
        }
    }
    Ok(())
}

#[test]
fn a_larger_mtu_that_is_given_later_brings_ipv6_back() -> glassnet::Result {
    let mut sim = with_server(1_000, true, IpVersion::V4);
    sim.host_options("server", narrow(1_500));
    sim.ip_version(IpVersion::V6);
    assert_eq!(sim.lookup("server"), Some("fd00::1".parse()?));
    sim.client("client", async {
        assert!(TcpStream::connect("server:7").await?.peer_addr()?.is_ipv6());
        Ok(())
    });
    sim.run()
}

// Linux 6.18, after `ip link set eth0 mtu 1279`, gives the same errors.
#[test]
fn ipv6_of_its_own_and_of_others_is_not_there_but_its_loopback_is() -> glassnet::Result {
    let mut sim = with_server(1_500, true, IpVersion::V4);
    sim.host_options("client", narrow(1_279));
    sim.client("client", async {
        assert_eq!(errno(TcpListener::bind("[fd00::2]:80").await), Some(EADDRNOTAVAIL));
        assert_eq!(errno(UdpSocket::bind("[fe80::ff:fe00:2%2]:80").await), Some(EADDRNOTAVAIL));
        assert_eq!(errno(TcpStream::connect("[fd00::1]:7").await), Some(ENETUNREACH));
        assert_eq!(errno(TcpStream::connect("[fe80::ff:fe00:1%2]:7").await), Some(ENETUNREACH));
        let socket = UdpSocket::bind("[::]:0").await?;
        for to in ["[fd00::1]:7", "[2001:db8::1]:7", "[ff05::1]:7", "[ff02::1%2]:7"] {
            assert_eq!(errno(socket.send_to(b"x", to).await), Some(ENETUNREACH), "{to}");
        }
        let group: Ipv6Addr = "ff05::5".parse()?;
        assert_eq!(errno(socket.join_multicast_v6(&group, 0)), Some(ENODEV));
        assert_eq!(errno(socket.join_multicast_v6(&group, 2)), Some(EINVAL));
        // IPv4 goes on, through a socket of IPv6 as well; and so does `::1`.
        let stream = TcpStream::connect("[::ffff:10.0.0.1]:7").await?;
        assert_eq!(exchange(stream, b"hello".to_vec()).await?, b"hello");
        let listener = TcpListener::bind("[::1]:80").await?;
        let (connected, accepted) = tokio::join!(TcpStream::connect("[::1]:80"), listener.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        Ok(())
    });
    sim.run()
}

// Nobody answers for the address: the neighbour is silent.
#[test]
fn a_host_with_a_small_mtu_does_not_answer_over_ipv6() -> glassnet::Result {
    let mut sim = with_server(1_279, true, IpVersion::V4);
    sim.client("client", async {
        let error = TcpStream::connect("[fd00::1]:7").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::HostUnreachable);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_world_of_ipv6_with_a_host_that_has_none_does_not_start() {
    for given_first in [true, false] {
        let mut sim = with_server(1_000, given_first, IpVersion::V6);
        sim.client("client", async { Ok(()) });
        let told = failure(sim.run()).to_string();
        for part in ["\"server\"", "MTU of 1000", "1280"] {
            assert!(told.contains(part), "{told}");
        }
    }
}
