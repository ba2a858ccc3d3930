// Included twice by `../tcp.rs`: with `net` being `tokio::net`, and with `net` being
// `glassnet::net`. Nothing else differs, so what compiles here compiles with either.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};
use std::time::Duration;

use net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
use net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready,
};

// ---- Traits -------------------------------------------------------------------------------

fn is_an_object<T: Send + Sync + Unpin + Debug + 'static>() {}
fn reads<T: AsyncRead + Send + Sync + Unpin + Debug>() {}
fn writes<T: AsyncWrite + Send + Sync + Unpin + Debug>() {}
fn is_a_stream<T: AsRef<TcpStream>>() {}
fn is_an_error<T: Error + Display + Debug + Send + Sync + 'static>() {}
fn survives_panics<T: UnwindSafe + RefUnwindSafe>() {}
fn is_an_address<T: ToSocketAddrs>() {}
fn is_an_address_even_if_unsized<T: ToSocketAddrs + ?Sized>() {}

#[test]
fn the_types_have_the_traits() {
    is_an_object::<TcpListener>();
    is_an_object::<TcpSocket>();
    is_an_object::<TcpStream>();
    is_an_object::<OwnedReadHalf>();
    is_an_object::<OwnedWriteHalf>();
    reads::<TcpStream>();
    reads::<ReadHalf<'static>>();
    reads::<OwnedReadHalf>();
    writes::<TcpStream>();
    writes::<WriteHalf<'static>>();
    writes::<OwnedWriteHalf>();
    is_a_stream::<TcpStream>();
    is_a_stream::<ReadHalf<'static>>();
    is_a_stream::<WriteHalf<'static>>();
    is_a_stream::<OwnedReadHalf>();
    is_a_stream::<OwnedWriteHalf>();
    is_an_error::<ReuniteError>();
    survives_panics::<TcpListener>();
    survives_panics::<TcpSocket>();
    survives_panics::<TcpStream>();
    is_an_address::<SocketAddr>();
    is_an_address::<SocketAddrV4>();
    is_an_address::<SocketAddrV6>();
    is_an_address::<(IpAddr, u16)>();
    is_an_address::<(Ipv4Addr, u16)>();
    is_an_address::<(Ipv6Addr, u16)>();
    is_an_address::<(&str, u16)>();
    is_an_address::<(String, u16)>();
    is_an_address::<String>();
    is_an_address::<&[SocketAddr]>();
    is_an_address::<&&str>();
    is_an_address_even_if_unsized::<str>();
}

// ---- Signatures ---------------------------------------------------------------------------

/// The futures of tokio's methods are all `Send`.
fn sends<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    future
}

type Polled<T> = Poll<io::Result<T>>;

