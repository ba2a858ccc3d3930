use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pcap_file::DataLink;
use pcap_file::pcap::{PcapReader, PcapTsResolution};

use super::{interface, section};
use crate::capture::{
    CaptureFile, CaptureWriter, Direction, EPOCH_SECONDS, Interface, LinkType, create_file,
};

fn path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("glassnet-classic-{test}-{}.PCAP", std::process::id()))
}

fn capture(path: &Path, link_type: LinkType) -> CaptureWriter<CaptureFile> {
    let interface = Interface { link_type, snap: 40, ..interface() };
    CaptureWriter::new(create_file(path).unwrap(), &section(), &[interface], &[]).unwrap()
}

/// What is in a file: its link type, and of each frame the time since the start, the length and
/// the bytes.
fn read(path: &Path) -> (DataLink, Vec<(u64, u32, Vec<u8>)>) {
    let file = std::fs::read(path).unwrap();
    let mut reader = PcapReader::new(&file[..]).unwrap();
    assert_eq!(reader.header().ts_resolution, PcapTsResolution::NanoSecond);
    let link_type = reader.header().datalink;
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let since = packet.timestamp().as_nanos() as u64 - EPOCH_SECONDS * 1_000_000_000;
        frames.push((since, packet.orig_len(), packet.data().to_vec()));
    }
    (link_type, frames)
}

fn frame(capture: &mut CaptureWriter<CaptureFile>, time_ns: u64, bytes: &[u8]) {
    capture.frame(time_ns, 0, Direction::Inbound, 1, &["said"], false, bytes).unwrap();
}

#[test]
fn a_classic_file_has_the_frames_their_nanoseconds_and_nothing_else() {
    let path = path("frames");
    for _ in 0..2 {
        // The second time it is our own to overwrite.
        let mut capture = capture(&path, LinkType::Ethernet);
        frame(&mut capture, 1_000_000_007, &[1; 30]);
        capture.event(1_000_000_008, "client", "ESTABLISHED").unwrap();
        frame(&mut capture, 1_000_000_009, &[2; 60]);
        capture.finish().unwrap();
    }
    let (link_type, frames) = read(&path);
    assert_eq!(link_type, DataLink::ETHERNET);
    let expected = [(1_000_000_007, 30, vec![1; 30]), (1_000_000_009, 60, vec![2; 40])];
    assert_eq!(frames, expected);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn another_run_goes_on_in_the_same_file() {
    let path = path("runs");
    let mut capture = capture(&path, LinkType::Ethernet);
    frame(&mut capture, 1, &[1; 30]);
    capture.begin_section(&section(), &[interface()], &[]).unwrap();
    frame(&mut capture, 2, &[2; 30]);
    capture.finish().unwrap();
    assert_eq!(read(&path).1.len(), 2);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn packets_without_ethernet_are_written_without_it() {
    let path = path("raw");
    let mut capture = capture(&path, LinkType::Ip);
    frame(&mut capture, 1, &[&[9; 14][..], &[0x45; 20]].concat());
    capture.finish().unwrap();
    assert_eq!(read(&path), (DataLink::RAW, vec![(1, 20, vec![0x45; 20])]));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_classic_file_of_another_program_is_left_alone() {
    let path = path("foreign");
    let mut foreign = Vec::new();
    super::super::classic::lay_out_head(&mut foreign, LinkType::Ethernet);
    foreign[12..16].fill(0);
    std::fs::write(&path, &foreign).unwrap();
    assert_eq!(create_file(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(std::fs::read(&path).unwrap() == foreign);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_time_beyond_the_format_is_refused() {
    let path = path("late");
    let mut capture = capture(&path, LinkType::Ethernet);
    let late = (u64::from(u32::MAX) - EPOCH_SECONDS + 1) * 1_000_000_000;
    let written = capture.frame(late, 0, Direction::Inbound, 1, &[], false, &[1; 30]);
    assert_eq!(written.unwrap_err().kind(), ErrorKind::InvalidInput);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn whole_records_are_found_wherever_they_are_cut() {
    use super::super::classic::{lay_out_record, whole_records};
    let mut records = Vec::new();
    let mut ends = vec![0];
    for len in [0, 1, 60] {
        lay_out_record(&mut records, 1, &vec![7; len], len as u32).unwrap();
        ends.push(records.len());
    }
    for len in 0..=records.len() {
        let expected = ends.iter().rev().find(|end| **end <= len).unwrap();
        assert_eq!(whole_records(&records, len), *expected, "{len}");
    }
}
