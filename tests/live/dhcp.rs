//! DHCP in the live world: a host on a cable, and a server written by hand at the other end.

use std::io::{ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::directory::Directory;
use glassnet::net::{TcpStream, lookup_host};
use glassnet::{Impairments, Lease, Live, time};
use tokio::sync::oneshot;

const MAC: [u8; 6] = [0x0a, 0, 0, 0, 0, 0xfe];
const CLIENT: [u8; 6] = [0x0a, 0, 0, 0, 0, 1];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 37);

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;

/// The other end of a cable, with a DHCP server that does what a test says.
struct Server {
    directory: Directory,
    listener: UnixListener,
    stream: Option<UnixStream>,
    /// The kind and the number of the last message.
    last: Option<(u8, Vec<u8>)>,
}

/// What a client said to it.
#[derive(Debug)]
struct Said {
    kind: u8,
    to: Ipv4Addr,
    message: Vec<u8>,
}

impl Server {
    fn new(test: &str) -> Server {
        let directory = Directory::new(&format!("dhcp-{test}"));
        let listener = UnixListener::bind(directory.join("cable")).unwrap();
        Server { directory, listener, stream: None, last: None }
    }

    /// A host on the cable.
    fn live(&self) -> Live {
        live(self.directory.join("cable"))
    }

    fn stream(&mut self) -> &mut UnixStream {
        let listener = &self.listener;
        self.stream.get_or_insert_with(|| listener.accept().unwrap().0)
    }

    /// The next frame; `None` when the host is gone.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 4];
        self.stream().read_exact(&mut len).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        self.stream().read_exact(&mut frame).unwrap();
        Some(frame)
    }

    /// The next message to a server, without repetitions of the last one, of which there are some
    /// where the server is slow.
    fn hears(&mut self, kind: u8) -> Said {
        loop {
            let frame = self.frame().unwrap();
            let Some(said) = said(&frame) else { continue };
            let heard = (said.kind, said.message[4..8].to_vec());
            if self.last.as_ref() != Some(&heard) {
                assert_eq!(said.kind, kind, "{said:?}");
                self.last = Some(heard);
                return said;
            }
        }
    }

    fn put(&mut self, frame: &[u8]) {
        let len = (frame.len() as u32).to_be_bytes();
        self.stream().write_all(&[&len, frame].concat()).unwrap();
    }

    /// Answers with an address, and options after those that must be.
    fn answer(&mut self, kind: u8, said: &Said, address: Ipv4Addr, options: &[u8]) {
        let mut message = vec![0; 240];
        message[..3].copy_from_slice(&[2, 1, 6]);
        message[4..8].copy_from_slice(&said.message[4..8]);
        message[16..20].copy_from_slice(&address.octets());
        message[28..34].copy_from_slice(&said.message[28..34]);
        message[236..].copy_from_slice(&[99, 130, 83, 99]);
        message.extend([53, 1, kind, 54, 4, 10, 0, 0, 1]);
        if kind != NAK {
            message.extend([1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16]);
        }
        message.extend(options);
        message.push(255);
        let udp_len = (8 + message.len() as u16).to_be_bytes();
        let ip_len = (28 + message.len() as u16).to_be_bytes();
        let mut ip = [&[0x45, 0], &ip_len[..], &[0, 0, 0, 0, 64, 17, 0, 0]].concat();
        ip.extend(SERVER.octets());
        ip.extend(address.octets());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum);
        let udp = [&[0, 67, 0, 68], &udp_len[..], &[0, 0]].concat();
        self.put(&[&CLIENT[..], &MAC, &[8, 0], &ip, &udp, &message].concat());
    }

    /// Lends an address, from the first message to the last.
    fn lend(&mut self, address: Ipv4Addr, options: &[u8]) {
        let discover = self.hears(DISCOVER);
        self.answer(OFFER, &discover, address, options);
        let request = self.hears(REQUEST);
        assert_eq!(request.option(50).unwrap(), address.octets());
        self.answer(ACK, &request, address, options);
    }
}

impl Said {
    fn option(&self, code: u8) -> Option<&[u8]> {
        let mut rest = &self.message[240..];
        while let [found, len, after @ ..] = rest
            && *found != 255
        {
            let (data, after) = after.split_at(usize::from(*len));
            if *found == code {
                return Some(data);
            }
            rest = after;
        }
        None
    }
}

