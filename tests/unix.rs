//! Unix domain sockets: names, streams and datagrams between the tasks of one host.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::await_holding_refcell_ref, reason = "what is dropped at once is made in turn")]

mod common;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use common::*;
use glassnet::net::unix::{SocketAddr, remove_file};
use glassnet::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf, Ready};

// Linux's numbers.
const ENOSPC: i32 = 28;
const EMSGSIZE: i32 = 90;
const EPROTOTYPE: i32 = 91;

/// What a socket may have on the way.
const SEND_BUFFER: usize = 212_992;

/// Polls a future once; it is dropped if it is not ready.
async fn once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Makes a future, polls it once and drops it, again and again until one is ready.
async fn stubbornly<T, F: Future<Output = T>>(mut make: impl FnMut() -> F) -> T {
    loop {
        if let Some(output) = once(make()).await {
            return output;
        }
        sleep(ms(1)).await;
    }
}

/// Two streams that are connected through a listener: the client's and the server's.
async fn connected(path: &str) -> io::Result<(UnixStream, UnixStream)> {
    let listener = UnixListener::bind(path)?;
    let client = UnixStream::connect(path).await?;
    Ok((client, listener.accept().await?.0))
}

/// Writes until there is no room, and says how much.
fn fill(stream: &UnixStream) -> usize {
    let mut written = 0;
    while let Ok(len) = stream.try_write(&[7; 1000]) {
        written += len;
    }
    written
}

fn listen_with(path: &str, backlog: u32) -> io::Result<UnixListener> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(backlog)
}

// ---- Names --------------------------------------------------------------------------------------

#[test]
fn a_path_is_a_name_of_its_host_only() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("one", async {
        let _listener = UnixListener::bind("/run/a")?;
        sleep(secs(2)).await;
        Ok(())
    });
    sim.client("two", async {
        sleep(secs(1)).await;
        let error = UnixStream::connect("/run/a").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let _mine = UnixListener::bind("/run/a")?;
        UnixStream::connect("/run/a").await?;
        Ok(())
    });
    sim.run()
}

#[test]
fn paths_are_compared_octet_by_octet() -> glassnet::Result {
    alone(async {
        let paths = ["/run/a", "/run//a", "/run/./a", "run/a", "a", "./a", " "];
        let mut listeners = Vec::new();
        for path in paths {
            listeners.push(UnixListener::bind(path)?);
        }
        for (path, listener) in paths.iter().zip(&listeners) {
            let client = UnixStream::connect(path).await?;
            assert_eq!(client.peer_addr()?.as_pathname(), Some(Path::new(path)));
            timeout(ms(1), listener.accept()).await??;
        }
        Ok(())
    })
}

#[test]
fn what_is_bound_cannot_be_bound_and_a_closed_socket_leaves_its_path_behind() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/a")?;
        let error = UnixListener::bind("/run/a").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(errno(UnixDatagram::bind("/run/a")), Some(EADDRINUSE));
        drop(listener);
        assert_eq!(errno(UnixListener::bind("/run/a")), Some(EADDRINUSE));
        assert_eq!(errno(UnixStream::connect("/run/a").await), Some(ECONNREFUSED));
        let sender = UnixDatagram::unbound()?;
        assert_eq!(errno(sender.connect("/run/a")), Some(ECONNREFUSED));
        remove_file("/run/a")?;
        assert_eq!(remove_file("/run/a").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(UnixStream::connect("/run/a").await.unwrap_err().kind(), ErrorKind::NotFound);
        UnixListener::bind("/run/a")?;
        Ok(())
    })
}

#[test]
fn a_socket_whose_path_is_removed_goes_on_and_does_not_disturb_who_is_bound_next()
-> glassnet::Result {
    alone(async {
        let first = UnixListener::bind("/run/a")?;
        let client = UnixStream::connect("/run/a").await?;
        remove_file("/run/a")?;
        let second = UnixListener::bind("/run/a")?;
        assert_eq!(first.local_addr()?.as_pathname(), Some(Path::new("/run/a")));
        let (server, _) = first.accept().await?;
        client.try_write(b"x")?;
        server.readable().await?;
        drop(first);
        UnixStream::connect("/run/a").await?;
        timeout(ms(1), second.accept()).await??;
        Ok(())
    })
}

#[test]
fn abstract_names_are_any_octets_and_free_when_their_socket_is_closed() -> glassnet::Result {
    alone(async {
        let name = [0, 1, 255, b'/', 0];
        let address = SocketAddr::from_abstract_name(name)?;
        assert_eq!(errno(UnixStream::connect_addr(&address).await), Some(ECONNREFUSED));
        let listener = UnixListener::bind_addr(&address)?;
        assert_eq!(listener.local_addr()?.as_abstract_name(), Some(&name[..]));
        assert_eq!(errno(UnixListener::bind_addr(&address)), Some(EADDRINUSE));
        let shorter = SocketAddr::from_abstract_name(&name[..4])?;
        assert_eq!(errno(UnixStream::connect_addr(&shorter).await), Some(ECONNREFUSED));
        let stream = UnixStream::connect_addr(&address).await?;
        assert_eq!(stream.peer_addr()?.as_abstract_name(), Some(&name[..]));
        assert!(stream.local_addr()?.is_unnamed());
        drop(listener);
        assert_eq!(errno(UnixStream::connect_addr(&address).await), Some(ECONNREFUSED));
        UnixListener::bind_addr(&address)?;
        assert_eq!(remove_file("\0name").unwrap_err().kind(), ErrorKind::NotFound);
        Ok(())
    })
}

#[test]
fn a_path_that_begins_with_nul_is_an_abstract_name() -> glassnet::Result {
    alone(async {
        let _listener = UnixListener::bind("\0name")?;
        let stream = UnixStream::connect("\0name").await?;
        assert_eq!(stream.peer_addr()?.as_abstract_name(), Some(&b"name"[..]));
        UnixStream::connect_addr(&SocketAddr::from_abstract_name("name")?).await?;
        assert_eq!(UnixStream::connect("name").await.unwrap_err().kind(), ErrorKind::NotFound);
        let receiver = UnixSocket::new_datagram()?;
        receiver.bind("\0name")?;
        assert_eq!(receiver.datagram()?.local_addr()?.as_abstract_name(), Some(&b"name"[..]));
        assert_eq!(UnixDatagram::bind("\0name").unwrap_err().kind(), ErrorKind::InvalidInput);
        Ok(())
    })
}

