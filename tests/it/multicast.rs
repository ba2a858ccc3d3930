//! Groups: who hears what is sent to one, and what the network is told of it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::common::{EADDRINUSE, EADDRNOTAVAIL, EINVAL, Log, Sent, Wire, alone, errno, ms, secs};
use glassnet::Sim;
use glassnet::net::UdpSocket;
use glassnet::net::socket::{Domain, Socket, Type};
use glassnet::time::{sleep, timeout};

const ENODEV: i32 = 19;
const ENOBUFS: i32 = 105;
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const OTHER: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 4);
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3);
const LINK_GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99);
/// The number of a host's interface.
const ETH0: u32 = 2;

/// The names of those who heard something, in order, and what.
type Heard = Log<(String, String)>;

/// Adds a client that hears what its socket, made by `open`, gets for a second.
fn listener<F, O>(sim: &mut Sim, heard: &Heard, name: &str, open: O)
where
    O: FnOnce() -> F + 'static,
    F: Future<Output = io::Result<UdpSocket>> + 'static,
{
    let (heard, name) = (heard.clone(), name.to_owned());
    sim.client(&name.clone(), async move {
        let socket = open().await?;
        let mut buffer = [0; 64];
        while let Ok(received) = timeout(secs(1), socket.recv(&mut buffer)).await {
            let text = String::from_utf8(buffer[..received?].to_vec())?;
            heard.note((name.clone(), text));
        }
        Ok(())
    });
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, what)| ((*name).to_owned(), (*what).to_owned())).collect()
}

/// What of the frames are membership reports, by whom and of what: IGMP's type of record and
/// group, or MLD's.
fn reports(sent: &[Sent]) -> Vec<(String, u8, Vec<u8>)> {
    let report = |sent: &Sent| match (&sent.frame[12..14], sent.frame.get(20), sent.frame[23]) {
        ([8, 0], _, 2) => Some((sent.from.clone(), sent.frame[46], sent.frame[50..54].to_vec())),
        ([0x86, 0xdd], Some(0), _) => {
            Some((sent.from.clone(), sent.frame[70], sent.frame[74..90].to_vec()))
        }
        _ => None,
    };
    sent.iter().filter_map(report).collect()
}

#[test]
fn every_member_hears_what_is_sent_to_its_group_and_nobody_else_does() -> glassnet::Result {
    let (heard, mut sim) = (Heard::new(), Sim::new(1));
    let wire = Wire::watch(&mut sim);
    for name in ["a", "b"] {
        listener(&mut sim, &heard, name, || async {
            let socket = UdpSocket::bind("0.0.0.0:6000").await?;
            socket.join_multicast_v4(GROUP, ANY)?;
            Ok(socket)
        });
    }
    listener(&mut sim, &heard, "other-group", || async {
        let socket = UdpSocket::bind("0.0.0.0:6000").await?;
        socket.join_multicast_v4(OTHER, Ipv4Addr::new(10, 0, 0, 3))?;
        Ok(socket)
    });
    listener(&mut sim, &heard, "other-port", || async {
        let socket = UdpSocket::bind("0.0.0.0:6001").await?;
        socket.join_multicast_v4(GROUP, ANY)?;
        Ok(socket)
    });
    listener(&mut sim, &heard, "no-member", || UdpSocket::bind("0.0.0.0:6000"));
    listener(&mut sim, &heard, "left", || async {
        let socket = UdpSocket::bind("0.0.0.0:6000").await?;
        socket.join_multicast_v4(GROUP, ANY)?;
        socket.leave_multicast_v4(GROUP, ANY)?;
        Ok(socket)
    });
    sim.client("sender", async {
        sleep(ms(10)).await;
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.send_to(b"to the group", (GROUP, 6000)).await?;
        Ok(())
    });
    sim.run()?;
    assert_eq!(heard.all(), pairs(&[("a", "to the group"), ("b", "to the group")]));
    // RFC 1112 6.4; the time to live is 1.
    let sent = wire.sent();
    let datagrams: Vec<_> = sent.iter().filter(|sent| sent.frame[23] == 17).collect();
    assert_eq!(datagrams[0].frame[..6], [1, 0, 0x5e, 1, 2, 3]);
    assert_eq!(datagrams[0].frame[22], 1);
    // RFC 1122 3.2.2.1: who is not meant does not complain.
    assert!(!sent.iter().any(|sent| sent.frame[12..14] == [8, 0] && sent.frame[23] == 1));
    Ok(())
}

