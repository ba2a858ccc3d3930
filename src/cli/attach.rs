//! What `glassnet server` and `glassnet client` have in common: a host, and what it is attached to.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use glassnet::net::socket::Domain;
use glassnet::{HostOptions, Impairments, Live, TcpEngine, default_cable};

use super::{engine, output, values, waiting};

/// The host, its addresses, its captures.
#[derive(Args, Debug)]
pub(crate) struct Attach {
    /// Attach to this TAP device of the kernel
    ///
    /// A device that exists must be this user's and up; scripts/tap-up.sh makes one. Who may
    /// (root, or anybody within `unshare -Urn`) can name one that does not exist.
    #[arg(long, value_name = "NAME", value_parser = values::device, group = "device",
          help_heading = "Attached to")]
    tap: Option<String>,

    /// Attach to this TUN device of the kernel: IP packets without Ethernet
    #[arg(long, value_name = "NAME", value_parser = values::device, group = "device",
          help_heading = "Attached to")]
    tun: Option<String>,

    /// Attach to the cable at this path [default: one for this user, in $XDG_RUNTIME_DIR or /tmp]
    ///
    /// The first process makes it, others join it; so can a virtual machine, with
    /// qemu -netdev stream,id=n,server=off,addr.type=unix,addr.path=PATH. Its socket is this user's
    /// alone.
    #[arg(long, value_name = "PATH", group = "device", help_heading = "Attached to")]
    cable: Option<PathBuf>,

    /// Wait until the TAP or TUN device is there and up
    ///
    /// Without it a device that is down is an error, and one that is not there is made, where this
    /// user may.
    #[arg(long, conflicts_with = "cable", help_heading = "Attached to")]
    wait: bool,

    /// Address of this host and length of its network's prefix; may be given more than once
    ///
    /// On a TAP or TUN device it is of the network that the kernel's end is in; a TUN device needs
    /// one, and on a TAP device without any, --dhcp is meant. On a cable there are, by default, two
    /// that follow from the host's name, by which others find it.
    #[arg(long, value_name = "CIDR", value_parser = values::cidr, help_heading = "Host")]
    address: Vec<(IpAddr, u8)>,

    /// Ask for the IPv4 address by DHCP, with its gateway and DNS servers
    ///
    /// What is asked for and given is printed on standard error. The lease is renewed while the
    /// host runs, and given back in the end.
    #[arg(long, conflicts_with = "tun", help_heading = "Host")]
    dhcp: bool,

    /// Neighbour to which packets for other networks go; one of each family
    #[arg(long, value_name = "ADDRESS", value_parser = values::address, help_heading = "Host")]
    gateway: Vec<IpAddr>,

    /// DNS server to be asked for names; may be given three times
    #[arg(long, value_name = "ADDRESS", value_parser = values::address, help_heading = "Host")]
    nameserver: Vec<IpAddr>,

    /// Ethernet address of this host
    #[arg(long, value_name = "MAC", value_parser = values::mac, help_heading = "Host")]
    mac: Option<[u8; 6]>,

    /// Name of this host
    #[arg(long, value_name = "NAME", help_heading = "Host")]
    hostname: Option<String>,

    /// Largest IP packet in bytes [default: that of the device; 1500 on a cable]
    #[arg(long, value_name = "BYTES", value_parser = values::mtu, help_heading = "Host")]
    mtu: Option<usize>,

    /// What speaks TCP: smoltcp, or glassnet, our own, which does as Linux does
    #[arg(long, value_name = "NAME", default_value = "smoltcp", value_parser = engine::engine)]
    #[arg(help_heading = "Host")]
    engine: TcpEngine,

    /// What all randomness comes from [default: the operating system]
    #[arg(long, value_name = "N", value_parser = values::seed, help_heading = "Host")]
    seed: Option<u64>,

    /// Capture of what passes the host's interface; - is standard output
    ///
    /// A name that ends in .pcap gets a classic pcap file, of the frames alone. With -, everything
    /// else is printed on standard error, and frames are shown live by adding
    /// --pcap - | wireshark -k -i -
    #[arg(long, short = 'w', value_name = "PATH", help_heading = "Output")]
    pcap: Option<PathBuf>,

    /// No rows in the capture for what is no frame, such as what was never sent
    #[arg(long, requires = "pcap", help_heading = "Output")]
    frames_only: bool,

    #[command(flatten)]
    wire: Wire,
}

