//! What a host gives the sockets of its tasks.

use std::io;
use std::sync::Arc;

use super::names::NameService;
use crate::error::outside_a_host;
use crate::net::host_handle::HostHandle;

use crate::task::context;

/// What a host gives its sockets: its stack, and its resolver.
pub(crate) struct Attachment {
    pub(crate) host: Arc<HostHandle>,
    pub(crate) names: Arc<NameService>,
}

/// The attachment of the host of the task that is running.
pub(super) fn attachment() -> io::Result<Arc<Attachment>> {
    let scope = context::scope().ok_or_else(outside_a_host)?;
    scope.stack.clone().downcast().map_err(|_| outside_a_host())
}
