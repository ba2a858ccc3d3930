//! Waiting for a device of the kernel that somebody else makes, or brings up.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use glassnet::Live;
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// How often it is looked for.
const EACH: Duration = Duration::from_millis(100);

/// Whether there is a device of that name.
pub(crate) fn is_there(name: &str) -> bool {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None);
    socket.is_ok_and(|socket| netdevice::name_to_index(socket, name).is_ok())
}

/// Attaches to a device as soon as it is there and up; says once what is waited for, and when it is
/// over. A signal ends the process as usual.
///
/// # Errors
/// Those of `attach` that waiting does not mend.
pub(crate) fn attached_in_the_end(
    name: &str,
    attach: fn(&str) -> io::Result<Live>,
) -> io::Result<Live> {
    let mut has_waited = false;
    loop {
        let missing = match is_there(name) {
            true => match attach(name) {
                Err(error) if error.kind() == ErrorKind::NetworkDown => "up",
                attached => {
                    if has_waited && attached.is_ok() {
                        let _ = writeln!(io::stderr(), "glassnet: {name} is up");
                    }
                    return attached;
                }
            },
            false => "there",
        };
        if !std::mem::replace(&mut has_waited, true) {
            let _ = writeln!(io::stderr(), "glassnet: waiting until {name} is {missing}");
        }
        #[expect(clippy::disallowed_methods, reason = "no world has begun")]
        std::thread::sleep(EACH);
    }
}
