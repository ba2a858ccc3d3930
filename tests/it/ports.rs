//! Ephemeral ports, and how soon one is used again.

use std::io::ErrorKind;

use crate::common::*;
use glassnet::net::{TcpListener, TcpStream, UdpSocket};
use glassnet::time::sleep;
use glassnet::{HostOptions, Sim};
use tokio::io::AsyncReadExt;

/// A server at port 80 that closes after its clients.
fn closing_server(sim: &mut Sim) {
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let mut stream = listener.accept().await?.0;
            assert_eq!(stream.read(&mut [0]).await?, 0);
        }
    });
}

fn few_ports() -> HostOptions {
    HostOptions::default().ip_local_port_range(40_000..=40_009)
}

#[test]
fn forty_thousand_connections_over_the_loopback_take_no_time() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.client("alone", async {
        let listener = TcpListener::bind("127.0.0.1:80").await?;
        for _ in 0..40_000 {
            let client = TcpStream::connect("127.0.0.1:80").await?;
            let port = client.local_addr()?.port();
            assert!((32_768..=60_999).contains(&port), "{port}");
            drop(client);
            assert_eq!(listener.accept().await?.0.read(&mut [0]).await?, 0);
        }
        assert_eq!(now(), secs(0));
        Ok(())
    });
    sim.run()
}

// The client's port is free again and it is the server's that is in TIME-WAIT.
#[test]
fn ports_are_used_again_on_the_loopback_when_the_server_closes_first() -> glassnet::Result {
    for address in ["127.0.0.1:80", "[::1]:80"] {
        let mut sim = Sim::new(7);
        sim.host_options("alone", few_ports());
        sim.client("alone", async move {
            let listener = TcpListener::bind(address).await?;
            for _ in 0..100 {
                let mut client = TcpStream::connect(address).await?;
                drop(listener.accept().await?);
                assert_eq!(client.read(&mut [0]).await?, 0);
            }
            assert_eq!(now(), secs(0));
            Ok(())
        });
        sim.run()?;
    }
    Ok(())
}

// `tcp_tw_reuse` of 2 looks at the address: one's own is not the loopback's.
#[test]
fn ports_to_ones_own_address_are_used_again_after_a_minute_only() -> glassnet::Result {
    let mut sim = Sim::new(7);
    sim.host_options("alone", few_ports());
    sim.client("alone", async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        for _ in 0..10 {
            drop(TcpStream::connect("10.0.0.1:80").await?);
            assert_eq!(listener.accept().await?.0.read(&mut [0]).await?, 0);
        }
        let error = TcpStream::connect("10.0.0.1:80").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        // Not over the loopback, they are free for another destination.
        drop(TcpStream::connect("127.0.0.1:80").await?);
        sleep(secs(61)).await;
        TcpStream::connect("10.0.0.1:80").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn connections_to_another_host_in_a_minute_are_as_many_as_there_are_ports() -> glassnet::Result {
    let mut sim = Sim::new(7);
    closing_server(&mut sim);
    let small = HostOptions::default().recv_buffer(1_000).send_buffer(1_000);
    sim.host_options("server", small.clone()).host_options("client", small);
    sim.client("client", async {
        let mut connected = 0;
        let error = loop {
            match TcpStream::connect("server:80").await {
                Ok(client) => drop(client),
                Err(error) => break error,
            }
            connected += 1;
            // The server's backlog is 1,024.
            if connected % 1_000 == 0 {
                sleep(ms(10)).await;
            }
        };
        assert_eq!((connected, error.kind()), (28_232, ErrorKind::AddrNotAvailable));
        assert!(now() < secs(60));
        sleep(secs(61)).await;
        drop(TcpStream::connect("server:80").await?);
        Ok(())
    });
    sim.run()
}

#[test]
fn ephemeral_ports_come_from_the_range_of_the_host() -> glassnet::Result {
    let mut sim = Sim::new(7);
    closing_server(&mut sim);
    sim.host_options("client", few_ports());
    sim.client("client", async {
        let (mut ports, mut streams, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..10 {
            streams.push(TcpStream::connect("server:80").await?);
            sockets.push(UdpSocket::bind("0.0.0.0:0").await?);
            ports.push(streams.last().unwrap().local_addr()?.port());
            ports.push(sockets.last().unwrap().local_addr()?.port());
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports, (40_000..=40_009).collect::<Vec<u16>>());
        let error = TcpListener::bind("0.0.0.0:0").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = TcpStream::connect("server:80").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        // To another port of the server's they are free: it answers, though nobody listens.
        let error = TcpStream::connect("server:81").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
    sim.run()
}

#[test]
#[should_panic(expected = "ip_local_port_range of 40009 to 40000 holds no ports")]
fn a_range_without_ports_is_refused() {
    let range = std::ops::RangeInclusive::new(40_009, 40_000);
    let options = HostOptions::default().ip_local_port_range(range);
    Sim::new(7).host_options("client", options);
}