fn said(frame: &[u8]) -> Option<Said> {
    if frame[12..14] != [8, 0] || frame[23] != 17 || frame[34..38] != [0, 68, 0, 67] {
        return None;
    }
    let to = Ipv4Addr::from(*frame[30..].first_chunk::<4>().unwrap());
    let message = frame[42..].to_vec();
    Some(Said { kind: message[242], to, message })
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn live(cable: PathBuf) -> Live {
    let mut live = Live::cable(cable).unwrap();
    live.hostname("asker").mac(CLIENT).leave_signals(true);
    live
}

/// Runs in a thread of its own a host that has an address by DHCP and waits for its end.
fn asker(
    server: &Server,
    set: fn(&mut Live),
) -> (JoinHandle<Option<std::io::Error>>, oneshot::Sender<()>, mpsc::Receiver<Lease>) {
    let cable = server.directory.join("cable");
    let (end, ends) = oneshot::channel();
    let (told, leases) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut live = live(cable);
        live.dhcp(true).on_lease(move |lease| {
            let _ = told.send(lease.clone());
        });
        set(&mut live);
        let ended = live.run(async {
            ends.await?;
            Ok(())
        });
        ended.err().map(|error| *error.downcast::<std::io::Error>().unwrap())
    });
    (thread, end, leases)
}

fn as_it_is(_: &mut Live) {}

#[test]
fn a_host_that_is_lent_an_address_has_it_and_gives_it_back() {
    let mut server = Server::new("bound");
    let mut host = server.live();
    host.dhcp(true).impairments(Impairments::default().delay(Duration::from_millis(20)));
    let thread = thread::spawn(move || {
        server.lend(ADDRESS, &[3, 4, 10, 0, 0, 1, 26, 2, 2, 88]);
        // What comes through the router that it was told of.
        let syn = loop {
            let frame = server.frame().unwrap();
            if frame[12..14] == [8, 6] && frame[38..42] == SERVER.octets() {
                let reply = [
                    &CLIENT[..],
                    &MAC,
                    &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
                    &MAC,
                    &SERVER.octets(),
                    &CLIENT,
                    &ADDRESS.octets(),
                ];
                server.put(&reply.concat());
            }
            if frame[12..14] == [8, 0] && frame[23] == 6 {
                break frame;
            }
        };
        assert_eq!(syn[..6], MAC);
        assert_eq!((&syn[26..30], &syn[30..34]), (&ADDRESS.octets()[..], &[192, 0, 2, 9][..]));
        // The MSS follows from the MTU of 600.
        assert_eq!(syn[54..58], [2, 4, 2, 48]);
        let release = server.hears(RELEASE);
        assert_eq!((release.to, &release.message[12..16]), (SERVER, &ADDRESS.octets()[..]));
        assert_eq!(release.option(54).unwrap(), SERVER.octets());
        assert_eq!(server.frame(), None, "something came after the last word");
    });
    let main = async {
        let mut own: Vec<_> = lookup_host("asker:80").await?.collect();
        own.retain(std::net::SocketAddr::is_ipv4);
        assert_eq!(own, ["10.0.0.37:80".parse().unwrap()]);
        let connecting = TcpStream::connect("192.0.2.9:80");
        assert!(time::timeout(Duration::from_millis(300), connecting).await.is_err());
        Ok(())
    };
    host.run(main).unwrap();
    drop(host);
    thread.join().unwrap();
}

#[test]
fn the_server_learns_who_asks_and_what_for() {
    let mut server = Server::new("asks");
    let (thread, end, leases) = asker(&server, as_it_is);
    let discover = server.hears(DISCOVER);
    assert_eq!(discover.message[28..34], CLIENT);
    assert_eq!(discover.option(12).unwrap(), b"asker");
    assert_eq!(discover.option(61).unwrap(), [1, 10, 0, 0, 0, 0, 1]);
    assert_eq!(discover.option(55).unwrap(), [1, 3, 6, 15, 26, 51, 54, 58, 59]);
    server.answer(OFFER, &discover, ADDRESS, &[]);
    let request = server.hears(REQUEST);
    server.answer(ACK, &request, ADDRESS, &[6, 4, 10, 0, 0, 2]);
    let lease = leases.recv().unwrap();
    assert_eq!((lease.address, lease.prefix_len, lease.server), (ADDRESS, 24, SERVER));
    assert_eq!(lease.nameservers, [Ipv4Addr::new(10, 0, 0, 2)]);
    assert_eq!(lease.duration, Some(Duration::from_secs(3600)));
    end.send(()).unwrap();
    server.hears(RELEASE);
    assert!(thread.join().unwrap().is_none());
}

#[test]
fn a_lease_is_renewed_while_the_host_runs() {
    let mut server = Server::new("renewed");
    let (thread, end, leases) = asker(&server, as_it_is);
    // T1 is one second.
    server.lend(ADDRESS, &[58, 4, 0, 0, 0, 1]);
    assert_eq!(leases.recv().unwrap().router, None);
    let renewal = server.hears(REQUEST);
    assert_eq!((renewal.to, &renewal.message[12..16]), (SERVER, &ADDRESS.octets()[..]));
    assert_eq!((renewal.option(50), renewal.option(54)), (None, None));
    server.answer(ACK, &renewal, ADDRESS, &[3, 4, 10, 0, 0, 9]);
    assert_eq!(leases.recv().unwrap().router, Some([10, 0, 0, 9].into()));
    end.send(()).unwrap();
    server.hears(RELEASE);
    assert!(thread.join().unwrap().is_none());
}