#[test]
fn the_empty_path_takes_five_hexadecimal_digits_that_are_free() -> glassnet::Result {
    alone(async {
        let mut names = Vec::new();
        let mut sockets = Vec::new();
        for _ in 0..100 {
            let socket = UnixDatagram::bind("")?;
            let name = socket.local_addr()?.as_abstract_name().unwrap().to_vec();
            assert!(name.len() == 5 && name.iter().all(u8::is_ascii_hexdigit), "{name:?}");
            names.push(name);
            sockets.push(socket);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 100);
        Ok(())
    })
}

#[test]
fn a_name_has_at_most_107_octets() -> glassnet::Result {
    alone(async {
        let (fits, too_long) = ("a".repeat(107), "a".repeat(108));
        UnixListener::bind(&fits)?;
        UnixListener::bind(format!("\0{fits}"))?;
        for path in [too_long.clone(), format!("\0{too_long}"), "a\0b".to_owned()] {
            assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
            let connected = UnixStream::connect(&path).await;
            assert_eq!(connected.unwrap_err().kind(), ErrorKind::InvalidInput);
            let socket = UnixDatagram::unbound()?;
            assert_eq!(socket.connect(&path).unwrap_err().kind(), ErrorKind::InvalidInput);
            let sent = socket.send_to(b"x", &path).await;
            assert_eq!(sent.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        Ok(())
    })
}

#[test]
fn addresses_show_what_they_are() -> glassnet::Result {
    let path = SocketAddr::from_pathname("/run/a")?;
    assert_eq!(format!("{path:?}"), "\"/run/a\" (pathname)");
    assert!(!path.is_unnamed() && path.as_abstract_name().is_none());
    let name = SocketAddr::from_abstract_name("a\0\n")?;
    assert_eq!(format!("{name:?}"), "\"a\\0\\n\" (abstract)");
    assert!(!name.is_unnamed() && name.as_pathname().is_none());
    let unnamed = SocketAddr::from_pathname("")?;
    assert_eq!(format!("{unnamed:?}"), "(unnamed)");
    assert!(unnamed.is_unnamed() && unnamed.as_pathname().is_none());
    let empty = SocketAddr::from_abstract_name("")?;
    assert_eq!(empty.as_abstract_name(), Some(&[][..]));
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn addresses_go_to_those_of_std_and_back() -> glassnet::Result {
    type Real = std::os::unix::net::SocketAddr;
    for address in [
        SocketAddr::from_pathname("/run/a")?,
        SocketAddr::from_pathname("a".repeat(107))?,
        SocketAddr::from_abstract_name([0; 107])?,
        SocketAddr::from_abstract_name("")?,
        SocketAddr::from_pathname("")?,
    ] {
        let real = Real::from(address.clone());
        assert_eq!(format!("{real:?}"), format!("{address:?}"));
        assert_eq!(format!("{:?}", SocketAddr::from(real)), format!("{address:?}"));
    }
    Ok(())
}

#[test]
fn a_socket_has_one_name() -> glassnet::Result {
    alone(async {
        let socket = UnixSocket::new_stream()?;
        socket.bind("/run/a")?;
        assert_eq!(socket.bind("/run/b").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(errno(socket.bind("/run/a")), Some(EADDRINUSE));
        assert_eq!(errno(socket.bind("\0name")), Some(EINVAL));
        socket.bind("")?;
        assert_eq!(remove_file("/run/b").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(errno(UnixStream::connect("/run/a").await), Some(ECONNREFUSED));
        let _listener = socket.listen(1)?;
        UnixStream::connect("/run/a").await?;
        assert_eq!(errno(UnixSocket::new_stream()?.listen(1)), Some(EINVAL));
        Ok(())
    })
}

#[test]
fn a_socket_of_the_other_type_cannot_be_reached() -> glassnet::Result {
    alone(async {
        let _listener = UnixListener::bind("/run/stream")?;
        let _receiver = UnixDatagram::bind("/run/datagram")?;
        assert_eq!(errno(UnixStream::connect("/run/datagram").await), Some(EPROTOTYPE));
        let socket = UnixDatagram::unbound()?;
        assert_eq!(errno(socket.connect("/run/stream")), Some(EPROTOTYPE));
        assert_eq!(errno(socket.send_to(b"x", "/run/stream").await), Some(EPROTOTYPE));
        Ok(())
    })
}

#[test]
fn names_and_sockets_are_limited() -> glassnet::Result {
    alone(async {
        let mut sockets = Vec::new();
        let error = loop {
            match UnixDatagram::unbound() {
                Ok(socket) => sockets.push(socket),
                Err(error) => break error,
            }
        };
        assert_eq!((sockets.len(), error.raw_os_error()), (65_536, Some(EMFILE)));
        assert_eq!(errno(UnixStream::pair()), Some(EMFILE));
        sockets.pop();
        assert_eq!(errno(UnixStream::pair()), Some(EMFILE));
        let listener = UnixListener::bind("/run/a")?;
        // The client's socket would fit, the one that waits to be accepted would not.
        sockets.pop();
        assert_eq!(errno(UnixStream::connect("/run/a").await), Some(EMFILE));
        sockets.clear();
        UnixStream::connect("/run/a").await?;
        drop(listener);

        let bound = (0..).take_while(|at| UnixDatagram::bind(format!("/run/{at}")).is_ok());
        assert_eq!(bound.count(), 65_535);
        assert_eq!(errno(UnixDatagram::bind("/run/b")), Some(ENOSPC));
        assert_eq!(errno(UnixDatagram::bind("")), Some(ENOSPC));
        remove_file("/run/7")?;
        UnixDatagram::bind("/run/b")?;
        Ok(())
    })
}

#[test]
fn sockets_belong_to_tasks_of_hosts() {
    assert!(UnixListener::bind("/run/a").unwrap_err().to_string().contains("glassnet host"));
    for result in [
        UnixStream::pair().map(drop),
        UnixDatagram::unbound().map(drop),
        UnixDatagram::pair().map(drop),
        UnixSocket::new_stream().map(drop),
        remove_file("/run/a"),
    ] {
        assert!(result.unwrap_err().to_string().contains("glassnet host"));
    }
}

// ---- Streams ------------------------------------------------------------------------------------

#[test]
fn a_stream_carries_octets_both_ways_in_no_time_and_without_a_frame() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("alone", async {
        let listener = UnixListener::bind("/run/echo")?;
        let server = spawn(async move {
            let (stream, peer) = listener.accept().await?;
            assert!(peer.is_unnamed());
            let (mut read, mut write) = stream.into_split();
            tokio::io::copy(&mut read, &mut write).await
        });
        let (mut read, mut write) = UnixStream::connect("/run/echo").await?.into_split();
        let data = pattern(3_000_000);
        let sent = data.clone();
        let sending = spawn(async move { write.write_all(&sent).await });
        let mut received = Vec::new();
        read.read_to_end(&mut received).await?;
        sending.await??;
        assert!(received == data);
        assert_eq!(server.await??, 3_000_000);
        assert_eq!(now(), secs(0));
        Ok(())
    });
    sim.client("other", async { Ok(()) });
    sim.run()?;
    assert_eq!(wire.sent(), []);
    Ok(())
}

#[test]
fn a_reader_of_one_octet_at_a_time_gets_all() -> glassnet::Result {
    alone(async {
        let (mut read, mut write) = UnixStream::pair()?;
        let data = pattern(500_000);
        let sent = data.clone();
        spawn(async move { write.write_all(&sent).await });
        let (mut received, mut octet) = (Vec::new(), [0]);
        while read.read(&mut octet).await? == 1 {
            received.push(octet[0]);
        }
        assert!(received == data);
        Ok(())
    })
}

#[test]
fn a_thousand_tasks_talk_to_one_listener() -> glassnet::Result {
    let done = Rc::new(Cell::new(0));
    let counter = done.clone();
    alone(async move {
        let listener = UnixListener::bind("/run/echo")?;
        spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                spawn(async move {
                    let mut data = Vec::new();
                    stream.read_to_end(&mut data).await?;
                    stream.write_all(&data).await
                });
            }
        });
        let tasks: Vec<_> = (0..1000usize)
            .map(|at| {
                let counter = counter.clone();
                spawn(async move {
                    sleep(ms(at as u64 % 7)).await;
                    let mut stream = UnixStream::connect("/run/echo").await?;
                    let data = pattern(at * 13);
                    stream.write_all(&data).await?;
                    stream.shutdown().await?;
                    let mut received = Vec::new();
                    stream.read_to_end(&mut received).await?;
                    assert!(received == data);
                    counter.set(counter.get() + 1);
                    io::Result::Ok(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    })?;
    assert_eq!(done.get(), 1000);
    Ok(())
}

#[test]
fn a_connection_is_there_before_it_is_accepted() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/a")?;
        let mut client = UnixStream::connect("/run/a").await?;
        client.write_all(b"hello").await?;
        client.shutdown().await?;
        drop(client);
        let (mut server, _) = listener.accept().await?;
        let mut received = String::new();
        server.read_to_string(&mut received).await?;
        assert_eq!(received, "hello");
        assert_eq!(errno(server.write_all(b"x").await), Some(EPIPE));
        Ok(())
    })
}

#[test]
fn each_end_knows_the_other() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/server")?;
        let socket = UnixSocket::new_stream()?;
        socket.bind("/run/client")?;
        let client = socket.connect("/run/server").await?;
        let (server, peer) = listener.accept().await?;
        let path = |address: SocketAddr| address.as_pathname().map(Path::to_owned);
        let (client_path, server_path) = (Some("/run/client".into()), Some("/run/server".into()));
        assert_eq!(path(client.local_addr()?), client_path);
        assert_eq!(path(client.peer_addr()?), server_path);
        assert_eq!(path(server.local_addr()?), server_path);
        assert_eq!(path(server.peer_addr()?), client_path);
        assert_eq!(path(peer), client_path);
        drop(client);
        assert_eq!(path(server.peer_addr()?), client_path);
        assert!(format!("{server:?}").contains("\"/run/client\" (pathname)"), "{server:?}");
        Ok(())
    })
}

