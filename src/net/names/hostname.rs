//! gethostname(2).

use std::io;

use crate::net::attachment::attachment;

/// The name of the calling task's host.
///
/// # Errors
/// When the caller is not a task of a host.
pub fn gethostname() -> io::Result<String> {
    Ok(attachment()?.names.hostname().to_owned())
}
