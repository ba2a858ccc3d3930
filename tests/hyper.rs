//! hyper over glassnet's sockets: requests over lossy links, determinism, timeouts in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use common::*;
use glassnet::hyper::{Executor, Io, Timer};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{sleep, timeout};
use glassnet::{Sim, spawn};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::Timer as _;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, client, header, server, upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A version of HTTP to ask in.
#[derive(Clone, Copy, Debug)]
enum Version {
    One,
    Two,
}

/// Sends back what it gets.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}

fn echo_server(sim: &mut Sim, version: Version) {
    sim.host("server", move || async move {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        loop {
            let stream = Io::new(listener.accept().await?.0);
            match version {
                Version::One => {
                    let mut http = server::conn::http1::Builder::new();
                    http.timer(Timer).auto_date_header(false);
                    spawn(http.serve_connection(stream, service_fn(echo)));
                }
                Version::Two => {
                    let mut http = server::conn::http2::Builder::new(Executor);
                    http.timer(Timer).auto_date_header(false);
                    spawn(http.serve_connection(stream, service_fn(echo)));
                }
            }
        }
    });
}

fn post(body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post("http://server/").header("host", "server").body(body.into()).unwrap()
}

/// Ten requests and their answers over one connection: after each other, or all at once.
async fn ask(version: Version) -> glassnet::Result {
    let stream = Io::new(TcpStream::connect("server:80").await?);
    let bodies = (0..10).map(|number| pattern(number * 3_000));
    match version {
        Version::One => {
            let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
            spawn(connection);
            for body in bodies {
                let response = sender.send_request(post(body.clone())).await?;
                assert!(response.into_body().collect().await?.to_bytes() == body);
            }
        }
        Version::Two => {
            let mut http = client::conn::http2::Builder::new(Executor);
            let (sender, connection) = http.timer(Timer).handshake(stream).await?;
            spawn(connection);
            let asked: Vec<_> = bodies
                .map(|body| {
                    let mut sender = sender.clone();
                    spawn(async move {
                        let response = sender.send_request(post(body.clone())).await?;
                        assert!(response.into_body().collect().await?.to_bytes() == body);
                        Ok::<_, hyper::Error>(())
                    })
                })
                .collect();
            for answer in asked {
                answer.await??;
            }
        }
    }
    Ok(())
}

fn capture_of(version: Version, seed: u64, name: &str) -> Vec<u8> {
    let path = scratch(&format!("hyper-{version:?}-{seed}-{name}.pcapng"));
    let mut sim = Sim::new(seed);
    sim.link("client", "server").delay(ms(10)).loss(0.05).reorder(0.05).duplicate(0.05);
    echo_server(&mut sim, version);
    sim.client("client", ask(version));
    sim.capture("client", &path).unwrap();
    sim.run().unwrap();
    assert!(sim.retransmissions() > 0);
    std::fs::read(path).unwrap()
}

#[test]
fn requests_over_a_lossy_link_are_answered_and_the_same_seed_gives_the_same_bytes() {
    for version in [Version::One, Version::Two] {
        for seed in 1..=3 {
            let (once, again) =
                (capture_of(version, seed, "once"), capture_of(version, seed, "again"));
            assert!(once == again, "{version:?}, seed {seed}");
        }
        assert!(capture_of(version, 1, "one") != capture_of(version, 2, "other"));
    }
}

#[test]
fn a_request_that_never_ends_is_given_up_in_virtual_time() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.time_limit(secs(7_200));
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let stream = Io::new(listener.accept().await?.0);
        let mut http = server::conn::http1::Builder::new();
        http.timer(Timer).header_read_timeout(secs(3_600));
        let accepted = now();
        let error = http.serve_connection(stream, service_fn(echo)).await.unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(now() - accepted, secs(3_600));
        Ok(())
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:80").await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: ser").await?;
        assert_eq!(stream.read(&mut [0; 1]).await?, 0);
        assert!(now() > secs(3_600));
        Ok(())
    });
    sim.run()
}

#[test]
fn an_idle_connection_is_closed_when_its_keep_alive_time_is_over() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let stream = Io::new(listener.accept().await?.0);
        let mut http = server::conn::http1::Builder::new();
        http.timer(Timer).header_read_timeout(secs(75));
        let _ = http.serve_connection(stream, service_fn(echo)).await;
        Ok(())
    });
    sim.client("client", async {
        let stream = Io::new(TcpStream::connect("server:80").await?);
        let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
        let connection = spawn(connection);
        for _ in 0..3 {
            sender.send_request(post(b"again".to_vec())).await?.into_body().collect().await?;
            // Each request begins the time anew.
            sleep(secs(70)).await;
        }
        let idle_since = now() - secs(70);
        connection.await??;
        let idle = now() - idle_since;
        assert!(idle >= secs(75) && idle < secs(75) + ms(10), "{idle:?}");
        Ok(())
    });
    sim.run()
}

