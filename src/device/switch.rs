//! The switch of a cable, which its first process makes: it learns who is where, and floods the
//! rest.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Interest;
use super::learned::{Addresses, Port};
use super::member::{Gone, Member, turn_away};
use crate::wire::ethernet::{EthernetHeader, is_group};

/// Processes that may join; one more takes the place of one that has never sent anything, or is
/// turned away.
const MAX_MEMBERS: usize = 256;
/// How long who has joined may take to send something, in nanoseconds, before somebody else may
/// have its place.
const SILENCE: u64 = 1_000_000_000;
/// Frames for others that are passed on before this process has its turn.
const PASSED_ON: usize = 256;
/// How long nobody is let in when the system lacks what it takes, in nanoseconds.
const PAUSE: u64 = 250_000_000;

/// The port of the process that made the switch.
const OWN: Port = 0;

pub(super) struct Switch {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket, so that only it is removed in the end.
    file: Option<(u64, u64)>,
    has_callers: bool,
    /// Nobody is let in before.
    paused_until: Option<u64>,
    /// Given up where no descriptor is left, so that a caller can be told.
    spare: Option<OwnedFd>,
    /// It was said that there is no room.
    has_complained: bool,
    members: BTreeMap<Port, Plug>,
    next_port: Port,
    /// Whose turn it is to be read from.
    turn: Port,
    addresses: Addresses,
    /// The frame that is being passed on.
    frame: Vec<u8>,
    /// Frames for which a port had no room.
    pub(super) dropped: u64,
}

/// A process that has joined.
struct Plug {
    member: Member,
    since: u64,
}

impl Switch {
    pub(super) fn new(listener: UnixListener, path: &Path) -> io::Result<Switch> {
        listener.set_nonblocking(true)?;
        let spare = listener.as_fd().try_clone_to_owned().ok();
        Ok(Switch {
            listener,
            path: path.to_owned(),
            file: identity(path),
            has_callers: true,
            paused_until: None,
            spare,
            has_complained: false,
            members: BTreeMap::new(),
            next_port: OWN + 1,
            turn: OWN,
            addresses: Addresses::default(),
            frame: Vec::new(),
            dropped: 0,
        })
    }

