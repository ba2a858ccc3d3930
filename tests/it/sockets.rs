//! The methods of listeners, streams and their halves, and the errors of the calls.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::common::*;
use glassnet::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use glassnet::time::{sleep, timeout};
use glassnet::{HostOptions, Sim};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

#[test]
fn a_listener_says_where_it_listens() -> glassnet::Result {
    alone(async {
        let any = TcpListener::bind("0.0.0.0:7").await?;
        assert_eq!(any.local_addr()?, "0.0.0.0:7".parse()?);
        let specific = TcpListener::bind("10.0.0.1:8").await?;
        assert_eq!(specific.local_addr()?, "10.0.0.1:8".parse()?);
        let ephemeral = TcpListener::bind("127.0.0.1:0").await?;
        assert_eq!(ephemeral.local_addr()?.ip(), Ipv4Addr::LOCALHOST);
        assert!(ephemeral.local_addr()?.port() >= 32_768);
        TcpStream::connect(ephemeral.local_addr()?).await?;
        Ok(())
    })
}

#[test]
fn an_address_in_use_cannot_be_bound() -> glassnet::Result {
    alone(async {
        let _wildcard = TcpListener::bind("0.0.0.0:7").await?;
        for address in ["0.0.0.0:7", "10.0.0.1:7", "127.0.0.1:7"] {
            let error = TcpListener::bind(address).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse, "{address}");
            assert_eq!(error.raw_os_error(), Some(EADDRINUSE), "{address}");
        }
        let _specific = TcpListener::bind("10.0.0.1:8").await?;
        assert_eq!(errno(TcpListener::bind("0.0.0.0:8").await), Some(EADDRINUSE));
        assert_eq!(errno(TcpListener::bind("10.0.0.1:8").await), Some(EADDRINUSE));
        let _beside = TcpListener::bind("127.0.0.1:8").await?;
        Ok(())
    })
}

#[test]
fn a_bound_socket_keeps_its_port_until_it_is_dropped() -> glassnet::Result {
    alone(async {
        let first = TcpSocket::new_v4()?;
        first.bind("0.0.0.0:7".parse()?)?;
        let second = TcpSocket::new_v4()?;
        assert_eq!(errno(second.bind("0.0.0.0:7".parse()?)), Some(EADDRINUSE));
        assert_eq!(errno(TcpListener::bind("0.0.0.0:7").await), Some(EADDRINUSE));
        drop(first);
        second.bind("0.0.0.0:7".parse()?)?;
        Ok(())
    })
}

#[test]
fn two_sockets_that_reuse_addresses_bind_one_port_but_only_one_listens() -> glassnet::Result {
    alone(async {
        let bound = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            assert!(socket.reuseaddr()?);
            socket.bind("0.0.0.0:7".parse().unwrap())?;
            std::io::Result::Ok(socket)
        };
        let (first, second) = (bound()?, bound()?);
        let listener = first.listen(1)?;
        assert_eq!(errno(second.listen(1).map(drop)), Some(EADDRINUSE));
        assert_eq!(errno(bound().map(drop)), Some(EADDRINUSE));
        drop(listener);
        bound()?.listen(1)?;
        Ok(())
    })
}

#[test]
fn a_listener_that_is_dropped_frees_its_port_at_once() -> glassnet::Result {
    alone(async {
        for _ in 0..3 {
            let listener = TcpListener::bind("0.0.0.0:7").await?;
            drop(listener);
        }
        assert_eq!(errno(TcpStream::connect("127.0.0.1:7").await), Some(ECONNREFUSED));
        Ok(())
    })
}

#[test]
fn a_foreign_address_cannot_be_bound() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.client("one", async {
        for address in ["10.0.0.2:7", "10.0.0.77:7", "192.0.2.1:7", "two:7"] {
            let error = TcpListener::bind(address).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrNotAvailable, "{address}");
            assert_eq!(error.raw_os_error(), Some(EADDRNOTAVAIL), "{address}");
        }
        TcpListener::bind("one:7").await?;
        Ok(())
    });
    sim.client("two", async { Ok(()) });
    sim.run()
}

#[test]
fn a_socket_is_bound_once() -> glassnet::Result {
    alone(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("0.0.0.0:7".parse()?)?;
        let error = socket.bind("0.0.0.0:8".parse()?).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.raw_os_error(), Some(EINVAL));
        assert_eq!(socket.local_addr()?, "0.0.0.0:7".parse()?);
        Ok(())
    })
}

