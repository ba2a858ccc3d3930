//! The forms of a port.

use std::fmt;
use std::io;

use super::Protocol;
use crate::net::names::getservbyname;

/// A port, as the BSD calls are given one: a number, a text with a number, or the name of a
/// service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Port {
    /// A number.
    Number(u16),
    /// A service, still to be looked up; also a text whose number is no port's.
    Service(String),
}

impl Port {
    /// The number of the port, for a protocol.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for a number above 65535, and those of
    /// [`getservbyname`].
    pub fn number(&self, protocol: Protocol) -> io::Result<u16> {
        match self {
            Port::Number(number) => Ok(*number),
            Port::Service(text) if is_number(text) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "port must be 0-65535"))
            }
            Port::Service(name) => match protocol.name() {
                Some(protocol) => getservbyname(name, Some(protocol)),
                None => getservbyname(name, None),
            },
        }
    }
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<u16> for Port {
    fn from(number: u16) -> Port {
        Port::Number(number)
    }
}

impl From<&str> for Port {
    fn from(text: &str) -> Port {
        match text.parse() {
            Ok(number) if is_number(text) => Port::Number(number),
            _ => Port::Service(text.to_owned()),
        }
    }
}

impl From<String> for Port {
    fn from(text: String) -> Port {
        text.as_str().into()
    }
}

impl From<&String> for Port {
    fn from(text: &String) -> Port {
        text.as_str().into()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Number(number) => write!(formatter, "{number}"),
            Port::Service(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_number_a_text_with_one_or_a_service() {
        let number = |port: Port| port.number(Protocol::TCP).map_err(|error| error.kind());
        assert_eq!(number(80.into()), Ok(80));
        assert_eq!(number("80".into()), Ok(80));
        assert_eq!(number("0".into()), Ok(0));
        assert_eq!(number("http".into()), Ok(80));
        assert_eq!(number("65535".into()), Ok(65535));
        assert_eq!(number("65536".into()), Err(io::ErrorKind::InvalidInput));
        for text in ["nosuch", "", "-1", "+80", " 80", "tftp"] {
            assert_eq!(number(text.into()), Err(io::ErrorKind::NotFound), "{text:?}");
        }
    }

    #[test]
    fn a_service_may_have_another_port_for_another_protocol() {
        let exec = |protocol| Port::from("syslog").number(protocol).ok();
        assert_eq!((exec(Protocol::TCP), exec(Protocol::UDP)), (None, Some(514)));
        assert_eq!(Port::from("syslog").number(Protocol::ICMPV4).ok(), Some(514));
    }
}
