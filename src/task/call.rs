//! Calls on a host by whoever drives it, outside of its tasks.

use std::rc::Rc;

use super::context::{self, TaskContext};
use super::origin::Origin;
use super::record::Record;
use super::scope::HostScope;

impl HostScope {
    /// Makes a call as a task of this host would that comes from `origin`.
    pub(crate) fn call<R>(self: &Rc<HostScope>, origin: Origin, call: impl FnOnce() -> R) -> R {
        let record = Record::new(self.boot().clone(), self.executor().next_id(), origin);
        let task = TaskContext { scope: self.clone(), record: Rc::new(record) };
        let _entered = context::enter(task);
        let _span = self.span.enter();
        call()
    }
}
