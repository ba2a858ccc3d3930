//! How a host comes by its IPv4 address, goes on having it, and gives it back: by DHCP.

use std::io::{self, ErrorKind};

use super::OnLease;
use super::settings::DhcpOn;
use super::world::LiveWorld;
use crate::host::{
    DhcpClient, DhcpEvent, DhcpFailure, DhcpInput, DhcpOutput, Gateways, Host, HostOptions, Lease,
    Prefix, dhcp_message,
};
use crate::net::Names;
use crate::rng::Stream;
use crate::wire::ethernet::{ETHERTYPE_ARP, Mac, ethertype};
use crate::wire::frame::FrameBuffer;
use crate::world::plan::{InterfacePlan, Plan};

/// What a host is made of.
pub(super) struct Birth {
    pub(super) hostname: String,
    pub(super) mac: Mac,
    pub(super) prefixes: Vec<Prefix>,
    pub(super) gateways: Gateways,
    pub(super) options: HostOptions,
    pub(super) stream: Stream,
    /// Bytes that arrive at once and are acknowledged at once.
    pub(super) ack_stretch: u32,
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
            options.mtu = options.mtu.min(mtu.into());
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
        let client = DhcpClient::new(0, birth.mac, &birth.hostname, birth.options.mtu, stream);
        let has_nameservers = !names.nameservers().is_empty();
        Dhcp { client, birth, on, names, has_nameservers, on_lease }
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

impl LiveWorld<'_> {
    pub(super) fn do_due_of_dhcp(&mut self) -> io::Result<()> {
        let now = self.tasks.now();
        while let Some(dhcp) = &mut self.dhcp
            && dhcp.client.deadline().is_some_and(|at| at <= now)
        {
            let turn = dhcp.client.turn(now, None);
            self.follow_dhcp(turn)?;
        }
        Ok(())
    }

    /// Shows a frame to DHCP's client. Gives it back unless it was for it alone.
    pub(super) fn pass_by_dhcp(&mut self, frame: FrameBuffer) -> io::Result<Option<FrameBuffer>> {
        let Some(dhcp) = &mut self.dhcp else { return Ok(Some(frame)) };
        let now = self.tasks.now();
        if ethertype(frame.bytes()) == Some(ETHERTYPE_ARP) {
            let turn = dhcp.client.turn(now, Some(DhcpInput::Arp(frame.packet())));
            self.follow_dhcp(turn)?;
            return Ok(Some(frame));
        }
        let Some((message, from)) = dhcp_message(&frame, dhcp.birth.mac) else {
            return Ok(Some(frame));
        };
        let turn = dhcp.client.turn(now, Some(DhcpInput::Message(message, from)));
        self.traffic.pool.give_back(frame);
        self.follow_dhcp(turn)?;
        Ok(None)
    }

    fn follow_dhcp(&mut self, turn: DhcpOutput) -> io::Result<()> {
        let Some(dhcp) = &self.dhcp else { return Ok(()) };
        let mac = dhcp.birth.mac;
        for sent in turn.sent {
            let frame = sent.frame(mac, &mut self.traffic.pool);
            self.send(frame);
        }
        let Some(dhcp) = &mut self.dhcp else { return Ok(()) };
        match turn.event {
            None => {}
            Some(DhcpEvent::Bound(lease)) => {
                tracing::info!(target: "glassnet::dhcp", ?lease, "has an address");
                dhcp.names.insert(&dhcp.birth.hostname, lease.address.into());
                // Nothing holds a socket yet, so that the host can be another one.
                let host = dhcp.birth.host(Some(&lease));
                self.machine.host.call(|made, _| *made = host);
                self.deadline = Some(0);
                self.conflicts.watch(lease.address);
                dhcp.use_lease(&lease);
            }
            Some(DhcpEvent::Renewed(lease)) => {
                tracing::info!(target: "glassnet::dhcp", ?lease, "has its address for longer");
                let gateways = dhcp.birth.gateways(Some(&lease));
                self.machine.host.call(|host, _| host.set_gateways(&gateways));
                dhcp.use_lease(&lease);
            }
            Some(DhcpEvent::Failed(failure)) => return Err(dhcp.failed(&failure)),
            Some(DhcpEvent::Lost(loss)) => {
                let why = format!("{loss}: the host must not go on with it");
                return Err(io::Error::new(ErrorKind::AddrNotAvailable, why));
            }
        }
        Ok(())
    }

    /// Whether it must be silent: RFC 2131 4.4.5.
    pub(super) fn has_lost_its_address(&self) -> bool {
        self.dhcp.as_ref().is_some_and(|dhcp| dhcp.client.is_over())
    }

    /// Gives the address back.
    pub(super) fn release(&mut self) {
        let Some(dhcp) = &mut self.dhcp else { return };
        let Some(last) = dhcp.client.release() else { return };
        let frame = last.frame(dhcp.birth.mac, &mut self.traffic.pool);
        self.send(frame);
    }
}
