//! The two halves of a stream.

use super::addr::SocketAddr;
use super::stream::UnixStream;
use crate::net::halves::halves;

halves! {
    stream: UnixStream,
    address: SocketAddr,
    ending: "ends what the peer reads, after what was written",
}
