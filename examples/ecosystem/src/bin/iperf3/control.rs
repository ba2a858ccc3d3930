//! What the two ends tell each other on the control connection: states of one octet, and JSON
//! behind a length (`iperf_api.h` and `iperf_api.c` of iperf 3.12).

use std::io::{self, ErrorKind};

use glassnet::net::TcpStream;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const PORT: u16 = 5201;
/// 36 characters and a zero: says which connections belong together.
pub(crate) const COOKIE_LEN: usize = 37;
/// The largest message that is read: results of 128 streams are a fifth of it.
const MOST_JSON: u32 = 64 * 1024;
/// `MAX_STREAMS`.
const MOST_STREAMS: u64 = 128;
/// `MAX_BLOCKSIZE`.
const MOST_LEN: u64 = 1 << 20;

pub(crate) const TEST_START: i8 = 1;
pub(crate) const TEST_RUNNING: i8 = 2;
pub(crate) const TEST_END: i8 = 4;
pub(crate) const PARAM_EXCHANGE: i8 = 9;
pub(crate) const CREATE_STREAMS: i8 = 10;
pub(crate) const EXCHANGE_RESULTS: i8 = 13;
pub(crate) const DISPLAY_RESULTS: i8 = 14;
pub(crate) const IPERF_DONE: i8 = 16;
pub(crate) const ACCESS_DENIED: i8 = -1;
const SERVER_ERROR: i8 = -2;

/// Why a test is not done, as the client is told: numbers of `iperf_api.h`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refusal {
    /// `IENUMSTREAMS`
    Streams = 6,
    /// `IEBLOCKSIZE`
    BlockSize = 7,
    /// `IEUNIMP`
    NotImplemented = 13,
    /// `IERECVPARAMS`
    Parameters = 114,
}

/// What the client wants.
pub(crate) struct Parameters {
    /// Streams in each direction.
    pub(crate) parallel: usize,
    pub(crate) reverse: bool,
    pub(crate) bidirectional: bool,
    /// Seconds, 0 for no limit.
    pub(crate) time: u64,
    /// Seconds before those that count.
    pub(crate) omit: u64,
    /// Octets of one write.
    pub(crate) len: usize,
    /// Bits a second of each stream, 0 for no limit.
    pub(crate) bandwidth: u64,
    pub(crate) nodelay: bool,
    pub(crate) wants_server_output: bool,
}

impl Parameters {
    pub(crate) fn parse(json: &Value) -> Result<Parameters, Refusal> {
        if !json.is_object() {
            return Err(Refusal::Parameters);
        }
        let flag = |name: &str| json.get(name).is_some_and(|value| value.as_bool() == Some(true));
        let number = |name: &str, default: u64| match json.get(name) {
            None => Ok(default),
            Some(value) => value.as_u64().ok_or(Refusal::Parameters),
        };
        const UNKNOWN: [&str; 9] = [
            "udp",
            "sctp",
            "authtoken",
            "congestion",
            "MSS",
            "TOS",
            "window",
            "flowlabel",
            "fqrate",
        ];
        let is_wanted = |name| json.get(name).is_some_and(|value| *value != 0 && *value != false);
        if UNKNOWN.into_iter().any(is_wanted) {
            return Err(Refusal::NotImplemented);
        }
        let parallel = number("parallel", 1)?;
        if !(1..=MOST_STREAMS).contains(&parallel) {
            return Err(Refusal::Streams);
        }
        let len = number("len", 128 * 1024)?;
        if !(1..=MOST_LEN).contains(&len) {
            return Err(Refusal::BlockSize);
        }
        // A day is the most that iperf3 takes, too.
        let seconds = |name: &str| match number(name, 0)? {
            seconds if seconds <= 86_400 => Ok(seconds),
            _ => Err(Refusal::Parameters),
        };
        Ok(Parameters {
            parallel: usize::try_from(parallel).map_err(|_| Refusal::Streams)?,
            reverse: flag("reverse"),
            bidirectional: flag("bidirectional"),
            time: seconds("time")?,
            omit: seconds("omit")?,
            len: usize::try_from(len).map_err(|_| Refusal::BlockSize)?,
            bandwidth: number("bandwidth", 0)?,
            nodelay: flag("nodelay"),
            wants_server_output: json.get("get_server_output").is_some_and(|value| value != 0),
        })
    }
}

/// iperf3's number of each stream: 2 is left out.
pub(crate) fn stream_id(index: usize) -> usize {
    if index == 0 { 1 } else { index + 2 }
}

/// The results of one end: octets of each stream, in the order in which they were made. What
/// cannot be known here, processor time and retransmissions of one stream, is said to be unknown.
pub(crate) fn results(octets: impl Iterator<Item = u64>, seconds: f64) -> Value {
    let streams: Vec<Value> = octets
        .enumerate()
        .map(|(index, octets)| {
            json!({
                "id": stream_id(index), "bytes": octets, "retransmits": -1, "jitter": 0,
                "errors": 0, "packets": 0, "start_time": 0, "end_time": seconds,
            })
        })
        .collect();
    json!({
        "cpu_util_total": 0, "cpu_util_user": 0, "cpu_util_system": 0,
        "sender_has_retransmits": 0, "streams": streams,
    })
}

/// Octets of a stream in the other end's results.
pub(crate) fn octets_of(results: &Value, index: usize) -> Option<u64> {
    let streams = results.get("streams")?.as_array()?;
    let stream = streams.iter().find(|stream| stream["id"] == stream_id(index))?;
    stream.get("bytes")?.as_u64()
}

pub(crate) async fn send_state(control: &mut TcpStream, state: i8) -> io::Result<()> {
    control.write_all(&state.to_be_bytes()).await
}

pub(crate) async fn expect_state(control: &mut TcpStream, state: i8) -> io::Result<()> {
    match control.read_i8().await? {
        came if came == state => Ok(()),
        came => Err(invalid(format!("state {came} instead of {state}"))),
    }
}

pub(crate) async fn send_json(control: &mut TcpStream, json: &Value) -> io::Result<()> {
    let text = json.to_string();
    let len = u32::try_from(text.len()).map_err(|_| invalid("a message of 4 GiB".to_owned()))?;
    let message = [&len.to_be_bytes()[..], text.as_bytes()].concat();
    control.write_all(&message).await
}

pub(crate) async fn receive_json(control: &mut TcpStream) -> io::Result<Value> {
    let len = control.read_u32().await?;
    if len > MOST_JSON {
        return Err(invalid(format!("a message of {len} octets")));
    }
    let mut text = vec![0; len as usize];
    control.read_exact(&mut text).await?;
    serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))
}

/// Tells the client why there is no test: `errno`, which is the last word, is none of ours.
pub(crate) async fn refuse(control: &mut TcpStream, why: Refusal) -> io::Result<()> {
    let mut message = vec![SERVER_ERROR.to_be_bytes()[0]];
    message.extend((why as u32).to_be_bytes());
    message.extend([0; 4]);
    control.write_all(&message).await
}

fn invalid(why: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
