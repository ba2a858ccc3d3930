//! What servers, and others, may send.

use super::*;
use crate::host::dhcp::packet::dhcp_message;
use crate::wire::checksum::Checksum;
use crate::wire::frame::FramePool;

/// What a client makes of an offer.
fn takes(offer: &Answer) -> bool {
    let mut client = client();
    let (at, turn) = next(&mut client);
    let turn = tell(&mut client, at, said(&turn).xid, offer);
    assert!(turn.event.is_none(), "{turn:?}");
    !turn.sent.is_empty()
}

#[test]
fn an_offer_that_cannot_be_is_ignored() {
    assert!(takes(&answer(OFFER)));
    for (offer, what) in [
        (answer(OFFER).without(54), "no server"),
        (answer(OFFER).with(54, &[10, 0, 0]), "half a server"),
        (answer(OFFER).with(54, &[0; 4]), "nobody's"),
        (answer(OFFER).with(54, &[255; 4]), "everybody's"),
        (answer(OFFER).without(51), "no time"),
        (answer(OFFER).lasting(0), "no time at all"),
        (answer(OFFER).with(1, &[0; 4]), "no network"),
        (answer(OFFER).with(1, &[255, 0, 255, 0]), "a mask with a hole"),
        (answer(OFFER).with(1, &[0, 255, 255, 255]), "a mask from behind"),
        (answer(OFFER).of([0, 0, 0, 0]), "no address"),
        (answer(OFFER).of([0, 1, 2, 3]), "this network"),
        (answer(OFFER).of([127, 0, 0, 1]), "itself"),
        (answer(OFFER).of([224, 0, 0, 1]), "a group"),
        (answer(OFFER).of([250, 1, 2, 3]), "reserved"),
        (answer(OFFER).of([255, 255, 255, 255]), "everybody"),
        (answer(OFFER).of([10, 0, 0, 255]), "everybody on the network"),
        (answer(OFFER).of([10, 0, 0, 0]), "the network"),
        (Answer { to: OTHERS, ..answer(OFFER) }, "another's"),
        (answer(ACK), "nothing was requested"),
        (answer(NAK), "nothing was requested"),
        (answer(REQUEST), "a client's"),
        (answer(99), "of no type"),
    ] {
        assert!(!takes(&offer), "{what}");
    }
}

#[test]
fn what_only_adds_to_an_offer_is_left_out_where_it_cannot_be() {
    let lease = |answer: &dyn Fn(u8) -> Answer| bound(answer).0.lease().unwrap().clone();
    let routers = [10, 0, 1, 1, 10, 0, 0, 37, 10, 0, 0, 255, 10, 0, 0, 9];
    assert_eq!(lease(&|kind| answer(kind).with(3, &routers)).router, Some([10, 0, 0, 9].into()));
    assert_eq!(lease(&|kind| answer(kind).with(3, &routers[..8])).router, None);
    assert_eq!(lease(&|kind| answer(kind).with(3, &[10, 0, 0])).router, None);
    let servers =
        [0, 0, 0, 0, 10, 0, 0, 9, 10, 0, 0, 9, 224, 0, 0, 1, 8, 8, 8, 8, 1, 1, 1, 1, 9, 9, 9, 9];
    let nameservers = lease(&|kind| answer(kind).with(6, &servers)).nameservers;
    assert_eq!(nameservers.iter().map(|server| server.octets()[0]).collect::<Vec<_>>(), [10, 8, 1]);
    assert_eq!(lease(&|kind| answer(kind).with(26, &[2, 64])).mtu, Some(576));
    assert_eq!(lease(&|kind| answer(kind).with(26, &[2, 63])).mtu, None);
    assert_eq!(lease(&|kind| answer(kind).with(15, b"a b")).domain, None);
    assert_eq!(lease(&|kind| answer(kind).with(15, b"a.b\0")).domain.as_deref(), Some("a.b"));
    // RFC 791's classes, where there is no mask.
    assert_eq!(lease(&|kind| answer(kind).without(1)).prefix_len, 8);
    assert_eq!(lease(&|kind| answer(kind).without(1).of([172, 16, 0, 1])).prefix_len, 16);
    assert_eq!(lease(&|kind| answer(kind).without(1).of([192, 168, 0, 1])).prefix_len, 24);
    // RFC 3021, and a network of one.
    assert_eq!(
        lease(&|kind| answer(kind).with(1, &[255, 255, 255, 254]).of([10, 0, 0, 0])).prefix_len,
        31
    );
    assert_eq!(lease(&|kind| answer(kind).with(1, &[255; 4])).prefix_len, 32);
}

