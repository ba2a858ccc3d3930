//! `getsockopt(2)` and `setsockopt(2)`.

use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use libc::{c_int, c_void, linger, socklen_t, timeval};

use super::{hook, with_socket};
use crate::host::INTERFACE_INDEX;
use crate::net::addr::{Domain, Type};
use crate::net::socket::{MtuDiscovery, Socket, TcpKeepalive};
use crate::seam::control::Wish;
use crate::seam::descriptors::is_ours;
use crate::seam::socket_file::{self, SocketFile};
use crate::seam::unanswered::refuse;

/// The longest value of an option.
const MAX_VALUE: usize = 64;

hook! {
    fn setsockopt(
        fd: c_int,
        level: c_int,
        option: c_int,
        value: *const c_void,
        len: socklen_t,
    ) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        if value.is_null() {
            return Err(libc::EFAULT);
        }
        let len = (len as usize).min(MAX_VALUE);
        // SAFETY: the value is the caller's, of this length.
        let value = unsafe { std::slice::from_raw_parts(value.cast::<u8>(), len) };
        let padded;
        let value = match value {
            // ip(7): a byte will do for a number.
            [byte, ..] if level == libc::IPPROTO_IP && value.len() < size_of::<c_int>() => {
                padded = c_int::from(*byte).to_ne_bytes();
                &padded
            }
            value => value,
        };
        set(socket, level, option, &Value(value)).map(|()| 0)
    })
}

hook! {
    fn getsockopt(
        fd: c_int,
        level: c_int,
        option: c_int,
        value: *mut c_void,
        len: *mut socklen_t,
    ) -> c_int;
    if is_ours(fd) => with_socket(fd, |_, socket| {
        if value.is_null() || len.is_null() {
            return Err(libc::EFAULT);
        }
        let answer = get(socket, level, option)?;
        // SAFETY: there is room for `len` bytes.
        unsafe {
            let moved = answer.len().min(*len as usize);
            std::ptr::copy_nonoverlapping(answer.as_ptr(), value.cast::<u8>(), moved);
            *len = moved as socklen_t;
        }
        Ok(0)
    })
}

/// The value of an option, as it was given.
struct Value<'a>(&'a [u8]);

