//! The fortified doubles of calls, and what C has beside the calls of Rust.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::time::{Duration, Instant};

use libc::{pollfd, size_t, sockaddr, socklen_t, ssize_t, timespec};

use crate::calls::{Socket, alone, done, errno, in_a_thread};

#[repr(C)]
struct TimeB {
    time: libc::time_t,
    millitm: u16,
    timezone: i16,
    dstflag: i16,
}

unsafe extern "C" {
    fn __read_chk(fd: c_int, buffer: *mut c_void, len: size_t, room: size_t) -> ssize_t;
    fn __recv_chk(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        room: size_t,
        flags: c_int,
    ) -> ssize_t;
    fn __recvfrom_chk(
        fd: c_int,
        buffer: *mut c_void,
        len: size_t,
        room: size_t,
        flags: c_int,
        address: *mut sockaddr,
        address_len: *mut socklen_t,
    ) -> ssize_t;
    fn __poll_chk(files: *mut pollfd, count: libc::nfds_t, timeout: c_int, room: size_t) -> c_int;
    fn __gethostname_chk(name: *mut c_char, len: size_t, room: size_t) -> c_int;
    fn __fdelt_chk(fd: c_long) -> c_long;
    fn fcntl64(fd: c_int, command: c_int, ...) -> c_int;
    fn arc4random() -> u32;
    fn arc4random_uniform(bound: u32) -> u32;
    fn arc4random_buf(buffer: *mut c_void, len: size_t);
    fn ftime(time: *mut TimeB) -> c_int;
    fn alarm(seconds: c_uint) -> c_uint;
    fn timespec_get(time: *mut timespec, base: c_int) -> c_int;
}

#[test]
fn the_fortified_doubles_answer_as_the_calls_do() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        socket.connect("127.0.0.1:7")?;
        for _ in 0..3 {
            socket.send(b"abc", 0)?;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut bytes = [0_u8; 8];
        let at = bytes.as_mut_ptr().cast();
        let mut file = pollfd { fd: socket.0, events: libc::POLLIN, revents: 0 };
        unsafe {
            assert_eq!(__poll_chk(&mut file, 1, 0, size_of::<pollfd>()), 1);
            assert_eq!(__read_chk(socket.0, at, 8, 8), 3);
            assert_eq!(__recv_chk(socket.0, at, 8, 8, 0), 3);
            let mut from = crate::calls::sockaddr("0.0.0.0:0");
            let mut len = 16;
            let to = (&raw mut from).cast();
            assert_eq!(__recvfrom_chk(socket.0, at, 8, 8, 0, to, &mut len), 3);
            assert_eq!(from.sin_port, 7_u16.to_be());
            assert_eq!(__recv_chk(socket.0, at, 8, 8, 0), -1);
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
            let mut name = [0 as c_char; 9];
            assert_eq!(__gethostname_chk(name.as_mut_ptr(), 9, 9), 0);
            assert_eq!(std::ffi::CStr::from_ptr(name.as_ptr()), c"alone");
            assert_eq!(fcntl64(socket.0, libc::F_GETFL), libc::O_RDWR | libc::O_NONBLOCK);
            assert_eq!(__fdelt_chk(130), 2);
        }
        Ok(())
    })
}

/// The child of the test below.
#[test]
#[ignore = "run by the next test, in a process of its own"]
fn puts_a_socket_of_a_world_into_an_fd_set() {
    let _ = alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        unsafe { __fdelt_chk(socket.0.into()) };
        Ok(())
    });
}

#[test]
fn a_socket_of_a_world_in_an_fd_set_ends_the_process_with_a_message_that_names_poll() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "doubles::puts_a_socket_of_a_world_into_an_fd_set"])
        .args(["--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(!child.status.success());
    let text = String::from_utf8_lossy(&child.stderr);
    assert!(text.contains("use poll"), "{text}");
}

#[test]
fn random_numbers_of_c_are_those_of_the_seed() -> glassnet::Result {
    let drawn = |seed| {
        let drawn = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let out = drawn.clone();
        let mut sim = glassnet::Sim::tokio(seed);
        sim.client("alone", async move {
            let mut drawn = out.lock().unwrap();
            unsafe {
                drawn.push(arc4random());
                let mut bytes = [0_u8; 4];
                arc4random_buf(bytes.as_mut_ptr().cast(), 4);
                drawn.push(u32::from_ne_bytes(bytes));
                assert_eq!(libc::getentropy(bytes.as_mut_ptr().cast(), 4), 0);
                drawn.push(u32::from_ne_bytes(bytes));
                assert_eq!(libc::getentropy(bytes.as_mut_ptr().cast(), 257), -1);
                assert_eq!(libc::getrandom(bytes.as_mut_ptr().cast(), 4, 1 << 9), -1);
                for bound in [0, 1, 7, 0x8000_0001] {
                    let number = arc4random_uniform(bound);
                    assert!(number < bound.max(1));
                    drawn.push(number);
                }
            }
            Ok(())
        });
        sim.run().unwrap();
        drawn.lock().unwrap().clone()
    };
    // On threads of their own, as a thread draws the keys of its maps once.
    let drawn = |seed| std::thread::spawn(move || drawn(seed)).join().unwrap();
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
    Ok(())
}

#[test]
fn all_clocks_of_c_show_the_time_of_the_world() -> glassnet::Result {
    in_a_thread(|| unsafe {
        let began = Instant::now();
        libc::usleep(250_000);
        libc::sleep(1);
        assert_eq!(began.elapsed(), Duration::from_millis(1_250));
        const START: i64 = 946_684_800;
        assert_eq!(libc::time(std::ptr::null_mut()), START + 1);
        let mut half: TimeB = std::mem::zeroed();
        assert_eq!(ftime(&mut half), 0);
        assert_eq!((half.time, half.millitm), (START + 1, 250));
        assert_eq!((half.timezone, half.dstflag), (0, 0));
        let mut day: libc::timeval = std::mem::zeroed();
        assert_eq!(libc::gettimeofday(&mut day, std::ptr::null_mut()), 0);
        assert_eq!((day.tv_sec, day.tv_usec), (START + 1, 250_000));
        let mut time: timespec = std::mem::zeroed();
        assert_eq!(timespec_get(&mut time, 1), 1);
        assert_eq!((time.tv_sec, time.tv_nsec), (START + 1, 250_000_000));
        assert_eq!(libc::clock_getres(libc::CLOCK_MONOTONIC, &mut time), 0);
        assert_eq!((time.tv_sec, time.tv_nsec), (0, 1));
        // A signal would come in the machine's time.
        assert_eq!(alarm(1), 0);
        let none: libc::itimerval = std::mem::zeroed();
        unsafe extern "C" {
            fn setitimer(
                which: c_int,
                new: *const libc::itimerval,
                old: *mut libc::itimerval,
            ) -> c_int;
        }
        let refused = done(setitimer(0, &none, std::ptr::null_mut()));
        assert_eq!(errno(refused), libc::ENOSYS);
        Ok(())
    })
}
