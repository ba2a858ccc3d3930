//! UDP sockets are tokio's: the same code compiles against both.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

/// The real ones.
mod real {
    use tokio::net;

    include!("parity/udp.rs");
}

/// Ours.
mod glass {
    use glassnet::net;

    include!("parity/udp.rs");
}

#[test]
fn the_type_has_the_same_traits() {
    real::the_type_has_the_traits();
    glass::the_type_has_the_traits();
}

#[test]
fn the_methods_have_the_same_signatures() {
    real::the_plain_methods_have_the_signatures();
    glass::the_plain_methods_have_the_signatures();
    let _ = real::the_async_methods_have_the_signatures;
    let _ = glass::the_async_methods_have_the_signatures;
}