/// What happens to the frames that this host sends.
#[derive(Args, Debug)]
#[command(next_help_heading = "Wire, for what this host sends")]
struct Wire {
    /// Propagation delay [default: none]
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    delay: Option<Duration>,

    /// Variation of each packet's delay, either way [default: none]
    #[arg(long, value_name = "TIME", value_parser = values::time, allow_hyphen_values = true)]
    jitter: Option<Duration>,

    /// Packets that are lost [default: none]
    #[arg(long, value_name = "PERCENT", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    loss: Option<f64>,

    /// Packets that arrive twice [default: none]
    #[arg(long, value_name = "PERCENT", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    duplicate: Option<f64>,

    /// Packets that are held back and overtaken [default: none]
    #[arg(long, value_name = "PERCENT", value_parser = values::percentage)]
    #[arg(allow_hyphen_values = true)]
    reorder: Option<f64>,

    /// Rate at which frames leave [default: at once]
    #[arg(long, value_name = "RATE", value_parser = values::rate, allow_hyphen_values = true)]
    rate: Option<u64>,
}

/// Over which family a server is reached.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Over IPv4 alone
    #[arg(short = '4', long, conflicts_with = "ipv6", help_heading = "Host")]
    ipv4: bool,

    /// Over IPv6 alone
    #[arg(short = '6', long, help_heading = "Host")]
    ipv6: bool,
}

impl Family {
    /// Whether an address is of a family that was asked for.
    pub(crate) fn includes(self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(_) => !self.ipv6,
            IpAddr::V6(_) => !self.ipv4,
        }
    }

    /// The family, where one was asked for.
    pub(crate) fn only(self) -> Option<Domain> {
        match self {
            Family { ipv4: true, .. } => Some(Domain::IPV4),
            Family { ipv6: true, .. } => Some(Domain::IPV6),
            _ => None,
        }
    }
}

impl Wire {
    fn impairments(&self) -> Impairments {
        Impairments::default()
            .delay(self.delay.unwrap_or_default())
            .jitter(self.jitter.unwrap_or_default())
            .loss(self.loss.unwrap_or_default())
            .duplicate(self.duplicate.unwrap_or_default())
            .reorder(self.reorder.unwrap_or_default())
            .rate(self.rate)
    }
}

impl Attach {
    /// The options of the host's stack.
    pub(crate) fn host_options(&self) -> HostOptions {
        let options = engine::host_options(self.engine);
        match self.mtu {
            Some(mtu) => options.mtu(mtu),
            None => options,
        }
    }