#[test]
fn an_unbound_socket_has_no_address_and_listens_on_a_port_of_the_systems_choice() -> glassnet::Result
{
    alone(async {
        let socket = TcpSocket::new_v4()?;
        assert_eq!(socket.local_addr()?, "0.0.0.0:0".parse()?);
        let listener = socket.listen(5)?;
        let port = listener.local_addr()?.port();
        assert!(port >= 32_768, "{port}");
        TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(())
    })
}

#[test]
fn a_connection_has_the_address_its_socket_was_bound_to() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("10.0.0.2:1234".parse()?)?;
        let stream = socket.connect("10.0.0.1:7".parse()?).await?;
        assert_eq!(stream.local_addr()?, "10.0.0.2:1234".parse()?);
        // The connection holds the port.
        let other = TcpSocket::new_v4()?;
        assert_eq!(errno(other.bind("0.0.0.0:1234".parse()?)), Some(EADDRINUSE));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_refused_connect_frees_the_port_it_was_bound_to() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        for _ in 0..2 {
            let socket = TcpSocket::new_v4()?;
            socket.bind("0.0.0.0:1234".parse()?)?;
            assert_eq!(errno(socket.connect("10.0.0.1:8".parse()?).await), Some(ECONNREFUSED));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn texts_that_are_no_addresses_are_invalid_input() -> glassnet::Result {
    alone(async {
        for text in ["", "alone", "10.0.0.1", "alone:", "alone:http", "alone:65536", "alone:-1"] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
            let error = TcpListener::bind(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
        }
        Ok(())
    })
}

#[test]
fn a_name_that_no_host_has_is_named_by_the_error() -> glassnet::Result {
    alone(async {
        for result in [
            TcpStream::connect("nowhere:7").await.map(drop),
            TcpListener::bind(("nowhere", 7)).await.map(drop),
            lookup_host("nowhere:7").await.map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(error.to_string().contains("nowhere"), "{error}");
        }
        Ok(())
    })
}

#[test]
fn every_form_of_address_connects() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let ip = Ipv4Addr::new(10, 0, 0, 1);
        let one = SocketAddr::from((ip, 7));
        let peers = [
            TcpStream::connect("server:7").await?,
            TcpStream::connect(String::from("server:7")).await?,
            TcpStream::connect(&"10.0.0.1:7").await?,
            TcpStream::connect(("server", 7)).await?,
            TcpStream::connect((String::from("10.0.0.1"), 7)).await?,
            TcpStream::connect((ip, 7)).await?,
            TcpStream::connect((std::net::IpAddr::V4(ip), 7)).await?,
            TcpStream::connect(one).await?,
            TcpStream::connect(&one).await?,
            TcpStream::connect(SocketAddrV4::new(ip, 7)).await?,
            TcpStream::connect(&[one][..]).await?,
        ];
        for stream in peers {
            assert_eq!(stream.peer_addr()?, one);
        }
        assert_eq!(lookup_host("server:7").await?.collect::<Vec<_>>(), [one]);
        Ok(())
    });
    sim.run()
}

#[test]
fn connect_tries_every_address_and_gives_the_last_error() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let refused: SocketAddr = "10.0.0.1:8".parse()?;
        let open: SocketAddr = "10.0.0.1:7".parse()?;
        let elsewhere: SocketAddr = "192.0.2.1:7".parse()?;
        let stream = TcpStream::connect(&[refused, elsewhere, open][..]).await?;
        assert_eq!(stream.peer_addr()?, open);
        let failed = TcpStream::connect(&[elsewhere, refused][..]).await;
        assert_eq!(errno(failed), Some(ECONNREFUSED));
        let none = TcpStream::connect(&[][..] as &[SocketAddr]).await.unwrap_err();
        assert_eq!(none.kind(), ErrorKind::InvalidInput);
        Ok(())
    });
    sim.run()
}

#[test]
fn a_socket_outside_a_host_is_an_error_and_no_panic() {
    // Polled by hand: there is no executor.
    let mut connect = Box::pin(TcpStream::connect("server:7"));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(result) = connect.as_mut().poll(&mut cx) else { panic!("it must not wait") };
    assert!(result.unwrap_err().to_string().contains("host"));
    assert!(TcpSocket::new_v4().is_err());
}

#[test]
fn peek_looks_and_takes_nothing() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            stream.write_all(b"seen twice").await?;
            Ok(())
        },
        |mut stream| async move {
            let mut buffer = [0; 4];
            assert_eq!(stream.peek(&mut buffer).await?, 4, "it waits for data");
            assert_eq!(&buffer, b"seen");
            let mut whole = [0; 64];
            assert_eq!(stream.peek(&mut whole).await?, 10);
            assert_eq!(read_all(&mut stream).await?, b"seen twice");
            assert_eq!(stream.peek(&mut whole).await?, 0, "the end");
            Ok(())
        },
    )
    .run()
}

