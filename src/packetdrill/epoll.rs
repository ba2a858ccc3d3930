//! `poll(2)` and `epoll(7)` over the sockets of a script.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::Ready;

use super::symbols::{
    EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLRDHUP, POLLERR, POLLHUP,
    POLLNVAL,
};
use crate::error::Errno;
use crate::net::socket::Socket;
use crate::time::timeout;

/// What a socket is ready for, in the bits that `poll` and `epoll` share.
fn readiness(socket: &Socket) -> i64 {
    let ready = socket.readiness();
    let mut bits = 0;
    if ready.is_readable() || ready.is_read_closed() {
        bits |= EPOLLIN;
    }
    if ready.is_read_closed() {
        bits |= EPOLLRDHUP;
    }
    if ready.is_writable() || ready.is_write_closed() {
        bits |= EPOLLOUT;
    }
    if ready.is_write_closed() && ready.is_read_closed() {
        bits |= EPOLLHUP;
    }
    if ready & Ready::ERROR == Ready::ERROR {
        bits |= EPOLLERR;
    }
    bits
}

/// A socket, the events that are asked for, and those that are there.
pub(super) struct Polled {
    pub(super) socket: Option<Rc<Socket>>,
    pub(super) events: i64,
    pub(super) revents: i64,
}

/// `poll(2)`: how many of them are ready. A negative timeout is none.
pub(super) async fn poll(sockets: &mut [Polled], milliseconds: i64) -> i64 {
    let ready = poll_fn(|cx| {
        let mut count = 0;
        for polled in &mut *sockets {
            polled.revents = match &polled.socket {
                None => POLLNVAL,
                Some(socket) => readiness(socket) & (polled.events | POLLERR | POLLHUP),
            };
            count += i64::from(polled.revents != 0);
        }
        if count > 0 || milliseconds == 0 {
            return Poll::Ready(count);
        }
        for polled in &*sockets {
            if let Some(socket) = &polled.socket {
                socket.wait_for_readiness(true, polled.events & EPOLLOUT != 0, cx.waker());
            }
        }
        Poll::Pending
    });
    within(milliseconds, ready).await.unwrap_or(0)
}

async fn within<T>(milliseconds: i64, waiting: impl Future<Output = T>) -> Option<T> {
    match u64::try_from(milliseconds) {
        Err(_) => Some(waiting.await),
        Ok(milliseconds) => timeout(Duration::from_millis(milliseconds), waiting).await.ok(),
    }
}

/// An epoll instance.
#[derive(Default)]
pub(super) struct Epoll {
    members: BTreeMap<i64, Member>,
}

struct Member {
    socket: Weak<Socket>,
    events: i64,
    data: u64,
    /// Whether something has happened since it was last reported.
    edge: Arc<Edge>,
}

struct Edge(AtomicBool);

impl Wake for Edge {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Epoll {
    /// `EPOLL_CTL_ADD`
    pub(super) fn add(
        &mut self,
        fd: i64,
        socket: &Rc<Socket>,
        events: i64,
        data: u64,
    ) -> Result<(), Errno> {
        if self.members.contains_key(&fd) {
            return Err(Errno::Exists);
        }
        let edge = Arc::new(Edge(AtomicBool::new(true)));
        self.members.insert(fd, Member { socket: Rc::downgrade(socket), events, data, edge });
        Ok(())
    }

    /// `EPOLL_CTL_MOD`
    pub(super) fn change(&mut self, fd: i64, events: i64, data: u64) -> Result<(), Errno> {
        let member = self.members.get_mut(&fd).ok_or(Errno::NoEntry)?;
        (member.events, member.data) = (events, data);
        member.edge.0.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// `EPOLL_CTL_DEL`
    pub(super) fn remove(&mut self, fd: i64) -> Result<(), Errno> {
        self.members.remove(&fd).map(drop).ok_or(Errno::NoEntry)
    }

    /// A descriptor was closed.
    pub(super) fn forget(&mut self, fd: i64) {
        self.members.remove(&fd);
    }

    /// The events that are there, at most `max`, each with its data.
    fn collect(&mut self, max: usize) -> Vec<(i64, u64)> {
        let mut found = Vec::new();
        for member in self.members.values_mut() {
            let Some(socket) = member.socket.upgrade().filter(|_| found.len() < max) else {
                continue;
            };
            let is_edge = member.events & EPOLLET != 0;
            if is_edge && !member.edge.0.swap(false, Ordering::Relaxed) {
                continue;
            }
            let asked = member.events & !(EPOLLET | EPOLLONESHOT);
            if is_edge {
                let waker = Waker::from(member.edge.clone());
                socket.wait_for_readiness(true, asked & EPOLLOUT != 0, &waker);
            }
            if asked == 0 && member.events & EPOLLONESHOT != 0 {
                continue;
            }
            let events = readiness(&socket) & (asked | EPOLLERR | EPOLLHUP);
            if events == 0 {
                continue;
            }
            found.push((events, member.data));
            if member.events & EPOLLONESHOT != 0 {
                member.events = EPOLLONESHOT;
            }
        }
        found
    }

    fn wait_for(&self, waker: &Waker) {
        for member in self.members.values() {
            if let Some(socket) = member.socket.upgrade() {
                socket.wait_for_readiness(true, member.events & EPOLLOUT != 0, waker);
            }
        }
    }
}

/// `epoll_wait(2)`
pub(super) async fn wait(
    epoll: &Rc<std::cell::RefCell<Epoll>>,
    max: usize,
    milliseconds: i64,
) -> Vec<(i64, u64)> {
    let ready = poll_fn(|cx| {
        let events = epoll.borrow_mut().collect(max);
        if !events.is_empty() || milliseconds == 0 {
            return Poll::Ready(events);
        }
        epoll.borrow().wait_for(cx.waker());
        Poll::Pending
    });
    within(milliseconds, ready).await.unwrap_or_default()
}
