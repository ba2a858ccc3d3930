//! Creates the file of a capture, and never destroys somebody else's.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;

use super::file::CaptureFile;
use super::section::APPLICATION_PREFIX;

/// More than the longest section header we can write: three texts of 64 KiB.
const LONGEST_SECTION_HEADER: u64 = 256 * 1024;

/// Opens `path` for a new capture.
///
/// A file that exists is overwritten only if it is empty or its own header says that glassnet
/// wrote it; a copy that Wireshark saved with remarks still says so. Devices and named pipes are
/// written as they are; a named pipe waits for its reader.
/// A file that another capture is being written to is refused.
pub(crate) fn create_file(path: &Path) -> io::Result<CaptureFile> {
    let file = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => create_new(path),
        Err(error) => Err(cannot_create(path, error)),
        Ok(metadata) if metadata.is_dir() => {
            Err(failure(ErrorKind::IsADirectory, path, "it is a directory; name a file in it"))
        }
        Ok(metadata) if metadata.is_file() => replace(path),
        // Not even opened for reading: a pipe would wait for ever for what is not in it.
        Ok(_) => {
            OpenOptions::new().write(true).open(path).map_err(|error| cannot_create(path, error))
        }
    }?;
    Ok(CaptureFile::new(file))
}

fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(|error| cannot_create(path, error))?;
    lock(&file, path)?;
    Ok(file)
}

/// Asks, locks and empties through one handle, so that the file which is emptied is the file
/// which was asked.
fn replace(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| cannot_create(path, error))?;
    lock(&file, path)?;
    if !may_be_replaced(&mut file).map_err(|error| cannot_create(path, error))? {
        // Closing is not enough: a child process that is being started holds a copy until it runs.
        let _ = file.unlock();
        return Err(failure(
            ErrorKind::AlreadyExists,
            path,
            "the file exists and glassnet did not write it; choose another path or remove it first",
        ));
    }
    file.set_len(0)
        .and_then(|()| io::Seek::rewind(&mut file))
        .map_err(|error| cannot_create(path, error))?;
    Ok(file)
}

/// Two captures in one file would be neither; two tests with the same path are easily written.
fn lock(file: &File, path: &Path) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(failure(
            ErrorKind::ResourceBusy,
            path,
            "another capture is being written to it; give each its own path",
        )),
        // A file system without locks must not cost anyone the capture.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

fn may_be_replaced(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(LONGEST_SECTION_HEADER).read_to_end(&mut start)?;
    Ok(start.is_empty() || is_ours(&start))
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
