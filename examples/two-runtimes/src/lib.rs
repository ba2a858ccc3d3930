//! An echo server whose sockets, tasks and timers are tokio's, and glassnet's with the feature
//! `simulated`. `cargo test` runs it on this machine's own network, `cargo test --features simulated`
//! in a simulation.

/// What this crate uses wherever it would use `tokio`.
pub mod rt {
    #[cfg(feature = "simulated")]
    pub use glassnet::{net, spawn, task, time};
    #[cfg(not(feature = "simulated"))]
    pub use tokio::{net, spawn, task, time};
}

use std::io;
use std::time::Duration;

use tokio::io::copy;

use rt::net::{TcpListener, TcpStream};

/// Sends back what each client sends; a client that takes longer than a minute is cut off.
///
/// # Errors
/// Those of accepting.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        rt::spawn(rt::time::timeout(Duration::from_secs(60), echo(stream)));
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<u64> {
    let (mut read, mut write) = stream.split();
    copy(&mut read, &mut write).await
}