#[test]
#[allow(deprecated)]
fn the_methods_that_do_not_wait_have_the_signatures() {
    let _: fn(&TcpListener) -> io::Result<SocketAddr> = TcpListener::local_addr;
    let _: fn(&TcpListener) -> io::Result<u32> = TcpListener::ttl;
    let _: fn(&TcpListener, u32) -> io::Result<()> = TcpListener::set_ttl;
    let _: for<'a, 'b, 'c> fn(
        &'a TcpListener,
        &'b mut Context<'c>,
    ) -> Polled<(TcpStream, SocketAddr)> = TcpListener::poll_accept;

    let _: fn() -> io::Result<TcpSocket> = TcpSocket::new_v4;
    let _: fn() -> io::Result<TcpSocket> = TcpSocket::new_v6;
    let _: fn(&TcpSocket, SocketAddr) -> io::Result<()> = TcpSocket::bind;
    let _: fn(TcpSocket, u32) -> io::Result<TcpListener> = TcpSocket::listen;
    let _: fn(&TcpSocket) -> io::Result<SocketAddr> = TcpSocket::local_addr;
    let _: fn(&TcpSocket) -> io::Result<Option<io::Error>> = TcpSocket::take_error;
    let setters: [fn(&TcpSocket, bool) -> io::Result<()>; 4] = [
        TcpSocket::set_keepalive,
        TcpSocket::set_nodelay,
        TcpSocket::set_reuseaddr,
        TcpSocket::set_reuseport,
    ];
    let getters: [fn(&TcpSocket) -> io::Result<bool>; 4] =
        [TcpSocket::keepalive, TcpSocket::nodelay, TcpSocket::reuseaddr, TcpSocket::reuseport];
    assert_eq!(setters.len(), getters.len());
    let setters: [fn(&TcpSocket, u32) -> io::Result<()>; 5] = [
        TcpSocket::set_recv_buffer_size,
        TcpSocket::set_send_buffer_size,
        TcpSocket::set_tos_v4,
        TcpSocket::set_tos,
        TcpSocket::set_tclass_v6,
    ];
    let getters: [fn(&TcpSocket) -> io::Result<u32>; 5] = [
        TcpSocket::recv_buffer_size,
        TcpSocket::send_buffer_size,
        TcpSocket::tos_v4,
        TcpSocket::tos,
        TcpSocket::tclass_v6,
    ];
    assert_eq!(setters.len(), getters.len());
    let _: fn(&TcpSocket) -> io::Result<Option<Duration>> = TcpSocket::linger;
    let _: fn(&TcpSocket, Option<Duration>) -> io::Result<()> = TcpSocket::set_linger;
    let _: fn(&TcpSocket) -> io::Result<()> = TcpSocket::set_zero_linger;
    let _: fn(&TcpSocket) -> io::Result<Option<Vec<u8>>> = TcpSocket::device;
    let _: for<'a, 'b> fn(&'a TcpSocket, Option<&'b [u8]>) -> io::Result<()> =
        TcpSocket::bind_device;

    let _: fn(&TcpStream) -> io::Result<SocketAddr> = TcpStream::local_addr;
    let _: fn(&TcpStream) -> io::Result<SocketAddr> = TcpStream::peer_addr;
    let _: fn(&TcpStream) -> io::Result<Option<io::Error>> = TcpStream::take_error;
    let _: fn(&TcpStream) -> io::Result<bool> = TcpStream::nodelay;
    let _: fn(&TcpStream, bool) -> io::Result<()> = TcpStream::set_nodelay;
    let _: fn(&TcpStream) -> io::Result<bool> = TcpStream::quickack;
    let _: fn(&TcpStream, bool) -> io::Result<()> = TcpStream::set_quickack;
    let _: fn(&TcpStream) -> io::Result<Option<Duration>> = TcpStream::linger;
    let _: fn(&TcpStream, Option<Duration>) -> io::Result<()> = TcpStream::set_linger;
    let _: fn(&TcpStream) -> io::Result<()> = TcpStream::set_zero_linger;
    let _: fn(&TcpStream) -> io::Result<u32> = TcpStream::ttl;
    let _: fn(&TcpStream, u32) -> io::Result<()> = TcpStream::set_ttl;
    let _: for<'a, 'b> fn(&'a TcpStream, &'b mut [u8]) -> io::Result<usize> = TcpStream::try_read;
    let _: for<'a, 'b, 'c> fn(&'a TcpStream, &'b mut [IoSliceMut<'c>]) -> io::Result<usize> =
        TcpStream::try_read_vectored;
    let _: for<'a, 'b> fn(&'a TcpStream, &'b mut Vec<u8>) -> io::Result<usize> =
        TcpStream::try_read_buf::<Vec<u8>>;
    let _: for<'a, 'b> fn(&'a TcpStream, &'b [u8]) -> io::Result<usize> = TcpStream::try_write;
    let _: for<'a, 'b, 'c> fn(&'a TcpStream, &'b [IoSlice<'c>]) -> io::Result<usize> =
        TcpStream::try_write_vectored;
    let _: for<'a, 'b, 'c> fn(&'a TcpStream, &'b mut Context<'c>) -> Polled<()> =
        TcpStream::poll_read_ready;
    let _: for<'a, 'b, 'c> fn(&'a TcpStream, &'b mut Context<'c>) -> Polled<()> =
        TcpStream::poll_write_ready;
    let _: for<'a, 'b, 'c, 'd, 'e> fn(
        &'a TcpStream,
        &'b mut Context<'c>,
        &'d mut ReadBuf<'e>,
    ) -> Polled<usize> = TcpStream::poll_peek;
    let _: for<'a> fn(&'a mut TcpStream) -> (ReadHalf<'a>, WriteHalf<'a>) = TcpStream::split;
    let _: fn(TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) = TcpStream::into_split;

    let _: fn(OwnedReadHalf, OwnedWriteHalf) -> Result<TcpStream, ReuniteError> =
        OwnedReadHalf::reunite;
    let _: fn(OwnedWriteHalf, OwnedReadHalf) -> Result<TcpStream, ReuniteError> =
        OwnedWriteHalf::reunite;
    let _: fn(OwnedWriteHalf) = OwnedWriteHalf::forget;
    let _: fn(OwnedReadHalf, OwnedWriteHalf) -> ReuniteError = ReuniteError;
    let addresses: [fn(&OwnedReadHalf) -> io::Result<SocketAddr>; 2] =
        [OwnedReadHalf::local_addr, OwnedReadHalf::peer_addr];
    let _: for<'a, 'b> fn(&'a OwnedReadHalf, &'b mut [u8]) -> io::Result<usize> =
        OwnedReadHalf::try_read;
    let _: for<'a, 'b, 'c> fn(&'a OwnedReadHalf, &'b mut [IoSliceMut<'c>]) -> io::Result<usize> =
        OwnedReadHalf::try_read_vectored;
    let _: for<'a, 'b> fn(&'a OwnedReadHalf, &'b mut Vec<u8>) -> io::Result<usize> =
        OwnedReadHalf::try_read_buf::<Vec<u8>>;
    let _: for<'a, 'b, 'c, 'd, 'e> fn(
        &'a mut OwnedReadHalf,
        &'b mut Context<'c>,
        &'d mut ReadBuf<'e>,
    ) -> Polled<usize> = OwnedReadHalf::poll_peek;
    assert_eq!(addresses.len(), 2);
    let addresses: [fn(&OwnedWriteHalf) -> io::Result<SocketAddr>; 2] =
        [OwnedWriteHalf::local_addr, OwnedWriteHalf::peer_addr];
    let _: for<'a, 'b> fn(&'a OwnedWriteHalf, &'b [u8]) -> io::Result<usize> =
        OwnedWriteHalf::try_write;
    let _: for<'a, 'b, 'c> fn(&'a OwnedWriteHalf, &'b [IoSlice<'c>]) -> io::Result<usize> =
        OwnedWriteHalf::try_write_vectored;
    assert_eq!(addresses.len(), 2);
}

