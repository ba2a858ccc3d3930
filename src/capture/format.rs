//! How a capture is written.

use std::path::Path;

/// How a capture is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// pcapng, with all that is known beside the frames.
    #[default]
    Next,
    /// pcap: the frames alone.
    Classic,
}

impl Format {
    /// What a file of that name is expected to be.
    pub(super) fn of(path: &Path) -> Format {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("pcap") => Format::Classic,
            _ => Format::Next,
        }
    }
}
