//! One connection of a cable: frames over a stream.
//!
//! The format is that of QEMU's `-netdev stream`: before each frame its length in bytes, as 4
//! bytes with the highest first; then the frame, from the Ethernet destination on, without FCS.
//!
//! A length of all ones is the last thing that a switch sends to whom it has no room for: QEMU
//! closes the connection upon it, as it should.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::{Interest, MAX_FRAME};
use crate::wire::ethernet::ETHERNET_HEADER;

/// The length before a frame.
const PREFIX: usize = 4;
/// Bytes read in one go; the buffer grows when a frame is larger.
const READ: usize = 32 * 1024;
/// Bytes that may wait to be written; a frame beyond them is dropped.
const MAX_WAITING: usize = 1024 * 1024;
/// Bytes after which writing does not wait for the end of a batch.
const WRITE_AT: usize = 64 * 1024;

/// In place of a frame's length: there is no room for one more.
const NO_ROOM: u32 = u32::MAX;

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Gone {
    /// The other side closed it, or died.
    Left,
    Failed(io::Error),
    /// The switch had no room for one more.
    TurnedAway,
    /// The other side sent what cannot be a frame.
    Rubbish(u32),
}

impl fmt::Display for Gone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gone::Left => formatter.write_str("it has left"),
            Gone::Failed(error) => error.fmt(formatter),
            Gone::TurnedAway => formatter.write_str("it has no room for one more process"),
            Gone::Rubbish(len) => write!(
                formatter,
                "it sent rubbish: a frame of {len} bytes, where {ETHERNET_HEADER} to \
                 {MAX_FRAME} are possible"
            ),
        }
    }
}

/// One end of a connection.
pub(super) struct Member {
    stream: UnixStream,
    /// There may be something to read.
    is_readable: bool,
    incoming: Vec<u8>,
    /// The part of `incoming` that was read and not yet given.
    unread: Range<usize>,
    outgoing: Vec<u8>,
    /// How much of `outgoing` is written.
    written: usize,
}

impl Member {
    pub(super) fn new(stream: UnixStream) -> io::Result<Member> {
        stream.set_nonblocking(true)?;
        Ok(Member {
            stream,
            is_readable: true,
            incoming: vec![0; READ],
            unread: 0..0,
            outgoing: Vec::new(),
            written: 0,
        })
    }

    pub(super) fn interest(&self) -> Interest<'_> {
        Interest { descriptor: self.stream.as_fd(), writable: !self.is_flushed() }
    }

    pub(super) fn note_ready(&mut self, ready: bool) {
        self.is_readable |= ready;
    }

    pub(super) fn is_readable(&self) -> bool {
        self.is_readable
    }

    /// The next frame; `None` when no whole one is there.
    pub(super) fn next_frame(&mut self) -> Result<Option<&[u8]>, Gone> {
        loop {
            if let Some(frame) = self.whole_frame()? {
                return Ok(Some(&self.incoming[frame]));
            }
            if !self.is_readable || !self.read_more()? {
                return Ok(None);
            }
        }
    }

    fn whole_frame(&mut self) -> Result<Option<Range<usize>>, Gone> {
        let Range { start, end } = self.unread;
        let Some(prefix) = self.incoming[start..end].first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let announced = u32::from_be_bytes(*prefix);
        if announced == NO_ROOM {
            return Err(Gone::TurnedAway);
        }
        let len = announced as usize;
        if !(ETHERNET_HEADER..=MAX_FRAME).contains(&len) {
            return Err(Gone::Rubbish(announced));
        }
        let frame = start + PREFIX..start + PREFIX + len;
        if frame.end <= end {
            self.unread.start = frame.end;
            return Ok(Some(frame));
        }
        if self.incoming.len() < PREFIX + len {
            self.incoming.resize(PREFIX + len, 0);
        }
        Ok(None)
    }

    /// Whether something was read.
    fn read_more(&mut self) -> Result<bool, Gone> {
        if self.unread.start > 0 {
            self.incoming.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
        loop {
            match self.stream.read(&mut self.incoming[self.unread.end..]) {
                Ok(0) => return Err(Gone::Left),
                Ok(len) => {
                    self.unread.end += len;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Err(Gone::Left),
                Err(error) => return Err(Gone::Failed(error)),
            }
        }
    }

    /// Queues a frame; false when there is no room, because the other side does not read.
    pub(super) fn send(&mut self, frame: &[u8]) -> bool {
        if self.outgoing.len() - self.written > WRITE_AT {
            self.flush();
        }
        if self.outgoing.len() - self.written > MAX_WAITING {
            return false;
        }
        self.outgoing.extend_from_slice(&(frame.len() as u32).to_be_bytes());
        self.outgoing.extend_from_slice(frame);
        true
    }

    /// Writes what the other side takes. An error shows when the connection is read.
    pub(super) fn flush(&mut self) {
        while self.written < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.written = self.outgoing.len();
                    self.is_readable = true;
                }
            }
        }
        if self.is_flushed() {
            self.outgoing.clear();
            self.written = 0;
        } else if self.written > WRITE_AT {
            self.outgoing.drain(..self.written);
            self.written = 0;
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.written == self.outgoing.len()
    }

    /// Ends the connection, and says why.
    pub(super) fn turn_away(mut self) {
        self.flush();
        // In the middle of a frame it would be taken for a part of it.
        if self.is_flushed() {
            turn_away(self.stream);
        }
    }
}