/// The borrowed halves, which have a lifetime of their own. It is compiled, and never called.
#[allow(dead_code)]
fn the_borrowed_halves_have_the_signatures<'h>(read: &mut ReadHalf<'h>, write: &mut WriteHalf<'h>) {
    let _: io::Result<SocketAddr> = ReadHalf::local_addr(read);
    let _: io::Result<SocketAddr> = ReadHalf::peer_addr(read);
    let _: io::Result<usize> = ReadHalf::try_read(read, &mut [0; 4]);
    let _: io::Result<usize> =
        ReadHalf::try_read_vectored(read, &mut [IoSliceMut::new(&mut [0; 4])]);
    let _: io::Result<usize> = ReadHalf::try_read_buf(read, &mut Vec::new());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let _: Polled<usize> = ReadHalf::poll_peek(read, &mut cx, &mut ReadBuf::new(&mut [0; 4]));
    drop(sends::<io::Result<usize>>(ReadHalf::peek(read, &mut [0; 4])));
    drop(sends::<io::Result<()>>(ReadHalf::readable(read)));
    drop(sends::<io::Result<Ready>>(ReadHalf::ready(read, Interest::READABLE)));
    let _: &TcpStream = read.as_ref();
    let _: io::Result<SocketAddr> = WriteHalf::local_addr(write);
    let _: io::Result<SocketAddr> = WriteHalf::peer_addr(write);
    let _: io::Result<usize> = WriteHalf::try_write(write, &[0; 4]);
    let _: io::Result<usize> = WriteHalf::try_write_vectored(write, &[IoSlice::new(&[0; 4])]);
    drop(sends::<io::Result<()>>(WriteHalf::writable(write)));
    drop(sends::<io::Result<Ready>>(WriteHalf::ready(write, Interest::WRITABLE)));
    let _: &TcpStream = write.as_ref();
}

