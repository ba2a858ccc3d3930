//! The world on the wall clock: one host, attached to something real.
//!
//! - `world`: the host and its network, told what happens; `driver`: what tells it, by poll(2)
//! - `uplink`: the host's way to the device
//! - `dhcp`: how the host comes by an address, and goes on having it
//! - `conflict`: how the host looks whether its address is free, and announces it
//! - `settings`: what is set before a run; `addresses`: the host's addresses where none are given
//! - `clock`: the wall clock; `signals`: what stops a run
#![expect(
    clippy::disallowed_methods,
    reason = "here, and nowhere else, a world meets the wall clock"
)]

mod addresses;
mod clock;
mod conflict;
mod dhcp;
mod driver;
mod settings;
mod signals;
mod uplink;
mod world;

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::IpAddr;
use std::panic::Location;
use std::path::Path;

use self::clock::WallClock;
use self::dhcp::OnLease;
use self::driver::Driver;
use self::settings::Settings;
use self::signals::Signals;
use self::world::LiveWorld;
use crate::capture::TlsSecrets;
use crate::device::{Cable, Device, DeviceCounters, Mode, Tap};
use crate::error::Result;
use crate::host::{HostOptions, Lease};
use crate::network::Impairments;
use crate::task::Origin;
use crate::world::core::captures::Captures;
use crate::world::core::vantage::Target;

