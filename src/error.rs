//! The errno table: what Linux answers, as [`io::Error`]s.
//!
//! Every error a socket of this crate returns is made here, so that its kind, its text and its
//! number are those that `std::net` gives on Linux. On another system the numbers mean other
//! things, so there the error carries the kind and Linux's text.

use std::io;

/// What a task, a host or a client returns: `Result<(), Box<dyn Error>>`, so that `?` works on
/// any error.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The error numbers of Linux that the sockets use (`errno(3)`, asm-generic numbering).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errno {
    Pipe,
    Invalid,
    NotConnected,
    AddrInUse,
    AddrNotAvailable,
    NetUnreachable,
    ConnReset,
    TimedOut,
    ConnRefused,
    HostUnreachable,
    AddressFamilyNotSupported,
    TooManyOpenFiles,
    NoProtocolOption,
    OperationNotSupported,
    ConnAborted,
}

impl Errno {
    /// Linux's number.
    const fn number(self) -> i32 {
        match self {
            Errno::Invalid => 22,
            Errno::TooManyOpenFiles => 24,
            Errno::Pipe => 32,
            Errno::NoProtocolOption => 92,
            Errno::OperationNotSupported => 95,
            Errno::AddressFamilyNotSupported => 97,
            Errno::AddrInUse => 98,
            Errno::AddrNotAvailable => 99,
            Errno::NetUnreachable => 101,
            Errno::ConnAborted => 103,
            Errno::ConnReset => 104,
            Errno::NotConnected => 107,
            Errno::TimedOut => 110,
            Errno::ConnRefused => 111,
            Errno::HostUnreachable => 113,
        }
    }

    #[cfg(not(target_os = "linux"))]
    const fn kind_and_text(self) -> (io::ErrorKind, &'static str) {
        match self {
            Errno::Invalid => (io::ErrorKind::InvalidInput, "Invalid argument"),
            Errno::TooManyOpenFiles => (io::ErrorKind::Other, "Too many open files"),
            Errno::Pipe => (io::ErrorKind::BrokenPipe, "Broken pipe"),
            Errno::AddressFamilyNotSupported => {
                (io::ErrorKind::Other, "Address family not supported by protocol")
            }
            Errno::NoProtocolOption => (io::ErrorKind::Other, "Protocol not available"),
            Errno::OperationNotSupported => (io::ErrorKind::Unsupported, "Operation not supported"),
            Errno::AddrInUse => (io::ErrorKind::AddrInUse, "Address already in use"),
            Errno::AddrNotAvailable => {
                (io::ErrorKind::AddrNotAvailable, "Cannot assign requested address")
            }
            Errno::NetUnreachable => (io::ErrorKind::NetworkUnreachable, "Network is unreachable"),
            Errno::ConnAborted => {
                (io::ErrorKind::ConnectionAborted, "Software caused connection abort")
            }
            Errno::ConnReset => (io::ErrorKind::ConnectionReset, "Connection reset by peer"),
            Errno::TimedOut => (io::ErrorKind::TimedOut, "Connection timed out"),
            Errno::ConnRefused => (io::ErrorKind::ConnectionRefused, "Connection refused"),
            Errno::HostUnreachable => (io::ErrorKind::HostUnreachable, "No route to host"),
        }
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> io::Error {
        #[cfg(target_os = "linux")]
        {
            io::Error::from_raw_os_error(errno.number())
        }
        #[cfg(not(target_os = "linux"))]
        {
            let (kind, text) = errno.kind_and_text();
            io::Error::new(kind, format!("{text} (os error {})", errno.number()))
        }
    }
}

/// A call was made by code that runs on no host of any world.
pub(crate) fn outside_a_host() -> io::Error {
    io::Error::other(
        "not inside a glassnet host: sockets belong to the tasks of `Sim::host` and `Sim::client`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_kinds_that_linux_gives() {
        let kind = |errno: Errno| io::Error::from(errno).kind();
        assert_eq!(kind(Errno::ConnRefused), io::ErrorKind::ConnectionRefused);
        assert_eq!(kind(Errno::ConnReset), io::ErrorKind::ConnectionReset);
        assert_eq!(kind(Errno::TimedOut), io::ErrorKind::TimedOut);
        assert_eq!(kind(Errno::ConnAborted), io::ErrorKind::ConnectionAborted);
        assert_eq!(kind(Errno::OperationNotSupported), io::ErrorKind::Unsupported);
        assert_eq!(kind(Errno::Pipe), io::ErrorKind::BrokenPipe);
        assert_eq!(kind(Errno::AddrInUse), io::ErrorKind::AddrInUse);
        assert_eq!(kind(Errno::AddrNotAvailable), io::ErrorKind::AddrNotAvailable);
        assert_eq!(kind(Errno::NotConnected), io::ErrorKind::NotConnected);
        assert_eq!(kind(Errno::Invalid), io::ErrorKind::InvalidInput);
        assert_eq!(kind(Errno::NetUnreachable), io::ErrorKind::NetworkUnreachable);
        assert_eq!(kind(Errno::HostUnreachable), io::ErrorKind::HostUnreachable);
    }
}