/// The methods that wait, and the generic ones. It is compiled, and never called.
#[allow(dead_code)]
async fn the_methods_that_wait_have_the_signatures(
    socket: TcpSocket,
    address: SocketAddr,
) -> io::Result<()> {
    let listener: TcpListener = sends(TcpListener::bind::<&str>("127.0.0.1:0")).await?;
    let (_, _): (TcpStream, SocketAddr) = sends(listener.accept()).await?;
    let stream: TcpStream = sends(TcpStream::connect::<(&str, u16)>(("localhost", 80))).await?;
    let _: TcpStream = sends(socket.connect(address)).await?;
    let _: Ready = sends(stream.ready(Interest::READABLE | Interest::WRITABLE)).await?;
    let _: () = sends(stream.readable()).await?;
    let _: () = sends(stream.writable()).await?;
    let _: usize = sends(stream.peek(&mut [0; 4])).await?;
    let _: u8 = stream.try_io::<u8>(Interest::READABLE, || Ok(7))?;
    let _: u8 = sends(stream.async_io::<u8>(Interest::WRITABLE, || Ok(7))).await?;
    let (mut read, write) = stream.into_split();
    let _: Ready = sends(read.ready(Interest::READABLE)).await?;
    let _: () = sends(read.readable()).await?;
    let _: usize = sends(read.peek(&mut [0; 4])).await?;
    let _: Ready = sends(write.ready(Interest::WRITABLE)).await?;
    let _: () = sends(write.writable()).await?;
    let _: &TcpStream = write.as_ref();
    Ok(())
}

// ---- Behaviour ----------------------------------------------------------------------------

/// What calls gave, one line each.
#[derive(Default)]
pub(crate) struct Observations(Vec<String>);

impl Observations {
    fn note(&mut self, call: &str, gave: impl Debug) {
        self.0.push(format!("{call}: {gave:?}"));
    }

    /// A result: its value, or the kind and the number of its error.
    fn result<T: Debug>(&mut self, call: &str, result: io::Result<T>) {
        match result {
            Ok(value) => self.note(call, value),
            Err(error) => self.note(call, (error.kind(), error.raw_os_error())),
        }
    }
}

/// A pair of connected streams: who connected, and who was accepted.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    // So that what is written arrives at once, on the kernel's loopback, too.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok((client, server))
}

/// Waits until there is something to read. (What tokio's `readable` remembers may be out of date.)
async fn arrival(stream: &TcpStream) -> io::Result<()> {
    stream.peek(&mut [0]).await.map(drop)
}

/// Calls everything once on one host, and says what it gave.
pub(crate) async fn observe() -> io::Result<Vec<String>> {
    let mut seen = Observations::default();
    sockets(&mut seen).await?;
    binding(&mut seen).await?;
    streams(&mut seen).await?;
    readiness(&mut seen).await?;
    halves(&mut seen).await?;
    endings(&mut seen).await?;
    Ok(seen.0)
}

