//! What is done when the process exits.
#![allow(unsafe_code)]

use std::ffi::c_int;

// SAFETY: atexit(3), which every C library that Rust links has. It may be called at any time in any
// thread, and keeps a function that lives as long as the process.
unsafe extern "C" {
    safe fn atexit(function: extern "C" fn()) -> c_int;
}

/// Has `function` called when the process exits by itself, in the thread that does it: at the end
/// of `main`, or by [`std::process::exit`]. It must not panic.
pub(crate) fn at_exit(function: extern "C" fn()) {
    // It fails only where there is no memory for one more function; then nothing is called.
    let _ = atexit(function);
}
