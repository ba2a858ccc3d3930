//! The calls of scripts that move data.

use std::rc::Rc;

use super::arguments::{Arguments, field, integer, iov_len, vector_len};
use super::clock::Due;
use super::error::{Step, Stop};
use super::flow::{Phase, Transport};
use super::pending::{Detail, Reply};
use super::run::Run;
use super::script::{Expr, Syscall};
use super::symbols as sym;
use crate::error::Errno;
use crate::net::socket::{SockAddr, Socket, Type};

/// Flags that change nothing here.
const MEANINGLESS: i64 = sym::MSG_NOSIGNAL | sym::MSG_TRUNC;

impl Run<'_> {
    pub(super) fn data_call(
        &mut self,
        call: &Syscall,
        args: Arguments<'_>,
        due: &Due,
        line: u32,
    ) -> Step {
        let socket = self.files.socket(args.integer(0)?).map_err(Stop::Failed)?;
        let name = call.name.as_str();
        match name {
            "write" | "writev" | "send" | "sendto" | "sendmsg" => {
                self.send_call(call, args, socket, due, line)
            }
            _ => self.receive_call(call, args, socket, due, line),
        }
    }

    fn send_call(
        &mut self,
        call: &Syscall,
        args: Arguments<'_>,
        socket: Rc<Socket>,
        due: &Due,
        line: u32,
    ) -> Step {
        let (data, flags, to) = self.what_to_send(call, args)?;
        self.writes_text |= data.iter().any(|byte| *byte != 0);
        check_send_flags(flags)?;
        if let Some(flow) = self.flow_of(args.integer(0)?)
            && flow.phase == Phase::New
            && flow.transport != Transport::Tcp
        {
            flow.phase = Phase::Connecting;
        }
        let dont_wait = flags & sym::MSG_DONTWAIT != 0;
        let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
        self.start(call, due, line, async move {
            if flags & sym::MSG_OOB != 0 {
                return Reply::of(Err(Errno::OperationNotSupported.into()));
            }
            let waits = !dont_wait && socket.nonblocking().is_ok_and(|nonblocking| !nonblocking);
            let mut sent = 0;
            loop {
                let rest = &data[sent..];
                let result = match &to {
                    Some(to) => unless_waiting(&socket, dont_wait, socket.send_to(rest, to)).await,
                    None => unless_waiting(&socket, dont_wait, socket.send(rest)).await,
                };
                match result {
                    Ok(count) => sent += count,
                    Err(error) if sent == 0 => return Reply::of(Err(error)),
                    Err(_) => return Reply::of(Ok(sent as i64)),
                }
                if !is_stream || !waits || sent >= data.len() {
                    return Reply::of(Ok(sent as i64));
                }
            }
        })
    }

    /// The bytes, the flags and the address of a call that sends.
    fn what_to_send(
        &self,
        call: &Syscall,
        args: Arguments<'_>,
    ) -> Step<(Vec<u8>, i64, Option<SockAddr>)> {
        let zeros = |len| Ok(vec![0; super::arguments::buffer_len(len)?]);
        match call.name.as_str() {
            "write" => {
                args.expect_count(&[3])?;
                Ok((args.data(1, args.integer(2)?)?, 0, None))
            }
            "writev" => {
                args.expect_count(&[3])?;
                let Expr::List(list) = args.get(1)? else {
                    return Stop::failed("writev wants [{..., LENGTH}]");
                };
                Ok((zeros(vector_len(list)?)?, 0, None))
            }
            "send" => {
                args.expect_count(&[4])?;
                Ok((args.data(1, args.integer(2)?)?, args.integer(3)?, None))
            }
            "sendto" => {
                args.expect_count(&[6])?;
                let flags = args.integer(3)?;
                check_send_flags(flags)?;
                let to = args.address(4, self.settings.connect_address())?;
                Ok((args.data(1, args.integer(2)?)?, flags, Some(to.into())))
            }
            _ => {
                args.expect_count(&[3])?;
                let Expr::Struct(fields) = args.get(1)? else {
                    return Stop::failed("sendmsg wants {msg_name(...)=..., msg_iov(…)=…}");
                };
                if has_control(fields) {
                    return Stop::skipped("msg_control of sendmsg is not simulated");
                }
                Ok((zeros(iov_len(fields)?)?, args.integer(2)?, None))
            }
        }
    }

    fn receive_call(
        &mut self,
        call: &Syscall,
        args: Arguments<'_>,
        socket: Rc<Socket>,
        due: &Due,
        line: u32,
    ) -> Step {
        let (mut buffer, flags) = match call.name.as_str() {
            "read" => {
                args.expect_count(&[3])?;
                (args.buffer(1, args.integer(2)?)?, 0)
            }
            "readv" => {
                let Expr::List(list) = args.get(1)? else {
                    return Stop::failed("readv wants [{..., LENGTH}]");
                };
                (vec![0; super::arguments::buffer_len(vector_len(list)?)?], 0)
            }
            "recv" | "recvfrom" => {
                args.expect_count(&[4, 6])?;
                (args.buffer(1, args.integer(2)?)?, args.integer(3)?)
            }
            _ => {
                args.expect_count(&[3])?;
                let Expr::Struct(fields) = args.get(1)? else {
                    return Stop::failed("recvmsg wants {msg_name(...)=..., msg_iov(…)=…}");
                };
                if has_control(fields) {
                    return Stop::skipped("msg_control of recvmsg is not simulated");
                }
                (vec![0; super::arguments::buffer_len(iov_len(fields)?)?], args.integer(2)?)
            }
        };
        let known = sym::MSG_PEEK | sym::MSG_DONTWAIT | sym::MSG_WAITALL | MEANINGLESS;
        if flags & !known != 0 {
            return Stop::skipped(format!("flags {:#x} of recv are not simulated", flags & !known));
        }
        let wants_flags = call.name == "recvmsg";
        self.start(call, due, line, async move {
            let dont_wait = flags & sym::MSG_DONTWAIT != 0;
            let peeks = flags & sym::MSG_PEEK != 0;
            let waits_for_all = flags & sym::MSG_WAITALL != 0 && !dont_wait && !peeks;
            let mut received = 0;
            loop {
                let rest = &mut buffer[received..];
                let result = match peeks {
                    true => unless_waiting(&socket, dont_wait, socket.peek(rest)).await,
                    false => unless_waiting(&socket, dont_wait, socket.recv(rest)).await,
                };
                let is_over = match result {
                    Ok(count) => {
                        received += count;
                        count == 0
                    }
                    Err(error) if received == 0 => return Reply::of(Err(error)),
                    Err(_) => true,
                };
                if is_over || !waits_for_all || received == buffer.len() {
                    let detail = if wants_flags { Detail::Flags(0) } else { Detail::None };
                    return Reply::with(received as i64, detail);
                }
            }
        })
    }
}