#[test]
fn groups_of_ipv6_are_heard_by_their_members() -> glassnet::Result {
    let (heard, mut sim) = (Heard::new(), Sim::new(1));
    for (name, group, interface) in
        [("site", GROUP_V6, 0), ("link", LINK_GROUP, ETH0), ("neither", GROUP_V6, ETH0)]
    {
        listener(&mut sim, &heard, name, move || async move {
            let socket = UdpSocket::bind("[::]:6000").await?;
            socket.join_multicast_v6(&group, interface)?;
            if name == "neither" {
                socket.leave_multicast_v6(&group, 0)?;
            }
            Ok(socket)
        });
    }
    let wire = Wire::watch(&mut sim);
    sim.client("sender", async {
        sleep(ms(10)).await;
        let socket = UdpSocket::bind("[::]:0").await?;
        socket.send_to(b"site", (GROUP_V6, 6000)).await?;
        socket.send_to(b"link", (LINK_GROUP, 6000)).await?;
        socket.connect("[ff02::99%2]:6000").await?;
        assert_eq!(socket.local_addr()?.ip(), "fe80::ff:fe00:4".parse::<Ipv6Addr>()?);
        assert_eq!(socket.peer_addr()?.to_string(), "[ff02::99%2]:6000");
        socket.send(b"link again").await?;
        let unscoped = UdpSocket::bind("[::]:0").await?;
        assert_eq!(errno(unscoped.connect((LINK_GROUP, 6000)).await), Some(EINVAL));
        Ok(())
    });
    sim.run()?;
    let expected = [("site", "site"), ("link", "link"), ("link", "link again")];
    assert_eq!(heard.all(), pairs(&expected));
    let datagrams: Vec<_> = wire.sent().into_iter().filter(|sent| sent.frame[20] == 17).collect();
    // RFC 2464 section 7.
    assert_eq!(datagrams[0].frame[..6], [0x33, 0x33, 0, 1, 0, 3]);
    assert_eq!(datagrams[0].frame[21], 1, "the hop limit");
    Ok(())
}

#[test]
fn the_senders_own_host_hears_it_unless_the_sender_says_otherwise() -> glassnet::Result {
    let (heard, mut sim) = (Heard::new(), Sim::new(1));
    listener(&mut sim, &heard, "far", || async {
        let socket = UdpSocket::bind("0.0.0.0:6000").await?;
        socket.join_multicast_v4(GROUP, ANY)?;
        Ok(socket)
    });
    sim.client("near", async {
        sleep(ms(10)).await;
        let member = UdpSocket::bind("0.0.0.0:6000").await?;
        member.join_multicast_v4(GROUP, ANY)?;
        let sender = UdpSocket::bind("0.0.0.0:0").await?;
        assert!(sender.multicast_loop_v4()?);
        let mut buffer = [0; 64];
        sender.send_to(b"loop", (GROUP, 6000)).await?;
        let (len, from) = member.recv_from(&mut buffer).await?;
        assert_eq!(&buffer[..len], b"loop");
        assert_eq!(from.ip(), Ipv4Addr::new(10, 0, 0, 2));
        sender.set_multicast_loop_v4(false)?;
        sender.send_to(b"no loop", (GROUP, 6000)).await?;
        assert!(timeout(secs(1), member.recv(&mut buffer)).await.is_err());
        // RFC 1112 6.1: time to live 0 is for this host alone.
        sender.set_multicast_loop_v4(true)?;
        sender.set_multicast_ttl_v4(0)?;
        sender.send_to(b"host", (GROUP, 6000)).await?;
        assert_eq!(member.recv(&mut buffer).await?, 4);
        Ok(())
    });
    sim.run()?;
    assert_eq!(heard.all(), pairs(&[("far", "loop"), ("far", "no loop")]));
    Ok(())
}

