//! One application for both worlds: the small services of RFC 862 to 864, and HTTP.
//!
//! `cargo run --bin services [CAPTURE]` runs it in a simulated world, with a client that tries
//! each. With more arguments it serves on a real network until it is stopped:
//!
//! ```text
//! services tap NAME ADDRESS/LEN… [CAPTURE]      on a TAP device of the kernel
//! services cable PATH ADDRESS/LEN… [CAPTURE]    on a cable between processes
//! ```
//!
//! | port | service |
//! |---|---|
//! | 7 | echo: what comes goes back |
//! | 9 | discard: what comes is counted, and the count goes back after the end |
//! | 19 | chargen: octets without end |
//! | 80 | HTTP/1.1: one page |
//! | 1000 | reset: what comes is read, and then the connection is reset |

use std::time::Duration;

use ecosystem::command_line;
use glassnet::hyper::{Io, Timer};
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::{HostOptions, Sim, spawn, time};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

fn main() -> glassnet::Result {
    let arguments = command_line::arguments()?;
    #[cfg(target_os = "linux")]
    if let [device, name, addresses @ ..] = &arguments[..] {
        return serve_for_real(device, name, addresses);
    }
    let mut sim = Sim::new(1);
    sim.host("server", serve);
    sim.client("client", try_each());
    if let Some(capture) = arguments.first() {
        sim.capture("client", capture)?;
    }
    sim.run()
}

#[cfg(target_os = "linux")]
fn serve_for_real(device: &str, name: &str, addresses: &[String]) -> glassnet::Result {
    let mut live = command_line::live(device, name, addresses)?;
    // Room for a window that needs scaling, and for as many callers as come at once.
    live.host_options(
        HostOptions::default().recv_buffer(256 * 1024).send_buffer(256 * 1024).syn_backlog(4096),
    );
    live.run(async {
        spawn(serve());
        // Each listens when it has had its first turn.
        time::sleep(Duration::from_millis(1)).await;
        eprintln!("listening");
        std::future::pending().await
    })?;
    println!("{:?}", live.device_counters());
    Ok(())
}

async fn serve() -> glassnet::Result {
    spawn(serve_each(7, echo));
    spawn(serve_each(9, discard));
    spawn(serve_each(19, chargen));
    spawn(serve_each(1000, reset));
    serve_each(80, http).await
}

/// Hands each connection to a service, in a task of its own.
async fn serve_each<F>(port: u16, service: fn(TcpStream) -> F) -> glassnet::Result
where
    F: Future<Output = glassnet::Result> + 'static,
{
    let socket = TcpSocket::new_v6()?;
    socket.set_reuseaddr(true)?;
    socket.bind(format!("[::]:{port}").parse()?)?;
    let listener: TcpListener = socket.listen(1024)?;
    loop {
        let (stream, _) = listener.accept().await?;
        spawn(async move {
            // A peer that goes away is no error of the service.
            let _ = service(stream).await;
        });
    }
}

async fn echo(mut stream: TcpStream) -> glassnet::Result {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.split();
    copy(&mut reader, &mut writer).await?;
    Ok(())
}

async fn discard(mut stream: TcpStream) -> glassnet::Result {
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0u64;
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            len => count += len as u64,
        }
    }
    stream.write_all(format!("{count}\n").as_bytes()).await?;
    Ok(())
}

async fn chargen(mut stream: TcpStream) -> glassnet::Result {
    let pattern: Vec<u8> = (0..64 * 1024).map(|at| b' ' + (at % 95) as u8).collect();
    loop {
        stream.write_all(&pattern).await?;
    }
}

async fn reset(mut stream: TcpStream) -> glassnet::Result {
    let mut octet = [0];
    stream.read_exact(&mut octet).await?;
    stream.set_zero_linger()?;
    Ok(())
}

async fn http(stream: TcpStream) -> glassnet::Result {
    let answer = |_: Request<Incoming>| async {
        let page = Bytes::from("Thank you for connecting\n");
        Ok::<_, hyper::Error>(Response::new(Full::new(page)))
    };
    let mut http = server::conn::http1::Builder::new();
    http.timer(Timer).serve_connection(Io::new(stream), service_fn(answer)).await?;
    Ok(())
}

async fn try_each() -> glassnet::Result {
    // The server listens a moment after it was started.
    time::sleep(Duration::from_millis(1)).await;

    let mut stream = TcpStream::connect("server:7").await?;
    stream.write_all(b"echo").await?;
    stream.shutdown().await?;
    let mut echoed = String::new();
    stream.read_to_string(&mut echoed).await?;
    println!("echo: {echoed}");

    let mut stream = TcpStream::connect("server:9").await?;
    stream.write_all(&[0; 100_000]).await?;
    stream.shutdown().await?;
    let mut count = String::new();
    stream.read_to_string(&mut count).await?;
    println!("discard: {}", count.trim());

    let mut stream = TcpStream::connect("server:19").await?;
    let mut line = [0; 95];
    stream.read_exact(&mut line).await?;
    println!("chargen: {}", String::from_utf8_lossy(&line));

    let mut stream = TcpStream::connect("server:80").await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n").await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    println!("http: {}", page.lines().last().unwrap_or_default());

    let mut stream = TcpStream::connect("server:1000").await?;
    stream.write_all(b"!").await?;
    println!("reset: {:?}", stream.read(&mut [0]).await.map_err(|error| error.kind()));
    Ok(())
}
