//! Every future of the TCP sockets can be dropped at every await point, and nothing is lost: what
//! was not returned is returned to who asks again.

use std::future::{Future, poll_fn};
use std::io::{self, Cursor, ErrorKind, IoSlice};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{sleep, timeout};
use glassnet::{HostOptions, Sim, TcpState, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

/// Drops `future` when it has been polled `polls` times, if it is not ready by then. With one, it
/// is dropped as soon as it waits.
async fn give_up_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|cx| {
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled >= polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Makes the future, and drops it, again and again, each time after another number of polls and
/// another time; returns what it gives in the end, and counts how often it was dropped.
async fn stubborn<T, F: Future<Output = T>>(dropped: &mut usize, mut make: impl FnMut() -> F) -> T {
    loop {
        if let Some(output) = give_up_after(1 + *dropped % 2, make()).await {
            return output;
        }
        *dropped += 1;
        let patience = Duration::from_micros(50 * (*dropped as u64 % 7));
        if let Ok(output) = timeout(patience, make()).await {
            return output;
        }
        *dropped += 1;
    }
}

/// A listener that says `hello` and then sends `data`, slowly; and a client that reads it.
fn slow_sender<C, F>(data: Vec<u8>, client: C) -> Sim
where
    C: FnOnce(TcpStream) -> F + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    pair(
        1,
        move |mut stream| async move {
            for chunk in data.chunks(700) {
                stream.write_all(chunk).await?;
                sleep(Duration::from_micros(730)).await;
            }
            Ok(())
        },
        client,
    )
}

/// A client that writes as it likes to a server that reads slowly through small buffers, and
/// must get `data`.
fn slow_reader<C, F>(data: Vec<u8>, client: C) -> Sim
where
    C: FnOnce(TcpStream) -> F + 'static,
    F: Future<Output = glassnet::Result> + 'static,
{
    let mut sim = pair(
        1,
        move |mut stream| async move {
            let (mut received, mut buffer) = (Vec::new(), [0; 500]);
            loop {
                sleep(ms(2)).await;
                match stream.read(&mut buffer).await? {
                    0 => break,
                    len => received.extend_from_slice(&buffer[..len]),
                }
            }
            assert!(received == data, "{} octets of {}", received.len(), data.len());
            Ok(())
        },
        client,
    );
    let small = HostOptions::default().recv_buffer(1_000).send_buffer(1_000);
    sim.host_options("server", small.clone()).host_options("client", small);
    sim
}

// ---- Reading ------------------------------------------------------------------------------

#[test]
fn a_dropped_read_takes_nothing() -> glassnet::Result {
    slow_sender(pattern(20_000), |mut stream| async move {
        let (mut received, mut dropped, mut buffer) = (Vec::new(), 0, [0; 300]);
        loop {
            let patience = Duration::from_micros(dropped % 900);
            match timeout(patience, stream.read(&mut buffer)).await {
                Err(_) => dropped += 1,
                Ok(len) => match len? {
                    0 => break,
                    len => received.extend_from_slice(&buffer[..len]),
                },
            }
        }
        assert!(received == pattern(20_000) && dropped > 20);
        Ok(())
    })
    .run()
}

#[test]
fn a_dropped_read_of_a_half_takes_nothing() -> glassnet::Result {
    slow_sender(pattern(20_000), |stream| async move {
        let (mut read, _write) = stream.into_split();
        let (mut received, mut dropped, mut buffer) = (Vec::new(), 0, [0; 300]);
        loop {
            match give_up_after(1, read.read(&mut buffer)).await {
                None => {
                    dropped += 1;
                    sleep(Duration::from_micros(170)).await;
                }
                Some(len) => match len? {
                    0 => break,
                    len => received.extend_from_slice(&buffer[..len]),
                },
            }
        }
        assert!(received == pattern(20_000) && dropped > 20);
        Ok(())
    })
    .run()
}

#[test]
fn dropped_waits_for_readability_lose_no_wakeup() -> glassnet::Result {
    slow_sender(pattern(20_000), |mut stream| async move {
        let (mut received, mut dropped) = (Vec::new(), 0);
        for turn in 0.. {
            match turn % 4 {
                0 => stubborn(&mut dropped, || stream.readable()).await?,
                1 => {
                    let ready = stubborn(&mut dropped, || stream.ready(Interest::READABLE)).await?;
                    assert!(ready.is_readable());
                }
                2 => {
                    let (read, _) = stream.split();
                    stubborn(&mut dropped, || read.readable()).await?;
                }
                _ => {
                    let polled = || poll_fn(|cx| stream.poll_read_ready(cx));
                    stubborn(&mut dropped, polled).await?;
                }
            }
            match stream.try_read_buf(&mut received) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(received == pattern(20_000) && dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn a_dropped_peek_or_async_io_loses_nothing() -> glassnet::Result {
    slow_sender(pattern(20_000), |stream| async move {
        let (mut received, mut dropped) = (Vec::new(), 0);
        loop {
            let peeked = stubborn(&mut dropped, || async {
                let mut buffer = [0; 64];
                let len = stream.peek(&mut buffer).await?;
                io::Result::Ok(buffer[..len].to_vec())
            })
            .await?;
            let read = stubborn(&mut dropped, || {
                stream.async_io(Interest::READABLE, || {
                    let mut buffer = [0; 64];
                    let len = stream.try_read(&mut buffer)?;
                    Ok(buffer[..len].to_vec())
                })
            })
            .await?;
            assert!(read.starts_with(&peeked));
            if read.is_empty() {
                break;
            }
            received.extend(read);
        }
        assert!(received == pattern(20_000) && dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn a_reader_is_woken_although_others_gave_up() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            sleep(secs(5)).await;
            stream.write_all(b"here").await?;
            Ok(())
        },
        |stream| async move {
            let stream = std::sync::Arc::new(stream);
            let patient = stream.clone();
            let patient = spawn(async move { patient.readable().await.map(|()| now()) });
            for _ in 0..10 {
                let impatient = stream.clone();
                let task = spawn(async move { impatient.readable().await });
                sleep(ms(100)).await;
                task.abort();
                assert!(timeout(ms(1), stream.readable()).await.is_err());
            }
            assert_eq!(patient.await??, secs(5) + ms(6));
            Ok(())
        },
    )
    .run()
}

// ---- Writing ------------------------------------------------------------------------------

#[test]
fn a_dropped_write_has_written_nothing() -> glassnet::Result {
    slow_reader(pattern(30_000), |mut stream| async move {
        let (data, mut sent, mut dropped) = (pattern(30_000), 0, 0);
        while sent < data.len() {
            match timeout(Duration::from_micros(dropped % 900), stream.write(&data[sent..])).await {
                Ok(len) => sent += len?,
                Err(_) => dropped += 1,
            }
        }
        assert!(dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn a_dropped_vectored_write_has_written_nothing() -> glassnet::Result {
    slow_reader(pattern(30_000), |stream| async move {
        let (_read, mut write) = stream.into_split();
        let (data, mut sent, mut dropped) = (pattern(30_000), 0, 0);
        while sent < data.len() {
            let rest = &data[sent..];
            let (one, two) = rest.split_at(rest.len().min(100));
            let slices = [IoSlice::new(one), IoSlice::new(two)];
            match give_up_after(1, write.write_vectored(&slices)).await {
                Some(len) => sent += len?,
                None => {
                    dropped += 1;
                    sleep(Duration::from_micros(170)).await;
                }
            }
        }
        assert!(dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn a_dropped_write_all_has_written_what_its_buffer_says() -> glassnet::Result {
    slow_reader(pattern(30_000), |mut stream| async move {
        let mut data = Cursor::new(pattern(30_000));
        let mut dropped = 0;
        while data.position() < 30_000 {
            let patience = Duration::from_micros(dropped % 2_900);
            match timeout(patience, stream.write_all_buf(&mut data)).await {
                Ok(result) => result?,
                Err(_) => dropped += 1,
            }
        }
        assert!(dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn dropped_waits_for_room_lose_no_wakeup() -> glassnet::Result {
    slow_reader(pattern(30_000), |mut stream| async move {
        let (data, mut sent, mut dropped) = (pattern(30_000), 0, 0);
        for turn in 0.. {
            let rest = &data[sent..];
            if rest.is_empty() {
                break;
            }
            match turn % 5 {
                0 => stubborn(&mut dropped, || stream.writable()).await?,
                1 => {
                    let ready = stubborn(&mut dropped, || stream.ready(Interest::WRITABLE)).await?;
                    assert!(ready.is_writable());
                }
                2 => {
                    let (_, write) = stream.split();
                    stubborn(&mut dropped, || write.writable()).await?;
                }
                3 => {
                    let polled = || poll_fn(|cx| stream.poll_write_ready(cx));
                    stubborn(&mut dropped, polled).await?;
                }
                _ => {
                    sent += stubborn(&mut dropped, || {
                        stream.async_io(Interest::WRITABLE, || stream.try_write(rest))
                    })
                    .await?;
                    continue;
                }
            }
            match stream.try_write(rest) {
                Ok(len) => sent += len,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(dropped > 20, "{dropped}");
        Ok(())
    })
    .run()
}

#[test]
fn shutdown_and_flush_do_not_wait_so_there_is_nothing_to_drop() -> glassnet::Result {
    slow_reader(pattern(1_000), |mut stream| async move {
        assert_eq!(stream.write(&pattern(1_000)).await?, 1_000);
        give_up_after(1, stream.flush()).await.expect("it is ready")?;
        give_up_after(1, stream.shutdown()).await.expect("it is ready")?;
        give_up_after(1, stream.shutdown()).await.expect("it is ready")?;
        Ok(())
    })
    .run()
}

// ---- Accepting ----------------------------------------------------------------------------

#[test]
fn a_dropped_accept_loses_no_connection() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut names, mut dropped) = (Vec::new(), 0);
        for turn in 0..50 {
            let (mut stream, peer) = if turn % 2 == 0 {
                stubborn(&mut dropped, || listener.accept()).await?
            } else {
                stubborn(&mut dropped, || poll_fn(|cx| listener.poll_accept(cx))).await?
            };
            assert_eq!(stream.peer_addr()?, peer);
            names.push(stream.read_u8().await?);
        }
        names.sort_unstable();
        assert_eq!(names, (0..50).collect::<Vec<u8>>());
        assert!(dropped > 50, "{dropped}");
        assert!(timeout(secs(1), listener.accept()).await.is_err());
        Ok(())
    });
    sim.client("client", async {
        for name in 0..50 {
            let mut stream = TcpStream::connect("server:7").await?;
            stream.write_u8(name).await?;
            sleep(Duration::from_micros(u64::from(name) * 37)).await;
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn an_acceptor_is_woken_although_others_gave_up() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("server", async {
        let listener = std::sync::Arc::new(TcpListener::bind("0.0.0.0:7").await?);
        let patient = listener.clone();
        let patient = spawn(async move { patient.accept().await.map(|_| now()) });
        for _ in 0..10 {
            let impatient = listener.clone();
            let task = spawn(async move { impatient.accept().await.map(drop) });
            sleep(ms(10)).await;
            task.abort();
        }
        assert!(patient.await?? > secs(1));
        Ok(())
    });
    sim.client("client", async {
        sleep(secs(1)).await;
        TcpStream::connect("server:7").await?;
        Ok(())
    });
    sim.run()
}

// ---- Connecting ---------------------------------------------------------------------------

/// Two hosts with room for one connection each, 10 ms apart.
fn one_connection_each() -> Sim {
    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(ms(10));
    let one = HostOptions::default().max_connections(1);
    sim.host_options("server", one.clone()).host_options("client", one);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let _ = stream.write_all(b"hello").await;
        }
    });
    sim
}

#[test]
fn a_dropped_connect_leaves_no_flow_on_either_side_however_far_it_had_come() -> glassnet::Result {
    let mut sim = one_connection_each();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let mut given_up = 0;
        // ARP takes 20 ms the first time, and the handshake 20 ms.
        for patience in (0..50).map(|half| Duration::from_micros(500 * half)) {
            match timeout(patience, TcpStream::connect("server:7")).await {
                Ok(stream) => drop(stream?),
                Err(_) => given_up += 1,
            }
            // Had the attempt left anything here, this would be EMFILE; there, silence.
            sleep(ms(if patience < ms(20) { 0 } else { 200 })).await;
            let connected = timeout(secs(10), TcpStream::connect("server:7")).await?;
            assert_eq!(read_all(&mut connected?).await?, b"hello");
            sleep(ms(200)).await;
        }
        assert!(given_up >= 40, "{given_up}");
        Ok(())
    });
    sim.run()?;
    let states = wire.states("client");
    let opened = states.iter().filter(|state| **state == TcpState::SynSent).count();
    assert_eq!(opened, 100);
    Ok(())
}

#[test]
fn a_connect_dropped_after_its_first_poll_has_sent_its_syn_and_resets_the_answer()
-> glassnet::Result {
    let mut sim = one_connection_each();
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        read_all(&mut TcpStream::connect("server:7").await?).await?;
        sleep(secs(1)).await;
        let connect = TcpStream::connect("server:7");
        drop(connect);
        assert!(give_up_after(1, TcpStream::connect("server:7")).await.is_none());
        sleep(secs(5)).await;
        Ok(())
    });
    sim.run()?;
    let late = wire.segments("client").into_iter().filter(|(time, _)| *time > secs(1));
    let flags: Vec<(bool, bool)> = late.map(|(_, segment)| (segment.syn, segment.rst)).collect();
    assert_eq!(flags, [(true, false), (false, true)]);
    Ok(())
}

#[test]
fn a_dropped_connect_of_a_bound_socket_frees_its_port_at_once() -> glassnet::Result {
    let mut sim = one_connection_each();
    sim.client("client", async {
        let server = "10.0.0.1:7".parse()?;
        let socket = || {
            let socket = TcpSocket::new_v4()?;
            socket.bind("0.0.0.0:1234".parse().unwrap())?;
            io::Result::Ok(socket)
        };
        for patience in (0..20).map(ms) {
            assert!(timeout(patience, socket()?.connect(server)).await.is_err(), "{patience:?}");
        }
        // Not started at all, it holds the port no longer either.
        drop(socket()?.connect(server));
        let mut stream = socket()?.connect(server).await?;
        assert_eq!(read_all(&mut stream).await?, b"hello");
        Ok(())
    });
    sim.run()
}

#[test]
fn a_dropped_bind_listens_nowhere() -> glassnet::Result {
    alone(async {
        drop(TcpListener::bind("127.0.0.1:7"));
        assert_eq!(errno(TcpStream::connect("127.0.0.1:7").await), Some(ECONNREFUSED));
        // It does not wait, so there is no point at which it could be dropped half done.
        let listener = give_up_after(1, TcpListener::bind("127.0.0.1:7")).await;
        drop(listener.expect("it is ready")?);
        TcpListener::bind("127.0.0.1:7").await?;
        Ok(())
    })
}

#[test]
fn an_aborted_task_takes_its_sockets_with_it_and_no_others() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    let wire = Wire::watch(&mut sim);
    sim.client("client", async {
        let mut kept = TcpStream::connect("server:7").await?;
        for patience in 0..20 {
            let task = spawn(async {
                let mut stream = TcpStream::connect("server:7").await?;
                stream.write_all(&pattern(100_000)).await?;
                let mut back = vec![0; 100_000];
                stream.read_exact(&mut back).await
            });
            sleep(ms(patience)).await;
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
        kept.write_all(b"still here").await?;
        kept.read_exact(&mut [0; 10]).await?;
        Ok(())
    });
    sim.run()?;
    let ended = wire.changes().into_iter().filter(|change| {
        change.host == "client" && matches!(change.to, TcpState::Closed | TcpState::TimeWait)
    });
    assert_eq!(ended.count(), 20 + 1);
    Ok(())
}
