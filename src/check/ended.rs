//! How the run of a test has ended.

use std::any::Any;

use crate::error::Result;

/// With what the test returned, or with a panic.
pub(super) type Ended = std::result::Result<Result, Box<dyn Any + Send>>;

/// How a run has ended, in a few words.
pub(super) fn outcome_of(ended: &Ended) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match ended {
        Ok(Ok(())) => "the test passes".to_owned(),
        Ok(Err(error)) => format!("the test fails: {}", first_line(&error.to_string())),
        Err(payload) => {
            format!("the test panics: {}", first_line(text_of_panic(payload).unwrap_or_default()))
        }
    }
}

/// The message of a panic, where it has one.
pub(super) fn text_of_panic(payload: &Box<dyn Any + Send>) -> Option<&str> {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied())
}
