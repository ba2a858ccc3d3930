//! What Linux did on a path of 20 ms and 100 Mbit/s with losses chosen by number, and the same
//! programs on hosts of ours.
//!
//! `logs/` holds each segment that Linux 6.1.192 (Debian 12, cubic, HZ 250) handed to the link, as
//! of 2026-11-28: in a virtual machine whose time is virtual, between two network namespaces on TAP
//! devices that a program joins, which delays, serialises and drops. A line is: milliseconds since
//! the first, the sending end (`a` has connected, `b` has accepted), flags, relative sequence and
//! acknowledgment numbers, bytes, window, and whether the link dropped it. That of `blackhole` ends
//! before its program was killed.

pub(crate) mod cases;
pub(crate) mod log;
pub(crate) mod programs;
