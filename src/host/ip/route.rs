//! Where packets go: by which interface, and to which neighbour there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Ip;
use super::routes::{Entry, Gateways, InterfaceId, Route, Routes};
use crate::host::iface::Prefix;

impl Ip {
    /// Gives the host a way to what is not on its links.
    pub(in crate::host) fn set_gateways(&mut self, gateways: &Gateways) {
        let Gateways { v4, v6, point_to_point } = *gateways;
        self.interfaces[InterfaceId::ETH0.position()].set_point_to_point(point_to_point);
        let (any_v4, any_v6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
        let (v4, v6) = match point_to_point {
            Some(_) => (Some(any_v4), Some(any_v6)),
            None => (v4.map(IpAddr::V4), v6.map(IpAddr::V6)),
        };
        let default_routes = [(any_v4, v4), (any_v6, v6)];
        let entries = default_routes.into_iter().filter_map(|(any, gateway)| {
            let (gateway, destination) = (gateway?, Prefix::new(any, 0));
            let is_there = |id: &InterfaceId| self.interface(*id).addresses().is_on_link(gateway);
            let interface = self.links().find(is_there).unwrap_or(InterfaceId::ETH0);
            self.carries(interface, any).then_some(Entry { destination, gateway, interface })
        });
        self.routes = Routes::new(entries.collect());
    }

    /// The way to an address; `None` when there is none. What is for many leaves by the interface
    /// that `from` is an address of, if it is one.
    pub(super) fn route(&self, from: Option<IpAddr>, to: IpAddr) -> Option<Route> {
        if self.is_own(to) { Some(Route::Own) } else { self.route_beyond(from, to) }
    }

    /// As [`Ip::route`], for an address that is not the host's own.
    fn route_beyond(&self, from: Option<IpAddr>, to: IpAddr) -> Option<Route> {
        if to.is_multicast() || self.is_broadcast(to) {
            let link = self.link_of_many(from, to);
            return self.carries(link, to).then_some(Route::Many(link));
        }
        self.next_hop(to).map(|(interface, neighbor)| Route::Neighbor(interface, neighbor))
    }

    /// The interface by which something for many leaves.
    pub(super) fn link_of_many(&self, from: Option<IpAddr>, to: IpAddr) -> InterfaceId {
        let is_directed = |id: &InterfaceId| {
            let addresses = self.interface(*id).addresses();
            addresses.is_on_link(to) && addresses.is_broadcast(to)
        };
        let is_source =
            |id: &InterfaceId| from.is_some_and(|from| self.interface(*id).addresses().has(from));
        let by_address = self.links().find(is_directed).or_else(|| self.links().find(is_source));
        by_address.unwrap_or(InterfaceId::ETH0)
    }

    /// The neighbour to whom a packet for one host is handed: that host, or a router. Of several
    /// ways the one to the smallest network is taken, and of those the one on a link.
    pub(super) fn next_hop(&self, to: IpAddr) -> Option<(InterfaceId, IpAddr)> {
        let mut best: Option<(u8, InterfaceId, IpAddr)> = None;
        // What is for `lo` is the host's own.
        for (at, interface) in self.interfaces.iter().enumerate().skip(1) {
            for prefix in interface.addresses().prefixes() {
                if prefix.contains(to) && best.is_none_or(|(len, ..)| prefix.len > len) {
                    best = Some((prefix.len, InterfaceId::at(at), to));
                }
            }
        }
        for Entry { destination, gateway, interface } in self.routes.entries() {
            if destination.contains(to) && best.is_none_or(|(len, ..)| destination.len > len) {
                best = Some((destination.len, *interface, *gateway));
            }
        }
        let (_, interface, neighbor) = best?;
        if self.interface(interface).is_point_to_point() {
            let any = match to {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            return Some((interface, any));
        }
        Some((interface, neighbor))
    }

    /// Whether there is a way to one host.
    pub(in crate::host) fn is_reachable(&self, to: IpAddr) -> bool {
        self.is_own(to) || self.next_hop(to).is_some()
    }

    /// The interface by which a packet to an address would leave, whether or not there is a way.
    pub(super) fn interface_to(&self, to: IpAddr) -> InterfaceId {
        if self.is_own(to) { InterfaceId::LOOPBACK } else { self.interface_beyond(to) }
    }

    /// As [`Ip::interface_to`], for an address that is not the host's own.
    pub(super) fn interface_beyond(&self, to: IpAddr) -> InterfaceId {
        let mut links = self.links();
        if let (Some(only), None) = (links.next(), links.next()) {
            return only;
        }
        match self.route_beyond(None, to) {
            Some(Route::Many(interface) | Route::Neighbor(interface, _)) => interface,
            Some(Route::Own) | None => InterfaceId::ETH0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_not_on_the_link_goes_through_a_gateway_of_its_family() {
        let prefixes = [Prefix::new(ip("10.0.0.1"), 16), Prefix::new(ip("fd00::1"), 64)];
        let mut host = Ip::new([2, 0, 0, 0, 0, 1], &prefixes, 1500, 0, Seed(7).stream("ip"));
        let next_hop = |host: &Ip, to| host.next_hop(ip(to)).map(|(_, neighbor)| neighbor);
        assert_eq!(next_hop(&host, "192.0.2.1"), None);
        let v4 = Some("10.0.0.254".parse().unwrap());
        host.set_gateways(&Gateways { v4, ..Gateways::default() });
        assert_eq!(next_hop(&host, "10.0.7.7"), Some(ip("10.0.7.7")));
        assert_eq!(next_hop(&host, "192.0.2.1"), Some(ip("10.0.0.254")));
        assert_eq!(next_hop(&host, "2001:db8::1"), None);
        assert_eq!(next_hop(&host, "fe80::9"), Some(ip("fe80::9")));
        let point_to_point = Some([2, 0, 0, 0, 0, 9]);
        host.set_gateways(&Gateways { point_to_point, ..Gateways::default() });
        assert_eq!(next_hop(&host, "2001:db8::1"), Some(ip("::")));
        assert_eq!(next_hop(&host, "10.0.7.7"), Some(ip("0.0.0.0")));
    }

    #[test]
    fn a_source_is_the_address_itself_or_one_of_the_interface() {
        let prefixes = [Prefix::new(ip("10.0.0.1"), 16)];
        let host = Ip::new([2, 0, 0, 0, 0, 1], &prefixes, 1500, 0, Seed(7).stream("ip"));
        assert_eq!(host.source_for(ip("127.0.0.9")).unwrap(), ip("127.0.0.9"));
        assert_eq!(host.source_for(ip("::1")).unwrap(), ip("::1"));
        assert_eq!(host.source_for(ip("10.0.0.1")).unwrap(), ip("10.0.0.1"));
        assert_eq!(host.source_for(ip("192.0.2.1")).unwrap(), ip("10.0.0.1"));
    }
}