#[allow(deprecated)]
async fn sockets(seen: &mut Observations) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    seen.result("unbound", socket.local_addr());
    seen.result("v6 unbound", TcpSocket::new_v6()?.local_addr());
    for on in [true, false] {
        seen.result("set_keepalive", socket.set_keepalive(on));
        seen.result("keepalive", socket.keepalive());
        seen.result("set_reuseaddr", socket.set_reuseaddr(on));
        seen.result("reuseaddr", socket.reuseaddr());
        seen.result("set_reuseport", socket.set_reuseport(on));
        seen.result("reuseport", socket.reuseport());
        seen.result("set_nodelay", socket.set_nodelay(on));
        seen.result("nodelay", socket.nodelay());
    }
    for linger in [None, Some(Duration::from_millis(1_500)), Some(Duration::from_millis(999))] {
        seen.result("set_linger", socket.set_linger(linger));
        seen.result("linger", socket.linger());
    }
    seen.result("set_linger", socket.set_linger(None));
    seen.result("set_zero_linger", socket.set_zero_linger());
    seen.result("linger", socket.linger());
    seen.result("set_linger", socket.set_linger(None));
    for tos in [0x10, 0xff, 0x1b8, 0] {
        seen.result("set_tos_v4", socket.set_tos_v4(tos));
        seen.result("tos_v4", socket.tos_v4());
        seen.result("set_tos", socket.set_tos(tos));
        seen.result("tos", socket.tos());
    }
    seen.result("tclass_v6 of v4", socket.tclass_v6());
    seen.result("set_tclass_v6 of v4", socket.set_tclass_v6(8));
    let v6 = TcpSocket::new_v6()?;
    for class in [0x10, 0xff, 256] {
        seen.result("set_tclass_v6", v6.set_tclass_v6(class));
        seen.result("tclass_v6", v6.tclass_v6());
    }
    seen.result("set_send_buffer_size", socket.set_send_buffer_size(20_000));
    seen.result("set_recv_buffer_size", socket.set_recv_buffer_size(20_000));
    seen.note("send_buffer_size", socket.send_buffer_size()? >= 20_000);
    seen.note("recv_buffer_size", socket.recv_buffer_size()? >= 20_000);
    seen.result("device", socket.device());
    seen.result("bind_device", socket.bind_device(None));
    seen.result("take_error", socket.take_error());
    seen.result("v4 bind to v6", socket.bind("[::1]:0".parse().unwrap()));
    seen.result("v6 bind to v4", v6.bind("127.0.0.1:0".parse().unwrap()));
    seen.result("v4 connect to v6", socket.connect("[::1]:1".parse().unwrap()).await.map(drop));
    seen.result("v6 connect to v4", v6.connect("127.0.0.1:1".parse().unwrap()).await.map(drop));
    Ok(())
}

async fn binding(seen: &mut Observations) -> io::Result<()> {
    let first = TcpSocket::new_v4()?;
    first.bind("127.0.0.1:0".parse().unwrap())?;
    let address = first.local_addr()?;
    seen.result("bind twice", first.bind("127.0.0.1:0".parse().unwrap()));
    let second = TcpSocket::new_v4()?;
    seen.result("bind in use", second.bind(address));
    seen.result("bind foreign", second.bind("192.0.2.1:0".parse().unwrap()));
    second.set_reuseaddr(true)?;
    seen.result("bind in use, one reuses", second.bind(address));
    first.set_reuseaddr(true)?;
    seen.result("bind in use, both reuse", second.bind(address));
    let listener = first.listen(1)?;
    seen.result("second listen", second.listen(1).map(drop));
    seen.note("listens there", listener.local_addr()? == address);
    let third = TcpSocket::new_v4()?;
    third.set_reuseaddr(true)?;
    seen.result("bind beside a listener", third.bind(address));
    seen.result("bind wildcard beside a listener", {
        third.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
    });
    seen.result("listener ttl", listener.ttl());
    seen.result("listener set_ttl", listener.set_ttl(77));
    seen.result("listener set_ttl 0", listener.set_ttl(0));
    seen.result("listener set_ttl 256", listener.set_ttl(256));
    seen.result("listener ttl", listener.ttl());
    let client = TcpStream::connect(address).await?;
    let (server, peer) = listener.accept().await?;
    seen.note("accept tells who", peer == client.local_addr()?);
    seen.result("inherited ttl", server.ttl());
    drop(listener);
    seen.result("refused", TcpStream::connect(address).await.map(drop));
    seen.result("port 0", TcpStream::connect("127.0.0.1:0").await.map(drop));

    let sharing = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        io::Result::Ok(socket)
    };
    let first = sharing()?;
    first.bind("127.0.0.1:0".parse().unwrap())?;
    let address = first.local_addr()?;
    let _first = first.listen(1)?;
    let second = sharing()?;
    seen.result("reuseport bind", second.bind(address));
    seen.result("reuseport listen", second.listen(1).map(drop));
    let stranger = TcpSocket::new_v4()?;
    seen.result("bind beside reuseport", stranger.bind(address));
    stranger.set_reuseaddr(true)?;
    seen.result("reuseaddr bind beside reuseport", stranger.bind(address));

    let inherits = TcpSocket::new_v4()?;
    inherits.set_nodelay(true)?;
    inherits.set_zero_linger()?;
    inherits.bind("127.0.0.1:0".parse().unwrap())?;
    let listener = inherits.listen(1)?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    seen.result("inherited nodelay", server.nodelay());
    seen.result("inherited linger", server.linger());
    seen.result("the client's nodelay", client.nodelay());
    Ok(())
}