/// A call, tried once if it may not wait.
async fn unless_waiting<T>(
    socket: &Socket,
    dont_wait: bool,
    call: impl Future<Output = std::io::Result<T>>,
) -> std::io::Result<T> {
    if !dont_wait || socket.nonblocking()? {
        return call.await;
    }
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match call.as_mut().poll(cx) {
            std::task::Poll::Ready(result) => result,
            std::task::Poll::Pending => Err(Errno::TryAgain.into()),
        })
    })
    .await
}

fn check_send_flags(flags: i64) -> Step {
    if flags & sym::MSG_FASTOPEN != 0 {
        return Stop::skipped("TCP Fast Open is not simulated");
    }
    if flags & sym::MSG_ZEROCOPY != 0 {
        return Stop::skipped("MSG_ZEROCOPY is not simulated");
    }
    let known = sym::MSG_DONTWAIT | sym::MSG_OOB | MEANINGLESS;
    match flags & !known {
        0 => Ok(()),
        sym::MSG_MORE => Stop::skipped("MSG_MORE is not simulated"),
        sym::MSG_EOR => Stop::skipped("MSG_EOR is not simulated"),
        other => Stop::skipped(format!("flags {other:#x} of send are not simulated")),
    }
}

fn has_control(fields: &[(String, Expr)]) -> bool {
    match field(fields, "msg_control") {
        None => false,
        Some(Expr::List(list)) => !list.is_empty(),
        Some(other) => integer(other).is_ok_and(|pointer| pointer != 0),
    }
}
