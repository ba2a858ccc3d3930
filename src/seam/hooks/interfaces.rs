//! The interfaces of a host: `getifaddrs(3)`, `if_nametoindex(3)` and `netdevice(7)`.

use std::ffi::CStr;
use std::mem::{offset_of, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use libc::{
    c_char, c_int, c_uint, if_nameindex as NameIndex, ifaddrs, sockaddr, sockaddr_ll, sockaddr_un,
};

use super::{Plain, hook, set_errno};
use crate::host::INTERFACE_INDEX;
use crate::net::socket::SockAddr;
use crate::net::{interface_addresses, interfaces};
use crate::seam::address;
use crate::seam::seat;

/// `IFF_LOWER_UP`, which `libc` has for other systems only.
const IFF_LOWER_UP: c_int = 1 << 16;
const LOOPBACK: c_uint = 1;

/// The interfaces, by name.
const NAMES: [(c_uint, &CStr); 2] = [(LOOPBACK, c"lo"), (INTERFACE_INDEX, c"eth0")];

hook! {
    fn if_nametoindex(name: *const c_char) -> c_uint;
    if seat::is_taken() => {
        // SAFETY: the name is the caller's.
        let name = if name.is_null() { c"" } else { unsafe { CStr::from_ptr(name) } };
        let found = NAMES.iter().find(|(_, known)| *known == name);
        if found.is_none() {
            set_errno(libc::ENODEV);
        }
        Plain(found.map_or(0, |(index, _)| *index))
    }
}

hook! {
    fn if_indextoname(index: c_uint, name: *mut c_char) -> *mut c_char;
    if seat::is_taken() => Plain(match NAMES.iter().find(|(known, _)| *known == index) {
        Some((_, known)) if !name.is_null() => {
            let bytes = known.to_bytes_with_nul();
            // SAFETY: there is room for IF_NAMESIZE bytes.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), name.cast(), bytes.len()) };
            name
        }
        _ => {
            set_errno(libc::ENXIO);
            std::ptr::null_mut()
        }
    })
}

hook! {
    fn if_nameindex() -> *mut NameIndex;
    // Of pieces as libc's own `if_freenameindex(3)` gives them back.
    if seat::is_taken() => Plain(unsafe {
        // SAFETY: there is room for all of them and for the end of the list.
        let list = libc::calloc(NAMES.len() + 1, size_of::<NameIndex>()).cast::<NameIndex>();
        if list.is_null() {
            set_errno(libc::ENOBUFS);
        } else {
            for (at, (index, name)) in NAMES.iter().enumerate() {
                list.add(at).write(NameIndex {
                    if_index: *index,
                    if_name: libc::strdup(name.as_ptr()),
                });
            }
        }
        list
    })
}

hook! {
    fn getifaddrs(list: *mut *mut ifaddrs) -> c_int;
    if seat::is_taken() => match addresses() {
        Some(all) => {
            // SAFETY: there is room for a pointer.
            match unsafe { chain(&all) } {
                Some(first) => {
                    // SAFETY: as above.
                    unsafe { *list = first };
                    Ok(0)
                }
                None => Err(libc::ENOMEM),
            }
        }
        None => Err(libc::ENETDOWN),
    }
}

/// One address of an interface, as `getifaddrs(3)` has it: a socket address each.
struct Entry {
    interface: c_uint,
    address: Vec<u8>,
    netmask: Vec<u8>,
    broadcast: Vec<u8>,
}

/// All addresses in Linux's order: Ethernet's, IPv4's, IPv6's.
fn addresses() -> Option<Vec<Entry>> {
    let seat = seat::current()?;
    let all = seat.as_task(|| Some((interfaces().ok()?, interface_addresses().ok()?)))??;
    let (interfaces, addresses) = all;
    let mut entries = Vec::new();
    for interface in interfaces.iter() {
        let is_loopback = interface.index == LOOPBACK;
        entries.push(Entry {
            interface: interface.index,
            address: link_address(interface.index, interface.mac),
            netmask: Vec::new(),
            broadcast: link_address(interface.index, if is_loopback { [0; 6] } else { [0xff; 6] }),
        });
    }
    for is_v4 in [true, false] {
        let of_family = addresses.iter().filter(|(_, address, _)| address.is_ipv4() == is_v4);
        for (interface, address, len) in of_family {
            let mut address = SocketAddr::new(*address, 0);
            if let SocketAddr::V6(address) = &mut address
                && address.ip().is_unicast_link_local()
            {
                address.set_scope_id(*interface);
            }
            let broadcast = match address.ip() {
                IpAddr::V4(address) if *interface != LOOPBACK => {
                    let host_bits = u32::MAX.checked_shr(u32::from(*len)).unwrap_or(0);
                    raw(Ipv4Addr::from_bits(address.to_bits() | host_bits).into())
                }
                _ => Vec::new(),
            };
            entries.push(Entry {
                interface: *interface,
                address: bytes(address),
                netmask: raw(netmask(address.ip(), *len)),
                broadcast,
            });
        }
    }
    Some(entries)
}

fn netmask(address: IpAddr, len: u8) -> IpAddr {
    match address {
        IpAddr::V4(_) => {
            let host_bits = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            Ipv4Addr::from_bits(!host_bits).into()
        }
        IpAddr::V6(_) => {
            let host_bits = u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
            Ipv6Addr::from_bits(!host_bits).into()
        }
    }
}

fn raw(address: IpAddr) -> Vec<u8> {
    bytes(SocketAddr::new(address, 0))
}

fn bytes(address: SocketAddr) -> Vec<u8> {
    let mut bytes = [0; size_of::<sockaddr_un>()];
    let len = address::fill(&SockAddr::from(address), &mut bytes);
    bytes[..len].to_vec()
}

/// `struct sockaddr_ll`.
fn link_address(interface: c_uint, mac: [u8; 6]) -> Vec<u8> {
    // SAFETY: all zeros are one.
    let mut address: sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = interface as c_int;
    address.sll_hatype =
        if interface == LOOPBACK { libc::ARPHRD_LOOPBACK } else { libc::ARPHRD_ETHER };
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&mac);
    let at = (&raw const address).cast::<u8>();
    // SAFETY: it is as long as that.
    unsafe { std::slice::from_raw_parts(at, size_of::<sockaddr_ll>()) }.to_vec()
}

