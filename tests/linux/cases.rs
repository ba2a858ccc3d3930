//! The cases, by the names of their logs.

use std::time::Duration;

use super::programs::{Client, Server};

/// What runs over the path, and what the path drops.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// In the grammar of [`glassnet::FrameMatch`].
    pub(crate) drops: &'static [&'static str],
    pub(crate) server: Server,
    pub(crate) client: Client,
    /// The segments that Linux sent. (After the first segment of an answer was lost, it acknowledges
    /// the last two that arrive at once: what is sent in `first` by who connected is not compared.)
    pub(crate) log: &'static str,
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const fn ask(pieces: usize, size: usize, nodelay: bool, times: usize, sleep: u64) -> Client {
    Client::Ask { pieces, size, nodelay, times, sleep: ms(sleep) }
}

macro_rules! cases {
    ($($name:literal [$($drop:literal),*] $server:expr, $client:expr;)*) => {
        pub(crate) const CASES: &[Case] = &[$(Case {
            name: $name,
            drops: &[$($drop),*],
            server: $server,
            client: $client,
            log: include_str!(concat!("logs/", $name, ".log")),
        }),*];
    };
}

cases! {
    "syn-loss" ["client:syn:1"] Server::Serve(100), Client::Fetch;
    "syn-2-lost" ["client:syn:1-2"] Server::Serve(100), Client::Fetch;
    "none" [] Server::Serve(14_480), Client::Fetch;
    "tail-1" ["server:data:10"] Server::Serve(14_480), Client::Fetch;
    "tail-3" ["server:data:8-10"] Server::Serve(14_480), Client::Fetch;
    "first" ["server:data:1"] Server::Serve(14_480), Client::Fetch;
    "middle" ["server:data:5"] Server::Serve(14_480), Client::Fetch;
    "two-holes" ["server:data:3", "server:data:6"] Server::Serve(14_480), Client::Fetch;
    "retransmission-lost" ["server:data:3", "server:data:11"] Server::Serve(14_480), Client::Fetch;
    "all-10" ["server:data:1-10"] Server::Serve(14_480), Client::Fetch;
    "fin-loss" ["server:fin:1"] Server::Serve(1_000), Client::Fetch;
    "request-lost" ["client:data:1"] Server::Serve(1_000), Client::Fetch;
    "acks-lost" ["client:ack:2-4"] Server::Serve(14_480), Client::Fetch;
    "ask-lost" ["client:data:21"] Server::Echo { want: 100, nodelay: true }, ask(1, 100, true, 25, 50);
    "blackhole" ["client:data:21-1000"]
        Server::Echo { want: 100, nodelay: true },
        Client::AskFor { times: 25, sleep: ms(50), at_most: ms(11_981) };
    "nagle-2-writes" [] Server::Echo { want: 200, nodelay: false }, ask(2, 100, false, 10, 300);
    "nagle-3-writes" [] Server::Echo { want: 300, nodelay: false }, ask(3, 100, false, 10, 300);
    "nodelay-2-writes" [] Server::Echo { want: 200, nodelay: true }, ask(2, 100, true, 10, 300);
    "nagle-4k-and-a-half" []
        Server::Echo { want: 4_600, nodelay: false },
        ask(2, 2_300, false, 10, 300);
    "delayed-ack" [] Server::Stream, Client::Messages { times: 30, apart: ms(200) };
    "keepalive" ["client:ack:3-1000"]
        Server::Slow(ms(30_000)),
        Client::Put { bytes: 1_000, sleep: ms(15_000), keep_alive: true };
}