/// Ends a connection for which there is no room, and says so.
pub(super) fn turn_away(mut stream: UnixStream) {
    // Not to wait for somebody who does not read.
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write_all(&NO_ROOM.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Member, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Member::new(ours).unwrap(), theirs)
    }

    fn next(member: &mut Member) -> Option<Vec<u8>> {
        member.note_ready(true);
        member.next_frame().unwrap().map(<[u8]>::to_vec)
    }

    #[test]
    fn frames_come_out_whole_however_the_stream_is_cut() {
        let (mut member, mut other) = pair();
        let frames: Vec<Vec<u8>> =
            [14, 60, 1514, MAX_FRAME].into_iter().map(|len| vec![len as u8; len]).collect();
        let mut bytes = Vec::new();
        for frame in &frames {
            bytes.extend((frame.len() as u32).to_be_bytes());
            bytes.extend(frame);
        }
        let mut came = Vec::new();
        for piece in bytes.chunks(7) {
            other.write_all(piece).unwrap();
            came.extend(next(&mut member));
        }
        assert!(came == frames);
        drop(other);
        member.note_ready(true);
        assert!(matches!(member.next_frame(), Err(Gone::Left)));
    }

    #[test]
    fn the_length_of_a_frame_is_in_network_byte_order() {
        let (mut member, mut other) = pair();
        assert!(member.send(&[7; 300]));
        member.flush();
        let mut bytes = [0; 304];
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes[..5], [0, 0, 1, 44, 7]);
    }

    #[test]
    fn a_length_that_no_frame_has_is_rubbish() {
        for len in [0, 13, MAX_FRAME as u32 + 1, u32::MAX - 1] {
            let (mut member, mut other) = pair();
            other.write_all(&len.to_be_bytes()).unwrap();
            assert!(matches!(member.next_frame(), Err(Gone::Rubbish(sent)) if sent == len));
        }
    }

    #[test]
    fn who_is_turned_away_is_told_after_the_last_frame() {
        let (member, other) = pair();
        let mut other = Member::new(other).unwrap();
        let mut last = member;
        assert!(last.send(&[7; 60]));
        last.turn_away();
        assert_eq!(next(&mut other), Some(vec![7; 60]));
        other.note_ready(true);
        assert!(matches!(other.next_frame(), Err(Gone::TurnedAway)));
    }

    #[test]
    fn who_does_not_read_is_sent_no_more_than_the_limit() {
        let (mut member, _other) = pair();
        let frame = vec![0; 60_000];
        let taken = (0..100).filter(|_| member.send(&frame)).count();
        assert!((17..60).contains(&taken), "{taken}");
        assert!(!member.is_flushed());
        assert!(member.outgoing.len() < 2 * MAX_WAITING);
    }
}