    /// The host, attached, and ready to run.
    pub(crate) fn live(&self, default_name: &str) -> io::Result<Live> {
        if self.wait && self.is_on_cable() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "--wait: nobody waits for a cable; give --tap or --tun",
            ));
        }
        // Before anything is made or waited for.
        let is_on_stdout = self.is_captured_on_stdout();
        if is_on_stdout {
            output::refuse_terminal()?;
        }
        let mut live = self.attached()?;
        live.hostname(self.name(default_name));
        for (address, prefix_len) in &self.address {
            live.address(*address, *prefix_len);
        }
        if self.asks_by_dhcp() {
            self.ask_by_dhcp(&mut live)?;
        }
        for gateway in &self.gateway {
            live.gateway(*gateway);
        }
        for nameserver in &self.nameserver {
            live.nameserver(*nameserver);
        }
        if let Some(mac) = self.mac {
            live.mac(mac);
        }
        live.host_options(self.host_options());
        if let Some(seed) = self.seed {
            live.seed(seed);
        }
        live.impairments(self.wire.impairments());
        live.capture_events(!self.frames_only);
        match &self.pcap {
            Some(_) if is_on_stdout => {
                // Without the lines that `io::stdout` keeps together.
                let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
                live.capture_to("standard output", stdout);
            }
            Some(path) => live.capture(path)?,
            None => {}
        }
        Ok(live)
    }

    fn attached(&self) -> io::Result<Live> {
        let (name, attach): (_, fn(&str) -> io::Result<Live>) =
            match (&self.tap, &self.tun, &self.cable) {
                (Some(name), _, _) => (name, |name| Live::tap(name)),
                (_, Some(name), _) => (name, |name| Live::tun(name)),
                (_, _, Some(path)) => return Live::cable(path),
                _ => return Live::cable(default_cable()?),
            };
        if self.wait {
            return waiting::attached_in_the_end(name, attach);
        }
        let is_new = !waiting::is_there(name);
        let live = attach(name)?;
        if is_new {
            let _ = writeln!(io::stderr(), "{}", self.what_a_new_device_needs(name));
        }
        Ok(live)
    }

    /// At the kernel's end of a device that was just made there is nobody yet.
    fn what_a_new_device_needs(&self, name: &str) -> String {
        let made = format!("glassnet: made {name}, which is gone when this process is");
        if self.asks_by_dhcp() {
            return format!(
                "{made}; at its other end nobody gives addresses yet: start a DHCP server on \
                 {name}, or give --address"
            );
        }
        let command = |(address, len): &(IpAddr, u8)| {
            let other = values::neighbour(*address, *len)?;
            Some(format!("\n  ip address add {other}/{len} dev {name}"))
        };
        let commands: String = self.address.iter().filter_map(command).collect();
        match commands.as_str() {
            "" => made,
            commands => format!("{made}; give its other end an address, as root, with{commands}"),
        }
    }

    /// The host's name.
    pub(crate) fn name<'n>(&'n self, default: &'n str) -> &'n str {
        self.hostname.as_deref().unwrap_or(default)
    }

    /// Whether the IPv4 address comes by DHCP.
    pub(crate) fn asks_by_dhcp(&self) -> bool {
        self.dhcp || (self.tap.is_some() && self.address.is_empty())
    }

    fn ask_by_dhcp(&self, live: &mut Live) -> io::Result<()> {
        if let Some((address, _)) = self.address.iter().find(|(address, _)| address.is_ipv4()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("--dhcp and --address {address}: give one of them"),
            ));
        }
        let device = match (&self.tap, &self.cable) {
            (Some(name), _) => name.clone(),
            (_, Some(path)) => path.display().to_string(),
            _ => "the cable".to_owned(),
        };
        let _ = writeln!(io::stderr(), "glassnet: asking for an address by DHCP on {device}");
        let mut is_told = false;
        live.dhcp(true).on_lease(move |lease| {
            if std::mem::replace(&mut is_told, true) {
                return;
            }
            let (address, len, server) = (lease.address, lease.prefix_len, lease.server);
            let duration = lease.duration.map_or_else(|| "for ever".to_owned(), for_how_long);
            let _ =
                writeln!(io::stderr(), "glassnet: has {address}/{len} from {server}, {duration}");
        });
        Ok(())
    }

    /// Whether hosts are found by their names alone.
    pub(crate) fn are_names_addresses(&self) -> bool {
        self.is_on_cable() && !self.dhcp
    }

    /// Whether no device of the kernel is used.
    pub(crate) fn is_on_cable(&self) -> bool {
        self.tap.is_none() && self.tun.is_none()
    }

    /// Whether standard output is taken.
    pub(crate) fn is_captured_on_stdout(&self) -> bool {
        self.pcap.as_deref().is_some_and(output::is_stdout)
    }
}

/// A time as people say it: `for 1h`, `for 90s`.
fn for_how_long(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds % 3600, seconds % 60) {
        (0, _) => format!("for {}h", seconds / 3600),
        (_, 0) => format!("for {}min", seconds / 60),
        _ => format!("for {seconds}s"),
    }
}

/// Says why a host could not be attached.
pub(crate) fn not_attached(error: &io::Error) -> ExitCode {
    output::explained(&error.to_string(), ExitCode::from(output::MISUSED))
}

/// Says what ended a run, and what may help.
pub(crate) fn ended(error: &(dyn Error + 'static), hint: Option<&str>) -> ExitCode {
    let mut text = error.to_string();
    if let Some(hint) = hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    let is_setup = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::InvalidInput);
    let code = if is_setup { output::MISUSED } else { output::FAILED };
    output::explained(&text, ExitCode::from(code))
}
