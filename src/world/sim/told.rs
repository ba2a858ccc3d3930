//! A failed run as a line of text, by which the process that ran it tells another.

use std::sync::Arc;
use std::time::Duration;

use super::failure::{Failure, RunError};
use crate::time::Instant;

impl RunError {
    /// The process that ran a seed has ended, and said nothing.
    pub(crate) fn process(seed: u64, status: String, replay: &str) -> RunError {
        RunError {
            details: format!("\nreplay: {replay}"),
            ..RunError::of_failure(seed, Failure::Process { status })
        }
    }

    /// The process that ran a seed had no more time.
    pub(crate) fn wall_limit(seed: u64, limit: Duration, replay: &str) -> RunError {
        RunError {
            details: format!("\nreplay: {replay}"),
            ..RunError::of_failure(seed, Failure::WallLimit { limit })
        }
    }

    fn of_failure(seed: u64, failure: Failure) -> RunError {
        RunError {
            failure,
            source: None,
            seed,
            time: Instant::from_nanos(0),
            details: String::new(),
            shown: Arc::default(),
        }
    }

    /// What there is to know of it. The error of a client or host is told by its text alone.
    pub(crate) fn fields(&self) -> Vec<String> {
        let source = self.source.as_ref().map(|source| format!(":{source}")).unwrap_or_default();
        let seed = self.seed.to_string();
        let mut fields = vec![seed, self.time.as_nanos().to_string(), source, self.details.clone()];
        fields.extend(self.failure.fields());
        fields
    }

    /// The other way round. `None` for fields that are not those of an error.
    pub(crate) fn from_fields(fields: &[String]) -> Option<RunError> {
        let [seed, time, source, details, failure @ ..] = fields else { return None };
        let source = source.strip_prefix(':').map(|text| text.to_owned().into());
        Some(RunError {
            source,
            time: Instant::from_nanos(time.parse().ok()?),
            details: details.clone(),
            ..RunError::of_failure(seed.parse().ok()?, Failure::from_fields(failure)?)
        })
    }
}

impl Failure {
    fn fields(&self) -> Vec<String> {
        let one = |kind: &str, text: &dyn ToString| vec![kind.to_owned(), text.to_string()];
        let limited = |kind: &str, limit: &Duration, waiting: &[String]| {
            let mut fields = one(kind, &limit.as_nanos());
            fields.extend_from_slice(waiting);
            fields
        };
        match self {
            Failure::Client { name } => one("client", name),
            Failure::Host { name } => one("host", name),
            Failure::Task { host, message } => {
                vec!["task".to_owned(), host.clone(), message.clone()]
            }
            Failure::Deadlock => vec!["deadlock".to_owned()],
            Failure::EventLimit { limit } => one("events", limit),
            Failure::Spinning { polls, tasks } => {
                let mut fields = one("spinning", polls);
                fields.extend_from_slice(tasks);
                fields
            }
            Failure::TimeLimit { limit, waiting } => limited("time", limit, waiting),
            Failure::ConditionLimit { limit, waiting } => limited("condition", limit, waiting),
            Failure::WallLimit { limit } => limited("wall", limit, &[]),
            Failure::Setup { message } => one("setup", message),
            Failure::Capture { message } => one("capture", message),
            Failure::Test => vec!["test".to_owned()],
            Failure::Differs { event } => one("differs", event),
            Failure::Process { status } => one("process", status),
            Failure::FailedBefore { first } => one("before", first),
        }
    }

    fn from_fields(fields: &[String]) -> Option<Failure> {
        let (kind, fields) = fields.split_first()?;
        let text = |index: usize| fields.get(index).cloned();
        let number = |index: usize| text(index)?.parse::<u64>().ok();
        let duration = || {
            let nanoseconds: u128 = text(0)?.parse().ok()?;
            let seconds = u64::try_from(nanoseconds / 1_000_000_000).ok()?;
            Some(Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32))
        };
        let rest = || fields.get(1..).unwrap_or_default().to_vec();
        Some(match kind.as_str() {
            "client" => Failure::Client { name: text(0)? },
            "host" => Failure::Host { name: text(0)? },
            "task" => Failure::Task { host: text(0)?, message: text(1)? },
            "deadlock" => Failure::Deadlock,
            "events" => Failure::EventLimit { limit: number(0)? },
            "spinning" => Failure::Spinning { polls: number(0)?, tasks: rest() },
            "time" => Failure::TimeLimit { limit: duration()?, waiting: rest() },
            "condition" => Failure::ConditionLimit { limit: duration()?, waiting: rest() },
            "wall" => Failure::WallLimit { limit: duration()? },
            "setup" => Failure::Setup { message: text(0)? },
            "capture" => Failure::Capture { message: text(0)? },
            "test" => Failure::Test,
            "differs" => Failure::Differs { event: number(0)? },
            "process" => Failure::Process { status: text(0)? },
            "before" => Failure::FailedBefore { first: text(0)? },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: Failure) -> RunError {
        let error = RunError {
            source: Some("refused".into()),
            details: "\nreplay: it".to_owned(),
            time: Instant::from_nanos(5),
            ..RunError::of_failure(7, failure)
        };
        let again = RunError::from_fields(&error.fields()).unwrap();
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!(again.fields(), error.fields());
        again
    }

    #[test]
    fn what_another_process_tells_of_a_failure_is_the_failure() {
        let (name, waiting) = (|| "a".to_owned(), || vec!["a".to_owned(), "b".to_owned()]);
        let limit = Duration::new(3, 7);
        told(Failure::Client { name: name() });
        told(Failure::Host { name: name() });
        told(Failure::Task { host: name(), message: name() });
        told(Failure::Deadlock);
        told(Failure::EventLimit { limit: 9 });
        told(Failure::Spinning { polls: 9, tasks: waiting() });
        told(Failure::TimeLimit { limit, waiting: waiting() });
        told(Failure::ConditionLimit { limit: Duration::MAX, waiting: Vec::new() });
        told(Failure::WallLimit { limit });
        told(Failure::Setup { message: name() });
        told(Failure::Capture { message: name() });
        told(Failure::Test);
        told(Failure::Differs { event: 3 });
        told(Failure::Process { status: name() });
        told(Failure::FailedBefore { first: name() });
        assert!(RunError::from_fields(&["1".to_owned()]).is_none());
    }
}
