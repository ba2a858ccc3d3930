//! Why a run of the demo failed, as it is told.

use std::error::Error;
use std::io;

use glassnet::{Failure, RunError};

pub(super) struct Problem {
    pub(super) what: String,
    pub(super) hint: Option<&'static str>,
    /// The capture is not whole.
    pub(super) is_of_capture: bool,
    /// Whose connection shows it.
    pub(super) client: Option<String>,
}

impl Problem {
    /// What `error` says; `waiting` are the clients that were not greeted.
    pub(super) fn of(error: &(dyn Error + 'static), waiting: &[String]) -> Problem {
        let report = error.to_string();
        let first = report.lines().next().unwrap_or_default().to_owned();
        let plain = |what| Problem { what, hint: None, is_of_capture: false, client: None };
        let Some(error) = error.downcast_ref::<RunError>() else { return plain(first) };
        let when = format!("(seed {}, at {})", error.seed(), error.time());
        match (error.failure(), error.source()) {
            (Failure::Client { name, .. }, Some(source)) => Problem {
                hint: Some(hint(source)),
                client: Some(name.clone()),
                ..plain(format!("{name} was not greeted: {source} {when}"))
            },
            // They read from connections that the server has long forgotten.
            (Failure::Deadlock, _) => Problem {
                hint: Some(GAVE_UP),
                client: waiting.first().cloned(),
                ..plain(format!("{} for ever {when}", who_waits(waiting)))
            },
            (Failure::TimeLimit { limit, .. }, _) => Problem {
                hint: Some(TOO_LONG),
                client: waiting.first().cloned(),
                ..plain(format!("{} after {} s {when}", who_waits(waiting), limit.as_secs()))
            },
            (Failure::EventLimit { limit, .. }, _) => Problem {
                hint: Some(TOO_MUCH),
                client: waiting.first().cloned(),
                ..plain(format!("{} after {limit} events {when}", who_waits(waiting)))
            },
            (Failure::Capture { message, .. }, _) => {
                Problem { is_of_capture: true, ..plain(message.clone()) }
            }
            _ => plain(first),
        }
    }
}

fn who_waits(waiting: &[String]) -> String {
    match waiting {
        [] => "a client waits".to_owned(),
        [one] => format!("{one} waits for its greeting"),
        [one, others @ ..] => format!("{one} and {} more wait for their greeting", others.len()),
    }
}

const GAVE_UP: &str = "TCP gave up, as the capture shows: try less --loss, fewer --drop, a shorter \
                       --delay or another --seed";

const TOO_LONG: &str = "that is as long as the demo runs, in its own time: try a shorter --delay, a \
                        faster --rate or fewer --bytes";

const TOO_MUCH: &str = "that is as much as the demo does: try fewer --clients or --bytes";

fn hint(error: &(dyn Error + 'static)) -> &'static str {
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => GAVE_UP,
        _ => "the capture shows what happened; another --seed has other losses",
    }
}