#[allow(deprecated)]
async fn streams(seen: &mut Observations) -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    seen.note("addresses", client.local_addr()? == server.peer_addr()?);
    seen.note("addresses", client.peer_addr()? == server.local_addr()?);
    seen.result("take_error", client.take_error());
    for on in [true, false] {
        seen.result("set_nodelay", client.set_nodelay(on));
        seen.result("nodelay", client.nodelay());
        seen.result("set_quickack", client.set_quickack(on));
        seen.result("quickack", client.quickack());
    }
    seen.result("linger", client.linger());
    seen.result("set_linger", client.set_linger(Some(Duration::from_secs(3))));
    seen.result("linger", client.linger());
    seen.result("set_zero_linger", client.set_zero_linger());
    seen.result("linger", client.linger());
    seen.result("set_linger", client.set_linger(None));
    for ttl in [0, 1, 255, 256] {
        seen.result("set_ttl", client.set_ttl(ttl));
        seen.result("ttl", client.ttl());
    }
    client.set_ttl(64)?;

    seen.result("try_read of nothing", client.try_read(&mut [0; 8]));
    seen.result("try_read_buf of nothing", client.try_read_buf(&mut Vec::with_capacity(8)));
    let (mut one, mut two) = ([0; 3], [0; 10]);
    let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    seen.result("try_read_vectored of nothing", client.try_read_vectored(&mut slices));
    seen.result("write", server.write(b"abcdefgh").await);
    arrival(&client).await?;
    let mut buffer = [0; 4];
    seen.result("peek", client.peek(&mut buffer).await);
    seen.note("peeked", buffer);
    let mut peeked = ReadBuf::new(&mut buffer);
    seen.result("poll_peek", poll_fn(|cx| client.poll_peek(cx, &mut peeked)).await);
    seen.note("peeked", peeked.filled());
    seen.result("try_read_vectored", client.try_read_vectored(&mut slices));
    seen.note("read", (one, &two[..5]));
    seen.result("write_vectored", {
        server.write_vectored(&[IoSlice::new(b"12"), IoSlice::new(b""), IoSlice::new(b"345")]).await
    });
    arrival(&client).await?;
    let mut buffer = Vec::with_capacity(3);
    seen.result("try_read_buf", client.try_read_buf(&mut buffer));
    seen.note("read", &buffer);
    let mut buffer = vec![9];
    buffer.reserve(10);
    seen.result("try_read_buf", client.try_read_buf(&mut buffer));
    seen.note("read", &buffer);
    seen.result("try_write", client.try_write(b"xyz"));
    seen.result("try_write_vectored", {
        client.try_write_vectored(&[IoSlice::new(b"uv"), IoSlice::new(b"w")])
    });
    let mut buffer = [0; 6];
    seen.result("read_exact", server.read_exact(&mut buffer).await);
    seen.note("read", buffer);
    seen.note("is_write_vectored", client.is_write_vectored());
    seen.result("flush", client.flush().await);
    seen.result("shutdown", client.shutdown().await);
    seen.result("shutdown again", client.shutdown().await);
    seen.result("write after shutdown", client.write(b"x").await);
    seen.result("end", server.read(&mut [0; 8]).await);
    seen.result("end again", server.read(&mut [0; 8]).await);
    seen.result("write after the peer's shutdown", server.write(b"still").await);
    let mut buffer = [0; 5];
    seen.result("read after shutdown", client.read_exact(&mut buffer).await);
    seen.note("read", buffer);
    seen.result("peer_addr half closed", server.peer_addr().map(drop));
    seen.result("shutdown of the other side", server.shutdown().await);
    seen.result("end", client.read(&mut [0; 8]).await);
    seen.result("peer_addr when both have closed", client.peer_addr().map(drop));
    seen.result("local_addr when both have closed", client.local_addr().map(drop));
    seen.result("shutdown when both have closed", client.shutdown().await);
    seen.result("write when both have closed", client.write(b"x").await);
    seen.result("ttl when both have closed", client.ttl());
    Ok(())
}

