//! From nothing to an address, and what becomes of it.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::host::dhcp::event::{DhcpFailure, DhcpLoss};
use crate::wire::arp::{arp_announcement, arp_probe};
use crate::wire::frame::FramePool;

#[test]
fn four_messages_and_three_probes_make_an_address() {
    let mut client = client();
    let (at, turn) = next(&mut client);
    assert_eq!(at, 0);
    let discover = said(&turn);
    assert_eq!(discover.kind, DISCOVER);
    assert_eq!((discover.from, discover.to), (Ipv4Addr::UNSPECIFIED, EVERYBODY));
    assert_eq!(discover.mac, BROADCAST);
    assert_eq!(discover.option(12).unwrap(), b"server");
    assert_eq!(discover.option(55).unwrap(), [1, 3, 6, 15, 26, 51, 54, 58, 59]);
    assert_eq!(discover.option(57).unwrap(), 1500u16.to_be_bytes());
    assert_eq!((discover.option(50), discover.option(54)), (None, None));

    let request = said(&tell(&mut client, 5, discover.xid, &answer(OFFER)));
    assert_eq!((request.kind, request.to, request.own), (REQUEST, EVERYBODY, 0.into()));
    assert_eq!(request.option(50).unwrap(), ADDRESS.octets());
    assert_eq!(request.option(54).unwrap(), SERVER.octets());

    let turn = tell(&mut client, 10, discover.xid, &answer(ACK));
    assert_eq!(turn.sent, [DhcpSend::Probe(ADDRESS)]);
    assert!(client.lease().is_none());
    for after in [50, 250] {
        let (at, turn) = next(&mut client);
        assert_eq!(
            (at, &turn.sent[..]),
            (10 + after * MILLISECOND, &[DhcpSend::Probe(ADDRESS)][..])
        );
    }
    let (at, turn) = next(&mut client);
    assert_eq!(at, 10 + 300 * MILLISECOND);
    assert_eq!(turn.sent, [DhcpSend::Announcement(ADDRESS)]);
    let Some(DhcpEvent::Bound(lease)) = turn.event else { panic!("{turn:?}") };
    assert_eq!((lease.address, lease.prefix_len, lease.server), (ADDRESS, 24, SERVER));
    assert_eq!(lease.router, Some(SERVER));
    assert_eq!(lease.nameservers, [SERVER, [10, 0, 0, 2].into()]);
    assert_eq!(lease.domain.as_deref(), Some("example.net"));
    assert_eq!((lease.mtu, lease.duration), (None, Some(Duration::from_secs(3600))));
    assert_eq!(client.lease(), Some(&lease));
}

