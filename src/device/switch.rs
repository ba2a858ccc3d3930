//! The switch of a cable, which its first process makes: it learns who is where, as IEEE 802.1D
//! 7.8 says, and floods the rest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::Interest;
use super::member::{Gone, Member};
use crate::wire::ethernet::{EthernetHeader, Mac, is_group};

/// Processes that may join; one more is turned away.
const MOST_MEMBERS: usize = 256;
/// Addresses that are learned of one port; frames for others go to every port.
const ADDRESSES_PER_PORT: usize = 64;
/// Frames for others that are passed on before this process has its turn.
const PASSED_ON: usize = 256;

type Port = u32;

/// The port of the process that made the switch.
const OWN: Port = 0;

pub(super) struct Switch {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket, so that only it is removed in the end.
    file: Option<(u64, u64)>,
    has_callers: bool,
    members: BTreeMap<Port, Member>,
    next_port: Port,
    /// Whose turn it is to be read from.
    turn: Port,
    addresses: BTreeMap<Mac, Port>,
    /// The frame that is being passed on.
    frame: Vec<u8>,
    /// Frames for which a port had no room.
    pub(super) dropped: u64,
}

impl Switch {
    pub(super) fn new(listener: UnixListener, path: &Path) -> io::Result<Switch> {
        listener.set_nonblocking(true)?;
        Ok(Switch {
            listener,
            path: path.to_owned(),
            file: identity(path),
            has_callers: true,
            members: BTreeMap::new(),
            next_port: OWN + 1,
            turn: OWN,
            addresses: BTreeMap::new(),
            frame: Vec::new(),
            dropped: 0,
        })
    }

    pub(super) fn interests<'d>(&'d self, interests: &mut Vec<Interest<'d>>) {
        interests.push(Interest { descriptor: self.listener.as_fd(), writable: false });
        interests.extend(self.members.values().map(Member::interest));
    }

    pub(super) fn note_ready(&mut self, ready: &[bool]) {
        let Some((callers, ready)) = ready.split_first() else { return };
        self.has_callers |= callers;
        for (member, ready) in self.members.values_mut().zip(ready) {
            member.note_ready(*ready);
        }
    }

    /// Passes frames on until one is for this process too: that one is put into `buffer`. There
    /// may be [more](Switch::has_more) when it gives none.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if std::mem::take(&mut self.has_callers) {
            self.let_in();
        }
        for _ in 0..PASSED_ON {
            let Some(port) = self.next_readable() else { break };
            self.turn = port;
            let Some(member) = self.members.get_mut(&port) else { continue };
            match member.next_frame() {
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

    /// One frame of each in turn, so that nobody waits for a busy neighbour.
    fn next_readable(&self) -> Option<Port> {
        let after = self.members.range(self.turn + 1..);
        let others = self.members.range(..=self.turn);
        after.chain(others).find(|(_, member)| member.is_readable()).map(|(port, _)| *port)
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
        self.learn(source, from);
        let known = if is_group(destination) { None } else { self.addresses.get(&destination) };
        match known.copied() {
            Some(port) if port == from => false,
            Some(OWN) => true,
            Some(port) => {
                if let Some(member) = self.members.get_mut(&port) {
                    self.dropped += u64::from(!member.send(&self.frame));
                }
                false
            }
            None => {
                for (_, member) in self.members.iter_mut().filter(|(port, _)| **port != from) {
                    self.dropped += u64::from(!member.send(&self.frame));
                }
                from != OWN
            }
        }
    }

    fn learn(&mut self, source: Mac, port: Port) {
        if is_group(source) || self.addresses.get(&source) == Some(&port) {
            return;
        }
        let of_port = self.addresses.values().filter(|known| **known == port).count();
        if of_port < ADDRESSES_PER_PORT {
            self.addresses.insert(source, port);
        }
    }

    fn let_in(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.members.len() >= MOST_MEMBERS {
                tracing::warn!(
                    target: "glassnet::device",
                    "a process may not join the cable: {MOST_MEMBERS} have"
                );
                continue;
            }
            let Ok(member) = Member::new(stream) else { continue };
            let port = self.next_port;
            self.next_port += 1;
            self.members.insert(port, member);
            tracing::info!(target: "glassnet::device", port, "a process has joined the cable");
        }
    }

    fn remove(&mut self, port: Port, gone: &Gone) {
        self.members.remove(&port);
        self.addresses.retain(|_, known| *known != port);
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
        self.members.values_mut().filter(|member| !member.is_flushed()).for_each(Member::flush);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.members.values().all(Member::is_flushed)
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

    const A: Mac = [2, 0, 0, 0, 0, 1];
    const B: Mac = [2, 0, 0, 0, 0, 2];
    const C: Mac = [2, 0, 0, 0, 0, 3];
    const EVERYBODY: Mac = [0xff; 6];

    struct Bench {
        switch: Switch,
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
        Bench { switch, _directory: Directory(directory), path }
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
                came.extend(self.switch.receive(&mut buffer).map(|len| buffer[..len].to_vec()));
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
        assert_eq!(bench.switch.receive(&mut [0; 2_000]), None);
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
        assert!(bench.switch.addresses.is_empty());
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
        assert_eq!(bench.switch.addresses.len(), ADDRESSES_PER_PORT);
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
}
