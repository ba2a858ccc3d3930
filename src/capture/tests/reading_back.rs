use std::borrow::Cow;
use std::time::Duration;

use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::name_resolution::Record;
use pcap_file::pcapng::blocks::opt_common::{CommonOption, UnknownOption};
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader, PcapNgWriter};
use pcap_file::{DataLink, Endianness};

use super::{capture, interface, names, section};
use crate::capture::{CaptureWriter, Direction, EPOCH_SECONDS, Interface};

fn read(file: &[u8]) -> Vec<Block<'static>> {
    let reader = PcapNgReader::new(file).unwrap();
    let header = Block::SectionHeader(reader.section().clone());
    let rest = reader.into_iter().map(|block| block.unwrap());
    std::iter::once(header).chain(rest).collect()
}

fn packets(file: &[u8]) -> Vec<EnhancedPacketBlock<'static>> {
    read(file).into_iter().filter_map(Block::into_enhanced_packet).collect()
}

fn entries(file: &[u8]) -> Vec<Vec<u8>> {
    read(file)
        .into_iter()
        .filter_map(Block::into_systemd_journal_export)
        .map(|block| block.journal_entry.into_owned())
        .collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn packet_id(value: u64) -> EnhancedPacketOption<'static> {
    let value = value.to_le_bytes().to_vec().into();
    EnhancedPacketOption::Common(CommonOption::Unknown(UnknownOption { code: 5, value }))
}

fn comment(text: &str) -> EnhancedPacketOption<'static> {
    EnhancedPacketOption::Common(CommonOption::Comment(text.to_owned().into()))
}

fn comments(packet: &EnhancedPacketBlock<'_>) -> Vec<String> {
    let text = |option: &EnhancedPacketOption<'_>| match option {
        EnhancedPacketOption::Common(CommonOption::Comment(text)) => Some(text.to_string()),
        _ => None,
    };
    packet.options.iter().filter_map(text).collect()
}

#[test]
fn the_section_says_who_wrote_it_and_from_which_seed() {
    let file = capture(Vec::new()).unwrap().finish().unwrap();
    let header = read(&file).remove(0).into_section_header().unwrap();
    assert_eq!(header.endianness, Endianness::Little);
    assert_eq!(
        header.options,
        [
            SectionHeaderOption::Hardware("glassnet simulated network".into()),
            SectionHeaderOption::UserApplication(
                concat!("glassnet ", env!("CARGO_PKG_VERSION")).into()
            ),
            SectionHeaderOption::Common(CommonOption::Comment("seed=7 vantage=client.eth0".into())),
        ]
    );
}

#[test]
fn an_interface_is_described_in_full() {
    let file = capture(Vec::new()).unwrap().finish().unwrap();
    let block = read(&file).remove(1).into_interface_description().unwrap();
    assert_eq!(block.linktype, DataLink::ETHERNET);
    assert_eq!(block.snaplen, 0);
    assert_eq!(
        block.options,
        [
            InterfaceDescriptionOption::IfName("client.eth0".into()),
            InterfaceDescriptionOption::IfDescription("to the LAN".into()),
            InterfaceDescriptionOption::IfIpv4Addr(vec![10, 0, 0, 1, 255, 255, 0, 0].into()),
            InterfaceDescriptionOption::IfIpv6Addr(
                [&[0xfd][..], &[0; 14], &[1, 64]].concat().into()
            ),
            InterfaceDescriptionOption::IfMacAddr(vec![2, 0, 0, 0, 0, 1].into()),
            InterfaceDescriptionOption::IfSpeed(10_000_000),
            InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO),
            InterfaceDescriptionOption::IfFcsLen(0),
        ]
    );
}

