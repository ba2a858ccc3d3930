//! Runs the main function of a test program on a host of a world.
//!
//! The program is what `cargo test` makes of other people's tests, unmodified. glibc is asked to
//! start it; the function it is asked with is defined here, and gives glibc another main function:
//! one that makes a world with one host, and calls the program's own on a thread of that host. Every
//! thread and every runtime that the tests make from there is the world's too.
//!
//! With `SUITES_ON_KERNEL=1` the program's own main function runs as ever.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use glassnet::Sim;
use tokio::sync::oneshot;

type Main = unsafe extern "C" fn(c_int, *mut *mut c_char, *mut *mut c_char) -> c_int;
type Hook = Option<unsafe extern "C" fn()>;
type Start = unsafe extern "C" fn(
    Main,
    c_int,
    *mut *mut c_char,
    Hook,
    Hook,
    Hook,
    *mut c_void,
) -> c_int;

/// How a process ends whose world has failed: libtest's own failures are 101.
const WORLD_FAILED: c_int = 102;

/// The main function of the program.
static MAIN: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// What the start of a program calls, with its main function.
///
/// # Safety
/// To be called by the start of the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __libc_start_main(
    main: Main,
    argc: c_int,
    argv: *mut *mut c_char,
    init: Hook,
    fini: Hook,
    rtld_fini: Hook,
    stack_end: *mut c_void,
) -> c_int {
    MAIN.store(main as *mut c_void, Ordering::Relaxed);
    const NAME: &CStr = c"__libc_start_main";
    // SAFETY: glibc has a function of this name and type.
    let start: Start =
        unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, NAME.as_ptr())) };
    // SAFETY: these are the arguments of the caller, but for a main function of the same type.
    unsafe { start(in_a_world, argc, argv, init, fini, rtld_fini, stack_end) }
}

/// What the program's main function is called with, and where its result goes.
struct Call {
    arguments: (c_int, *mut *mut c_char, *mut *mut c_char),
    ended: oneshot::Sender<c_int>,
}

impl Call {
    fn make(self) {
        let (argc, argv, envp) = self.arguments;
        // SAFETY: it was stored there as a main function.
        let main: Main = unsafe { std::mem::transmute(MAIN.load(Ordering::Relaxed)) };
        // SAFETY: the arguments are those of the process.
        let code = unsafe { main(argc, argv, envp) };
        let _ = self.ended.send(code);
    }
}

extern "C" fn on_a_thread(call: *mut c_void) -> *mut c_void {
    // SAFETY: it was made for this thread alone.
    unsafe { Box::from_raw(call.cast::<Call>()) }.make();
    std::ptr::null_mut()
}

unsafe extern "C" fn in_a_world(
    argc: c_int,
    argv: *mut *mut c_char,
    envp: *mut *mut c_char,
) -> c_int {
    let (ended, end) = oneshot::channel();
    let call = Call { arguments: (argc, argv, envp), ended };
    if std::env::var_os("SUITES_ON_KERNEL").is_some() {
        call.make();
        return end.blocking_recv().unwrap_or(WORLD_FAILED);
    }
    let mut sim = Sim::tokio(7);
    sim.time_limit(Duration::from_secs(1 << 30)).event_limit(u64::MAX);
    let call = Box::into_raw(Box::new(call)).cast::<c_void>() as usize;
    sim.client("machine", async move {
        let mut thread = 0;
        // SAFETY: there is room for the name, and the thread takes what it is given. It is no
        // thread of std's: the program's main function makes it one.
        unsafe {
            let none = std::ptr::null();
            libc::pthread_create(&mut thread, none, on_a_thread, call as *mut c_void);
        }
        match end.await? {
            0 => Ok(()),
            code => std::process::exit(code),
        }
    });
    match sim.run() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            WORLD_FAILED
        }
    }
}
