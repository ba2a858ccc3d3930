//! `getsockopt(2)` and `setsockopt(2)`.

use std::io;
use std::mem::size_of;
use std::time::Duration;

use libc::{c_int, c_void, linger, socklen_t, timeval};

use super::{hook, with_socket};
use crate::net::addr::Type;
use crate::net::socket::{Socket, TcpKeepalive};
use crate::seam::descriptors::is_ours;
use crate::seam::socket_file;

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
        set(&socket.socket, level, option, &Value(value)).map(|()| 0)
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
        let answer = get(&socket.socket, level, option)?;
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

fn set(socket: &Socket, level: c_int, option: c_int, value: &Value<'_>) -> Result<(), i32> {
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
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => socket.set_only_v6(value.is_on()?),
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => socket.set_unicast_hops_v6(value.size()?),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => socket.set_tclass_v6(value.size()?),
        _ => return Err(libc::ENOPROTOOPT),
    };
    done.map_err(|error| socket_file::number(&error))
}

fn get(socket: &Socket, level: c_int, option: c_int) -> Result<Vec<u8>, i32> {
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
        (libc::IPPROTO_IP, libc::IP_TTL) => socket.ttl_v4().map(|ttl| flag(ttl as c_int)),
        (libc::IPPROTO_IP, libc::IP_TOS) => socket.tos_v4().map(|tos| flag(tos as c_int)),
        (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY) => socket.only_v6().map(flag),
        (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS) => {
            socket.unicast_hops_v6().map(|hops| flag(hops as c_int))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
            socket.tclass_v6().map(|class| flag(class as c_int))
        }
        _ => return Err(libc::ENOPROTOOPT),
    };
    answer.map_err(|error: io::Error| socket_file::number(&error))
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
