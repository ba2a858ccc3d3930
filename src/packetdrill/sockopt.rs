//! `getsockopt` and `setsockopt`.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::arguments::{Arguments, field, integer, unescaped};
use super::clock::Due;
use super::error::{Step, Stop};
use super::pending::{Detail, OptionValue, Reply, errno};
use super::run::Run;
use super::script::{Expr, Syscall};
use super::symbols as sym;
use crate::net::socket::{Socket, TcpKeepalive};

impl Run<'_> {
    pub(super) fn option_call(
        &mut self,
        call: &Syscall,
        args: Arguments<'_>,
        due: &Due,
        line: u32,
    ) -> Step {
        args.expect_count(&[5])?;
        let socket = self.files.socket(args.integer(0)?).map_err(Stop::Failed)?;
        let (level, option) = (args.integer(1)?, args.integer(2)?);
        let name = option_name(args);
        let reply = if call.name == "getsockopt" {
            self.wire.enter(|| get(&socket, level, option))
        } else {
            let value = value(args)?;
            self.wire.enter(|| set(&socket, level, option, &value))
        };
        let reply = reply.ok_or_else(|| Stop::Skipped(format!("{name} is not simulated")))?;
        self.start(call, due, line, async move { reply })
    }
}

fn option_name(args: Arguments<'_>) -> String {
    match args.get(2) {
        Ok(Expr::Word(name)) => name.clone(),
        _ => "the option".to_owned(),
    }
}

fn value(args: Arguments<'_>) -> Step<OptionValue> {
    Ok(match args.get(3)? {
        Expr::Text(text) => OptionValue::Text(unescaped(text)?),
        Expr::Struct(fields) => {
            let (Some(onoff), Some(linger)) = (field(fields, "onoff"), field(fields, "linger"))
            else {
                return Stop::failed("a structure of an option is {onoff=…, linger=…}");
            };
            OptionValue::Linger { onoff: integer(onoff)?, linger: integer(linger)? }
        }
        _ => OptionValue::Integer(args.bracketed(3)?),
    })
}

/// Sets an option; `None` for one that sockets do not have here.
fn set(socket: &Rc<Socket>, level: i64, option: i64, value: &OptionValue) -> Option<Reply> {
    let number = match value {
        OptionValue::Integer(number) => *number,
        OptionValue::Linger { onoff, linger } => {
            if (level, option) != (sym::SOL_SOCKET, sym::SO_LINGER) {
                return None;
            }
            let seconds = Duration::from_secs((*linger).clamp(0, i32::MAX.into()) as u64);
            return Some(Reply::done(socket.set_linger((*onoff != 0).then_some(seconds))));
        }
        OptionValue::Text(text) => {
            if (level, option) != (sym::SOL_TCP, sym::TCP_CONGESTION) {
                return None;
            }
            return Some(Reply::done(socket.set_tcp_congestion(text)));
        }
    };
    let is_on = number != 0;
    let whole = number.clamp(0, u32::MAX.into()) as u32;
    let seconds = Duration::from_secs(whole.into());
    let done = match (level, option) {
        (sym::SOL_SOCKET, sym::SO_REUSEADDR) => socket.set_reuse_address(is_on),
        (sym::SOL_SOCKET, sym::SO_REUSEPORT) => socket.set_reuse_port(is_on),
        (sym::SOL_SOCKET, sym::SO_BROADCAST) => socket.set_broadcast(is_on),
        (sym::SOL_SOCKET, sym::SO_KEEPALIVE) => socket.set_keepalive(is_on),
        (sym::SOL_SOCKET, sym::SO_RCVBUF) => socket.set_recv_buffer_size(whole as usize),
        (sym::SOL_SOCKET, sym::SO_SNDBUF) => socket.set_send_buffer_size(whole as usize),
        (sym::SOL_IP, sym::IP_TTL) => socket.set_ttl_v4(whole),
        (sym::SOL_IP, sym::IP_TOS) => socket.set_tos_v4(whole),
        (sym::SOL_IP, sym::IP_RECVERR) => socket.set_recv_errors(is_on),
        (sym::SOL_IPV6, sym::IPV6_V6ONLY) => socket.set_only_v6(is_on),
        (sym::SOL_IPV6, sym::IPV6_UNICAST_HOPS) => socket.set_unicast_hops_v6(whole),
        (sym::SOL_IPV6, sym::IPV6_TCLASS) => socket.set_tclass_v6(whole),
        (sym::SOL_TCP, sym::TCP_NODELAY) => socket.set_tcp_nodelay(is_on),
        (sym::SOL_TCP, sym::TCP_QUICKACK) => socket.set_tcp_quickack(is_on),
        (sym::SOL_TCP, sym::TCP_USER_TIMEOUT) => {
            let timeout = Duration::from_millis(whole.into());
            socket.set_tcp_user_timeout((!timeout.is_zero()).then_some(timeout))
        }
        (sym::SOL_TCP, sym::TCP_KEEPIDLE) => {
            keep_alive(socket, &TcpKeepalive::new().with_time(seconds))
        }
        (sym::SOL_TCP, sym::TCP_KEEPINTVL) => {
            keep_alive(socket, &TcpKeepalive::new().with_interval(seconds))
        }
        (sym::SOL_TCP, sym::TCP_KEEPCNT) => {
            keep_alive(socket, &TcpKeepalive::new().with_retries(whole))
        }
        _ => return None,
    };
    Some(Reply::done(done))
}

