//! The live world on a cable: hosts in threads of their own, or in processes.

use std::fs;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream as OfKernel;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::directory::Directory;
use glassnet::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use glassnet::{HostOptions, Impairments, Live, Sim, greeting, time};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::sync::{Notify, oneshot};

/// The cable of one test.
struct Cable(Directory);

impl Cable {
    fn new(test: &str) -> Cable {
        Cable(Directory::new(&format!("live-{test}")))
    }

    fn path(&self) -> PathBuf {
        self.0.join("cable")
    }
}

/// A host that runs in a thread of its own.
fn host<M, F>(cable: &Path, name: &str, set: fn(&mut Live), main: M) -> JoinHandle<()>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    let (cable, name) = (cable.to_owned(), name.to_owned());
    thread::Builder::new()
        .name(name.clone())
        .spawn(move || {
            let mut live = Live::cable(cable).unwrap();
            live.hostname(&name).leave_signals(true);
            for peer in ["server", "client", "a", "b"] {
                live.peer(peer);
            }
            set(&mut live);
            live.run(main()).unwrap();
        })
        .unwrap()
}

fn as_it_is(_: &mut Live) {}

/// Connects as soon as somebody listens.
async fn connect(addr: &str) -> TcpStream {
    loop {
        match TcpStream::connect(addr).await {
            Ok(stream) => return stream,
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::TimedOut
                ),
                "{error}"
            ),
        }
        time::sleep(Duration::from_millis(10)).await;
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// One application: greets one client, and is told that it was heard.
async fn greet_one() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:12345").await?;
    let (mut stream, _) = listener.accept().await?;
    stream.write_all(greeting::GREETING.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert_eq!(answer, "heard");
    Ok(())
}

/// The other half of it.
async fn be_greeted() -> glassnet::Result {
    let mut stream = connect("server:12345").await;
    let mut heard = String::new();
    stream.read_to_string(&mut heard).await?;
    assert_eq!(heard, greeting::GREETING);
    stream.write_all(b"heard").await?;
    Ok(())
}

#[test]
fn the_same_application_runs_in_both_worlds() {
    let mut sim = Sim::new(1);
    sim.client("server", greet_one());
    sim.client("client", be_greeted());
    sim.run().unwrap();

    let cable = Cable::new("both");
    let server = host(&cable.path(), "server", as_it_is, greet_one);
    let client = host(&cable.path(), "client", as_it_is, be_greeted);
    server.join().unwrap();
    client.join().unwrap();
    assert!(!cable.path().exists(), "the socket stayed behind");
}

#[test]
fn data_is_intact_where_frames_are_lost_repeated_and_overtaken() {
    fn badly(live: &mut Live) {
        let wire = Impairments::default().delay(Duration::from_millis(1));
        live.seed(7).impairments(wire.loss(0.02).duplicate(0.02).reorder(0.05));
    }
    let cable = Cable::new("badly");
    let server = host(&cable.path(), "server", badly, || async {
        let listener = TcpListener::bind("[::]:12345").await?;
        let (mut stream, _) = listener.accept().await?;
        let mut sent = Vec::new();
        stream.read_to_end(&mut sent).await?;
        stream.write_all(&sent).await?;
        Ok(())
    });
    let client = host(&cable.path(), "client", badly, || async {
        let mut stream = connect("server:12345").await;
        let sent = pattern(200_000);
        stream.write_all(&sent).await?;
        stream.shutdown().await?;
        let mut echoed = Vec::new();
        stream.read_to_end(&mut echoed).await?;
        assert!(echoed == sent);
        Ok(())
    });
    server.join().unwrap();
    client.join().unwrap();
}

