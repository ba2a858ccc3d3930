//! Streams between the tasks of one host.
#![allow(clippy::await_holding_refcell_ref, reason = "what is dropped at once is made in turn")]

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::rc::Rc;

use crate::common::*;
use glassnet::net::unix::SocketAddr;
use glassnet::net::{UnixListener, UnixSocket, UnixStream};
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};

/// What a socket may have on the way.
const SEND_BUFFER: usize = 212_992;

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
