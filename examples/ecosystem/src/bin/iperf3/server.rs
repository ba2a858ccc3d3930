//! The server: one test after the other.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use glassnet::net::{TcpListener, TcpSocket, TcpStream};
use glassnet::time::{Instant, sleep, timeout};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::control::{
    ACCESS_DENIED, COOKIE_LEN, CREATE_STREAMS, DISPLAY_RESULTS, EXCHANGE_RESULTS, IPERF_DONE,
    PARAM_EXCHANGE, PORT, Parameters, TEST_END, TEST_RUNNING, TEST_START, expect_state, octets_of,
    receive_json, refuse, results, send_json, send_state,
};
use crate::streams::Stream;

/// What each step of a test but the test itself may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much longer a test may take than its client said.
const GRACE: Duration = Duration::from_secs(10);

type Cookie = [u8; COOKIE_LEN];

pub(crate) async fn serve() -> glassnet::Result {
    let socket = TcpSocket::new_v6()?;
    socket.set_reuseaddr(true)?;
    socket.bind(format!("[::]:{PORT}").parse()?)?;
    let listener = socket.listen(256)?;
    eprintln!("listening");
    loop {
        let (control, peer) = listener.accept().await?;
        // Whatever a client does, the next one is served.
        if let Err(error) = test(control, peer, &listener).await {
            eprintln!("{peer}: {error}");
        }
    }
}

async fn test(mut control: TcpStream, peer: SocketAddr, listener: &TcpListener) -> io::Result<()> {
    control.set_nodelay(true)?;
    let (cookie, parameters) = tokio::select! {
        biased;
        met = within(PATIENCE, meet(&mut control)) => met?,
        denied = deny_all(listener) => return denied,
    };
    let mut streams =
        within(PATIENCE, accept_streams(&mut control, listener, &cookie, &parameters)).await?;
    tokio::select! {
        biased;
        measured = measure(&mut control, peer, &mut streams, &parameters) => measured,
        denied = deny_all(listener) => denied,
    }
}

/// The cookie, and what the client wants.
async fn meet(control: &mut TcpStream) -> io::Result<(Cookie, Parameters)> {
    let mut cookie = [0; COOKIE_LEN];
    control.read_exact(&mut cookie).await?;
    send_state(control, PARAM_EXCHANGE).await?;
    match Parameters::parse(&receive_json(control).await?) {
        Ok(parameters) => Ok((cookie, parameters)),
        Err(why) => {
            refuse(control, why).await?;
            Err(io::Error::new(ErrorKind::Unsupported, format!("refused: {why:?}")))
        }
    }
}

/// Those that the server receives are made first. Others that call are refused.
async fn accept_streams(
    control: &mut TcpStream,
    listener: &TcpListener,
    cookie: &Cookie,
    parameters: &Parameters,
) -> io::Result<Vec<Stream>> {
    let incoming = if parameters.reverse { 0 } else { parameters.parallel };
    let both = parameters.bidirectional;
    let count = if both { 2 * parameters.parallel } else { parameters.parallel };
    send_state(control, CREATE_STREAMS).await?;
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let (mut tcp, _) = listener.accept().await?;
        let mut theirs = [0; COOKIE_LEN];
        let has_come = timeout(Duration::from_secs(1), tcp.read_exact(&mut theirs)).await;
        if matches!(has_come, Ok(Ok(_))) && theirs == *cookie {
            tcp.set_nodelay(parameters.nodelay)?;
            streams.push(Stream::new(tcp, streams.len() >= incoming));
        } else {
            deny(tcp).await;
        }
    }
    Ok(streams)
}

async fn measure(
    control: &mut TcpStream,
    peer: SocketAddr,
    streams: &mut [Stream],
    parameters: &Parameters,
) -> io::Result<()> {
    send_state(control, TEST_START).await?;
    send_state(control, TEST_RUNNING).await?;
    let seconds = run(control, streams, parameters).await?;
    // A client that receives reads whole pieces, and nothing else until it has one or the end.
    for stream in streams.iter_mut().filter(|stream| stream.sends) {
        let _ = stream.tcp.shutdown().await;
    }
    within(PATIENCE, send_state(control, EXCHANGE_RESULTS)).await?;
    let theirs = within(PATIENCE, receive_json(control)).await?;
    if parameters.omit == 0 {
        // What was sent and is still on the way has arrived, too, before it is counted.
        for (index, stream) in streams.iter_mut().enumerate().filter(|(_, stream)| !stream.sends) {
            let sent = octets_of(&theirs, index).unwrap_or_default();
            let _ = timeout(PATIENCE, stream.receive(sent)).await;
        }
    }
    let mut report = Vec::new();
    for (sends, way) in [(false, "in"), (true, "out")] {
        let octets: Vec<u64> =
            streams.iter().filter(|stream| stream.sends == sends).map(Stream::counted).collect();
        if !octets.is_empty() {
            let (count, sum) = (octets.len(), octets.iter().sum::<u64>());
            let rate = sum as f64 * 8.0 / seconds / 1e9;
            report.push(format!("{sum} octets {way} ({count} streams, {rate:.2} Gbit/s)"));
        }
    }
    let report = format!("{peer}: {} in {seconds:.2} s", report.join(", "));
    let mut ours = results(streams.iter().map(Stream::counted), seconds);
    if parameters.wants_server_output {
        ours["server_output_text"] = json!(format!("{report}\n"));
    }
    within(PATIENCE, send_json(control, &ours)).await?;
    within(PATIENCE, send_state(control, DISPLAY_RESULTS)).await?;
    within(PATIENCE, expect_state(control, IPERF_DONE)).await?;
    println!("{report}");
    Ok(())
}

/// Moves octets until the client says that it is enough. Returns the seconds that counted.
async fn run(
    control: &mut TcpStream,
    streams: &mut [Stream],
    parameters: &Parameters,
) -> io::Result<f64> {
    let omit = Duration::from_secs(parameters.omit);
    let began = Instant::now();
    if parameters.omit > 0 {
        tokio::select! {
            biased;
            ended = until_the_end(control) => return ended.and(Ok(began.elapsed().as_secs_f64())),
            moved = all(streams, parameters) => moved?,
            () = sleep(omit) => {}
        }
        streams.iter().for_each(|stream| stream.omitted.set(stream.octets.get()));
    }
    let ended = async {
        tokio::select! {
            biased;
            ended = until_the_end(control) => ended,
            moved = all(streams, parameters) => moved,
        }
    };
    match parameters.time {
        0 => ended.await?,
        time => within(Duration::from_secs(time) + GRACE, ended).await?,
    }
    Ok(began.elapsed().saturating_sub(omit).as_secs_f64())
}

async fn until_the_end(control: &mut TcpStream) -> io::Result<()> {
    expect_state(control, TEST_END).await
}

/// Never ends well: a client closes its streams after the test.
async fn all(streams: &mut [Stream], parameters: &Parameters) -> io::Result<()> {
    try_join_all(streams.iter_mut().map(|stream| stream.run(parameters))).await?;
    std::future::pending().await
}

/// Never ends well.
async fn deny_all(listener: &TcpListener) -> io::Result<()> {
    loop {
        deny(listener.accept().await?.0).await;
    }
}

/// There is room for one octet in any new connection; if it is gone, so be it.
async fn deny(mut stream: TcpStream) {
    let _ = stream.write_all(&ACCESS_DENIED.to_be_bytes()).await;
}

async fn within<T>(limit: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(limit, step).await {
        Ok(done) => done,
        Err(_) => Err(ErrorKind::TimedOut.into()),
    }
}