async fn readiness(seen: &mut Observations) -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    let both = Interest::READABLE | Interest::WRITABLE;
    seen.result("ready", client.ready(both).await);
    seen.result("writable", client.writable().await);
    let called = client.try_io(Interest::READABLE, || Ok("called"));
    seen.result("try_io when not readable", called);
    seen.result("try_io when writable", client.try_io(Interest::WRITABLE, || Ok("called")));
    let blocks = || -> io::Result<()> { Err(io::ErrorKind::WouldBlock.into()) };
    seen.result("try_io that would block", client.try_io(Interest::WRITABLE, blocks));
    server.write_all(b"12").await?;
    seen.result("readable", client.readable().await);
    seen.result("ready", client.ready(Interest::READABLE).await);
    let mut calls = 0;
    let read = client.async_io(Interest::READABLE, || {
        calls += 1;
        Ok(calls)
    });
    seen.result("async_io", read.await);
    let fails = || -> io::Result<()> { Err(io::ErrorKind::InvalidData.into()) };
    seen.result("async_io that fails", client.async_io(Interest::READABLE, fails).await);
    seen.result("poll_read_ready", poll_fn(|cx| client.poll_read_ready(cx)).await);
    seen.result("poll_write_ready", poll_fn(|cx| server.poll_write_ready(cx)).await);
    seen.result("read", client.read(&mut [0; 8]).await);
    server.shutdown().await?;
    seen.result("readable at the end", client.readable().await);
    let ready = client.ready(Interest::READABLE).await?;
    seen.note("ready at the end", (ready.is_readable(), ready.is_read_closed()));
    seen.result("read", client.read(&mut [0; 8]).await);
    Ok(())
}

async fn halves(seen: &mut Observations) -> io::Result<()> {
    let (mut client, mut server) = pair().await?;
    {
        let (mut read, mut write) = client.split();
        seen.note("addresses", read.local_addr()? == write.local_addr()?);
        seen.note("addresses", read.peer_addr()? == write.peer_addr()?);
        seen.result("ready", write.ready(Interest::WRITABLE).await);
        seen.result("try_read", read.try_read(&mut [0; 4]));
        seen.result("write", write.write(b"abc").await);
        seen.result("try_write", write.try_write(b"d"));
        seen.result("try_write_vectored", write.try_write_vectored(&[IoSlice::new(b"ef")]));
        server.write_all(b"123456").await?;
        seen.result("readable", read.readable().await);
        seen.result("ready", read.ready(Interest::READABLE).await);
        seen.result("peek", read.peek(&mut [0; 2]).await);
        seen.result("try_read", read.try_read(&mut [0; 2]));
        let mut octets = [0; 2];
        let mut slices = [IoSliceMut::new(&mut octets)];
        seen.result("try_read_vectored", read.try_read_vectored(&mut slices));
        seen.result("try_read_buf", read.try_read_buf(&mut Vec::with_capacity(1)));
        seen.result("read", read.read(&mut [0; 8]).await);
    }
    let mut buffer = [0; 6];
    seen.result("read_exact", server.read_exact(&mut buffer).await);
    let (mut read, mut write) = client.into_split();
    let (other_read, other_write) = server.into_split();
    let error = read.reunite(other_write).unwrap_err();
    seen.note("wrong reunion", error.to_string());
    let ReuniteError(read_again, other_write) = error;
    read = read_again;
    seen.result("write", write.write(b"abc").await);
    let mut server = other_read.reunite(other_write).unwrap();
    seen.result("writable", write.writable().await);
    server.write_all(b"xyz").await?;
    seen.result("readable", read.readable().await);
    seen.result("peek", read.peek(&mut [0; 2]).await);
    let mut cx_buffer = [0; 3];
    let mut peeked = ReadBuf::new(&mut cx_buffer);
    seen.result("poll_peek", poll_fn(|cx| read.poll_peek(cx, &mut peeked)).await);
    seen.result("try_read", read.try_read(&mut [0; 8]));
    let mut buffer = [0; 8];
    seen.result("read", server.read(&mut buffer).await);
    drop(write);
    seen.result("end when the write half is dropped", server.read(&mut buffer).await);
    server.write_all(b"!").await?;
    seen.result("read half reads on", read.read(&mut buffer).await);

    let (client, mut server) = pair().await?;
    let (read, write) = client.into_split();
    write.forget();
    drop(read);
    seen.result("end when both are gone", server.read(&mut buffer).await);
    Ok(())
}