#[test]
fn http2_notices_by_its_own_keep_alive_that_the_other_side_is_gone() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_server(&mut sim, Version::Two);
    let ended = Log::new();
    let note = ended.clone();
    sim.client("client", async move {
        let stream = Io::new(TcpStream::connect("server:80").await?);
        let mut http = client::conn::http2::Builder::new(Executor);
        http.timer(Timer).keep_alive_interval(secs(10)).keep_alive_timeout(secs(5));
        http.keep_alive_while_idle(true);
        let (mut sender, connection) = http.handshake(stream).await?;
        let connection = spawn(connection);
        sender.send_request(post(b"still there?".to_vec())).await?;
        let error = connection.await?.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        note.note(now());
        Ok(())
    });
    sim.run_for(secs(60))?;
    assert_eq!(ended.all(), [], "the pings are answered");
    sim.crash("server");
    sim.run()?;
    let [ended] = ended.all()[..] else { panic!("one connection") };
    // At most an interval until the next ping, and five seconds for its answer.
    assert!(ended > secs(65) && ended <= secs(75), "{ended:?}");
    Ok(())
}

#[test]
fn hypers_timer_is_the_worlds_clock() -> glassnet::Result {
    alone(async {
        let start = Timer.now();
        sleep(secs(3)).await;
        assert_eq!(Timer.now() - start, secs(3));
        Timer.sleep(secs(2)).await;
        assert_eq!(now(), secs(5));
        Timer.sleep_until(start + secs(9)).await;
        assert_eq!(now(), secs(9));
        // What has passed is over at once.
        Timer.sleep_until(start).await;
        assert_eq!(now(), secs(9));

        let mut moved = Timer.sleep(secs(100));
        assert!(timeout(secs(1), moved.as_mut()).await.is_err());
        Timer.reset(&mut moved, Timer.now() + secs(2));
        moved.await;
        assert_eq!(now(), secs(12));
        Ok(())
    })
}

#[test]
fn two_worlds_count_from_the_same_instant() -> glassnet::Result {
    let begins = Log::new();
    for _ in 0..2 {
        let begins = begins.clone();
        alone(async move {
            begins.note(Timer.now());
            Ok(())
        })?;
    }
    assert_eq!(begins.all()[0], begins.all()[1]);
    Ok(())
}

#[test]
fn hypers_tasks_need_not_be_send_and_end_with_their_host() -> glassnet::Result {
    struct Noting(Rc<Cell<u32>>);
    impl Drop for Noting {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let noting = dropped.clone();
    let mut sim = Sim::new(1);
    sim.host("host", move || {
        let noting = Noting(noting.clone());
        async move {
            hyper::rt::Executor::execute(&Executor, async move {
                let _noting = noting;
                for_ever().await
            });
            for_ever().await
        }
    });
    sim.run_for(secs(1))?;
    assert_eq!(dropped.get(), 0);
    sim.crash("host");
    assert_eq!(dropped.get(), 1);
    Ok(())
}

#[test]
fn an_upgraded_connection_is_one_for_tokios_traits() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let stream = Io::new(listener.accept().await?.0);
        let service = service_fn(async |mut request: Request<Incoming>| {
            spawn(async move {
                let (mut read, mut write) =
                    tokio::io::split(Io::new(upgrade::on(&mut request).await?));
                tokio::io::copy(&mut read, &mut write).await?;
                write.shutdown().await?;
                glassnet::Result::Ok(())
            });
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response.headers_mut().insert(header::UPGRADE, "echo".parse().unwrap());
            Ok::<_, Infallible>(response)
        });
        let http = server::conn::http1::Builder::new();
        http.serve_connection(stream, service).with_upgrades().await?;
        // The task that has the upgraded connection ends with this one.
        for_ever().await
    });
    sim.client("client", async {
        let stream = Io::new(TcpStream::connect("server:80").await?);
        let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
        spawn(connection.with_upgrades());
        let request = Request::get("/").header("upgrade", "echo").header("connection", "upgrade");
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let (mut read, mut write) = tokio::io::split(Io::new(upgrade::on(response).await?));
        spawn(async move {
            write.write_all(&pattern(100_000)).await?;
            write.shutdown().await
        });
        let mut received = Vec::new();
        read.read_to_end(&mut received).await?;
        assert!(received == pattern(100_000));
        Ok(())
    });
    sim.run()
}

#[test]
fn wrapped_twice_a_socket_is_one_again() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut stream = Io::new(Io::new(TcpStream::connect("server:7").await?));
        stream.write_all(b"there").await?;
        stream.write_all(b" and back").await?;
        stream.flush().await?;
        stream.shutdown().await?;
        let mut three = [0; 3];
        stream.read_exact(&mut three).await?;
        assert_eq!(three, *b"the");
        // Nothing stays in the wrappers.
        let mut stream = stream.into_inner().into_inner();
        assert_eq!(read_all(&mut stream).await?, b"re and back");
        Ok(())
    });
    sim.run()
}