#[test]
fn an_empty_buffer_reads_and_writes_nothing_at_once() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"");
            Ok(())
        },
        |mut stream| async move {
            assert_eq!(stream.read(&mut []).await?, 0);
            assert_eq!(stream.write(&[]).await?, 0);
            assert_eq!(stream.try_read(&mut [])?, 0);
            assert_eq!(stream.try_write(&[])?, 0);
            Ok(())
        },
    )
    .run()
}

#[test]
fn try_read_would_block_until_something_is_there() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            sleep(secs(1)).await;
            stream.write_all(b"data").await?;
            Ok(())
        },
        |stream| async move {
            let mut buffer = [0; 16];
            let error = stream.try_read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            stream.readable().await?;
            assert!(now() > secs(1));
            assert_eq!(stream.try_read(&mut buffer)?, 4);
            stream.readable().await?;
            assert_eq!(stream.try_read(&mut buffer)?, 0, "the end is readable");
            Ok(())
        },
    )
    .run()
}

#[test]
fn try_write_takes_what_there_is_room_for_and_then_would_block() -> glassnet::Result {
    let mut sim = pair(
        1,
        |mut stream| async move {
            sleep(secs(1)).await;
            let mut received = Vec::new();
            while received.len() < 10_000 {
                received.resize(received.len() + 100, 0);
                let from = received.len() - 100;
                stream.read_exact(&mut received[from..]).await?;
            }
            assert!(received == pattern(10_000));
            Ok(())
        },
        |stream| async move {
            let data = pattern(10_000);
            stream.writable().await?;
            assert_eq!(stream.try_write(&data)?, 3_000, "as large as the send buffer");
            assert_eq!(stream.try_write(&data).unwrap_err().kind(), ErrorKind::WouldBlock);
            let mut sent = 3_000;
            while sent < data.len() {
                stream.writable().await?;
                match stream.try_write(&data[sent..]) {
                    Ok(len) => sent += len,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            Ok(())
        },
    );
    sim.host_options("client", HostOptions::default().send_buffer(3_000));
    sim.host_options("server", HostOptions::default().recv_buffer(2_000));
    sim.run()
}

#[test]
fn a_vectored_write_is_one_stream_of_octets() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"one, two, three");
            Ok(())
        },
        |mut stream| async move {
            assert!(stream.is_write_vectored());
            let slices = [b"one, ", &b""[..], b"two, ", b"three"].map(IoSlice::new);
            assert_eq!(stream.write_vectored(&slices).await?, 15);
            Ok(())
        },
    )
    .run()
}

#[test]
fn poll_read_fills_what_is_left_of_a_buffer() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            stream.write_all(b"filled").await?;
            Ok(())
        },
        |mut stream| async move {
            let mut memory = [b'-'; 8];
            let mut buffer = ReadBuf::new(&mut memory);
            buffer.put_slice(b">>");
            poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut buffer)).await?;
            assert_eq!(buffer.filled(), b">>filled");
            Ok(())
        },
    )
    .run()
}

#[test]
fn flush_does_not_wait() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            assert_eq!(read_all(&mut stream).await?, b"data");
            Ok(())
        },
        |mut stream| async move {
            stream.write_all(b"data").await?;
            let before = now();
            stream.flush().await?;
            assert_eq!(now(), before);
            let flushed = poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_flush(cx))).await;
            assert!(flushed.is_ready());
            Ok(())
        },
    )
    .run()
}

/// When the server has two small writes of the client, which came right after each other.
fn arrival_of_two_writes(options: HostOptions, nodelay: Option<bool>) -> Duration {
    let arrived = Log::new();
    let note = arrived.clone();
    let mut sim = pair(
        1,
        |mut stream| async move {
            stream.read_exact(&mut [0; 2]).await?;
            note.note(now());
            Ok(())
        },
        move |mut stream| async move {
            if let Some(nodelay) = nodelay {
                stream.set_nodelay(nodelay)?;
                assert_eq!(stream.nodelay()?, nodelay);
            }
            sleep(secs(1).saturating_sub(now())).await;
            stream.write_all(b"1").await?;
            glassnet::task::yield_now().await;
            sleep(Duration::from_micros(10)).await;
            stream.write_all(b"2").await?;
            // A FIN would take the second byte with it.
            sleep(secs(1)).await;
            Ok(())
        },
    );
    sim.host_options("client", options.clone()).host_options("server", options);
    sim.run().expect("both octets arrive");
    arrived.all()[0] - secs(1)
}