#[test]
fn a_message_that_is_cut_off_or_changed_anywhere_harms_nobody() {
    let whole = answer(OFFER).octets([0; 4]);
    for (kind, is_wanted) in [(OFFER, true), (ACK, false)] {
        let mut client = client();
        let (at, turn) = next(&mut client);
        let xid = said(&turn).xid;
        let message = answer(kind).octets(xid);
        for len in 0..message.len() - 1 {
            let mut client = self::client();
            client.turn(0, None);
            client.turn(0, Some(DhcpInput::Message(&message[..len], SERVERS)));
        }
        // Every byte, changed to what is likely to be read as a length or a kind.
        for place in 0..message.len() {
            for value in [0, 1, 3, 4, 6, 52, 53, 54, 127, 254, 255] {
                let mut changed = message.clone();
                changed[place] = value;
                let mut client = self::client();
                client.turn(0, None);
                client.turn(0, Some(DhcpInput::Message(&changed, SERVERS)));
            }
        }
        let turn = tell(&mut client, at, xid, &answer(kind));
        assert_eq!(!turn.sent.is_empty(), is_wanted);
    }
    let mut other = whole;
    other[236] = 0;
    let mut client = client();
    let (at, _) = next(&mut client);
    assert!(client.turn(at, Some(DhcpInput::Message(&other, SERVERS))).sent.is_empty());
    let wrong = tell(&mut client, at, [1, 2, 3, 4], &answer(OFFER));
    assert!(wrong.sent.is_empty(), "a number that is not ours");
}

#[test]
fn options_are_read_out_of_the_fields_that_they_overflow_into() {
    let mut client = client();
    let (at, turn) = next(&mut client);
    let small = answer(OFFER).without(54).without(51).with(52, &[3]);
    let mut bytes = small.octets(said(&turn).xid);
    bytes[108..115].copy_from_slice(&[51, 4, 0, 0, 14, 16, 255]);
    bytes[44..51].copy_from_slice(&[54, 4, 10, 0, 0, 1, 255]);
    let request = said(&client.turn(at, Some(DhcpInput::Message(&bytes, SERVERS))));
    assert_eq!(request.option(54).unwrap(), SERVER.octets());
}

#[test]
fn a_frame_has_good_checksums_and_damaged_ones_are_not_heard() {
    let mut pool = FramePool::default();
    let mut client = client();
    let turn = client.turn(0, None);
    let mut frame = turn.sent[0].frame(OURS, &mut pool);
    let bytes = frame.bytes_mut();
    assert_eq!(bytes[..14], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 10, 0, 0, 0, 0, 1, 8, 0]);
    assert_eq!(bytes[34..38], [0, 68, 0, 67]);
    // As a server's: exchanging ports changes no checksum.
    bytes[34..38].copy_from_slice(&[0, 67, 0, 68]);
    frame.set_checksum(Checksum::Unverified);
    let (message, from) = dhcp_message(&frame, OTHERS).unwrap();
    assert_eq!((message.len(), from), (frame.len() - 42, OURS));
    for place in 0..frame.len() {
        let mut damaged = frame.clone();
        damaged.bytes_mut()[place] ^= 0x11;
        // The Ethernet source has no checksum here.
        let is_heard = dhcp_message(&damaged, OTHERS).is_some();
        assert_eq!(is_heard, (6..12).contains(&place), "{place}");
    }
    for len in 0..frame.len() {
        let mut short = frame.clone();
        short.truncate(len);
        assert!(dhcp_message(&short, OTHERS).is_none(), "{len}");
    }
}
