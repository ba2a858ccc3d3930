//! glassnet's own TCP, as `HostOptions::linux()` sets it, seen by users: times and rates of Linux.

use std::time::Duration;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::Instant;
use glassnet::{HostOptions, Sim, TcpEngine};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Log, Wire, ms, now, pattern, secs};

/// A server that answers a request of three bytes with `size`.
fn answering(sim: &mut Sim, size: usize) {
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 3]).await?;
            stream.write_all(&pattern(size)).await?;
        }
    });
}

/// How long a request and its answer take, the handshake not counted.
fn answer_takes(mut sim: Sim, size: usize) -> Duration {
    answering(&mut sim, size);
    let took = Log::new();
    let noted = took.clone();
    sim.client("client", async move {
        let mut stream = TcpStream::connect("server:80").await?;
        let began = Instant::now();
        stream.write_all(b"get").await?;
        let mut answer = vec![0; size];
        stream.read_exact(&mut answer).await?;
        assert_eq!(answer, pattern(size));
        noted.note(began.elapsed());
        Ok(())
    });
    sim.run().unwrap();
    took.all()[0]
}

fn linux() -> Sim {
    let mut sim = Sim::new(1);
    sim.default_options(HostOptions::linux());
    sim
}

// From input-output-hk/ouroboros-leios#218 and the 14 kB rule of web pages.
#[test]
fn fourteen_kilobytes_take_one_round_trip_and_96_take_three() {
    for (size, round_trips) in [(14_000, 1), (98_304, 3)] {
        let mut sim = Sim::new(1);
        // All of a flight arrives in one instant, before any of it is read.
        sim.default_options(HostOptions::linux().recv_buffer(4 << 20).send_buffer(4 << 20));
        sim.link("client", "server").delay(ms(400));
        let took = answer_takes(sim, size);
        let exact = ms(800) * round_trips;
        assert!(took >= exact && took < exact + ms(40), "{size} bytes: {took:?}");
    }
}

#[test]
fn a_megabyte_over_a_lossy_path_is_there_in_seconds() {
    // 256 KiB at 10 ms and 5 % loss take Linux 0.27 s; smoltcp's TCP takes 6.6 s.
    let mut total = Duration::ZERO;
    for seed in 0..10 {
        let mut sim = Sim::new(seed);
        sim.default_options(HostOptions::linux());
        sim.link("client", "server").delay(ms(5)).loss(0.05);
        total += answer_takes(sim, 256 * 1024);
    }
    assert!(total / 10 < ms(600), "{:?}", total / 10);
}

#[test]
fn buffers_grow_with_use_until_the_path_is_full() {
    let mut sim = linux();
    sim.link("client", "server").delay(ms(50)).rate(100_000_000);
    let took = answer_takes(sim, 30_000_000);
    // 2.4 s at the rate of the path; a window of 64 KiB would take 46.
    assert!(took < secs(4), "{took:?}");
}

#[test]
fn the_engines_speak_with_each_other() {
    for [client, server] in
        [[TcpEngine::Glassnet, TcpEngine::Smoltcp], [TcpEngine::Smoltcp, TcpEngine::Glassnet]]
    {
        let mut sim = Sim::new(1);
        sim.host_options("client", HostOptions::default().tcp_engine(client));
        sim.host_options("server", HostOptions::default().tcp_engine(server));
        sim.link("client", "server").delay(ms(5)).loss(0.01);
        answer_takes(sim, 300_000);
    }
}

#[test]
fn default_options_come_before_the_first_host() {
    let mut sim = Sim::new(1);
    sim.client("client", async { Ok(()) });
    sim.default_options(HostOptions::linux());
    let error = sim.run().unwrap_err().to_string();
    assert!(error.contains("before the first host"), "{error}");
}

#[test]
fn what_an_engine_cannot_do_is_an_error_and_not_left_out() {
    let of_smoltcp = HostOptions::default().tcp_engine(TcpEngine::Smoltcp);
    for options in [
        HostOptions::linux().tcp_engine(TcpEngine::Smoltcp),
        of_smoltcp.clone().recv_buffer_max(1 << 20),
        of_smoltcp.clone().send_buffer_max(1 << 20),
        of_smoltcp.clone().adv_win_scale(1),
    ] {
        let mut sim = Sim::new(1);
        sim.client("client", async { Ok(()) });
        sim.host_options("client", options);
        let error = sim.run().unwrap_err().to_string();
        assert!(error.contains("need tcp_engine(TcpEngine::Glassnet)"), "{error}");
    }
}

#[test]
fn a_syn_has_linuxs_options_in_its_order() {
    let mut sim = linux();
    answering(&mut sim, 1);
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        TcpStream::connect("server:80").await?.write_all(b"get").await?;
        assert!(now() < secs(1));
        Ok(())
    });
    sim.run().unwrap();
    let is_syn = |frame: &[u8]| frame.len() > 54 && frame[23] == 6 && frame[47] & 0x02 != 0;
    let syns: Vec<Vec<u8>> =
        wire.sent().into_iter().map(|sent| sent.frame).filter(|frame| is_syn(frame)).collect();
    assert_eq!(syns.len(), 2);
    for syn in syns {
        // mss 1460, sackOK, ts, nop, ws 7; a window of 44 segments.
        assert_eq!(syn[48..50], 64_240u16.to_be_bytes());
        assert_eq!(syn[54..62], [2, 4, 5, 180, 4, 2, 8, 10]);
        assert_eq!(syn[70..74], [1, 3, 3, 7]);
    }
}
