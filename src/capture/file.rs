//! The file of a capture.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::output::Sink;

/// A file that ends with a whole block, also when the disk is full; or a device or a pipe, which
/// takes what it takes.
#[derive(Debug)]
pub(crate) struct CaptureFile {
    file: File,
    is_regular: bool,
    /// How long the file is.
    len: u64,
}

impl CaptureFile {
    /// An empty file, or what is no file.
    pub(super) fn new(file: File) -> CaptureFile {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        CaptureFile { file, is_regular, len: 0 }
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
}

impl CaptureFile {
    /// Lets the file end with the last block that was written whole.
    fn cut(&mut self, blocks: &[u8], written: usize, error: io::Error) -> io::Result<()> {
        if self.is_regular {
            // Where even this fails, the error that led to it says more.
            let _ = self.file.set_len(self.len + whole_blocks(blocks, written) as u64);
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
