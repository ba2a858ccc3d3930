//! What `glassnet::guide` says of other libraries: what works as it is, and what does not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../tests/common/mod.rs"]
mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::*;
use futures_util::stream::FuturesUnordered;
use futures_util::{SinkExt, StreamExt};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::sleep;
use glassnet::{Failure, Sim, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::sync::{Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio_util::codec::{Framed, LinesCodec};

#[test]
fn tasks_meet_over_tokio_sync() -> glassnet::Result {
    alone(async {
        let (numbers, mut received) = mpsc::channel(1);
        let (done, is_done) = oneshot::channel();
        let sum = Arc::new(Mutex::new(0));
        let added = sum.clone();
        spawn(async move {
            while let Some(number) = received.recv().await {
                *added.lock().await += number;
            }
            done.send(now()).unwrap();
        });
        for number in 1..=10 {
            // A channel of one makes them take turns.
            numbers.send(number).await?;
            sleep(ms(1)).await;
        }
        drop(numbers);
        assert_eq!(is_done.await?, ms(10));
        assert_eq!(*sum.lock().await, 55);

        let (notify, permits) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(2)));
        let ((state, mut watched), (news, mut heard)) =
            (watch::channel("down"), broadcast::channel(4));
        let (notified, permit) = (notify.clone(), permits.clone().acquire_many_owned(2).await?);
        let waiting = spawn(async move {
            watched.changed().await.unwrap();
            let state = *watched.borrow();
            let news = heard.recv().await.unwrap();
            notified.notified().await;
            drop(permits.acquire().await.unwrap());
            (state, news, now())
        });
        sleep(ms(5)).await;
        state.send("up")?;
        news.send("all is well")?;
        notify.notify_one();
        sleep(ms(5)).await;
        drop(permit);
        assert_eq!(waiting.await?, ("up", "all is well", ms(20)));
        Ok(())
    })
}

#[test]
fn tokios_select_is_the_same_each_time_only_when_biased() -> glassnet::Result {
    alone(async {
        let mut first = 0;
        for _ in 0..1_000 {
            tokio::select! {
                biased;
                () = async {} => first += 1,
                () = async {} => unreachable!("the first is ready"),
            }
        }
        assert_eq!(first, 1_000);
        let mut first = 0;
        for _ in 0..1_000 {
            tokio::select! {
                () = async {} => first += 1,
                () = async {} => {}
            }
        }
        // It draws from a generator of tokio's own, which no seed of ours reaches.
        assert!(first > 0 && first < 1_000, "{first}");
        let (slow, quick) = tokio::join!(sleep(ms(20)), async { now() });
        assert_eq!((slow, quick, now()), ((), ms(0), ms(20)));
        Ok(())
    })
}

#[test]
fn many_futures_of_one_task_are_driven_by_futures_util() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.client("client", async {
        let mut asked: FuturesUnordered<_> = (1..=20)
            .map(|number| async move {
                sleep(ms(100 - number)).await;
                let stream = TcpStream::connect("server:7").await?;
                let answer = exchange(stream, vec![number as u8]).await?;
                std::io::Result::Ok(answer[0])
            })
            .collect();
        let mut answers = Vec::new();
        while let Some(answer) = asked.next().await {
            answers.push(answer?);
        }
        assert_eq!(answers, (1..=20).rev().collect::<Vec<u8>>());
        Ok(())
    });
    sim.run()
}

#[test]
fn a_codec_of_tokio_util_frames_a_socket() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.link("client", "server").loss(0.05);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (stream, _) = listener.accept().await?;
        let mut lines = Framed::new(stream, LinesCodec::new());
        while let Some(line) = lines.next().await {
            lines.send(line?.to_uppercase()).await?;
        }
        Ok(())
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:7").await?;
        let mut lines = Framed::new(stream, LinesCodec::new());
        for length in [0, 1, 10_000] {
            lines.send("a".repeat(length)).await?;
            assert_eq!(lines.next().await.unwrap()?, "A".repeat(length));
        }
        Ok(())
    });
    sim.run()
}

#[test]
fn a_proxy_is_tokios_copy_bidirectional() -> glassnet::Result {
    let mut sim = Sim::new(1);
    echo_host(&mut sim, "server");
    sim.host("proxy", || async {
        let listener = TcpListener::bind("0.0.0.0:7").await?;
        let (mut outer, _) = listener.accept().await?;
        let mut inner = TcpStream::connect("server:7").await?;
        let copied = copy_bidirectional(&mut outer, &mut inner).await?;
        assert_eq!(copied, (200_000, 200_000));
        Ok(())
    });
    sim.client("client", async {
        let (mut read, mut write) = tokio::io::split(TcpStream::connect("proxy:7").await?);
        spawn(async move {
            write.write_all(&pattern(200_000)).await?;
            write.shutdown().await
        });
        let mut received = Vec::new();
        read.read_to_end(&mut received).await?;
        assert!(received == pattern(200_000));
        Ok(())
    });
    sim.run()
}

/// What a call in a task of a world panics with.
fn panic_of<T>(call: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(call)).err().expect("it must panic");
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn what_needs_tokios_runtime_panics_and_says_so() -> glassnet::Result {
    alone(async {
        for panic in [
            panic_of(|| tokio::spawn(async {})),
            panic_of(|| tokio::task::spawn_blocking(|| ())),
            panic_of(|| tokio::time::sleep(ms(1))),
            panic_of(|| tokio::time::timeout(ms(1), async {})),
            panic_of(|| tokio::time::interval(ms(1))),
        ] {
            assert!(panic.starts_with("there is no reactor running"), "{panic}");
        }
        Ok(())
    })
}

