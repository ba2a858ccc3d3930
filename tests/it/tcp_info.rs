//! What a connection tells of itself (`TCP_INFO`), in worlds of which it is known what it must be.

use std::io;
use std::rc::Rc;

use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::sleep;
use glassnet::{HostOptions, Sim, TcpCaState, TcpEngine, TcpInfo, TcpState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Log, ms, pattern, secs};

/// No slow-start threshold.
const INFINITE: u32 = 0x7fff_ffff;

/// A world with Linux's TCP, and 20 ms between a client and a server and back. The server reads
/// what comes, and notes what its first connection tells when that ends.
fn with_reader(options: HostOptions) -> (Sim, Log<TcpInfo>) {
    let mut sim = Sim::new(1);
    sim.default_options(options);
    sim.link("client", "server").delay(ms(10));
    let told = Log::new();
    let noted = told.clone();
    sim.host("server", move || {
        let noted = noted.clone();
        async move {
            let listener = TcpListener::bind("0.0.0.0:80").await?;
            // The first is there to ask for the addresses.
            drop(listener.accept().await?);
            let (mut stream, _) = listener.accept().await?;
            let mut buffer = vec![0; 65_536];
            while stream.read(&mut buffer).await? > 0 {}
            noted.note(stream.info()?);
            Ok(())
        }
    });
    (sim, told)
}

/// A connection whose handshake takes one round trip: Ethernet addresses are known.
async fn connect() -> io::Result<TcpStream> {
    drop(TcpStream::connect("server:80").await?);
    TcpStream::connect("server:80").await
}

