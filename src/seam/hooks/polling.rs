//! `poll(2)`, `epoll(7)`, `eventfd(2)` and `timerfd_create(2)`.

use std::mem::size_of;
use std::sync::Arc;
use std::task::Waker;

use libc::{
    c_int, c_uint, clockid_t, epoll_event, itimerspec, nfds_t, pollfd, sigset_t, size_t, timespec,
};

use super::{check_room, file, hook, number};
use crate::seam::descriptors::{insert, is_ours};
use crate::seam::epoll::{Epoll, Watched};
use crate::seam::event_counter::EventCounter;
use crate::seam::file::{File, Kind};
use crate::seam::seat::{self, UPTIME_AT_START};
use crate::seam::threads::{self, Woken};
use crate::seam::timer_file::TimerFile;
use crate::seam::unanswered::refuse;

hook! {
    fn epoll_create1(flags: c_int) -> c_int;
    if seat::is_taken() => {
        let owner = seat::with_seat(|seat| seat.map(|seat| (seat.task(), seat.builds_runtime())));
        match owner {
            _ if flags & !libc::EPOLL_CLOEXEC != 0 => Err(libc::EINVAL),
            Some((owner, is_of_runtime)) => {
                let epoll = File::new(Kind::Epoll(Epoll::new(owner, is_of_runtime)), false);
                insert(epoll, flags & libc::EPOLL_CLOEXEC != 0).map_err(number)
            }
            None => Err(libc::ENOSYS),
        }
    }
}

hook! {
    fn epoll_create(size: c_int) -> c_int;
    if seat::is_taken() => {
        if size <= 0 {
            Err(libc::EINVAL)
        } else {
            // SAFETY: it is the function above.
            Ok(unsafe { epoll_create1(0) })
        }
    }
}

hook! {
    fn epoll_ctl(epfd: c_int, operation: c_int, fd: c_int, event: *mut epoll_event) -> c_int;
    // SAFETY: the event is the caller's.
    if is_ours(epfd) => unsafe { change(epfd, operation, fd, event) }
}