#[test]
fn what_is_started_on_a_runtime_around_the_world_does_not_run_in_it() -> glassnet::Result {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let _entered = runtime.enter();
    let ran = Arc::new(Mutex::new(false));
    let note = ran.clone();
    alone(async move {
        tokio::spawn(async move { *note.lock().await = true });
        sleep(secs(1_000)).await;
        Ok(())
    })?;
    assert!(!*runtime.block_on(ran.lock()));
    // And a timer of that runtime waits for a clock that does not go on.
    let slept = alone(async {
        tokio::time::sleep(ms(1)).await;
        Ok(())
    });
    assert!(matches!(failure(slept).failure(), Failure::Deadlock));
    Ok(())
}

#[test]
#[allow(clippy::disallowed_methods, reason = "what happens when somebody does it")]
fn a_world_does_not_wait_for_threads() {
    let (finish, may_finish) = std::sync::mpsc::channel::<()>();
    let (answer, answered) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        may_finish.recv().unwrap();
        answer.send(())
    });
    let waited = alone(async { Ok(answered.await?) });
    let report = failure(waited);
    assert!(matches!(report.failure(), Failure::Deadlock));
    assert!(report.to_string().contains("something that is neither a socket nor a timer"));
    finish.send(()).unwrap();
    assert_eq!(thread.join().unwrap(), Err(()));
}

mod with_hyper {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use glassnet::hyper::{Executor, Io, Timer};
    use http_body_util::{BodyExt, Empty, Full};
    use hyper::body::{Bytes, Incoming};
    use hyper::rt::{Read, ReadBufCursor, Write};
    use hyper::service::service_fn;
    use hyper::{Request, Response, Uri, client, server};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::{Connected, Connection};
    use hyper_util::rt::{TokioExecutor, TokioIo};

    use super::*;

    async fn greet(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(Response::new(Full::new(Bytes::from("Thank you for connecting"))))
    }

    /// Answers requests, and counts connections.
    fn greeting_host(sim: &mut Sim) -> Log<()> {
        let connections = Log::new();
        let note = connections.clone();
        sim.host("server", move || {
            let note = note.clone();
            async move {
                let listener = TcpListener::bind("0.0.0.0:80").await?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    note.note(());
                    // hyper-util's own wrapper.
                    let http = server::conn::http1::Builder::new();
                    spawn(http.serve_connection(TokioIo::new(stream), service_fn(greet)));
                }
            }
        });
        connections
    }

    #[test]
    fn hyper_utils_tokio_io_works_as_it_is() -> glassnet::Result {
        let mut sim = Sim::new(1);
        greeting_host(&mut sim);
        sim.client("client", async {
            let stream = TokioIo::new(TcpStream::connect("server:80").await?);
            let (mut sender, connection) = client::conn::http1::handshake(stream).await?;
            spawn(connection);
            let request = Request::get("/").header("host", "server").body(Empty::<Bytes>::new())?;
            let body = sender.send_request(request).await?.into_body().collect().await?;
            assert_eq!(body.to_bytes(), "Thank you for connecting");
            Ok(())
        });
        sim.run()
    }

    #[test]
    fn hyper_utils_executor_needs_tokios_runtime() -> glassnet::Result {
        alone(async {
            let panic = panic_of(|| hyper::rt::Executor::execute(&TokioExecutor::new(), async {}));
            assert!(panic.starts_with("there is no reactor running"), "{panic}");
            Ok(())
        })
    }

    /// A connection as hyper-util's pool wants it.
    struct Pooled(Io<TcpStream>);

    impl Connection for Pooled {
        fn connected(&self) -> Connected {
            Connected::new()
        }
    }

    impl Read for Pooled {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            cursor: ReadBufCursor<'_>,
        ) -> Poll<std::io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, cursor)
        }
    }

    impl Write for Pooled {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<std::io::Result<usize>> {
            Write::poll_write(Pin::new(&mut self.0), cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Write::poll_flush(Pin::new(&mut self.0), cx)
        }

        fn poll_shutdown(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<std::io::Result<()>> {
            Write::poll_shutdown(Pin::new(&mut self.0), cx)
        }
    }

    /// Opens connections on the host of the calling task.
    #[derive(Clone)]
    struct Connector;

    impl tower_service::Service<Uri> for Connector {
        type Response = Pooled;
        type Error = std::io::Error;
        type Future = Pin<Box<dyn Future<Output = std::io::Result<Pooled>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, uri: Uri) -> Self::Future {
            Box::pin(async move {
                let host = uri.host().unwrap_or_default().to_owned();
                let port = uri.port_u16().unwrap_or(80);
                Ok(Pooled(Io::new(TcpStream::connect((host, port)).await?)))
            })
        }
    }

    #[test]
    fn hyper_utils_pooled_client_runs_on_our_executor_and_timer() -> glassnet::Result {
        let mut sim = Sim::new(1);
        let connections = greeting_host(&mut sim);
        sim.client("client", async {
            let client = Client::builder(Executor)
                .timer(Timer)
                .pool_timer(Timer)
                .pool_idle_timeout(secs(30))
                .build::<_, Empty<Bytes>>(Connector);
            for pause in [1, 1, 60] {
                let response = client.get(Uri::from_static("http://server/")).await?;
                let body = response.into_body().collect().await?.to_bytes();
                assert_eq!(body, "Thank you for connecting");
                sleep(secs(pause)).await;
            }
            client.get(Uri::from_static("http://server/")).await?;
            Ok(())
        });
        sim.run()?;
        // One for the first three requests; it had been idle for too long at the fourth.
        assert_eq!(connections.len(), 2);
        Ok(())
    }
}
