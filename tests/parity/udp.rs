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
