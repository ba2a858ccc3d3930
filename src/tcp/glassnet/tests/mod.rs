//! Two engines and a path between them, in virtual time: what a connection does on the wire.

mod behaviour;
mod fuzz;
mod pair;
mod recovery;