#[test]
fn a_host_that_may_not_keep_its_address_ends_without_a_word() {
    let mut server = Server::new("refused");
    let (thread, _end, leases) = asker(&server, as_it_is);
    server.lend(ADDRESS, &[58, 4, 0, 0, 0, 1]);
    leases.recv().unwrap();
    let renewal = server.hears(REQUEST);
    server.answer(NAK, &renewal, Ipv4Addr::UNSPECIFIED, b"\x38\x04away");
    let error = thread.join().unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    let text = error.to_string();
    assert!(text.contains("10.0.0.37") && text.contains("away"), "{text}");
    assert_eq!(server.frame(), None);
}

#[test]
fn who_is_refused_or_offered_what_a_neighbour_has_asks_again() {
    let mut server = Server::new("again");
    let (thread, end, leases) = asker(&server, as_it_is);
    let discover = server.hears(DISCOVER);
    server.answer(OFFER, &discover, ADDRESS, &[]);
    let request = server.hears(REQUEST);
    server.answer(NAK, &request, Ipv4Addr::UNSPECIFIED, &[]);
    server.lend(ADDRESS, &[]);
    // The neighbour answers the probe.
    while server.frame().unwrap()[12..14] != [8, 6] {}
    let other = [0x0a, 0, 0, 0, 0, 3];
    let claim = [
        &CLIENT[..],
        &other,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
        &other,
        &ADDRESS.octets(),
        &CLIENT,
        &[0; 4],
    ];
    server.put(&claim.concat());
    let decline = server.hears(DECLINE);
    assert_eq!(decline.option(50).unwrap(), ADDRESS.octets());
    server.lend([10, 0, 0, 38].into(), &[]);
    assert_eq!(leases.recv().unwrap().address, Ipv4Addr::new(10, 0, 0, 38));
    end.send(()).unwrap();
    server.hears(RELEASE);
    assert!(thread.join().unwrap().is_none());
}

#[test]
fn rubbish_from_a_server_keeps_nobody_from_an_address() {
    let mut server = Server::new("rubbish");
    let (thread, end, leases) = asker(&server, as_it_is);
    let discover = server.hears(DISCOVER);
    for address in [[0; 4], [255; 4], [224, 0, 0, 1], [10, 0, 0, 255]] {
        server.answer(OFFER, &discover, address.into(), &[]);
    }
    for options in [
        // Masks of nothing, and with a hole; no time; no server; an option that goes on for ever.
        &[1, 4, 0, 0, 0, 0][..],
        &[1, 4, 255, 0, 255, 0],
        &[51, 4, 0, 0, 0, 0],
        &[54, 4, 0, 0, 0, 0],
        &[53, 255],
    ] {
        let whole = if options == [53, 255] { ACK } else { OFFER };
        server.answer(whole, &discover, ADDRESS, options);
    }
    server.answer(OFFER, &discover, ADDRESS, &[]);
    let request = server.hears(REQUEST);
    server.answer(ACK, &request, ADDRESS, &[]);
    assert_eq!(leases.recv().unwrap().address, ADDRESS);
    end.send(()).unwrap();
    server.hears(RELEASE);
    assert!(thread.join().unwrap().is_none());
}

#[test]
fn where_no_server_answers_the_host_does_not_start() {
    let mut server = Server::new("nobody");
    let (thread, end, leases) = asker(&server, as_it_is);
    let mut asked = 0;
    while let Some(frame) = server.frame() {
        asked += usize::from(said(&frame).is_some_and(|said| said.kind == DISCOVER));
    }
    assert_eq!(asked, 5);
    let error = thread.join().unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let text = error.to_string();
    assert!(text.contains("no DHCP server answers") && text.contains("without DHCP"), "{text}");
    assert!(leases.recv().is_err() && end.is_closed());
}

#[test]
fn what_cannot_be_together_is_named() {
    let server = Server::new("wrong");
    let wrong = |set: fn(&mut Live), named: &str| {
        let mut live = server.live();
        set(live.dhcp(true));
        let error = live.run(async { Ok(()) }).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        let error = error.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    };
    wrong(|live| _ = live.address([10, 0, 0, 5], 24), "10.0.0.5");
    wrong(|live| _ = live.gateway([10, 0, 0, 9]), "10.0.0.9");
}
