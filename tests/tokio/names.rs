//! What C asks about names: `getnameinfo`, `gethostbyname` and its kin, and the files of a resolver.

use std::ffi::{CStr, CString, c_char, c_int};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::mem::zeroed;

use glassnet::Sim;
use libc::{c_void, hostent};

use crate::calls::{alone, sockaddr};

unsafe extern "C" {
    fn gethostbyname(name: *const c_char) -> *mut hostent;
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent;
    fn gethostbyaddr(address: *const c_void, len: u32, family: c_int) -> *mut hostent;
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        room: *mut c_char,
        len: usize,
        found: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    fn __h_errno_location() -> *mut c_int;
}

/// The name of an entry, and its first address.
unsafe fn shown(entry: *const hostent) -> Option<(String, Vec<u8>)> {
    let entry = unsafe { entry.as_ref()? };
    let name = unsafe { CStr::from_ptr(entry.h_name) }.to_str().unwrap().to_owned();
    let address = unsafe { *entry.h_addr_list }.cast::<u8>();
    let len = entry.h_length as usize;
    Some((name, unsafe { std::slice::from_raw_parts(address, len) }.to_vec()))
}

#[test]
fn gethostbyname_and_gethostbyaddr_know_the_hosts_of_the_world() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async { std::future::pending().await });
    sim.client("client", async {
        tokio::task::spawn_blocking(|| unsafe {
            let server = Some(("server".to_owned(), vec![10, 0, 0, 1]));
            assert_eq!(shown(gethostbyname(c"server".as_ptr())), server);
            let found = shown(gethostbyname2(c"server".as_ptr(), libc::AF_INET6)).unwrap();
            assert_eq!((found.0.as_str(), found.1[0], found.1[15]), ("server", 0xfd, 1));
            let address = [10_u8, 0, 0, 1];
            let found = gethostbyaddr(address.as_ptr().cast(), 4, libc::AF_INET);
            assert_eq!(shown(found), server);
            let numeric = Some(("10.0.0.9".to_owned(), vec![10, 0, 0, 9]));
            assert_eq!(shown(gethostbyname(c"10.0.0.9".as_ptr())), numeric);
            // TRY_AGAIN: there is nobody to ask.
            assert!(gethostbyname(c"nobody".as_ptr()).is_null());
            assert_eq!(*__h_errno_location(), 2);

            let (mut entry, mut found, mut error) = (zeroed(), std::ptr::null_mut(), 0);
            let mut room = [0 as c_char; 100];
            let mut ask = |len| {
                let (at, entry) = (room.as_mut_ptr(), &raw mut entry);
                gethostbyname_r(c"server".as_ptr(), entry, at, len, &mut found, &mut error)
            };
            assert_eq!(ask(8), libc::ERANGE);
            assert_eq!(ask(100), 0);
            assert_eq!(shown(found), server);
        })
        .await
        .unwrap();
        Ok(())
    });
    sim.run()
}

#[test]
fn getnameinfo_gives_names_and_numbers() -> glassnet::Result {
    alone(async {
        let ask = |address: &str, room: usize, flags: c_int| {
            let address = sockaddr(address);
            let (mut host, mut service) = ([0 as c_char; 64], [0 as c_char; 64]);
            let error = unsafe {
                libc::getnameinfo(
                    (&raw const address).cast(),
                    16,
                    host.as_mut_ptr(),
                    room as u32,
                    service.as_mut_ptr(),
                    64,
                    flags,
                )
            };
            let text = |text: &[c_char]| {
                unsafe { CStr::from_ptr(text.as_ptr()) }.to_str().unwrap().to_owned()
            };
            if error == 0 { Ok((text(&host), text(&service))) } else { Err(error) }
        };
        let both = |host: &str, service: &str| Ok((host.to_owned(), service.to_owned()));
        assert_eq!(ask("10.0.0.1:80", 64, 0), both("alone", "http"));
        let numeric = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
        assert_eq!(ask("10.0.0.1:80", 64, numeric), both("10.0.0.1", "80"));
        assert_eq!(ask("10.0.0.9:7777", 64, 0), both("10.0.0.9", "7777"));
        assert_eq!(ask("10.0.0.9:80", 64, libc::NI_NAMEREQD), Err(libc::EAI_NONAME));
        assert_eq!(ask("10.0.0.1:80", 5, 0), Err(libc::EAI_OVERFLOW));
        Ok(())
    })
}

#[test]
fn the_files_of_a_resolver_hold_what_the_world_knows() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async { std::future::pending().await });
    sim.hosts_entry("printer lp", [10, 0, 0, 77]);
    sim.client("client", async {
        let hosts = fs::read_to_string("/etc/hosts")?;
        for line in ["127.0.0.1\tlocalhost\n", "10.0.0.1\tserver\n", "10.0.0.2\tclient\n"] {
            assert!(hosts.contains(line), "{hosts}");
        }
        assert!(hosts.contains("10.0.0.77\tprinter lp\n"), "{hosts}");
        assert_eq!(fs::read_to_string("/etc/hostname")?, "client\n");
        assert_eq!(fs::read_to_string("/etc/nsswitch.conf")?, "hosts: files dns\n");
        let mut file = fs::File::open("/etc/hostname")?;
        assert_eq!(file.metadata()?.len(), 7);
        file.seek(SeekFrom::Start(3))?;
        let mut rest = String::new();
        file.read_to_string(&mut rest)?;
        assert_eq!(rest, "ent\n");
        let refused = fs::OpenOptions::new().append(true).open("/etc/hosts").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
        let mut line = [0 as c_char; 20];
        unsafe {
            let stream = libc::fopen(c"/etc/hostname".as_ptr(), c"re".as_ptr());
            assert!(!stream.is_null());
            libc::fgets(line.as_mut_ptr(), 20, stream);
            libc::fclose(stream);
            assert_eq!(CStr::from_ptr(line.as_ptr()), CString::new("client\n").unwrap().as_c_str());
            assert!(libc::fopen(c"/etc/hostname".as_ptr(), c"w".as_ptr()).is_null());
        }
        // Another path is the kernel's.
        assert!(fs::read_to_string("/proc/self/status")?.contains("Threads"));
        Ok(())
    });
    sim.run()
}

#[test]
fn resolv_conf_names_the_dns_servers_of_the_world() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.dns("ns");
    sim.host("server", || async { std::future::pending().await });
    sim.client("client", async {
        let text = fs::read_to_string("/etc/resolv.conf")?;
        assert!(text.starts_with("nameserver 10.0."), "{text}");
        // The others are asked for.
        let hosts = fs::read_to_string("/etc/hosts")?;
        assert!(hosts.contains("\tclient\n") && !hosts.contains("server"), "{hosts}");
        Ok(())
    });
    sim.run()
}
