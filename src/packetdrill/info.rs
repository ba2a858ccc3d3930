//! The names of `TCP_INFO` that code may use.

use super::error::Stop;
use crate::host::TcpInfo;
use crate::net::socket::Socket;

/// What `TCP_INFO` says of a socket at one moment.
pub(super) struct Fields(TcpInfo);

impl Fields {
    pub(super) fn of(socket: &Socket) -> Result<Fields, Stop> {
        let info = socket.tcp_info();
        info.map(Fields).map_err(|error| Stop::Failed(format!("TCP_INFO: {error}")))
    }

    pub(super) fn get(&self, name: &str) -> Option<i128> {
        self.0.field(name).map(i128::from)
    }
}

/// The constants that packetdrill defines for code.
const CONSTANTS: [(&str, i128); 23] = [
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCPI_OPT_ECN_SEEN", 16),
    ("TCPI_OPT_SYN_DATA", 32),
    ("TCPI_OPT_USEC_TS", 64),
];

pub(super) fn constant(name: &str) -> Option<i128> {
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
