//! Control messages: `cmsg(3)`.

use std::mem::{offset_of, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{c_int, cmsghdr, in_pktinfo, in6_pktinfo};

use crate::net::socket::{PacketInfo, SendOptions};

const HEADER: usize = aligned(size_of::<cmsghdr>());

/// `CMSG_ALIGN`.
const fn aligned(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

/// A control message that a socket may ask for: `IP_PKTINFO` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Wish {
    /// `IP_PKTINFO`.
    PacketInfo = 1 << 0,
    /// `IP_RECVTTL`.
    Ttl = 1 << 1,
    /// `IP_RECVTOS`.
    Tos = 1 << 2,
    /// `IPV6_RECVPKTINFO`.
    PacketInfoV6 = 1 << 3,
    /// `IPV6_RECVHOPLIMIT`.
    HopLimit = 1 << 4,
    /// `IPV6_RECVTCLASS`.
    TrafficClass = 1 << 5,
}

/// What a socket has asked for.
#[derive(Default)]
pub(super) struct Wishes(AtomicU32);

impl Wishes {
    pub(super) fn set(&self, wish: Wish, is_on: bool) {
        if is_on {
            self.0.fetch_or(wish as u32, Ordering::Relaxed);
        } else {
            self.0.fetch_and(!(wish as u32), Ordering::Relaxed);
        }
    }

    pub(super) fn has(&self, wish: Wish) -> bool {
        self.0.load(Ordering::Relaxed) & wish as u32 != 0
    }

    /// Writes the messages that a datagram brings, in Linux's order. `is_v6` says whether the socket
    /// is of IPv6.
    pub(super) fn write(&self, packet: &PacketInfo, is_v6: bool, to: &mut ControlRoom) {
        if self.0.load(Ordering::Relaxed) == 0 {
            return;
        }
        if is_v6 && self.has(Wish::PacketInfoV6) {
            let address = in_v6(packet.destination);
            let info = [&address.octets()[..], &packet.interface.to_ne_bytes()].concat();
            to.put(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        let ttl = c_int::from(packet.hop_limit).to_ne_bytes();
        if let (IpAddr::V4(destination), IpAddr::V4(local)) = (packet.destination, packet.local) {
            if self.has(Wish::PacketInfo) {
                let interface = packet.interface.to_ne_bytes();
                let info = [interface, local.octets(), destination.octets()].concat();
                to.put(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            if self.has(Wish::Ttl) {
                to.put(libc::IPPROTO_IP, libc::IP_TTL, &ttl);
            }
            if self.has(Wish::Tos) {
                to.put(libc::IPPROTO_IP, libc::IP_TOS, &[packet.traffic_class]);
            }
        } else if is_v6 {
            if self.has(Wish::HopLimit) {
                to.put(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &ttl);
            }
            if self.has(Wish::TrafficClass) {
                let class = c_int::from(packet.traffic_class).to_ne_bytes();
                to.put(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &class);
            }
        }
    }
}

/// An address as a socket of IPv6 shows it.
fn in_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Room of the caller's for control messages.
pub(super) struct ControlRoom {
    at: *mut u8,
    left: usize,
    pub(super) used: usize,
    /// There was not enough: `MSG_CTRUNC`.
    pub(super) is_truncated: bool,
}

impl ControlRoom {
    /// # Safety
    /// `at` is null or has room for `len` bytes, as long as this lives.
    pub(super) unsafe fn new(at: *mut u8, len: usize) -> ControlRoom {
        let left = if at.is_null() { 0 } else { len };
        ControlRoom { at, left, used: 0, is_truncated: false }
    }

    /// Writes a message, cut where the room ends (Linux's `put_cmsg`).
    fn put(&mut self, level: c_int, kind: c_int, data: &[u8]) {
        if self.left < HEADER {
            self.is_truncated = true;
            return;
        }
        let whole = HEADER + data.len();
        let len = whole.min(self.left);
        self.is_truncated |= len < whole;
        let mut header = [0; HEADER];
        header[offset_of!(cmsghdr, cmsg_len)..][..size_of::<usize>()]
            .copy_from_slice(&len.to_ne_bytes());
        header[offset_of!(cmsghdr, cmsg_level)..][..4].copy_from_slice(&level.to_ne_bytes());
        header[offset_of!(cmsghdr, cmsg_type)..][..4].copy_from_slice(&kind.to_ne_bytes());
        let takes = aligned(whole).min(self.left);
        // SAFETY: `left` bytes are left at `at`, and no more than that are written.
        unsafe {
            std::ptr::copy_nonoverlapping(header.as_ptr(), self.at, HEADER);
            std::ptr::copy_nonoverlapping(data.as_ptr(), self.at.add(HEADER), len - HEADER);
            self.at = self.at.add(takes);
        }
        self.left -= takes;
        self.used += takes;
    }
}

/// A control message that was given.
pub(super) struct Given<'a> {
    pub(super) level: c_int,
    pub(super) kind: c_int,
    data: &'a [u8],
}

/// Calls `each` for the control messages that a caller gave: EINVAL for one that is longer than what
/// was given, or shorter than its header.
pub(super) fn read<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(Given<'a>) -> Result<(), i32>,
) -> Result<(), i32> {
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&header[at..at + 4]);
            c_int::from_ne_bytes(word)
        };
        let mut len = [0; size_of::<usize>()];
        len.copy_from_slice(&header[offset_of!(cmsghdr, cmsg_len)..][..size_of::<usize>()]);
        let len = usize::from_ne_bytes(len);
        let data = bytes.get(HEADER..len).ok_or(libc::EINVAL)?;
        let level = word(offset_of!(cmsghdr, cmsg_level));
        let kind = word(offset_of!(cmsghdr, cmsg_type));
        each(Given { level, kind, data })?;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
    }
    Ok(())
}

impl Given<'_> {
    fn number(&self) -> Result<c_int, i32> {
        match self.data.first_chunk::<4>() {
            Some(bytes) if self.data.len() == 4 => Ok(c_int::from_ne_bytes(*bytes)),
            _ => Err(libc::EINVAL),
        }
    }

    fn octet(&self) -> Result<u8, i32> {
        match self.data {
            [byte] => Ok(*byte),
            _ => u8::try_from(self.number()?).map_err(|_| libc::EINVAL),
        }
    }

    /// Takes it into what a datagram of IP is sent with.
    pub(super) fn apply(&self, options: SendOptions, is_v6: bool) -> Result<SendOptions, i32> {
        const SOL_UDP: c_int = libc::IPPROTO_UDP;
        match (self.level, self.kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS | libc::SCM_CREDENTIALS) => Ok(options),
            (SOL_UDP, libc::UDP_SEGMENT) => match self.data {
                [first, second] => Ok(options.segment_size(u16::from_ne_bytes([*first, *second]))),
                _ => Err(libc::EINVAL),
            },
            (libc::IPPROTO_IP, libc::IP_TOS) => Ok(options.traffic_class(self.octet()?)),
            (libc::IPPROTO_IP, libc::IP_TTL) => match self.octet()? {
                0 => Err(libc::EINVAL),
                ttl => Ok(options.hop_limit(ttl)),
            },
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let Some(info) = self.data.first_chunk::<{ size_of::<in_pktinfo>() }>() else {
                    return Err(libc::EINVAL);
                };
                let interface = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
                let source = Ipv4Addr::new(info[4], info[5], info[6], info[7]);
                Ok(with_source(options.interface(interface), source.into()))
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if is_v6 => {
                let Some(info) = self.data.first_chunk::<{ size_of::<in6_pktinfo>() }>() else {
                    return Err(libc::EINVAL);
                };
                let mut source = [0; 16];
                source.copy_from_slice(&info[..16]);
                let interface = u32::from_ne_bytes([info[16], info[17], info[18], info[19]]);
                Ok(with_source(options.interface(interface), Ipv6Addr::from(source).into()))
            }
            // -1 is the socket's own.
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS | libc::IPV6_HOPLIMIT)
                if is_v6 && self.number()? == -1 =>
            {
                Ok(options)
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) if is_v6 => {
                Ok(options.traffic_class(self.octet()?))
            }
            (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) if is_v6 => {
                Ok(options.hop_limit(self.octet()?))
            }
            (libc::SOL_SOCKET | libc::IPPROTO_IP | libc::IPPROTO_IPV6 | SOL_UDP, _) => {
                Err(libc::EINVAL)
            }
            // As Linux, what is of another protocol is for somebody else.
            _ => Ok(options),
        }
    }
}

