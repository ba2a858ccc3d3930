//! The errors of getaddrinfo(3).

use std::error::Error;
use std::fmt;
use std::io;

/// Why a name, an address or a service was not resolved: an error of `getaddrinfo(3)`, with
/// glibc's number and text.
///
/// Calls return it within an [`io::Error`] of the kind [`Other`](io::ErrorKind::Other), as std's
/// resolution does; [`AddrInfoError::of`] takes it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddrInfoError {
    kind: AddrInfoErrorKind,
    about: String,
}

/// Which error of `getaddrinfo(3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddrInfoErrorKind {
    /// `EAI_BADFLAGS`: flags that contradict the rest.
    BadFlags = -1,
    /// `EAI_NONAME`: no such name.
    NoName = -2,
    /// `EAI_AGAIN`: no server answered; a later attempt may succeed.
    Again = -3,
    /// `EAI_FAIL`: a failure that another attempt would not mend.
    Fail = -4,
    /// `EAI_NODATA`: the name is known, but has no address of that family.
    NoData = -5,
    /// `EAI_FAMILY`: no such family.
    Family = -6,
    /// `EAI_SOCKTYPE`: no such type of socket, or not with that protocol.
    SockType = -7,
    /// `EAI_SERVICE`: no such service for that type of socket.
    Service = -8,
    /// `EAI_ADDRFAMILY`: an address of another family.
    AddrFamily = -9,
}

impl AddrInfoErrorKind {
    /// The number that `getaddrinfo(3)` returns.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The text that `gai_strerror(3)` has for it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            AddrInfoErrorKind::BadFlags => "Bad value for ai_flags",
            AddrInfoErrorKind::NoName => "Name or service not known",
            AddrInfoErrorKind::Again => "Temporary failure in name resolution",
            AddrInfoErrorKind::Fail => "Non-recoverable failure in name resolution",
            AddrInfoErrorKind::NoData => "No address associated with hostname",
            AddrInfoErrorKind::Family => "ai_family not supported",
            AddrInfoErrorKind::SockType => "ai_socktype not supported",
            AddrInfoErrorKind::Service => "Servname not supported for ai_socktype",
            AddrInfoErrorKind::AddrFamily => "Address family for hostname not supported",
        }
    }

    /// The error, with what it is about.
    pub(crate) fn about(self, what: impl Into<String>) -> io::Error {
        io::Error::other(AddrInfoError { kind: self, about: what.into() })
    }
}

impl AddrInfoError {
    /// The error of name resolution that `error` is, if it is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&AddrInfoError> {
        error.get_ref()?.downcast_ref()
    }

    /// Which one.
    #[must_use]
    pub fn kind(&self) -> AddrInfoErrorKind {
        self.kind
    }

    /// The number that `getaddrinfo(3)` returns: -2 for `EAI_NONAME`.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.kind.code()
    }
}

impl fmt::Display for AddrInfoError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AddrInfoError { kind, about } = self;
        write!(formatter, "failed to lookup address information: {}: {about}", kind.text())
    }
}

impl Error for AddrInfoError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_getaddrinfo_s_number_and_text() {
        let error = AddrInfoErrorKind::NoName.about("\"nowhere\"");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        let text = "failed to lookup address information: Name or service not known: \"nowhere\"";
        assert_eq!(error.to_string(), text);
        let within = AddrInfoError::of(&error).unwrap();
        assert_eq!((within.kind(), within.code()), (AddrInfoErrorKind::NoName, -2));
        assert!(AddrInfoError::of(&io::Error::other("something else")).is_none());
    }
}
