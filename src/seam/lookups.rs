//! Questions of threads that the thread which drives the world answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::spin::Spin;
use crate::net::names::{AddrInfo, AddrInfoError, AddrInfoErrorKind, AddrInfoHints, getaddrinfo};

/// What `getaddrinfo(3)` is asked.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) host: Option<String>,
    pub(super) service: Option<String>,
    pub(super) hints: AddrInfoHints,
}

pub(super) type Answer = Result<Vec<AddrInfo>, i32>;

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
        let found = getaddrinfo(self.host.as_deref(), self.service.as_deref(), &self.hints).await;
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
