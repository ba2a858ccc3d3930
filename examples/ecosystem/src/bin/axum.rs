//! An axum application, served through hyper: the router is an ordinary `tower` service, and
//! knows nothing of the network. (`axum::serve` needs tokio's runtime; the loop here stands for it.)
//!
//! `cargo run --bin axum [CAPTURE]` prints what happened, and leaves a capture of the client's
//! interface.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use glassnet::hyper::{Io, Timer};
use glassnet::net::{TcpListener, TcpStream};
use glassnet::time::{Instant, sleep};
use glassnet::{Sim, spawn};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, client, server};
use hyper_util::service::TowerToHyperService;

/// Notes by name. A `BTreeMap`, because a `HashMap` would list them in another order each run.
type Notes = Arc<Mutex<BTreeMap<String, String>>>;

fn main() -> glassnet::Result {
    let capture = std::env::args_os().nth(1).map(PathBuf::from);
    let capture = capture.unwrap_or_else(|| std::env::temp_dir().join("glassnet-axum.pcapng"));

    let mut sim = Sim::new(1);
    sim.link("client", "server").delay(Duration::from_millis(20)).rate(10_000_000);
    sim.host("server", || serve(application()));
    sim.client("client", async {
        let stream = TcpStream::connect("server:80").await?;
        let (mut sender, connection) = client::conn::http1::handshake(Io::new(stream)).await?;
        let connection = spawn(connection);
        for (method, path, body, status, expected) in [
            ("GET", "/notes", "", 200, ""),
            ("PUT", "/notes/second", "two", 201, ""),
            ("PUT", "/notes/first", "one", 201, ""),
            ("GET", "/notes", "", 200, "first\nsecond\n"),
            ("GET", "/notes/first", "", 200, "one"),
            ("GET", "/notes/third", "", 404, "no note is called third"),
            ("DELETE", "/notes", "", 405, ""),
        ] {
            let request = Request::builder().method(method).uri(path).header("host", "server");
            let body = Full::new(Bytes::from_static(body.as_bytes()));
            let response = sender.send_request(request.body(body)?).await?;
            let answered = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            println!("{} {method} {path}: {answered} {body:?}", Instant::now());
            if answered != status || body != expected {
                return Err(format!("{method} {path}: expected {status} {expected:?}").into());
            }
        }
        drop(sender);
        Ok(connection.await??)
    });
    sim.capture("client", &capture)?;
    sim.run()?;
    println!("{} s in all; {}", sim.now().since_start().as_secs_f64(), capture.display());
    Ok(())
}

fn application() -> Router {
    Router::new()
        .route("/notes", get(list))
        .route("/notes/{name}", get(read).put(write))
        .with_state(Notes::default())
}

async fn list(State(notes): State<Notes>) -> String {
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.keys().map(|name| format!("{name}\n")).collect()
}

async fn read(State(notes): State<Notes>, Path(name): Path<String>) -> Result<String, Missing> {
    // A slow disk, in virtual time: glassnet's futures are `Send`, as axum's handlers must be.
    sleep(Duration::from_millis(5)).await;
    let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
    notes.get(&name).cloned().ok_or((StatusCode::NOT_FOUND, format!("no note is called {name}")))
}

type Missing = (StatusCode, String);

async fn write(State(notes): State<Notes>, Path(name): Path<String>, text: String) -> StatusCode {
    notes.lock().unwrap_or_else(PoisonError::into_inner).insert(name, text);
    StatusCode::CREATED
}

/// What `axum::serve` does, without tokio's runtime.
async fn serve(application: Router) -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(application.clone());
        let mut http = server::conn::http1::Builder::new();
        http.timer(Timer).auto_date_header(false);
        spawn(http.serve_connection(Io::new(stream), service));
    }
}