/// # Safety
/// `event` is null or points to an event.
unsafe fn change(
    epfd: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> Result<i32, i32> {
    let instance = file(epfd)?;
    let Kind::Epoll(epoll) = &instance.kind else { return Err(libc::EINVAL) };
    if !is_ours(fd) {
        // A descriptor of the kernel's has no events in the time of a world.
        return Err(libc::EPERM);
    }
    let watched = file(fd)?;
    if Arc::ptr_eq(&instance, &watched) {
        return Err(libc::EINVAL);
    }
    let watched: Arc<dyn Watched> = watched;
    if operation == libc::EPOLL_CTL_DEL {
        return epoll.remove(fd).map(|()| 0).map_err(number);
    }
    if event.is_null() {
        return Err(libc::EFAULT);
    }
    // SAFETY: it is not null, and the caller's; it need not be aligned.
    let event = unsafe { event.read_unaligned() };
    let done = match operation {
        libc::EPOLL_CTL_ADD => epoll.add(fd, &watched, event.events, event.u64),
        libc::EPOLL_CTL_MOD => epoll.modify(fd, event.events, event.u64),
        _ => return Err(libc::EINVAL),
    };
    done.map(|()| 0).map_err(number)
}

hook! {
    fn epoll_wait(epfd: c_int, events: *mut epoll_event, max: c_int, timeout: c_int) -> c_int;
    // SAFETY: the events are the caller's.
    if is_ours(epfd) => unsafe {
        wait(epfd, events, max, milliseconds(timeout))
    }
}

hook! {
    fn epoll_pwait(
        epfd: c_int,
        events: *mut epoll_event,
        max: c_int,
        timeout: c_int,
        signals: *const sigset_t,
    ) -> c_int;
    // SAFETY: the events are the caller's.
    if is_ours(epfd) => unsafe {
        let _ = signals;
        wait(epfd, events, max, milliseconds(timeout))
    }
}

hook! {
    fn epoll_pwait2(
        epfd: c_int,
        events: *mut epoll_event,
        max: c_int,
        timeout: *const timespec,
        signals: *const sigset_t,
    ) -> c_int;
    // SAFETY: the events and the timeout are the caller's.
    if is_ours(epfd) => unsafe {
        let _ = signals;
        let limit = match timeout.as_ref() {
            Some(timeout) => match nanoseconds(timeout) {
                Some(limit) => Some(limit),
                None => return super::Answer::answer(Err(libc::EINVAL)),
            },
            None => None,
        };
        wait(epfd, events, max, limit)
    }
}

/// The nanoseconds that a call waits; for ever where it is given less than none.
fn milliseconds(timeout: c_int) -> Option<u64> {
    u64::try_from(timeout).ok().map(|timeout| timeout.saturating_mul(1_000_000))
}

/// What a call gives on the thread that drives the world, which cannot wait.
#[cold]
fn would_deadlock(call: &str) -> i32 {
    let why = "a task waits on the thread of its runtime, which would stop the world: use tokio's own \
               waiting, or spawn_blocking";
    refuse(call, why, libc::EDEADLK)
}

/// # Safety
/// There is room for `max` events.
unsafe fn wait(
    epfd: c_int,
    events: *mut epoll_event,
    max: c_int,
    limit: Option<u64>,
) -> Result<i32, i32> {
    let max = usize::try_from(max).ok().filter(|max| *max > 0).ok_or(libc::EINVAL)?;
    if events.is_null() {
        return Err(libc::EFAULT);
    }
    let instance = file(epfd)?;
    let Kind::Epoll(epoll) = &instance.kind else { return Err(libc::EINVAL) };
    let collect = || {
        epoll.collect(max, |index, bits, data| {
            let event = epoll_event { events: bits, u64: data };
            // SAFETY: the index is below `max`; the place need not be aligned.
            unsafe { events.add(index).write_unaligned(event) };
        }) as i32
    };
    let given = collect();
    if given > 0 || limit == Some(0) {
        return Ok(given);
    }
    let Some(thread) = threads::current() else {
        if !epoll.is_of_runtime {
            return Err(would_deadlock("epoll_wait"));
        }
        seat::with_seat(|seat| {
            if let Some(seat) = seat {
                // Rounded up, as nothing may be early.
                seat.park(limit.map(|limit| limit.div_ceil(1_000_000)));
            }
        });
        return Ok(0);
    };
    let until = limit.map(|limit| thread.seat.now().saturating_add(limit));
    epoll.set_owner(&Waker::from(thread.clone()));
    loop {
        if !epoll.has_ready() && thread.block(until, || {}) == Woken::TimedOut {
            return Ok(collect());
        }
        let given = collect();
        if given > 0 {
            return Ok(given);
        }
    }
}

hook! {
    fn eventfd(count: c_uint, flags: c_int) -> c_int;
    if seat::is_taken() => {
        let counter = EventCounter::new(count, flags & libc::EFD_SEMAPHORE != 0);
        let file = File::new(Kind::Event(counter), flags & libc::EFD_NONBLOCK != 0);
        insert(file, flags & libc::EFD_CLOEXEC != 0).map_err(number)
    }
}

hook! {
    fn timerfd_create(clock: clockid_t, flags: c_int) -> c_int;
    if seat::is_taken() => {
        let made = seat::with_seat(|seat| {
            let clock_of_world = seat?.clock().clone();
            let offset = match clock {
                libc::CLOCK_REALTIME => {
                    clock_of_world.since_1970().as_nanos() as u64 - clock_of_world.now()
                }
                libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME => UPTIME_AT_START,
                _ => return None,
            };
            Some(TimerFile::new(clock_of_world, offset))
        });
        match made {
            Some(timer) => {
                let file = File::new(Kind::Timer(timer), flags & libc::TFD_NONBLOCK != 0);
                insert(file, flags & libc::TFD_CLOEXEC != 0).map_err(number)
            }
            None => Err(libc::EINVAL),
        }
    }
}

hook! {
    fn timerfd_settime(
        fd: c_int,
        flags: c_int,
        new: *const itimerspec,
        old: *mut itimerspec,
    ) -> c_int;
    // SAFETY: the values are the caller's.
    if is_ours(fd) => unsafe { set_timer(fd, flags, new, old) }
}

/// # Safety
/// `new` is null or points to a value, and `old` to room for one.
unsafe fn set_timer(
    fd: c_int,
    flags: c_int,
    new: *const itimerspec,
    old: *mut itimerspec,
) -> Result<i32, i32> {
    let file = file(fd)?;
    let Kind::Timer(timer) = &file.kind else { return Err(libc::EINVAL) };
    // SAFETY: as the caller promises.
    let Some(new) = (unsafe { new.as_ref() }) else { return Err(libc::EFAULT) };
    let value = nanoseconds(&new.it_value).ok_or(libc::EINVAL)?;
    let interval = nanoseconds(&new.it_interval).ok_or(libc::EINVAL)?;
    let now = seat::with_seat(|seat| seat.map(|seat| seat.now())).ok_or(libc::EINVAL)?;
    let next = match value {
        0 => None,
        value if flags & libc::TFD_TIMER_ABSTIME != 0 => {
            Some(value.saturating_sub(timer.clock_offset))
        }
        value => Some(now.saturating_add(value)),
    };
    let (left, every) = timer.set(next, interval);
    if !old.is_null() {
        // SAFETY: as the caller promises.
        unsafe { *old = itimerspec { it_interval: parts(every), it_value: parts(left) } };
    }
    Ok(0)
}

hook! {
    fn timerfd_gettime(fd: c_int, current: *mut itimerspec) -> c_int;
    if is_ours(fd) => match file(fd).as_deref().map(|file| &file.kind) {
        Ok(Kind::Timer(timer)) => {
            let (left, every) = timer.get();
            // SAFETY: there is room for a value.
            unsafe { *current = itimerspec { it_interval: parts(every), it_value: parts(left) } };
            Ok(0)
        }
        Ok(_) => Err(libc::EINVAL),
        Err(error) => Err(*error),
    }
}

fn nanoseconds(time: &timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanoseconds = u64::try_from(time.tv_nsec).ok().filter(|part| *part < 1_000_000_000)?;
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

fn parts(nanoseconds: u64) -> timespec {
    timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as libc::time_t,
        tv_nsec: (nanoseconds % 1_000_000_000) as libc::c_long,
    }
}

hook! {
    fn poll(files: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int;
    // SAFETY: the files are the caller's.
    if unsafe { waits_in_world(files, count) } => unsafe {
        let limit = u64::try_from(timeout).ok().map(|timeout| timeout.saturating_mul(1_000_000));
        poll_files(files, count, limit)
    }
}

hook! {
    fn ppoll(
        files: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        signals: *const sigset_t,
    ) -> c_int;
    // SAFETY: the files are the caller's.
    if unsafe { waits_in_world(files, count) } => unsafe {
        let _ = signals;
        poll_until(files, count, timeout)
    }
}

hook! {
    fn __poll_chk(files: *mut pollfd, count: nfds_t, timeout: c_int, room: size_t) -> c_int;
    // SAFETY: the files are the caller's.
    if unsafe { waits_in_world(files, count) } => unsafe {
        check_room("__poll_chk", count as usize * size_of::<pollfd>(), room);
        let limit = u64::try_from(timeout).ok().map(|timeout| timeout.saturating_mul(1_000_000));
        poll_files(files, count, limit)
    }
}

hook! {
    fn __ppoll_chk(
        files: *mut pollfd,
        count: nfds_t,
        timeout: *const timespec,
        signals: *const sigset_t,
        room: size_t,
    ) -> c_int;
    // SAFETY: the files are the caller's.
    if unsafe { waits_in_world(files, count) } => unsafe {
        let _ = signals;
        check_room("__ppoll_chk", count as usize * size_of::<pollfd>(), room);
        poll_until(files, count, timeout)
    }
}

/// # Safety
/// As of [`poll_files`]; `timeout` is null or points to a time.
unsafe fn poll_until(
    files: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
) -> Result<i32, i32> {
    // SAFETY: as the caller promises.
    let limit = match unsafe { timeout.as_ref() } {
        Some(timeout) => Some(nanoseconds(timeout).ok_or(libc::EINVAL)?),
        None => None,
    };
    // SAFETY: as the caller promises.
    unsafe { poll_files(files, count, limit) }
}

/// The files that `poll(2)` is given.
///
/// # Safety
/// `files` is null or points to `count` of them.
unsafe fn polled<'a>(files: *mut pollfd, count: nfds_t) -> &'a mut [pollfd] {
    if files.is_null() || count > 1 << 16 {
        return &mut [];
    }
    // SAFETY: as the caller promises.
    unsafe { std::slice::from_raw_parts_mut(files, count as usize) }
}

/// Whether a file of a world's is waited for, or nothing but time by a thread of one.
///
/// # Safety
/// As of [`polled`].
unsafe fn waits_in_world(files: *mut pollfd, count: nfds_t) -> bool {
    // SAFETY: as the caller promises.
    let mut files = unsafe { polled(files, count) }.iter();
    if count == 0 { seat::is_taken() } else { files.any(|file| is_ours(file.fd)) }
}

/// Waits until one of the files is ready, or so many nanoseconds.
///
/// # Safety
/// As of [`polled`].
unsafe fn poll_files(files: *mut pollfd, count: nfds_t, limit: Option<u64>) -> Result<i32, i32> {
    // SAFETY: as the caller promises.
    let files = unsafe { polled(files, count) };
    let mut until = None;
    loop {
        let ready = files.iter_mut().fold(0, |ready, file| {
            file.revents = ready_for(file);
            ready + i32::from(file.revents != 0)
        });
        if ready > 0 || limit == Some(0) {
            return Ok(ready);
        }
        let Some(thread) = threads::current() else {
            return Err(would_deadlock("poll"));
        };
        if until.is_none() {
            until = limit.map(|limit| thread.seat.now().saturating_add(limit));
        }
        let waker = Waker::from(thread.clone());
        let watch = || {
            for polled in files.iter() {
                if is_ours(polled.fd)
                    && let Ok(file) = file(polled.fd)
                {
                    file.wake_when_ready(polled.events as u16 as u32, &waker);
                }
            }
        };
        if thread.block(until, watch) == Woken::TimedOut {
            return Ok(0);
        }
    }
}

fn ready_for(polled: &pollfd) -> i16 {
    if polled.fd < 0 {
        return 0;
    }
    if !is_ours(polled.fd) {
        // The kernel's, which has no events in the time of a world: what it is ready for now.
        let mut one = pollfd { revents: 0, ..*polled };
        // SAFETY: it is one file.
        unsafe { libc::poll(&mut one, 1, 0) };
        return one.revents;
    }
    // The bits are those of epoll(7).
    match file(polled.fd) {
        Ok(file) => {
            let asked = polled.events | libc::POLLERR | libc::POLLHUP;
            file.readiness() as i16 & asked
        }
        Err(_) => libc::POLLNVAL,
    }
}