#[test]
fn a_lost_discover_is_repeated_and_after_ten_seconds_nothing_is_to_be_had() {
    let mut client = client();
    let mut times = Vec::new();
    let failed_at = loop {
        let (at, turn) = next(&mut client);
        if let Some(event) = turn.event {
            assert_eq!(event, DhcpEvent::Failed(DhcpFailure::NobodyAnswers));
            break at;
        }
        let discover = said(&turn);
        assert_eq!((discover.kind, u64::from(discover.secs)), (DISCOVER, at / SECOND));
        times.push(at);
    };
    assert_eq!((failed_at, client.deadline()), (10 * SECOND, None));
    let waits: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits.len(), 4, "{waits:?}");
    for (wait, about) in waits.iter().zip([500, 1_000, 2_000, 4_000]) {
        let about = about * MILLISECOND;
        assert!((about - about / 8..=about + about / 8).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_lost_request_is_repeated_in_the_same_words() {
    let mut client = client();
    let xid = requesting(&mut client, &answer(OFFER));
    let (at, turn) = next(&mut client);
    assert!((437 * MILLISECOND..563 * MILLISECOND).contains(&at), "{at}");
    let again = said(&turn);
    assert_eq!((again.kind, again.xid), (REQUEST, xid));
    assert_eq!(again.option(50).unwrap(), ADDRESS.octets());
    let failed = loop {
        if let Some(event) = next(&mut client).1.event {
            break event;
        }
    };
    let unconfirmed = DhcpFailure::Unconfirmed { server: SERVER, address: ADDRESS };
    assert_eq!(failed, DhcpEvent::Failed(unconfirmed));
}

#[test]
fn who_is_refused_asks_again_under_another_number() {
    let mut client = client();
    let xid = requesting(&mut client, &answer(OFFER));
    let refusal = answer(NAK).with(56, b"no such\x1bnetwork").of([0, 0, 0, 0]);
    let turn = tell(&mut client, SECOND, xid, &refusal);
    assert!(turn.sent.is_empty() && turn.event.is_none(), "{turn:?}");
    let (at, turn) = next(&mut client);
    assert_eq!(at, SECOND + 500 * MILLISECOND);
    let again = said(&turn);
    assert_eq!(again.kind, DISCOVER);
    assert_ne!(again.xid, xid);
    let failed = loop {
        if let Some(event) = next(&mut client).1.event {
            break event;
        }
    };
    let why = Some("no such\\u{1b}network".to_owned());
    assert_eq!(failed, DhcpEvent::Failed(DhcpFailure::Refused { server: SERVER, why }));
}

#[test]
fn an_address_that_a_neighbour_has_is_declined() {
    let mut pool = FramePool::default();
    let claims = [
        arp_announcement(OTHERS, ADDRESS, &mut pool),
        // Another that is about to take it: RFC 5227 2.1.1.
        arp_probe(OTHERS, ADDRESS, &mut pool),
    ];
    for claim in claims {
        let mut client = client();
        let xid = requesting(&mut client, &answer(OFFER));
        tell(&mut client, 0, xid, &answer(ACK));
        let turn = client.turn(20 * MILLISECOND, Some(DhcpInput::Arp(claim.packet())));
        let decline = said(&turn);
        assert_eq!((decline.kind, decline.to, decline.own), (DECLINE, EVERYBODY, 0.into()));
        assert_eq!(decline.option(50).unwrap(), ADDRESS.octets());
        assert_eq!(decline.option(54).unwrap(), SERVER.octets());
        // RFC 2131 table 5.
        assert_eq!((decline.option(55), decline.option(57)), (None, None));
        assert!(client.lease().is_none());
        let (at, turn) = next(&mut client);
        assert_eq!(at, SECOND + 20 * MILLISECOND);
        assert_eq!(said(&turn).kind, DISCOVER);
        let failed = loop {
            if let Some(event) = next(&mut client).1.event {
                break event;
            }
        };
        let in_use = DhcpFailure::InUse { server: SERVER, address: ADDRESS, by: OTHERS };
        assert_eq!(failed, DhcpEvent::Failed(in_use));
    }
}

#[test]
fn our_own_probes_and_those_for_other_addresses_are_no_conflict() {
    let mut pool = FramePool::default();
    let mut client = client();
    let xid = requesting(&mut client, &answer(OFFER));
    tell(&mut client, 0, xid, &answer(ACK));
    for frame in [
        arp_probe(OURS, ADDRESS, &mut pool),
        arp_probe(OTHERS, [10, 0, 0, 38].into(), &mut pool),
        arp_announcement(OTHERS, [10, 0, 0, 38].into(), &mut pool),
    ] {
        let turn = client.turn(MILLISECOND, Some(DhcpInput::Arp(frame.packet())));
        assert!(turn.sent.is_empty(), "{turn:?}");
    }
    let turn = client.turn(MILLISECOND, Some(DhcpInput::Arp(&[0; 7])));
    assert!(turn.sent.is_empty(), "{turn:?}");
}

#[test]
fn the_server_itself_is_asked_for_more_time_after_half_of_it() {
    let (mut client, _) = bound(answer);
    let (at, turn) = next(&mut client);
    assert_eq!(at, 1800 * SECOND);
    let renewal = said(&turn);
    assert_eq!((renewal.kind, renewal.from, renewal.to), (REQUEST, ADDRESS, SERVER));
    assert_eq!((renewal.mac, renewal.own), (SERVERS, ADDRESS));
    // RFC 2131 4.3.2: neither is there in RENEWING.
    assert_eq!((renewal.option(50), renewal.option(54)), (None, None));
    let turn = tell(&mut client, at + SECOND, renewal.xid, &answer(ACK).lasting(1000));
    let Some(DhcpEvent::Renewed(lease)) = turn.event else { panic!("{turn:?}") };
    assert_eq!(lease.duration, Some(Duration::from_secs(1000)));
    // Time counts from the question: RFC 2131 4.4.5.
    assert_eq!(client.deadline(), Some(at + 500 * SECOND));
}

#[test]
fn a_server_that_is_silent_is_asked_again_and_then_everybody_is() {
    let (mut client, _) = bound(answer);
    let mut asked = Vec::new();
    let lost_at = loop {
        let (at, turn) = next(&mut client);
        if let Some(event) = turn.event {
            let expired = DhcpLoss::Expired { server: SERVER, address: ADDRESS };
            assert_eq!((event, turn.sent.len()), (DhcpEvent::Lost(expired), 0));
            break at;
        }
        let renewal = said(&turn);
        assert_eq!((renewal.kind, renewal.own, renewal.from), (REQUEST, ADDRESS, ADDRESS));
        asked.push((at / SECOND, renewal.to));
    };
    assert_eq!((lost_at, client.deadline()), (3600 * SECOND, None));
    assert!(client.lease().is_none() && client.release().is_none());
    // Halfway to T2, and halfway to the end, a minute apart at least: RFC 2131 4.4.5.
    let to_server = [1800, 2475, 2812, 2981, 3065, 3125];
    let to_all = [3150, 3375, 3487, 3547];
    let expected: Vec<(u64, Ipv4Addr)> = to_server
        .map(|at| (at, SERVER))
        .into_iter()
        .chain(to_all.map(|at| (at, EVERYBODY)))
        .collect();
    assert_eq!(asked, expected);

    // Less than a minute apart where all of it is not much more.
    let (mut client, _) = bound(|kind| answer(kind).lasting(120));
    let mut asked = Vec::new();
    while let (at, turn) = next(&mut client)
        && turn.event.is_none()
    {
        asked.push(at / SECOND);
    }
    assert_eq!(asked, [60, 82, 93, 101, 105, 112]);
}

#[test]
fn another_server_may_give_more_time() {
    let (mut client, _) = bound(answer);
    let renewal = loop {
        let (at, turn) = next(&mut client);
        let renewal = said(&turn);
        if renewal.to == EVERYBODY {
            break (at, renewal);
        }
    };
    let (at, renewal) = renewal;
    assert_eq!((renewal.mac, renewal.option(50)), (BROADCAST, None));
    let other = answer(ACK).with(54, &[10, 0, 0, 2]);
    let message = other.octets(renewal.xid);
    let turn = client.turn(at, Some(DhcpInput::Message(&message, OTHERS)));
    let Some(DhcpEvent::Renewed(lease)) = turn.event else { panic!("{turn:?}") };
    assert_eq!(lease.server, Ipv4Addr::new(10, 0, 0, 2));
    let renewal = said(&next(&mut client).1);
    assert_eq!((renewal.to, renewal.mac), ([10, 0, 0, 2].into(), OTHERS));
}

#[test]
fn who_may_not_keep_its_address_has_none() {
    let (mut client, _) = bound(answer);
    let (at, turn) = next(&mut client);
    let turn = tell(&mut client, at, said(&turn).xid, &answer(NAK).of([0, 0, 0, 0]));
    let refused = DhcpLoss::Refused { server: Some(SERVER), address: ADDRESS, why: None };
    assert_eq!(turn.event, Some(DhcpEvent::Lost(refused)));
    assert!(client.lease().is_none() && client.deadline().is_none());

    let (mut client, _) = bound(answer);
    let (at, turn) = next(&mut client);
    let turn = tell(&mut client, at, said(&turn).xid, &answer(ACK).of([10, 0, 0, 40]));
    let changed = DhcpLoss::Changed { address: ADDRESS, to: [10, 0, 0, 40].into() };
    assert_eq!(turn.event, Some(DhcpEvent::Lost(changed)));
    assert!(client.lease().is_none());
}

#[test]
fn what_is_given_back_is_given_back_once() {
    let (mut client, _) = bound(answer);
    let Some(DhcpSend::Message { bytes, source, destination, to }) = client.release() else {
        panic!("nothing was said")
    };
    let release = heard(&bytes, source, destination, to);
    assert_eq!((release.kind, release.own), (RELEASE, ADDRESS));
    assert_eq!((release.from, release.to, release.mac), (ADDRESS, SERVER, SERVERS));
    assert_eq!(release.option(54).unwrap(), SERVER.octets());
    assert_eq!((release.option(50), release.secs), (None, 0));
    assert_eq!((client.release(), client.deadline()), (None, None));
}

#[test]
fn a_server_s_own_times_count_where_they_make_sense() {
    let renews_at = |renewal: u32, rebinding: u32| {
        let times = move |kind| {
            let answer = answer(kind).lasting(1000).with(58, &renewal.to_be_bytes());
            answer.with(59, &rebinding.to_be_bytes())
        };
        bound(times).0.deadline().unwrap() / SECOND
    };
    assert_eq!(renews_at(100, 900), 100);
    assert_eq!(renews_at(0, 900), 500);
    assert_eq!(renews_at(950, 900), 500);
    assert_eq!(renews_at(2000, 3000), 500);
    assert_eq!(renews_at(500, 400), 400);
    assert_eq!(renews_at(u32::MAX, u32::MAX), 500);
}

#[test]
fn a_lease_for_ever_is_never_renewed() {
    let (client, _) = bound(|kind| answer(kind).lasting(u32::MAX));
    assert_eq!((client.deadline(), client.lease().unwrap().duration), (None, None));
    // One second less is 136 years.
    let (client, _) = bound(|kind| answer(kind).lasting(u32::MAX - 1));
    assert_eq!(client.deadline(), Some((u64::from(u32::MAX) - 1) * SECOND / 2));
}