#[test]
fn a_cable_survives_the_end_of_the_process_that_made_its_switch() {
    let cable = Cable::new("takeover");
    let (end_switch, ends) = oneshot::channel::<()>();
    let (made, is_made) = mpsc::channel();
    let path = cable.path();
    let switch = host(&cable.path(), "switch", as_it_is, move || async move {
        made.send(()).unwrap();
        ends.await?;
        Ok(())
    });
    is_made.recv().unwrap();
    let (half, is_half) = mpsc::channel();
    let server = host(&path, "server", as_it_is, move || async move {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        let (mut stream, _) = listener.accept().await?;
        let expected = pattern(400_000);
        let mut came = vec![0; 200_000];
        stream.read_exact(&mut came).await?;
        half.send(())?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        came.extend(rest);
        assert!(came == expected);
        Ok(())
    });
    let client = host(&path, "client", as_it_is, || async {
        let mut stream = connect("server:12345").await;
        for piece in pattern(400_000).chunks(4_000) {
            stream.write_all(piece).await?;
            time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    });
    is_half.recv().unwrap();
    end_switch.send(()).unwrap();
    switch.join().unwrap();
    server.join().unwrap();
    client.join().unwrap();
}

#[test]
fn a_member_that_sends_rubbish_is_disconnected_and_hurts_nobody() {
    let cable = Cable::new("rubbish");
    let path = cable.path();
    let server = host(&cable.path(), "server", as_it_is, greet_one);
    let rude = loop {
        match OfKernel::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => thread::yield_now(),
        }
    };
    let mut rude = rude;
    // A whole frame of noise, and then what cannot be one.
    rude.write_all(&[&[0, 0, 0, 20][..], &[0x55; 20]].concat()).unwrap();
    rude.write_all(&[0; 4]).unwrap();
    let mut rest = Vec::new();
    // It is disconnected: the stream ends.
    let _ = rude.read_to_end(&mut rest);
    let client = host(&cable.path(), "client", as_it_is, be_greeted);
    server.join().unwrap();
    client.join().unwrap();
}

/// What a virtual machine does: QEMU's `-netdev stream`.
#[test]
fn a_stranger_who_speaks_the_format_is_a_host_like_the_others() {
    let cable = Cable::new("stranger");
    let (stop, stopped) = oneshot::channel::<()>();
    let path = cable.path();
    let server = host(
        &cable.path(),
        "server",
        |live| {
            live.address([192, 0, 2, 1], 24).mac([2, 0, 0, 0, 0, 1]);
        },
        || async move {
            stopped.await?;
            Ok(())
        },
    );
    let mut stranger = loop {
        match OfKernel::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => thread::yield_now(),
        }
    };
    // Who has 192.0.2.1? Tell 192.0.2.9.
    let question: Vec<u8> = [
        &[0xff; 6][..],
        &[2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9],
        &[192, 0, 2, 9, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1],
    ]
    .concat();
    stranger.write_all(&(question.len() as u32).to_be_bytes()).unwrap();
    stranger.write_all(&question).unwrap();
    loop {
        let mut len = [0; 4];
        stranger.read_exact(&mut len).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        stranger.read_exact(&mut frame).unwrap();
        // An ARP reply to the stranger.
        if frame[..6] == [2, 0, 0, 0, 0, 9] {
            assert_eq!(frame[12..14], [8, 6]);
            assert_eq!(frame[20..32], [0, 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1]);
            break;
        }
    }
    stop.send(()).unwrap();
    server.join().unwrap();
}

/// Sends a frame as a stranger, in the format of the cable.
fn put(stranger: &mut OfKernel, frame: &[u8]) {
    stranger.write_all(&(frame.len() as u32).to_be_bytes()).unwrap();
    stranger.write_all(frame).unwrap();
}

/// The next frame of which `pick` makes something.
fn find<T>(stranger: &mut OfKernel, pick: impl Fn(&[u8]) -> Option<T>) -> T {
    loop {
        let mut len = [0; 4];
        stranger.read_exact(&mut len).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        stranger.read_exact(&mut frame).unwrap();
        if let Some(found) = pick(&frame) {
            return found;
        }
    }
}

