use std::io::{self, ErrorKind, Write};
use std::net::Ipv4Addr;

use super::{capture, interface, section};
use crate::capture::output::Sink;
use crate::capture::{CaptureWriter, Direction, Interface, Section, Start};

/// Takes so many bytes and no more.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let taken = self.0.min(bytes.len());
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn small_frame<S: Sink>(capture: &mut CaptureWriter<S>) -> io::Result<()> {
    capture.frame(0, 0, Direction::Inbound, 1, &[], false, b"frame")
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[test]
fn wherever_a_write_fails_the_capture_is_never_called_complete() {
    let whole = {
        let mut capture = capture(Vec::new()).unwrap();
        small_frame(&mut capture).unwrap();
        capture.event(0, "client", "up").unwrap();
        capture.finish().unwrap().len()
    };
    let write = |room| {
        let mut capture = capture(Room(room))?;
        let _ = small_frame(&mut capture);
        let _ = capture.event(0, "client", "up");
        capture.finish()
    };
    for room in 0..whole {
        assert_eq!(kind(write(room)), Some(ErrorKind::StorageFull), "room for {room} bytes");
    }
    assert!(write(whole).is_ok());
}

#[test]
fn after_a_failure_every_call_fails_and_says_why() {
    let mut capture = capture(Vec::new()).unwrap();
    let wrong = capture.frame(0, 1, Direction::Inbound, 1, &[], false, b"frame");
    assert_eq!(kind(wrong), Some(ErrorKind::InvalidInput));
    assert_eq!(kind(small_frame(&mut capture)), Some(ErrorKind::InvalidInput));
    let event = capture.event(0, "client", "up");
    assert_eq!(kind(event), Some(ErrorKind::InvalidInput));
    let error = capture.finish().unwrap_err();
    assert_eq!(error.to_string(), "the capture is incomplete: the capture has no interface 1");
}

#[test]
fn a_flush_that_fails_is_reported() {
    struct Unflushable;
    impl Write for Unflushable {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }
    let finished = capture(Unflushable).unwrap().finish();
    assert_eq!(kind(finished), Some(ErrorKind::BrokenPipe));
}

#[test]
fn names_that_the_format_cannot_hold_are_refused() {
    for name in ["", "a\0b", &"long".repeat(20_000)] {
        let names = [(Ipv4Addr::LOCALHOST.into(), name.to_owned())];
        let refused = CaptureWriter::new(Vec::new(), &section(), &[interface()], &names);
        assert_eq!(kind(refused), Some(ErrorKind::InvalidInput));
    }
}

#[test]
fn texts_of_the_head_that_are_too_long_are_refused() {
    let long = "x".repeat(70_000);
    let section_of =
        |title: &str| Section { seed: 1, title: title.to_owned(), start: Start::Simulated };
    let interface_of = |name: &str| Interface { name: name.to_owned(), ..interface() };
    let title = CaptureWriter::new(Vec::new(), &section_of(&long), &[], &[]);
    assert_eq!(kind(title), Some(ErrorKind::InvalidInput));
    let name = CaptureWriter::new(Vec::new(), &section_of(""), &[interface_of(&long)], &[]);
    assert_eq!(kind(name), Some(ErrorKind::InvalidInput));
}

#[test]
fn a_time_beyond_the_format_is_refused() {
    let mut frames = capture(Vec::new()).unwrap();
    let frame = frames.frame(u64::MAX, 0, Direction::Inbound, 1, &[], false, b"frame");
    assert_eq!(kind(frame), Some(ErrorKind::InvalidInput));
    let mut events = capture(Vec::new()).unwrap();
    let event = events.event(u64::MAX, "client", "late");
    assert_eq!(kind(event), Some(ErrorKind::InvalidInput));
}
