//! Two engines and a path between them, in virtual time: what a connection does on the wire.

mod behaviour;
mod fuzz;
mod model;
mod pair;
mod recovery;