// RFC 4861 7.2.1: switches that hand groups only to those who listen must know who does.
#[test]
fn a_host_says_in_which_groups_its_neighbours_look_for_it() {
    let cable = Cable::new("groups");
    let path = cable.path();
    let stop = Arc::new(Notify::new());
    let until = stop.clone();
    let switch = host(&cable.path(), "switch", as_it_is, || async move {
        until.notified().await;
        Ok(())
    });
    let mut stranger = loop {
        match OfKernel::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => thread::yield_now(),
        }
    };
    let mac = |live: &mut Live| {
        live.address([0xfd00, 0, 0, 0, 0, 0, 0x12, 0x3456], 64).mac([2, 0, 0, 0x77, 0, 0x99]);
    };
    host(&cable.path(), "a", mac, || async { Ok(()) }).join().unwrap();
    // MLDv2, from the link-local address: both records.
    let mut groups = find(&mut stranger, |frame| {
        let is_report = frame[12..14] == [0x86, 0xdd] && frame.get(62) == Some(&143);
        let is_ours = frame[6..12] == [2, 0, 0, 0x77, 0, 0x99];
        (is_report && is_ours).then(|| frame[70..].to_vec())
    });
    let records = groups.as_chunks_mut::<20>().0;
    records.sort_unstable();
    let group = |last: [u8; 3]| {
        let mut record = [4, 0, 0, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
        record[17..].copy_from_slice(&last);
        record
    };
    assert_eq!(*records, [group([0x12, 0x34, 0x56]), group([0x77, 0, 0x99])]);
    stop.notify_one();
    switch.join().unwrap();
}

#[test]
fn what_is_for_another_network_goes_through_the_gateway() {
    const GATEWAY: [u8; 6] = [2, 0, 0, 0, 0, 0xfe];
    let cable = Cable::new("gateway");
    let path = cable.path();
    let client = host(
        &cable.path(),
        "client",
        |live| {
            live.address([192, 0, 2, 1], 24).gateway([192, 0, 2, 254]);
        },
        || async {
            let error = TcpStream::connect("203.0.113.7:80").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            let error = TcpStream::connect("[2001:db8::1]:80").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NetworkUnreachable);
            Ok(())
        },
    );
    let mut stranger = loop {
        match OfKernel::connect(&path) {
            Ok(stream) => break stream,
            Err(_) => thread::yield_now(),
        }
    };
    let mac = find(&mut stranger, |frame| {
        let asks_for_gateway = frame[12..14] == [8, 6] && frame[38..42] == [192, 0, 2, 254];
        asks_for_gateway.then(|| frame[6..12].to_vec())
    });
    let answer = [
        &mac[..],
        &GATEWAY,
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2],
        &GATEWAY,
        &[192, 0, 2, 254],
        &mac,
        &[192, 0, 2, 1],
    ];
    put(&mut stranger, &answer.concat());
    let syn = find(&mut stranger, |frame| (frame[12..14] == [8, 0]).then(|| frame.to_vec()));
    assert_eq!(syn[..6], GATEWAY);
    assert_eq!(syn[30..34], [203, 0, 113, 7]);
    put(&mut stranger, &reset_that_answers(&syn));
    client.join().unwrap();
}

/// The frame that refuses a SYN.
fn reset_that_answers(syn: &[u8]) -> Vec<u8> {
    let mut ip =
        [&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0][..], &syn[30..34], &syn[26..30]].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let acknowledged = u32::from_be_bytes(syn[38..42].try_into().unwrap()).wrapping_add(1);
    let mut tcp = [&syn[36..38], &syn[34..36], &[0; 4], &acknowledged.to_be_bytes()].concat();
    tcp.extend([0x50, 0x14, 0, 0, 0, 0, 0, 0]);
    let sum = checksum(&[&ip[12..20], &[0, 6, 0, 20], &tcp].concat());
    tcp[16..18].copy_from_slice(&sum);
    [&syn[6..12], &syn[..6], &[8, 0], &ip, &tcp].concat()
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