#[test]
fn backlog_plus_one_connections_wait_and_accepting_makes_room() -> glassnet::Result {
    alone(async {
        for (backlog, most) in [(0, 1), (3, 4), (5000, 4097)] {
            let path = format!("/run/{backlog}");
            let listener = listen_with(&path, backlog)?;
            let mut clients = Vec::new();
            let error = loop {
                match UnixStream::connect(&path).await {
                    Ok(client) => clients.push(client),
                    Err(error) => break error,
                }
            };
            assert_eq!((clients.len(), error.kind()), (most, ErrorKind::WouldBlock));
            listener.accept().await?;
            clients.push(UnixStream::connect(&path).await?);
            assert_eq!(errno(UnixStream::connect(&path).await), Some(11));
        }
        Ok(())
    })
}

#[test]
fn a_listener_that_is_closed_resets_what_it_has_not_accepted() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/a")?;
        let mut waiting = UnixStream::connect("/run/a").await?;
        let mut other = UnixStream::connect("/run/a").await?;
        let reader = spawn(async move { other.read(&mut [0]).await });
        sleep(ms(1)).await;
        drop(listener);
        assert_eq!(errno(reader.await?), Some(ECONNRESET));
        assert_eq!(errno(waiting.write(b"x").await), Some(EPIPE));
        assert_eq!(errno(waiting.read(&mut [0]).await), Some(ECONNRESET));
        assert_eq!(waiting.read(&mut [0]).await?, 0);
        Ok(())
    })
}

