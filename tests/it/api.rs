//! One style for what is set. Most of this is checked by compiling it: how a world, a link, a value
//! of options and a socket are told what they should do.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use glassnet::net::names::{AddrInfoHints, DnsRecord, IpVersion, NameInfoFlags};
use glassnet::net::socket::{Domain, Protocol, Socket, Type};
use glassnet::net::tcp::{SockRef, TcpKeepalive};
use glassnet::{
    Check, CongestionControl, Event, Failure, Fate, HostOptions, Impairments, LinkHandle, Schedule,
    Sim,
};

use crate::common::{ms, secs};

/// Each is a setting of the type, which gives it back for the next one.
macro_rules! chains {
    ($world:ty: $($setting:ident($($value:expr),*);)+) => {
        $(let _: for<'w> fn(&'w mut $world) -> &'w mut $world = |it| it.$setting($($value),*);)+
    };
}

/// Each is a setting of a value, which is changed and given on.
macro_rules! builds {
    ($value:ty: $($setting:ident($($to:expr),*);)+) => {
        $(let _: fn($value) -> $value = |it| it.$setting($($to),*);)+
    };
}

/// Each can be asked of both types, with one answer.
macro_rules! gets {
    ($($get:ident: $type:ty;)+) => {
        $(
            let _: fn(&Socket) -> io::Result<$type> = |it| it.$get();
            let _: fn(&SockRef<'_>) -> io::Result<$type> = |it| it.$get();
        )+
    };
}

/// Each is an option that both types have, of one type, under one name.
macro_rules! pairs {
    ($($get:ident, $set:ident: $type:ty;)+) => {
        gets! { $($get: $type;)+ }
        $(
            let _: fn(&Socket, $type) -> io::Result<()> = |it, to| it.$set(to);
            let _: fn(&SockRef<'_>, $type) -> io::Result<()> = |it, to| it.$set(to);
        )+
    };
}

#[test]
fn settings_of_a_world_and_of_a_link_chain() {
    chains! { Sim:
        host("server", || async { Ok(()) });
        client("client", async { Ok(()) });
        host_options("server", HostOptions::default());
        hosts_entry("db", [10, 0, 0, 9]);
        ip_version(IpVersion::V6);
        dns("resolver");
        dns_record("www", DnsRecord::Cname("server".to_owned()));
        capture_events(false);
        capture_to("client", "nothing", io::sink());
        capture_link_to("client", "server", "nothing", io::sink());
        observe(|_| {});
        event_limit(1_000);
        poll_limit(1_000);
        time_limit(secs(1));
        in_flight_limit(1 << 20);
        watchdog(secs(1));
        last_frames(0);
        strict(true);
        isolate_panics(true);
        schedule(Schedule::Random);
    }
    chains! { LinkHandle<'static>:
        delay(ms(20));
        jitter(ms(1));
        loss(0.1);
        duplicate(0.1);
        reorder(0.1);
        rate(8_000_000);
        rate(None);
        queue(100);
        in_flight(1 << 20);
        mtu(1_280);
        mtu(None);
        impairments(Impairments::default());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_world_on_the_wall_clock_has_the_same_settings_in_the_same_style() {
    use glassnet::Live;

    chains! { Live:
        address([192, 0, 2, 2], 24);
        gateway(Ipv4Addr::new(192, 0, 2, 1));
        nameserver([192, 0, 2, 53]);
        mac([2, 0, 0, 0, 0, 1]);
        hostname("server");
        peer("client");
        dhcp(true);
        on_lease(|_| {});
        leave_signals(true);
        seed(7);
        // As in `Sim`, for the only host there is.
        host_options(HostOptions::default());
        impairments(Impairments::default());
        hosts_entry("db", [192, 0, 2, 9]);
        capture_events(false);
        capture_to("nothing", io::sink());
    }
}

#[test]
fn values_are_built_by_methods_of_their_settings_names() {
    builds! { HostOptions:
        mtu(9_000);
        recv_buffer(1 << 20);
        send_buffer(1 << 20);
        congestion_control(CongestionControl::Cubic);
        ack_delay(ms(40));
        ack_delay(None);
        nagle(false);
        syn_retries(1);
        synack_retries(1);
        retries(1);
        orphan_retries(1);
        fin_timeout(secs(5));
        time_wait(Duration::ZERO);
        ip_local_port_range(40_000..=40_009);
        syn_backlog(16);
        reset_on_overflow(true);
        max_connections(2);
    }
    builds! { Impairments:
        delay(ms(20));
        jitter(ms(1));
        loss(0.1);
        duplicate(0.1);
        reorder(0.1);
        rate(8_000_000);
        rate(None);
        queue(100);
        in_flight(1 << 20);
        mtu(1_280);
        mtu(None);
    }
    builds! { Check:
        seed(7);
        seeds(100);
        keep_going(true);
        regressions(false);
        threads(1);
        time_limit(secs(10));
        wall_limit(secs(10));
    }
    builds! { AddrInfoHints:
        family(Domain::IPV6);
        socktype(Type::STREAM);
        protocol(Protocol::TCP);
        passive(true);
        canon_name(true);
        numeric_host(true);
        numeric_serv(true);
        v4_mapped(true);
        all(true);
    }
    builds! { NameInfoFlags:
        numeric_host(true);
        numeric_serv(true);
        name_required(true);
        datagram(true);
    }
}

#[test]
fn the_options_of_sockets_have_one_name_type_and_unit() {
    pairs! {
        keepalive, set_keepalive: bool;
        linger, set_linger: Option<Duration>;
        reuse_address, set_reuse_address: bool;
        reuse_port, set_reuse_port: bool;
        recv_buffer_size, set_recv_buffer_size: usize;
        send_buffer_size, set_send_buffer_size: usize;
        ttl_v4, set_ttl_v4: u32;
        tos_v4, set_tos_v4: u32;
        unicast_hops_v6, set_unicast_hops_v6: u32;
        tclass_v6, set_tclass_v6: u32;
        tcp_nodelay, set_tcp_nodelay: bool;
        tcp_quickack, set_tcp_quickack: bool;
        tcp_ack_delay, set_tcp_ack_delay: Option<Duration>;
        tcp_user_timeout, set_tcp_user_timeout: Option<Duration>;
    }
    // What is asked for is not what is set.
    let _: fn(&Socket, &TcpKeepalive) -> io::Result<()> = |it, to| it.set_tcp_keepalive(to);
    let _: fn(&SockRef<'_>, &TcpKeepalive) -> io::Result<()> = |it, to| it.set_tcp_keepalive(to);
    let _: fn(&Socket, &[u8]) -> io::Result<()> = |it, to| it.set_tcp_congestion(to);
    let _: fn(&SockRef<'_>, &[u8]) -> io::Result<()> = |it, to| it.set_tcp_congestion(to);
    gets! {
        tcp_keepalive_time: Duration;
        tcp_keepalive_interval: Duration;
        tcp_keepalive_retries: u32;
        tcp_congestion: Vec<u8>;
    }
}

/// These compile with their last arms only while the enums may grow.
#[test]
#[deny(unreachable_patterns)]
fn what_may_grow_is_matched_with_room_for_more() {
    let _ = |fate: &Fate| match fate {
        Fate::Arrives { at, duplicate_at, .. } => (Some(*at), *duplicate_at),
        Fate::Dropped(_) => (None, None),
        _ => (None, None),
    };
    let _ = |control: CongestionControl| match control {
        CongestionControl::Reno | CongestionControl::Cubic => Some(true),
        CongestionControl::None => Some(false),
        _ => None,
    };
    let _ = |event: &Event<'_>| match event {
        Event::Sent { packet_id, .. } | Event::Dropped { packet_id, .. } => Some(*packet_id),
        _ => None,
    };
    let _ = |failure: &Failure| match failure {
        Failure::EventLimit { limit, .. } => Some(*limit),
        _ => None,
    };
}

#[test]
fn a_setting_that_is_said_twice_is_as_it_was_said_last() {
    let took = |twice: bool| {
        let mut sim = Sim::new(7);
        let mut link = sim.link("client", "server");
        link.delay(ms(20));
        if twice {
            // A rate can be taken back.
            link.rate(8_000).queue(1).rate(None).queue(1_000).delay(secs(3)).delay(ms(20));
        }
        let options = HostOptions::default().recv_buffer(100).recv_buffer(65_535);
        sim.host_options("server", HostOptions::default().mtu(576).recv_buffer(1));
        sim.host_options("server", options);
        crate::common::echo_host(&mut sim, "server");
        sim.client("client", async {
            let stream = glassnet::net::TcpStream::connect("server:7").await?;
            crate::common::exchange(stream, vec![7; 50_000]).await?;
            Ok(())
        });
        sim.run().unwrap();
        sim.now()
    };
    assert_eq!(took(true), took(false));
}
