//! System calls that are made without libc, as by rustix or by assembler: the kernel hands them back
//! ("Syscall User Dispatch", `Documentation/admin-guide/syscall-user-dispatch.rst` in Linux).
//!
//! It is armed for a thread: for the one that drives a world as long as it has hosts with runtimes,
//! and for the threads that their programs start. A byte of the thread says whether calls are caught:
//! while a host answers on it, and not while the world does its own work. What libc itself asks the
//! kernel is never caught. A call that libc has a function for which is answered here, is answered;
//! one that makes a socket or a process is refused, because elsewhere, where nothing can be caught, it
//! would reach the machine; every other goes on to the kernel.

use std::cell::Cell;
use std::sync::OnceLock;

use libc::c_long;

thread_local! {
    // Const and without a destructor: the kernel reads it until the thread ends.
    static SELECTOR: Cell<u8> = const { Cell::new(ALLOW) };
    /// Runtimes of hosts on this thread.
    static HOSTS: Cell<usize> = const { Cell::new(0) };
}

/// Answers a system call with this number and these arguments, or leaves it to the kernel.
pub(super) type Answer = unsafe fn(c_long, [usize; 6]) -> Option<Result<isize, i32>>;

/// The same for all of the process.
static ANSWER: OnceLock<Answer> = OnceLock::new();

const ALLOW: u8 = 0;
const BLOCK: u8 = 1;

/// Whether calls of this thread are caught from now on, where it is armed.
#[inline]
pub(super) fn catch(on: bool) {
    SELECTOR.set(if on { BLOCK } else { ALLOW });
}

/// This thread is armed as long as it lives.
pub(super) struct Armed {
    // Of this thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Armed {
    /// Calls that are caught are answered by `answer`.
    pub(super) fn new(answer: Answer) -> Armed {
        let _ = ANSWER.set(answer);
        if HOSTS.replace(HOSTS.get() + 1) == 0 {
            arm();
        }
        Armed { _not_send: std::marker::PhantomData }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let left = HOSTS.get() - 1;
        HOSTS.set(left);
        if left == 0 {
            system::disarm();
        }
    }
}

/// Arms this thread, until it ends.
pub(super) fn arm() {
    if !system::arm(SELECTOR.with(Cell::as_ptr)) {
        warn();
    }
}

/// Once.
#[cold]
fn warn() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static IS_SAID: AtomicBool = AtomicBool::new(false);
    if !IS_SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            target: "glassnet::seam",
            "system calls without libc cannot be caught here (Syscall User Dispatch, x86-64, \
             Linux 5.11): a library that makes such reaches the machine's network and clock"
        );
    }
}

#[cfg(target_arch = "x86_64")]
mod system {
    use std::ffi::c_void;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::ANSWER;
    use libc::{c_int, c_long, c_ulong, dl_phdr_info, siginfo_t, ucontext_t};

    use crate::seam::baton::{SYSCALL, real_syscall};
    use crate::seam::real::{Real, abort, say};

    const PR_SET_SYSCALL_USER_DISPATCH: usize = 59;
    const PR_SYS_DISPATCH_OFF: usize = 0;
    const PR_SYS_DISPATCH_ON: usize = 1;
    /// `si_code` of a call that was caught.
    const SYS_USER_DISPATCH: c_int = 2;

    static SIGACTION: Real = Real::new(c"sigaction");

    /// What libc's code is asked from: its first address, and its length.
    static LIBC: OnceLock<Option<(usize, usize)>> = OnceLock::new();

    /// Arms this thread. False where the kernel cannot.
    pub(super) fn arm(selector: *mut u8) -> bool {
        let Some((start, len)) = *LIBC.get_or_init(prepare) else { return false };
        let arguments =
            [PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, len, selector as usize, 0];
        // SAFETY: the selector is one of this thread, and there until it ends.
        unsafe { real_syscall(libc::SYS_prctl, arguments) == 0 }
    }

    pub(super) fn disarm() {
        let arguments = [PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0, 0];
        // SAFETY: it changes what becomes of this thread's system calls, and nothing else.
        unsafe { real_syscall(libc::SYS_prctl, arguments) };
    }

