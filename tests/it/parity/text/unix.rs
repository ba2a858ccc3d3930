// Included once with `net` standing for `tokio::net` and once for `glassnet::net`: every method
// with its types and bounds, and a conversation whose outcomes the two are compared by.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use net::unix::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, SocketAddr, WriteHalf};
use net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready};

fn is_plain<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug>() {}
fn is_socket<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Debug + 'static>() {}
fn reads<T: AsyncRead>() {}
fn writes<T: AsyncWrite>() {}
fn is_of_stream<T: AsRef<UnixStream>>() {}

/// A future that can be moved to another thread, and what it gives.
fn gives<T>(_: impl Future<Output = io::Result<T>> + Send) {}

pub fn the_types_have_the_traits() {
    is_socket::<UnixListener>();
    is_socket::<UnixStream>();
    is_socket::<UnixDatagram>();
    is_socket::<UnixSocket>();
    is_socket::<OwnedReadHalf>();
    is_socket::<OwnedWriteHalf>();
    is_socket::<SocketAddr>();
    is_socket::<ReuniteError>();
    is_plain::<ReadHalf<'_>>();
    is_plain::<WriteHalf<'_>>();

    reads::<UnixStream>();
    reads::<OwnedReadHalf>();
    reads::<ReadHalf<'_>>();
    writes::<UnixStream>();
    writes::<OwnedWriteHalf>();
    writes::<WriteHalf<'_>>();

    is_of_stream::<UnixStream>();
    is_of_stream::<OwnedReadHalf>();
    is_of_stream::<OwnedWriteHalf>();
    is_of_stream::<ReadHalf<'_>>();
    is_of_stream::<WriteHalf<'_>>();

    fn is_error<T: std::error::Error + Display>() {}
    is_error::<ReuniteError>();
    fn is_address<T: Clone + From<std::os::unix::net::SocketAddr>>() {}
    is_address::<SocketAddr>();
    fn is_std_address<T: From<SocketAddr>>() {}
    is_std_address::<std::os::unix::net::SocketAddr>();
}

type Bytes<'a> = &'a [u8];
type Room<'a> = &'a mut [u8];
type Slices<'a, 'b> = &'a [IoSlice<'b>];
type Try = fn() -> io::Result<u8>;
type Rooms<'a, 'b> = &'a mut [IoSliceMut<'b>];

