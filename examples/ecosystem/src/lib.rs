//! glassnet with other people's libraries. Each program in `src/bin` is an example of its own;
//! `tests/libraries.rs` has what `glassnet::guide` says of them, as tests.

pub mod command_line;