    /// Has calls that are caught answered, and finds libc's code.
    fn prepare() -> Option<(usize, usize)> {
        let libc_code = code_around(SYSCALL.address() as usize)?;
        // SAFETY: all zeros is a value, and the function has this name in libc, and so this type.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = caught as *const () as usize;
            // A call that is made while another is answered is caught as well.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
            let sigaction: unsafe extern "C" fn(
                c_int,
                *const libc::sigaction,
                *mut libc::sigaction,
            ) -> c_int = std::mem::transmute(SIGACTION.address());
            (sigaction(libc::SIGSYS, &action, std::ptr::null_mut()) == 0).then_some(libc_code)
        }
    }

    /// The code of the object that has something at this address.
    fn code_around(address: usize) -> Option<(usize, usize)> {
        struct Search {
            address: usize,
            found: Option<(usize, usize)>,
        }

        unsafe extern "C" fn look(
            info: *mut dl_phdr_info,
            _: libc::size_t,
            search: *mut c_void,
        ) -> c_int {
            // SAFETY: the loader describes an object, and the search is the caller's.
            unsafe {
                let (info, search) = (&*info, &mut *search.cast::<Search>());
                let headers = std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into());
                for header in headers {
                    let start = info.dlpi_addr as usize + header.p_vaddr as usize;
                    let len = header.p_memsz as usize;
                    let is_code =
                        header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_X != 0;
                    if is_code && (start..start + len).contains(&search.address) {
                        search.found = Some((start, len));
                    }
                }
            }
            0
        }

        let mut search = Search { address, found: None };
        // SAFETY: the function is given the search, while it is there.
        unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
        search.found
    }

    /// `SIGSYS`: the answer to the call goes where the kernel's would be.
    unsafe extern "C" fn caught(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the kernel describes the signal.
        let code = unsafe { (*info).si_code };
        if code != SYS_USER_DISPATCH {
            abort(&[b"glassnet: SIGSYS: a filter of this process forbids a system call\n"]);
        }
        // SAFETY: the kernel gives the registers of the thread as they were at the call, and sets
        // them from here again. The number of the last error is the thread's own.
        unsafe {
            let last_error = *libc::__errno_location();
            let registers = &mut (*context.cast::<ucontext_t>()).uc_mcontext.gregs;
            let argument = |register: c_int| registers[register as usize] as usize;
            let number = registers[libc::REG_RAX as usize];
            let arguments = [
                argument(libc::REG_RDI),
                argument(libc::REG_RSI),
                argument(libc::REG_RDX),
                argument(libc::REG_R10),
                argument(libc::REG_R8),
                argument(libc::REG_R9),
            ];
            registers[libc::REG_RAX as usize] = answer(number, arguments) as i64;
            *libc::__errno_location() = last_error;
        }
    }

    /// # Safety
    /// The arguments are those of the system call.
    unsafe fn answer(number: c_long, arguments: [usize; 6]) -> isize {
        if number == libc::SYS_rt_sigreturn {
            abort(&[b"glassnet: a signal handler was installed without libc, and cannot return\n"]);
        }
        if let Some(name) = refused(number, arguments) {
            tell(number, name);
            return -(libc::EPERM as isize);
        }
        // SAFETY: as the caller promises.
        let answered = ANSWER.get().and_then(|answer| unsafe { answer(number, arguments) });
        match answered {
            Some(result) => result.unwrap_or_else(|error| -(error as isize)),
            None => {
                // SAFETY: as the caller promises.
                let result = unsafe { real_syscall(number, arguments) };
                // SAFETY: it points to the thread's own number.
                if result == -1 { -(unsafe { *libc::__errno_location() } as isize) } else { result }
            }
        }
    }

    /// What a call is called that would leave the world.
    fn refused(number: c_long, arguments: [usize; 6]) -> Option<&'static str> {
        Some(match number {
            libc::SYS_socket => "socket",
            libc::SYS_socketpair => "socketpair",
            libc::SYS_io_uring_setup => "io_uring_setup",
            libc::SYS_fork => "fork",
            libc::SYS_vfork => "vfork",
            libc::SYS_clone if arguments[0] as c_ulong & libc::CLONE_THREAD as c_ulong == 0 => {
                "clone"
            }
            libc::SYS_clone => "clone (a thread)",
            libc::SYS_clone3 => "clone3",
            libc::SYS_execve => "execve",
            libc::SYS_execveat => "execveat",
            _ => return None,
        })
    }

    /// Says what was refused, once.
    fn tell(number: c_long, name: &str) {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let bit = 1 << (number as u64 % 64);
        if TOLD.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            say(&[
                b"glassnet: refused: the system call ",
                name.as_bytes(),
                b", which a program in a world makes without libc: it would be the machine's. With \
                  rustix, turn its feature `use-libc` on\n",
            ]);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod system {
    pub(super) fn arm(_: *mut u8) -> bool {
        false
    }

    pub(super) fn disarm() {}
}
