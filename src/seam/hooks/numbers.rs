//! System calls by their numbers: what `syscall(2)` is asked, and what is asked without libc.

use libc::{c_int, c_long, c_uint, c_void};

use super::Answer as _;
use super::threads::{futex, is_futex_of_world};
use super::{
    descriptors, entropy, machine, messages, options, polling, processes, sockets, time, transfer,
};
use crate::seam::baton::real_syscall;
use crate::seam::seat;

/// The answer to a system call, where this crate answers the function of libc that makes it; `None`
/// where it is the kernel's to answer.
///
/// # Safety
/// The arguments are those of the system call.
pub(crate) unsafe fn answer(number: c_long, arguments: [usize; 6]) -> Option<Result<isize, i32>> {
    if number == libc::SYS_futex {
        let [address, operation, value, timeout, ..] = arguments;
        // SAFETY: as the caller promises.
        return is_futex_of_world(operation)
            .then(|| unsafe { futex(address, operation, value, timeout) });
    }
    if !seat::is_taken() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { of_world(number, arguments) }
}

/// What a function of ours returned.
fn result(returned: impl TryInto<isize>) -> Option<Result<isize, i32>> {
    Some(match returned.try_into().unwrap_or(-1) {
        // SAFETY: it points to the thread's own number.
        -1 => Err(unsafe { *libc::__errno_location() }),
        returned => Ok(returned),
    })
}

/// What a function of ours returned that returns its error number.
fn result_or_error(returned: c_int) -> Option<Result<isize, i32>> {
    Some(if returned == 0 { Ok(0) } else { Err(returned) })
}

