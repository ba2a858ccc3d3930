//! In a live world, too, each write is a segment, and a FIN behind it is another.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::directory::Directory;
use glassnet::net::{TcpListener, TcpStream};
use glassnet::{Live, TcpSegment, time};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn read_to_the_end() -> glassnet::Result {
    let mut stream = loop {
        match TcpStream::connect("server:7").await {
            Ok(stream) => break stream,
            // It does not listen yet.
            Err(error) if error.kind() != ErrorKind::NotFound => {
                time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    assert_eq!(stream.read_to_end(&mut Vec::new()).await?, 43);
    Ok(())
}

/// The segments with data or a FIN from port 7 that a capture holds: bytes, and whether with a FIN.
fn segments(capture: &Path) -> Vec<(u32, bool)> {
    let bytes = fs::read(capture).unwrap();
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(&bytes).unwrap();
    let mut segments = Vec::new();
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block
            && let Some(segment) = TcpSegment::parse(&packet.data)
            && segment.source.port() == 7
            && (segment.len > 0 || segment.fin)
        {
            segments.push((segment.len, segment.fin));
        }
        rest = after;
    }
    segments
}

#[test]
fn on_a_cable_two_writes_with_nodelay_and_a_close_are_three_segments() {
    let directory = Directory::new("writes");
    let (cable, capture) = (directory.join("cable"), directory.join("server.pcapng"));
    let server = {
        let (cable, capture) = (cable.clone(), capture.clone());
        thread::spawn(move || {
            let mut live = Live::cable(cable).unwrap();
            live.hostname("server").leave_signals(true);
            live.capture(capture).unwrap();
            live.run(async {
                let (mut stream, _) = TcpListener::bind("0.0.0.0:7").await?.accept().await?;
                stream.set_nodelay(true)?;
                stream.write_all(&[b'h'; 38]).await?;
                stream.write_all(&[b'b'; 5]).await?;
                Ok(())
            })
            .unwrap();
        })
    };
    let client = thread::spawn(move || {
        let mut live = Live::cable(cable).unwrap();
        live.hostname("client").leave_signals(true).peer("server");
        live.run(read_to_the_end()).unwrap();
    });
    client.join().unwrap();
    server.join().unwrap();
    // A machine that stands still for a second adds retransmissions.
    assert_eq!(segments(&capture)[..3], [(38, false), (5, false), (0, true)]);
}