#[test]
fn a_task_that_another_thread_wakes_runs_at_once() {
    let cable = Cable::new("thread");
    let (send, receive) = oneshot::channel();
    // It sleeps without a deadline: only the waker can end this.
    let server = host(&cable.path(), "server", as_it_is, || async move {
        assert_eq!(receive.await?, 42);
        Ok(())
    });
    thread::sleep(Duration::from_millis(50));
    send.send(42).unwrap();
    server.join().unwrap();
}

#[test]
fn a_host_whose_name_is_taken_is_told_so() {
    let cable = Cable::new("taken");
    let (stop, stopped) = oneshot::channel::<()>();
    let (started, is_started) = mpsc::channel();
    let first = host(&cable.path(), "server", as_it_is, || async move {
        started.send(()).unwrap();
        stopped.await?;
        Ok(())
    });
    is_started.recv().unwrap();
    let mut second = Live::cable(cable.path()).unwrap();
    second.hostname("server").leave_signals(true);
    let error = second.run(std::future::pending::<glassnet::Result>()).unwrap_err();
    let error = error.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    stop.send(()).unwrap();
    first.join().unwrap();
}

#[test]
fn what_is_set_wrongly_is_named() {
    let cable = Cable::new("wrong");
    let wrong = |set: fn(&mut Live), named: &str| {
        let mut live = Live::cable(cable.path()).unwrap();
        live.leave_signals(true);
        set(&mut live);
        let error = live.run(async { Ok(()) }).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
        let error = error.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    };
    wrong(
        |live| {
            live.address([10, 0, 0, 1], 33);
        },
        "10.0.0.1/33",
    );
    wrong(
        |live| {
            live.address([224, 0, 0, 1], 24);
        },
        "224.0.0.1",
    );
    wrong(
        |live| {
            live.address([127, 0, 0, 1], 8);
        },
        "127.0.0.1",
    );
    wrong(
        |live| {
            live.address([10, 0, 3, 0], 24);
        },
        "such as 10.0.3.1/24",
    );
    wrong(
        |live| {
            live.address([10, 0, 3, 255], 24);
        },
        "everybody",
    );
    wrong(
        |live| {
            live.address([10, 0, 0, 1], 24).gateway([10, 0, 1, 1]);
        },
        "10.0.1.1",
    );
    wrong(
        |live| {
            live.mac([1, 0, 0, 0, 0, 1]);
        },
        "group",
    );
    wrong(
        |live| {
            live.hostname("no such name");
        },
        "no such name",
    );
    wrong(
        |live| {
            live.peer("no/name");
        },
        "no/name",
    );
    wrong(
        |live| {
            live.host_options(HostOptions::default().mtu(10));
        },
        "mtu",
    );
    wrong(
        |live| {
            live.address([0xfd00, 0, 0, 0, 0, 0, 0, 9], 64);
            live.host_options(HostOptions::default().mtu(1_279));
        },
        "an MTU of 1279 is too little for IPv6, which needs 1280 (RFC 8200 section 5): leave fd00::9",
    );
    wrong(
        |live| {
            live.impairments(Impairments::default().loss(2.0));
        },
        "loss",
    );
}

