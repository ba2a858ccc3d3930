//! The file of a capture.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::classic;
use super::format::Format;
use super::output::Sink;

/// A file that ends with a whole block, also when the disk is full; or a device or a pipe, which
/// takes what it takes.
#[derive(Debug)]
pub(crate) struct CaptureFile {
    file: File,
    format: Format,
    is_regular: bool,
    /// How long the file is.
    len: u64,
}

impl CaptureFile {
    /// An empty file, or what is no file, which was found at `path`.
    pub(super) fn new(file: File, path: &Path) -> CaptureFile {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        CaptureFile { file, format: Format::of(path), is_regular, len: 0 }
    }

    /// Whether it is a file that keeps what is written, and whose writer never waits for a reader.
    pub(crate) fn is_regular(&self) -> bool {
        self.is_regular
    }

    pub(crate) fn into_file(self) -> File {
        self.file
    }
}

impl Sink for CaptureFile {
    fn take(&mut self, blocks: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < blocks.len() {
            match self.file.write(&blocks[written..]) {
                Ok(0) => return self.cut(blocks, written, ErrorKind::WriteZero.into()),
                Ok(len) => written += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.cut(blocks, written, error),
            }
        }
        self.len += blocks.len() as u64;
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn format(&self) -> Format {
        self.format
    }
}

/// What takes bytes in the thread that writes them.
pub(crate) enum Direct {
    File(CaptureFile),
    Writer(Box<dyn Write + Send>),
}

impl Sink for Direct {
    fn take(&mut self, blocks: &[u8]) -> io::Result<()> {
        match self {
            Direct::File(file) => file.take(blocks),
            Direct::Writer(writer) => writer.write_all(blocks),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Direct::File(file) => file.flush(),
            Direct::Writer(writer) => Write::flush(writer),
        }
    }

    fn format(&self) -> Format {
        match self {
            Direct::File(file) => file.format(),
            Direct::Writer(_) => Format::Next,
        }
    }
}

impl CaptureFile {
    /// Lets the file end with the last block that was written whole.
    fn cut(&mut self, blocks: &[u8], written: usize, error: io::Error) -> io::Result<()> {
        if self.is_regular {
            // Where even this fails, the error that led to it says more.
            let whole = match self.format {
                Format::Next => whole_blocks(blocks, written),
                Format::Classic if self.len == 0 => {
                    let head = classic::FILE_HEADER;
                    match (blocks.get(head..), written.checked_sub(head)) {
                        (Some(records), Some(written)) => {
                            head + classic::whole_records(records, written)
                        }
                        _ => 0,
                    }
                }
                Format::Classic => classic::whole_records(blocks, written),
            };
            let _ = self.file.set_len(self.len + whole as u64);
        }
        Err(error)
    }
}

/// How many bytes the blocks take that are whole within the first `len` bytes.
fn whole_blocks(blocks: &[u8], len: usize) -> usize {
    let mut whole = 0;
    // A block's length is the second word of it.
    while let Some(length) = blocks[whole..].get(4..8).and_then(|word| word.try_into().ok()) {
        let end = whole + u32::from_le_bytes(length) as usize;
        if end > len || end == whole {
            break;
        }
        whole = end;
    }
    whole
}
