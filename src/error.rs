//! What applications return, and the errno table: what Linux answers, as [`io::Error`]s.
//!
//! Every error a socket of this crate returns is made here, so that its kind, its text and its
//! number are those that `std::net` gives on Linux. On another system the numbers mean other
//! things, so there the error carries the kind and Linux's text.

mod any;

use std::io;

pub use any::{Error, Result};

/// One line an error: its name here, Linux's number, and what other systems are told.
macro_rules! errno_table {
    ($($name:ident = $number:literal, $kind:ident, $text:literal;)*) => {
        /// The error numbers of Linux that the sockets use (`errno(3)`, asm-generic numbering).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "some are of calls that only \
            programs on tokio make"))]
        pub(crate) enum Errno {
            $($name,)*
        }

        impl Errno {
            /// Linux's number.
            pub(crate) const fn number(self) -> i32 {
                match self {
                    $(Errno::$name => $number,)*
                }
            }

            #[cfg(not(target_os = "linux"))]
            const fn kind_and_text(self) -> (io::ErrorKind, &'static str) {
                match self {
                    $(Errno::$name => (io::ErrorKind::$kind, $text),)*
                }
            }
        }
    };
}

errno_table! {
    NotPermitted = 1, PermissionDenied, "Operation not permitted";
    NoEntry = 2, NotFound, "No such file or directory";
    BadDescriptor = 9, Other, "Bad file descriptor";
    TryAgain = 11, WouldBlock, "Resource temporarily unavailable";
    OutOfMemory = 12, OutOfMemory, "Cannot allocate memory";
    Access = 13, PermissionDenied, "Permission denied";
    Fault = 14, Other, "Bad address";
    Exists = 17, AlreadyExists, "File exists";
    NoDevice = 19, Other, "No such device";
    Invalid = 22, InvalidInput, "Invalid argument";
    TooManyOpenFiles = 24, Other, "Too many open files";
    NoSpace = 28, StorageFull, "No space left on device";
    Pipe = 32, BrokenPipe, "Broken pipe";
    NoNetwork = 64, Other, "Machine is not on the network";
    Protocol = 71, Other, "Protocol error";
    DestinationRequired = 89, Other, "Destination address required";
    MessageSize = 90, Other, "Message too long";
    WrongProtocolType = 91, Other, "Protocol wrong type for socket";
    NoProtocolOption = 92, Other, "Protocol not available";
    ProtocolNotSupported = 93, Other, "Protocol not supported";
    SocketTypeNotSupported = 94, Other, "Socket type not supported";
    OperationNotSupported = 95, Unsupported, "Operation not supported";
    AddressFamilyNotSupported = 97, Other, "Address family not supported by protocol";
    AddrInUse = 98, AddrInUse, "Address already in use";
    AddrNotAvailable = 99, AddrNotAvailable, "Cannot assign requested address";
    NetUnreachable = 101, NetworkUnreachable, "Network is unreachable";
    ConnAborted = 103, ConnectionAborted, "Software caused connection abort";
    ConnReset = 104, ConnectionReset, "Connection reset by peer";
    NoBufferSpace = 105, Other, "No buffer space available";
    IsConnected = 106, Other, "Transport endpoint is already connected";
    NotConnected = 107, NotConnected, "Transport endpoint is not connected";
    TimedOut = 110, TimedOut, "Connection timed out";
    ConnRefused = 111, ConnectionRefused, "Connection refused";
    HostDown = 112, Other, "Host is down";
    HostUnreachable = 113, HostUnreachable, "No route to host";
    Already = 114, Other, "Operation already in progress";
    InProgress = 115, InProgress, "Operation now in progress";
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
        assert_eq!(kind(Errno::NotPermitted), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(Errno::NoEntry), io::ErrorKind::NotFound);
        assert_eq!(kind(Errno::TryAgain), io::ErrorKind::WouldBlock);
        assert_eq!(kind(Errno::NoSpace), io::ErrorKind::StorageFull);
        assert_eq!(kind(Errno::OperationNotSupported), io::ErrorKind::Unsupported);
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
        assert_eq!(kind(Errno::OperationNotSupported), io::ErrorKind::Unsupported);
        assert_eq!(kind(Errno::Access), io::ErrorKind::PermissionDenied);
    }
}
