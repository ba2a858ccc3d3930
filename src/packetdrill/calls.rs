//! The calls of scripts that make sockets, join them, and end them.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use super::arguments::{Arguments, family, field, integer};
use super::clock::Due;
use super::epoll::{self, Epoll, Polled};
use super::error::{Step, Stop};
use super::files::File;
use super::flow::{Flow, Phase, Transport};
use super::pending::{Detail, OptionValue, Reply, check_result};
use super::run::Run;
use super::script::{Expr, Syscall};
use super::symbols as sym;
use crate::error::Errno;
use crate::net::socket::{Domain, Protocol, Socket, Type};

impl Run<'_> {
    /// Makes a call.
    pub(super) fn call(&mut self, call: &Syscall, due: &Due, line: u32) -> Step {
        if sym::UNSUPPORTED_CALLS.contains(&call.name.as_str()) {
            return Stop::skipped(format!("{} is not simulated", call.name));
        }
        let arguments = Arguments(&call.arguments);
        match call.name.as_str() {
            "socket" => self.socket(call, arguments, due, line),
            "bind" | "listen" | "connect" | "accept" | "accept4" | "shutdown" | "close" => {
                self.connection_call(call, arguments, due, line)
            }
            "poll" | "epoll_create" | "epoll_create1" | "epoll_ctl" | "epoll_wait" => {
                self.poll_call(call, arguments, due, line)
            }
            "fcntl" | "ioctl" => self.control_call(call, arguments, due, line),
            "getsockopt" | "setsockopt" => self.option_call(call, arguments, due, line),
            _ => self.data_call(call, arguments, due, line),
        }
    }

    fn socket(&mut self, call: &Syscall, args: Arguments<'_>, due: &Due, line: u32) -> Step {
        args.expect_count(&[3])?;
        let domain = match args.get(0)? {
            Expr::Ellipsis => family(self.settings),
            other => integer(other)?,
        };
        let (kind, protocol) = (args.integer(1)?, args.integer(2)?);
        let nonblocking = kind & sym::SOCK_NONBLOCK != 0;
        let kind = kind & !(sym::SOCK_NONBLOCK | sym::SOCK_CLOEXEC);
        self.start(call, due, line, async move {
            let protocol = (protocol != 0).then(|| Protocol::from(protocol as i32));
            let made = Socket::new(Domain::from(domain as i32), Type::from(kind as i32), protocol);
            let made = made.and_then(|socket| {
                socket.set_nonblocking(nonblocking)?;
                Ok(socket)
            });
            match made {
                Ok(socket) => Reply::with(0, Detail::Socket(socket)),
                Err(error) => Reply::of(Err(error)),
            }
        })
    }

    fn connection_call(
        &mut self,
        call: &Syscall,
        args: Arguments<'_>,
        due: &Due,
        line: u32,
    ) -> Step {
        let fd = args.integer(0)?;
        if call.name == "close" {
            return self.close(call, fd, due, line);
        }
        let socket = self.files.socket(fd).map_err(Stop::Failed)?;
        match call.name.as_str() {
            "bind" => {
                args.expect_count(&[3])?;
                let address = args.address(1, self.settings.bind_address())?;
                self.start(
                    call,
                    due,
                    line,
                    async move { Reply::done(socket.bind(&address.into())) },
                )
            }
            "listen" => {
                args.expect_count(&[2])?;
                let backlog = args.integer(1)?.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                self.start(call, due, line, async move { Reply::done(socket.listen(backlog)) })
            }
            "connect" => {
                args.expect_count(&[3])?;
                if let Expr::Struct(fields) = args.get(1)?
                    && let Some(of) = field(fields, "sa_family")
                    && integer(of)? == sym::AF_UNSPEC
                {
                    return Stop::skipped("connect to AF_UNSPEC is not simulated");
                }
                let address = args.address(1, self.settings.connect_address())?;
                if let Some(flow) = self.flow_of(fd)
                    && flow.phase == Phase::New
                {
                    flow.phase = Phase::Connecting;
                    flow.remote = super::flow::on_wire(address);
                }
                self.start(call, due, line, async move {
                    Reply::done(socket.connect(&address.into()).await)
                })
            }
            "shutdown" => {
                args.expect_count(&[2])?;
                let how = match args.integer(1)? {
                    sym::SHUT_RD => Shutdown::Read,
                    sym::SHUT_WR => Shutdown::Write,
                    sym::SHUT_RDWR => Shutdown::Both,
                    other => return Stop::failed(format!("there is no way {other} to shut down")),
                };
                self.start(call, due, line, async move { Reply::done(socket.shutdown(how)) })
            }
            _ => {
                args.expect_count(&[3, 4])?;
                let flags = if call.name == "accept4" { args.integer(3)? } else { 0 };
                self.start(call, due, line, async move {
                    match socket.accept().await {
                        Ok((accepted, peer)) => {
                            let nonblocking = flags & sym::SOCK_NONBLOCK != 0;
                            match accepted.set_nonblocking(nonblocking) {
                                Ok(()) => Reply::with(0, Detail::Accepted(accepted, peer)),
                                Err(error) => Reply::of(Err(error)),
                            }
                        }
                        Err(error) => Reply::of(Err(error)),
                    }
                })
            }
        }
    }

    fn close(&mut self, call: &Syscall, fd: i64, due: &Due, line: u32) -> Step {
        let file = self.files.remove(fd).map_err(Stop::Failed)?;
        self.start(call, due, line, async move {
            match file {
                File::Socket(socket) => match Rc::try_unwrap(socket) {
                    Ok(socket) => socket.close().await,
                    // A call that blocks still has it.
                    Err(shared) => drop(shared),
                },
                File::Epoll(epoll) => drop(epoll),
            }
            Reply::of(Ok(0))
        })
    }

    fn poll_call(&mut self, call: &Syscall, args: Arguments<'_>, due: &Due, line: u32) -> Step {
        match call.name.as_str() {
            "poll" => {
                args.expect_count(&[3])?;
                let Expr::List(list) = args.get(0)? else {
                    return Stop::failed("poll wants [{fd=…}]");
                };
                let mut sockets = Vec::new();
                for element in list {
                    let Expr::Struct(fields) = element else {
                        return Stop::failed("poll wants {fd=…, events=…}");
                    };
                    let number = |name| field(fields, name).map_or(Ok(0), integer);
                    let socket = self.files.socket(number("fd")?).ok();
                    sockets.push(Polled { socket, events: number("events")?, revents: 0 });
                }
                if args.integer(1)? != sockets.len() as i64 {
                    return Stop::failed("nfds does not match the pollfd array");
                }
                let timeout = args.integer(2)?;
                self.start(call, due, line, async move {
                    let count = epoll::poll(&mut sockets, timeout).await;
                    let revents = sockets.iter().map(|polled| polled.revents).collect();
                    Reply::with(count, Detail::Polled(revents))
                })
            }
            "epoll_create" | "epoll_create1" => {
                self.start(call, due, line, async { Reply::of(Ok(0)) })
            }
            "epoll_ctl" => {
                args.expect_count(&[3, 4])?;
                let epoll = self.files.epoll(args.integer(0)?).map_err(Stop::Failed)?;
                let (operation, fd) = (args.integer(1)?, args.integer(2)?);
                let socket = self.files.socket(fd).map_err(Stop::Failed)?;
                let (events, data) = match args.0.get(3) {
                    Some(Expr::Struct(fields)) => epoll_event(fields)?,
                    _ => (0, 0),
                };
                let done = match operation {
                    sym::EPOLL_CTL_ADD => epoll.borrow_mut().add(fd, &socket, events, data),
                    sym::EPOLL_CTL_MOD => epoll.borrow_mut().change(fd, events, data),
                    sym::EPOLL_CTL_DEL => epoll.borrow_mut().remove(fd),
                    _ => Err(Errno::Invalid),
                };
                self.start(
                    call,
                    due,
                    line,
                    async move { Reply::done(done.map_err(io::Error::from)) },
                )
            }
            _ => {
                args.expect_count(&[4])?;
                let epoll = self.files.epoll(args.integer(0)?).map_err(Stop::Failed)?;
                let max = args.integer(2)?.clamp(0, 1 << 16) as usize;
                let timeout = args.integer(3)?;
                self.start(call, due, line, async move {
                    let events = epoll::wait(&epoll, max, timeout).await;
                    Reply::with(events.len() as i64, Detail::Events(events))
                })
            }
        }
    }

    fn control_call(&mut self, call: &Syscall, args: Arguments<'_>, due: &Due, line: u32) -> Step {
        args.expect_count(&[2, 3])?;
        let fd = args.integer(0)?;
        let socket = self.files.socket(fd).map_err(Stop::Failed)?;
        let command = args.integer(1)?;
        let reply = match (call.name.as_str(), command) {
            ("fcntl", sym::F_GETFL) => Reply::of(
                socket
                    .nonblocking()
                    .map(|nonblocking| sym::O_RDWR | if nonblocking { sym::O_NONBLOCK } else { 0 }),
            ),
            ("fcntl", sym::F_SETFL) => {
                let nonblocking = args.integer(2)? & sym::O_NONBLOCK != 0;
                Reply::done(socket.set_nonblocking(nonblocking))
            }
            ("ioctl", sym::SIOCINQ) => {
                let bytes = socket.recv_queue() as i64;
                Reply::with(0, Detail::Value(OptionValue::Integer(bytes)))
            }
            ("ioctl", sym::SIOCOUTQ) => {
                let bytes = self.send_queue(&socket);
                Reply::with(0, Detail::Value(OptionValue::Integer(bytes)))
            }
            _ => {
                let name = &call.name;
                return Stop::skipped(format!("{name} with command {command:#x} is not simulated"));
            }
        };
        self.start(call, due, line, async move { reply })
    }

    /// Bytes that were written and are not acknowledged.
    fn send_queue(&self, socket: &Socket) -> i64 {
        let ends = (socket.local_addr().ok(), socket.peer_addr().ok());
        let netstat = self.wire.netstat();
        let status = netstat.iter().find(|status| {
            let of = |address: Option<crate::net::socket::SockAddr>| address?.as_socket();
            let local = of(ends.0.clone()).map(super::flow::on_wire);
            let peer = of(ends.1.clone()).map(super::flow::on_wire);
            status.local.addr() == local
                && status.remote.as_ref().and_then(|end| end.addr()) == peer
        });
        status.map_or(0, |status| status.send_queue as i64)
    }

    /// What a call has ended with is compared, and takes effect.
    pub(super) fn finish(&mut self, call: &Syscall, reply: Reply) -> Step {
        let Reply { result, detail } = reply;
        let expected = integer(&call.result)?;
        let makes_descriptor = matches!(
            call.name.as_str(),
            "socket" | "accept" | "accept4" | "epoll_create" | "epoll_create1"
        );
        let result = check_result(expected, call.errno.as_deref(), &result, makes_descriptor)?;
        if result.is_none() {
            return Ok(());
        }
        let args = Arguments(&call.arguments);
        if call.name == "listen"
            && let Some(flow) = self.flow_of(args.integer(0)?)
        {
            flow.phase = Phase::Listening;
        }
        if call.name.starts_with("epoll_create") {
            let epoll = Rc::new(RefCell::new(Epoll::default()));
            return self.files.add(expected, File::Epoll(epoll)).map_err(Stop::Failed);
        }
        match detail {
            Detail::None => Ok(()),
            Detail::Socket(socket) => {
                let transport = match socket.r#type() {
                    Ok(Type::STREAM) => Transport::Tcp,
                    _ if socket.protocol().is_ok_and(|protocol| {
                        protocol.is_some_and(|protocol| protocol != Protocol::UDP)
                    }) =>
                    {
                        Transport::Icmp
                    }
                    _ => Transport::Udp,
                };
                let file = File::Socket(Rc::new(socket));
                self.files.add(expected, file).map_err(Stop::Failed)?;
                let remote = super::flow::on_wire(self.settings.connect_address());
                self.add_flow(Flow::new(transport, Some(expected), remote));
                Ok(())
            }
            Detail::Accepted(socket, peer) => {
                let file = File::Socket(Rc::new(socket));
                self.files.add(expected, file).map_err(Stop::Failed)?;
                if let Some(peer) = peer.as_socket() {
                    self.accepted(expected, super::flow::on_wire(peer));
                }
                Ok(())
            }
            Detail::Value(value) => check_value(call, args, &value),
            Detail::Polled(revents) => check_polled(args, &revents),
            Detail::Events(events) => check_events(args, &events),
            Detail::Flags(flags) => check_flags(args, flags),
        }
    }
}

