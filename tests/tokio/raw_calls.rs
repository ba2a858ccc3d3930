//! System calls that programs in worlds make without libc, or through `syscall(2)`.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "the calls are made by hand")]

use std::arch::asm;
use std::process::Command;

use glassnet::Sim;

/// The first descriptor of a world.
const FIRST: isize = 0x1000_0000;

/// A system call without libc.
fn raw(number: i64, arguments: [usize; 4]) -> isize {
    let [first, second, third, fourth] = arguments;
    let returned;
    // SAFETY: the calls below read and write nothing but what they are given.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => returned,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    returned
}

fn raw_socket(family: i32) -> isize {
    raw(libc::SYS_socket, [family as usize, libc::SOCK_STREAM as usize, 0, 0])
}

/// Whether this kernel can catch such calls.
fn can_be_caught() -> bool {
    let is_so = raw(libc::SYS_prctl, [59, 0, 0, 0]) == 0;
    if !is_so {
        eprintln!("skipped: this kernel has no Syscall User Dispatch");
    }
    is_so
}

fn run(program: impl Future<Output = glassnet::Result> + 'static) -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("client", program);
    sim.run()
}

#[test]
fn a_socket_that_is_asked_for_without_libc_is_refused_on_each_thread_of_a_world() -> glassnet::Result
{
    if !can_be_caught() {
        return Ok(());
    }
    run(async {
        let refused = -(libc::EPERM as isize);
        for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK] {
            assert_eq!(raw_socket(family), refused);
            let in_pool = tokio::task::spawn_blocking(move || raw_socket(family)).await;
            assert_eq!(in_pool.unwrap(), refused);
        }
        assert_eq!(raw(libc::SYS_fork, [0; 4]), refused);
        assert_eq!(raw(libc::SYS_io_uring_setup, [1, 0, 0, 0]), refused);
        Ok(())
    })?;
    // The same thread, outside of the world.
    let socket = raw_socket(libc::AF_INET);
    assert!((0..FIRST).contains(&socket), "{socket}");
    assert_eq!(raw(libc::SYS_close, [socket as usize, 0, 0, 0]), 0);
    Ok(())
}

#[test]
fn threads_outside_of_the_world_are_the_kernels() -> glassnet::Result {
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    let outside = std::thread::spawn(move || {
        asked.recv().unwrap();
        let socket = raw_socket(libc::AF_INET);
        raw(libc::SYS_close, [socket as usize, 0, 0, 0]);
        socket
    });
    run(async move {
        ask.send(()).unwrap();
        Ok(())
    })?;
    assert!((0..FIRST).contains(&outside.join().unwrap()));
    Ok(())
}

#[test]
#[ignore = "run by the next test"]
fn asks_twice_for_a_raw_socket() -> glassnet::Result {
    run(async {
        raw_socket(libc::AF_INET);
        raw_socket(libc::AF_INET);
        Ok(())
    })
}

#[test]
fn what_is_refused_is_named_once_with_what_to_do() {
    if !can_be_caught() {
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "raw_calls::asks_twice_for_a_raw_socket", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("refused: the system call socket, which").count(), 1, "{text}");
    assert!(text.contains("use-libc"), "{text}");
}

#[test]
fn time_and_entropy_that_are_asked_for_without_libc_are_the_worlds() -> glassnet::Result {
    if !can_be_caught() {
        return Ok(());
    }
    let draw = || {
        let drawn = std::sync::Arc::new(std::sync::Mutex::new([0_u8; 16]));
        let of_world = drawn.clone();
        run(async move {
            let mut bytes = [0_u8; 16];
            assert_eq!(raw(libc::SYS_getrandom, [bytes.as_mut_ptr() as usize, 16, 0, 0]), 16);
            *of_world.lock().unwrap() = bytes;
            let mut time = [0_i64; 2];
            let ask = [libc::CLOCK_REALTIME as usize, time.as_mut_ptr() as usize, 0, 0];
            assert_eq!(raw(libc::SYS_clock_gettime, ask), 0);
            assert_eq!(time, [946_684_800, 0]);
            // What the kernel answers, with its errors.
            let parent = std::os::unix::process::parent_id();
            assert_eq!(raw(libc::SYS_getppid, [0; 4]), parent as isize);
            assert_eq!(raw(libc::SYS_close, [7_777, 0, 0, 0]), -(libc::EBADF as isize));
            Ok(())
        })
        .unwrap();
        *drawn.lock().unwrap()
    };
    assert_eq!(draw(), draw());
    assert_ne!(draw(), [0; 16]);
    Ok(())
}

#[test]
fn syscall_of_libc_is_answered_as_the_functions_are() -> glassnet::Result {
    run(async {
        // SAFETY: the calls read and write nothing but what they are given.
        unsafe {
            let socket = libc::syscall(libc::SYS_socket, libc::AF_INET, libc::SOCK_STREAM, 0);
            assert!(socket as isize >= FIRST, "{socket}");
            assert_eq!(libc::syscall(libc::SYS_listen, socket, 5), 0);
            assert_eq!(libc::syscall(libc::SYS_close, socket), 0);
            assert_eq!(libc::syscall(libc::SYS_close, socket), -1);
            assert_eq!(*libc::__errno_location(), libc::EBADF);
            let socket = libc::syscall(libc::SYS_socket, libc::AF_NETLINK, libc::SOCK_RAW, 0);
            assert_eq!((socket, *libc::__errno_location()), (-1, libc::EAFNOSUPPORT));
            assert_eq!(libc::syscall(libc::SYS_io_uring_setup, 1, 0), -1);
            assert_eq!(
                libc::syscall(libc::SYS_getppid),
                i64::from(std::os::unix::process::parent_id())
            );
        }
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn rustix_asks_libc() -> glassnet::Result {
    use std::os::fd::AsRawFd;
    run(async {
        let (family, kind) = (rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM);
        let socket = rustix::net::socket(family, kind, None).unwrap();
        assert!(socket.as_raw_fd() as isize >= FIRST);
        Ok(())
    })
}

/// `cargo test --release --features tokio --test tokio -- --ignored --nocapture a_system_call_costs`.
#[test]
#[ignore = "a figure"]
fn what_a_system_call_costs() -> glassnet::Result {
    const CALLS: u64 = 200_000;
    let measure = |what: &str, call: fn()| {
        // SAFETY: every x86-64 has this counter.
        let began = unsafe { std::arch::x86_64::_rdtsc() };
        (0..CALLS).for_each(|_| call());
        // SAFETY: as above.
        let cycles = unsafe { std::arch::x86_64::_rdtsc() } - began;
        eprintln!("{what}: {} cycles", cycles / CALLS);
    };
    let through_libc = || {
        let _ = std::os::unix::process::parent_id();
    };
    let without = || {
        raw(libc::SYS_getppid, [0; 4]);
    };
    let all = move |place: &str| {
        measure(&format!("{place}, through libc"), through_libc);
        measure(&format!("{place}, without"), without);
    };
    all("outside of a world");
    run(async move {
        all("in a world");
        Ok(())
    })
}