#[test]
fn after_the_peers_close_reads_give_the_rest_then_0_and_writes_fail() -> glassnet::Result {
    alone(async {
        let (closed, mut other) = connected("/run/a").await?;
        closed.try_write(b"last")?;
        drop(closed);
        assert_eq!(errno(other.write(b"x").await), Some(EPIPE));
        let mut buf = [0; 8];
        assert_eq!(other.read(&mut buf).await?, 4);
        assert_eq!(other.read(&mut buf).await?, 0);
        assert_eq!(other.read(&mut buf).await?, 0);
        assert!(other.take_error()?.is_none());
        Ok(())
    })
}

#[test]
fn a_close_with_unread_data_resets_the_peer_once_and_after_what_it_can_still_read()
-> glassnet::Result {
    alone(async {
        let (closed, mut other) = UnixStream::pair()?;
        closed.try_write(b"last")?;
        other.try_write(b"unread")?;
        drop(closed);
        let mut buf = [0; 8];
        assert_eq!(errno(other.write(b"x").await), Some(EPIPE));
        assert_eq!(other.read(&mut buf).await?, 4);
        assert_eq!(errno(other.read(&mut buf).await), Some(ECONNRESET));
        assert_eq!(other.read(&mut buf).await?, 0);
        assert_eq!(errno(other.write(b"x").await), Some(EPIPE));

        let (closed, mut other) = UnixStream::pair()?;
        other.try_write(b"unread")?;
        drop(closed);
        let error = other.take_error()?.unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(other.take_error()?.is_none());
        assert_eq!(other.read(&mut buf).await?, 0);
        Ok(())
    })
}

#[test]
fn a_half_closed_stream_still_receives_whichever_side_closes_first() -> glassnet::Result {
    for client_first in [true, false] {
        alone(async move {
            let (client, server) = connected("/run/a").await?;
            let (mut first, mut second) =
                if client_first { (client, server) } else { (server, client) };
            first.write_all(b"question").await?;
            first.shutdown().await?;
            first.shutdown().await?;
            assert_eq!(errno(first.write(b"x").await), Some(EPIPE));
            let mut text = String::new();
            second.read_to_string(&mut text).await?;
            assert_eq!(text, "question");
            second.write_all(b"answer").await?;
            second.shutdown().await?;
            text.clear();
            first.read_to_string(&mut text).await?;
            assert_eq!(text, "answer");
            assert_eq!(errno(second.write(b"x").await), Some(EPIPE));
            assert!(first.take_error()?.is_none() && second.take_error()?.is_none());
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn the_end_wakes_a_reader_that_waits() -> glassnet::Result {
    alone(async {
        for how in ["shutdown", "drop", "drop the write half"] {
            let (mut waits, mut other) = UnixStream::pair()?;
            let reader = spawn(async move { waits.read(&mut [0]).await });
            sleep(ms(1)).await;
            assert!(!reader.is_finished());
            match how {
                "shutdown" => other.shutdown().await?,
                "drop" => drop(other),
                _ => {
                    let (read, write) = other.into_split();
                    drop(write);
                    sleep(ms(1)).await;
                    drop(read);
                }
            }
            assert_eq!(timeout(ms(1), reader).await???, 0, "{how}");
        }
        Ok(())
    })
}

#[test]
fn a_writer_waits_for_room_and_is_woken_by_the_reader_or_by_its_end() -> glassnet::Result {
    alone(async {
        let (mut writer, mut reader) = UnixStream::pair()?;
        assert_eq!(fill(&writer), SEND_BUFFER);
        assert_eq!(writer.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        let writing = spawn(async move { writer.write(&[7; 500_000]).await.map(|_| writer) });
        sleep(ms(1)).await;
        // As on Linux it is woken when a quarter is left.
        reader.read_exact(&mut vec![0; SEND_BUFFER / 4 * 3 - 1]).await?;
        sleep(ms(1)).await;
        assert!(!writing.is_finished());
        reader.read_exact(&mut [0]).await?;
        let mut writer = timeout(ms(1), writing).await???;
        assert_eq!(writer.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);

        let writing = spawn(async move { writer.write(b"x").await });
        sleep(ms(1)).await;
        drop(reader);
        assert_eq!(errno(timeout(ms(1), writing).await??), Some(EPIPE));
        Ok(())
    })
}

#[test]
fn a_slow_reader_does_not_make_the_queue_grow() -> glassnet::Result {
    alone(async {
        let (mut writer, reader) = UnixStream::pair()?;
        let written = Rc::new(Cell::new(0));
        let counter = written.clone();
        spawn(async move {
            while let Ok(len) = writer.write(&[7; 10_000]).await {
                counter.set(counter.get() + len);
            }
        });
        let mut read = 0;
        for _ in 0..500 {
            sleep(ms(1)).await;
            read += reader.try_read(&mut [0; 3000])?;
            assert!(written.get() - read <= SEND_BUFFER);
        }
        assert!(written.get() > 1_000_000);
        Ok(())
    })
}

#[test]
fn readiness_says_what_can_be_done_and_what_has_ended() -> glassnet::Result {
    alone(async {
        let both = Interest::READABLE | Interest::WRITABLE;
        let (mut one, other) = UnixStream::pair()?;
        assert_eq!(one.ready(both).await?, Ready::WRITABLE);
        assert!(once(one.readable()).await.is_none());
        assert!(once(one.ready(Interest::ERROR)).await.is_none());
        other.try_write(b"x")?;
        assert_eq!(one.ready(both).await?, Ready::READABLE | Ready::WRITABLE);
        assert_eq!(one.ready(Interest::READABLE).await?, Ready::READABLE);
        one.read_exact(&mut [0]).await?;
        assert!(once(one.readable()).await.is_none());
        fill(&one);
        assert!(once(one.writable()).await.is_none());
        assert!(once(one.ready(both)).await.is_none());
        one.shutdown().await?;
        assert_eq!(other.ready(Interest::READABLE).await?, Ready::READABLE | Ready::READ_CLOSED);
        assert!(one.ready(Interest::WRITABLE).await?.is_writable());
        drop(other);
        let ready = one.ready(both | Interest::ERROR).await?;
        assert!(ready.is_read_closed() && ready.is_write_closed());
        assert!(ready.is_error(), "what was written was not read");
        Ok(())
    })
}

#[test]
fn try_io_and_async_io_call_when_ready() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixStream::pair()?;
        let called = Cell::new(0);
        let read = || {
            called.set(called.get() + 1);
            one.try_read(&mut [0; 8])
        };
        let error = one.try_io(Interest::READABLE, read).unwrap_err();
        assert_eq!((error.kind(), called.get()), (ErrorKind::WouldBlock, 0));
        other.try_write(b"four")?;
        assert_eq!(one.try_io(Interest::READABLE, read)?, 4);
        assert_eq!(one.try_io(Interest::WRITABLE, || Ok("ready"))?, "ready");

        let later = spawn(async move {
            sleep(ms(5)).await;
            other.try_write(b"later").map(|_| other)
        });
        called.set(0);
        assert_eq!(one.async_io(Interest::READABLE, read).await?, 5);
        assert_eq!((now(), called.get()), (ms(5), 1));

        // What says that it would block is called again when something has happened.
        let other = later.await??;
        other.try_write(b"1")?;
        let later = spawn(async move {
            sleep(ms(5)).await;
            other.try_write(b"2").map(|_| other)
        });
        let mut calls = 0;
        let all = one.async_io(Interest::READABLE, || {
            calls += 1;
            if calls < 2 { Err(ErrorKind::WouldBlock.into()) } else { one.try_read(&mut [0; 8]) }
        });
        assert_eq!(all.await?, 2);
        assert_eq!((now(), calls), (ms(10), 2));
        drop(later.await??);
        Ok(())
    })
}

#[test]
fn every_task_that_waits_for_one_thing_is_woken() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixStream::pair()?;
        let one = Rc::new(one);
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let one = one.clone();
                spawn(async move { poll_fn(|cx| one.poll_read_ready(cx)).await })
            })
            .collect();
        // One that gives up takes no wake-up from the others.
        assert!(once(one.readable()).await.is_none());
        sleep(ms(1)).await;
        other.try_write(b"x")?;
        for task in tasks {
            timeout(ms(1), task).await???;
        }

        let listener = Rc::new(UnixListener::bind("/run/a")?);
        let accept = || {
            let listener = listener.clone();
            spawn(async move { listener.accept().await })
        };
        let (first, second) = (accept(), accept());
        sleep(ms(1)).await;
        let _clients = (UnixStream::connect("/run/a").await?, UnixStream::connect("/run/a").await?);
        timeout(ms(1), first).await???;
        timeout(ms(1), second).await???;
        Ok(())
    })
}