#[test]
fn a_handshake_is_told_at_both_ends() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.link("client", "server").delay(ms(10));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        drop(listener.accept().await?);
        let (stream, _) = listener.accept().await?;
        let info = stream.info()?;
        assert_eq!((info.state, info.ca_state), (TcpState::Established, TcpCaState::Open));
        assert_eq!((info.options, info.snd_wscale, info.rcv_wscale), (7, 7, 7));
        assert_eq!((info.rtt, info.rttvar, info.min_rtt), (20_000, 10_000, 20_000));
        // Linux counts neither the SYN-ACK nor its acknowledgment.
        assert_eq!((info.segs_out, info.segs_in, info.bytes_acked), (0, 2, 0));
        assert_eq!((info.delivered, info.last_data_recv), (1, 20));
        sleep(secs(1)).await;
        Ok(())
    });
    sim.client("client", async {
        let stream = connect().await?;
        let info = stream.info()?;
        assert_eq!((info.state.number(), info.ca_state.number()), (1, 0));
        assert_eq!((info.options, info.snd_wscale, info.rcv_wscale), (7, 7, 7));
        assert_eq!((info.rto, info.rtt, info.rttvar), (220_000, 20_000, 10_000));
        assert_eq!((info.snd_mss, info.advmss, info.rcv_mss, info.pmtu), (1448, 1448, 536, 1500));
        assert_eq!((info.snd_cwnd, info.snd_ssthresh, info.reordering), (10, INFINITE, 3));
        assert_eq!((info.segs_out, info.segs_in, info.bytes_acked), (2, 1, 1));
        assert_eq!((info.delivered, info.unacked, info.ato), (1, 0, 0));
        assert_eq!((info.snd_wnd, info.rcv_ssthresh, info.rcv_space), (64_240, 64_088, 14_600));
        // Twice ten segments each 20 ms.
        assert_eq!((info.pacing_rate, info.max_pacing_rate), (1_448_000, u64::MAX));
        assert_eq!(info.field("tcpi_snd_cwnd"), Some(10));
        assert_eq!(SockRef::from(&stream).tcp_info()?, info);
        sleep(ms(100)).await;
        let later = stream.info()?;
        assert_eq!(
            (later.last_data_sent, later.last_data_recv, later.last_ack_recv),
            (100, 100, 100)
        );
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_syn_that_waits_for_its_answer_is_in_flight() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.host("server", || async {
        sleep(secs(100)).await;
        Ok(())
    });
    sim.drop_frames("client:syn:1-3".parse().unwrap());
    sim.client("client", async {
        let socket = Rc::new(Socket::new(Domain::IPV4, Type::STREAM, None)?);
        socket.set_nonblocking(true)?;
        let address = "10.0.0.1:80".parse::<std::net::SocketAddr>()?;
        socket.connect(&address.into()).await.unwrap_err();
        sleep(ms(3_500)).await;
        let info = socket.tcp_info()?;
        assert_eq!((info.state, info.unacked), (TcpState::SynSent, 1));
        // Sent again after 1 and 3 seconds; the next time is 4 seconds later.
        assert_eq!((info.retransmits, info.backoff, info.total_retrans), (2, 2, 2));
        assert_eq!((info.rto, info.snd_mss, info.segs_out), (4_000_000, 536, 3));
        assert_eq!((info.min_rtt, info.rttvar, info.rtt), (u32::MAX, 250_000, 0));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_request_and_its_answer_are_counted_at_both_ends() {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim.link("client", "server").delay(ms(10));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        drop(listener.accept().await?);
        let (mut stream, _) = listener.accept().await?;
        stream.read_exact(&mut [0; 100]).await?;
        stream.write_all(&pattern(20_000)).await?;
        let at_once = stream.info()?;
        assert_eq!((at_once.unacked, at_once.notsent_bytes), (10, 20_000 - 14_480));
        sleep(ms(500)).await;
        let info = stream.info()?;
        assert_eq!((info.bytes_received, info.data_segs_in), (100, 1));
        assert_eq!((info.bytes_sent, info.bytes_acked), (20_000, 20_000));
        assert_eq!((info.data_segs_out, info.delivered, info.segs_out), (14, 15, 15));
        assert_eq!((info.bytes_retrans, info.total_retrans, info.notsent_bytes), (0, 0, 0));
        // Ten segments in the first round trip, all of the rest in the second.
        assert_eq!((info.snd_cwnd, info.busy_time, info.unacked), (20, 40_000, 0));
        assert_eq!((info.rwnd_limited, info.sndbuf_limited), (0, 0));
        // The last four in 20 ms.
        assert_eq!((info.delivery_rate, info.delivery_rate_app_limited), (289_600, false));
        assert_eq!((info.last_data_sent, info.last_ack_recv, info.last_data_recv), (480, 460, 500));
        Ok(())
    });
    sim.client("client", async {
        let mut stream = connect().await?;
        stream.write_all(&[1; 100]).await?;
        stream.read_exact(&mut [0; 20_000]).await?;
        let info = stream.info()?;
        assert_eq!((info.bytes_sent, info.bytes_acked, info.bytes_received), (100, 101, 20_000));
        assert_eq!((info.data_segs_out, info.data_segs_in, info.rcv_mss), (1, 14, 1448));
        assert_eq!((info.last_data_sent, info.last_data_recv), (40, 0));
        assert_eq!((info.busy_time, info.delivered, info.delivery_rate), (20_000, 2, 72_400));
        assert_eq!((info.ato, info.rcv_rtt), (40_000, 20_000));
        sleep(ms(500)).await;
        // The FIN counts as a byte.
        let info = stream.info()?;
        assert_eq!((info.state, info.bytes_received), (TcpState::CloseWait, 20_001));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_lost_segment_is_told_as_recovery_and_its_end() {
    let (mut sim, told) = with_reader(HostOptions::linux());
    sim.drop_frames("client:data:3".parse().unwrap());
    sim.client("client", async {
        let mut stream = connect().await?;
        stream.write_all(&pattern(10 * 1448)).await?;
        sleep(ms(15)).await;
        let info = stream.info()?;
        assert_eq!((info.unacked, info.sacked, info.lost, info.retrans), (10, 0, 0, 0));
        // The ACKs of the others came after 20 ms.
        sleep(ms(10)).await;
        let info = stream.info()?;
        assert_eq!((info.ca_state, info.ca_state.number()), (TcpCaState::Recovery, 3));
        assert_eq!((info.unacked, info.sacked, info.lost, info.retrans), (8, 7, 1, 1));
        // Two had been acknowledged: 0.7 of twelve.
        assert_eq!((info.snd_ssthresh, info.total_retrans), (8, 1));
        assert_eq!((info.bytes_sent, info.bytes_retrans), (11 * 1448, 1448));
        sleep(ms(25)).await;
        let info = stream.info()?;
        assert_eq!((info.ca_state, info.snd_cwnd, info.snd_ssthresh), (TcpCaState::Open, 8, 8));
        assert_eq!((info.unacked, info.sacked, info.lost, info.retrans), (0, 0, 0, 0));
        assert_eq!((info.bytes_acked, info.delivered), (10 * 1448 + 1, 11));
        assert_eq!((info.data_segs_out, info.dsack_dups, info.reord_seen), (11, 0, 0));
        assert_eq!(info.busy_time, 40_000);
        Ok(())
    });
    sim.run().unwrap();
    let info = told.all()[0];
    assert_eq!((info.rcv_ooopack, info.bytes_received), (7, 10 * 1448 + 1));
}

#[test]
fn timeouts_are_counted_and_told_as_loss() {
    let (mut sim, _) = with_reader(HostOptions::linux());
    let faults = sim.faults();
    sim.client("client", async move {
        let mut stream = connect().await?;
        let _cut = faults.guarded().partition("client", "server");
        stream.write_all(&pattern(4 * 1448)).await?;
        // A probe after 42 ms, timeouts 220 ms after it, then 440 ms later.
        sleep(ms(100)).await;
        let info = stream.info()?;
        assert_eq!((info.ca_state, info.retransmits, info.total_retrans), (TcpCaState::Open, 0, 1));
        sleep(ms(700)).await;
        let info = stream.info()?;
        assert_eq!((info.ca_state, info.ca_state.number()), (TcpCaState::Loss, 4));
        assert_eq!((info.retransmits, info.backoff, info.rto), (2, 2, 880_000));
        assert_eq!((info.lost, info.retrans, info.snd_cwnd), (4, 1, 1));
        assert_eq!((info.total_retrans, info.bytes_retrans), (3, 3 * 1448));
        assert_eq!(info.snd_ssthresh, 7);
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn sockets_without_a_connection_tell_what_linux_tells_of_them() {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let info = socket.tcp_info()?;
        assert_eq!((info.state.number(), info.snd_cwnd, info.snd_mss), (7, 10, 536));
        assert_eq!((info.rto, info.snd_ssthresh, info.min_rtt), (1_000_000, INFINITE, u32::MAX));
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let info = SockRef::from(&listener).tcp_info()?;
        assert_eq!((info.state.number(), info.unacked, info.sacked), (10, 0, 1024));
        sleep(ms(100)).await;
        let info = SockRef::from(&listener).tcp_info()?;
        assert_eq!((info.state.number(), info.unacked, info.sacked), (10, 2, 1024));
        let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        assert_eq!(datagrams.tcp_info().unwrap_err().raw_os_error(), Some(92));
        let local = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        assert_eq!(local.tcp_info().unwrap_err().kind(), io::ErrorKind::Unsupported);
        Ok(())
    });
    sim.client("client", async {
        sleep(ms(10)).await;
        let _both =
            (TcpStream::connect("server:80").await?, TcpStream::connect("server:80").await?);
        sleep(secs(1)).await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_connection_that_is_over_goes_on_telling() {
    let (mut sim, _) = with_reader(HostOptions::linux());
    sim.client("client", async {
        let mut stream = connect().await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
        sleep(ms(100)).await;
        let info = stream.info()?;
        // TIME-WAIT is the host's; the socket is closed. SYN and FIN are a byte each.
        assert_eq!((info.state, info.bytes_acked), (TcpState::Closed, 7));
        assert_eq!((info.bytes_received, info.data_segs_out), (1, 1));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn smoltcps_engine_tells_what_is_counted_beside_it() {
    let options = HostOptions::default().tcp_engine(TcpEngine::Smoltcp);
    let (mut sim, told) = with_reader(options);
    sim.drop_frames("client:data:3".parse().unwrap());
    sim.client("client", async {
        let mut stream = connect().await?;
        let info = stream.info()?;
        assert_eq!((info.state, info.bytes_acked, info.segs_out), (TcpState::Established, 1, 2));
        stream.write_all(&pattern(5 * 1460)).await?;
        sleep(secs(5)).await;
        let info = stream.info()?;
        assert_eq!((info.bytes_acked, info.notsent_bytes), (5 * 1460 + 1, 0));
        assert_eq!((info.total_retrans, info.bytes_sent - info.bytes_retrans), (1, 5 * 1460));
        assert_eq!((info.pmtu, info.advmss, info.snd_wnd), (1500, 1460, 65_535 - 3 * 1460));
        assert_eq!((info.rtt, info.snd_cwnd, info.rto), (0, 0, 0));
        assert!(info.last_data_sent > 3_000 && info.last_ack_recv > 3_000, "{info:?}");
        Ok(())
    });
    sim.run().unwrap();
    let info = told.all()[0];
    assert_eq!((info.bytes_received, info.data_segs_in), (5 * 1460 + 1, 5));
}

#[test]
fn a_segment_that_arrives_twice_is_told_by_a_dsack() {
    let (mut sim, _) = with_reader(HostOptions::linux());
    let faults = sim.faults();
    sim.client("client", async move {
        let mut stream = connect().await?;
        sleep(ms(100)).await;
        // The acknowledgment is lost, and the segment is sent again after 2 * 20 + 200 ms.
        let cut = faults.guarded().partition_one_way("server", "client");
        stream.write_all(&pattern(1448)).await?;
        sleep(ms(100)).await;
        assert_eq!((stream.info()?.unacked, stream.info()?.total_retrans), (1, 0));
        drop(cut);
        sleep(ms(400)).await;
        let info = stream.info()?;
        assert_eq!((info.dsack_dups, info.total_retrans, info.unacked), (1, 1, 0));
        assert_eq!((info.ca_state, info.snd_cwnd), (TcpCaState::Open, 10));
        assert_eq!((info.bytes_acked, info.bytes_retrans), (1449, 1448));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_segment_that_is_overtaken_is_told_as_reordering() {
    let (mut sim, told) = with_reader(HostOptions::linux());
    let faults = sim.faults();
    sim.client("client", async move {
        let mut stream = connect().await?;
        sleep(ms(100)).await;
        stream.write_all(&pattern(1448)).await?;
        // The next is on its way for 2 ms less.
        faults.one_way("client", "server").delay(ms(8));
        sleep(ms(1)).await;
        stream.write_all(&pattern(1448)).await?;
        sleep(ms(200)).await;
        let info = stream.info()?;
        assert_eq!((info.reord_seen, info.total_retrans), (1, 0));
        assert_eq!((info.bytes_acked, info.delivered), (2 * 1448 + 1, 3));
        Ok(())
    });
    sim.run().unwrap();
    assert_eq!(told.all()[0].rcv_ooopack, 1);
}

#[test]
fn keep_alive_probes_are_counted() {
    let (mut sim, _) = with_reader(HostOptions::linux());
    let faults = sim.faults();
    sim.client("client", async move {
        let stream = connect().await?;
        let keepalive = TcpKeepalive::new().with_time(secs(10)).with_interval(secs(1));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let _cut = faults.guarded().partition("client", "server");
        sleep(ms(12_500)).await;
        let info = stream.info()?;
        assert_eq!((info.probes, info.state, info.retransmits), (3, TcpState::Established, 0));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_window_that_idles_begins_again_with_ten_segments() {
    let (mut sim, _) = with_reader(HostOptions::linux());
    sim.client("client", async {
        let mut stream = connect().await?;
        stream.write_all(&pattern(60 * 1448)).await?;
        sleep(ms(500)).await;
        let grown = stream.info()?.snd_cwnd;
        assert!(grown > 40, "{grown}");
        sleep(secs(3)).await;
        stream.write_all(&pattern(1448)).await?;
        let info = stream.info()?;
        assert_eq!((info.snd_cwnd, info.snd_ssthresh, info.unacked), (10, INFINITE, 1));
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn what_a_bottleneck_takes_is_the_delivery_rate_and_buffers_grow_to_it() {
    let (mut sim, told) = with_reader(HostOptions::linux());
    sim.link("client", "server").delay(ms(10)).rate(10_000_000).queue(50);
    sim.client("client", async move {
        let mut stream = connect().await?;
        let data = pattern(200_000);
        for _ in 0..20 {
            stream.write_all(&data).await?;
        }
        let info = stream.info()?;
        // 10 Mbit/s of frames of 1514 bytes are 1,195,508 bytes of payload a second.
        let expected = 1_195_508;
        assert!(info.delivery_rate.abs_diff(expected) < expected / 20, "{info:?}");
        assert!(!info.delivery_rate_app_limited, "{info:?}");
        // 1.2 windows a round trip.
        let paced = 12 * u64::from(info.snd_cwnd * 1448) * 100_000 / u64::from(info.rtt);
        assert_eq!(info.pacing_rate, paced);
        assert!(info.notsent_bytes > 0 && info.busy_time > 2_000_000, "{info:?}");
        Ok(())
    });
    sim.run().unwrap();
    let info = told.all()[0];
    assert!(info.rcv_rtt > 15_000 && info.rcv_space > 14_600, "{info:?}");
    assert!(info.rcv_ssthresh > 64_240 && info.rcv_wnd > 0, "{info:?}");
}

#[test]
fn a_send_buffer_that_is_too_small_is_told_as_the_limit() {
    let (mut sim, _) = with_reader(HostOptions::linux().send_buffer(4_608));
    sim.client("client", async {
        let socket = TcpSocket::new_v4()?;
        socket.set_send_buffer_size(2_304)?;
        drop(TcpStream::connect("server:80").await?);
        let mut stream = socket.connect("10.0.0.1:80".parse().unwrap()).await?;
        stream.write_all(&pattern(400_000)).await?;
        sleep(ms(100)).await;
        let info = stream.info()?;
        assert!(info.sndbuf_limited * 10 > info.busy_time * 9, "{info:?}");
        assert_eq!(info.rwnd_limited, 0);
        Ok(())
    });
    sim.run().unwrap();
}