#[test]
fn nagle_holds_a_small_segment_back_until_the_last_is_acknowledged() {
    let at_once = ms(1) + Duration::from_micros(10);
    let later = arrival_of_two_writes(HostOptions::default(), None);
    assert!(later >= ms(3) && later <= ms(14), "one round trip later, or a delayed ACK: {later:?}");
    assert_eq!(arrival_of_two_writes(HostOptions::default(), Some(true)), at_once);
    let off = HostOptions::default().nagle(false);
    assert_eq!(arrival_of_two_writes(off.clone(), None), at_once);
    assert!(arrival_of_two_writes(off, Some(false)) >= ms(3));
}

#[test]
fn nodelay_set_before_connecting_holds_for_the_connection() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let socket = TcpSocket::new_v4()?;
        assert!(!socket.nodelay()?);
        socket.set_nodelay(true)?;
        let stream = socket.connect("10.0.0.1:7".parse()?).await?;
        assert!(stream.nodelay()?);
        assert!(!TcpStream::connect("server:7").await?.nodelay()?);
        Ok(())
    });
    sim.run()
}

#[test]
fn the_halves_of_a_stream_work_at_the_same_time() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
        let (read, write) = stream.into_split();
        assert_eq!((read.local_addr()?, read.peer_addr()?), (local, peer));
        assert_eq!((write.local_addr()?, write.peer_addr()?), (local, peer));
        let stream = read.reunite(write)?;
        // More than all buffers on the way hold: neither half alone could finish.
        let data = pattern(600_000);
        assert!(exchange(stream, data.clone()).await? == data);
        Ok(())
    });
    sim.run()
}

#[test]
fn borrowed_halves_read_write_peek_and_try() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        {
            let (mut read, mut write) = stream.split();
            write.writable().await?;
            assert_eq!(write.try_write(b"abc")?, 3);
            read.readable().await?;
            let mut buffer = [0; 8];
            assert_eq!(read.peek(&mut buffer).await?, 3);
            assert_eq!(read.try_read(&mut buffer)?, 3);
            assert_eq!(read.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
            write.write_all(b"defg").await?;
            assert_eq!(read.read(&mut buffer).await?, 4);
            assert_eq!(
                (read.local_addr()?, read.peer_addr()?),
                (write.local_addr()?, write.peer_addr()?)
            );
        }
        // The halves were only lent: the connection is open.
        assert_eq!(exchange(stream, b"whole".to_vec()).await?, b"whole");
        Ok(())
    });
    sim.run()
}

#[test]
fn readers_of_one_stream_in_two_tasks_are_both_woken() -> glassnet::Result {
    pair(
        1,
        |mut stream| async move {
            sleep(secs(1)).await;
            stream.write_all(b"12").await?;
            sleep(secs(1)).await;
            Ok(())
        },
        |stream| async move {
            let stream = std::rc::Rc::new(stream);
            let tasks: Vec<_> = (0..2)
                .map(|_| {
                    let stream = stream.clone();
                    glassnet::spawn(async move {
                        loop {
                            stream.readable().await?;
                            match stream.try_read(&mut [0; 1]) {
                                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                                read => return read,
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await??, 1);
            }
            assert!(now() < ms(1_100), "{:?}", now());
            Ok(())
        },
    )
    .run()
}

#[test]
fn sockets_and_the_futures_of_their_calls_are_send_as_tokios_are() {
    fn is_send<T: Send>(_: &T) {}
    fn of_types<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    of_types::<TcpListener>();
    of_types::<TcpSocket>();
    of_types::<TcpStream>();
    of_types::<glassnet::net::tcp::OwnedReadHalf>();
    of_types::<glassnet::net::tcp::OwnedWriteHalf>();
    is_send(&TcpStream::connect("server:7"));
    is_send(&TcpListener::bind("0.0.0.0:7"));
    is_send(&sleep(secs(1)));
    is_send(&timeout(secs(1), TcpStream::connect("server:7")));
}

#[test]
fn a_stream_is_named_by_its_addresses_when_printed() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let socket = TcpSocket::new_v4()?;
        socket.bind("0.0.0.0:1234".parse()?)?;
        let stream = socket.connect("10.0.0.1:7".parse()?).await?;
        let printed = format!("{stream:?}");
        assert!(printed.contains("10.0.0.2:1234") && printed.contains("10.0.0.1:7"), "{printed}");
        Ok(())
    });
    sim.run()
}

#[test]
fn many_small_messages_go_back_and_forth() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        let began = now();
        for round in 0..500u32 {
            stream.write_all(&round.to_be_bytes()).await?;
            assert_eq!(stream.read_u32().await?, round);
        }
        // Neither Nagle nor delayed ACKs may hold up a request and its answer.
        assert_eq!(now() - began, ms(2) * 500);
        Ok(())
    });
    sim.run()
}