impl Value<'_> {
    fn number(&self) -> Result<c_int, i32> {
        match self.0.first_chunk::<4>() {
            Some(bytes) => Ok(c_int::from_ne_bytes(*bytes)),
            None => Err(libc::EINVAL),
        }
    }

    fn is_on(&self) -> Result<bool, i32> {
        Ok(self.number()? != 0)
    }

    /// A number that is not negative.
    fn size(&self) -> Result<u32, i32> {
        u32::try_from(self.number()?).map_err(|_| libc::EINVAL)
    }

    /// A number of which less than 0 is very much.
    fn bits(&self) -> Result<u32, i32> {
        Ok(self.number()?.cast_unsigned())
    }

    fn seconds(&self) -> Result<Duration, i32> {
        Ok(Duration::from_secs(u64::from(self.size()?)))
    }

    /// `struct timeval`; zero is none.
    fn timeout(&self) -> Result<Option<Duration>, i32> {
        if self.0.len() < size_of::<timeval>() {
            return Err(libc::EINVAL);
        }
        // SAFETY: there are enough bytes, of any alignment.
        let time = unsafe { self.0.as_ptr().cast::<timeval>().read_unaligned() };
        let seconds = u64::try_from(time.tv_sec).map_err(|_| libc::EDOM)?;
        let microseconds = u64::try_from(time.tv_usec).map_err(|_| libc::EDOM)?;
        let timeout = Duration::from_secs(seconds) + Duration::from_micros(microseconds);
        Ok((!timeout.is_zero()).then_some(timeout))
    }

    /// An IPv4 address that begins at a byte.
    fn address(&self, at: usize) -> Result<Ipv4Addr, i32> {
        let bytes: Option<&[u8; 4]> = self.0.get(at..).and_then(|bytes| bytes.first_chunk());
        bytes.map(|bytes| Ipv4Addr::from(*bytes)).ok_or(libc::EINVAL)
    }

    /// `struct ip_mreq` and `struct ip_mreqn`: a group, and the address of an interface; where that
    /// is not said, its number.
    fn membership(&self) -> Result<(Ipv4Addr, Ipv4Addr), i32> {
        let (group, interface) = (self.address(0)?, self.address(4)?);
        let number: Option<&[u8; 4]> = self.0.get(8..).and_then(|bytes| bytes.first_chunk());
        let number = number.map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        match number {
            // Any is the one that has a link.
            0 | INTERFACE_INDEX => Ok((group, interface)),
            _ => Err(libc::ENODEV),
        }
    }

    /// `struct ipv6_mreq`: a group, and the number of an interface.
    fn membership_v6(&self) -> Result<(Ipv6Addr, u32), i32> {
        let bytes: &[u8; 20] = self.0.first_chunk().ok_or(libc::EINVAL)?;
        let mut group = [0; 16];
        group.copy_from_slice(&bytes[..16]);
        let interface = u32::from_ne_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        Ok((group.into(), interface))
    }

    fn discovery(&self) -> Result<MtuDiscovery, i32> {
        match self.number()? {
            libc::IP_PMTUDISC_DONT => Ok(MtuDiscovery::Dont),
            libc::IP_PMTUDISC_WANT => Ok(MtuDiscovery::Want),
            libc::IP_PMTUDISC_DO => Ok(MtuDiscovery::Do),
            libc::IP_PMTUDISC_PROBE => Ok(MtuDiscovery::Probe),
            libc::IP_PMTUDISC_INTERFACE => Ok(MtuDiscovery::Interface),
            libc::IP_PMTUDISC_OMIT => Ok(MtuDiscovery::Omit),
            _ => Err(libc::EINVAL),
        }
    }

    fn linger(&self) -> Result<Option<Duration>, i32> {
        if self.0.len() < size_of::<linger>() {
            return Err(libc::EINVAL);
        }
        // SAFETY: there are enough bytes, of any alignment.
        let linger = unsafe { self.0.as_ptr().cast::<linger>().read_unaligned() };
        let seconds = u64::from(linger.l_linger.unsigned_abs());
        Ok((linger.l_onoff != 0).then_some(Duration::from_secs(seconds)))
    }
}

