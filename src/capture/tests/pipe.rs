use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgParser};

use super::capture;
use crate::capture::{CaptureWriter, Direction, Format, Pipe};
use crate::task::Alarm;

/// A reader that reads nothing until it is told to.
struct Reader {
    is_asked: Sender<()>,
    may_begin: Receiver<()>,
    has_begun: bool,
    has_read: Arc<Mutex<Vec<u8>>>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.has_begun {
            self.is_asked.send(()).unwrap();
            self.may_begin.recv().unwrap();
            self.has_begun = true;
        }
        self.has_read.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn long_frame(capture: &mut CaptureWriter<Pipe>) {
    capture.frame(0, 0, Direction::Inbound, 1, &[], false, &[0; 60_000]).unwrap();
}

#[test]
fn what_a_slow_reader_leaves_no_room_for_is_counted_in_the_next_frame() {
    let (begin, may_begin) = mpsc::channel();
    let (is_asked, asked) = mpsc::channel();
    let has_read = Arc::new(Mutex::new(Vec::new()));
    let reader = Reader { is_asked, may_begin, has_begun: false, has_read: has_read.clone() };
    let mut capture = capture(Pipe::new(reader, Format::Next, Alarm::default()).unwrap()).unwrap();
    // What the thread has taken to write before it waits makes room again.
    let mut frames = 2;
    (0..frames).for_each(|_| long_frame(&mut capture));
    asked.recv().unwrap();
    // 30 MB.
    frames += 500;
    (0..500).for_each(|_| long_frame(&mut capture));
    assert!(capture.dropped() > 200, "{}", capture.dropped());
    begin.send(()).unwrap();
    while capture.dropped() > 0 {
        long_frame(&mut capture);
        frames += 1;
    }
    capture.settle().unwrap();
    let file = has_read.lock().unwrap();
    let (mut rest, mut parser) = PcapNgParser::new(&file).unwrap();
    let mut accounted_for = 0;
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        rest = after;
        let Block::EnhancedPacket(packet) = block else { continue };
        accounted_for += 1;
        for option in packet.options {
            if let EnhancedPacketOption::DropCount(dropped) = option {
                accounted_for += dropped;
            }
        }
    }
    assert_eq!(accounted_for, frames);
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_rings() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let alarm = Alarm::default();
    let (rings, rang) = mpsc::sync_channel(1);
    let rings = Mutex::new(rings);
    alarm.set(Box::new(move || rings.lock().unwrap().send(()).unwrap()));
    alarm.arm();
    let mut capture = capture(Pipe::new(Gone, Format::Next, alarm).unwrap()).unwrap();
    // It may be written, or noticed, only afterwards.
    let _ = capture.flush();
    rang.recv().unwrap();
    assert_eq!(capture.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}
