//! The options of scripts, and the addresses of a run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What the `--option` lines of a script say, or the command line beside them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) ip_version: IpVersion,
    pub(super) bind_port: u16,
    pub(super) connect_port: u16,
    pub(super) local_ip: Option<IpAddr>,
    pub(super) remote_ip: Option<IpAddr>,
    pub(super) mtu: Option<usize>,
    /// The largest payload of a segment that is injected; larger ones are cut (GRO).
    pub(super) mss: Option<u16>,
    pub(super) tolerance: Duration,
    has_own_tolerance: bool,
    /// In thousandths of the time since the event before.
    pub(super) tolerance_permille: u64,
    pub(super) ts_ecr_scaled: bool,
    /// Microseconds of a tick of TSval; 0 when it is not compared.
    pub(super) ts_tick_usecs: u64,
    pub(super) strict_segments: bool,
}

/// Of the sockets, and of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IpVersion {
    V4,
    /// Sockets of IPv6 with mapped addresses, packets of IPv4.
    Mapped,
    V6,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            ip_version: IpVersion::V4,
            bind_port: 8080,
            connect_port: 8080,
            local_ip: None,
            remote_ip: None,
            mtu: None,
            mss: None,
            tolerance: Duration::from_millis(4),
            has_own_tolerance: false,
            tolerance_permille: 125,
            ts_ecr_scaled: false,
            ts_tick_usecs: 0,
            strict_segments: false,
        }
    }
}

/// Options of packetdrill about its own machinery, which mean nothing in a simulation.
const OF_THE_MACHINERY: [&str; 10] = [
    "code_command",
    "code_format",
    "code_sockopt",
    "debug",
    "define",
    "gateway_ip",
    "netmask_ip",
    "send_omit_free",
    "speed",
    "verbose",
];

impl Settings {
    /// Takes one option; the error says what is wrong with it.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let wants = || format!("--{name} wants a value");
        let text = || value.filter(|value| !value.is_empty()).ok_or_else(wants);
        match name {
            "ip_version" => {
                self.ip_version = match text()? {
                    "ipv4" => IpVersion::V4,
                    "ipv4-mapped-ipv6" => IpVersion::Mapped,
                    "ipv6" => IpVersion::V6,
                    other => return Err(format!("there is no ip_version {other}")),
                };
            }
            "bind_port" => self.bind_port = number(name, text()?, 1, 65_535)? as u16,
            "connect_port" => self.connect_port = number(name, text()?, 1, 65_535)? as u16,
            "local_ip" => self.local_ip = Some(address(name, text()?)?),
            "remote_ip" => self.remote_ip = Some(address(name, text()?)?),
            "mtu" => self.mtu = Some(number(name, text()?, 68, 65_535)? as usize),
            "mss" => self.mss = Some(number(name, text()?, 1, 65_535)? as u16),
            "tolerance_usecs" => {
                let micros = number(name, text()?, 0, 3_600_000_000)?;
                self.tolerance = Duration::from_micros(micros);
                self.has_own_tolerance = true;
            }
            "tolerance_percent" => self.tolerance_permille = permille(name, text()?)?,
            "tcp_ts_ecr_scaled" => self.ts_ecr_scaled = true,
            "tcp_ts_tick_usecs" => self.ts_tick_usecs = number(name, text()?, 0, 1_000_000)?,
            "strict_segments" => self.strict_segments = true,
            _ if OF_THE_MACHINERY.contains(&name) => {}
            _ => return Err(format!("there is no option --{name}")),
        }
        Ok(())
    }

    /// Whether the script leaves the tolerance open.
    pub(super) fn has_default_tolerance(&self) -> bool {
        !self.has_own_tolerance
    }

    pub(super) fn is_v6(&self) -> bool {
        self.ip_version == IpVersion::V6
    }

    /// The host's address on the wire.
    pub(super) fn local(&self) -> IpAddr {
        self.local_ip.unwrap_or(match self.is_v6() {
            false => Ipv4Addr::new(192, 168, 0, 2).into(),
            true => Ipv6Addr::new(0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 2).into(),
        })
    }

    /// The peer's address on the wire.
    pub(super) fn remote(&self) -> IpAddr {
        self.remote_ip.unwrap_or(match self.is_v6() {
            false => Ipv4Addr::new(192, 0, 2, 1).into(),
            true => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        })
    }

    /// The bits of the prefix of the host's network.
    pub(super) fn prefix_len(&self) -> u8 {
        if self.is_v6() { 48 } else { 16 }
    }

    /// Whether sockets are of IPv6.
    pub(super) fn has_v6_sockets(&self) -> bool {
        self.ip_version != IpVersion::V4
    }

    /// What `bind` binds to where the script leaves it open.
    pub(super) fn bind_address(&self) -> SocketAddr {
        SocketAddr::new(self.of_sockets(self.local()), self.bind_port)
    }

    /// What `connect` connects to where the script leaves it open.
    pub(super) fn connect_address(&self) -> SocketAddr {
        SocketAddr::new(self.of_sockets(self.remote()), self.connect_port)
    }

    fn of_sockets(&self, address: IpAddr) -> IpAddr {
        match (self.ip_version, address) {
            (IpVersion::Mapped, IpAddr::V4(address)) => address.to_ipv6_mapped().into(),
            _ => address,
        }
    }

    /// What is wrong with them together.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_wrong = |address: IpAddr| address.is_ipv6() != self.is_v6();
        match [self.local(), self.remote()].into_iter().find(|address| is_wrong(*address)) {
            Some(address) => Err(format!("{address} is not of the ip_version")),
            None => Ok(()),
        }
    }
}

fn number(name: &str, text: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("--{name} wants a number from {min} to {max}, not {text}"))
}

fn permille(name: &str, text: &str) -> Result<u64, String> {
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    let whole = number(name, whole, 0, 1_000)?;
    let tenths = number(name, tenths.get(..1).unwrap_or("0"), 0, 9)?;
    Ok(whole * 10 + tenths)
}

/// An address; the length of a prefix after it is packetdrill's, and means nothing here.
fn address(name: &str, text: &str) -> Result<IpAddr, String> {
    let address = text.split_once('/').map_or(text, |(address, _)| address);
    address.parse().map_err(|_| format!("--{name} wants an IP address, not {text}"))
}