#[test]
fn a_path_that_is_something_else_is_left_alone() {
    let cable = Cable::new("file");
    fs::write(cable.path(), "a letter").unwrap();
    let error = Live::cable(cable.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(cable.path()).unwrap(), b"a letter");
    let error = Live::cable("/no/such/directory/cable").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn what_was_written_is_delivered_though_the_application_has_ended() {
    let cable = Cable::new("delivers");
    let server = host(&cable.path(), "server", as_it_is, || async {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        let (mut stream, _) = listener.accept().await?;
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await?;
        assert_eq!(came.len(), 50_000);
        Ok(())
    });
    let client = host(&cable.path(), "client", as_it_is, || async {
        let mut stream = connect("server:12345").await;
        // It fits into the buffer: the call returns before anything is acknowledged.
        stream.write_all(&pattern(50_000)).await?;
        Ok(())
    });
    client.join().unwrap();
    server.join().unwrap();
}

#[test]
fn who_does_not_close_is_reset_in_the_end_over_a_slow_cable_too() {
    let cable = Cable::new("resets");
    let server = host(&cable.path(), "server", as_it_is, || async {
        let listener = TcpListener::bind("0.0.0.0:12345").await?;
        let (mut stream, _) = listener.accept().await?;
        // The other side closes, and this one does not.
        assert_eq!(stream.read(&mut [0]).await?, 0);
        time::sleep(Duration::from_secs(6)).await;
        assert_eq!(stream.take_error()?.map(|error| error.kind()), Some(ErrorKind::BrokenPipe));
        Ok(())
    });
    let slow = |live: &mut Live| {
        live.impairments(Impairments::default().delay(Duration::from_millis(100)));
    };
    let client = host(&cable.path(), "client", slow, || async {
        connect("server:12345").await;
        Ok(())
    });
    client.join().unwrap();
    server.join().unwrap();
}

/// Takes nothing any more after some bytes.
struct FullDisk(usize);

impl Write for FullDisk {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(octets.len()).ok_or(ErrorKind::StorageFull)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_host_whose_capture_meets_a_full_disk_resets_its_connections_and_says_so() {
    let cable = Cable::new("full");
    let path = cable.path();
    let server = thread::spawn(move || {
        let mut live = Live::cable(path).unwrap();
        live.hostname("server").leave_signals(true);
        live.capture_to("the disk", FullDisk(20_000));
        let ended = live.run(async {
            let listener = TcpListener::bind("0.0.0.0:12345").await?;
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(&pattern(1_000_000)).await?;
            Ok(())
        });
        let error = ended.unwrap_err();
        assert!(error.to_string().contains("cannot write the capture the disk"), "{error}");
        assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), ErrorKind::StorageFull);
        // Nor does a later run go on as if there were none.
        let again = live.run(async { Ok(()) }).unwrap_err();
        assert!(again.to_string().contains("cannot write the capture the disk"), "{again}");
    });
    let client = host(&cable.path(), "client", as_it_is, || async {
        let mut stream = connect("server:12345").await;
        let mut came = Vec::new();
        let ended = time::timeout(Duration::from_secs(20), stream.read_to_end(&mut came)).await?;
        assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
    server.join().unwrap();
    client.join().unwrap();
}

#[test]
fn a_capture_has_every_frame_and_the_real_time() {
    let cable = Cable::new("capture");
    let before = std::time::SystemTime::now();
    let before = before.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let file = cable.0.join("server.pcapng");
    let server = {
        let (path, file) = (cable.path(), file.clone());
        thread::spawn(move || {
            let mut live = Live::cable(path).unwrap();
            live.hostname("server").leave_signals(true);
            live.capture(file).unwrap();
            live.run(greet_one()).unwrap();
            live.device_counters()
        })
    };
    let client = host(&cable.path(), "client", as_it_is, be_greeted);
    client.join().unwrap();
    let counters = server.join().unwrap();
    let bytes = fs::read(&file).unwrap();
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(&bytes).unwrap();
    let mut frames = 0;
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block {
            frames += 1;
            assert!(packet.timestamp >= before, "{:?} is before {before:?}", packet.timestamp);
        }
        rest = after;
    }
    assert_eq!(frames, counters.sent + counters.received);
}

#[test]
fn tasks_end_with_the_main_function() {
    let cable = Cable::new("tasks-end");
    let client = host(&cable.path(), "client", as_it_is, || async {
        let (alive, gone) = oneshot::channel::<()>();
        glassnet::spawn(async move {
            let _ = gone.await;
            panic!("polled after main has ended");
        });
        glassnet::task::yield_now().await;
        drop(alive);
        Ok(())
    });
    client.join().unwrap();
}

#[test]
fn a_task_that_yields_hears_what_arrives() {
    let cable = Cable::new("yields");
    let server = host(&cable.path(), "server", as_it_is, || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"hello").await?;
        stream.read_u8().await?;
        Ok(())
    });
    let client = host(&cable.path(), "client", as_it_is, || async {
        let mut stream = connect("server:7").await;
        let mut buffer = [0; 5];
        while stream.try_read(&mut buffer).is_err() {
            glassnet::task::yield_now().await;
        }
        assert_eq!(&buffer, b"hello");
        stream.write_u8(1).await?;
        Ok(())
    });
    client.join().unwrap();
    server.join().unwrap();
}
/// Runs a future in a thread outside of every world.
fn outside<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(future)
    })
}