#[test]
fn halves_are_put_together_only_with_their_own() -> glassnet::Result {
    alone(async {
        let (one, mut other) = UnixStream::pair()?;
        let (read, write) = one.into_split();
        let (foreign, _) = UnixStream::pair()?;
        let (foreign_read, foreign_write) = foreign.into_split();
        let error = foreign_write.reunite(read).unwrap_err();
        assert_eq!(error.to_string(), "tried to reunite halves that are not from the same socket");
        let (read, _foreign_write) = (error.0, error.1);
        drop(foreign_read);
        let mut one = read.reunite(write).unwrap();
        // Nothing was shut down.
        one.write_all(b"x").await?;
        other.read_exact(&mut [0]).await?;
        let (mut read, write) = one.into_split();
        write.forget();
        other.write_all(b"y").await?;
        read.read_exact(&mut [0]).await?;
        assert!(once(other.readable()).await.is_none());
        drop(read);
        other.readable().await?;
        Ok(())
    })
}

#[test]
fn borrowed_halves_read_and_write_at_once() -> glassnet::Result {
    alone(async {
        let (mut one, other) = UnixStream::pair()?;
        let (mut echo_read, mut echo_write) = other.into_split();
        spawn(async move { tokio::io::copy(&mut echo_read, &mut echo_write).await });
        let (mut read, mut write) = one.split();
        let data = pattern(1_000_000);
        let mut sent = 0;
        let mut received = Vec::new();
        while received.len() < data.len() {
            if sent < data.len() {
                write.writable().await?;
                sent += write.try_write(&data[sent..])?;
            }
            read.readable().await?;
            while read.try_read_buf(&mut received).is_ok() {}
        }
        assert!(received == data);
        write.shutdown().await?;
        assert_eq!(read.read(&mut [0]).await?, 0);
        Ok(())
    })
}

// ---- Datagrams ----------------------------------------------------------------------------------

#[test]
fn datagrams_keep_their_boundaries_and_say_who_sent_them() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let wire = Wire::watch(&mut sim);
    sim.client("alone", async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let named = UnixDatagram::bind("/run/s")?;
        named.send_to(b"0123456789", "/run/r").await?;
        named.send_to(b"", "/run/r").await?;
        UnixDatagram::unbound()?.send_to(b"nobody's", "/run/r").await?;
        let mut buf = [0; 16];
        let (len, from) = receiver.recv_from(&mut buf[..4]).await?;
        assert_eq!((&buf[..len], from.as_pathname()), (&b"0123"[..], Some(Path::new("/run/s"))));
        // What did not fit is lost.
        assert_eq!(receiver.recv_from(&mut buf).await?.0, 0);
        let (len, from) = receiver.recv_from(&mut buf).await?;
        assert!(&buf[..len] == b"nobody's" && from.is_unnamed());
        assert_eq!(receiver.try_recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut read_buf = ReadBuf::new(&mut buf);
        named.send_to(b"polled", "/run/r").await?;
        poll_fn(|cx| receiver.poll_recv_from(cx, &mut read_buf)).await?;
        assert_eq!(read_buf.filled(), b"polled");
        assert_eq!(now(), secs(0));
        Ok(())
    });
    sim.client("other", async { Ok(()) });
    sim.run()?;
    assert_eq!(wire.sent(), []);
    Ok(())
}

