use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pcap_file::pcapng::PcapNgWriter;

use super::capture;
use crate::capture::create_file;

/// A directory for one test, removed with it.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let name = format!("glassnet-capture-{}-{test}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write_capture(path: &Path) {
    let file = create_file(path).unwrap();
    capture(file).unwrap().finish().unwrap();
}

fn whole_capture() -> Vec<u8> {
    capture(Vec::new()).unwrap().finish().unwrap()
}

/// The message is one line, and names the path.
fn refusal(path: &Path) -> ErrorKind {
    let error = create_file(path).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    error.kind()
}

#[test]
fn a_new_file_is_created() {
    let directory = Directory::new("new");
    let path = directory.file("a.pcapng");
    write_capture(&path);
    assert!(fs::read(&path).unwrap() == whole_capture());
}

#[test]
fn an_empty_file_is_used() {
    let directory = Directory::new("empty");
    let path = directory.file("a.pcapng");
    File::create(&path).unwrap();
    write_capture(&path);
    assert!(fs::read(&path).unwrap() == whole_capture());
}

#[test]
fn a_longer_capture_of_our_own_is_replaced_whole() {
    let directory = Directory::new("own");
    let path = directory.file("a.pcapng");
    let mut longer = whole_capture();
    longer.extend([0; 100_000]);
    fs::write(&path, longer).unwrap();
    write_capture(&path);
    assert!(fs::read(&path).unwrap() == whole_capture());
}

#[test]
fn a_foreign_file_is_never_overwritten() {
    let directory = Directory::new("foreign");
    let path = directory.file("a.pcapng");
    let other_program = PcapNgWriter::new(Vec::new()).unwrap().into_inner();
    let ours = whole_capture();
    let mut claims_too_much = ours.clone();
    claims_too_much[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    let foreign: [&[u8]; 7] = [
        b"x",
        b"glassnet 0.1.0",
        &[0; 300_000],
        &[0xff; 300_000],
        &other_program,
        &claims_too_much,
        &ours[..40],
    ];
    for content in foreign {
        fs::write(&path, content).unwrap();
        assert_eq!(refusal(&path), ErrorKind::AlreadyExists);
        assert!(fs::read(&path).unwrap() == content);
    }
}

#[test]
fn two_captures_are_not_written_to_one_file() {
    let directory = Directory::new("two");
    let path = directory.file("a.pcapng");
    let first = create_file(&path).unwrap();
    assert_eq!(refusal(&path), ErrorKind::ResourceBusy);
    drop(first);
    write_capture(&path);
}

#[test]
fn a_path_that_cannot_be_a_file_is_named_in_the_error() {
    let directory = Directory::new("paths");
    assert_eq!(refusal(&directory.0), ErrorKind::IsADirectory);
    let no_parent = directory.file("missing").join("a.pcapng");
    assert_eq!(refusal(&no_parent), ErrorKind::NotFound);
    let file = directory.file("file");
    File::create(&file).unwrap();
    assert_eq!(refusal(&file.join("a.pcapng")), ErrorKind::NotADirectory);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_reported() {
    let file = create_file(Path::new("/dev/full")).unwrap();
    let error = capture(file).unwrap().finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}

#[cfg(unix)]
#[test]
fn a_device_is_written_as_it_is() {
    write_capture(Path::new("/dev/null"));
}

#[cfg(unix)]
#[test]
fn a_named_pipe_carries_the_capture_to_its_reader() {
    let directory = Directory::new("pipe");
    let path = directory.file("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    #[allow(clippy::disallowed_methods, reason = "the other end of a fifo")]
    let reader = std::thread::spawn({
        let path = path.clone();
        move || fs::read(path).unwrap()
    });
    write_capture(&path);
    assert!(reader.join().unwrap() == whole_capture());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let directory = Directory::new("link");
    let link = directory.file("a.pcapng");
    let target = directory.file("target");
    symlink(&target, &link).unwrap();
    // Neither to what is not there, nor to what would be overwritten if it were named itself.
    assert_eq!(refusal(&link), ErrorKind::AlreadyExists);
    assert!(!target.exists());
    for content in [&b"dear"[..], b"", &whole_capture()] {
        fs::write(&target, content).unwrap();
        assert_eq!(refusal(&link), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&target).unwrap(), content);
    }
    fs::remove_file(&link).unwrap();
    symlink("/dev/null", &link).unwrap();
    assert_eq!(refusal(&link), ErrorKind::AlreadyExists);
    // A link on the way to it is no link to a file.
    let beside = directory.file("beside");
    symlink(&directory.0, &beside).unwrap();
    write_capture(&beside.join("b.pcapng"));
}

#[cfg(unix)]
#[test]
fn a_file_with_two_names_is_left_alone() {
    let directory = Directory::new("names");
    let path = directory.file("a.pcapng");
    write_capture(&path);
    let backup = directory.file("backup");
    fs::hard_link(&path, &backup).unwrap();
    assert_eq!(refusal(&path), ErrorKind::AlreadyExists);
    assert!(fs::read(&backup).unwrap() == whole_capture());
    fs::remove_file(&backup).unwrap();
    write_capture(&path);
}

#[cfg(target_os = "linux")]
#[test]
fn a_descriptor_of_this_process_may_be_named() {
    use std::os::fd::AsRawFd;
    let directory = Directory::new("descriptor");
    let path = directory.file("a.pcapng");
    let file = File::create(&path).unwrap();
    write_capture(Path::new(&format!("/dev/fd/{}", file.as_raw_fd())));
    assert!(fs::read(&path).unwrap() == whole_capture());
    write_capture(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())));
    let link = directory.file("fd");
    std::os::unix::fs::symlink(format!("/proc/self/fd/{}", file.as_raw_fd()), &link).unwrap();
    assert_eq!(refusal(&link), ErrorKind::AlreadyExists);
}

#[test]
fn a_capture_that_was_abandoned_may_be_replaced() {
    let directory = Directory::new("abandoned");
    let path = directory.file("a.pcapng");
    fs::write(&path, [&*whole_capture(), b"half a block"].concat()).unwrap();
    write_capture(&path);
    assert!(fs::read(&path).unwrap() == whole_capture());
}
