//! `getaddrinfo(3)` and `getnameinfo(3)`.

use std::ffi::CStr;
use std::future::Future;
use std::mem::size_of;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use libc::{addrinfo, c_char, c_int, sockaddr, sockaddr_un, socklen_t};

use super::{Plain, hook};
use crate::net::addr::{Domain, Protocol, Type};
use crate::net::names::{AddrInfo, AddrInfoHints, NameInfoFlags};
use crate::net::socket::SockAddr;
use crate::seam::address;
use crate::seam::lookups::{Answer, Asked, Found, Question};
use crate::seam::seat;
use crate::seam::spin::Spin;
use crate::seam::threads;

hook! {
    fn getaddrinfo(
        host: *const c_char,
        service: *const c_char,
        hints: *const addrinfo,
        found: *mut *mut addrinfo,
    ) -> c_int;
    // SAFETY: the arguments are the caller's.
    if seat::is_taken() => Plain(unsafe { look_up(host, service, hints, found) })
}

/// # Safety
/// The arguments are those of `getaddrinfo(3)`.
unsafe fn look_up(
    host: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    found: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: as the caller promises.
    let (host, service, hints) = unsafe {
        match (text(host), text(service)) {
            (Ok(host), Ok(service)) => (host, service, read_hints(hints.as_ref())),
            _ => return libc::EAI_NONAME,
        }
    };
    match answer(Question::AddrInfo { host, service, hints }) {
        Ok(Found::AddrInfo(infos)) => {
            // SAFETY: there is room for a pointer.
            unsafe { *found = list(&infos) };
            0
        }
        Ok(_) => libc::EAI_FAIL,
        Err(error) => error,
    }
}

/// # Safety
/// It is null or a string of C's.
pub(super) unsafe fn text(text: *const c_char) -> Result<Option<String>, std::str::Utf8Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_str().map(|text| Some(text.to_owned()))
}

hook! {
    fn getnameinfo(
        address: *const sockaddr,
        len: socklen_t,
        host: *mut c_char,
        host_room: socklen_t,
        service: *mut c_char,
        service_room: socklen_t,
        flags: c_int,
    ) -> c_int;
    // SAFETY: the arguments are the caller's.
    if seat::is_taken() => Plain(unsafe {
        let address = match address::read(address, len) {
            Ok(Some(address)) => address,
            _ => return libc::EAI_FAMILY,
        };
        match name(&address, flags) {
            Ok((found_host, found_service)) => {
                let is_written = put(&found_host, host, host_room)
                    && put(&found_service, service, service_room);
                let is_asked = (!host.is_null() && host_room > 0)
                    || (!service.is_null() && service_room > 0);
                match (is_asked, is_written) {
                    (false, _) => libc::EAI_NONAME,
                    (true, false) => libc::EAI_OVERFLOW,
                    (true, true) => 0,
                }
            }
            Err(error) => error,
        }
    })
}

/// The names of an address, by the flags of `getnameinfo(3)`.
fn name(address: &SockAddr, flags: c_int) -> Result<(String, String), i32> {
    let Some(inet) = address.as_socket() else {
        let path = address.as_pathname().map(|path| path.to_string_lossy().into_owned());
        let host = seat::with_seat(|seat| seat.map(|seat| seat.host_name().to_owned()));
        return Ok((host.unwrap_or_default(), path.unwrap_or_default()));
    };
    let flag = |flag: c_int| flags & flag != 0;
    let flags = NameInfoFlags::default()
        .numeric_host(flag(libc::NI_NUMERICHOST))
        .numeric_serv(flag(libc::NI_NUMERICSERV))
        .name_required(flag(libc::NI_NAMEREQD))
        .datagram(flag(libc::NI_DGRAM));
    match answer(Question::NameInfo { address: inet, flags })? {
        Found::NameInfo(host, service) => Ok((host, service)),
        _ => Err(libc::EAI_FAIL),
    }
}

/// Writes a text where the caller wants it. False without room.
///
/// # Safety
/// `to` is null or has this much room.
unsafe fn put(text: &str, to: *mut c_char, room: socklen_t) -> bool {
    if to.is_null() || room == 0 {
        return true;
    }
    if text.len() >= room as usize {
        return false;
    }
    // SAFETY: there is room for the text and its NUL.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), to.cast::<u8>(), text.len());
        *to.add(text.len()) = 0;
    }
    true
}

fn read_hints(hints: Option<&addrinfo>) -> AddrInfoHints {
    let Some(hints) = hints else {
        // As if these were given: getaddrinfo(3).
        return AddrInfoHints::default().v4_mapped(true);
    };
    let given = |number: c_int| (number != 0).then_some(number);
    let flag = |flag: c_int| hints.ai_flags & flag != 0;
    AddrInfoHints::default()
        .family(given(hints.ai_family).map(Domain::from))
        .socktype(given(hints.ai_socktype).map(Type::from))
        .protocol(given(hints.ai_protocol).map(Protocol::from))
        .passive(flag(libc::AI_PASSIVE))
        .canon_name(flag(libc::AI_CANONNAME))
        .numeric_host(flag(libc::AI_NUMERICHOST))
        .numeric_serv(flag(libc::AI_NUMERICSERV))
        .v4_mapped(flag(libc::AI_V4MAPPED))
        .all(flag(libc::AI_ALL))
}

/// The answer to a question, for which a thread waits.
pub(super) fn answer(question: Question) -> Answer {
    match (threads::current(), seat::current()) {
        (Some(thread), Some(seat)) => {
            let answer = Arc::new(Spin::new(None));
            let asked =
                Asked { question, thread: Waker::from(thread.clone()), answer: answer.clone() };
            thread.block(None, || seat.ask(asked));
            answer.lock().take().unwrap_or(Err(libc::EAI_AGAIN))
        }
        _ => {
            // The thread that drives the world cannot wait: what is known is answered.
            let looking = pin!(question.look_up());
            match looking.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answer) => answer,
                Poll::Pending => Err(libc::EAI_AGAIN),
            }
        }
    }
}

/// A list as libc makes it, for libc's own `freeaddrinfo(3)`: each element with its address behind
/// it in one piece of memory.
fn list(infos: &[AddrInfo]) -> *mut addrinfo {
    let mut first = std::ptr::null_mut();
    for info in infos.iter().rev() {
        let mut bytes = [0; size_of::<sockaddr_un>()];
        let len = address::fill(&SockAddr::from(info.address), &mut bytes);
        // SAFETY: the memory is large enough for both, and is aligned for the first.
        unsafe {
            let element = libc::malloc(size_of::<addrinfo>() + bytes.len()).cast::<addrinfo>();
            if element.is_null() {
                break;
            }
            let address = element.add(1).cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), address, bytes.len());
            element.write(addrinfo {
                ai_flags: 0,
                ai_family: info.family.into(),
                ai_socktype: info.socktype.into(),
                ai_protocol: info.protocol.into(),
                ai_addrlen: len as socklen_t,
                ai_addr: address.cast::<sockaddr>(),
                ai_canonname: info.canonical_name.as_deref().map_or(std::ptr::null_mut(), |name| {
                    libc::strndup(name.as_ptr().cast(), name.len())
                }),
                ai_next: first,
            });
            first = element;
        }
    }
    first
}
