//! What a descriptor of a world stands for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use super::epoll::{Epoll, Registration, Watched};
use super::event_counter::EventCounter;
use super::socket_file::SocketFile;
use super::timer_file::TimerFile;

/// An open file description: what `dup(2)` shares.
pub(super) struct File {
    pub(super) kind: Kind,
    /// `O_NONBLOCK`.
    nonblocking: AtomicBool,
}

pub(super) enum Kind {
    Socket(SocketFile),
    Epoll(Epoll),
    Event(EventCounter),
    Timer(TimerFile),
}

impl File {
    pub(super) fn new(kind: Kind, nonblocking: bool) -> Arc<File> {
        Arc::new(File { kind, nonblocking: AtomicBool::new(nonblocking) })
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Ordering::Relaxed)
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    /// Has a waker called once when the file may have become ready for `events`.
    pub(super) fn wake_when_ready(&self, events: u32, waker: &Waker) {
        match &self.kind {
            Kind::Socket(socket) => socket.wait_for(events, waker),
            Kind::Timer(timer) => {
                timer.watchers.add_waker(waker);
                timer.wait_for(waker);
            }
            Kind::Event(counter) => counter.watchers.add_waker(waker),
            Kind::Epoll(epoll) => epoll.set_owner(waker),
        }
    }
}

impl Watched for File {
    fn readiness(&self) -> u32 {
        match &self.kind {
            Kind::Socket(socket) => socket.readiness(),
            Kind::Epoll(epoll) if epoll.has_ready() => libc::EPOLLIN as u32,
            Kind::Epoll(_) => 0,
            Kind::Event(counter) => counter.readiness(),
            Kind::Timer(timer) => timer.readiness(),
        }
    }

    fn watch(&self, registration: &Arc<Registration>) {
        match &self.kind {
            Kind::Socket(socket) => socket.watchers.add(registration),
            Kind::Epoll(epoll) => epoll.set_owner(&registration.clone().into()),
            Kind::Event(counter) => counter.watchers.add(registration),
            Kind::Timer(timer) => timer.watchers.add(registration),
        }
    }

    fn wait_for(&self, events: u32, registration: &Arc<Registration>) {
        match &self.kind {
            Kind::Socket(socket) => socket.wait_for(events, &registration.clone().into()),
            Kind::Timer(timer) => timer.wait_for(&registration.clone().into()),
            // These tell whoever watches them, whenever they change.
            Kind::Epoll(_) | Kind::Event(_) => {}
        }
    }
}
