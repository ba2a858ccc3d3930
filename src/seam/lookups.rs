//! Questions of threads that the thread which drives the world answers.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::spin::Spin;
use crate::net::addr::Domain;
use crate::net::names::{
    AddrInfo, AddrInfoError, AddrInfoErrorKind, AddrInfoHints, HostEntry, NameInfoFlags,
    getaddrinfo, gethostbyaddr, getnameinfo, host_by_name,
};

/// What is asked about names.
#[derive(Clone)]
pub(super) enum Question {
    /// `getaddrinfo(3)`.
    AddrInfo { host: Option<String>, service: Option<String>, hints: AddrInfoHints },
    /// `getnameinfo(3)`.
    NameInfo { address: SocketAddr, flags: NameInfoFlags },
    /// `gethostbyname2(3)`.
    HostByName { host: String, family: Domain },
    /// `gethostbyaddr(3)`.
    HostByAddress(IpAddr),
}

pub(super) enum Found {
    AddrInfo(Vec<AddrInfo>),
    /// The names of a host and of a service.
    NameInfo(String, String),
    Host(HostEntry),
}

/// What was found, or the error of `getaddrinfo(3)`.
pub(super) type Answer = Result<Found, i32>;

/// A question of a thread that waits for the answer.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) thread: Waker,
    pub(super) answer: Arc<Spin<Option<Answer>>>,
}

/// The questions that are being answered.
#[derive(Default)]
pub(super) struct Lookups(Vec<Lookup>);

struct Lookup {
    answering: Pin<Box<dyn Future<Output = Answer>>>,
    thread: Waker,
    answer: Arc<Spin<Option<Answer>>>,
}

impl Question {
    /// Looks it up, on the host of the task that runs.
    pub(super) async fn look_up(self) -> Answer {
        let found = match self {
            Question::AddrInfo { host, service, hints } => {
                let found = getaddrinfo(host.as_deref(), service.as_deref(), &hints).await;
                found.map(Found::AddrInfo)
            }
            Question::NameInfo { address, flags } => {
                let found = getnameinfo(address, flags).await;
                found.map(|(host, service)| Found::NameInfo(host, service))
            }
            Question::HostByName { host, family } => {
                host_by_name(&host, family).await.map(Found::Host)
            }
            Question::HostByAddress(address) => gethostbyaddr(address).await.map(Found::Host),
        };
        found.map_err(|error| {
            AddrInfoError::of(&error)
                .map_or(AddrInfoErrorKind::Fail.code(), |error| error.kind().code())
        })
    }
}

impl Lookups {
    pub(super) fn add(&mut self, asked: Asked) {
        self.0.push(Lookup {
            answering: Box::pin(asked.question.look_up()),
            thread: asked.thread,
            answer: asked.answer,
        });
    }

    /// Goes on with all of them, and calls the threads whose answers have come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.0.retain_mut(|lookup| match lookup.answering.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                *lookup.answer.lock() = Some(answer);
                lookup.thread.wake_by_ref();
                false
            }
            Poll::Pending => true,
        });
    }
}