fn flags(interface: c_uint) -> c_uint {
    let kind = if interface == LOOPBACK {
        libc::IFF_LOOPBACK
    } else {
        libc::IFF_BROADCAST | libc::IFF_MULTICAST
    };
    (libc::IFF_UP | libc::IFF_RUNNING | IFF_LOWER_UP | kind) as c_uint
}

/// The list, in one piece of memory, as libc's own `freeifaddrs(3)` gives it back. `None` without
/// memory.
///
/// # Safety
/// The caller gives it back.
unsafe fn chain(entries: &[Entry]) -> Option<*mut ifaddrs> {
    /// Room for a socket address, aligned for what comes behind it.
    const ADDRESS: usize = size_of::<sockaddr_un>().next_multiple_of(8);
    const NAME: usize = libc::IF_NAMESIZE;
    const EACH: usize = size_of::<ifaddrs>() + 3 * ADDRESS + NAME;
    // SAFETY: each entry stays within its part of the memory, which is aligned for it.
    unsafe {
        let memory = libc::calloc(entries.len().max(1), EACH).cast::<u8>();
        if memory.is_null() {
            return None;
        }
        for (index, entry) in entries.iter().enumerate() {
            let at = memory.add(index * EACH);
            let mut behind = at.add(size_of::<ifaddrs>());
            let mut put = |bytes: &[u8], room: usize| {
                let place = behind;
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
                behind = behind.add(room);
                if bytes.is_empty() { std::ptr::null_mut() } else { place.cast::<sockaddr>() }
            };
            let ifa_addr = put(&entry.address, ADDRESS);
            let ifa_netmask = put(&entry.netmask, ADDRESS);
            let ifa_ifu = put(&entry.broadcast, ADDRESS);
            let name = NAMES.iter().find(|(number, _)| *number == entry.interface);
            let name = name.map_or(c"", |(_, name)| *name);
            let ifa_name = put(name.to_bytes_with_nul(), NAME).cast::<c_char>();
            let ifa_next = if index + 1 < entries.len() {
                at.add(EACH).cast::<ifaddrs>()
            } else {
                std::ptr::null_mut()
            };
            at.cast::<ifaddrs>().write(ifaddrs {
                ifa_next,
                ifa_name,
                ifa_flags: flags(entry.interface),
                ifa_addr,
                ifa_netmask,
                ifa_ifu,
                ifa_data: std::ptr::null_mut(),
            });
        }
        Some(memory.cast())
    }
}

