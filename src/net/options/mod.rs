//! The options of sockets: each is said once, with its one documentation, and is given to a type of
//! `net` by naming it in an `impl` block of that type:
//!
//! ```ignore
//! tcp_option!(TCP_NODELAY, nodelay, set_nodelay);
//! ```
//!
//! There is a file for each level of `setsockopt(2)`. The macros want `self.target()`, the
//! [`Target`] of the type. Each option is asked for, or set, in one call of the host: a setter
//! changes all that it names, or nothing.

mod ip;
mod ipv6;
mod multicast;
mod socket_level;
mod target;
mod tcp;
mod udp;

/// The first sentence of a setter, which refers to its getter.
macro_rules! sets {
    ($option:literal, $get:ident) => {
        concat!(
            "Sets `",
            $option,
            "`: see [`",
            stringify!($get),
            "`](Self::",
            stringify!($get),
            ")."
        )
    };
}

pub(super) use ip::ip_option;
pub(super) use ipv6::ipv6_option;
pub(super) use multicast::multicast_option;
pub(super) use sets;
pub(super) use socket_level::socket_option;
pub(super) use target::{Level, Target};
pub(super) use tcp::tcp_option;
pub(super) use tcp::{congestion_control_named, name_of_congestion_control};
pub(super) use udp::udp_option;
