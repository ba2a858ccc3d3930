//! Descriptors: `dup`, `fcntl`, `ioctl`, `close_range`.

use std::io;
use std::mem::zeroed;

use libc::{c_int, c_uint};

use crate::calls::{Socket, alone, done, errno};

fn fcntl(fd: c_int, command: c_int, argument: c_int) -> io::Result<c_int> {
    done(unsafe { libc::fcntl(fd, command, argument) }).map(|value| value as c_int)
}

#[test]
fn a_duplicate_shares_the_file_and_not_the_flag_of_its_number() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        let copy = Socket(done(unsafe { libc::dup(socket.0) })? as c_int);
        fcntl(socket.0, libc::F_SETFD, libc::FD_CLOEXEC)?;
        assert_eq!(fcntl(copy.0, libc::F_GETFD, 0)?, 0);
        fcntl(copy.0, libc::F_SETFL, 0)?;
        assert_eq!(fcntl(socket.0, libc::F_GETFL, 0)?, libc::O_RDWR);
        fcntl(copy.0, libc::F_SETFL, libc::O_NONBLOCK)?;
        let far = Socket(fcntl(socket.0, libc::F_DUPFD_CLOEXEC, socket.0 + 100)?);
        assert_eq!(far.0, socket.0 + 100);
        assert_eq!(fcntl(far.0, libc::F_GETFD, 0)?, libc::FD_CLOEXEC);
        drop(socket);
        copy.connect("127.0.0.1:7")?;
        copy.send(b"x", 0)?;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        assert_eq!(far.recv(&mut [0; 9], 0)?, 1);
        Ok(())
    })
}

#[test]
fn dup2_takes_a_number_of_the_worlds_and_no_other() -> glassnet::Result {
    alone(async {
        let (first, second) = (Socket::udp("127.0.0.1:7")?, Socket::udp("127.0.0.1:8")?);
        assert_eq!(done(unsafe { libc::dup2(first.0, second.0) })? as c_int, second.0);
        // What had the number is closed.
        Socket::udp("127.0.0.1:8")?;
        assert_eq!(done(unsafe { libc::dup2(first.0, first.0) })? as c_int, first.0);
        assert_eq!(errno(done(unsafe { libc::dup3(first.0, first.0, 0) })), libc::EINVAL);
        let fresh = Socket(second.0 + 500);
        done(unsafe { libc::dup3(first.0, fresh.0, libc::O_CLOEXEC) })?;
        assert_eq!(fcntl(fresh.0, libc::F_GETFD, 0)?, libc::FD_CLOEXEC);
        assert_eq!(errno(done(unsafe { libc::dup2(first.0, 777) })), libc::EBADF);
        assert_eq!(errno(done(unsafe { libc::dup2(1, first.0) })), libc::EBADF);
        Ok(())
    })
}

#[test]
fn close_range_closes_what_the_program_has_of_the_world_and_nothing_else() -> glassnet::Result {
    let mut sim = glassnet::Sim::tokio(7);
    sim.host("other", || async {
        let socket = Socket::udp("0.0.0.0:7")?;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        fcntl(socket.0, libc::F_GETFD, 0)?;
        Ok(())
    });
    sim.client("client", async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let sockets = [Socket::udp("0.0.0.0:7")?, Socket::udp("0.0.0.0:8")?];
        let first = sockets[0].0 as c_uint;
        let flag = libc::CLOSE_RANGE_CLOEXEC as c_int;
        done(unsafe { libc::close_range(3, c_uint::MAX, flag) })?;
        assert_eq!(fcntl(sockets[1].0, libc::F_GETFD, 0)?, libc::FD_CLOEXEC);
        done(unsafe { libc::close_range(first, first, 0) })?;
        assert_eq!(errno(fcntl(sockets[0].0, libc::F_GETFD, 0)), libc::EBADF);
        assert_eq!(errno(done(unsafe { libc::close_range(9, 8, 0) })), libc::EINVAL);
        // The kernel's stay open.
        let kernels = std::fs::File::open("/proc/self/status")?;
        done(unsafe { libc::close_range(first + 2, c_uint::MAX, 0) })?;
        kernels.metadata()?;
        Ok(())
    });
    sim.run()
}

#[test]
fn ioctl_counts_what_waits_and_knows_the_interfaces() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        socket.connect("127.0.0.1:7")?;
        socket.send(b"12345", 0)?;
        socket.send(b"12", 0)?;
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let mut waiting: c_int = -1;
        done(unsafe { libc::ioctl(socket.0, libc::FIONREAD, &mut waiting) })?;
        assert_eq!(waiting, 5);
        let mut off: c_int = 0;
        done(unsafe { libc::ioctl(socket.0, libc::FIONBIO, &mut off) })?;
        assert_eq!(fcntl(socket.0, libc::F_GETFL, 0)?, libc::O_RDWR);

        let mut ask: libc::ifreq = unsafe { zeroed() };
        for (place, byte) in ask.ifr_name.iter_mut().zip(b"eth0") {
            *place = *byte as libc::c_char;
        }
        unsafe {
            done(libc::ioctl(socket.0, libc::SIOCGIFADDR, &mut ask))?;
            assert_eq!(ask.ifr_ifru.ifru_addr.sa_data[2..6], [10, 0, 0, 1]);
            done(libc::ioctl(socket.0, libc::SIOCGIFMTU, &mut ask))?;
            assert_eq!(ask.ifr_ifru.ifru_mtu, 1_500);
            done(libc::ioctl(socket.0, libc::SIOCGIFINDEX, &mut ask))?;
            assert_eq!(ask.ifr_ifru.ifru_ifindex, 2);
            done(libc::ioctl(socket.0, libc::SIOCGIFHWADDR, &mut ask))?;
            assert_eq!(ask.ifr_ifru.ifru_hwaddr.sa_data[..6], [2, 0, 0, 0, 0, 1]);
            ask.ifr_name[3] = b'7' as libc::c_char;
            assert_eq!(
                errno(done(libc::ioctl(socket.0, libc::SIOCGIFMTU, &mut ask))),
                libc::ENODEV
            );
            assert_eq!(errno(done(libc::ioctl(socket.0, 0x1234, &mut ask))), libc::ENOTTY);
        }
        Ok(())
    })
}