fn set(file: &SocketFile, level: c_int, option: c_int, value: &Value<'_>) -> Result<(), i32> {
    let socket = &file.socket;
    if let Some(wish) = wish(socket, level, option) {
        file.wishes.set(wish, value.is_on()?);
        return Ok(());
    }
    let done = match (level, option) {
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => socket.set_reuse_address(value.is_on()?),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => socket.set_reuse_port(value.is_on()?),
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => socket.set_broadcast(value.is_on()?),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => socket.set_keepalive(value.is_on()?),
        (libc::SOL_SOCKET, libc::SO_LINGER) => socket.set_linger(value.linger()?),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => socket.set_recv_buffer_size(value.bits()? as usize),
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => socket.set_send_buffer_size(value.bits()? as usize),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => socket.set_read_timeout(value.timeout()?),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => socket.set_write_timeout(value.timeout()?),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => socket.set_tcp_nodelay(value.is_on()?),
        (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => socket.set_tcp_quickack(value.is_on()?),
        (libc::IPPROTO_TCP, libc::TCP_CORK) => socket.set_tcp_cork(value.is_on()?),
        (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => socket.set_tcp_mss(value.size()?),
        (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT) => socket.set_tcp_notsent_lowat(value.bits()?),
        (libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP) => {
            socket.set_tcp_window_clamp(u32::try_from(value.number()?).unwrap_or(1))
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(value.seconds()?))
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(value.seconds()?))
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => {
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(value.size()?))
        }
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => {
            let timeout = Duration::from_millis(u64::from(value.size()?));
            socket.set_tcp_user_timeout((!timeout.is_zero()).then_some(timeout))
        }
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => {
            // Linux's TCP_CA_NAME_MAX is 16, and a zero.
            if value.0.is_empty() {
                return Err(libc::EINVAL);
            }
            let end = value
                .0
                .iter()
                .take(15)
                .position(|byte| *byte == 0)
                .unwrap_or(value.0.len().min(15));
            socket.set_tcp_congestion(&value.0[..end])
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => socket.set_ttl_v4(value.size()?),
        (libc::IPPROTO_IP, libc::IP_TOS) => socket.set_tos_v4(value.size()?),
        (libc::IPPROTO_IP, libc::IP_RECVERR) => socket.set_recv_errors(value.is_on()?),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL) => socket.set_multicast_ttl_v4(value.size()?),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP) => socket.set_multicast_loop_v4(value.is_on()?),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_ALL) => socket.set_multicast_all_v4(value.is_on()?),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) => {
            // An address, or `struct ip_mreqn` with a group before it.
            let address = value.address(if value.0.len() < 8 { 0 } else { 4 })?;
            socket.set_multicast_if_v4(&address)
        }
        (libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP) => {
            let (group, interface) = value.membership()?;
            socket.join_multicast_v4(&group, &interface)
        }
        (libc::IPPROTO_IP, libc::IP_DROP_MEMBERSHIP) => {
            let (group, interface) = value.membership()?;
            socket.leave_multicast_v4(&group, &interface)
        }
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) => {
            socket.set_mtu_discovery_v4(value.discovery()?)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => socket.set_only_v6(value.is_on()?),
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => socket.set_unicast_hops_v6(value.size()?),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => socket.set_tclass_v6(value.size()?),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => socket.set_recv_errors(value.is_on()?),
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER) => {
            socket.set_mtu_discovery_v6(value.discovery()?)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG) => {
            let discovery = if value.is_on()? { MtuDiscovery::Do } else { MtuDiscovery::Want };
            socket.set_mtu_discovery_v6(discovery)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS) => {
            socket.set_multicast_hops_v6(value.size()?)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP) => {
            socket.set_multicast_loop_v6(value.is_on()?)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF) => socket.set_multicast_if_v6(value.size()?),
        (libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP) => {
            let (group, interface) = value.membership_v6()?;
            socket.join_multicast_v6(&group, interface)
        }
        (libc::IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP) => {
            let (group, interface) = value.membership_v6()?;
            socket.leave_multicast_v6(&group, interface)
        }
        (libc::IPPROTO_UDP, libc::UDP_SEGMENT) => {
            let segment = u16::try_from(value.number()?).map_err(|_| libc::EINVAL)?;
            socket.set_segment_size(segment)
        }
        _ => return Err(not_answered("setsockopt", level, option)),
    };
    done.map_err(|error| socket_file::number(&error))
}