/// Whether `ioctl(2)` is asked about an interface: `netdevice(7)`.
pub(super) fn is_of_interface(request: u64) -> bool {
    matches!(
        request,
        libc::SIOCGIFNAME
            | libc::SIOCGIFINDEX
            | libc::SIOCGIFFLAGS
            | libc::SIOCGIFADDR
            | libc::SIOCGIFBRDADDR
            | libc::SIOCGIFNETMASK
            | libc::SIOCGIFMTU
            | libc::SIOCGIFHWADDR
    )
}

/// Answers about an interface: `netdevice(7)`.
///
/// # Safety
/// `to` points to a `struct ifreq`.
pub(super) unsafe fn ask_interface(request: u64, to: *mut u8) -> Result<i32, i32> {
    const NAME: usize = libc::IF_NAMESIZE;
    // SAFETY: as the caller promises: a name, and what it is about behind it.
    let (name, value) = unsafe {
        (
            std::slice::from_raw_parts_mut(to, NAME),
            std::slice::from_raw_parts_mut(to.add(NAME), size_of::<sockaddr>()),
        )
    };
    if request == libc::SIOCGIFNAME {
        let index = c_uint::from_ne_bytes([value[0], value[1], value[2], value[3]]);
        let (_, known) = NAMES.iter().find(|(known, _)| *known == index).ok_or(libc::ENODEV)?;
        let bytes = known.to_bytes_with_nul();
        name[..bytes.len()].copy_from_slice(bytes);
        return Ok(0);
    }
    let given = CStr::from_bytes_until_nul(name).map_err(|_| libc::ENODEV)?;
    let (index, _) = NAMES.iter().find(|(_, known)| *known == given).ok_or(libc::ENODEV)?;
    let entries = addresses().ok_or(libc::ENETDOWN)?;
    let of_family = |family: c_int| {
        let is_it = |entry: &&Entry| {
            entry.interface == *index && entry.address[..2] == (family as u16).to_ne_bytes()
        };
        entries.iter().find(is_it).ok_or(libc::EADDRNOTAVAIL)
    };
    let bytes = match request {
        libc::SIOCGIFINDEX => index.to_ne_bytes().to_vec(),
        // A short has room for these.
        libc::SIOCGIFFLAGS => ((flags(*index) & 0xffff) as u16).to_ne_bytes().to_vec(),
        libc::SIOCGIFADDR => of_family(libc::AF_INET)?.address.clone(),
        libc::SIOCGIFNETMASK => of_family(libc::AF_INET)?.netmask.clone(),
        libc::SIOCGIFBRDADDR => match &of_family(libc::AF_INET)?.broadcast {
            none if none.is_empty() => raw(Ipv4Addr::UNSPECIFIED.into()),
            address => address.clone(),
        },
        libc::SIOCGIFHWADDR => {
            let link = &of_family(libc::AF_PACKET)?.address;
            let kind = if *index == LOOPBACK { libc::ARPHRD_LOOPBACK } else { libc::ARPHRD_ETHER };
            let at = offset_of!(sockaddr_ll, sll_addr);
            [&kind.to_ne_bytes()[..], &link[at..at + 6]].concat()
        }
        _ => {
            let seat = seat::current().ok_or(libc::ENETDOWN)?;
            let all =
                seat.as_task(interfaces).ok_or(libc::ENETDOWN)?.map_err(|_| libc::ENETDOWN)?;
            let interface = all.iter().find(|interface| interface.index == *index);
            let mtu = interface.ok_or(libc::ENODEV)?.mtu;
            c_int::try_from(mtu).unwrap_or(c_int::MAX).to_ne_bytes().to_vec()
        }
    };
    value[..bytes.len()].copy_from_slice(&bytes);
    Ok(0)
}
