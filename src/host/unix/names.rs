//! The names of a host's sockets: paths and abstract names (`unix(7)`).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;

use super::id::{UnixId, UnixKind};
use crate::error::Errno;

/// How many names a host has at most, those of closed sockets included; `bind` fails with ENOSPC
/// beyond them, as on a full file system.
pub(crate) const MAX_NAMES: usize = 1 << 16;

/// The name that a socket is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnixName {
    Path(Arc<OsStr>),
    Abstract(Arc<[u8]>),
}

/// The spelling of `ss(8)`: an abstract name begins with `@`.
impl fmt::Display for UnixName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixName::Path(path) => write!(formatter, "{}", path.display()),
            UnixName::Abstract(name) => write!(formatter, "@{}", name.escape_ascii()),
        }
    }
}

/// Which socket has which name.
#[derive(Default)]
pub(super) struct Names {
    /// `None` is what a closed socket leaves behind: the file stays until it is unlinked.
    paths: BTreeMap<Arc<OsStr>, Option<UnixId>>,
    /// Linux keeps the abstract names of each type apart.
    abstracts: BTreeMap<(UnixKind, Arc<[u8]>), UnixId>,
    next_auto: u32,
}

impl Names {
    pub(super) fn bind(
        &mut self,
        kind: UnixKind,
        name: &UnixName,
        id: UnixId,
    ) -> Result<(), Errno> {
        if self.is_taken(kind, name) {
            return Err(Errno::AddrInUse);
        }
        self.check_room()?;
        match name {
            UnixName::Path(path) => {
                self.paths.insert(path.clone(), Some(id));
            }
            UnixName::Abstract(name) => {
                self.abstracts.insert((kind, name.clone()), id);
            }
        }
        Ok(())
    }

    /// Binds to an abstract name of five hexadecimal digits ("Autobind feature" of `unix(7)`).
    pub(super) fn bind_to_any(&mut self, kind: UnixKind, id: UnixId) -> Result<UnixName, Errno> {
        self.check_room()?;
        // There are more such names than names in all, so one is free.
        loop {
            self.next_auto = (self.next_auto + 1) & 0xf_ffff;
            let name: Arc<[u8]> = format!("{:05x}", self.next_auto).into_bytes().into();
            if let Entry::Vacant(entry) = self.abstracts.entry((kind, name.clone())) {
                entry.insert(id);
                return Ok(UnixName::Abstract(name));
            }
        }
    }

    pub(super) fn is_taken(&self, kind: UnixKind, name: &UnixName) -> bool {
        match name {
            UnixName::Path(path) => self.paths.contains_key(path),
            UnixName::Abstract(name) => self.abstracts.contains_key(&(kind, name.clone())),
        }
    }

    /// The socket of that name; of a path, whatever its type.
    pub(super) fn find(&self, kind: UnixKind, name: &UnixName) -> Result<UnixId, Errno> {
        match name {
            UnixName::Path(path) => {
                let file = self.paths.get(path).ok_or(Errno::NoEntry)?;
                file.ok_or(Errno::ConnRefused)
            }
            UnixName::Abstract(name) => {
                let socket = self.abstracts.get(&(kind, name.clone()));
                socket.copied().ok_or(Errno::ConnRefused)
            }
        }
    }

    /// A socket is closed: its abstract name is free, its path is stale.
    pub(super) fn release(&mut self, kind: UnixKind, name: &UnixName, id: UnixId) {
        match name {
            UnixName::Path(path) => {
                // The path may have been unlinked, and bound again by another socket.
                if let Some(file) = self.paths.get_mut(path)
                    && *file == Some(id)
                {
                    *file = None;
                }
            }
            UnixName::Abstract(name) => {
                if let Entry::Occupied(entry) = self.abstracts.entry((kind, name.clone()))
                    && *entry.get() == id
                {
                    entry.remove();
                }
            }
        }
    }

    pub(super) fn unlink(&mut self, path: &OsStr) -> Result<(), Errno> {
        self.paths.remove(path).map(drop).ok_or(Errno::NoEntry)
    }

    fn check_room(&self) -> Result<(), Errno> {
        if self.paths.len() + self.abstracts.len() < MAX_NAMES {
            Ok(())
        } else {
            Err(Errno::NoSpace)
        }
    }
}
