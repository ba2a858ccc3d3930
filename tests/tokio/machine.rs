//! What the machine is: its interfaces, its name, its processors.

use std::ffi::{CStr, c_char};
use std::io;
use std::mem::zeroed;
use std::net::{Ipv4Addr, Ipv6Addr};

use glassnet::Sim;
use libc::{c_int, ifaddrs, sockaddr_in, sockaddr_in6, sockaddr_ll};

use crate::calls::{alone, errno};

unsafe extern "C" {
    fn get_nprocs() -> c_int;
}

/// An address of an interface, in words.
unsafe fn shown(entry: &ifaddrs) -> String {
    let name = unsafe { CStr::from_ptr(entry.ifa_name) }.to_str().unwrap();
    let v4 = |at: *const libc::sockaddr| {
        let address = unsafe { at.cast::<sockaddr_in>().as_ref() };
        address.map(|address| Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()))
    };
    match i32::from(unsafe { *entry.ifa_addr }.sa_family) {
        libc::AF_PACKET => {
            let link = unsafe { &*entry.ifa_addr.cast::<sockaddr_ll>() };
            format!("{name} link {} {:?}", link.sll_ifindex, &link.sll_addr[..6])
        }
        libc::AF_INET => {
            let (address, mask) = (v4(entry.ifa_addr).unwrap(), v4(entry.ifa_netmask).unwrap());
            format!("{name} {address} {mask} {:?}", v4(entry.ifa_ifu))
        }
        _ => {
            let address = unsafe { &*entry.ifa_addr.cast::<sockaddr_in6>() };
            let (ip, scope) = (Ipv6Addr::from(address.sin6_addr.s6_addr), address.sin6_scope_id);
            format!("{name} {ip} {scope}")
        }
    }
}

#[test]
fn getifaddrs_lists_the_interfaces_of_the_host() -> glassnet::Result {
    alone(async {
        let mut list = std::ptr::null_mut();
        assert_eq!(unsafe { libc::getifaddrs(&mut list) }, 0);
        let mut all = Vec::new();
        let mut next = list;
        while let Some(entry) = unsafe { next.as_ref() } {
            assert_ne!(entry.ifa_flags & libc::IFF_UP as u32, 0);
            let is_loopback = entry.ifa_flags & libc::IFF_LOOPBACK as u32 != 0;
            all.push(unsafe { shown(entry) });
            assert_eq!(is_loopback, all.last().unwrap().starts_with("lo "));
            next = entry.ifa_next;
        }
        unsafe { libc::freeifaddrs(list) };
        assert_eq!(
            all,
            [
                "lo link 1 [0, 0, 0, 0, 0, 0]",
                "eth0 link 2 [2, 0, 0, 0, 0, 1]",
                "lo 127.0.0.1 255.0.0.0 None",
                "eth0 10.0.0.1 255.255.0.0 Some(10.0.255.255)",
                "lo ::1 0",
                "eth0 fd00::1 0",
                "eth0 fe80::ff:fe00:1 2",
            ]
        );
        Ok(())
    })
}

#[test]
fn interfaces_have_numbers_and_names() -> glassnet::Result {
    alone(async {
        unsafe {
            assert_eq!(libc::if_nametoindex(c"lo".as_ptr()), 1);
            assert_eq!(libc::if_nametoindex(c"eth0".as_ptr()), 2);
            assert_eq!(libc::if_nametoindex(c"wlan0".as_ptr()), 0);
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ENODEV));
            let mut name = [0 as c_char; libc::IF_NAMESIZE];
            assert!(!libc::if_indextoname(2, name.as_mut_ptr()).is_null());
            assert_eq!(CStr::from_ptr(name.as_ptr()), c"eth0");
            assert!(libc::if_indextoname(9, name.as_mut_ptr()).is_null());
            assert_eq!(errno(Err::<(), _>(io::Error::last_os_error())), libc::ENXIO);
            let list = libc::if_nameindex();
            let names: Vec<_> = (0..2).map(|at| CStr::from_ptr((*list.add(at)).if_name)).collect();
            assert_eq!(names, [c"lo", c"eth0"]);
            assert_eq!((*list.add(2)).if_index, 0);
            libc::if_freenameindex(list);
        }
        Ok(())
    })
}

#[test]
fn a_machine_has_the_name_of_its_host_and_one_processor() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("thinkpad", async {
        unsafe {
            let mut names: libc::utsname = zeroed();
            assert_eq!(libc::uname(&mut names), 0);
            let text = |text: &[c_char]| CStr::from_ptr(text.as_ptr()).to_str().unwrap().to_owned();
            assert_eq!(
                (text(&names.sysname), text(&names.nodename)),
                ("Linux".into(), "thinkpad".into())
            );
            // Clients look whether it is new enough.
            assert!(text(&names.release).starts_with("6."));
            assert_eq!(libc::sysconf(libc::_SC_NPROCESSORS_ONLN), 1);
            assert_eq!((get_nprocs(), libc::sched_getcpu()), (1, 0));
        }
        assert_eq!(std::thread::available_parallelism()?.get(), 1);
        Ok(())
    });
    sim.run()
}