#[test]
fn eleven_datagrams_of_others_wait_and_receiving_one_makes_room() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let connected = UnixDatagram::unbound()?;
        connected.connect("/run/r")?;
        let queued = (0..).take_while(|_| connected.try_send(b"x").is_ok()).count();
        assert_eq!(queued, 11);
        let stranger = UnixDatagram::unbound()?;
        let error = stranger.try_send_to(b"x", "/run/r").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(once(connected.writable()).await.is_none());
        // It could send to others.
        stranger.writable().await?;

        let connected = Rc::new(connected);
        let sender = connected.clone();
        let writable = spawn(async move { sender.writable().await });
        let sender = connected.clone();
        let sending = spawn(async move { sender.send(b"waited").await });
        let sending_to = spawn(async move { stranger.send_to(b"waited", "/run/r").await });
        sleep(ms(1)).await;
        assert!(!writable.is_finished() && !sending.is_finished() && !sending_to.is_finished());
        receiver.recv(&mut [0]).await?;
        receiver.recv(&mut [0]).await?;
        timeout(ms(1), writable).await???;
        assert_eq!(timeout(ms(1), sending).await???, 6);
        assert_eq!(timeout(ms(1), sending_to).await???, 6);
        Ok(())
    })
}

#[test]
fn peers_of_each_other_may_fill_the_send_buffer() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixDatagram::pair()?;
        let queued = (0..).take_while(|_| one.try_send(b"").is_ok()).count();
        assert_eq!(queued, 278);
        assert!(once(one.writable()).await.is_none());
        let one = Rc::new(one);
        let sender = one.clone();
        let sending = spawn(async move { sender.send(b"last").await });
        sleep(ms(1)).await;
        assert!(!sending.is_finished());
        // As on Linux it is woken when a quarter is left.
        for _ in 0..208 {
            other.recv(&mut [0]).await?;
        }
        sleep(ms(1)).await;
        assert!(!sending.is_finished());
        other.recv(&mut [0]).await?;
        assert_eq!(timeout(ms(1), sending).await???, 4);

        let (one, other) = UnixDatagram::pair()?;
        assert_eq!(errno(one.send(&[0; SEND_BUFFER - 31]).await), Some(EMSGSIZE));
        let most = pattern(SEND_BUFFER - 32);
        assert_eq!(one.send(&most).await?, most.len());
        assert_eq!(one.try_send(b"").unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut received = Vec::with_capacity(SEND_BUFFER);
        assert_eq!(other.recv_buf(&mut received).await?, most.len());
        assert!(received == most);
        one.try_send(b"")?;
        Ok(())
    })
}

#[test]
fn a_receiver_that_is_closed_refuses_and_wakes_who_waits_for_it() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        sender.connect("/run/r")?;
        while sender.try_send(b"x").is_ok() {}
        let sender = Rc::new(sender);
        let waiting = sender.clone();
        let sending = spawn(async move { waiting.send(b"x").await });
        let sending_to =
            spawn(async move { UnixDatagram::unbound()?.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        drop(receiver);
        assert_eq!(errno(timeout(ms(1), sending).await??), Some(ECONNREFUSED));
        assert_eq!(errno(timeout(ms(1), sending_to).await??), Some(ECONNREFUSED));
        // Then there is no peer.
        let error = sender.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(sender.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(errno(sender.send_to(b"x", "/run/r").await), Some(ECONNREFUSED));
        // What was in its queue is not on the way any more.
        remove_file("/run/r")?;
        let _receiver = UnixDatagram::bind("/run/r")?;
        sender.connect("/run/r")?;
        assert_eq!((0..).take_while(|_| sender.try_send(b"x").is_ok()).count(), 11);
        Ok(())
    })
}

#[test]
fn what_a_closed_receiver_never_received_is_not_on_the_way_any_more() -> glassnet::Result {
    alone(async {
        let _receiver = UnixDatagram::bind("/run/r")?;
        let (one, closed) = UnixDatagram::pair()?;
        while one.try_send(b"x").is_ok() {}
        assert!(once(one.writable()).await.is_none());
        drop(closed);
        one.writable().await?;
        assert_eq!(errno(one.send(b"x").await), Some(ECONNREFUSED));
        one.connect("/run/r")?;
        assert_eq!((0..).take_while(|_| one.try_send(b"x").is_ok()).count(), 11);
        Ok(())
    })
}

#[test]
fn what_a_closed_peer_has_sent_can_still_be_received() -> glassnet::Result {
    alone(async {
        let (closed, other) = UnixDatagram::pair()?;
        closed.send(b"last").await?;
        drop(closed);
        let mut buf = [0; 8];
        assert_eq!(other.recv(&mut buf).await?, 4);
        assert_eq!(errno(other.send(b"x").await), Some(ECONNREFUSED));
        // There is no end of datagrams.
        assert!(once(other.recv(&mut buf)).await.is_none());
        Ok(())
    })
}

#[test]
fn a_socket_with_a_peer_takes_datagrams_of_that_peer_only() -> glassnet::Result {
    alone(async {
        let one = UnixDatagram::bind("/run/1")?;
        let other = UnixDatagram::bind("/run/2")?;
        let third = UnixDatagram::bind("/run/3")?;
        one.connect("/run/2")?;
        let error = third.send_to(b"x", "/run/1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        let error = third.connect("/run/1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        other.send_to(b"allowed", "/run/1").await?;
        // It may send elsewhere.
        one.send_to(b"elsewhere", "/run/3").await?;
        assert_eq!(third.recv(&mut [0; 16]).await?, 9);
        let error = one.connect("/run/2").and(third.send(b"x").await.map(drop)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        Ok(())
    })
}

#[test]
fn a_new_peer_is_woken_because_it_has_more_room_and_others_because_they_have_none()
-> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::bind("/run/s")?;
        while sender.try_send_to(b"x", "/run/r").is_ok() {}
        let sending = spawn(async move { sender.send_to(b"x", "/run/r").await.map(|_| sender) });
        let stranger = UnixDatagram::unbound()?;
        let other = spawn(async move { stranger.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        receiver.connect("/run/s")?;
        timeout(ms(1), sending).await???;
        let error = timeout(ms(1), other).await??.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        Ok(())
    })
}

#[test]
fn another_peer_loses_what_was_not_received_and_the_former_peer_is_told() -> glassnet::Result {
    alone(async {
        let _third = UnixDatagram::bind("/run/3")?;
        let (one, former) = UnixDatagram::pair()?;
        former.send(b"lost").await?;
        one.send(b"kept").await?;
        one.connect("/run/3")?;
        assert!(once(one.recv(&mut [0; 8])).await.is_none());
        assert!(former.ready(Interest::ERROR).await?.is_error());
        assert_eq!(errno(former.recv(&mut [0; 8]).await), Some(ECONNRESET));
        assert_eq!(former.recv(&mut [0; 8]).await?, 4);
        let error = former.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);

        let (one, former) = UnixDatagram::pair()?;
        one.connect("/run/3")?;
        assert!(former.take_error()?.is_none());
        Ok(())
    })
}

