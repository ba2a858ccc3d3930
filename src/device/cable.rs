//! A cable between processes: a Unix-domain socket that carries Ethernet frames.
//!
//! The first process at a path makes the switch there, and the others join it. When the process
//! with the switch ends, or dies, one of the others makes a new one and the rest join that:
//! frames that were on their way are lost, which TCP repairs, and nothing else is.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, chmod, fchmod, fstat, open};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, socket_with,
};

use super::member::{Gone, Member};
use super::switch::Switch;
use super::{DeviceCounters, Interest};

/// How long to wait when another process is just making the switch, or the switch has no time.
const RETRY: u64 = 20_000_000;
/// How long to wait after anything else.
const RETRY_LATER: u64 = 1_000_000_000;

/// Callers that may wait to be let in.
const BACKLOG: i32 = 128;
/// The mode of the socket and of its lock.
const OURS_ALONE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A process's end of a cable.
pub(crate) struct Cable {
    path: PathBuf,
    role: Role,
    /// A frame has come from others.
    has_heard: bool,
    /// It was said why it is alone.
    has_complained: bool,
    counters: DeviceCounters,
}

enum Role {
    Switch(Switch),
    Member(Member),
    /// The switch is gone.
    Alone {
        retry_at: u64,
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
        let counters = DeviceCounters::default();
        Ok(Cable { path: path.to_owned(), role, has_heard: false, has_complained: false, counters })
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
                Role::Switch(switch) => switch.receive(now, buffer),
                Role::Member(member) => match member.next_frame() {
                    Ok(Some(frame)) => {
                        // A frame that is larger than the host can take is none for it. There may be
                        // more: the caller comes again as long as this is readable.
                        let Some(buffer) = buffer.get_mut(..frame.len()) else { return Ok(None) };
                        buffer.copy_from_slice(frame);
                        Some(frame.len())
                    }
                    Ok(None) => None,
                    // One that was on it may find room again; nobody waits for one that never was.
                    Err(Gone::TurnedAway) if !self.has_heard => {
                        return Err(cannot_join(&self.path, &no_room()));
                    }
                    Err(Gone::TurnedAway) => {
                        self.role = self.alone_for_a_while(now, &no_room());
                        continue;
                    }
                    Err(gone) => {
                        tracing::info!(target: "glassnet::device", "the cable's switch: {gone}");
                        self.role = Role::Alone { retry_at: now };
                        continue;
                    }
                },
                Role::Alone { retry_at } if *retry_at > now => None,
                Role::Alone { .. } => {
                    self.role = self.plug_in_again(now);
                    continue;
                }
            };
            if let Some(len) = came {
                self.has_heard = true;
                self.has_complained = false;
                self.counters.note_received(len);
            }
            return Ok(came);
        }
    }

    fn plug_in_again(&mut self, now: u64) -> Role {
        match attach(&self.path) {
            Ok(role) => {
                let what = match role {
                    Role::Switch(_) => "this process is the cable's switch now",
                    _ => "joined the cable's new switch",
                };
                tracing::info!(target: "glassnet::device", "{what}");
                role
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Role::Alone { retry_at: now.saturating_add(RETRY) }
            }
            Err(error) => self.alone_for_a_while(now, &error),
        }
    }

    fn alone_for_a_while(&mut self, now: u64, error: &io::Error) -> Role {
        if !std::mem::replace(&mut self.has_complained, true) {
            let path = self.path.display();
            tracing::warn!(target: "glassnet::device", "the cable {path}: {error}");
        }
        Role::Alone { retry_at: now.saturating_add(RETRY_LATER) }
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
            Role::Switch(switch) => switch.deadline(),
            Role::Member(member) => member.is_readable().then_some(0),
            Role::Alone { retry_at } => Some(*retry_at),
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
    Ok(Role::Switch(Switch::new(listen(path)?, path)?))
}

/// Makes the socket, which is this user's alone whatever the umask: who may write to it may join.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The file gets the socket's mode, less the umask: nobody else gets in before it is set.
    fchmod(&socket, OURS_ALONE)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    // An umask may have taken something from this user.
    let file = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let metadata = fstat(&file)?;
    if Mode::from_raw_mode(metadata.st_mode) & Mode::all() != OURS_ALONE {
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        chmod(itself, OURS_ALONE)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
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

/// Opens and locks the file beside the socket. It is made if need be, and nothing is ever written
/// to it; what is no file of its own there, such as a link to another, is refused.
fn lock(path: &Path) -> io::Result<File> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let shown = beside.display();
    let refused = |what: &str| {
        io::Error::new(ErrorKind::AlreadyExists, format!("{shown} is {what}; remove it"))
    };
    let failed = |error: io::Error, help: &str| {
        io::Error::new(error.kind(), format!("cannot lock {shown}: {error}{help}"))
    };
    // Not to wait where there is a pipe.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match open(&beside, flags | OFlags::CLOEXEC, OURS_ALONE) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(refused("a symbolic link")),
        // A pipe that nobody reads.
        Err(Errno::NXIO) => return Err(refused("no regular file")),
        Err(errno @ Errno::ACCESS) => return Err(failed(errno.into(), "; it is another user's")),
        // Where it cannot be made, neither can the socket, whose error says more.
        Err(errno @ Errno::NOENT) => return Err(errno.into()),
        Err(errno) => return Err(failed(errno.into(), "")),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(refused("no regular file"));
    }
    // An umask may have taken something from this user, who would not get in again.
    if metadata.mode() & 0o600 != 0o600 && metadata.nlink() == 1 {
        let _ = fchmod(&file, OURS_ALONE);
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) => Err(failed(error, "")),
    }
}

fn no_room() -> io::Error {
    io::Error::new(ErrorKind::ResourceBusy, "its switch has no room for one more process")
}

fn cannot_join(path: &Path, error: &io::Error) -> io::Error {
    let help = match error.kind() {
        ErrorKind::WouldBlock => "; the process with its switch does not answer: end it",
        ErrorKind::NotFound => "; make the directory first",
        ErrorKind::ResourceBusy => "; end one that has joined, or use another cable",
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
        // An umask may have taken something from this user.
        Ok(()) => fs::set_permissions(&directory, PermissionsExt::from_mode(0o700))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
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
        let mut cable =
            Cable { path: PathBuf::new(), role, has_heard: false, has_complained: false, counters };
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