/// A datagram sets no timer, so that a world which is not woken sleeps until the test is ended.
#[test]
fn a_thread_that_uses_a_socket_wakes_the_world_that_sleeps() {
    const ECHOES: u32 = 3_000;
    let cable = Cable::new("threads");
    let (stop, stops) = oneshot::channel::<()>();
    let server = host(&cable.path(), "server", as_it_is, move || async move {
        let socket = UdpSocket::bind("0.0.0.0:7").await?;
        glassnet::spawn(async move {
            let mut buf = [0; 4];
            loop {
                let (len, from) = socket.recv_from(&mut buf).await.unwrap();
                socket.send_to(&buf[..len], from).await.unwrap();
            }
        });
        stops.await?;
        Ok(())
    });
    let client = host(&cable.path(), "client", as_it_is, move || async move {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("server:7").await?;
        // The neighbour is known, and the server is there, when an answer is back.
        let ask = || async {
            socket.send(b"hey!").await?;
            socket.recv(&mut [0; 4]).await
        };
        while !matches!(time::timeout(Duration::from_millis(50), ask()).await, Ok(Ok(4))) {}
        let (done, is_done) = oneshot::channel();
        let thread = outside(async move {
            for number in 0..ECHOES {
                socket.send(&number.to_be_bytes()).await.unwrap();
                let mut echoed = [0; 4];
                // Each way of waiting has its turn.
                match number % 3 {
                    0 => {
                        socket.recv(&mut echoed).await.unwrap();
                    }
                    1 => loop {
                        socket.readable().await.unwrap();
                        match socket.try_recv(&mut echoed) {
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            result => {
                                result.unwrap();
                                break;
                            }
                        }
                    },
                    _ => {
                        let read = || socket.try_recv(&mut echoed);
                        socket.async_io(Interest::READABLE, read).await.unwrap();
                    }
                }
                while u32::from_be_bytes(echoed) != number {
                    // A late answer to one of the first questions.
                    assert_eq!(&echoed, b"hey!");
                    socket.recv(&mut echoed).await.unwrap();
                }
            }
            done.send(()).unwrap();
        });
        is_done.await?;
        thread.join().unwrap();
        Ok(())
    });
    client.join().unwrap();
    stop.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn threads_talk_over_tcp_while_the_world_has_nothing_else_to_do() {
    let cable = Cable::new("threads-tcp");
    host(&cable.path(), "server", as_it_is, || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (near, far) = tokio::join!(connect("server:7"), listener.accept());
        let (mut near, mut far) = (near, far?.0);
        let (done, is_done) = oneshot::channel();
        let talks = outside(async move {
            for number in 0..1_000_u32 {
                near.write_all(&number.to_be_bytes()).await.unwrap();
                assert_eq!(near.read_u32().await.unwrap(), number);
            }
        });
        let echoes = outside(async move {
            let mut buf = [0; 4];
            while far.read_exact(&mut buf).await.is_ok() {
                far.write_all(&buf).await.unwrap();
            }
            done.send(()).unwrap();
        });
        is_done.await?;
        talks.join().unwrap();
        echoes.join().unwrap();
        Ok(())
    })
    .join()
    .unwrap();
}