fn get(file: &SocketFile, level: c_int, option: c_int) -> Result<Vec<u8>, i32> {
    let socket = &file.socket;
    if let Some(wish) = wish(socket, level, option) {
        return Ok(flag(file.wishes.has(wish)));
    }
    let answer = match (level, option) {
        (libc::SOL_SOCKET, libc::SO_ERROR) => {
            let error = socket.take_error();
            error.map(|error| flag(error.map_or(0, |error| socket_file::number(&error))))
        }
        (libc::SOL_SOCKET, libc::SO_TYPE) => socket.r#type().map(|ty| flag(i32::from(ty))),
        (libc::SOL_SOCKET, libc::SO_DOMAIN) => {
            socket.domain().map(|domain| flag(i32::from(domain)))
        }
        (libc::SOL_SOCKET, libc::SO_PROTOCOL) => Ok(flag(protocol(socket))),
        (libc::SOL_SOCKET, libc::SO_ACCEPTCONN) => Ok(flag(socket.is_listening())),
        (libc::SOL_SOCKET, libc::SO_REUSEADDR) => socket.reuse_address().map(flag),
        (libc::SOL_SOCKET, libc::SO_REUSEPORT) => socket.reuse_port().map(flag),
        (libc::SOL_SOCKET, libc::SO_BROADCAST) => socket.broadcast().map(flag),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE) => socket.keepalive().map(flag),
        (libc::SOL_SOCKET, libc::SO_RCVBUF) => socket.recv_buffer_size().map(size),
        (libc::SOL_SOCKET, libc::SO_SNDBUF) => socket.send_buffer_size().map(size),
        (libc::SOL_SOCKET, libc::SO_LINGER) => socket.linger().map(|time| {
            let seconds = time.map_or(0, |time| time.as_secs() as c_int);
            [flag(time.is_some()), flag(seconds)].concat()
        }),
        (libc::SOL_SOCKET, libc::SO_RCVTIMEO) => socket.read_timeout().map(timeout),
        (libc::SOL_SOCKET, libc::SO_SNDTIMEO) => socket.write_timeout().map(timeout),
        (libc::IPPROTO_TCP, libc::TCP_NODELAY) => socket.tcp_nodelay().map(flag),
        (libc::IPPROTO_TCP, libc::TCP_QUICKACK) => socket.tcp_quickack().map(flag),
        (libc::IPPROTO_TCP, libc::TCP_CORK) => socket.tcp_cork().map(flag),
        (libc::IPPROTO_TCP, libc::TCP_MAXSEG) => socket.tcp_mss().map(|mss| size(mss as usize)),
        (libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT) => {
            socket.tcp_notsent_lowat().map(|bytes| flag(bytes.cast_signed()))
        }
        (libc::IPPROTO_TCP, libc::TCP_WINDOW_CLAMP) => {
            socket.tcp_window_clamp().map(|bytes| flag(bytes.cast_signed()))
        }
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE) => socket.tcp_keepalive_time().map(seconds),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL) => socket.tcp_keepalive_interval().map(seconds),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT) => {
            socket.tcp_keepalive_retries().map(|retries| flag(retries as c_int))
        }
        (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT) => socket
            .tcp_user_timeout()
            .map(|time| flag(time.map_or(0, |time| time.as_millis() as c_int))),
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => socket.tcp_congestion().map(|mut name| {
            name.resize(16, 0);
            name
        }),
        (libc::IPPROTO_TCP, libc::TCP_INFO) => {
            socket.tcp_info().map(|info| info.to_bytes().to_vec())
        }
        (libc::IPPROTO_IP, libc::IP_TTL) => socket.ttl_v4().map(|ttl| flag(ttl as c_int)),
        (libc::IPPROTO_IP, libc::IP_TOS) => socket.tos_v4().map(|tos| flag(tos as c_int)),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => socket.only_v6().map(flag),
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
            socket.unicast_hops_v6().map(|hops| flag(hops as c_int))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
            socket.tclass_v6().map(|class| flag(class as c_int))
        }
        (libc::SOL_SOCKET, libc::SO_PEERCRED) => Ok(credentials(socket)),
        (libc::IPPROTO_IP, libc::IP_RECVERR) => socket.recv_errors().map(flag),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_TTL) => {
            socket.multicast_ttl_v4().map(|ttl| flag(ttl as c_int))
        }
        (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP) => socket.multicast_loop_v4().map(flag),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_ALL) => socket.multicast_all_v4().map(flag),
        (libc::IPPROTO_IP, libc::IP_MULTICAST_IF) => {
            socket.multicast_if_v4().map(|address| address.octets().to_vec())
        }
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER) => {
            socket.mtu_discovery_v4().map(|discovery| flag(discovery as c_int))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => socket.recv_errors().map(flag),
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER) => {
            socket.mtu_discovery_v6().map(|discovery| flag(discovery as c_int))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_DONTFRAG) => {
            socket.mtu_discovery_v6().map(|discovery| flag(discovery == MtuDiscovery::Do))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS) => {
            socket.multicast_hops_v6().map(|hops| flag(hops as c_int))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP) => socket.multicast_loop_v6().map(flag),
        (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_IF) => {
            socket.multicast_if_v6().map(|interface| flag(interface as c_int))
        }
        (libc::IPPROTO_UDP, libc::UDP_SEGMENT) => socket.segment_size().map(flag),
        _ => return Err(not_answered("getsockopt", level, option)),
    };
    answer.map_err(|error: io::Error| socket_file::number(&error))
}

