//! A cable between processes: a Unix-domain socket that carries Ethernet frames.
//!
//! The first process at a path makes the switch there, and the others join it. When the process
//! with the switch ends, or dies, one of the others makes a new one and the rest join that:
//! frames that were on their way are lost, which TCP repairs, and nothing else is.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::member::Member;
use super::switch::Switch;
use super::{DeviceCounters, Interest};

/// How long to wait when another process is just making the switch, or the switch has no time.
const RETRY: u64 = 20_000_000;
/// How long to wait after anything else.
const RETRY_LATER: u64 = 1_000_000_000;

/// A process's end of a cable.
pub(crate) struct Cable {
    path: PathBuf,
    role: Role,
    counters: DeviceCounters,
}

enum Role {
    Switch(Switch),
    Member(Member),
    /// The switch is gone.
    Alone {
        retry_at: u64,
        has_complained: bool,
    },
}

impl Cable {
    /// Joins the cable at `path`, or makes it.
    pub(crate) fn plug_in(path: &Path) -> io::Result<Cable> {
        let mut tries = 0;
        let role = loop {
            match attach(path) {
                Ok(role) => break role,
                Err(error) if error.kind() == ErrorKind::WouldBlock && tries < 100 => {
                    tries += 1;
                    // Nothing runs yet whose time this could take.
                    #[expect(clippy::disallowed_methods, reason = "the world has not begun")]
                    std::thread::sleep(std::time::Duration::from_nanos(RETRY));
                }
                Err(error) => return Err(cannot_join(path, &error)),
            }
        };
        Ok(Cable { path: path.to_owned(), role, counters: DeviceCounters::default() })
    }

    pub(crate) fn is_switch(&self) -> bool {
        matches!(self.role, Role::Switch(_))
    }

    pub(super) fn interests<'d>(&'d self, interests: &mut Vec<Interest<'d>>) {
        match &self.role {
            Role::Switch(switch) => switch.interests(interests),
            Role::Member(member) => interests.push(member.interest()),
            Role::Alone { .. } => {}
        }
    }

    pub(super) fn note_ready(&mut self, ready: &[bool]) {
        match &mut self.role {
            Role::Switch(switch) => switch.note_ready(ready),
            Role::Member(member) => {
                member.note_ready(ready.first().is_some_and(|ready| *ready));
            }
            Role::Alone { .. } => {}
        }
    }

    pub(super) fn receive(&mut self, now: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let came = match &mut self.role {
                Role::Switch(switch) => switch.receive(buffer),
                Role::Member(member) => match member.next_frame() {
                    Ok(Some(frame)) => {
                        // A frame that is larger than the host can take is none for it.
                        let Some(buffer) = buffer.get_mut(..frame.len()) else { continue };
                        buffer.copy_from_slice(frame);
                        Some(frame.len())
                    }
                    Ok(None) => None,
                    Err(gone) => {
                        tracing::info!(target: "glassnet::device", "the cable's switch: {gone}");
                        self.role = Role::Alone { retry_at: now, has_complained: false };
                        continue;
                    }
                },
                Role::Alone { retry_at, .. } if *retry_at > now => None,
                Role::Alone { .. } => {
                    self.plug_in_again(now);
                    continue;
                }
            };
            if let Some(len) = came {
                self.counters.note_received(len);
            }
            return Ok(came);
        }
    }

    fn plug_in_again(&mut self, now: u64) {
        let Role::Alone { has_complained, .. } = self.role else { return };
        self.role = match attach(&self.path) {
            Ok(role) => {
                let what = match role {
                    Role::Switch(_) => "this process is the cable's switch now",
                    _ => "joined the cable's new switch",
                };
                tracing::info!(target: "glassnet::device", "{what}");
                role
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Role::Alone { retry_at: now.saturating_add(RETRY), has_complained }
            }
            Err(error) => {
                if !has_complained {
                    let path = self.path.display();
                    tracing::warn!(target: "glassnet::device", "the cable {path}: {error}");
                }
                let retry_at = now.saturating_add(RETRY_LATER);
                Role::Alone { retry_at, has_complained: true }
            }
        };
    }

    pub(super) fn send(&mut self, frame: &[u8]) {
        let is_sent = match &mut self.role {
            Role::Switch(switch) => {
                switch.send(frame);
                true
            }
            Role::Member(member) => member.send(frame),
            Role::Alone { .. } => false,
        };
        if is_sent {
            self.counters.note_sent(frame.len());
        } else {
            self.counters.dropped += 1;
        }
    }

    pub(super) fn flush(&mut self) {
        match &mut self.role {
            Role::Switch(switch) => switch.flush(),
            Role::Member(member) => member.flush(),
            Role::Alone { .. } => {}
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        match &self.role {
            Role::Switch(switch) => switch.is_flushed(),
            Role::Member(member) => member.is_flushed(),
            Role::Alone { .. } => true,
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        // The kernel does not tell of what was read and not yet given.
        match &self.role {
            Role::Switch(switch) => switch.has_more().then_some(0),
            Role::Member(member) => member.is_readable().then_some(0),
            Role::Alone { retry_at, .. } => Some(*retry_at),
        }
    }

    pub(super) fn counters(&self) -> DeviceCounters {
        let mut counters = self.counters;
        if let Role::Switch(switch) = &self.role {
            counters.dropped += switch.dropped;
        }
        counters
    }
}

/// Joins, or makes the switch. `WouldBlock` says that it is worth trying again soon.
fn attach(path: &Path) -> io::Result<Role> {
    match join(path) {
        Err(error) if is_nobody_there(&error) => {}
        joined => return joined,
    }
    // Of several processes that find nobody, one makes the switch.
    let _lock = lock(path)?;
    match join(path) {
        Err(error) if is_nobody_there(&error) => {}
        joined => return joined,
    }
    match fs::symlink_metadata(path) {
        // Left behind by a process that died.
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "there is another file; choose another path",
            ));
        }
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    Ok(Role::Switch(Switch::new(listener, path)?))
}

