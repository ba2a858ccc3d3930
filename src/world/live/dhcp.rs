//! How a host comes by its IPv4 address, goes on having it, and gives it back: by DHCP.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

use super::settings::DhcpOn;
use crate::host::{
    DhcpClient, DhcpEvent, DhcpFailure, DhcpInput, DhcpOutput, Gateways, Host, HostOptions, Lease,
    Prefix, dhcp_message,
};
use crate::net::Names;
use crate::rng::Stream;
use crate::wire::ethernet::{ETHERTYPE_ARP, Mac, ethertype};
use crate::wire::frame::{FrameBuffer, FramePool};
use crate::world::plan::{InterfacePlan, Plan};

/// What is told of leases.
pub(super) type OnLease = Box<dyn FnMut(&Lease)>;

/// What a host is made of.
pub(super) struct Birth {
    hostname: String,
    mac: Mac,
    prefixes: Vec<Prefix>,
    gateways: Gateways,
    options: HostOptions,
    stream: Stream,
    /// Bytes that arrive at once and are acknowledged at once.
    ack_stretch: u32,
}

impl Birth {
    /// That of a host of a plan.
    pub(super) fn new(plan: &Plan, host: u32, ack_stretch: u32) -> Birth {
        let host = plan.host(host);
        let gateways = match &host.interface {
            InterfacePlan::Lan(_) => Gateways::default(),
            InterfacePlan::Device(attached) => attached.gateways.clone(),
        };
        Birth {
            hostname: host.name.clone(),
            mac: host.interface.mac(),
            prefixes: host.interface.prefixes(),
            gateways,
            options: plan.options(&host.name),
            stream: plan.seed.stream(&format!("host {}", host.name)),
            ack_stretch,
        }
    }

    /// The host, with the address that it was lent, if it was.
    pub(super) fn host(&self, lease: Option<&Lease>) -> Host {
        let lent = lease.map(|lease| Prefix::new(lease.address, lease.prefix_len));
        let prefixes: Vec<Prefix> = lent.into_iter().chain(self.prefixes.clone()).collect();
        let mut options = self.options.clone();
        if let Some(mtu) = lease.and_then(|lease| lease.mtu) {
            options.mtu = Some(options.mtu_in_force().min(mtu.into()));
        }
        let mut host = Host::new(self.mac, &prefixes, options, self.stream.clone());
        host.set_gateways(&self.gateways(lease));
        host.stretch_acks(self.ack_stretch);
        if self.gateways.point_to_point.is_none() {
            host.report_solicited_nodes(0);
        }
        host
    }

    fn gateways(&self, lease: Option<&Lease>) -> Gateways {
        let v4 = lease.and_then(|lease| lease.router).or(self.gateways.v4);
        Gateways { v4, ..self.gateways.clone() }
    }
}

/// What came of a turn of the client.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) sent: Vec<FrameBuffer>,
    /// What is to change after that.
    pub(super) change: Option<io::Result<Change>>,
}

/// What a lease changes.
pub(super) enum Change {
    /// The host is another one from now on, which has this address.
    Host(Box<Host>, Ipv4Addr),
    /// The host has other gateways.
    Gateways(Gateways),
}

/// The client, and what its lease changes.
pub(super) struct Dhcp<'l> {
    client: DhcpClient,
    birth: Birth,
    on: DhcpOn,
    names: Names,
    /// Others than the lease's are asked.
    has_nameservers: bool,
    on_lease: &'l mut Option<OnLease>,
}

impl<'l> Dhcp<'l> {
    pub(super) fn new(
        birth: Birth,
        on: DhcpOn,
        names: Names,
        stream: Stream,
        on_lease: &'l mut Option<OnLease>,
    ) -> Dhcp<'l> {
        let client =
            DhcpClient::new(0, birth.mac, &birth.hostname, birth.options.mtu_in_force(), stream);
        let has_nameservers = !names.nameservers().is_empty();
        Dhcp { client, birth, on, names, has_nameservers, on_lease }
    }

    /// Lets the client do what is due.
    pub(super) fn do_due(&mut self, now: u64, pool: &mut FramePool) -> Option<Outcome> {
        self.client.deadline().is_some_and(|at| at <= now).then(|| self.turn(now, None, pool))
    }

    /// Shows a frame to the client. The frame comes back unless it was for the client alone.
    pub(super) fn receive(
        &mut self,
        now: u64,
        frame: FrameBuffer,
        pool: &mut FramePool,
    ) -> (Option<FrameBuffer>, Outcome) {
        if ethertype(frame.bytes()) == Some(ETHERTYPE_ARP) {
            let outcome = self.turn(now, Some(DhcpInput::Arp(frame.packet())), pool);
            return (Some(frame), outcome);
        }
        let Some((message, from)) = dhcp_message(&frame, self.birth.mac) else {
            return (Some(frame), Outcome::default());
        };
        let outcome = self.turn(now, Some(DhcpInput::Message(message, from)), pool);
        pool.give_back(frame);
        (None, outcome)
    }

    fn turn(&mut self, now: u64, heard: Option<DhcpInput<'_>>, pool: &mut FramePool) -> Outcome {
        let DhcpOutput { sent, event } = self.client.turn(now, heard);
        let sent = sent.into_iter().map(|sent| sent.frame(self.birth.mac, pool)).collect();
        let change = event.map(|event| self.change(event));
        Outcome { sent, change }
    }

    fn change(&mut self, event: DhcpEvent) -> io::Result<Change> {
        match event {
            DhcpEvent::Bound(lease) => {
                tracing::info!(target: "glassnet::dhcp", ?lease, "has an address");
                self.names.insert(&self.birth.hostname, lease.address.into());
                self.use_lease(&lease);
                let host = Box::new(self.birth.host(Some(&lease)));
                Ok(Change::Host(host, lease.address))
            }
            DhcpEvent::Renewed(lease) => {
                tracing::info!(target: "glassnet::dhcp", ?lease, "has its address for longer");
                self.use_lease(&lease);
                Ok(Change::Gateways(self.birth.gateways(Some(&lease))))
            }
            DhcpEvent::Failed(failure) => Err(self.failed(&failure)),
            DhcpEvent::Lost(loss) => {
                let why = format!("{loss}: the host must not go on with it");
                Err(io::Error::new(ErrorKind::AddrNotAvailable, why))
            }
        }
    }

    /// Whether the host must be silent: RFC 2131 4.4.5.
    pub(super) fn is_over(&self) -> bool {
        self.client.is_over()
    }

    /// The frame that gives the address back.
    pub(super) fn release(&mut self, pool: &mut FramePool) -> Option<FrameBuffer> {
        let last = self.client.release()?;
        Some(last.frame(self.birth.mac, pool))
    }

    /// Whether it has brought no address yet.
    pub(super) fn waits(&self) -> bool {
        self.client.lease().is_none()
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.client.deadline()
    }

    fn use_lease(&mut self, lease: &Lease) {
        if !self.has_nameservers {
            self.names.replace_nameservers(&lease.nameservers);
        }
        if let Some(tell) = self.on_lease {
            tell(lease);
        }
    }

    fn failed(&self, failure: &DhcpFailure) -> io::Error {
        let DhcpOn { device, otherwise } = &self.on;
        let why = match failure {
            DhcpFailure::NobodyAnswers => {
                format!("no DHCP server answers on {device}: see to it that one does; {otherwise}")
            }
            _ => format!("on {device}, {failure}; {otherwise}"),
        };
        io::Error::new(ErrorKind::TimedOut, why)
    }
}