/// The control message that an option asks for.
fn wish(socket: &Socket, level: c_int, option: c_int) -> Option<Wish> {
    let domain = socket.domain().ok()?;
    match (level, option) {
        _ if domain == Domain::UNIX => None,
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => Some(Wish::PacketInfo),
        (libc::IPPROTO_IP, libc::IP_RECVTTL) => Some(Wish::Ttl),
        (libc::IPPROTO_IP, libc::IP_RECVTOS) => Some(Wish::Tos),
        _ if domain != Domain::IPV6 => None,
        (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) => Some(Wish::PacketInfoV6),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT) => Some(Wish::HopLimit),
        (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS) => Some(Wish::TrafficClass),
        _ => None,
    }
}

/// An option that is not answered. Of some it is said silently, as an older kernel does: who asks
/// for them does without.
fn not_answered(call: &str, level: c_int, option: c_int) -> i32 {
    match (level, option) {
        (libc::IPPROTO_UDP, libc::UDP_GRO)
        | (libc::SOL_SOCKET, libc::SO_TIMESTAMP | libc::SO_TIMESTAMPNS | libc::SO_TIMESTAMPING) => {
            libc::ENOPROTOOPT
        }
        _ => {
            let call = format!("{call} of option {option} at level {level}");
            refuse(&call, "a world's sockets do not have this option", libc::ENOPROTOOPT)
        }
    }
}

/// `struct ucred`: the process of the peer, which is this one.
fn credentials(socket: &Socket) -> Vec<u8> {
    // SAFETY: they take nothing.
    let (pid, uid, gid) = unsafe { (libc::getpid(), libc::geteuid(), libc::getegid()) };
    let is_connected =
        socket.domain().is_ok_and(|domain| domain == Domain::UNIX) && socket.peer_addr().is_ok();
    let (pid, uid, gid) = if is_connected { (pid, uid, gid) } else { (0, u32::MAX, u32::MAX) };
    [pid.to_ne_bytes(), uid.to_ne_bytes(), gid.to_ne_bytes()].concat()
}

fn protocol(socket: &Socket) -> c_int {
    match socket.protocol() {
        Ok(Some(protocol)) => protocol.into(),
        _ => match (socket.domain().map(c_int::from), socket.r#type()) {
            (Ok(libc::AF_UNIX), _) => 0,
            (_, Ok(Type::STREAM)) => libc::IPPROTO_TCP,
            _ => libc::IPPROTO_UDP,
        },
    }
}

fn flag(value: impl Into<c_int>) -> Vec<u8> {
    value.into().to_ne_bytes().to_vec()
}

fn size(bytes: usize) -> Vec<u8> {
    flag(c_int::try_from(bytes).unwrap_or(c_int::MAX))
}

fn seconds(time: Duration) -> Vec<u8> {
    flag(c_int::try_from(time.as_secs()).unwrap_or(c_int::MAX))
}

fn timeout(time: Option<Duration>) -> Vec<u8> {
    let time = time.unwrap_or_default();
    let seconds = time.as_secs() as i64;
    [seconds.to_ne_bytes(), i64::from(time.subsec_micros()).to_ne_bytes()].concat()
}
