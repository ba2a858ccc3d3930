//! `sendmsg` and `recvmsg`: control messages and flags.

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use glassnet::Sim;
use libc::{c_int, cmsghdr, iovec, mmsghdr, msghdr, sockaddr_in};

use crate::calls::{Socket, alone, done, errno, sockaddr};

/// A control message: its level, its type, and its data.
type Control = (c_int, c_int, Vec<u8>);

/// What `recvmsg` gave.
#[derive(Debug)]
struct Received {
    len: usize,
    port: u16,
    flags: c_int,
    control: Vec<Control>,
}

fn receive(
    socket: &Socket,
    room: usize,
    control_room: usize,
    flags: c_int,
) -> io::Result<Received> {
    let mut bytes = vec![0; room];
    let mut from: sockaddr_in = unsafe { zeroed() };
    let mut buffer = iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: room };
    let mut control = vec![0_usize; control_room.div_ceil(8)];
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = size_of_val(&from) as u32;
    message.msg_iov = &mut buffer;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control_room;
    let len = done(unsafe { libc::recvmsg(socket.0, &mut message, flags) } as i64)?;
    Ok(Received {
        len,
        port: u16::from_be(from.sin_port),
        flags: message.msg_flags,
        control: unsafe { controls(&message) },
    })
}

unsafe fn controls(message: &msghdr) -> Vec<Control> {
    let mut found = Vec::new();
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while let Some(header) = unsafe { next.as_ref() } {
        let len = header.cmsg_len - size_of::<cmsghdr>();
        let data = unsafe { std::slice::from_raw_parts(libc::CMSG_DATA(next), len) }.to_vec();
        found.push((header.cmsg_level, header.cmsg_type, data));
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    found
}

fn send(socket: &Socket, bytes: &[u8], to: &str, control: &[Control]) -> io::Result<usize> {
    let mut to = sockaddr(to);
    let mut buffer = iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut room = [0_usize; 32];
    let mut message: msghdr = unsafe { zeroed() };
    message.msg_name = (&raw mut to).cast();
    message.msg_namelen = size_of_val(&to) as u32;
    message.msg_iov = &mut buffer;
    message.msg_iovlen = 1;
    if !control.is_empty() {
        message.msg_control = room.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&room);
        let mut next = unsafe { libc::CMSG_FIRSTHDR(&message) };
        let mut used = 0;
        for (level, kind, data) in control {
            unsafe {
                (*next).cmsg_level = *level;
                (*next).cmsg_type = *kind;
                (*next).cmsg_len = libc::CMSG_LEN(data.len() as u32) as usize;
                std::ptr::copy_nonoverlapping(data.as_ptr(), libc::CMSG_DATA(next), data.len());
                used += libc::CMSG_SPACE(data.len() as u32) as usize;
                next = libc::CMSG_NXTHDR(&message, next);
            }
        }
        message.msg_controllen = used;
    }
    done(unsafe { libc::sendmsg(socket.0, &message, 0) } as i64)
}

fn int(value: c_int) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

fn in_pktinfo(interface: c_int, source: [u8; 4]) -> Control {
    (libc::IPPROTO_IP, libc::IP_PKTINFO, [int(interface), source.to_vec(), vec![0; 4]].concat())
}