    pub(super) fn interests<'d>(&'d self, interests: &mut Vec<Interest<'d>>) {
        if self.paused_until.is_none() {
            interests.push(Interest { descriptor: self.listener.as_fd(), writable: false });
        }
        interests.extend(self.members.values().map(|plug| plug.member.interest()));
    }

    pub(super) fn note_ready(&mut self, ready: &[bool]) {
        let mut ready = ready.iter();
        if self.paused_until.is_none() {
            self.has_callers |= ready.next().is_some_and(|ready| *ready);
        }
        for (plug, ready) in self.members.values_mut().zip(ready) {
            plug.member.note_ready(*ready);
        }
    }

    /// Passes frames on until one is for this process too: that one is put into `buffer`. There
    /// may be [more](Switch::has_more) when it gives none.
    pub(super) fn receive(&mut self, now: u64, buffer: &mut [u8]) -> Option<usize> {
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.has_callers = true;
        }
        if std::mem::take(&mut self.has_callers) {
            self.let_in(now);
        }
        for _ in 0..PASSED_ON {
            let Some(port) = self.next_readable() else { break };
            self.turn = port;
            let Some(plug) = self.members.get_mut(&port) else { continue };
            match plug.member.next_frame() {
                Ok(Some(frame)) => {
                    self.frame.clear();
                    self.frame.extend_from_slice(frame);
                    let is_ours = self.pass_on(port);
                    if is_ours && let Some(buffer) = buffer.get_mut(..self.frame.len()) {
                        buffer.copy_from_slice(&self.frame);
                        return Some(self.frame.len());
                    }
                }
                Ok(None) => {}
                Err(gone) => self.remove(port, &gone),
            }
        }
        None
    }

    /// Whether there may be frames that have not been passed on.
    pub(super) fn has_more(&self) -> bool {
        self.has_callers || self.next_readable().is_some()
    }

    /// When [`Switch::receive`] has something to do though nothing has happened.
    pub(super) fn deadline(&self) -> Option<u64> {
        if self.has_more() { Some(0) } else { self.paused_until }
    }

    /// One frame of each in turn, so that nobody waits for a busy neighbour.
    fn next_readable(&self) -> Option<Port> {
        let after = self.members.range(self.turn + 1..);
        let others = self.members.range(..=self.turn);
        after.chain(others).find(|(_, plug)| plug.member.is_readable()).map(|(port, _)| *port)
    }

    pub(super) fn send(&mut self, frame: &[u8]) {
        self.frame.clear();
        self.frame.extend_from_slice(frame);
        self.pass_on(OWN);
    }

    /// Hands the frame to whom it is for; true when this process is among them.
    fn pass_on(&mut self, from: Port) -> bool {
        let Some((header, _)) = EthernetHeader::split_from(&self.frame) else { return false };
        let EthernetHeader { destination, source, .. } = header;
        self.addresses.learn(source, from);
        let known = if is_group(destination) { None } else { self.addresses.port_of(&destination) };
        match known {
            Some(port) if port == from => false,
            Some(OWN) => true,
            Some(port) => {
                if let Some(plug) = self.members.get_mut(&port) {
                    self.dropped += u64::from(!plug.member.send(&self.frame));
                }
                false
            }
            None => {
                for (_, plug) in self.members.iter_mut().filter(|(port, _)| **port != from) {
                    self.dropped += u64::from(!plug.member.send(&self.frame));
                }
                from != OWN
            }
        }
    }

    /// Lets in whoever calls, so many at a time: those who call as fast as they are let in keep
    /// nobody from their frames.
    fn let_in(&mut self, now: u64) {
        for _ in 0..PASSED_ON {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream, now),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // No descriptor is left, or no memory.
                    _ => {
                        let goes_on = self.has_caller() && self.let_in_one_more(now, &error);
                        if !goes_on {
                            return;
                        }
                    }
                },
            }
        }
        self.has_callers = true;
    }

    /// `accept` may fail for want of a descriptor though nobody calls.
    fn has_caller(&self) -> bool {
        let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Takes one caller where `error` says that there is no descriptor for it: in the place of
    /// somebody who is silent, or else only to turn it away. False when not even that can be done
    /// now.
    fn let_in_one_more(&mut self, now: u64, error: &io::Error) -> bool {
        if !std::mem::replace(&mut self.has_complained, true) {
            tracing::warn!(
                target: "glassnet::device",
                "a process may not join the cable: {error}"
            );
        }
        if self.disconnect_a_silent_one(now)
            && let Ok((stream, _)) = self.listener.accept()
        {
            self.admit(stream, now);
            return true;
        }
        self.spare = None;
        let caller = self.listener.accept();
        let is_told = caller.is_ok();
        if let Ok((stream, _)) = caller {
            turn_away(stream);
        }
        self.spare = self.listener.as_fd().try_clone_to_owned().ok();
        if !is_told {
            self.paused_until = Some(now.saturating_add(PAUSE));
        }
        is_told
    }

    fn admit(&mut self, stream: UnixStream, now: u64) {
        if self.members.len() >= MAX_MEMBERS && !self.disconnect_a_silent_one(now) {
            if !std::mem::replace(&mut self.has_complained, true) {
                tracing::warn!(
                    target: "glassnet::device",
                    "a process may not join the cable: {MAX_MEMBERS} have"
                );
            }
            return turn_away(stream);
        }
        let Ok(member) = Member::new(stream) else { return };
        let port = self.next_port;
        self.next_port += 1;
        self.members.insert(port, Plug { member, since: now });
        tracing::info!(target: "glassnet::device", port, "a process has joined the cable");
    }

    /// Makes room where somebody has joined and never sent anything, which no host does: the
    /// first of them has to go.
    fn disconnect_a_silent_one(&mut self, now: u64) -> bool {
        let is_silent = |(port, plug): &(&Port, &Plug)| {
            !self.addresses.knows_any_at(**port) && plug.since.saturating_add(SILENCE) <= now
        };
        let Some((port, _)) = self.members.iter().find(is_silent) else { return false };
        let port = *port;
        if let Some(plug) = self.members.remove(&port) {
            tracing::info!(
                target: "glassnet::device", port,
                "a process that never sent anything makes room for another on the cable"
            );
            plug.member.turn_away();
        }
        true
    }

    fn remove(&mut self, port: Port, gone: &Gone) {
        self.members.remove(&port);
        self.addresses.forget(port);
        self.has_complained = false;
        match gone {
            Gone::Left => {
                tracing::info!(target: "glassnet::device", port, "a process has left the cable");
            }
            gone => {
                tracing::warn!(
                    target: "glassnet::device", port,
                    "a process was disconnected from the cable: {gone}"
                );
            }
        }
    }

    pub(super) fn flush(&mut self) {
        let members = self.members.values_mut().map(|plug| &mut plug.member);
        members.filter(|member| !member.is_flushed()).for_each(Member::flush);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.members.values().all(|plug| plug.member.is_flushed())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        // While it still listens nobody else takes its place, so the file is still its own.
        if self.file.is_some() && self.file == identity(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::device::learned::MAX_PER_PORT;
    use crate::wire::ethernet::Mac;

    const A: Mac = [2, 0, 0, 0, 0, 1];
    const B: Mac = [2, 0, 0, 0, 0, 2];
    const C: Mac = [2, 0, 0, 0, 0, 3];
    const EVERYBODY: Mac = [0xff; 6];

    struct Bench {
        switch: Switch,
        now: u64,
        _directory: Directory,
        path: PathBuf,
    }

    struct Directory(PathBuf);

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn bench(name: &str) -> Bench {
        let directory =
            std::env::temp_dir().join(format!("glassnet-switch-{name}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("cable");
        let listener = UnixListener::bind(&path).unwrap();
        let switch = Switch::new(listener, &path).unwrap();
        Bench { switch, now: 0, _directory: Directory(directory), path }
    }

    impl Bench {
        fn join(&mut self) -> UnixStream {
            let stream = UnixStream::connect(&self.path).unwrap();
            stream.set_nonblocking(true).unwrap();
            self.turn();
            stream
        }

        /// What reached this process.
        fn turn(&mut self) -> Vec<Vec<u8>> {
            let all = vec![true; 1 + self.switch.members.len()];
            self.switch.note_ready(&all);
            let mut buffer = vec![0; 2_000];
            let mut came = Vec::new();
            while self.switch.has_more() {
                came.extend(
                    self.switch.receive(self.now, &mut buffer).map(|len| buffer[..len].to_vec()),
                );
            }
            self.switch.flush();
            came
        }
    }

    fn frame(to: Mac, from: Mac) -> Vec<u8> {
        [&to[..], &from[..], &[8, 0, 42]].concat()
    }

    fn send(stream: &mut UnixStream, frame: &[u8]) {
        stream.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
        stream.write_all(frame).unwrap();
    }

    fn received(stream: &mut UnixStream) -> usize {
        let mut bytes = [0; 4_096];
        stream.read(&mut bytes).unwrap_or(0)
    }

    #[test]
    fn frames_for_one_go_to_one_as_soon_as_it_is_known() {
        let mut bench = bench("learns");
        let (mut a, mut b, mut c) = (bench.join(), bench.join(), bench.join());
        send(&mut a, &frame(EVERYBODY, A));
        assert_eq!(bench.turn(), [frame(EVERYBODY, A)]);
        assert!(received(&mut b) > 0 && received(&mut c) > 0 && received(&mut a) == 0);
        send(&mut b, &frame(A, B));
        assert!(bench.turn().is_empty());
        assert!(received(&mut a) > 0 && received(&mut c) == 0);
        // Nobody knows C.
        send(&mut a, &frame(C, A));
        assert_eq!(bench.turn().len(), 1);
        assert!(received(&mut b) > 0 && received(&mut c) > 0);
        // This process is a port like the others.
        bench.switch.send(&frame(A, C));
        bench.turn();
        assert!(received(&mut a) > 0 && received(&mut b) == 0);
        send(&mut a, &frame(C, A));
        assert_eq!(bench.turn().len(), 1);
        assert_eq!(received(&mut b), 0);
    }

    #[test]
    fn busy_neighbours_do_not_keep_this_process_waiting() {
        let mut bench = bench("busy");
        let (mut a, mut b) = (bench.join(), bench.join());
        send(&mut b, &frame(EVERYBODY, B));
        bench.turn();
        let one = [&15_u32.to_be_bytes()[..], &frame(B, A)].concat();
        // In one go, because many small ones fill the socket.
        let many = one.repeat(PASSED_ON + 10);
        a.write_all(&many).unwrap();
        bench.switch.note_ready(&[false, true, false]);
        assert_eq!(bench.switch.receive(0, &mut [0; 2_000]), None);
        assert!(bench.switch.has_more());
        bench.turn();
        assert!(!bench.switch.has_more());
        let came = std::iter::repeat_with(|| received(&mut b)).take_while(|len| *len > 0);
        assert_eq!(came.sum::<usize>(), many.len());
    }

    #[test]
    fn who_leaves_or_sends_rubbish_is_gone_and_the_others_go_on() {
        let mut bench = bench("rubbish");
        let (mut a, mut b, mut c) = (bench.join(), bench.join(), bench.join());
        send(&mut a, &frame(EVERYBODY, A));
        bench.turn();
        a.write_all(&[0xff; 100]).unwrap();
        drop(std::mem::replace(&mut c, bench.join()));
        bench.turn();
        assert_eq!(bench.switch.members.len(), 2);
        assert!(bench.switch.addresses.len() == 0);
        received(&mut b);
        send(&mut c, &frame(B, C));
        bench.turn();
        assert!(received(&mut b) > 0);
    }

    #[test]
    fn a_port_learns_no_more_addresses_than_its_limit() {
        let mut bench = bench("limit");
        let mut a = bench.join();
        for last in 0..200 {
            send(&mut a, &frame(EVERYBODY, [2, 0, 0, 0, 1, last]));
            assert_eq!(bench.turn().len(), 1);
        }
        assert_eq!(bench.switch.addresses.len(), MAX_PER_PORT);
    }

    #[test]
    fn its_socket_is_removed_in_the_end_and_no_other_file() {
        let one = bench("ends");
        let path = one.path.clone();
        drop(one.switch);
        assert!(!path.exists());
        let other = bench("ends-not");
        fs::remove_file(&other.path).unwrap();
        let _another = UnixListener::bind(&other.path).unwrap();
        drop(other.switch);
        assert!(other.path.exists());
    }

    /// How many ends the switch has closed, and whether it said that there is no room.
    fn turned_away(streams: &mut [UnixStream]) -> usize {
        let is_told = |stream: &mut UnixStream| {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).is_ok() && rest.ends_with(&[0xff; 4])
        };
        streams.iter_mut().filter_map(|stream| is_told(stream).then_some(())).count()
    }

    #[test]
    fn who_never_sends_anything_makes_room_and_who_does_stays() {
        let mut bench = bench("silent");
        let mut silent: Vec<UnixStream> = (0..MAX_MEMBERS - 1).map(|_| bench.join()).collect();
        let mut host = bench.join();
        send(&mut host, &frame(EVERYBODY, A));
        bench.turn();
        assert_eq!(bench.switch.members.len(), MAX_MEMBERS);
        // They may be about to say something.
        let mut early = [bench.join()];
        assert_eq!(turned_away(&mut early), 1);
        bench.now = SILENCE;
        let mut late: Vec<UnixStream> = (0..10).map(|_| bench.join()).collect();
        let (first, others) = silent.split_at_mut(10);
        assert_eq!([first, others, &mut late].map(turned_away), [10, 0, 0]);
        assert_eq!(bench.switch.members.len(), MAX_MEMBERS);
        for (number, stream) in late.iter_mut().enumerate() {
            send(stream, &frame(A, [2, 0, 0, 0, 2, number as u8]));
        }
        bench.turn();
        assert!(received(&mut host) > 0);
    }

    #[test]
    fn who_finds_no_room_is_told() {
        let mut bench = bench("full");
        let mut hosts: Vec<UnixStream> = (0..MAX_MEMBERS).map(|_| bench.join()).collect();
        for (number, host) in hosts.iter_mut().enumerate() {
            send(host, &frame(A, [2, 0, 0, 0, 3, number as u8]));
        }
        bench.turn();
        bench.now = 10 * SILENCE;
        let mut more = [bench.join(), bench.join()];
        assert_eq!(turned_away(&mut more), 2);
        assert!(!bench.switch.has_more());
        hosts.pop();
        bench.turn();
        let mut more = [bench.join()];
        assert_eq!((turned_away(&mut more), bench.switch.members.len()), (0, MAX_MEMBERS));
    }
}