#[test]
fn shutting_a_datagram_socket_down_is_felt_by_who_sends_to_it() -> glassnet::Result {
    alone(async {
        let (one, other) = UnixDatagram::pair()?;
        one.shutdown(Shutdown::Write)?;
        assert_eq!(errno(one.send(b"x").await), Some(EPIPE));
        other.send(b"x").await?;
        assert_eq!(one.recv(&mut [0; 8]).await?, 1);
        let reader = Rc::new(one);
        let waiting = reader.clone();
        let receiving = spawn(async move { waiting.recv(&mut [0; 8]).await });
        sleep(ms(1)).await;
        other.send(b"before").await?;
        other.send(b"before").await?;
        reader.shutdown(Shutdown::Read)?;
        assert_eq!(receiving.await??, 6);
        assert_eq!(reader.recv(&mut [0; 8]).await?, 6);
        assert_eq!(reader.recv(&mut [0; 8]).await?, 0);
        assert_eq!(reader.try_recv(&mut [0; 8])?, 0);
        assert_eq!(errno(other.send(b"x").await), Some(EPIPE));
        assert!(other.ready(Interest::READABLE | Interest::WRITABLE).await?.is_writable());

        let receiver = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        while sender.try_send_to(b"x", "/run/r").is_ok() {}
        let sending = spawn(async move { sender.send_to(b"x", "/run/r").await });
        sleep(ms(1)).await;
        receiver.shutdown(Shutdown::Both)?;
        assert_eq!(errno(timeout(ms(1), sending).await??), Some(EPIPE));
        Ok(())
    })
}

#[test]
fn a_socket_can_send_to_itself() -> glassnet::Result {
    alone(async {
        let socket = UnixDatagram::bind("/run/a")?;
        socket.connect("/run/a")?;
        assert_eq!((0..).take_while(|_| socket.try_send(b"me").is_ok()).count(), 278);
        let (len, from) = socket.recv_from(&mut [0; 8]).await?;
        assert_eq!((len, from.as_pathname()), (2, Some(Path::new("/run/a"))));
        Ok(())
    })
}

#[test]
fn datagrams_go_to_who_is_bound_now() -> glassnet::Result {
    alone(async {
        let first = UnixDatagram::bind("/run/r")?;
        let sender = UnixDatagram::unbound()?;
        sender.connect("/run/r")?;
        remove_file("/run/r")?;
        let second = UnixDatagram::bind("/run/r")?;
        sender.send(b"to the peer").await?;
        sender.send_to(b"to the path", "/run/r").await?;
        let mut buf = [0; 16];
        assert_eq!(first.recv(&mut buf).await?, 11);
        assert_eq!(&buf[..11], b"to the peer");
        assert_eq!(second.recv(&mut buf).await?, 11);
        assert_eq!(&buf[..11], b"to the path");
        Ok(())
    })
}

// ---- Cancellation, crashes, reports -------------------------------------------------------------

#[test]
fn futures_of_streams_that_are_dropped_lose_nothing() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/a")?;
        let data = pattern(1_000_000);
        let sent = data.clone();
        let writing = spawn(async move {
            sleep(ms(3)).await;
            let stream = RefCell::new(stubbornly(|| UnixStream::connect("/run/a")).await?);
            let mut rest = &sent[..];
            while !rest.is_empty() {
                let len = stubbornly(async || stream.borrow_mut().write(rest).await).await?;
                rest = &rest[len..];
                stubbornly(async || stream.borrow().writable().await).await?;
            }
            stubbornly(async || stream.borrow_mut().shutdown().await).await?;
            io::Result::Ok(stream)
        });
        let (stream, _) = stubbornly(|| listener.accept()).await?;
        let stream = RefCell::new(stream);
        let mut received = Vec::new();
        loop {
            stubbornly(async || stream.borrow().ready(Interest::READABLE).await).await?;
            let buf = RefCell::new([0; 10_000]);
            let len = if received.len() % 3 == 0 {
                let read = async || {
                    let stream = stream.borrow();
                    let try_read = || stream.try_read(&mut buf.borrow_mut()[..]);
                    stream.async_io(Interest::READABLE, try_read).await
                };
                stubbornly(read).await?
            } else {
                let read = async || {
                    let mut buf = buf.borrow_mut();
                    stream.borrow_mut().read(&mut buf[..9_000]).await
                };
                stubbornly(read).await?
            };
            if len == 0 {
                break;
            }
            received.extend_from_slice(&buf.borrow()[..len]);
        }
        assert!(received == data);
        writing.await??;
        Ok(())
    })
}

