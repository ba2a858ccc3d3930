//! A host that is up.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::error::Result;
use crate::net::HostHandle;
use crate::task::{HostScope, JoinError, JoinHandle, Origin};

/// A host that is up: its stack, and its tasks.
pub(in crate::world) struct Running {
    pub(in crate::world) host: Arc<HostHandle>,
    pub(in crate::world) scope: Rc<HostScope>,
    /// `None` before it starts, and once its end was seen.
    pub(super) main: Option<JoinHandle<Result>>,
}

impl Running {
    /// Starts the main function.
    pub(in crate::world) fn start<F>(&mut self, origin: Origin, main: F)
    where
        F: Future<Output = Result> + 'static,
    {
        self.main = Some(self.scope.spawn_main(origin, main));
    }

    /// Whether the main function has started, and its end was not seen.
    pub(in crate::world) fn has_main(&self) -> bool {
        self.main.is_some()
    }

    /// Drops the main function when it would have its turn.
    pub(in crate::world) fn end_main(&self) {
        if let Some(main) = &self.main {
            main.abort();
        }
    }

    /// What the main function has ended with, once.
    pub(in crate::world) fn take_end(&mut self) -> Option<std::result::Result<Result, JoinError>> {
        let main = self.main.as_mut()?;
        let Poll::Ready(ended) = Pin::new(main).poll(&mut Context::from_waker(Waker::noop()))
        else {
            return None;
        };
        self.main = None;
        Some(ended)
    }
}
