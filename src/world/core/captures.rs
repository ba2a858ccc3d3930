//! All captures of a world.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::vantage::{Head, Target, Vantage};
use crate::capture::{Direction, Start, TlsSecrets};
use crate::net::Names;
use crate::network::{Fate, HalfLinkId, Port, Topology};
use crate::task::Alarm;
use crate::world::plan::{CapturePlan, CapturePoint, Plan};

/// All captures of a world, and which of them sees what. The first error of writing one is kept
/// until the loop asks for it.
#[derive(Default)]
pub(in crate::world) struct Captures {
    vantages: Vec<Vantage>,
    /// What every capture needs to show what is encrypted.
    secrets: TlsSecrets,
    /// Captures of interfaces, by host.
    of_hosts: Vec<Vec<usize>>,
    /// Captures of links, by half-link: which, and which end of it sends there.
    taps: BTreeMap<HalfLinkId, Vec<(usize, u32)>>,
    failure: Option<io::Error>,
}

impl Captures {
    pub(in crate::world) fn add(&mut self, plan: &CapturePlan, target: Target) {
        self.vantages.push(Vantage::new(plan, target));
    }

    pub(in crate::world) fn is_empty(&self) -> bool {
        self.vantages.is_empty()
    }

    pub(in crate::world) fn secrets(&self) -> &TlsSecrets {
        &self.secrets
    }

    /// What they are written to.
    pub(in crate::world) fn names(&self) -> impl Iterator<Item = &str> {
        self.vantages.iter().map(Vantage::name)
    }