#[test]
fn a_thread_that_waits_for_a_socket_hears_of_the_end_of_its_world() {
    let cable = Cable::new("threads-end");
    let (give, given) = mpsc::channel();
    let world = host(&cable.path(), "server", as_it_is, move || async move {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let datagrams = UdpSocket::bind("0.0.0.0:7").await?;
        let (local, other) = UnixStream::pair()?;
        give.send((listener, datagrams, local, other))?;
        Ok(())
    });
    let (listener, datagrams, mut local, _other) = given.recv().unwrap();
    let waits = [
        outside(async move { listener.accept().await.map(drop) }),
        outside(async move { datagrams.recv(&mut [0]).await.map(drop) }),
        outside(async move { local.read_u8().await.map(drop) }),
    ];
    world.join().unwrap();
    for wait in waits {
        wait.join().unwrap().unwrap_err();
    }
}

#[test]
fn a_thread_that_waits_for_a_socket_hears_of_the_end_of_its_simulation() {
    let (give, given) = mpsc::channel();
    let mut sim = Sim::new(1);
    sim.client("server", async move {
        give.send(TcpListener::bind("0.0.0.0:7").await?)?;
        Ok(())
    });
    sim.run().unwrap();
    let listener = given.recv().unwrap();
    let waits = outside(async move { listener.accept().await.map(drop) });
    drop(sim);
    waits.join().unwrap().unwrap_err();
}

#[test]
fn each_run_has_its_own_time_and_seed_in_one_capture() {
    let cable = Cable::new("runs");
    let file = cable.0.join("two.pcapng");
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        since.unwrap()
    };
    let mut live = Live::cable(cable.path()).unwrap();
    live.hostname("twice").leave_signals(true);
    live.capture(&file).unwrap();
    let mut began = Vec::new();
    for seed in [1, 2] {
        // The next run begins when this time is over.
        thread::sleep(Duration::from_millis(20));
        began.push(now());
        live.seed(seed).run(async { Ok(()) }).unwrap();
    }
    let bytes = fs::read(&file).unwrap();
    let (mut rest, mut parser) = pcap_file::pcapng::PcapNgParser::new(&bytes).unwrap();
    let mut heads = vec![format!("{:?}", parser.section().options)];
    let mut frames = vec![Vec::new()];
    while !rest.is_empty() {
        let (after, block) = parser.next_block(rest).unwrap();
        match block {
            pcap_file::pcapng::Block::SectionHeader(head) => {
                heads.push(format!("{:?}", head.options));
                frames.push(Vec::new());
            }
            pcap_file::pcapng::Block::EnhancedPacket(packet) => {
                frames.last_mut().unwrap().push(packet.timestamp);
            }
            _ => {}
        }
        rest = after;
    }
    assert_eq!(heads.len(), 2);
    assert!(heads[0].contains("seed=1 ") && heads[1].contains("seed=2 "), "{heads:?}");
    assert!(frames[0].iter().all(|at| (began[0]..began[1]).contains(at)), "{frames:?}");
    assert!(!frames[1].is_empty() && frames[1].iter().all(|at| *at >= began[1]), "{frames:?}");
}

#[test]
fn datagrams_to_a_neighbour_that_never_answers_leave_a_row_in_the_capture() {
    let cable = Cable::new("silent-neighbour");
    let file = cable.0.join("client.pcapng");
    let mut live = Live::cable(cable.path()).unwrap();
    live.hostname("client").leave_signals(true);
    live.peer("server");
    live.capture(&file).unwrap();
    let ran = live.run(async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        for _ in 0..3 {
            socket.send_to(b"is anybody there?", "server:9").await?;
        }
        // Three questions, a second apart.
        time::sleep(Duration::from_millis(3_200)).await;
        Ok(())
    });
    ran.unwrap();
    let capture = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
    assert_eq!(capture.matches("dropped: neighbour does not answer").count(), 3);
}
