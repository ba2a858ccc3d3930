use std::io::ErrorKind;

use pcap_file::pcapng::{Block, PcapNgReader};

use super::{interface, section};
use crate::capture::{CaptureWriter, Direction, TlsSecrets};

fn capture(secrets: &TlsSecrets) -> CaptureWriter<Vec<u8>> {
    let writer = CaptureWriter::new(Vec::new(), &section(), &[interface()], &[]).unwrap();
    writer.with_secrets(secrets.clone())
}

fn frame(capture: &mut CaptureWriter<Vec<u8>>) {
    capture.frame(0, 0, Direction::Outbound, 1, &[], false, b"frame").unwrap();
}

/// What follows the head: a frame, or the text of a block of secrets.
fn told(file: &[u8]) -> Vec<String> {
    let blocks = PcapNgReader::new(file).unwrap().into_iter().map(|block| block.unwrap());
    let mut told = Vec::new();
    for block in blocks {
        match block {
            Block::EnhancedPacket(_) => told.push("frame".to_owned()),
            Block::Unknown(block) => {
                assert_eq!(block.type_, 0x0a);
                assert_eq!(block.value[..4], *b"KSLT");
                let length = u32::from_le_bytes(block.value[4..8].try_into().unwrap()) as usize;
                let (text, padding) = block.value[8..].split_at(length);
                assert!(padding.len() < 4 && padding.iter().all(|octet| *octet == 0));
                assert_eq!(block.value.len() % 4, 0);
                told.push(String::from_utf8(text.to_vec()).unwrap());
            }
            _ => {}
        }
    }
    told
}

#[test]
fn secrets_stand_before_the_next_frame_and_what_comes_last_at_the_end() {
    let secrets = TlsSecrets::default();
    let mut capture = capture(&secrets);
    frame(&mut capture);
    secrets.add("CLIENT_RANDOM", &[1, 0xab], &[0xff]).unwrap();
    secrets.add("CLIENT_RANDOM", &[2], &[3]).unwrap();
    frame(&mut capture);
    frame(&mut capture);
    secrets.add("SERVER_TRAFFIC_SECRET_0", &[4], &[5]).unwrap();
    let file = capture.finish().unwrap();
    assert_eq!(
        told(&file),
        [
            "frame",
            "CLIENT_RANDOM 01ab ff\nCLIENT_RANDOM 02 03\n",
            "frame",
            "frame",
            "SERVER_TRAFFIC_SECRET_0 04 05\n",
        ]
    );
}

#[test]
fn every_capture_holds_every_secret_also_one_that_begins_later() {
    let secrets = TlsSecrets::default();
    let mut early = capture(&secrets);
    secrets.add("CLIENT_RANDOM", &[1], &[2]).unwrap();
    frame(&mut early);
    let late = capture(&secrets);
    secrets.add("CLIENT_RANDOM", &[3], &[4]).unwrap();
    let early = told(&early.finish().unwrap());
    assert_eq!(early, ["CLIENT_RANDOM 01 02\n", "frame", "CLIENT_RANDOM 03 04\n"]);
    let late = told(&late.finish().unwrap());
    assert_eq!(late, ["CLIENT_RANDOM 01 02\nCLIENT_RANDOM 03 04\n"]);
}

#[test]
fn what_both_sides_add_is_kept_once() {
    let secrets = TlsSecrets::default();
    let mut capture = capture(&secrets);
    for _ in 0..2 {
        secrets.clone().add("CLIENT_RANDOM", &[1], &[2]).unwrap();
        frame(&mut capture);
    }
    let told = told(&capture.finish().unwrap());
    assert_eq!(told, ["CLIENT_RANDOM 01 02\n", "frame", "frame"]);
}

#[test]
fn secrets_that_no_key_log_could_hold_are_refused() {
    let secrets = TlsSecrets::default();
    let refused = |label: &str, random: &[u8], secret: &[u8]| {
        secrets.add(label, random, secret).map_err(|error| error.kind())
    };
    for label in ["", "TWO WORDS", "TWO\nLINES", "É"] {
        assert_eq!(refused(label, &[1], &[1]), Err(ErrorKind::InvalidInput), "{label:?}");
    }
    assert_eq!(refused("A", &[], &[1]), Err(ErrorKind::InvalidInput));
    assert_eq!(refused("A", &[1], &[]), Err(ErrorKind::InvalidInput));
    assert_eq!(refused("A", &[1], &[0; 510]), Err(ErrorKind::InvalidInput));
    assert_eq!(refused("A", &[1], &[0; 509]), Ok(()));
    assert_eq!(told(&capture(&secrets).finish().unwrap()).len(), 1);
}

#[test]
fn a_world_keeps_a_hundred_thousand_secrets() {
    let secrets = TlsSecrets::default();
    for number in 0..100_000_u32 {
        secrets.add("A", &number.to_le_bytes(), &[1]).unwrap();
    }
    let more = secrets.add("A", &[0xff], &[1]);
    assert_eq!(more.unwrap_err().kind(), ErrorKind::QuotaExceeded);
    // What is known already is no more.
    secrets.add("A", &[0; 4], &[1]).unwrap();
}

#[test]
fn printing_them_for_debugging_gives_none_away() {
    let secrets = TlsSecrets::default();
    secrets.add("CLIENT_RANDOM", &[0xab], &[0xcd]).unwrap();
    assert_eq!(format!("{secrets:?}"), "TlsSecrets { count: 1, .. }");
}