#[test]
fn the_members_of_one_host_each_get_a_copy() -> glassnet::Result {
    alone(async {
        let reusing = |domain, addr: &str| -> glassnet::Result<Socket> {
            let socket = Socket::new(domain, Type::DGRAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&addr.parse::<SocketAddr>()?.into())?;
            Ok(socket)
        };
        let members = [
            reusing(Domain::IPV4, "0.0.0.0:6000")?,
            reusing(Domain::IPV4, "239.1.2.3:6000")?,
            reusing(Domain::IPV6, "[::]:6000")?,
        ];
        for member in &members {
            member.join_multicast_v4(&GROUP, &ANY)?;
        }
        let deaf = [
            reusing(Domain::IPV4, "10.0.0.1:6000")?,
            reusing(Domain::IPV4, "239.1.2.4:6000")?,
            // Observed on Linux 6.18: a socket of IPv6 hears no group of IPv4 that it is not in.
            reusing(Domain::IPV6, "[::]:6000")?,
        ];
        // `ip(7)`: IP_MULTICAST_ALL.
        let bystander = reusing(Domain::IPV4, "0.0.0.0:6000")?;
        let sender = UdpSocket::bind("0.0.0.0:0").await?;
        sender.send_to(b"all", (GROUP, 6000)).await?;
        sleep(ms(1)).await;
        let mut buffer = [0; 9];
        for member in members.iter().chain([&bystander]) {
            assert_eq!(member.recv(&mut buffer).await?, 3);
            assert!(member.recv(&mut buffer).await.is_err(), "one copy each");
        }
        for deaf in &deaf {
            assert!(deaf.recv(&mut buffer).await.is_err());
        }
        Ok(())
    })
}

#[test]
fn a_socket_bound_to_a_group_hears_it_and_sends_from_the_hosts_address() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind((GROUP, 6000)).await?;
        assert_eq!(socket.local_addr()?, (GROUP, 6000).into());
        socket.join_multicast_v4(GROUP, ANY)?;
        let peer = UdpSocket::bind("10.0.0.1:0").await?;
        socket.send_to(b"x", peer.local_addr()?).await?;
        let (_, from) = peer.recv_from(&mut [0]).await?;
        assert_eq!(from, "10.0.0.1:6000".parse()?);
        peer.send_to(b"to the host", from).await?;
        peer.send_to(b"to the group", (GROUP, 6000)).await?;
        let mut buffer = [0; 64];
        let len = socket.recv(&mut buffer).await?;
        assert_eq!(&buffer[..len], b"to the group");
        // RFC 4007: a group of the link says nothing without a scope.
        assert_eq!(errno(UdpSocket::bind((LINK_GROUP, 0)).await), Some(EINVAL));
        assert!(UdpSocket::bind("[ff02::99%2]:0").await.is_ok());
        assert!(UdpSocket::bind((GROUP_V6, 0)).await.is_ok());
        Ok(())
    })
}

// `ip(7)`: IP_ADD_MEMBERSHIP; observed on Linux 6.18.
#[test]
fn joining_and_leaving_fail_as_on_linux() -> glassnet::Result {
    alone(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        let own = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(errno(socket.join_multicast_v4(own, ANY)), Some(EINVAL));
        assert_eq!(
            errno(socket.join_multicast_v4(GROUP, Ipv4Addr::new(10, 9, 9, 9))),
            Some(ENODEV)
        );
        assert_eq!(errno(socket.leave_multicast_v4(GROUP, ANY)), Some(EADDRNOTAVAIL));
        assert_eq!(errno(socket.leave_multicast_v4(own, ANY)), Some(EADDRNOTAVAIL));
        socket.join_multicast_v4(GROUP, ANY)?;
        assert_eq!(errno(socket.join_multicast_v4(GROUP, own)), Some(EADDRINUSE));
        assert_eq!(
            errno(socket.leave_multicast_v4(GROUP, Ipv4Addr::new(10, 9, 9, 9))),
            Some(EADDRNOTAVAIL)
        );
        for last in 0..19 {
            socket.join_multicast_v4(Ipv4Addr::new(239, 2, 2, last), ANY)?;
        }
        assert_eq!(errno(socket.join_multicast_v4(OTHER, ANY)), Some(ENOBUFS));
        socket.leave_multicast_v4(GROUP, own)?;
        socket.join_multicast_v4(OTHER, ANY)?;

        let v6 = UdpSocket::bind("[::]:0").await?;
        let own: Ipv6Addr = "fd00::1".parse()?;
        assert_eq!(errno(v6.join_multicast_v6(&own, 0)), Some(EINVAL));
        assert_eq!(errno(v6.join_multicast_v6(&GROUP_V6, 77)), Some(ENODEV));
        v6.join_multicast_v6(&GROUP_V6, 0)?;
        assert_eq!(errno(v6.join_multicast_v6(&GROUP_V6, ETH0)), Some(EADDRINUSE));
        assert_eq!(errno(v6.leave_multicast_v6(&LINK_GROUP, ETH0)), Some(EADDRNOTAVAIL));
        assert_eq!(errno(v6.leave_multicast_v6(&GROUP_V6, 77)), Some(EADDRNOTAVAIL));
        assert_eq!(errno(v6.leave_multicast_v6(&own, ETH0)), Some(EINVAL));
        v6.leave_multicast_v6(&GROUP_V6, ETH0)?;
        v6.join_multicast_v4(GROUP, ANY)?;
        Ok(())
    })
}

