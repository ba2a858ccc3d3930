// Included once with `net` standing for `tokio::net` and once for `glassnet::net`: which half of a
// stream is told that its connection has failed.

use std::io;

use net::{TcpListener, TcpStream, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

fn shown<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// A stream whose connection the peer has reset.
async fn reset() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let (peer, _) = listener.accept().await?;
    peer.set_zero_linger()?;
    drop(peer);
    stream.ready(Interest::READABLE).await?;
    Ok(stream)
}

/// The same of the UNIX domain, whose peer has closed without reading everything.
async fn reset_local() -> io::Result<UnixStream> {
    let (mut stream, peer) = UnixStream::pair()?;
    stream.write_all(b"unread").await?;
    drop(peer);
    stream.ready(Interest::READABLE).await?;
    Ok(stream)
}

/// What the halves of a stream give, one call of `order` after the other.
macro_rules! halves_give {
    ($stream:expr, $split:ident, $order:expr) => {{
        #[allow(unused_mut, reason = "`split` borrows")]
        let mut stream = $stream;
        let (mut read, mut write) = stream.$split();
        let mut gives = Vec::new();
        for call in $order.chars() {
            gives.push(match call {
                'w' => shown(write.write(b"x").await),
                'r' => shown(read.read(&mut [0]).await),
                'a' => shown(read.read_to_end(&mut Vec::new()).await),
                _ => shown(read.as_ref().take_error().map(|error| error.map(|it| it.kind()))),
            });
        }
        gives
    }};
}

/// What each order of calls gives: `w`rite, `r`ead, read `a`ll, `t`ake_error.
pub(crate) async fn told() -> io::Result<Vec<(&'static str, &'static str, Vec<String>)>> {
    let mut told = Vec::new();
    for order in ["wrrw", "rrww", "wa", "aw", "trw"] {
        told.push(("tcp", order, halves_give!(reset().await?, into_split, order)));
        told.push(("tcp, borrowed", order, halves_give!(reset().await?, split, order)));
        told.push(("unix", order, halves_give!(reset_local().await?, into_split, order)));
        told.push(("unix, borrowed", order, halves_give!(reset_local().await?, split, order)));
    }
    Ok(told)
}