/// Sets a parameter of keep-alive, which stays on or off as it was.
fn keep_alive(socket: &Socket, parameter: &TcpKeepalive) -> io::Result<()> {
    let is_on = socket.keepalive()?;
    socket.set_tcp_keepalive(parameter)?;
    socket.set_keepalive(is_on)
}

/// Reads an option; `None` for one that sockets do not have here.
fn get(socket: &Rc<Socket>, level: i64, option: i64) -> Option<Reply> {
    let flag = |on: bool| OptionValue::Integer(on.into());
    let number = |number: u32| OptionValue::Integer(number.into());
    let size = |size: usize| OptionValue::Integer(size as i64);
    let seconds = |time: Duration| OptionValue::Integer(time.as_secs() as i64);
    let value = match (level, option) {
        (sym::SOL_SOCKET, sym::SO_ERROR) => socket
            .take_error()
            .map(|error| OptionValue::Integer(error.map_or(0, |error| errno(&error).into()))),
        (sym::SOL_SOCKET, sym::SO_TYPE) => {
            socket.r#type().map(|kind| OptionValue::Integer(i32::from(kind).into()))
        }
        (sym::SOL_SOCKET, sym::SO_DOMAIN) => {
            socket.domain().map(|domain| OptionValue::Integer(i32::from(domain).into()))
        }
        (sym::SOL_SOCKET, sym::SO_ACCEPTCONN) => Ok(flag(socket.is_listening())),
        (sym::SOL_SOCKET, sym::SO_REUSEADDR) => socket.reuse_address().map(flag),
        (sym::SOL_SOCKET, sym::SO_REUSEPORT) => socket.reuse_port().map(flag),
        (sym::SOL_SOCKET, sym::SO_BROADCAST) => socket.broadcast().map(flag),
        (sym::SOL_SOCKET, sym::SO_KEEPALIVE) => socket.keepalive().map(flag),
        (sym::SOL_SOCKET, sym::SO_RCVBUF) => socket.recv_buffer_size().map(size),
        (sym::SOL_SOCKET, sym::SO_SNDBUF) => socket.send_buffer_size().map(size),
        (sym::SOL_SOCKET, sym::SO_LINGER) => socket.linger().map(|time| OptionValue::Linger {
            onoff: time.is_some().into(),
            linger: time.map_or(0, |time| time.as_secs() as i64),
        }),
        (sym::SOL_IP, sym::IP_TTL) => socket.ttl_v4().map(number),
        (sym::SOL_IP, sym::IP_TOS) => socket.tos_v4().map(number),
        (sym::SOL_IPV6, sym::IPV6_V6ONLY) => socket.only_v6().map(flag),
        (sym::SOL_IPV6, sym::IPV6_UNICAST_HOPS) => socket.unicast_hops_v6().map(number),
        (sym::SOL_IPV6, sym::IPV6_TCLASS) => socket.tclass_v6().map(number),
        (sym::SOL_TCP, sym::TCP_NODELAY) => socket.tcp_nodelay().map(flag),
        (sym::SOL_TCP, sym::TCP_QUICKACK) => socket.tcp_quickack().map(flag),
        (sym::SOL_TCP, sym::TCP_KEEPIDLE) => socket.tcp_keepalive_time().map(seconds),
        (sym::SOL_TCP, sym::TCP_KEEPINTVL) => socket.tcp_keepalive_interval().map(seconds),
        (sym::SOL_TCP, sym::TCP_KEEPCNT) => socket.tcp_keepalive_retries().map(number),
        (sym::SOL_TCP, sym::TCP_USER_TIMEOUT) => socket
            .tcp_user_timeout()
            .map(|time| OptionValue::Integer(time.map_or(0, |time| time.as_millis() as i64))),
        (sym::SOL_TCP, sym::TCP_CONGESTION) => socket.tcp_congestion().map(OptionValue::Text),
        _ => return None,
    };
    Some(match value {
        Ok(value) => Reply::with(0, Detail::Value(value)),
        Err(error) => Reply::of(Err(error)),
    })
}