/// A host on the wall clock, attached to a TAP device of the Linux kernel, or to a cable that
/// joins processes.
///
/// The application is the same as in a [`Sim`](crate::Sim): an async function over
/// [`net`](crate::net) and [`time`](crate::time).
///
/// ```no_run
/// use glassnet::{Live, net::TcpListener};
/// use tokio::io::AsyncWriteExt;
///
/// let mut live = Live::tap("tap0")?;
/// live.address([10, 0, 0, 2], 24);
/// live.run(async {
///     let listener = TcpListener::bind("0.0.0.0:12345").await?;
///     loop {
///         let (mut stream, _) = listener.accept().await?;
///         stream.write_all(b"Thank you for connecting").await?;
///     }
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What is set wrongly (an address that cannot be a host's, a gateway that is no neighbour) is an
/// error of [`Live::run`], which names it. SIGINT, SIGTERM and SIGHUP end a run, as [`Live::run`]
/// says.
///
/// Sockets may be used in other threads while the world runs, also within other runtimes: what they
/// send leaves at once, and calls that wait are woken. After the run their calls fail as on a host
/// that has crashed. [`spawn`](crate::spawn) and [`time`](crate::time) work in tasks of the world only.
///
/// Only on Linux.
pub struct Live {
    device: Device,
    settings: Settings,
    captures: Captures,
    on_lease: Option<OnLease>,
    stopped_by: Option<i32>,
}

impl Live {
    /// A host attached to the TAP device `name`. If there is none and this process may make one,
    /// it is made, brought up, and removed in the end.
    ///
    /// Without a [capture](Live::capture) and without [impairments](Live::impairments), TCP is
    /// spared the work of a wire, as by a network card with segmentation and checksum offload
    /// (`TUN_F_TSO4`, `TUN_F_TSO6`, `TUN_F_CSUM`): what tcpdump shows on the device may then be up to
    /// 64 KiB long and without a checksum. With either, frames are those that a wire would have.
    ///
    /// # Errors
    /// Each says what to do: [`InvalidInput`](io::ErrorKind::InvalidInput) for a name that no
    /// device can have or for a device that is no TAP device;
    /// [`NotFound`](io::ErrorKind::NotFound) when the kernel offers no TAP devices;
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) when the device is not this user's;
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy) when another process is attached;
    /// [`NetworkDown`](io::ErrorKind::NetworkDown) when it is down.
    pub fn tap(name: &str) -> io::Result<Live> {
        Live::attach(name, Mode::Ethernet)
    }

    /// As [`Live::tap`], over a TUN device: IP packets without Ethernet, so that there are no
    /// neighbours to be asked for, and everything leaves through the device. Captures have
    /// them as they are (`LINKTYPE_RAW`).
    ///
    /// # Errors
    /// Those of [`Live::tap`].
    pub fn tun(name: &str) -> io::Result<Live> {
        Live::attach(name, Mode::Ip)
    }

    fn attach(name: &str, mode: Mode) -> io::Result<Live> {
        let tap = Tap::open(name, mode)?;
        let settings = Settings::of_tap(&tap);
        Ok(Live::new(Device::Tap(tap), settings))
    }

    /// A host on the cable at `path`: a Unix-domain socket that carries Ethernet frames. Before each
    /// frame stands its length in bytes, as 4 bytes in network byte order: the format of QEMU's
    /// `-netdev stream,id=net0,server=off,addr.type=unix,addr.path=PATH`.
    ///
    /// The first process at a path makes a learning switch there, the others join it, and when it
    /// ends or dies another takes its place. A member that sends what cannot be a frame is
    /// disconnected. [`default_cable`](crate::default_cable) is the path for processes
    /// that are given none.
    ///
    /// Without [`Live::address`] the host has addresses that follow from its
    /// [`hostname`](Live::hostname), in 10.0.0.0/8 and fd00::/64; so others can find it by that
    /// name: see [`Live::peer`].
    ///
    /// # Errors
    /// Those of the socket, with what to do about them;
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when the path is that of something else.
    pub fn cable(path: impl AsRef<Path>) -> io::Result<Live> {
        let path = path.as_ref();
        let cable = Cable::plug_in(path)?;
        let is_switch = cable.is_switch();
        let shown = path.display();
        tracing::info!(target: "glassnet::world", cable = %shown, is_switch, "plugged in");
        Ok(Live::new(Device::Cable(cable), Settings::of_cable(path)?))
    }

    fn new(device: Device, settings: Settings) -> Live {
        let captures = Captures::default();
        Live { device, settings, captures, on_lease: None, stopped_by: None }
    }

    /// Gives the host an address, and the length of its network's prefix in bits:
    /// `live.address([10, 0, 0, 2], 24)`. Of several addresses of a family, the first is the source of
    /// what it sends. It always has a link-local address as well.
    pub fn address(&mut self, address: impl Into<IpAddr>, prefix_len: u8) -> &mut Live {
        self.settings.addresses.push((address.into(), prefix_len));
        self
    }

    /// Whether the host gets its IPv4 address by DHCP (RFC 2131); default off. With it come
    /// the length of its network's prefix, a gateway, DNS servers (unless there is a
    /// [`nameserver`](Live::nameserver)) and an MTU, where it is smaller. IPv6 addresses may be given
    /// beside it; on a cable there is, by default, the one that follows from the host's name.
    ///
    /// [`Live::run`] begins with it: `main` starts once the host has the address. If it gets none, the
    /// run fails. An address that a neighbour has is declined. While `main` runs the lease is
    /// renewed; in the end, when connections are closed, the address is given back. The DHCP
    /// server is told the [`hostname`](Live::hostname). In the application
    /// [`lookup_host`](crate::net::lookup_host) of that name tells the address; outside,
    /// [`Live::on_lease`] does.
    ///
    /// The frames of all this pass captures and impairments as others do. UDP port 68 is in use by it.
    ///
    /// The errors are those of [`Live::run`].
    pub fn dhcp(&mut self, on: bool) -> &mut Live {
        self.settings.dhcp = on;
        self
    }

    /// Calls `tell` when the host has got its address by DHCP, before `main` starts, and whenever
    /// its lease is renewed. The address is the same throughout a run.
    pub fn on_lease(&mut self, tell: impl FnMut(&Lease) + 'static) -> &mut Live {
        self.on_lease = Some(Box::new(tell));
        self
    }

    /// The gateway, to which the host sends what is for other networks: one for each family. It must be
    /// a neighbour.
    pub fn gateway(&mut self, gateway: impl Into<IpAddr>) -> &mut Live {
        self.settings.gateways.push(gateway.into());
        self
    }

    /// Gives the interface an Ethernet address. By default, on a TAP device it follows from the
    /// device's name and the host's, so that a host that is started again is known by its
    /// neighbours; on a cable it is random.
    pub fn mac(&mut self, mac: [u8; 6]) -> &mut Live {
        self.settings.mac = Some(mac);
        self
    }

    /// Names the host. Default `glassnet` on a TAP device; on a cable `host-` and the process's
    /// number.
    pub fn hostname(&mut self, name: &str) -> &mut Live {
        name.clone_into(&mut self.settings.hostname);
        self
    }

    /// Lets the application find another host of the cable by its name. That host must have the
    /// addresses that follow from its name, which it has unless it was given others.
    pub fn peer(&mut self, name: &str) -> &mut Live {
        self.settings.peers.push(name.to_owned());
        self
    }

    /// Adds a line to the host's `/etc/hosts`: an address, and its names, separated by spaces.
    pub fn hosts_entry(&mut self, names: &str, address: impl Into<IpAddr>) -> &mut Live {
        self.settings.hosts.push((names.to_owned(), address.into()));
        self
    }

    /// Lets the application ask this DNS server, of the real network, for names that the host does
    /// not know itself; up to three, in the order in which they are asked.
    pub fn nameserver(&mut self, address: impl Into<IpAddr>) -> &mut Live {
        self.settings.nameservers.push(address.into());
        self
    }

    /// The seed of what the host draws at random: initial sequence numbers, ports, impairments,
    /// and [`glassnet::rng()`](crate::rng()).
    /// By default the operating system gives one.
    pub fn seed(&mut self, seed: u64) -> &mut Live {
        self.settings.seed = Some(seed);
        self
    }

    /// Sets the options of the host's stack. Without an [MTU](HostOptions::mtu) it has that of the
    /// device.
    pub fn host_options(&mut self, options: HostOptions) -> &mut Live {
        self.settings.options = options;
        self
    }

    /// Sets what happens to the frames that this host sends, before they reach the device: by
    /// default nothing at all. Without a [delay](Impairments::delay) there is none.
    pub fn impairments(&mut self, impairments: Impairments) -> &mut Live {
        self.settings.impairments = impairments;
        self
    }

    /// Captures what passes the host's interface into a pcapng file, or, where the path ends in
    /// `.pcap`, a classic one. What is written when, and what
    /// of it survives the end of the process, is as for [`Sim::capture`](crate::Sim::capture); each
    /// run has a section of its own.
    ///
    /// # Errors
    /// Those of [`Sim::capture`](crate::Sim::capture).
    pub fn capture(&mut self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let target = Target::file_or_stream(path)?;
        self.add_capture(&path.display().to_string(), target);
        Ok(())
    }

    /// Captures what passes the host's interface into anything that takes bytes, such as a pipe
    /// to Wireshark. It is written before the host falls asleep, so that frames are seen at once,
    /// and in a thread of its own: a reader that is slow does not stop the host. When more than
    /// 8 MiB wait for it, frames are left out, and the next one says how many (`epb_dropcount`, in
    /// Wireshark `frame.drop_count`).
    pub fn capture_to(&mut self, name: &str, writer: impl Write + Send + 'static) -> &mut Live {
        self.add_capture(name, Target::stream(Box::new(writer)));
        self
    }

    /// Whether captures that are asked for from now on have rows for what is no frame; as
    /// [`Sim::capture_events`](crate::Sim::capture_events).
    pub fn capture_events(&mut self, captures_events: bool) -> &mut Live {
        self.settings.captures_events = captures_events;
        self
    }

    fn add_capture(&mut self, name: &str, target: Target) {
        let has_events = self.settings.captures_events;
        self.captures.add(&self.settings.capture(name, has_events), target);
        self.settings.captures.push((name.to_owned(), has_events));
    }

    /// Where to put TLS secrets so that the captures can be decrypted.
    #[must_use]
    pub fn tls_secrets(&self) -> TlsSecrets {
        self.captures.secrets().clone()
    }

    /// Whether SIGINT, SIGTERM and SIGHUP are left to the program. Default off: they end a run.
    pub fn leave_signals(&mut self, leave: bool) -> &mut Live {
        self.settings.stops_on_signals = !leave;
        self
    }

    /// The addresses that the host has, in the order in which they were given, each with the
    /// length of its network's prefix; without the link-local one, and without that of
    /// [`Live::dhcp`].
    #[must_use]
    pub fn addresses(&self) -> Vec<(IpAddr, u8)> {
        self.settings.all_addresses()
    }

    /// What passed the device so far.
    #[must_use]
    pub fn device_counters(&self) -> DeviceCounters {
        self.device.counters()
    }

    /// The number of the signal that ended the last run, if one did.
    #[must_use]
    pub fn stopped_by(&self) -> Option<i32> {
        self.stopped_by
    }

    /// Runs `main` on the host until it ends, or SIGINT, SIGTERM or SIGHUP comes. SIGHUP, which the end
    /// of a terminal sends, does not end the run where it is ignored, as under nohup(1).
    ///
    /// Then every task is dropped, as at the end of a process, and with it the sockets it held:
    /// what was written is still delivered and connections are closed, for up to 5 seconds.
    /// Connections that are open even then, or when a second signal comes, are reset. Captures
    /// are whole.
    ///
    /// While nothing happens the thread sleeps.
    ///
    /// # Errors
    /// What `main` returns; [`InvalidInput`](io::ErrorKind::InvalidInput) when something was set
    /// wrongly; [`AddrInUse`](io::ErrorKind::AddrInUse) when a neighbour has the host's address;
    /// errors of the device, and of writing a capture.
    ///
    /// With [`Live::dhcp`], [`InvalidInput`](io::ErrorKind::InvalidInput) also on a TUN device,
    /// which has no Ethernet, and beside an IPv4 address or gateway;
    /// [`TimedOut`](io::ErrorKind::TimedOut) when 10 seconds have brought no address;
    /// [`AddrNotAvailable`](io::ErrorKind::AddrNotAvailable), in the middle of a run, when the
    /// lease is over and nobody has renewed it, or the server gives the host another address:
    /// what has an address that is not its own any more must be silent (RFC 2131 4.4.5), so that
    /// connections end without a word.
    ///
    /// # Panics
    /// When a task panics; what the report says of it is printed to standard error.
    #[track_caller]
    pub fn run<F>(&mut self, main: F) -> Result
    where
        F: Future<Output = Result> + 'static,
    {
        self.stopped_by = None;
        let setup = self.settings.setup()?;
        if let Device::Tap(tap) = &mut self.device {
            tap.set_own(setup.mac());
        }
        let signals = if setup.stops_on_signals { Some(Signals::catch()?) } else { None };
        let clock = WallClock::start();
        let has_kernel_peers = matches!(self.device, Device::Tap(_));
        let (captures, on_lease) = (&mut self.captures, &mut self.on_lease);
        let world = LiveWorld::new(setup, captures, on_lease, clock, has_kernel_peers)?;
        let mut driver = Driver::new(world, &mut self.device, clock, signals)?;
        let ended = driver.run(main, Origin::Main(Location::caller()));
        self.stopped_by = driver.stopped_by();
        ended
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Live");
        debug.field("hostname", &self.settings.hostname).finish_non_exhaustive()
    }
}