async fn endings(seen: &mut Observations) -> io::Result<()> {
    let mut buffer = [0; 16];
    // Reset, seen by a reader.
    let (mut client, server) = pair().await?;
    server.set_zero_linger()?;
    drop(server);
    client.ready(Interest::ERROR).await?;
    seen.result("peer_addr after a reset", client.peer_addr().map(drop));
    seen.result("read", client.read(&mut buffer).await);
    seen.result("read", client.read(&mut buffer).await);
    seen.result("write", client.write(b"x").await);
    seen.result("shutdown", client.shutdown().await);
    // Reset, seen by a writer.
    let (mut client, server) = pair().await?;
    server.set_zero_linger()?;
    drop(server);
    client.ready(Interest::ERROR).await?;
    seen.result("write", client.write(b"x").await);
    seen.result("read", client.read(&mut buffer).await);
    seen.result("write", client.write(b"x").await);
    // Reset, seen by SO_ERROR.
    let (mut client, server) = pair().await?;
    server.set_zero_linger()?;
    drop(server);
    client.ready(Interest::ERROR).await?;
    let error = client.take_error()?.map(|error| (error.kind(), error.raw_os_error()));
    seen.note("take_error", error);
    seen.note("take_error", client.take_error()?.is_none());
    seen.result("read", client.read(&mut buffer).await);
    // Data, then a reset because data was not read.
    let (mut client, mut server) = pair().await?;
    client.write_all(b"unread").await?;
    arrival(&server).await?;
    server.write_all(b"last words").await?;
    arrival(&client).await?;
    drop(server);
    client.ready(Interest::ERROR).await?;
    seen.result("read after a reset", client.read(&mut buffer).await);
    seen.result("read after that", client.read(&mut buffer).await);
    seen.result("read after that", client.read(&mut buffer).await);
    // The peer is gone, and says so to the first write.
    let (mut client, server) = pair().await?;
    drop(server);
    seen.result("end", client.read(&mut buffer).await);
    seen.result("first write", client.write(b"x").await);
    client.ready(Interest::ERROR).await?;
    seen.result("second write", client.write(b"x").await);
    seen.result("third write", client.write(b"x").await);
    seen.result("end", client.read(&mut buffer).await);
    // A connection that was reset before it was accepted.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    client.write_all(b"before").await?;
    client.set_zero_linger()?;
    let address = client.local_addr()?;
    drop(client);
    let (mut server, peer) = listener.accept().await?;
    seen.note("accept", peer == address);
    server.ready(Interest::ERROR).await?;
    seen.result("peer_addr", server.peer_addr().map(drop));
    seen.result("read", server.read(&mut buffer).await);
    seen.result("read", server.read(&mut buffer).await);
    seen.result("read", server.read(&mut buffer).await);
    // Never accepted.
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    drop(listener);
    client.ready(Interest::ERROR).await?;
    seen.result("never accepted", client.read(&mut buffer).await);
    // To itself.
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse().unwrap())?;
    let address = socket.local_addr()?;
    let mut alone = socket.connect(address).await?;
    seen.note("self-connect", alone.local_addr()? == alone.peer_addr()?);
    alone.write_all(b"echo").await?;
    seen.result("read", alone.read(&mut buffer).await);
    seen.result("shutdown", alone.shutdown().await);
    seen.result("end", alone.read(&mut buffer).await);
    Ok(())
}
