//! `Sim::tokio`.

use super::runtime::RuntimeHost;
use super::threads;
use crate::world::{MainFuture, Sim};

/// How the program of a host comes into a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Door {
    /// It uses `glassnet::net`, `glassnet::time` and `glassnet::spawn`, on the executor of the
    /// world.
    Glassnet,
    /// It uses tokio, on a runtime of its own.
    Tokio,
}

impl Sim {
    /// An empty world whose hosts run on tokio: each on a runtime of its own, of the kind
    /// `current_thread`. What their programs ask libc for is answered by the world, so they, and the
    /// libraries they use, may be written for `tokio::net`, `tokio::time`, `std::net` and `std::time`,
    /// without a change.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use glassnet::Sim;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tokio::net::{TcpListener, TcpStream};
    ///
    /// let mut sim = Sim::tokio(7);
    /// sim.host("server", || async {
    ///     let listener = TcpListener::bind("0.0.0.0:12345").await?;
    ///     loop {
    ///         let (mut stream, _) = listener.accept().await?;
    ///         tokio::spawn(async move {
    ///             tokio::time::sleep(Duration::from_secs(60)).await;
    ///             stream.write_all(b"Thank you for connecting").await
    ///         });
    ///     }
    /// });
    /// sim.client("client", async {
    ///     let began = std::time::Instant::now();
    ///     let mut greeting = String::new();
    ///     TcpStream::connect("server:12345").await?.read_to_string(&mut greeting).await?;
    ///     assert_eq!(greeting, "Thank you for connecting");
    ///     assert!(began.elapsed() >= Duration::from_secs(60));
    ///     Ok(())
    /// });
    /// sim.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// | | answered by the world |
    /// |---|---|
    /// | sockets | TCP, UDP, ICMP and unix, by every call of `socket(7)`, with the control messages for QUIC (`IP_PKTINFO`, `IP_TOS`, `UDP_SEGMENT` and IPv6's); `epoll(7)`, `poll(2)`, eventfd, timerfd |
    /// | time | `clock_gettime`, `gettimeofday`, `time`, `nanosleep` and their kin |
    /// | entropy | `getrandom`, `getentropy`, `arc4random`: the host's stream |
    /// | names | `getaddrinfo`, `getnameinfo`, `gethostbyname` and its kin, `gethostname`; `open` and `fopen` of `/etc/hosts`, `hostname`, `resolv.conf` and `nsswitch.conf` |
    /// | the machine | `uname`, one processor; `getifaddrs`, `if_nametoindex` and its kin |
    /// | threads | `spawn_blocking` and `std::thread`, also with a runtime of their own: one at a time, in the same order in every run, and what blocks one takes the time of the world |
    /// | refused | sockets of other families (EAFNOSUPPORT); `fork`, `execve`, `posix_spawn` (EPERM); passing files and credentials through a unix socket (EOPNOTSUPP); `UDP_GRO` and `SO_TIMESTAMP` (ENOPROTOOPT); `select` of a world's socket (EINVAL), for which an `fd_set` has no room; timers that signal, as of `setitimer` (ENOSYS) |
    ///
    /// tokio's timers fire at the first whole millisecond of their runtime at or after their deadline,
    /// as in production. What would block the thread of a runtime itself, as a blocking read in an
    /// async function does, fails with EDEADLK; a `std::thread::sleep` there ends the process with a
    /// message. When a host ends or crashes, its runtime is dropped, and threads that block in
    /// something else than tokio's pool stay behind until the process ends.
    ///
    /// A thread may wait for a lock that a thread outside of the world holds, such as that of stdout:
    /// a world in which nothing else can happen waits 2 s of real time for it.
    ///
    /// A program and its libraries share the process with the test, and so what is of the process: the
    /// environment, files, the process number, `HashMap`'s keys, which a thread draws once, and
    /// statics, such as tokio's own count of runtimes, from which `select!` draws. So a run is the
    /// same byte for byte only where its world is the first of its process, as under cargo-nextest
    /// or `cargo test -- --exact NAME`. A call
    /// that is refused is told of once, as an error event of `tracing` with the place that made it.
    /// Not answered yet: waiting in C by `pthread_mutex_lock`, `pthread_cond_wait`, `sem_wait` and
    /// their kin is not seen; programs that make system calls without libc reach the kernel.
    ///
    /// The feature turns tokio's `rt` on, and with it `tokio::sync::watch` wakes in an order drawn
    /// from entropy; on hosts of this door that is the host's stream.
    ///
    /// # Errors
    /// A run fails where the executable does not ask this crate's symbols, as a static one does not.
    #[must_use]
    pub fn tokio(seed: u64) -> Sim {
        let mut sim = Sim::new(seed);
        sim.door(Door::Tokio);
        sim
    }

    /// How the programs of hosts and clients that are named from now on are run.
    pub fn door(&mut self, door: Door) -> &mut Sim {
        self.set_outside(threads::wait_for_outside);
        self.set_runner(match door {
            Door::Glassnet => None,
            Door::Tokio => Some(on_tokio),
        });
        self
    }
}

/// The task of a host whose main function runs on a runtime of its own.
fn on_tokio(main: Box<dyn FnOnce() -> MainFuture>) -> MainFuture {
    Box::pin(async move { RuntimeHost::new(main)?.await })
}
