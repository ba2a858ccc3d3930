//! Creates the file of a capture, and never destroys somebody else's.

#[cfg(unix)]
use std::ffi::OsStr;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;

use super::classic;
use super::file::CaptureFile;
use super::section::APPLICATION_PREFIX;

/// More than the longest section header we can write: three texts of 64 KiB.
const LONGEST_SECTION_HEADER: u64 = 256 * 1024;

/// Opens `path` for a new capture, in the format that its name says.
///
/// A file that exists is overwritten only if it is empty or its own header says that glassnet
/// wrote it; a copy that Wireshark saved with remarks still says so. Devices and named pipes are
/// written as they are; a named pipe waits for its reader.
/// A file that another capture is being written to is refused; so is a link, symbolic or not,
/// which somebody else may have made.
pub(crate) fn create_file(path: &Path) -> io::Result<CaptureFile> {
    // What is created between the look and the opening is looked at in its turn.
    let file = match open(path)? {
        Some(file) => Some(file),
        None => open(path)?,
    };
    let file = file.ok_or_else(|| cannot_create(path, ErrorKind::AlreadyExists.into()))?;
    Ok(CaptureFile::new(file, path))
}

/// `None` when there was nothing at the path, and then there was.
fn open(path: &Path) -> io::Result<Option<File>> {
    let follows = is_own_descriptor(path);
    let metadata = if follows { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let file = match metadata {
        Err(error) if error.kind() == ErrorKind::NotFound => return create_new(path),
        Err(error) => Err(cannot_create(path, error)),
        Ok(metadata) if metadata.is_symlink() => Err(link(path)),
        Ok(metadata) if metadata.is_dir() => {
            Err(failure(ErrorKind::IsADirectory, path, "it is a directory; name a file in it"))
        }
        Ok(metadata) if metadata.is_file() => replace(path, follows),
        // Not even opened for reading: a pipe would wait for ever for what is not in it.
        Ok(_) => open_existing(path, follows, OpenOptions::new().write(true)),
    };
    file.map(Some)
}

/// Whether the path is one of a descriptor of this process, such as `/dev/stdout`, or what a shell
/// puts in the place of `>(command)`: such a link is the system's.
#[cfg(unix)]
fn is_own_descriptor(path: &Path) -> bool {
    let own = Path::new("/proc/self/fd");
    let is_number = |name: Option<&OsStr>| {
        let name = name.map(OsStr::as_encoded_bytes);
        name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_digit))
    };
    // `/dev/stdout` leads there.
    let path = match path.parent() {
        Some(directory) if directory == Path::new("/dev") => fs::read_link(path).ok(),
        _ => None,
    }
    .unwrap_or_else(|| path.to_owned());
    let directory = path.parent().and_then(|directory| fs::canonicalize(directory).ok());
    directory.is_some() && directory == fs::canonicalize(own).ok() && is_number(path.file_name())
}

#[cfg(not(unix))]
fn is_own_descriptor(_: &Path) -> bool {
    false
}

fn create_new(path: &Path) -> io::Result<Option<File>> {
    // Not through a link either: such a path exists.
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => {
            lock(&file, path)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(cannot_create(path, error)),
    }
}

/// Opens what was found at the path, and not what somebody has put a link to there since.
fn open_existing(path: &Path, follows: bool, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if !follows {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    #[cfg(not(target_os = "linux"))]
    let _ = follows;
    options.open(path).map_err(|error| cannot_create(path, error))
}

/// Asks, locks and empties through one handle, so that the file which is emptied is the file
/// which was asked.
fn replace(path: &Path, follows: bool) -> io::Result<File> {
    let mut file = open_existing(path, follows, OpenOptions::new().read(true).write(true))?;
    lock(&file, path)?;
    let refused = if has_other_names(&file) {
        Some("the file has another name as well (a hard link), under which it would change, too")
    } else if !may_be_replaced(&mut file).map_err(|error| cannot_create(path, error))? {
        Some("the file exists and glassnet did not write it")
    } else {
        None
    };
    if let Some(why) = refused {
        // Closing is not enough: a child process that is being started holds a copy until it runs.
        let _ = file.unlock();
        let why = format!("{why}; choose another path or remove it first");
        return Err(failure(ErrorKind::AlreadyExists, path, why));
    }
    file.set_len(0)
        .and_then(|()| io::Seek::rewind(&mut file))
        .map_err(|error| cannot_create(path, error))?;
    Ok(file)
}

#[cfg(unix)]
fn has_other_names(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() > 1)
}

#[cfg(not(unix))]
fn has_other_names(_: &File) -> bool {
    false
}

fn link(path: &Path) -> io::Error {
    let target = fs::read_link(path).unwrap_or_default();
    let why =
        format!("it is a symbolic link; give the path that it leads to, {}", target.display());
    failure(ErrorKind::AlreadyExists, path, why)
}

/// Two captures in one file would be neither; two tests with the same path are easily written.
fn lock(file: &File, path: &Path) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(failure(
            ErrorKind::ResourceBusy,
            path,
            "another capture is being written to it; give each its own path (the seeds of a \
             check run at once: put the seed into the path)",
        )),
        // A file system without locks must not cost anyone the capture.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn may_be_replaced(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(LONGEST_SECTION_HEADER).read_to_end(&mut start)?;
    Ok(start.is_empty() || is_ours(&start) || classic::is_ours(&start))
}

fn is_ours(start: &[u8]) -> bool {
    let Ok((_, parser)) = PcapNgParser::new(start) else {
        return false;
    };
    parser.section().options.iter().any(|option| {
        matches!(
            option,
            SectionHeaderOption::UserApplication(name) if name.starts_with(APPLICATION_PREFIX)
        )
    })
}

fn cannot_create(path: &Path, error: io::Error) -> io::Error {
    failure(error.kind(), path, error)
}

fn failure(kind: ErrorKind, path: &Path, reason: impl Display) -> io::Error {
    let path = path.display();
    io::Error::new(kind, format!("cannot write the capture {path}: {reason}"))
}