#[test]
fn futures_of_datagrams_that_are_dropped_lose_and_repeat_nothing() -> glassnet::Result {
    alone(async {
        let receiver = UnixDatagram::bind("/run/r")?;
        let sending = spawn(async move {
            let sender = UnixDatagram::unbound()?;
            for at in 0..500u32 {
                let octets = at.to_be_bytes();
                stubbornly(|| sender.send_to(&octets, "/run/r")).await?;
            }
            sender.connect("/run/r")?;
            for at in 500..1000u32 {
                stubbornly(|| sender.writable()).await?;
                let octets = at.to_be_bytes();
                stubbornly(|| sender.send(&octets)).await?;
            }
            io::Result::Ok(())
        });
        for at in 0..1000u32 {
            if at % 100 == 0 {
                sleep(ms(20)).await;
            }
            let buf = RefCell::new([0; 4]);
            let len = match at % 3 {
                0 => stubbornly(async || receiver.recv(&mut buf.borrow_mut()[..]).await).await?,
                1 => {
                    stubbornly(|| receiver.readable()).await?;
                    receiver.try_recv(&mut buf.borrow_mut()[..])?
                }
                _ => {
                    let octets = RefCell::new(Vec::with_capacity(8));
                    let recv = async || receiver.recv_buf_from(&mut *octets.borrow_mut()).await;
                    let (len, _) = stubbornly(recv).await?;
                    buf.borrow_mut().copy_from_slice(&octets.borrow());
                    len
                }
            };
            assert_eq!((len, u32::from_be_bytes(*buf.borrow())), (4, at));
        }
        sending.await??;
        Ok(())
    })
}

#[test]
fn a_future_that_is_dropped_after_it_was_woken_leaves_the_rest_to_others() -> glassnet::Result {
    alone(async {
        let listener = Rc::new(UnixListener::bind("/run/a")?);
        let (first, second) = (listener.clone(), listener.clone());
        let cancelled = spawn(async move { first.accept().await });
        let other = spawn(async move { second.accept().await });
        sleep(ms(1)).await;
        let _client = UnixStream::connect("/run/a").await?;
        // Both are woken, in order; the first never gets its turn.
        cancelled.abort();
        timeout(ms(1), other).await???;
        Ok(())
    })
}

#[test]
fn a_crash_ends_sockets_and_names_and_wakes_who_holds_them() -> glassnet::Result {
    let mut sim = Sim::new(1);
    let shelf = Rc::new(RefCell::new(Vec::new()));
    let ours = shelf.clone();
    let started = Rc::new(Cell::new(0));
    let starts = started.clone();
    sim.host("server", move || {
        let (shelf, starts) = (ours.clone(), starts.clone());
        async move {
            starts.set(starts.get() + 1);
            // After a crash the path is free.
            let listener = UnixListener::bind("/run/a")?;
            let abstract_listener = UnixListener::bind("\0a")?;
            let client = UnixStream::connect("/run/a").await?;
            let stream = listener.accept().await?.0;
            shelf.borrow_mut().push((stream, UnixDatagram::bind("/run/b")?));
            let _open = (client, abstract_listener);
            for_ever().await
        }
    });
    let done = Log::new();
    let noted = done.clone();
    sim.client("thief", async move {
        sleep(ms(10)).await;
        let (mut stream, datagram) = shelf.borrow_mut().pop().unwrap();
        stream.write_all(b"fine").await?;
        let reading = spawn(async move {
            let read = errno(stream.read(&mut [0; 8]).await);
            let write = errno(stream.write(b"x").await);
            (read, write, stream.peer_addr().unwrap_err().kind(), stream)
        });
        let receiving = spawn(async move {
            let received = errno(datagram.recv(&mut [0; 8]).await);
            (received, errno(datagram.send_to(b"x", "/run/b").await), datagram)
        });
        let (read, write, peer, stream) = reading.await?;
        assert_eq!((read, write), (Some(ECONNRESET), Some(EPIPE)));
        assert_eq!(peer, ErrorKind::NotConnected);
        assert!(stream.ready(Interest::READABLE).await?.is_read_closed());
        assert!(stream.local_addr()?.is_unnamed());
        let (received, sent, _datagram) = receiving.await?;
        assert_eq!((received, sent), (Some(ECONNRESET), Some(EPIPE)));
        noted.note(now());
        // The dead sockets are dropped when new ones have their places.
        sleep(secs(5)).await;
        drop(stream);
        let (alive, _) = shelf.borrow_mut().pop().unwrap();
        alive.writable().await?;
        assert_eq!(alive.try_write(b"x")?, 1);
        Ok(())
    });
    sim.run_for(secs(1))?;
    sim.crash("server");
    sim.run_for(secs(1))?;
    assert_eq!(done.all(), [secs(1)]);
    sim.bounce("server");
    sim.run()?;
    assert_eq!(started.get(), 2);
    Ok(())
}

#[test]
fn a_report_names_the_sockets_that_tasks_wait_for() {
    let mut sim = Sim::new(1);
    sim.client("alone", async {
        let listener = UnixListener::bind("/run/a")?;
        spawn(async move { listener.accept().await });
        let (mut one, other) = UnixStream::pair()?;
        let (_full, writer) = UnixStream::pair()?;
        fill(&writer);
        spawn(async move { writer.writable().await });
        let socket = UnixSocket::new_datagram()?;
        socket.bind("\0name")?;
        let socket = socket.datagram()?;
        spawn(async move { socket.recv(&mut [0]).await });
        one.read_exact(&mut [0]).await?;
        drop(other);
        Ok(())
    });
    let report = failure(sim.run()).to_string();
    for line in [
        "accept on unix socket /run/a",
        "read on unix socket (unnamed) with (unnamed)",
        "write on unix socket (unnamed) with (unnamed)",
        "read on unix socket @name",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
}

#[test]
fn debug_shows_the_names() -> glassnet::Result {
    alone(async {
        let listener = UnixListener::bind("/run/a")?;
        assert_eq!(format!("{listener:?}"), "UnixListener { local: \"/run/a\" (pathname) }");
        let socket = UnixDatagram::unbound()?;
        assert_eq!(format!("{socket:?}"), "UnixDatagram { local: (unnamed) }");
        let stream = UnixStream::connect("/run/a").await?;
        let expected = "UnixStream { local: (unnamed), peer: \"/run/a\" (pathname) }";
        assert_eq!(format!("{stream:?}"), expected);
        assert_eq!(format!("{:?}", UnixSocket::new_stream()?), "UnixSocket { local: (unnamed) }");
        Ok(())
    })
}
