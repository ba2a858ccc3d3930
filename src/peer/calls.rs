//! Socket calls on the host of a wire.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::wire::Wire;
use crate::clock::Instant;
use crate::error::Errno;
use crate::host::TcpState;
use crate::net::socket::{Domain, Socket, Type};
use crate::task::{AbortHandle, Origin};

/// What [`Wire::read`] takes at once.
const MAX_READ: usize = 128 * 1024;

impl Wire {
    /// Calls `call` as if in a task of the host: where sockets are made, and may be dropped.
    ///
    /// ```
    /// use glassnet::net::socket::{Domain, Socket, Type};
    /// use glassnet::peer::Wire;
    ///
    /// let mut wire = Wire::new(7);
    /// let socket = wire.enter(|| Socket::new(Domain::IPV4, Type::STREAM, None))?;
    /// socket.set_tcp_nodelay(true)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn enter<R>(&mut self, call: impl FnOnce() -> R) -> R {
        let _running = self.clock().enter();
        self.scope().call(Origin::Called(Location::caller()), call)
    }

    /// Makes a call that does not wait: what sockets have as `async` is tried once.
    ///
    /// # Errors
    /// Those of the call; [`WouldBlock`](io::ErrorKind::WouldBlock) where it would wait. Then it is
    /// as if it had been cancelled, which for the calls of [`Socket`] loses nothing: a `connect` goes
    /// on.
    ///
    /// ```
    /// # use std::io::ErrorKind;
    /// # use glassnet::peer::Wire;
    /// # let mut wire = Wire::new(7);
    /// let listener = wire.listen("10.0.0.1:80".parse().unwrap(), 5)?;
    /// let nobody = wire.call(listener.accept());
    /// assert_eq!(nobody.unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn call<T>(&mut self, call: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        self.enter(|| match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(Errno::TryAgain.into()),
        })
    }

    /// Starts a call that may wait, as a thread of its own would make it: it goes on whenever time
    /// does, and ends at a moment that [`Call::ended_at`] tells. Any `async` code of the host can
    /// run so.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use std::time::Duration;
    /// # use glassnet::peer::Wire;
    /// # let mut wire = Wire::new(7);
    /// let listener = wire.listen("10.0.0.1:80".parse().unwrap(), 5)?;
    /// listener.set_nonblocking(false)?;
    /// listener.set_read_timeout(Some(Duration::from_millis(250)))?;
    /// let mut accepting = wire.start(async move { listener.accept().await.map(drop) });
    /// wire.advance(Duration::from_secs(1))?;
    /// assert_eq!(accepting.ended_at().unwrap().to_string(), "0.250000000s");
    /// assert_eq!(accepting.take().unwrap().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn start<T: 'static>(&mut self, call: impl Future<Output = T> + 'static) -> Call<T> {
        let ended = Rc::new(RefCell::new(Ended { at: None, result: None }));
        let (result, clock) = (ended.clone(), self.clock().clone());
        let task = self.scope().spawn(Origin::Called(Location::caller()), async move {
            let output = call.await;
            let mut ended = result.borrow_mut();
            ended.at = Some(Instant::from_nanos(clock.now()));
            ended.result = Some(output);
        });
        self.settle();
        Call { ended, task: task.abort_handle() }
    }

    // ---- The usual ones ---------------------------------------------------------------------

    /// A nonblocking stream socket with `SO_REUSEADDR`, bound to `at`, that listens: `backlog` + 1
    /// connections may complete before one is accepted.
    ///
    /// # Errors
    /// Those of [`Socket::bind`] and [`Socket::listen`].
    #[track_caller]
    pub fn listen(&mut self, at: SocketAddr, backlog: i32) -> io::Result<Socket> {
        let socket = self.socket(at, Type::STREAM)?;
        socket.set_reuse_address(true)?;
        self.enter(|| socket.bind(&at.into()).and_then(|()| socket.listen(backlog)))?;
        Ok(socket)
    }

    /// A nonblocking stream socket that connects to `to`: its SYN has left, or waits for a
    /// neighbour. [`Socket::connect`] tells what has become of it.
    ///
    /// # Errors
    /// Those of [`Socket::connect`], but EINPROGRESS.
    #[track_caller]
    pub fn connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        let socket = self.socket(to, Type::STREAM)?;
        // One that may wait is tried once.
        socket.set_nonblocking(false)?;
        match self.call(socket.connect(&to.into())) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => socket.set_nonblocking(true)?,
        }
        Ok(socket)
    }

    /// A nonblocking datagram socket of UDP, bound to `at`.
    ///
    /// # Errors
    /// Those of [`Socket::bind`].
    #[track_caller]
    pub fn bind_udp(&mut self, at: SocketAddr) -> io::Result<Socket> {
        let socket = self.socket(at, Type::DGRAM)?;
        self.enter(|| socket.bind(&at.into()))?;
        Ok(socket)
    }

    #[track_caller]
    fn socket(&mut self, address: SocketAddr, ty: Type) -> io::Result<Socket> {
        let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = self.enter(|| Socket::new(domain, ty, None))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// Accepts a connection, as a nonblocking socket.
    ///
    /// # Errors
    /// Those of [`Socket::accept`]; [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none.
    #[track_caller]
    pub fn accept(&mut self, listener: &Socket) -> io::Result<Socket> {
        let (socket, _) = self.call(listener.accept())?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    /// What has arrived, at most 128 KiB of a stream, or one datagram; of a stream, nothing is its
    /// end.
    ///
    /// # Errors
    /// Those of [`Socket::recv`]; [`WouldBlock`](io::ErrorKind::WouldBlock) when nothing is there.
    #[track_caller]
    pub fn read(&mut self, socket: &Socket) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; MAX_READ];
        let len = self.call(socket.recv(&mut buffer))?;
        buffer.truncate(len);
        Ok(buffer)
    }

    /// Sends to the peer that the socket is connected to; returns how many bytes were taken.
    ///
    /// # Errors
    /// Those of [`Socket::send`]; [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room.
    #[track_caller]
    pub fn write(&mut self, socket: &Socket, data: &[u8]) -> io::Result<usize> {
        self.call(socket.send(data))
    }

    /// Closes a socket, as dropping it does.
    #[track_caller]
    pub fn close(&mut self, socket: Socket) {
        self.enter(|| drop(socket));
    }

    /// The state of a TCP socket: LISTEN of a listener, CLOSED of one that is not connected, or is so
    /// no longer. `None` for another kind of socket. Connections that no socket holds any more are in
    /// [`netstat`](Wire::netstat).
    #[must_use]
    pub fn state(&self, socket: &Socket) -> Option<TcpState> {
        socket.tcp_state()
    }
}

struct Ended<T> {
    at: Option<Instant>,
    result: Option<T>,
}

/// A call that may wait: made by [`Wire::start`]. Dropping it lets the call go on.
pub struct Call<T> {
    ended: Rc<RefCell<Ended<T>>>,
    task: AbortHandle,
}

impl<T> Call<T> {
    /// When the call ended; `None` while it waits.
    #[must_use]
    pub fn ended_at(&self) -> Option<Instant> {
        self.ended.borrow().at
    }

    /// Takes what the call ended with; `None` while it waits, and when it was taken.
    pub fn take(&mut self) -> Option<T> {
        self.ended.borrow_mut().result.take()
    }

    /// Cancels the call, when the wire has its turn the next time.
    pub fn cancel(self) {
        self.task.abort();
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").field("ended_at", &self.ended_at()).finish_non_exhaustive()
    }
}