    /// Begins those that have not, for the hosts and links that exist.
    pub(in crate::world) fn begin(
        &mut self,
        plan: &Plan,
        topology: &Topology,
        names: &Names,
        start: Start,
        alarm: &Alarm,
    ) -> io::Result<()> {
        let all = if self.vantages.iter().any(Vantage::is_new) { names.all() } else { Vec::new() };
        let head = Head { plan, start, names: &all };
        for (index, (vantage, capture)) in self.vantages.iter_mut().zip(plan.captures()).enumerate()
        {
            vantage.place(&capture.point);
            vantage.begin(&head, &self.secrets, alarm)?;
            match &capture.point {
                CapturePoint::Interface { host, .. } => {
                    let Some(host) = plan.host_called(host) else { continue };
                    let hosts = self.of_hosts.len().max(host as usize + 1);
                    self.of_hosts.resize_with(hosts, Vec::new);
                    let of_host = &mut self.of_hosts[host as usize];
                    if !of_host.contains(&index) {
                        of_host.push(index);
                    }
                }
                CapturePoint::Link { a, b } => {
                    let ends = plan.host_called(a).zip(plan.host_called(b));
                    let Some((a, b)) = ends else { continue };
                    for (end, (from, to)) in [(0, (a, b)), (1, (b, a))] {
                        let half = topology.half_link(Port::of_host(from), Port::of_host(to));
                        let Some(half) = half else { continue };
                        let taps = self.taps.entry(half).or_default();
                        if !taps.contains(&(index, end)) {
                            taps.push((index, end));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on, in each capture that has begun, with a section of its own.
    #[cfg(target_os = "linux")]
    pub(in crate::world) fn begin_sections(
        &mut self,
        plan: &Plan,
        names: &Names,
        start: Start,
    ) -> io::Result<()> {
        let names = names.all();
        let head = Head { plan, start, names: &names };
        let mut vantages = self.vantages.iter_mut().zip(plan.captures());
        vantages.try_for_each(|(vantage, capture)| {
            vantage.place(&capture.point);
            vantage.begin_section(&head)
        })
    }

    /// Whether a host has a capture of its own.
    pub(in crate::world) fn has_host(&self, host: u32) -> bool {
        self.of_hosts.get(host as usize).is_some_and(|own| !own.is_empty())
    }

    /// Whether a link of this host is captured, which shows the states of its connections.
    pub(in crate::world) fn has_link_of(&self, host: &str) -> bool {
        let mut links = self.vantages.iter().filter(|vantage| vantage.is_link());
        links.any(|vantage| vantage.point().hosts().any(|end| end == host))
    }

    /// A frame that a host sends or receives.
    pub(in crate::world) fn frame(
        &mut self,
        host: u32,
        now: u64,
        direction: Direction,
        packet_id: u64,
        comments: &[&str],
        frame: &[u8],
    ) {
        for index in self.of_hosts.get(host as usize).into_iter().flatten() {
            let written =
                self.vantages[*index].frame(now, 0, direction, packet_id, comments, frame);
            note(&mut self.failure, written);
        }
    }

    /// A frame that is sent over a half-link, with what becomes of it.
    pub(in crate::world) fn transmission(
        &mut self,
        half: HalfLinkId,
        now: u64,
        packet_id: u64,
        fate: &Fate,
        frame: &[u8],
    ) {
        for (index, end) in self.taps.get(&half).into_iter().flatten() {
            let written = self.vantages[*index].transmission(now, *end, packet_id, fate, frame);
            note(&mut self.failure, written);
        }
    }

    /// Whether any interface is captured.
    #[inline]
    pub(in crate::world) fn has_interfaces(&self) -> bool {
        !self.of_hosts.is_empty()
    }

    /// Whether any link is captured.
    #[inline]
    pub(in crate::world) fn has_taps(&self) -> bool {
        !self.taps.is_empty()
    }

    /// Something that no frame shows, between two addresses: a connection's new state.
    pub(in crate::world) fn event_between(
        &mut self,
        (a, b): (IpAddr, IpAddr),
        now: u64,
        host: &str,
        message: impl Fn() -> String,
    ) {
        for vantage in self.vantages.iter_mut().filter(|vantage| vantage.joins(a, b)) {
            note(&mut self.failure, vantage.event(now, host, &message()));
        }
    }

    /// Something that no frame shows, on links: a fault.
    pub(in crate::world) fn link_event(&mut self, now: u64, message: &str) {
        for vantage in self.vantages.iter_mut().filter(|vantage| vantage.is_link()) {
            note(&mut self.failure, vantage.event(now, "", message));
        }
    }

    /// Those that see what dies at a host: its own, and those of a half-link or of what joins two
    /// addresses.
    pub(in crate::world) fn that_see(
        &self,
        host: u32,
        half: Option<HalfLinkId>,
        addresses: Option<(IpAddr, IpAddr)>,
    ) -> Vec<usize> {
        let mut seeing = self.of_hosts.get(host as usize).cloned().unwrap_or_default();
        if let Some(taps) = half.and_then(|half| self.taps.get(&half)) {
            seeing.extend(taps.iter().map(|(index, _)| *index));
        }
        if let Some((source, destination)) = addresses {
            let all = self.vantages.iter().enumerate();
            let joining = all.filter(|(_, vantage)| vantage.joins(source, destination));
            seeing.extend(joining.map(|(index, _)| index));
        }
        seeing
    }

    /// Something that no frame shows, at some of them.
    pub(in crate::world) fn event_at(
        &mut self,
        seeing: &[usize],
        now: u64,
        host: &str,
        message: &str,
    ) {
        for index in seeing {
            note(&mut self.failure, self.vantages[*index].event(now, host, message));
        }
    }

    /// The first error of writing one.
    pub(in crate::world) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Hands on what readers may be waiting for, before the world sleeps.
    #[cfg(target_os = "linux")]
    pub(in crate::world) fn flush_streams(&mut self) -> io::Result<()> {
        self.vantages.iter_mut().try_for_each(Vantage::flush_stream)
    }

    /// Makes them whole as far as they go; the error is that of the first that is not.
    pub(in crate::world) fn settle(&mut self) -> io::Result<()> {
        let settled = self.vantages.iter_mut().map(Vantage::settle).fold(Ok(()), io::Result::and);
        // One that has failed before is not whole either, and says so once.
        self.failure.take().map_or(settled, Err)
    }
}

fn note(failure: &mut Option<io::Error>, written: io::Result<()>) {
    if let Err(error) = written {
        failure.get_or_insert(error);
    }
}