pub fn the_plain_methods_have_the_signatures() {
    let _: fn(&SocketAddr) -> bool = SocketAddr::is_unnamed;
    let _: fn(&SocketAddr) -> Option<&Path> = SocketAddr::as_pathname;
    let _: fn(&SocketAddr) -> Option<&[u8]> = SocketAddr::as_abstract_name;

    let _: fn(&'static str) -> io::Result<UnixListener> = UnixListener::bind;
    let _: fn(PathBuf) -> io::Result<UnixListener> = UnixListener::bind;
    let _: fn(&SocketAddr) -> io::Result<UnixListener> = UnixListener::bind_addr;
    let _: fn(&UnixListener) -> io::Result<SocketAddr> = UnixListener::local_addr;
    let _: fn(&UnixListener) -> io::Result<Option<io::Error>> = UnixListener::take_error;
    type Accepted = Poll<io::Result<(UnixStream, SocketAddr)>>;
    let _: fn(&UnixListener, &mut Context<'_>) -> Accepted = UnixListener::poll_accept;

    type Stream = UnixStream;
    type PollUnit = Poll<io::Result<()>>;
    type Pair<T> = io::Result<(T, T)>;
    let _: fn(&Stream, &mut Context<'_>) -> PollUnit = UnixStream::poll_read_ready;
    let _: fn(&Stream, &mut Context<'_>) -> PollUnit = UnixStream::poll_write_ready;
    let _: fn(&Stream, Room<'_>) -> io::Result<usize> = UnixStream::try_read;
    let _: fn(&Stream, Rooms<'_, '_>) -> io::Result<usize> = UnixStream::try_read_vectored;
    let _: fn(&Stream, &mut Vec<u8>) -> io::Result<usize> = UnixStream::try_read_buf;
    let _: fn(&Stream, &mut &'static mut [u8]) -> io::Result<usize> = UnixStream::try_read_buf;
    let _: fn(&Stream, Bytes<'_>) -> io::Result<usize> = UnixStream::try_write;
    let _: fn(&Stream, Slices<'_, '_>) -> io::Result<usize> = UnixStream::try_write_vectored;
    let _: fn(&Stream, Interest, Try) -> io::Result<u8> = UnixStream::try_io;
    let _: fn() -> Pair<UnixStream> = UnixStream::pair;
    let _: fn(&Stream) -> io::Result<SocketAddr> = UnixStream::local_addr;
    let _: fn(&Stream) -> io::Result<SocketAddr> = UnixStream::peer_addr;
    let _: fn(&Stream) -> io::Result<Option<io::Error>> = UnixStream::take_error;
    let _: for<'a> fn(&'a mut Stream) -> (ReadHalf<'a>, WriteHalf<'a>) = UnixStream::split;
    let _: fn(Stream) -> (OwnedReadHalf, OwnedWriteHalf) = UnixStream::into_split;

    type Reunited = Result<UnixStream, ReuniteError>;
    let _: fn(OwnedReadHalf, OwnedWriteHalf) -> Reunited = OwnedReadHalf::reunite;
    let _: fn(OwnedWriteHalf, OwnedReadHalf) -> Reunited = OwnedWriteHalf::reunite;
    let _: fn(OwnedReadHalf, OwnedWriteHalf) -> ReuniteError = ReuniteError;
    let _: fn(OwnedWriteHalf) = OwnedWriteHalf::forget;
    macro_rules! either_half {
        ($half:ident, $type:ty) => {
            let _: fn(&$type) -> io::Result<SocketAddr> = $half::local_addr;
            let _: fn(&$type) -> io::Result<SocketAddr> = $half::peer_addr;
        };
    }
    macro_rules! reading_half {
        ($half:ident, $type:ty) => {
            either_half!($half, $type);
            let _: fn(&$type, Room<'_>) -> io::Result<usize> = $half::try_read;
            let _: fn(&$type, Rooms<'_, '_>) -> io::Result<usize> = $half::try_read_vectored;
            let _: fn(&$type, &mut Vec<u8>) -> io::Result<usize> = $half::try_read_buf;
        };
    }
    macro_rules! writing_half {
        ($half:ident, $type:ty) => {
            either_half!($half, $type);
            let _: fn(&$type, Bytes<'_>) -> io::Result<usize> = $half::try_write;
            let _: fn(&$type, Slices<'_, '_>) -> io::Result<usize> = $half::try_write_vectored;
        };
    }
    reading_half!(OwnedReadHalf, OwnedReadHalf);
    reading_half!(ReadHalf, ReadHalf<'static>);
    writing_half!(OwnedWriteHalf, OwnedWriteHalf);
    writing_half!(WriteHalf, WriteHalf<'static>);

    type Socket = UnixDatagram;
    type Received = io::Result<(usize, SocketAddr)>;
    let _: fn(&Socket, &mut Context<'_>) -> PollUnit = UnixDatagram::poll_send_ready;
    let _: fn(&Socket, &mut Context<'_>) -> PollUnit = UnixDatagram::poll_recv_ready;
    let _: fn(&'static str) -> io::Result<Socket> = UnixDatagram::bind;
    let _: fn() -> Pair<UnixDatagram> = UnixDatagram::pair;
    let _: fn() -> io::Result<Socket> = UnixDatagram::unbound;
    let _: fn(&Socket, &'static str) -> io::Result<()> = UnixDatagram::connect;
    let _: fn(&Socket, Bytes<'_>) -> io::Result<usize> = UnixDatagram::try_send;
    let _: fn(&Socket, Bytes<'_>, PathBuf) -> io::Result<usize> = UnixDatagram::try_send_to;
    let _: fn(&Socket, Room<'_>) -> io::Result<usize> = UnixDatagram::try_recv;
    let _: fn(&Socket, Room<'_>) -> Received = UnixDatagram::try_recv_from;
    let _: fn(&Socket, &mut Vec<u8>) -> io::Result<usize> = UnixDatagram::try_recv_buf;
    let _: fn(&Socket, &mut Vec<u8>) -> Received = UnixDatagram::try_recv_buf_from;
    type PollSize = Poll<io::Result<usize>>;
    let _: fn(&Socket, &mut Context<'_>, Bytes<'_>) -> PollSize = UnixDatagram::poll_send;
    let _: fn(&Socket, &mut Context<'_>, Bytes<'_>, PathBuf) -> PollSize =
        UnixDatagram::poll_send_to;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> PollUnit = UnixDatagram::poll_recv;
    let _: fn(&Socket, &mut Context<'_>, &mut ReadBuf<'_>) -> Poll<io::Result<SocketAddr>> =
        UnixDatagram::poll_recv_from;
    let _: fn(&Socket, Interest, Try) -> io::Result<u8> = UnixDatagram::try_io;
    let _: fn(&Socket) -> io::Result<SocketAddr> = UnixDatagram::local_addr;
    let _: fn(&Socket) -> io::Result<SocketAddr> = UnixDatagram::peer_addr;
    let _: fn(&Socket) -> io::Result<Option<io::Error>> = UnixDatagram::take_error;
    let _: fn(&Socket, Shutdown) -> io::Result<()> = UnixDatagram::shutdown;

    let _: fn() -> io::Result<UnixSocket> = UnixSocket::new_stream;
    let _: fn() -> io::Result<UnixSocket> = UnixSocket::new_datagram;
    let _ = |socket: &UnixSocket| -> io::Result<()> { socket.bind("path") };
    let _: fn(UnixSocket, u32) -> io::Result<UnixListener> = UnixSocket::listen;
    let _: fn(UnixSocket) -> io::Result<UnixDatagram> = UnixSocket::datagram;
}

/// Compiled and never called: the futures are `Send` and give what they must.
pub fn the_async_methods_have_the_signatures(
    listener: &UnixListener,
    socket: UnixSocket,
    address: &SocketAddr,
    stream: &mut UnixStream,
    owned: UnixStream,
    datagram: &UnixDatagram,
) {
    let mut buf = [0; 8];
    gives::<(UnixStream, SocketAddr)>(listener.accept());
    gives::<UnixStream>(socket.connect("path"));
    gives::<UnixStream>(UnixStream::connect("path"));
    gives::<UnixStream>(UnixStream::connect(PathBuf::new()));
    gives::<UnixStream>(UnixStream::connect_addr(address));
    gives::<Ready>(stream.ready(Interest::READABLE | Interest::WRITABLE));
    gives::<()>(stream.readable());
    gives::<()>(stream.writable());
    gives::<u8>(stream.async_io(Interest::READABLE, || Ok(1)));
    let (read, write) = stream.split();
    gives::<Ready>(read.ready(Interest::READABLE));
    gives::<()>(read.readable());
    gives::<Ready>(write.ready(Interest::WRITABLE));
    gives::<()>(write.writable());
    let (read, write) = owned.into_split();
    gives::<Ready>(read.ready(Interest::READABLE));
    gives::<()>(read.readable());
    gives::<Ready>(write.ready(Interest::WRITABLE));
    gives::<()>(write.writable());
    gives::<Ready>(datagram.ready(Interest::ERROR));
    gives::<()>(datagram.readable());
    gives::<()>(datagram.writable());
    gives::<usize>(datagram.send(b"octets"));
    gives::<usize>(datagram.send_to(b"octets", "path"));
    gives::<usize>(datagram.recv(&mut buf));
    gives::<(usize, SocketAddr)>(datagram.recv_from(&mut buf));
    gives::<usize>(datagram.recv_buf(&mut Vec::new()));
    gives::<(usize, SocketAddr)>(datagram.recv_buf_from(&mut Vec::new()));
    gives::<u8>(datagram.async_io(Interest::WRITABLE, || Ok(1)));
}

/// What calls gave, line by line.
#[derive(Default)]
struct Protocol {
    lines: Vec<String>,
    directory: String,
}

impl Protocol {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    fn note<T: Debug>(&mut self, call: &str, result: io::Result<T>) {
        let line = match result {
            Ok(value) => format!("{call}: {value:?}"),
            Err(error) => {
                let number = error.raw_os_error();
                format!("{call}: {:?} {number:?} {error}", error.kind())
            }
        };
        self.lines.push(line);
    }

    fn ready(&mut self, what: &str, ready: io::Result<Ready>) {
        self.note(what, ready);
    }
}

/// Calls whose outcome does not depend on time, and what came of them. `remove` removes a path.
pub async fn conversation(directory: &str, remove: fn(&str)) -> io::Result<Vec<String>> {
    let mut protocol = Protocol { directory: directory.to_owned(), ..Protocol::default() };
    names(&mut protocol, remove).await;
    streams(&mut protocol).await?;
    ends_of_streams(&mut protocol).await?;
    backlogs(&mut protocol).await?;
    datagrams(&mut protocol).await?;
    ends_of_datagrams(&mut protocol).await?;
    wrong_types(&mut protocol).await;
    Ok(protocol.lines)
}

async fn names(protocol: &mut Protocol, remove: fn(&str)) {
    let path = protocol.path("name");
    let listener = UnixListener::bind(&path);
    protocol.note("local_addr", listener.as_ref().unwrap().local_addr());
    protocol.note("bind existing", UnixListener::bind(&path));
    protocol.note("bind existing datagram", UnixDatagram::bind(&path));
    drop(listener);
    protocol.note("bind stale", UnixListener::bind(&path));
    protocol.note("connect stale", UnixStream::connect(&path).await.map(drop));
    protocol.note("send_to stale", UnixDatagram::unbound().unwrap().send_to(b"x", &path).await);
    remove(&path);
    protocol.note("connect missing", UnixStream::connect(&path).await.map(drop));
    protocol.note("send_to missing", UnixDatagram::unbound().unwrap().send_to(b"x", &path).await);
    protocol.note("connect empty", UnixStream::connect("").await.map(drop));
    protocol.note("send_to empty", UnixDatagram::unbound().unwrap().send_to(b"x", "").await);
    protocol.note("bind again", UnixListener::bind(&path).map(drop));

    for len in [107, 108] {
        let long = format!(
            "{directory}/{:a<1$}",
            "",
            len - protocol.directory.len() - 1,
            directory = protocol.directory
        );
        assert_eq!(long.len(), len);
        protocol.note("bind long", UnixListener::bind(&long).map(drop));
        protocol.note("connect long", UnixStream::connect(&long).await.map(drop));
        protocol.note("bind long datagram", UnixDatagram::bind(&long).map(drop));
    }
    protocol.note("inner nul", UnixListener::bind("a\0b").map(drop));
    protocol.note("abstract datagram", UnixDatagram::bind("\0abstract").map(drop));

    let name = format!("\0{directory}\u{1}\0\u{e9}\"name", directory = protocol.directory);
    protocol.note("connect missing abstract", UnixStream::connect(&name).await.map(drop));
    let listener = UnixListener::bind(&name).unwrap();
    protocol.note("abstract", listener.local_addr());
    protocol.note("bind existing abstract", UnixListener::bind(&name).map(drop));
    let same = UnixSocket::new_datagram().unwrap();
    protocol.note("the same of another type", same.bind(&name));
    let stream = UnixStream::connect(&name).await.unwrap();
    protocol.note("peer_addr", stream.peer_addr());
    protocol.note("local_addr", stream.local_addr());
    protocol.note(
        "octets",
        Ok(stream.peer_addr().unwrap().as_abstract_name() == Some(&name.as_bytes()[1..])),
    );
    drop(listener);
    protocol.note("connect former abstract", UnixStream::connect(&name).await.map(drop));
    let name = protocol.directory.clone();
    let long = |len| format!("\0{name:a<len$}");
    protocol.note("abstract 107", UnixListener::bind(long(107)).map(drop));
    protocol.note("abstract 108", UnixListener::bind(long(108)).map(drop));
    let any = UnixListener::bind("").unwrap().local_addr().unwrap();
    let digits = any.as_abstract_name().unwrap();
    protocol.note("autobind", Ok((digits.len(), digits.iter().all(u8::is_ascii_hexdigit))));

    let socket = UnixSocket::new_stream().unwrap();
    let (first, second) = (protocol.path("first"), protocol.path("second"));
    protocol.note("bind", socket.bind(&first));
    protocol.note("bind twice", socket.bind(&second));
    protocol.note("bind twice the same", socket.bind(&first));
    protocol.note("bind twice abstract", socket.bind("\0twice"));
    protocol.note("bind twice any", socket.bind(""));
    protocol.note("not a listener", UnixStream::connect(&first).await.map(drop));
}

async fn streams(protocol: &mut Protocol) -> io::Result<()> {
    let path = protocol.path("streams");
    let listener = UnixListener::bind(&path)?;
    let client = UnixSocket::new_stream()?;
    client.bind(protocol.path("client"))?;
    let mut client = client.connect(&path).await?;
    protocol.note("client", Ok((client.local_addr()?, client.peer_addr()?)));
    client.write_all(b"before it is accepted").await?;
    let (mut server, peer) = listener.accept().await?;
    protocol.note("server", Ok((server.local_addr()?, server.peer_addr()?, peer)));
    protocol.ready("ready", server.ready(Interest::READABLE | Interest::WRITABLE).await);
    let mut buf = [0; 32];
    protocol.note("read", server.read(&mut buf).await);
    protocol.note("try_read", server.try_read(&mut buf));
    protocol.ready("ready", server.ready(Interest::READABLE | Interest::WRITABLE).await);
    protocol.note("take_error", server.take_error());
    let error = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
    protocol.note("try_io", server.try_io(Interest::READABLE, || Ok(1)));
    protocol.note("try_io", server.try_io(Interest::WRITABLE, || Ok(2)));
    protocol.note("try_io", server.try_io(Interest::WRITABLE, error));

    let slices = [IoSlice::new(b"vec"), IoSlice::new(b""), IoSlice::new(b"tored")];
    protocol.note("try_write_vectored", client.try_write_vectored(&slices));
    let (mut front, mut back) = ([0; 5], [0; 5]);
    server.readable().await?;
    let read = server.try_read_vectored(&mut [
        IoSliceMut::new(&mut front),
        IoSliceMut::new(&mut []),
        IoSliceMut::new(&mut back),
    ]);
    protocol.note("try_read_vectored", read.map(|len| (len, front, back)));
    protocol.note("try_write", server.try_write(b"back"));
    let mut advancing = Vec::from(*b"here: ");
    client.readable().await?;
    protocol.note("try_read_buf", client.try_read_buf(&mut advancing));
    protocol.note("advanced", Ok(advancing));
    server.try_write(b"three octets")?;
    client.readable().await?;
    let mut three = [0; 3];
    protocol.note("try_read_buf", client.try_read_buf(&mut &mut three[..]));
    protocol.note("advanced", Ok(three));
    let sent = client.async_io(Interest::WRITABLE, || client.try_write(b"async_io")).await;
    protocol.note("async_io", sent);
    let received = server.async_io(Interest::READABLE, || server.try_read(&mut buf)).await;
    protocol.note("async_io", received);

    let (read, write) = client.into_split();
    let (other_read, other_write) = server.into_split();
    protocol.note("halves", Ok((read.local_addr()?, write.peer_addr()?)));
    let error = read.reunite(other_write).unwrap_err();
    protocol.note("reunite", Err::<(), _>(io::Error::other(error.to_string())));
    let ReuniteError(read, other_write) = error;
    let client = read.reunite(write).unwrap();
    let mut server = other_write.reunite(other_read).unwrap();
    let (_read, mut write) = client.into_split();
    write.shutdown().await?;
    protocol.note("after shutdown", write.write(b"x").await);
    protocol.note("the end", server.read(&mut buf).await);
    write.forget();
    let (read, write) = server.split();
    protocol.note("borrowed halves", Ok((read.peer_addr()?, write.local_addr()?)));
    let (mut read, write) = server.into_split();
    drop(write);
    protocol.note("the end", read.read(&mut buf).await);
    Ok(())
}

async fn ends_of_streams(protocol: &mut Protocol) -> io::Result<()> {
    let mut buf = [0; 8];
    let (closed, mut other) = UnixStream::pair()?;
    protocol.note("pair", Ok((other.local_addr()?, other.peer_addr()?)));
    closed.try_write(b"last")?;
    drop(closed);
    protocol.ready("closed", other.ready(Interest::READABLE).await);
    protocol.note("write", other.write(b"x").await);
    protocol.note("read", other.read(&mut buf).await);
    protocol.note("read", other.read(&mut buf).await);
    protocol.note("peer_addr", other.peer_addr());

    let (closed, mut other) = UnixStream::pair()?;
    closed.try_write(b"last")?;
    other.try_write(b"never read")?;
    drop(closed);
    protocol.note("unread, write", other.write(b"x").await);
    protocol.note("unread, read", other.read(&mut buf).await);
    protocol.note("unread, read", other.read(&mut buf).await);
    protocol.note("unread, read", other.read(&mut buf).await);
    let (closed, other) = UnixStream::pair()?;
    other.try_write(b"never read")?;
    drop(closed);
    protocol.note("take_error", other.take_error());
    protocol.note("take_error", other.take_error());

    let (mut half, mut other) = UnixStream::pair()?;
    half.shutdown().await?;
    half.shutdown().await?;
    protocol.note("half closed, write", half.write(b"x").await);
    protocol.note("half closed, peer reads", other.read(&mut buf).await);
    protocol.note("half closed, peer writes", other.write(b"back").await);
    protocol.note("half closed, read", half.read(&mut buf).await);
    other.shutdown().await?;
    protocol.note("both closed, read", half.read(&mut buf).await);
    protocol.ready("both closed", half.ready(Interest::READABLE).await);

    let path = protocol.path("unaccepted");
    let listener = UnixListener::bind(&path)?;
    let mut client = UnixStream::connect(&path).await?;
    drop(listener);
    protocol.note("unaccepted, write", client.write(b"x").await);
    protocol.note("unaccepted, read", client.read(&mut buf).await);
    protocol.note("unaccepted, read", client.read(&mut buf).await);
    protocol.note("unaccepted, peer_addr", client.peer_addr());

    let path = protocol.path("gone before");
    let listener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path).await?;
    client.try_write(b"all")?;
    drop(client);
    let (mut server, _) = listener.accept().await?;
    protocol.note("gone before accept", server.read(&mut buf).await);
    protocol.note("gone before accept", server.read(&mut buf).await);
    Ok(())
}

async fn backlogs(protocol: &mut Protocol) -> io::Result<()> {
    for backlog in [0, 3] {
        let path = protocol.path(&format!("backlog {backlog}"));
        let socket = UnixSocket::new_stream()?;
        socket.bind(&path)?;
        let listener = socket.listen(backlog)?;
        let mut clients = Vec::new();
        let refused = loop {
            match UnixStream::connect(&path).await {
                Ok(client) => clients.push(client),
                Err(error) => break error,
            }
        };
        protocol.note("connect", Err::<(), _>(refused));
        protocol.note("clients", Ok(clients.len()));
        listener.accept().await?;
        protocol.note("connect", UnixStream::connect(&path).await.map(drop));
    }
    let unbound = UnixSocket::new_stream()?;
    protocol.note("listen unbound", unbound.listen(1).map(drop));
    Ok(())
}

async fn datagrams(protocol: &mut Protocol) -> io::Result<()> {
    let (path, name) = (protocol.path("datagrams"), protocol.path("sender"));
    let receiver = UnixDatagram::bind(&path)?;
    let sender = UnixDatagram::bind(&name)?;
    let mut buf = [0; 8];
    protocol.note("send", sender.send(b"x").await);
    protocol.note("try_recv", receiver.try_recv(&mut buf));
    protocol.note("send_to", sender.send_to(b"to", &path).await);
    protocol.note("recv_from", receiver.recv_from(&mut buf).await);
    protocol.note("connect", sender.connect(&path));
    protocol.note("addresses", Ok((sender.local_addr()?, sender.peer_addr()?)));
    protocol.note("peer_addr", receiver.peer_addr());
    protocol.note("send", sender.send(b"0123456789").await);
    protocol.note("send", sender.send(b"").await);
    protocol.note("send", sender.send(b"next").await);
    protocol.note("recv", receiver.recv(&mut buf[..4]).await);
    protocol.note("recv", receiver.recv(&mut buf).await);
    let mut advancing = Vec::from(*b"here: ");
    protocol.note("recv_buf_from", receiver.recv_buf_from(&mut advancing).await);
    protocol.note("advanced", Ok(advancing));
    UnixDatagram::unbound()?.send_to(b"from nobody", &path).await?;
    let mut advancing = Vec::new();
    protocol.note("try_recv_buf_from", receiver.try_recv_buf_from(&mut advancing));
    sender.send(b"one").await?;
    protocol.note("try_recv_buf", receiver.try_recv_buf(&mut advancing));

    // How many fit is a setting of the system.
    while sender.try_send(b"x").is_ok() {}
    let other = UnixDatagram::unbound()?;
    protocol.note("full", other.try_send_to(b"x", &path).map_err(|error| error.kind().into()));
    while receiver.try_recv(&mut buf).is_ok() {}
    receiver.connect(&name)?;
    protocol.note("send_to another's peer", other.send_to(b"x", &path).await);
    protocol.note("connect to another's peer", other.connect(&path));

    let (first, second) = UnixDatagram::pair()?;
    protocol.note("pair", Ok((first.local_addr()?, first.peer_addr()?)));
    // The send buffer of a socket is a setting of the system: this is above any.
    protocol.note("too long", first.send(&vec![0; 1 << 26]).await);
    first.writable().await?;
    protocol.note("long", first.send(&vec![7; 100_000]).await);
    let mut long = vec![0; 200_000];
    protocol.note("long", second.recv(&mut long).await);
    Ok(())
}

async fn ends_of_datagrams(protocol: &mut Protocol) -> io::Result<()> {
    let mut buf = [0; 8];
    let (closed, other) = UnixDatagram::pair()?;
    closed.send(b"last").await?;
    drop(closed);
    protocol.note("recv", other.recv(&mut buf).await);
    protocol.note("peer_addr", other.peer_addr());
    protocol.note("send", other.send(b"x").await);
    protocol.note("send", other.send(b"x").await);
    protocol.note("peer_addr", other.peer_addr());

    let (half, other) = UnixDatagram::pair()?;
    half.shutdown(Shutdown::Write)?;
    protocol.note("sending shut down", half.send(b"x").await);
    protocol.note("the peer", other.send(b"x").await);
    let (half, other) = UnixDatagram::pair()?;
    other.send(b"before").await?;
    half.shutdown(Shutdown::Read)?;
    protocol.note("receiving shut down", half.recv(&mut buf).await);
    protocol.note("the peer", other.send(b"x").await);
    protocol.note("sending goes on", half.send(b"x").await);
    let unconnected = UnixDatagram::unbound()?;
    protocol.note("shutdown", unconnected.shutdown(Shutdown::Both));

    let path = protocol.path("third");
    let _third = UnixDatagram::bind(&path)?;
    let (first, second) = UnixDatagram::pair()?;
    second.send(b"lost").await?;
    first.send(b"kept").await?;
    first.connect(&path)?;
    protocol.note("left", second.recv(&mut buf).await);
    protocol.note("left", second.recv(&mut buf).await);
    protocol.note("left", second.send(b"x").await);
    let (first, second) = UnixDatagram::pair()?;
    first.connect(&path)?;
    protocol.note("left without loss", second.take_error());
    Ok(())
}

async fn wrong_types(protocol: &mut Protocol) {
    let (stream, datagram) = (protocol.path("stream"), protocol.path("datagram"));
    let _listener = UnixListener::bind(&stream);
    let _socket = UnixDatagram::bind(&datagram);
    protocol.note("stream to datagram", UnixStream::connect(&datagram).await.map(drop));
    let socket = UnixDatagram::unbound().unwrap();
    protocol.note("datagram to stream", socket.connect(&stream));
    protocol.note("datagram to stream", socket.send_to(b"x", &stream).await);
    let socket = || UnixSocket::new_datagram().unwrap();
    protocol.note("listen", socket().listen(1).map(drop));
    protocol.note("connect", socket().connect(&datagram).await.map(drop));
    protocol.note("datagram", UnixSocket::new_stream().unwrap().datagram().map(drop));
}
