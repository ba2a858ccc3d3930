//! `epoll`, `poll` and `select` by hand.

use std::io;
use std::time::{Duration, Instant};

use libc::{c_int, epoll_event, pollfd, timespec};

use crate::calls::{Socket, alone, done, errno, in_a_thread};

struct Epoll(Socket);

impl Epoll {
    fn new() -> io::Result<Epoll> {
        done(unsafe { libc::epoll_create1(0) }).map(|fd| Epoll(Socket(fd as c_int)))
    }

    fn change(&self, operation: c_int, of: &Socket, events: c_int) -> io::Result<usize> {
        let mut event = epoll_event { events: events as u32, u64: of.0 as u64 };
        done(unsafe { libc::epoll_ctl(self.0.0, operation, of.0, &mut event) })
    }

    fn add(&self, of: &Socket, events: c_int) -> io::Result<usize> {
        self.change(libc::EPOLL_CTL_ADD, of, events)
    }

    /// The bits of the first event; 0 when none came.
    fn wait(&self, milliseconds: c_int) -> io::Result<c_int> {
        let mut event = epoll_event { events: 0, u64: 0 };
        done(unsafe { libc::epoll_wait(self.0.0, &mut event, 1, milliseconds) })?;
        Ok(event.events as c_int)
    }
}

/// A socket that sends to itself.
fn mirror() -> io::Result<Socket> {
    let socket = Socket::udp("127.0.0.1:7")?;
    socket.connect("127.0.0.1:7")?;
    Ok(socket)
}

#[test]
fn level_edge_and_one_shot_events_come_as_often_as_on_linux() -> glassnet::Result {
    in_a_thread(|| {
        let socket = mirror()?;
        let (level, edge, once) = (Epoll::new()?, Epoll::new()?, Epoll::new()?);
        level.add(&socket, libc::EPOLLIN)?;
        assert_eq!(errno(level.add(&socket, libc::EPOLLIN)), libc::EEXIST);
        edge.add(&socket, libc::EPOLLIN | libc::EPOLLET)?;
        once.add(&socket, libc::EPOLLIN | libc::EPOLLONESHOT)?;
        let both = [&edge, &once];
        socket.send(b"a", 0)?;
        assert_eq!((level.wait(-1)?, level.wait(0)?), (libc::EPOLLIN, libc::EPOLLIN));
        for epoll in both {
            assert_eq!((epoll.wait(-1)?, epoll.wait(0)?), (libc::EPOLLIN, 0));
        }
        // Another datagram is another edge; what had its one event waits to be asked for again.
        socket.send(b"b", 0)?;
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!((edge.wait(0)?, once.wait(0)?), (libc::EPOLLIN, 0));
        once.change(libc::EPOLL_CTL_MOD, &socket, libc::EPOLLIN | libc::EPOLLONESHOT)?;
        assert_eq!(once.wait(0)?, libc::EPOLLIN);
        socket.recv(&mut [0; 9], 0)?;
        socket.recv(&mut [0; 9], 0)?;
        assert_eq!(level.wait(0)?, 0);
        level.change(libc::EPOLL_CTL_DEL, &socket, 0)?;
        assert_eq!(errno(level.change(libc::EPOLL_CTL_DEL, &socket, 0)), libc::ENOENT);
        // Who shares a socket with other instances may not change that.
        level.add(&socket, libc::EPOLLIN | libc::EPOLLEXCLUSIVE)?;
        assert_eq!(errno(level.change(libc::EPOLL_CTL_MOD, &socket, libc::EPOLLIN)), libc::EINVAL);
        Ok(())
    })
}

#[test]
fn waiting_by_hand_takes_the_time_of_the_world() -> glassnet::Result {
    in_a_thread(|| {
        let socket = mirror()?;
        let epoll = Epoll::new()?;
        epoll.add(&socket, libc::EPOLLIN)?;
        let began = Instant::now();
        assert_eq!(epoll.wait(70)?, 0);
        let limit = timespec { tv_sec: 1, tv_nsec: 5 };
        let mut event = epoll_event { events: 0, u64: 0 };
        let none = std::ptr::null();
        let waited = unsafe { libc::epoll_pwait2(epoll.0.0, &mut event, 1, &limit, none) };
        assert_eq!(done(waited)?, 0);
        let waited = unsafe { libc::epoll_pwait(epoll.0.0, &mut event, 1, 30, none) };
        assert_eq!(done(waited)?, 0);
        let mut file = pollfd { fd: socket.0, events: libc::POLLIN, revents: 0 };
        assert_eq!(done(unsafe { libc::ppoll(&mut file, 1, &limit, none) })?, 0);
        assert_eq!(done(unsafe { libc::poll(std::ptr::null_mut(), 0, 900) })?, 0);
        let mut limit = libc::timeval { tv_sec: 1, tv_usec: 0 };
        let no_set = std::ptr::null_mut();
        let waited = unsafe { libc::select(0, no_set, no_set, no_set, &mut limit) };
        assert_eq!(done(waited)?, 0);
        assert_eq!(began.elapsed(), Duration::from_nanos(4_000_000_010));
        Ok(())
    })
}

#[test]
fn select_has_no_room_for_a_socket_of_a_world_and_sees_those_of_the_kernel() -> glassnet::Result {
    in_a_thread(|| {
        let socket = mirror()?;
        let (mut set, none) = (unsafe { std::mem::zeroed() }, std::ptr::null_mut());
        let count = socket.0 + 1;
        let no_time = std::ptr::null_mut();
        let refused = unsafe { libc::select(count, &mut set, none, none, no_time) };
        assert_eq!(errno(done(refused)), libc::EINVAL);

        // A pipe is the kernel's.
        let mut pipe = [0; 2];
        done(unsafe { libc::pipe(pipe.as_mut_ptr()) })?;
        let (reader, writer) = (Socket(pipe[0]), Socket(pipe[1]));
        let began = Instant::now();
        let mut select = || {
            let mut limit = libc::timeval { tv_sec: 2, tv_usec: 0 };
            unsafe {
                libc::FD_SET(reader.0, &mut set);
                done(libc::select(reader.0 + 1, &mut set, none, none, &mut limit))
            }
        };
        assert_eq!(select()?, 0);
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        done(unsafe { libc::write(writer.0, b"x".as_ptr().cast(), 1) } as i64)?;
        assert_eq!(select()?, 1);
        // In a poll with a socket of the world's it counts as well.
        let of = |fd| pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut files = [of(socket.0), of(reader.0)];
        assert_eq!(done(unsafe { libc::poll(files.as_mut_ptr(), 2, -1) })?, 1);
        assert_eq!((files[0].revents, files[1].revents), (0, libc::POLLIN));
        Ok(())
    })
}

#[test]
fn on_the_thread_of_the_runtime_waiting_by_hand_is_a_deadlock() -> glassnet::Result {
    alone(async {
        let socket = mirror()?;
        let epoll = Epoll::new()?;
        epoll.add(&socket, libc::EPOLLIN)?;
        assert_eq!(epoll.wait(0)?, 0);
        assert_eq!(errno(epoll.wait(10)), libc::EDEADLK);
        let mut file = pollfd { fd: socket.0, events: libc::POLLIN, revents: 0 };
        assert_eq!(errno(done(unsafe { libc::poll(&mut file, 1, 10) })), libc::EDEADLK);
        socket.send(b"x", 0)?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(epoll.wait(10)?, libc::EPOLLIN);
        assert_eq!(done(unsafe { libc::poll(&mut file, 1, 10) })?, 1);
        Ok(())
    })
}