#[test]
fn the_address_that_a_datagram_was_sent_to_is_given_and_can_be_answered_from() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", || async {
        let server = Socket::udp("0.0.0.0:7")?;
        assert_eq!(server.get(libc::IPPROTO_IP, libc::IP_PKTINFO)?, 0);
        for option in [libc::IP_PKTINFO, libc::IP_RECVTOS, libc::IP_RECVTTL] {
            server.set(libc::IPPROTO_IP, option, 1)?;
            assert_eq!(server.get(libc::IPPROTO_IP, option)?, 1);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let received = receive(&server, 100, 200, 0)?;
        assert_eq!((received.len, received.flags), (5, 0));
        let address = [10, 0, 0, 1];
        let info = [int(2), address.to_vec(), address.to_vec()].concat();
        assert_eq!(
            received.control,
            [
                (libc::IPPROTO_IP, libc::IP_PKTINFO, info),
                (libc::IPPROTO_IP, libc::IP_TTL, int(9)),
                (libc::IPPROTO_IP, libc::IP_TOS, vec![0xba]),
            ]
        );
        send(&server, b"answer", "10.0.0.2:9", &[in_pktinfo(0, address)])?;
        Ok(())
    });
    sim.client("client", async {
        let client = Socket::udp("0.0.0.0:9")?;
        // ECN and DSCP together.
        let control =
            [(libc::IPPROTO_IP, libc::IP_TOS, int(0xba)), (libc::IPPROTO_IP, libc::IP_TTL, int(9))];
        assert_eq!(send(&client, b"hello", "10.0.0.1:7", &control)?, 5);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let received = receive(&client, 100, 200, 0)?;
        assert_eq!((received.len, received.port, received.control.len()), (6, 7, 0));
        Ok(())
    });
    sim.run()
}

#[test]
fn sockets_of_ipv6_are_given_packet_info_hop_limit_and_traffic_class() -> glassnet::Result {
    alone(async {
        let socket = Socket::new(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_NONBLOCK)?;
        let mut address: libc::sockaddr_in6 = unsafe { zeroed() };
        address.sin6_family = libc::AF_INET6 as u16;
        address.sin6_port = 7_u16.to_be();
        let at = (&raw const address).cast();
        done(unsafe { libc::bind(socket.0, at, size_of_val(&address) as u32) })?;
        for option in [libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVTCLASS] {
            socket.set(libc::IPPROTO_IPV6, option, 1)?;
            assert_eq!(socket.get(libc::IPPROTO_IPV6, option)?, 1);
        }
        socket.set(libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
        let sender = std::net::UdpSocket::bind("[::]:0")?;
        sender.send_to(b"six", "[::1]:7")?;
        sender.send_to(
            b"four",
            "127.0.0.1:7".parse::<std::net::SocketAddrV4>().map(|four| {
                std::net::SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port())
            })?,
        )?;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let received = receive(&socket, 100, 200, 0)?;
        let of = |address: Ipv6Addr| [address.octets().to_vec(), int(1)].concat();
        assert_eq!(
            received.control,
            [
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, of(Ipv6Addr::LOCALHOST)),
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, int(64)),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, int(0)),
            ]
        );
        // Of IPv4 there is what was asked for in its name.
        let received = receive(&socket, 100, 200, 0)?;
        assert_eq!(
            received.control,
            [
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, of(Ipv4Addr::LOCALHOST.to_ipv6_mapped())),
                (libc::IPPROTO_IP, libc::IP_TOS, vec![0]),
            ]
        );
        Ok(())
    })
}

#[test]
fn a_source_that_is_not_the_hosts_is_refused_and_so_is_a_message_that_lies_about_its_length()
-> glassnet::Result {
    alone(async {
        let socket = Socket::udp("0.0.0.0:0")?;
        let refused = |control: Control| errno(send(&socket, b"x", "10.0.0.1:7", &[control]));
        assert_eq!(refused(in_pktinfo(0, [10, 0, 0, 9])), libc::EINVAL);
        assert_eq!(refused(in_pktinfo(7, [0; 4])), libc::ENODEV);
        assert_eq!(refused((libc::IPPROTO_IP, libc::IP_PKTINFO, vec![0; 3])), libc::EINVAL);
        assert_eq!(refused((libc::IPPROTO_IP, libc::IP_TTL, int(0))), libc::EINVAL);
        assert_eq!(refused((libc::IPPROTO_IP, libc::IP_TOS, int(256))), libc::EINVAL);
        assert_eq!(refused((libc::IPPROTO_IP, 99, int(0))), libc::EINVAL);
        assert_eq!(refused((libc::IPPROTO_UDP, libc::UDP_SEGMENT, int(4))), libc::EINVAL);
        assert_eq!(send(&socket, b"x", "10.0.0.1:7", &[in_pktinfo(2, [10, 0, 0, 1])])?, 1);
        Ok(())
    })
}