/// Events and data of `{events=…, fd=…}`.
fn epoll_event(fields: &[(String, Expr)]) -> Step<(i64, u64)> {
    let events = field(fields, "events").map_or(Ok(0), integer)?;
    let data = ["fd", "u32", "u64", "ptr"].iter().find_map(|name| field(fields, name));
    Ok((events, data.map_or(Ok(0), integer)?.cast_unsigned()))
}

fn check_value(call: &Syscall, args: Arguments<'_>, value: &OptionValue) -> Step {
    let at = if call.name == "ioctl" { 2 } else { 3 };
    if at == 2 && args.0.len() < 3 {
        return Ok(());
    }
    let expected = match args.get(at)? {
        Expr::Text(text) => OptionValue::Text(super::arguments::unescaped(text)?),
        Expr::Struct(fields) => OptionValue::Linger {
            onoff: field(fields, "onoff").map_or(Ok(0), integer)?,
            linger: field(fields, "linger").map_or(Ok(0), integer)?,
        },
        _ => OptionValue::Integer(args.bracketed(at)?),
    };
    // Both are 32 bits wide.
    let is_same = match (&expected, value) {
        (OptionValue::Integer(expected), OptionValue::Integer(actual)) => {
            *expected as u32 == *actual as u32
        }
        (OptionValue::Text(expected), OptionValue::Text(actual)) => {
            let end = |text: &[u8]| text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            expected[..end(expected)] == actual[..end(actual)]
        }
        _ => expected == *value,
    };
    match is_same {
        true => Ok(()),
        false => {
            let name = &call.name;
            let (expected, actual) = (shown(&expected), shown(value));
            Stop::failed(format!("Bad {name} optval: expected: {expected} actual: {actual}"))
        }
    }
}