#[test]
fn addresses_have_names_however_many_there_are() {
    let mut names = names();
    for host in 0..2_500_u32 {
        names.push((std::net::Ipv4Addr::from(host).into(), format!("host{host}")));
    }
    let file = CaptureWriter::new(Vec::new(), &section(), &[], &names).unwrap().finish().unwrap();
    let records: Vec<_> = read(&file)
        .into_iter()
        .filter_map(Block::into_name_resolution)
        .flat_map(|block| block.records)
        .collect();
    let read_names: Vec<_> = records
        .iter()
        .map(|record| match record {
            Record::Ipv4(a) => (a.ip_addr.into(), a.names.concat()),
            Record::Ipv6(a) => (a.ip_addr.into(), a.names.concat()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(read_names, names);
}

#[test]
fn a_frame_comes_back_with_everything_said_about_it() {
    let mut capture = capture(Vec::new()).unwrap();
    let said = ["dropped: loss", "duplicate of 3"];
    capture.frame(1_000_000_001, 0, Direction::Inbound, 9, &said, true, b"abcde").unwrap();
    capture.frame(0, 0, Direction::Outbound, u64::MAX, &[], false, b"").unwrap();
    let file = capture.finish().unwrap();
    let first = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::new(EPOCH_SECONDS + 1, 1),
        original_len: 5,
        data: Cow::Borrowed(b"abcde"),
        options: vec![
            EnhancedPacketOption::Flags(1 << 24 | 1),
            packet_id(9),
            comment("dropped: loss"),
            comment("duplicate of 3"),
        ],
    };
    let second = EnhancedPacketBlock {
        interface_id: 0,
        timestamp: Duration::new(EPOCH_SECONDS, 0),
        original_len: 0,
        data: Cow::Borrowed(b""),
        options: vec![EnhancedPacketOption::Flags(2), packet_id(u64::MAX)],
    };
    assert_eq!(packets(&file), [first, second]);
}

#[test]
fn our_layout_is_byte_for_byte_that_of_pcap_file() {
    let frame = [0xa5; 70];
    let mut capture = capture(Vec::new()).unwrap();
    for length in 0..frame.len() {
        let text = "é".repeat(length);
        capture
            .frame(
                length as u64,
                0,
                Direction::Inbound,
                length as u64,
                &[&text, &text[..length / 2 * 2]],
                length % 2 == 0,
                &frame[..length],
            )
            .unwrap();
        capture.event(length as u64, "host", &text).unwrap();
    }
    let file = capture.finish().unwrap();

    let mut blocks = read(&file).into_iter();
    let header = blocks.next().unwrap().into_section_header().unwrap();
    let mut writer = PcapNgWriter::with_section_header(Vec::new(), header).unwrap();
    for block in blocks {
        writer.write_block(&block).unwrap();
    }
    assert!(writer.into_inner() == file);
}

#[test]
fn an_event_has_its_time_its_host_and_its_message() {
    let mut capture = capture(Vec::new()).unwrap();
    capture.event(1_500_000_999, "client", "SYN-SENT").unwrap();
    let file = capture.finish().unwrap();
    let [entry] = &entries(&file)[..] else {
        panic!("one event expected");
    };
    let text = std::str::from_utf8(entry).unwrap().trim_end_matches('\0');
    assert_eq!(
        text,
        "__REALTIME_TIMESTAMP=946684801500000\n\
         __MONOTONIC_TIMESTAMP=1500000\n\
         GLASSNET_TIME_NS=1500000999\n\
         PRIORITY=6\n\
         SYSLOG_IDENTIFIER=glassnet\n\
         _HOSTNAME=client\n\
         MESSAGE=SYN-SENT\n"
    );
}

#[test]
fn a_message_of_several_lines_stays_one_field() {
    let mut capture = capture(Vec::new()).unwrap();
    capture.event(0, "", "down\nPRIORITY=0\n").unwrap();
    let file = capture.finish().unwrap();
    let entry = entries(&file).remove(0);
    assert!(contains(&entry, b"MESSAGE\n\x10\0\0\0\0\0\0\0down\nPRIORITY=0\n\n"));
    assert!(!contains(&entry, b"_HOSTNAME"));
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let write = || {
        let mut capture = capture(Vec::new()).unwrap();
        for number in 0..100_u64 {
            let bytes = number.to_le_bytes();
            capture.frame(number, 0, Direction::Outbound, number, &["x"], false, &bytes).unwrap();
            capture.event(number, "client", "tick").unwrap();
        }
        capture.finish().unwrap()
    };
    assert!(write() == write());
}

#[test]
fn a_snap_length_cuts_the_frame_and_keeps_its_true_length() {
    let interfaces = [Interface { snap: 4, ..interface() }, interface()];
    let mut capture = CaptureWriter::new(Vec::new(), &section(), &interfaces, &[]).unwrap();
    capture.frame(0, 0, Direction::Inbound, 1, &[], false, b"abcdef").unwrap();
    capture.frame(0, 1, Direction::Inbound, 1, &[], false, b"abcdef").unwrap();
    let packets = packets(&capture.finish().unwrap());
    assert_eq!(*packets[0].data, *b"abcd");
    assert_eq!(packets[0].original_len, 6);
    assert_eq!(*packets[1].data, *b"abcdef");
}

#[test]
fn what_wireshark_would_refuse_as_too_long_is_cut() {
    let mut capture = capture(Vec::new()).unwrap();
    let comment = "ü".repeat(40_000);
    capture.frame(0, 0, Direction::Inbound, 1, &[&comment], false, &[1; 300_000]).unwrap();
    capture.event(0, &comment, &"m".repeat(300_000)).unwrap();
    let file = capture.finish().unwrap();

    let packet = packets(&file).remove(0);
    assert_eq!(packet.data.len(), 262_144);
    assert_eq!(packet.original_len, 300_000);
    let comment = comments(&packet).remove(0);
    assert!(comment.len() > 65_000 && comment.ends_with("ü…"));
    assert!(entries(&file)[0].len() < 262_144);
}