#[test]
fn what_does_not_fit_is_said_to_be_truncated() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        socket.set(libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        for _ in 0..4 {
            send(&socket, b"0123456789", "127.0.0.1:7", &[])?;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let received = receive(&socket, 4, 64, libc::MSG_PEEK)?;
        assert_eq!((received.len, received.flags), (4, libc::MSG_TRUNC));
        let received = receive(&socket, 4, 64, libc::MSG_TRUNC)?;
        assert_eq!((received.len, received.flags), (10, libc::MSG_TRUNC));
        let received = receive(&socket, 10, 20, 0)?;
        assert_eq!((received.len, received.flags), (10, libc::MSG_CTRUNC));
        assert_eq!(received.control[0].2.len(), 4);
        let received = receive(&socket, 10, 8, 0)?;
        assert_eq!((received.control.len(), received.flags), (0, libc::MSG_CTRUNC));
        let mut buffer = [0; 4];
        assert_eq!(socket.recv(&mut buffer, libc::MSG_TRUNC)?, 10);
        assert_eq!(errno(socket.recv(&mut buffer, 0)), libc::EAGAIN);
        // The queue of errors is empty.
        assert_eq!(errno(socket.recv(&mut buffer, libc::MSG_ERRQUEUE)), libc::EAGAIN);
        Ok(())
    })
}

#[test]
fn one_send_makes_many_datagrams_of_a_segment_each() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        let peer = Socket::udp("127.0.0.1:8")?;
        let segment =
            |bytes: u16| (libc::IPPROTO_UDP, libc::UDP_SEGMENT, bytes.to_ne_bytes().to_vec());
        assert_eq!(send(&socket, &[7; 2_500], "127.0.0.1:8", &[segment(1_000)])?, 2_500);
        assert_eq!(socket.get(libc::IPPROTO_UDP, libc::UDP_SEGMENT)?, 0);
        socket.set(libc::IPPROTO_UDP, libc::UDP_SEGMENT, 1_200)?;
        assert_eq!(socket.get(libc::IPPROTO_UDP, libc::UDP_SEGMENT)?, 1_200);
        assert_eq!(send(&socket, &[7; 2_400], "127.0.0.1:8", &[])?, 2_400);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let lens: Vec<_> = (0..5).map(|_| peer.recv(&mut [0; 9_000], 0).unwrap()).collect();
        assert_eq!(lens, [1_000, 1_000, 500, 1_200, 1_200]);
        let error = send(&socket, &[7; 129], "127.0.0.1:8", &[segment(1)]);
        assert_eq!(errno(error), libc::EINVAL);
        let far = Socket::udp("0.0.0.0:9")?;
        let error = send(&far, &[7; 4_000], "10.0.0.9:8", &[segment(1_473)]);
        assert_eq!(errno(error), libc::EMSGSIZE);
        assert_eq!(errno(socket.set(libc::IPPROTO_UDP, libc::UDP_SEGMENT, 1 << 16)), libc::EINVAL);
        // As a kernel before 5.0: who asks does without.
        assert_eq!(errno(socket.set(libc::IPPROTO_UDP, 104, 1)), libc::ENOPROTOOPT);
        assert_eq!(errno(socket.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)), libc::ENOPROTOOPT);
        Ok(())
    })
}

#[test]
fn a_datagram_that_may_not_be_cut_is_refused_when_it_is_too_large() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.client("client", async {
        let socket = Socket::udp("0.0.0.0:7")?;
        let large = [7; 3_000];
        assert_eq!(send(&socket, &large, "10.0.0.2:7", &[])?, 3_000);
        assert_eq!(socket.get(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)?, libc::IP_PMTUDISC_WANT);
        for discovery in [libc::IP_PMTUDISC_DO, libc::IP_PMTUDISC_PROBE] {
            socket.set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discovery)?;
            assert_eq!(socket.get(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)?, discovery);
            assert_eq!(errno(send(&socket, &large, "10.0.0.2:7", &[])), libc::EMSGSIZE);
            assert_eq!(send(&socket, &large[..1_472], "10.0.0.2:7", &[])?, 1_472);
        }
        socket.set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)?;
        assert_eq!(send(&socket, &large, "10.0.0.2:7", &[])?, 3_000);
        assert_eq!(errno(socket.set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, 9)), libc::EINVAL);
        Ok(())
    });
    sim.host("other", || async { std::future::pending().await });
    sim.run()
}

