//! Many wait for one socket, and many give up: nobody who waits is forgotten, and what gave up is.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use glassnet::Sim;
use glassnet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};
use glassnet::{spawn, time::sleep};
use tokio::io::AsyncWriteExt;

/// A waker, counted for as long as anybody holds it.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn waker(alive: &Arc<AtomicUsize>) -> Waker {
        alive.fetch_add(1, Ordering::Relaxed);
        Waker::from(Arc::new(Counted(alive.clone())))
    }
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets 10,000 wait for what `wait` gives, each with a waker of its own, and give up. Returns how
/// many of their wakers are still held at the most.
async fn most_held_of_10_000<F: Future>(mut wait: impl FnMut() -> F) -> usize {
    let alive = Arc::new(AtomicUsize::new(0));
    let mut most = 0;
    for number in 0..10_000 {
        {
            let waker = Counted::waker(&alive);
            let mut future = pin!(wait());
            assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        most = most.max(alive.load(Ordering::Relaxed));
        if number % 10 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    most
}

#[test]
fn who_gave_up_waiting_on_an_idle_socket_is_not_remembered_for_ever() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let _accepted = listener.accept().await?;
        std::future::pending().await
    });
    sim.client("client", async {
        let stream = TcpStream::connect("server:80").await?;
        let listener = TcpListener::bind("0.0.0.0:81").await?;
        let udp = UdpSocket::bind("0.0.0.0:82").await?;
        let unix = UnixDatagram::bind("/a")?;
        let mut buffer = [0; 8];
        for most in [
            most_held_of_10_000(|| stream.readable()).await,
            most_held_of_10_000(|| listener.accept()).await,
            most_held_of_10_000(|| udp.readable()).await,
            most_held_of_10_000(|| unix.readable()).await,
        ] {
            assert!(most <= 80, "{most}");
        }
        assert_eq!(
            stream.try_read(&mut buffer).unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock
        );
        Ok(())
    });
    sim.run()
}

#[test]
fn a_thousand_that_wait_for_one_socket_are_asked_once_and_all_woken() -> glassnet::Result {
    let mut sim = Sim::new(1);
    sim.host("server", || async {
        let listener = TcpListener::bind("0.0.0.0:80").await?;
        let (mut stream, _) = listener.accept().await?;
        sleep(Duration::from_secs(10)).await;
        stream.write_all(b"now").await?;
        std::future::pending().await
    });
    sim.client("client", async {
        let stream = Arc::new(TcpStream::connect("server:80").await?);
        let polls = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..1_000)
            .map(|_| {
                let (stream, polls) = (stream.clone(), polls.clone());
                spawn(async move {
                    std::future::poll_fn(|cx| -> Poll<std::io::Result<()>> {
                        polls.fetch_add(1, Ordering::Relaxed);
                        stream.poll_read_ready(cx)
                    })
                    .await
                })
            })
            .collect();
        sleep(Duration::from_secs(5)).await;
        // Once to begin with, and once more for the few that were there when they were many.
        let asked = polls.load(Ordering::Relaxed);
        assert!((1_000..=1_064).contains(&asked), "{asked}");
        for waiter in waiters {
            waiter.await??;
        }
        Ok(())
    });
    sim.run()
}