fn with_source(options: SendOptions, source: IpAddr) -> SendOptions {
    if source.is_unspecified() { options } else { options.source(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_longer_than_what_was_given_is_refused() {
        let mut room = [0_u8; 64];
        // SAFETY: there is this much room.
        let mut to = unsafe { ControlRoom::new(room.as_mut_ptr(), room.len()) };
        to.put(1, 2, &[7; 9]);
        assert_eq!((to.used, to.is_truncated), (HEADER + 16, false));
        let mut seen = Vec::new();
        let given = |given: Given<'_>| {
            seen.push((given.level, given.kind, given.data.to_vec()));
            Ok(())
        };
        assert_eq!(read(&room[..HEADER + 16], given), Ok(()));
        assert_eq!(seen, [(1, 2, vec![7; 9])]);
        assert_eq!(read(&room[..HEADER + 8], |_| Ok(())), Err(libc::EINVAL));
        assert_eq!(read(&room[32..HEADER + 32], |_| Ok(())), Err(libc::EINVAL));
        assert_eq!(read(&room[..HEADER - 1], |_| Err(7)), Ok(()));
    }

    #[test]
    fn a_message_without_room_is_cut() {
        for len in 0..64 {
            let mut room = vec![0xee_u8; len];
            // SAFETY: there is this much room.
            let mut to = unsafe { ControlRoom::new(room.as_mut_ptr(), room.len()) };
            to.put(1, 2, &[7; 4]);
            to.put(1, 3, &[8; 4]);
            assert!(to.used <= len);
            assert_eq!(to.is_truncated, len < 2 * HEADER + 8 + 4);
        }
    }
}
