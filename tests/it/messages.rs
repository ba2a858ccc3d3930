//! `recvmsg(2)` and `sendmsg(2)` of `glassnet::net::socket`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use std::time::Duration;

use glassnet::Sim;
use glassnet::net::socket::{Domain, MtuDiscovery, SendOptions, SockAddr, Socket, Type};
use glassnet::time::sleep;

fn at(address: &str) -> SockAddr {
    address.parse::<SocketAddr>().unwrap().into()
}

#[test]
fn a_message_says_where_its_datagram_was_sent_to_and_with_what() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", || async {
        let server = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        server.bind(&at("0.0.0.0:7"))?;
        server.set_nonblocking(false)?;
        let mut buffer = [0; 3];
        let message = server.recv_message(&mut buffer).await?;
        assert_eq!((message.len, message.whole_len), (3, 5));
        let packet = message.packet.unwrap();
        let own = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!((packet.destination, packet.local, packet.interface), (own, own, 2));
        assert_eq!((packet.hop_limit, packet.traffic_class), (9, 0xb9));
        // To everybody: an answer is sent from the host's own address.
        let message = server.recv_message(&mut buffer).await?;
        let packet = message.packet.unwrap();
        assert_eq!(packet.destination, IpAddr::from(Ipv4Addr::BROADCAST));
        assert_eq!(packet.local, own);
        let options = SendOptions::new().source(packet.local);
        server.send_message(b"answer", message.from.as_ref(), options).await?;
        Ok(())
    });
    sim.client("client", async {
        let client = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        client.set_broadcast(true)?;
        let options = SendOptions::new().traffic_class(0xb9).hop_limit(9);
        client.send_message(b"hello", Some(&at("10.0.0.1:7")), options).await?;
        // The first one waits for its neighbour.
        sleep(Duration::from_millis(10)).await;
        client.send_to(b"all", &at("255.255.255.255:7")).await?;
        let mut buffer = [0; 100];
        let message = client.peek_message(&mut buffer).await?;
        assert_eq!(message.from, Some(at("10.0.0.1:7")));
        assert_eq!(client.recv(&mut buffer).await?, 6);
        let foreign = SendOptions::new().source(Ipv4Addr::new(10, 0, 0, 9).into());
        let error = client.send_message(b"x", Some(&at("10.0.0.1:7")), foreign).await;
        assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
        Ok(())
    });
    sim.run()
}

#[test]
fn what_is_sent_in_segments_arrives_as_many_datagrams() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.client("alone", async {
        let first = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        let second = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        second.bind(&at("127.0.0.1:7"))?;
        first.connect(&second.local_addr()?).await?;
        first.set_segment_size(400)?;
        assert_eq!(first.segment_size()?, 400);
        assert_eq!(first.send(&[7; 1_000]).await?, 1_000);
        let options = SendOptions::new().segment_size(0);
        assert_eq!(first.send_message(&[7; 1_000], None, options).await?, 1_000);
        for len in [400, 400, 200, 1_000] {
            assert_eq!(second.recv(&mut [0; 2_000]).await?, len);
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_socket_that_forbids_fragments_is_refused_what_is_too_large() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host("server", || async { std::future::pending().await });
    sim.client("client", async {
        for (domain, any, to, fits) in [
            (Domain::IPV4, "0.0.0.0:0", "10.0.0.1:7", 1_472),
            (Domain::IPV6, "[::]:0", "[fd00::1]:7", 1_452),
        ] {
            let socket = Socket::new(domain, Type::DGRAM, None)?;
            socket.bind(&at(any))?;
            assert_eq!(socket.send_to(&vec![7; fits + 1], &at(to)).await?, fits + 1);
            if domain == Domain::IPV4 {
                assert_eq!(socket.mtu_discovery_v4()?, MtuDiscovery::Want);
                socket.set_mtu_discovery_v4(MtuDiscovery::Do)?;
            } else {
                socket.set_mtu_discovery_v6(MtuDiscovery::Do)?;
                assert_eq!(socket.mtu_discovery_v6()?, MtuDiscovery::Do);
            }
            let error = socket.send_to(&vec![7; fits + 1], &at(to)).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(90));
            assert_eq!(socket.send_to(&vec![7; fits], &at(to)).await?, fits);
        }
        Ok(())
    });
    sim.run()
}
