//! What both worlds have in common.
//!
//! - `tasks`: the tasks, the clock, and how a host joins them; `machine`: a host that is up
//! - `traffic`: frames on their way; `held`: frames that links keep; `event`: the queue of what is
//!   going to happen
//! - `captures`, `vantage`: what is captured where
//! - `observe`: what observers are told
//! - `fault_log`: what was done on purpose
//! - `frame_log`: what became of frames; `recorder` with its `frame_records`, `last_frames`, `drops`: its parts
//! - `journal`: every event with a rolling hash, to compare two runs
//! - `report`: what reports have in common; `describe`: frames in words
//! - `limits`: how long one part goes on before the others

pub(super) mod captures;
pub(super) mod describe;
pub(super) mod drops;
pub(super) mod event;
pub(super) mod fault_log;
pub(super) mod frame_log;
mod frame_records;
pub(super) mod held;
pub(super) mod journal;
mod last_frames;
pub(super) mod limits;
pub(super) mod machine;
pub(super) mod observe;
mod recorder;
pub(super) mod report;
pub(super) mod tasks;
pub(super) mod traffic;
pub(super) mod vantage;
