//! `gethostbyname(3)` and its kin.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{c_char, c_int, c_void, hostent, size_t, socklen_t};

use super::names::{answer, text};
use super::{Plain, hook};
use crate::net::addr::Domain;
use crate::net::names::HostEntry;
use crate::seam::lookups::{Found, Question};
use crate::seam::seat;

/// Errors of `gethostbyname(3)`: `netdb.h`.
const HOST_NOT_FOUND: c_int = 1;
const TRY_AGAIN: c_int = 2;
const NO_RECOVERY: c_int = 3;
const NO_DATA: c_int = 4;

/// Bytes of an entry that the caller has no room for: glibc's static buffer grows to what it needs.
const MAX_ENTRY: usize = 64 << 10;

unsafe extern "C" {
    /// Where the thread's `h_errno` is.
    fn __h_errno_location() -> *mut c_int;
}

hook! {
    fn gethostbyname(name: *const c_char) -> *mut hostent;
    // SAFETY: the name is the caller's.
    if seat::is_taken() => Plain(unsafe { kept(by_name(name, libc::AF_INET)) })
}

hook! {
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent;
    // SAFETY: the name is the caller's.
    if seat::is_taken() => Plain(unsafe { kept(by_name(name, family)) })
}

hook! {
    fn gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut hostent;
    // SAFETY: the address is the caller's.
    if seat::is_taken() => Plain(unsafe { kept(by_address(address, len, family)) })
}

hook! {
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut hostent,
        room: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    // SAFETY: the arguments are the caller's.
    if seat::is_taken() => Plain(unsafe {
        given(by_name(name, libc::AF_INET), entry, room, len, found, error)
    })
}

hook! {
    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut hostent,
        room: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    // SAFETY: the arguments are the caller's.
    if seat::is_taken() => Plain(unsafe {
        given(by_name(name, family), entry, room, len, found, error)
    })
}

hook! {
    fn gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        entry: *mut hostent,
        room: *mut c_char,
        len: size_t,
        found: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    // SAFETY: the arguments are the caller's.
    if seat::is_taken() => Plain(unsafe {
        given(by_address(address, address_len, family), entry, room, len, found, error)
    })
}

/// # Safety
/// `name` is null or a string of C's.
unsafe fn by_name(name: *const c_char, family: c_int) -> Result<HostEntry, c_int> {
    if !matches!(family, libc::AF_INET | libc::AF_INET6) {
        return Err(NO_RECOVERY);
    }
    // SAFETY: as the caller promises.
    let Ok(Some(host)) = (unsafe { text(name) }) else { return Err(HOST_NOT_FOUND) };
    ask(Question::HostByName { host, family: Domain::from(family) })
}

/// # Safety
/// `address` is null or has `len` bytes.
unsafe fn by_address(
    address: *const c_void,
    len: socklen_t,
    family: c_int,
) -> Result<HostEntry, c_int> {
    let wants = match family {
        libc::AF_INET => 4,
        libc::AF_INET6 => 16,
        _ => return Err(NO_RECOVERY),
    };
    if address.is_null() || len != wants {
        return Err(NO_RECOVERY);
    }
    let mut bytes = [0_u8; 16];
    // SAFETY: there are `len` bytes, which is at most 16.
    unsafe {
        std::ptr::copy_nonoverlapping(address.cast::<u8>(), bytes.as_mut_ptr(), len as usize);
    }
    let address: IpAddr = if family == libc::AF_INET {
        Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into()
    } else {
        Ipv6Addr::from(bytes).into()
    };
    let mut entry = ask(Question::HostByAddress(address))?;
    // It is about the address that was asked for.
    entry.addresses = vec![address];
    Ok(entry)
}

fn ask(question: Question) -> Result<HostEntry, c_int> {
    match answer(question) {
        Ok(Found::Host(entry)) if entry.addresses.is_empty() => Err(NO_DATA),
        Ok(Found::Host(entry)) => Ok(entry),
        Ok(_) => Err(NO_RECOVERY),
        Err(libc::EAI_AGAIN) => Err(TRY_AGAIN),
        Err(libc::EAI_NONAME) => Err(HOST_NOT_FOUND),
        Err(libc::EAI_NODATA | libc::EAI_FAMILY) => Err(NO_DATA),
        Err(_) => Err(NO_RECOVERY),
    }
}

