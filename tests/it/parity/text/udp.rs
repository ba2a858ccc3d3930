// Included once with `net` standing for `tokio::net` and once for `glassnet::net`: every method
// with its types and bounds, and a conversation whose outcomes the two are compared by.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use net::UdpSocket;
use tokio::io::{Interest, ReadBuf, Ready};

fn is_socket<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug + 'static>() {}

/// A future that can be moved to another thread, and what it gives.
fn gives<T>(_: impl Future<Output = io::Result<T>> + Send) {}

pub fn the_type_has_the_traits() {
    is_socket::<UdpSocket>();
}

type Bytes<'a> = &'a [u8];
type Room<'a> = &'a mut [u8];
type Received = io::Result<(usize, SocketAddr)>;
type PollUnit = Poll<io::Result<()>>;
type PollSize = Poll<io::Result<usize>>;
type PollFrom = Poll<io::Result<SocketAddr>>;

#[allow(deprecated)]
pub fn the_plain_methods_have_the_signatures() {
    type Socket = UdpSocket;
    type Set<T> = fn(&Socket, T) -> io::Result<()>;
    type Get<T> = fn(&Socket) -> io::Result<T>;
    let _: Get<SocketAddr> = UdpSocket::local_addr;
    let _: Get<SocketAddr> = UdpSocket::peer_addr;
    let _: fn(&Socket, &mut Context<'_>) -> PollUnit = UdpSocket::poll_send_ready;
    let _: fn(&Socket, &mut Context<'_>) -> PollUnit = UdpSocket::poll_recv_ready;
    let _: fn(&Socket, &mut Context<'_>, Bytes<'_>) -> PollSize = UdpSocket::poll_send;
    let _: fn(&Socket, &mut Context<'_>, Bytes<'_>, SocketAddr) -> PollSize =
        UdpSocket::poll_send_to;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> PollUnit = UdpSocket::poll_recv;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> PollFrom = UdpSocket::poll_recv_from;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> PollUnit = UdpSocket::poll_peek;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> PollFrom = UdpSocket::poll_peek_from;
    let _: fn(&Socket, &mut Context<'_>) -> PollFrom = UdpSocket::poll_peek_sender;
    let _: fn(&Socket, Bytes<'_>) -> io::Result<usize> = UdpSocket::try_send;
    let _: fn(&Socket, Bytes<'_>, SocketAddr) -> io::Result<usize> = UdpSocket::try_send_to;
    let _: fn(&Socket, Room<'_>) -> io::Result<usize> = UdpSocket::try_recv;
    let _: fn(&Socket, Room<'_>) -> Received = UdpSocket::try_recv_from;
    let _: fn(&Socket, &mut Vec<u8>) -> io::Result<usize> = UdpSocket::try_recv_buf;
    let _: fn(&Socket, &mut &'static mut [u8]) -> io::Result<usize> = UdpSocket::try_recv_buf;
    let _: fn(&Socket, &mut Vec<u8>) -> Received = UdpSocket::try_recv_buf_from;
    let _: fn(&Socket, Room<'_>) -> io::Result<usize> = UdpSocket::try_peek;
    let _: fn(&Socket, Room<'_>) -> Received = UdpSocket::try_peek_from;
    let _: Get<SocketAddr> = UdpSocket::try_peek_sender;
    type Try = fn() -> io::Result<u8>;
    let _: fn(&Socket, Interest, Try) -> io::Result<u8> = UdpSocket::try_io;
    let _: Get<bool> = UdpSocket::broadcast;
    let _: Set<bool> = UdpSocket::set_broadcast;
    let _: Get<bool> = UdpSocket::multicast_loop_v4;
    let _: Set<bool> = UdpSocket::set_multicast_loop_v4;
    let _: Get<u32> = UdpSocket::multicast_ttl_v4;
    let _: Set<u32> = UdpSocket::set_multicast_ttl_v4;
    let _: Get<bool> = UdpSocket::multicast_loop_v6;
    let _: Set<bool> = UdpSocket::set_multicast_loop_v6;
    let _: Get<u32> = UdpSocket::tclass_v6;
    let _: Set<u32> = UdpSocket::set_tclass_v6;
    let _: Get<u32> = UdpSocket::ttl;
    let _: Set<u32> = UdpSocket::set_ttl;
    let _: Get<u32> = UdpSocket::tos_v4;
    let _: Get<u32> = UdpSocket::tos;
    let _: Set<u32> = UdpSocket::set_tos_v4;
    let _: Set<u32> = UdpSocket::set_tos;
    let _: Get<Option<Vec<u8>>> = UdpSocket::device;
    let _: fn(&Socket, Option<Bytes<'_>>) -> io::Result<()> = UdpSocket::bind_device;
    let _: fn(&Socket, Ipv4Addr, Ipv4Addr) -> io::Result<()> = UdpSocket::join_multicast_v4;
    let _: fn(&Socket, &Ipv6Addr, u32) -> io::Result<()> = UdpSocket::join_multicast_v6;
    let _: fn(&Socket, Ipv4Addr, Ipv4Addr) -> io::Result<()> = UdpSocket::leave_multicast_v4;
    let _: fn(&Socket, &Ipv6Addr, u32) -> io::Result<()> = UdpSocket::leave_multicast_v6;
    let _: Get<Option<io::Error>> = UdpSocket::take_error;
}

/// Compiled and never called: the futures are `Send` and give what they must.
pub fn the_async_methods_have_the_signatures(socket: &UdpSocket, address: SocketAddr) {
    let mut buf = [0; 8];
    gives::<UdpSocket>(UdpSocket::bind("0.0.0.0:0"));
    gives::<UdpSocket>(UdpSocket::bind(("name", 0)));
    gives::<UdpSocket>(UdpSocket::bind((String::new(), 0)));
    gives::<UdpSocket>(UdpSocket::bind(String::new()));
    gives::<UdpSocket>(UdpSocket::bind(&String::new()));
    gives::<UdpSocket>(UdpSocket::bind(address));
    gives::<UdpSocket>(UdpSocket::bind(&[address][..]));
    gives::<()>(socket.connect((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)));
    gives::<()>(socket.connect((Ipv6Addr::LOCALHOST, 0)));
    gives::<()>(socket.connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)));
    gives::<Ready>(socket.ready(Interest::READABLE | Interest::WRITABLE));
    gives::<()>(socket.writable());
    gives::<usize>(socket.send(b"octets"));
    gives::<()>(socket.readable());
    gives::<usize>(socket.recv(&mut buf));
    gives::<usize>(socket.recv_buf(&mut Vec::new()));
    gives::<(usize, SocketAddr)>(socket.recv_buf_from(&mut Vec::new()));
    gives::<usize>(socket.send_to(b"octets", "name:7"));
    gives::<usize>(socket.send_to(b"octets", SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)));
    gives::<(usize, SocketAddr)>(socket.recv_from(&mut buf));
    gives::<u8>(socket.async_io(Interest::READABLE, || Ok(1)));
    gives::<usize>(socket.peek(&mut buf));
    gives::<(usize, SocketAddr)>(socket.peek_from(&mut buf));
    gives::<SocketAddr>(socket.peek_sender());
}

/// What calls gave, line by line. Ports are the system's choice, so they are not told.
#[derive(Default)]
struct Protocol(Vec<String>);

impl Protocol {
    fn note<T: Debug>(&mut self, call: &str, result: io::Result<T>) {
        self.0.push(match result {
            Ok(value) => format!("{call}: {value:?}"),
            Err(error) => {
                let number = error.raw_os_error();
                format!("{call}: {:?} {number:?} {error}", error.kind())
            }
        });
    }

    /// As `note`; an address is told by whether it is the one that is expected.
    fn from<T: Debug>(
        &mut self,
        call: &str,
        result: io::Result<(T, SocketAddr)>,
        expected: &UdpSocket,
    ) {
        let expected = expected.local_addr().unwrap();
        self.note(call, result.map(|(value, from)| (value, from == expected)));
    }

    fn address(&mut self, call: &str, result: io::Result<SocketAddr>) {
        self.note(call, result.map(|address| (address.ip(), address.port() != 0)));
    }
}

/// Calls and what came of them. `settle` waits until everything that was sent has arrived.
pub async fn conversation(settle: impl AsyncFn()) -> io::Result<Vec<String>> {
    let mut protocol = Protocol::default();
    addresses(&mut protocol).await?;
    datagrams(&mut protocol).await?;
    readiness(&mut protocol).await?;
    refusals(&mut protocol, settle).await?;
    options(&mut protocol).await?;
    Ok(protocol.0)
}

async fn pair() -> io::Result<(UdpSocket, UdpSocket)> {
    let receiver = UdpSocket::bind("127.0.0.1:0").await?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    sender.connect(receiver.local_addr()?).await?;
    Ok((receiver, sender))
}

async fn addresses(protocol: &mut Protocol) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    protocol.address("local_addr", socket.local_addr());
    protocol.address("peer_addr", socket.peer_addr());
    protocol.note("bind in use", UdpSocket::bind(socket.local_addr()?).await.map(drop));
    let specific = (Ipv4Addr::LOCALHOST, socket.local_addr()?.port());
    protocol.note("bind under a wildcard", UdpSocket::bind(specific).await.map(drop));
    protocol.note("bind foreign", UdpSocket::bind("192.0.2.1:0").await.map(drop));
    protocol.note("bind text", UdpSocket::bind("no port").await.map(drop));
    protocol.note("bind nothing", UdpSocket::bind(&[][..]).await.map(drop));
    protocol.note("connect nothing", socket.connect(&[][..]).await);
    protocol.note("send_to nothing", socket.send_to(b"x", &[][..]).await);
    protocol.address(
        "bind group",
        UdpSocket::bind("239.1.2.3:0").await.and_then(|socket| socket.local_addr()),
    );
    protocol.address(
        "bind broadcast",
        UdpSocket::bind("255.255.255.255:0").await.and_then(|socket| socket.local_addr()),
    );
    protocol.note("connect", socket.connect("127.0.0.1:9").await);
    protocol.address("local_addr", socket.local_addr());
    protocol.note("peer_addr", socket.peer_addr());
    protocol.note("connect again", socket.connect("127.0.0.2:10").await);
    protocol.address("local_addr", socket.local_addr());
    protocol.note("peer_addr", socket.peer_addr());
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    protocol.note("connect any", socket.connect("0.0.0.0:9").await);
    protocol.address("local_addr", socket.local_addr());
    protocol.note("peer_addr", socket.peer_addr());
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    protocol.note("connect port 0", socket.connect("127.0.0.1:0").await);
    protocol.note("peer_addr", socket.peer_addr());
    protocol.note("connect ipv6", socket.connect("[::1]:9").await);
    protocol.note("send_to ipv6", socket.send_to(b"x", "[::1]:9").await);
    Ok(())
}

async fn datagrams(protocol: &mut Protocol) -> io::Result<()> {
    let mut buf = [0; 16];
    let (receiver, sender) = pair().await?;
    for datagram in [&b"0123456789"[..], b"", b"three", b"four"] {
        protocol.note("send", sender.send(datagram).await);
    }
    protocol.note("recv", receiver.recv(&mut buf[..4]).await);
    protocol.from("recv_from", receiver.recv_from(&mut buf).await, &sender);
    protocol.from("peek_from", receiver.peek_from(&mut buf[..2]).await, &sender);
    protocol.note("peek", receiver.peek(&mut buf).await);
    protocol.note("try_peek", receiver.try_peek(&mut buf[..0]));
    let is_sender = |from| Ok(from == sender.local_addr()?);
    protocol.note("peek_sender", receiver.peek_sender().await.and_then(is_sender));
    protocol.note("try_peek_sender", receiver.try_peek_sender().and_then(is_sender));
    let mut advancing = Vec::from(*b"here: ");
    protocol.note("recv_buf", receiver.recv_buf(&mut advancing).await);
    protocol.note("advanced", Ok(advancing));
    let mut three = [0; 3];
    protocol.from("recv_buf_from", receiver.recv_buf_from(&mut &mut three[..]).await, &sender);
    protocol.note("advanced", Ok(three));

    protocol.note("to the peer", receiver.send_to(b"answer", sender.local_addr()?).await);
    protocol.from("answer", sender.recv_from(&mut buf).await, &receiver);
    let stranger = UdpSocket::bind("127.0.0.1:0").await?;
    stranger.send_to(b"stranger", sender.local_addr()?).await?;
    receiver.send_to(b"peer", sender.local_addr()?).await?;
    protocol.from("filtered", sender.recv_from(&mut buf).await, &receiver);
    protocol.note("elsewhere", sender.send_to(b"else", stranger.local_addr()?).await);
    protocol.from("elsewhere", stranger.recv_from(&mut buf).await, &sender);

    let largest = vec![7; 65_507];
    protocol.note("send largest", sender.send(&largest).await);
    let mut room = vec![0; 70_000];
    protocol.note("recv largest", receiver.recv(&mut room).await);
    protocol.note("send larger", sender.send(&vec![7; 65_508]).await);
    protocol.note("send 70000", sender.send(&vec![7; 70_000]).await);
    protocol.note("unconnected", receiver.send(b"x").await);
    protocol.note("unconnected larger", receiver.send(&vec![7; 65_508]).await);
    protocol.note("port 0", receiver.send_to(b"x", "127.0.0.1:0").await);
    protocol.note("port 0 larger", receiver.send_to(&vec![7; 65_508], "127.0.0.1:0").await);
    Ok(())
}

async fn readiness(protocol: &mut Protocol) -> io::Result<()> {
    let mut buf = [0; 16];
    let (receiver, sender) = pair().await?;
    let all = Interest::READABLE | Interest::WRITABLE;
    protocol.note("ready", receiver.ready(all).await);
    protocol.note("try_recv", receiver.try_recv(&mut buf));
    protocol.note("try_recv_from", receiver.try_recv_from(&mut buf));
    protocol.note("try_recv_buf", receiver.try_recv_buf(&mut Vec::with_capacity(8)));
    protocol.note("try_peek", receiver.try_peek(&mut buf));
    protocol.note("try_peek_sender", receiver.try_peek_sender());
    sender.send(b"hello").await?;
    receiver.readable().await?;
    protocol.note("ready", receiver.ready(all).await);
    let blocks = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    protocol.note("try_io", receiver.try_io(Interest::WRITABLE, || Ok(1)));
    protocol.note("try_io", receiver.try_io(Interest::READABLE, || Ok(2)));
    protocol.note("try_io", receiver.try_io(Interest::WRITABLE, blocks));
    protocol.from("try_peek_from", receiver.try_peek_from(&mut buf), &sender);
    protocol.from("try_recv_from", receiver.try_recv_from(&mut buf), &sender);
    protocol.note("try_recv", receiver.try_recv(&mut buf));
    sender.send(b"again").await?;
    let received =
        receiver.async_io(Interest::READABLE, || receiver.try_recv(&mut buf)).await;
    protocol.note("async_io", received);
    protocol.note("writable", sender.writable().await);
    protocol.note("try_send", sender.try_send(b"plain"));
    protocol.note("recv", receiver.recv(&mut buf).await);
    let to = receiver.local_addr()?;
    protocol.note("try_send_to", sender.try_send_to(b"to", to));
    protocol.note("recv", receiver.recv(&mut buf).await);
    protocol.note("try_send larger", sender.try_send(&vec![7; 65_508]));
    protocol.note("try_send unconnected", receiver.try_send(b"x"));
    Ok(())
}

async fn refusals(protocol: &mut Protocol, settle: impl AsyncFn()) -> io::Result<()> {
    let mut buf = [0; 16];
    let (closed, sender) = pair().await?;
    let to = closed.local_addr()?;
    drop(closed);
    protocol.note("send", sender.send(b"x").await);
    protocol.note("recv", sender.recv(&mut buf).await);
    protocol.note("take_error", sender.take_error());
    protocol.note("send", sender.send(b"x").await);
    settle().await;
    protocol.note("send refused", sender.send(b"x").await);
    protocol.note("send", sender.send(b"x").await);
    settle().await;
    let ready = sender.ready(Interest::ERROR).await;
    protocol.note("ready", ready.map(|ready| ready.is_error()));
    // What has failed is not readable, but can be written to: in vain.
    let readable = sender.try_io(Interest::READABLE, || Ok(()));
    protocol.note("readable", readable);
    let ready = sender.ready(Interest::READABLE | Interest::WRITABLE).await;
    protocol.note("ready", ready);
    protocol.note("take_error", sender.take_error());
    protocol.note("take_error", sender.take_error());
    protocol.note("send elsewhere", sender.send(b"x").await);
    settle().await;
    let other = UdpSocket::bind("127.0.0.1:0").await?;
    protocol.note("send elsewhere", sender.send_to(b"x", other.local_addr()?).await);
    protocol.note("send larger", sender.send(&vec![7; 65_508]).await);

    let unconnected = UdpSocket::bind("127.0.0.1:0").await?;
    for _ in 0..3 {
        protocol.note("send_to", unconnected.send_to(b"x", to).await);
    }
    settle().await;
    protocol.note("take_error", unconnected.take_error());
    Ok(())
}

#[allow(deprecated)]
async fn options(protocol: &mut Protocol) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    protocol.note("broadcast", socket.broadcast());
    protocol.note("set_broadcast", socket.set_broadcast(true));
    protocol.note("broadcast", socket.broadcast());
    protocol.note("ttl", socket.ttl());
    for ttl in [0, 1, 255, 256] {
        protocol.note("set_ttl", socket.set_ttl(ttl));
        protocol.note("ttl", socket.ttl());
    }
    for tos in [0x10, 0xff, 300] {
        protocol.note("set_tos_v4", socket.set_tos_v4(tos));
        protocol.note("tos_v4", socket.tos_v4());
        protocol.note("set_tos", socket.set_tos(tos));
        protocol.note("tos", socket.tos());
    }
    protocol.note("multicast_loop_v4", socket.multicast_loop_v4());
    protocol.note("set_multicast_loop_v4", socket.set_multicast_loop_v4(false));
    protocol.note("multicast_loop_v4", socket.multicast_loop_v4());
    protocol.note("multicast_ttl_v4", socket.multicast_ttl_v4());
    for ttl in [0, 255, 256] {
        protocol.note("set_multicast_ttl_v4", socket.set_multicast_ttl_v4(ttl));
        protocol.note("multicast_ttl_v4", socket.multicast_ttl_v4());
    }
    protocol.note("multicast_loop_v6", socket.multicast_loop_v6());
    protocol.note("set_multicast_loop_v6", socket.set_multicast_loop_v6(true));
    protocol.note("tclass_v6", socket.tclass_v6());
    protocol.note("set_tclass_v6", socket.set_tclass_v6(1));
    let group = "ff05::9".parse().unwrap();
    protocol.note("join_multicast_v6", socket.join_multicast_v6(&group, 0));
    protocol.note("leave_multicast_v6", socket.leave_multicast_v6(&group, 0));
    let (group, any) = (Ipv4Addr::new(239, 1, 2, 3), Ipv4Addr::UNSPECIFIED);
    let foreign = Ipv4Addr::new(192, 0, 2, 1);
    protocol.note("join a host", socket.join_multicast_v4(foreign, any));
    protocol.note("join elsewhere", socket.join_multicast_v4(group, foreign));
    protocol.note("leave elsewhere", socket.leave_multicast_v4(group, foreign));
    protocol.note("device", socket.device());
    protocol.note("bind_device", socket.bind_device(None));
    protocol.note("bind_device", socket.bind_device(Some(b"")));
    Ok(())
}
