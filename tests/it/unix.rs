//! Unix domain sockets: their names and limits, crashes, and what reports say of them.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use crate::common::*;
use glassnet::net::unix::{SocketAddr, remove_file};
use glassnet::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};

// Linux's numbers.
const ENOSPC: i32 = 28;
const EPROTOTYPE: i32 = 91;

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
        while writer.try_write(&[7; 1000]).is_ok() {}
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
