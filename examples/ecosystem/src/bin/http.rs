//! HTTP/1.1 and HTTP/2 with hyper: one server that speaks both, each on a port of its own, and a
//! client that sends two requests after each other over the first, and three at once over the
//! second.
//!
//! `cargo run --bin http [CAPTURE]` prints what happened, and leaves a capture of the client's
//! interface.

use std::path::PathBuf;
use std::time::Duration;

use glassnet::hyper::{Executor, Io, Timer};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::Instant;
use glassnet::{Sim, spawn};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server};

type Body = Full<Bytes>;

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-http.pcapng"));

    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(20)).rate(10_000_000);
    sim.host("server", || async {
        spawn(serve_http2());
        serve_http1().await
    });
    sim.client("client", async {
        ask_http1().await?;
        ask_http2().await
    });
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{} s in all; {}", sim.now().since_start().as_secs_f64(), capture.display());
    Ok(())
}

/// What the server answers, in both versions.
async fn answer(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => (StatusCode::OK, Bytes::from("Thank you for connecting\n")),
        (&Method::POST, "/echo") => {
            (StatusCode::OK, request.into_body().collect().await?.to_bytes())
        }
        _ => (StatusCode::NOT_FOUND, Bytes::from("no such page\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    Ok(response)
}

async fn serve_http1() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let mut http = server::conn::http1::Builder::new();
        // Virtual time for the timeouts. The date header would be the wall clock's, and would
        // make the bytes of each run others.
        http.timer(Timer).auto_date_header(false);
        spawn(http.serve_connection(Io::new(stream), service_fn(answer)));
    }
}

async fn serve_http2() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:8080").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        // HTTP/2 runs each stream as a task, so it wants an executor as well.
        let mut http = server::conn::http2::Builder::new(Executor);
        http.timer(Timer).auto_date_header(false);
        spawn(http.serve_connection(Io::new(stream), service_fn(answer)));
    }
}

async fn ask_http1() -> glassnet::Result {
    let stream = TcpStream::connect("server:80").await?;
    let (mut sender, connection) = client::conn::http1::handshake(Io::new(stream)).await?;
    let connection = spawn(connection);
    for request in [get("/")?, post("/echo", 20_000)?] {
        report(sender.send_request(request).await?).await?;
    }
    // The connection ends when nobody can send over it any more.
    drop(sender);
    Ok(connection.await??)
}

async fn ask_http2() -> glassnet::Result {
    let stream = TcpStream::connect("server:8080").await?;
    let mut http = client::conn::http2::Builder::new(Executor);
    let (sender, connection) = http.timer(Timer).handshake(Io::new(stream)).await?;
    let connection = spawn(connection);
    let requests =
        [get("http://server/")?, post("http://server/echo", 20_000)?, get("http://server/lost")?];
    let mut asked = Vec::new();
    for request in requests {
        let mut sender = sender.clone();
        asked.push(spawn(async move { report(sender.send_request(request).await?).await }));
    }
    drop(sender);
    for answer in asked {
        answer.await??;
    }
    Ok(connection.await??)
}

fn get(uri: &str) -> hyper::http::Result<Request<Body>> {
    Request::get(uri).header("host", "server").body(Body::default())
}

fn post(uri: &str, octets: usize) -> hyper::http::Result<Request<Body>> {
    Request::post(uri).header("host", "server").body(vec![b'x'; octets].into())
}

async fn report(response: Response<Incoming>) -> glassnet::Result {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("{} {:?} {}: {} octets", Instant::now(), head.version, head.status, body.len());
    match (head.status, body.len()) {
        (StatusCode::OK, 25 | 20_000) | (StatusCode::NOT_FOUND, 13) => Ok(()),
        _ => Err("not what was asked for".into()),
    }
}