#[test]
fn many_messages_are_sent_and_received_in_one_call() -> glassnet::Result {
    alone(async {
        let socket = Socket::udp("127.0.0.1:7")?;
        socket.connect("127.0.0.1:7")?;
        let mut sent = *b"abc";
        let mut parts = [iovec { iov_base: sent.as_mut_ptr().cast(), iov_len: 3 }; 2];
        let mut message: mmsghdr = unsafe { zeroed() };
        message.msg_hdr.msg_iov = parts.as_mut_ptr();
        message.msg_hdr.msg_iovlen = 2;
        let mut messages = [message; 3];
        assert_eq!(done(unsafe { libc::sendmmsg(socket.0, messages.as_mut_ptr(), 3, 0) })?, 3);
        assert_eq!(messages.map(|message| message.msg_len), [6; 3]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut room = [0_u8; 4];
        let mut parts = [
            iovec { iov_base: room.as_mut_ptr().cast(), iov_len: 1 },
            iovec { iov_base: room[1..].as_mut_ptr().cast(), iov_len: 3 },
        ];
        message.msg_hdr.msg_iov = parts.as_mut_ptr();
        let mut messages = [message; 5];
        let none = std::ptr::null_mut();
        let take = |messages: &mut [mmsghdr; 5]| {
            done(unsafe { libc::recvmmsg(socket.0, messages.as_mut_ptr(), 5, 0, none) })
        };
        assert_eq!(take(&mut messages)?, 3);
        assert_eq!(messages.map(|message| message.msg_len), [4, 4, 4, 0, 0]);
        assert_eq!(messages[0].msg_hdr.msg_flags, libc::MSG_TRUNC);
        assert_eq!(&room, b"abca");
        assert_eq!(errno(take(&mut messages)), libc::EAGAIN);
        Ok(())
    })
}

#[test]
fn files_are_not_passed_through_a_unix_socket() -> glassnet::Result {
    alone(async {
        let (socket, _peer) = std::os::unix::net::UnixDatagram::pair()?;
        use std::os::fd::IntoRawFd;
        let socket = Socket(socket.into_raw_fd());
        let mut byte = 7_u8;
        let mut buffer = iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        let mut control = [0_usize; 4];
        let mut message: msghdr = unsafe { zeroed() };
        message.msg_iov = &mut buffer;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(4) as usize;
            *libc::CMSG_DATA(header).cast::<c_int>() = socket.0;
        }
        let refused = done(unsafe { libc::sendmsg(socket.0, &message, 0) } as i64);
        assert_eq!(errno(refused), libc::EOPNOTSUPP);
        message.msg_controllen = 0;
        assert_eq!(done(unsafe { libc::sendmsg(socket.0, &message, 0) } as i64)?, 1);
        Ok(())
    })
}

#[test]
fn a_group_is_joined_by_address_and_by_number() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    for name in ["first", "second"] {
        sim.host(name, || async {
            let socket = tokio::net::UdpSocket::bind("0.0.0.0:5353").await?;
            socket.join_multicast_v4([224, 0, 0, 251].into(), Ipv4Addr::UNSPECIFIED)?;
            socket.set_multicast_loop_v4(false)?;
            assert!(!socket.multicast_loop_v4()?);
            let mut buffer = [0; 9];
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
            socket.leave_multicast_v4([224, 0, 0, 251].into(), Ipv4Addr::UNSPECIFIED)?;
            Ok(())
        });
    }
    sim.client("client", async {
        let socket = tokio::net::UdpSocket::bind("0.0.0.0:0").await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        socket.send_to(b"who?", "224.0.0.251:5353").await?;
        for _ in 0..2 {
            assert_eq!(socket.recv(&mut [0; 9]).await?, 4);
        }
        Ok(())
    });
    sim.run()
}