fn shown(value: &OptionValue) -> String {
    match value {
        OptionValue::Integer(value) => value.to_string(),
        OptionValue::Text(text) => format!("'{}'", text.escape_ascii()),
        OptionValue::Linger { onoff, linger } => format!("{{onoff={onoff}, linger={linger}}}"),
    }
}

fn check_polled(args: Arguments<'_>, revents: &[i64]) -> Step {
    let Expr::List(list) = args.get(0)? else { return Ok(()) };
    for (element, actual) in list.iter().zip(revents) {
        let Expr::Struct(fields) = element else { continue };
        let expected = field(fields, "revents").map_or(Ok(0), integer)?;
        if expected != *actual {
            return Stop::failed(format!(
                "Expected revents {expected:#x} but got revents {actual:#x}"
            ));
        }
    }
    Ok(())
}

fn check_events(args: Arguments<'_>, events: &[(i64, u64)]) -> Step {
    let expected = match args.get(1)? {
        Expr::Struct(fields) => vec![epoll_event(fields)?],
        Expr::List(list) => {
            let each = list.iter().filter_map(|element| match element {
                Expr::Struct(fields) => Some(epoll_event(fields)),
                _ => None,
            });
            each.collect::<Step<Vec<_>>>()?
        }
        _ => return Ok(()),
    };
    for ((expected, _), (actual, _)) in expected.iter().zip(events) {
        if expected != actual {
            return Stop::failed(format!(
                "Expected events {expected:#x} but got events {actual:#x}"
            ));
        }
    }
    Ok(())
}

fn check_flags(args: Arguments<'_>, actual: i64) -> Step {
    let Expr::Struct(fields) = args.get(1)? else { return Ok(()) };
    let expected = field(fields, "msg_flags").map_or(Ok(0), integer)?;
    match expected == actual {
        true => Ok(()),
        false => Stop::failed(format!("Expected msg_flags {expected:#x} but got {actual:#x}")),
    }
}