fn join(path: &Path) -> io::Result<Role> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Not blocking, because a switch that is stopped would hold up everybody who joins.
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(Role::Member(Member::new(UnixStream::from(socket))?))
}

fn is_nobody_there(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

fn lock(path: &Path) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(beside)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn cannot_join(path: &Path, error: &io::Error) -> io::Error {
    let help = match error.kind() {
        ErrorKind::WouldBlock => "; the process with its switch does not answer: end it",
        ErrorKind::NotFound => "; make the directory first",
        _ => "",
    };
    let path = path.display();
    io::Error::new(error.kind(), format!("cannot join the cable {path}: {error}{help}"))
}

/// The path of the cable that is used when none is named: `glassnet.cable` in the user's
/// `$XDG_RUNTIME_DIR`, or else in `/tmp/glassnet-UID`, which is made, for this user alone.
///
/// # Errors
/// When that directory cannot be made, or belongs to somebody else
/// ([`PermissionDenied`](ErrorKind::PermissionDenied)).
pub fn default_cable() -> io::Result<PathBuf> {
    const FILE: &str = "glassnet.cable";
    let runtime = std::env::var_os("XDG_RUNTIME_DIR");
    if let Some(directory) = runtime.map(PathBuf::from)
        && directory.is_absolute()
        && directory.is_dir()
    {
        return Ok(directory.join(FILE));
    }
    let user = rustix::process::getuid().as_raw();
    let directory = PathBuf::from(format!("/tmp/glassnet-{user}"));
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&directory)?;
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        let directory = directory.display();
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("{directory} is not this user's alone; name a cable with a path of your own"),
        ));
    }
    Ok(directory.join(FILE))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_read_and_not_yet_given_waits_for_no_event() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let role = Role::Member(Member::new(ours).unwrap());
        let counters = DeviceCounters::default();
        let mut cable = Cable { path: PathBuf::new(), role, counters };
        let frame = [7; 60];
        theirs.write_all(&[&60_u32.to_be_bytes()[..], &frame].concat().repeat(3)).unwrap();
        let mut buffer = [0; 100];
        cable.note_ready(&[true]);
        for _ in 0..3 {
            assert_eq!(cable.receive(5, &mut buffer).unwrap(), Some(60));
            // The kernel has nothing more to tell of.
            cable.note_ready(&[false]);
            assert_eq!(cable.deadline(), Some(0));
        }
        assert_eq!(cable.receive(5, &mut buffer).unwrap(), None);
        assert_eq!(cable.deadline(), None);
    }
}