// RFC 3376 4.2 and 5.1; RFC 3810 5.2 and 6.1.
#[test]
fn the_network_is_told_of_the_first_who_joins_and_the_last_who_leaves() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("host", async {
        let first = UdpSocket::bind("[::]:0").await?;
        let second = UdpSocket::bind("[::]:0").await?;
        for socket in [&first, &second] {
            socket.join_multicast_v4(GROUP, ANY)?;
            socket.join_multicast_v6(&GROUP_V6, 0)?;
        }
        sleep(ms(1)).await;
        first.leave_multicast_v4(GROUP, ANY)?;
        second.leave_multicast_v6(&GROUP_V6, 0)?;
        sleep(ms(1)).await;
        // Closing leaves.
        drop((first, second));
        // Everybody is always in these.
        let socket = UdpSocket::bind("[::]:0").await?;
        socket.join_multicast_v4(Ipv4Addr::new(224, 0, 0, 1), ANY)?;
        socket.join_multicast_v6(&"ff02::1".parse()?, 0)?;
        sleep(ms(1)).await;
        Ok(())
    });
    sim.host("listener", || async { Ok(()) });
    sim.run()?;
    let sent = wire.sent();
    let (joins, leaves) = (4, 3);
    let (v4, v6) = (GROUP.octets().to_vec(), GROUP_V6.octets().to_vec());
    let expected = [(joins, &v4), (joins, &v6), (leaves, &v6), (leaves, &v4)];
    let expected = expected.map(|(kind, group)| ("host".to_owned(), kind, group.clone()));
    assert_eq!(reports(&sent), expected);
    let igmp = &sent.iter().find(|sent| sent.frame[23] == 2).expect("a report").frame;
    assert_eq!(igmp[..6], [1, 0, 0x5e, 0, 0, 22]);
    assert_eq!((igmp[14], igmp[15], igmp[22]), (0x46, 0xc0, 1), "options, TOS, TTL");
    assert_eq!(igmp[30..38], [224, 0, 0, 22, 0x94, 4, 0, 0], "router alert");
    let sum = |bytes: &[u8]| {
        let words = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        let sum: u32 = words.sum();
        (sum & 0xffff) + (sum >> 16)
    };
    assert_eq!((sum(&igmp[14..38]), sum(&igmp[38..54])), (0xffff, 0xffff), "both checksums");
    let mld = &sent.iter().find(|sent| sent.frame[20] == 0 && sent.frame[12] == 0x86);
    let mld = &mld.expect("a report").frame;
    assert_eq!(mld[..6], [0x33, 0x33, 0, 0, 0, 0x16]);
    assert_eq!(mld[21], 1, "the hop limit");
    assert_eq!(mld[22..24], [0xfe, 0x80], "from the link-local address");
    assert_eq!(mld[54..62], [58, 0, 5, 2, 0, 0, 1, 0], "router alert");
    assert_eq!(mld[62], 143);
    Ok(())
}

#[test]
fn a_crashed_host_is_in_no_group_any_more() -> glassnet::Result {
    let heard = Heard::new();
    let ours = heard.clone();
    let mut sim = Sim::new(1);
    let joins = Log::new();
    let join = joins.clone();
    sim.host("member", move || {
        let (ours, join) = (ours.clone(), join.clone());
        async move {
            let socket = UdpSocket::bind("0.0.0.0:6000").await?;
            if join.len() == 0 {
                socket.join_multicast_v4(GROUP, ANY)?;
            }
            join.note(());
            let mut buffer = [0; 64];
            loop {
                let len = socket.recv(&mut buffer).await?;
                ours.note(("member".into(), String::from_utf8(buffer[..len].to_vec())?));
            }
        }
    });
    sim.client("sender", async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for number in 0..4 {
            sleep(secs(1)).await;
            socket.send_to(format!("{number}").as_bytes(), (GROUP, 6000)).await?;
        }
        sleep(ms(10)).await;
        Ok(())
    });
    sim.run_for(ms(1_500))?;
    sim.crash("member");
    sim.run_for(secs(1))?;
    sim.bounce("member");
    sim.run()?;
    assert_eq!(joins.len(), 2);
    assert_eq!(heard.all(), pairs(&[("member", "0")]));
    Ok(())
}
