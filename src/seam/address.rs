//! `struct sockaddr` and the addresses of sockets.

use std::ffi::OsStr;
use std::mem::{offset_of, size_of};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::unix::ffi::OsStrExt;

use libc::{sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};

use crate::error::Errno;
use crate::net::socket::SockAddr;

const UNIX_PATH: usize = offset_of!(sockaddr_un, sun_path);

/// Reads an address. `None` for `AF_UNSPEC`.
///
/// # Safety
/// `address` is null or points to `len` bytes.
pub(super) unsafe fn read(
    address: *const sockaddr,
    len: socklen_t,
) -> Result<Option<SockAddr>, Errno> {
    let len = len as usize;
    if address.is_null() {
        return Err(Errno::Fault);
    }
    if len < size_of::<sa_family_t>() {
        return Err(Errno::Invalid);
    }
    // SAFETY: there are `len` bytes, as the caller promises.
    let bytes = unsafe { std::slice::from_raw_parts(address.cast::<u8>(), len) };
    let family = i32::from(sa_family_t::from_ne_bytes([bytes[0], bytes[1]]));
    let port = |bytes: &[u8]| u16::from_be_bytes([bytes[2], bytes[3]]);
    match family {
        libc::AF_UNSPEC => Ok(None),
        libc::AF_INET if len < size_of::<sockaddr_in>() => Err(Errno::Invalid),
        libc::AF_INET => {
            let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
            Ok(Some(SocketAddrV4::new(ip, port(bytes)).into()))
        }
        // RFC 2133's length, without the scope.
        libc::AF_INET6 if len < 24 => Err(Errno::Invalid),
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            let mut ip = [0; 16];
            ip.copy_from_slice(&bytes[8..24]);
            let scope = match bytes.get(24..28) {
                Some(scope) => u32::from_ne_bytes([scope[0], scope[1], scope[2], scope[3]]),
                None => 0,
            };
            Ok(Some(SocketAddrV6::new(Ipv6Addr::from(ip), port(bytes), flow, scope).into()))
        }
        libc::AF_UNIX => {
            let name = &bytes[UNIX_PATH.min(len)..len.min(size_of::<sockaddr_un>())];
            let is_abstract = name.first() == Some(&0);
            let end = match name.iter().position(|byte| *byte == 0) {
                Some(end) if !is_abstract => end,
                _ => name.len(),
            };
            let address = SockAddr::unix(OsStr::from_bytes(&name[..end]));
            address.map(Some).map_err(|_| Errno::Invalid)
        }
        _ => Err(Errno::AddressFamilyNotSupported),
    }
}

/// Writes an address where the caller wants it, as much as fits, and its whole length.
///
/// # Safety
/// `len` is null, or points to the number of bytes that `to` has room for.
pub(super) unsafe fn write(address: &SockAddr, to: *mut sockaddr, len: *mut socklen_t) {
    let mut bytes = [0; size_of::<sockaddr_un>()];
    let written = fill(address, &mut bytes);
    if to.is_null() || len.is_null() {
        return;
    }
    // SAFETY: as the caller promises.
    unsafe {
        let room = (*len as usize).min(written);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast::<u8>(), room);
        *len = written as socklen_t;
    }
}

/// Writes an address, and returns its length.
pub(super) fn fill(address: &SockAddr, bytes: &mut [u8; size_of::<sockaddr_un>()]) -> usize {
    match address.as_socket() {
        Some(SocketAddr::V4(address)) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET as sa_family_t).to_ne_bytes());
            bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
            bytes[4..8].copy_from_slice(&address.ip().octets());
            size_of::<sockaddr_in>()
        }
        Some(SocketAddr::V6(address)) => {
            bytes[..2].copy_from_slice(&(libc::AF_INET6 as sa_family_t).to_ne_bytes());
            bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
            bytes[4..8].copy_from_slice(&address.flowinfo().to_be_bytes());
            bytes[8..24].copy_from_slice(&address.ip().octets());
            bytes[24..28].copy_from_slice(&address.scope_id().to_ne_bytes());
            size_of::<sockaddr_in6>()
        }
        None => {
            bytes[..2].copy_from_slice(&(libc::AF_UNIX as sa_family_t).to_ne_bytes());
            let Some(name) = address.as_unix() else { return UNIX_PATH };
            if let Some(path) = name.as_pathname() {
                let path = path.as_os_str().as_bytes();
                bytes[UNIX_PATH..UNIX_PATH + path.len()].copy_from_slice(path);
                UNIX_PATH + path.len() + 1
            } else if let Some(name) = name.as_abstract_name() {
                bytes[UNIX_PATH + 1..UNIX_PATH + 1 + name.len()].copy_from_slice(name);
                UNIX_PATH + 1 + name.len()
            } else {
                UNIX_PATH
            }
        }
    }
}
