//! The files that a resolver reads, as a host has them.

use std::io;

use crate::net::attachment::attachment;

/// What a file of the calling task's host holds; `None` for one that has nothing to do with names.
///
/// # Errors
/// When the caller is not a task of a host.
pub(crate) fn file_of_names(path: &str) -> io::Result<Option<String>> {
    let text: fn(&super::NameService) -> String = match path {
        "/etc/hosts" => |names| names.names().hosts_file(names.hostname()),
        "/etc/hostname" => |names| format!("{}\n", names.hostname()),
        "/etc/nsswitch.conf" => |_| "hosts: files dns\n".to_owned(),
        "/etc/resolv.conf" => |names| {
            let servers = names.names().nameservers();
            let lines = servers.iter().map(|address| format!("nameserver {address}\n"));
            lines.chain(["options timeout:5 attempts:2\n".to_owned()]).collect()
        },
        _ => return Ok(None),
    };
    Ok(Some(text(&attachment()?.names)))
}
