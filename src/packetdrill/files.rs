//! The descriptors of a script.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::epoll::Epoll;
use crate::net::socket::Socket;

/// What a script has open.
#[derive(Default)]
pub(super) struct Files {
    open: BTreeMap<i64, File>,
}

#[derive(Clone)]
pub(super) enum File {
    Socket(Rc<Socket>),
    Epoll(Rc<RefCell<Epoll>>),
}

impl Files {
    pub(super) fn get(&self, fd: i64) -> Result<File, String> {
        let file = self.open.get(&fd).cloned();
        file.ok_or_else(|| format!("unable to find socket with script fd {fd}"))
    }

    pub(super) fn socket(&self, fd: i64) -> Result<Rc<Socket>, String> {
        match self.get(fd)? {
            File::Socket(socket) => Ok(socket),
            File::Epoll(_) => Err(format!("script fd {fd} is no socket")),
        }
    }

    pub(super) fn epoll(&self, fd: i64) -> Result<Rc<RefCell<Epoll>>, String> {
        match self.get(fd)? {
            File::Epoll(epoll) => Ok(epoll),
            File::Socket(_) => Err(format!("script fd {fd} is no epoll instance")),
        }
    }

    /// A descriptor that the script names. One that is open may not be named again.
    pub(super) fn add(&mut self, fd: i64, file: File) -> Result<(), String> {
        if fd < 0 {
            return Err(format!("invalid fd {fd} in script"));
        }
        match self.open.insert(fd, file) {
            None => Ok(()),
            Some(_) => Err(format!("duplicate fd {fd} in script")),
        }
    }

    pub(super) fn remove(&mut self, fd: i64) -> Result<File, String> {
        for file in self.open.values() {
            if let File::Epoll(epoll) = file {
                epoll.borrow_mut().forget(fd);
            }
        }
        let removed = self.open.remove(&fd);
        removed.ok_or_else(|| format!("unable to find fd with script fd {fd}"))
    }
}