/// # Safety
/// As of [`answer`].
unsafe fn of_world(number: c_long, arguments: [usize; 6]) -> Option<Result<isize, i32>> {
    let [a, b, c, d, e, f] = arguments;
    let fd = a as c_int;
    // SAFETY: as the caller promises; the functions take what the system calls do.
    unsafe {
        match number {
            libc::SYS_getrandom => result(entropy::getrandom(a as *mut c_void, b, c as c_uint)),

            libc::SYS_clock_gettime => result(time::clock_gettime(a as c_int, b as *mut _)),
            libc::SYS_clock_getres => result(time::clock_getres(a as c_int, b as *mut _)),
            libc::SYS_gettimeofday => result(time::gettimeofday(a as *mut _, b as *mut _)),
            libc::SYS_nanosleep => result(super::threads::nanosleep(a as *const _, b as *mut _)),
            libc::SYS_clock_nanosleep => result_or_error(super::threads::clock_nanosleep(
                a as c_int,
                b as c_int,
                c as *const _,
                d as *mut _,
            )),
            libc::SYS_sched_yield => result(super::threads::sched_yield()),
            libc::SYS_sched_getaffinity => {
                let found = machine::sched_getaffinity(a as libc::pid_t, b, c as *mut _);
                // The kernel tells how many bytes it has written.
                result(if found == 0 { 8 } else { found })
            }

            libc::SYS_socket => result(sockets::socket(a as c_int, b as c_int, c as c_int)),
            libc::SYS_socketpair => {
                result(sockets::socketpair(a as c_int, b as c_int, c as c_int, d as *mut _))
            }
            libc::SYS_bind => result(sockets::bind(fd, b as *const _, c as c_uint)),
            libc::SYS_listen => result(sockets::listen(fd, b as c_int)),
            libc::SYS_accept => result(sockets::accept(fd, b as *mut _, c as *mut _)),
            libc::SYS_accept4 => result(sockets::accept4(fd, b as *mut _, c as *mut _, d as c_int)),
            libc::SYS_connect => result(sockets::connect(fd, b as *const _, c as c_uint)),
            libc::SYS_shutdown => result(sockets::shutdown(fd, b as c_int)),
            libc::SYS_getsockname => result(sockets::getsockname(fd, b as *mut _, c as *mut _)),
            libc::SYS_getpeername => result(sockets::getpeername(fd, b as *mut _, c as *mut _)),
            libc::SYS_getsockopt => {
                result(options::getsockopt(fd, b as c_int, c as c_int, d as *mut _, e as *mut _))
            }
            libc::SYS_setsockopt => {
                result(options::setsockopt(fd, b as c_int, c as c_int, d as *const _, e as c_uint))
            }

            libc::SYS_read => result(transfer::read(fd, b as *mut _, c)),
            libc::SYS_write => result(transfer::write(fd, b as *const _, c)),
            libc::SYS_readv => result(transfer::readv(fd, b as *const _, c as c_int)),
            libc::SYS_writev => result(transfer::writev(fd, b as *const _, c as c_int)),
            libc::SYS_recvfrom => {
                result(transfer::recvfrom(fd, b as *mut _, c, d as c_int, e as *mut _, f as *mut _))
            }
            libc::SYS_sendto => result(transfer::sendto(
                fd,
                b as *const _,
                c,
                d as c_int,
                e as *const _,
                f as c_uint,
            )),
            libc::SYS_recvmsg => result(messages::recvmsg(fd, b as *mut _, c as c_int)),
            libc::SYS_sendmsg => result(messages::sendmsg(fd, b as *const _, c as c_int)),
            libc::SYS_recvmmsg => {
                result(messages::recvmmsg(fd, b as *mut _, c as c_uint, d as c_int, e as *mut _))
            }
            libc::SYS_sendmmsg => {
                result(messages::sendmmsg(fd, b as *mut _, c as c_uint, d as c_int))
            }

            libc::SYS_close => result(descriptors::close(fd)),
            libc::SYS_dup => result(descriptors::dup(fd)),
            libc::SYS_fcntl => result(super::variadic::fcntl(fd, b as c_int, c)),
            libc::SYS_ioctl => result(super::variadic::ioctl(fd, b as libc::c_ulong, c)),

            libc::SYS_epoll_create1 => result(polling::epoll_create1(a as c_int)),
            libc::SYS_epoll_ctl => {
                result(polling::epoll_ctl(fd, b as c_int, c as c_int, d as *mut _))
            }
            libc::SYS_epoll_pwait => {
                result(polling::epoll_pwait(fd, b as *mut _, c as c_int, d as c_int, e as *const _))
            }
            libc::SYS_epoll_pwait2 => result(polling::epoll_pwait2(
                fd,
                b as *mut _,
                c as c_int,
                d as *const _,
                e as *const _,
            )),
            libc::SYS_eventfd2 => result(polling::eventfd(a as c_uint, b as c_int)),
            libc::SYS_timerfd_create => result(polling::timerfd_create(a as c_int, b as c_int)),
            libc::SYS_timerfd_settime => {
                result(polling::timerfd_settime(fd, b as c_int, c as *const _, d as *mut _))
            }
            libc::SYS_timerfd_gettime => result(polling::timerfd_gettime(fd, b as *mut _)),
            libc::SYS_ppoll => {
                result(polling::ppoll(a as *mut _, b as _, c as *const _, d as *const _))
            }

            libc::SYS_execve => {
                result(processes::execve(a as *const _, b as *const _, c as *const _))
            }
            // A process by another name, and sockets that nobody here would see.
            libc::SYS_execveat | libc::SYS_clone3 => Some(Err(libc::EPERM)),
            libc::SYS_io_uring_setup => Some(Err(libc::ENOSYS)),
            libc::SYS_clone if a as c_int & libc::CLONE_VM == 0 => Some(Err(libc::EPERM)),
            _ => of_x86_64(number, arguments),
        }
    }
}

/// Those that other processors do not have.
///
/// # Safety
/// As of [`answer`].
#[cfg(target_arch = "x86_64")]
unsafe fn of_x86_64(number: c_long, arguments: [usize; 6]) -> Option<Result<isize, i32>> {
    let [a, b, c, d, ..] = arguments;
    // SAFETY: as the caller promises; the functions take what the system calls do.
    unsafe {
        match number {
            libc::SYS_time => result(time::time(a as *mut _)),
            libc::SYS_epoll_create => result(polling::epoll_create(a as c_int)),
            libc::SYS_epoll_wait => {
                result(polling::epoll_wait(a as c_int, b as *mut _, c as c_int, d as c_int))
            }
            libc::SYS_eventfd => result(polling::eventfd(a as c_uint, 0)),
            libc::SYS_poll => result(polling::poll(a as *mut _, b as _, c as c_int)),
            libc::SYS_fork => result(processes::fork()),
            libc::SYS_vfork => result(processes::vfork()),
            _ => None,
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn of_x86_64(_: c_long, _: [usize; 6]) -> Option<Result<isize, i32>> {
    None
}

/// `syscall(2)`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> isize {
    let arguments = [first, second, third, fourth, fifth, sixth];
    // SAFETY: the arguments are the caller's.
    if let Some(answer) = unsafe { answer(number, arguments) } {
        return answer.answer();
    }
    // SAFETY: as above.
    unsafe { real_syscall(number, arguments) }
}
