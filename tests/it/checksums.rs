//! Checksums are filled in when somebody looks, and nobody can tell.

use crate::common::{Log, exchange, ms, pattern};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Event, Sim};

const ADDRESSES: [&str; 2] = ["10.0.0.1:7", "[fd00::1]:7"];

/// A client sends 100 kB to an echo server, over IPv4 or IPv6.
fn world(address: &'static str) -> Sim {
    let mut sim = Sim::new(7);
    sim.host("server", || async {
        let listener = TcpListener::bind("[::]:7").await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await?;
        }
    });
    sim.client("client", async move {
        let stream = TcpStream::connect(address).await?;
        assert!(exchange(stream, pattern(100_000)).await? == pattern(100_000));
        Ok(())
    });
    sim
}

/// What arrives from now on.
fn watch(sim: &mut Sim) -> Log<(u64, Vec<u8>)> {
    let log = Log::new();
    let arrived = log.clone();
    sim.observe(move |event| {
        if let Event::Arrived { packet_id, frame, .. } = event {
            arrived.note((*packet_id, frame.to_vec()));
        }
    });
    log
}

/// The one's complement sum of RFC 1071; 0xffff over what holds its own checksum.
fn sum(parts: &[&[u8]]) -> u32 {
    let mut sum = 0;
    for word in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(word[0]) << 8 | word.get(1).copied().map_or(0, u32::from);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// Whether a frame holds TCP; its checksums must be right.
fn is_good_tcp(frame: &[u8]) -> bool {
    let (header, packet) = frame.split_at(14);
    let (addresses, payload) = match header[12..] {
        [0x08, 0x00] if packet[9] == 6 => {
            assert_eq!(sum(&[&packet[..20]]), 0xffff, "of the IPv4 header");
            (&packet[12..20], &packet[20..])
        }
        [0x86, 0xdd] if packet[6] == 6 => (&packet[8..40], &packet[40..]),
        _ => return false,
    };
    let len = (payload.len() as u32).to_be_bytes();
    assert_eq!(sum(&[addresses, &[0, 6], &len, payload]), 0xffff, "of the TCP segment");
    true
}

#[test]
fn every_segment_that_is_seen_has_good_checksums() {
    for address in ADDRESSES {
        let mut sim = world(address);
        let seen = watch(&mut sim);
        sim.run().unwrap();
        assert!(seen.take().iter().filter(|(_, frame)| is_good_tcp(frame)).count() > 100);
    }
}

#[test]
fn who_begins_to_watch_late_sees_what_one_who_watched_from_the_beginning_does() {
    for address in ADDRESSES {
        let mut sim = world(address);
        let all = watch(&mut sim);
        sim.run().unwrap();
        let all = all.take();

        let mut sim = world(address);
        // In the middle of a transfer, with frames on their way.
        sim.run_for(ms(9) + ms(1) / 2).unwrap();
        let late = watch(&mut sim);
        sim.run().unwrap();
        let late = late.take();

        assert!(late.iter().filter(|(_, frame)| is_good_tcp(frame)).count() > 50);
        assert!(late.len() < all.len());
        assert!(all.ends_with(&late));
    }
}