/// An entry in memory of the host's, until the next one of it.
fn kept(entry: Result<HostEntry, c_int>) -> *mut hostent {
    let fail = |error: c_int| {
        // SAFETY: it points to the thread's own number.
        unsafe { *__h_errno_location() = error };
        std::ptr::null_mut()
    };
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return fail(error),
    };
    let room = seat::with_seat(|seat| seat.map(|seat| seat.static_room(MAX_ENTRY)));
    let Some(room) = room else { return fail(NO_RECOVERY) };
    let at = room.cast::<hostent>();
    // SAFETY: the room is large enough for an entry, and so much more, and aligned for it.
    let is_written = unsafe {
        let rest = room.add(size_of::<hostent>());
        write(&entry, at, rest, MAX_ENTRY - size_of::<hostent>())
    };
    if is_written { at } else { fail(NO_RECOVERY) }
}

/// An entry in memory of the caller's. Returns the error number of `gethostbyname_r(3)`.
///
/// # Safety
/// There is room for an entry, for `len` bytes, for a pointer, and for a number.
unsafe fn given(
    answer: Result<HostEntry, c_int>,
    entry: *mut hostent,
    room: *mut c_char,
    len: size_t,
    found: *mut *mut hostent,
    error: *mut c_int,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        *found = std::ptr::null_mut();
        match answer {
            Ok(answer) if write(&answer, entry, room.cast(), len) => {
                *found = entry;
                0
            }
            Ok(_) => {
                *error = -1;
                libc::ERANGE
            }
            Err(number) => {
                *error = number;
                // As glibc: a name that is not there is no error of the call.
                if number == TRY_AGAIN { libc::EAGAIN } else { 0 }
            }
        }
    }
}

/// Writes an entry, with what it points to behind it. False without room.
///
/// # Safety
/// There is room for an entry, and for `len` bytes.
unsafe fn write(from: &HostEntry, entry: *mut hostent, room: *mut u8, len: usize) -> bool {
    let family = match from.addresses.first() {
        Some(IpAddr::V6(_)) => libc::AF_INET6,
        _ => libc::AF_INET,
    };
    let mut room = Room { at: room, left: len };
    let mut put = || {
        let addresses = room.pointers(from.addresses.len() + 1)?;
        let aliases = room.pointers(from.aliases.len() + 1)?;
        for (index, address) in from.addresses.iter().enumerate() {
            let bytes = match address {
                IpAddr::V4(address) => room.bytes(&address.octets())?,
                IpAddr::V6(address) => room.bytes(&address.octets())?,
            };
            // SAFETY: there is a place for each.
            unsafe { *addresses.add(index) = bytes };
        }
        for (index, alias) in from.aliases.iter().enumerate() {
            let text = room.bytes(&[alias.as_bytes(), &[0]].concat())?;
            // SAFETY: there is a place for each.
            unsafe { *aliases.add(index) = text };
        }
        let name = room.bytes(&[from.name.as_bytes(), &[0]].concat())?;
        Some(hostent {
            h_name: name,
            h_aliases: aliases,
            h_addrtype: family,
            h_length: if family == libc::AF_INET { 4 } else { 16 },
            h_addr_list: addresses,
        })
    };
    match put() {
        Some(written) => {
            // SAFETY: as the caller promises.
            unsafe { entry.write(written) };
            true
        }
        None => false,
    }
}

/// Memory that is given out from its beginning.
struct Room {
    at: *mut u8,
    left: usize,
}

impl Room {
    fn take(&mut self, len: usize) -> Option<*mut u8> {
        self.left = self.left.checked_sub(len)?;
        let taken = self.at;
        // SAFETY: this much was left.
        self.at = unsafe { self.at.add(len) };
        Some(taken)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<*mut c_char> {
        let taken = self.take(bytes.len())?;
        // SAFETY: there is this much room.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), taken, bytes.len()) };
        Some(taken.cast())
    }

    /// So many pointers, all of them null.
    fn pointers(&mut self, count: usize) -> Option<*mut *mut c_char> {
        let skipped = self.at.align_offset(size_of::<*mut c_char>());
        self.take(skipped)?;
        let taken = self.take(count * size_of::<*mut c_char>())?.cast::<*mut c_char>();
        // SAFETY: there is this much room, aligned for pointers.
        unsafe { std::ptr::write_bytes(taken, 0, count) };
        Some(taken)
    }
}
