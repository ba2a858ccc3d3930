//! What a command line that makes no sense is told: one line, and where to read more.

use std::error::Error as _;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::output::{self, Color};
use super::values;

/// What `--color` says, before the rest of the command line is understood.
pub(crate) fn color_asked_for(arguments: impl Iterator<Item = OsString>) -> Color {
    let mut arguments = arguments.take_while(|argument| argument != "--");
    let mut asked = Color::Auto;
    while let Some(argument) = arguments.next() {
        let value = match argument.to_str() {
            Some("--color") => arguments.next().and_then(|value| value.into_string().ok()),
            Some(argument) => argument.strip_prefix("--color=").map(str::to_owned),
            None => None,
        };
        let value = value.and_then(|value| values::color(&value).ok());
        asked = value.unwrap_or(asked);
    }
    asked
}

/// Prints help or the version where they were asked for, and otherwise what is wrong.
pub(crate) fn answer(error: &Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that goes away in the middle of the help has read enough.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(output::MISUSED)
        }
        _ => output::misused(&explanation(error)),
    }
}

fn explanation(error: &Error) -> String {
    if let (Some(option), Some(value), Some(reason)) = (
        context(error, ContextKind::InvalidArg),
        context(error, ContextKind::InvalidValue),
        error.source(),
    ) {
        // `--loss <PERCENT>` is how the help names what the user wrote as `--loss`.
        let option = option.split_whitespace().next().unwrap_or_default();
        return format!("{option} {value}: {reason}");
    }
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(missing) = context(error, ContextKind::InvalidArg)
    {
        return format!("missing: {missing}; see '{} --help'", command(error));
    }
    let rendered = error.render().to_string();
    let first = rendered.lines().next().unwrap_or_default();
    let said = first.strip_prefix("error: ").unwrap_or(first);
    let similar = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand]
        .into_iter()
        .find_map(|kind| context(error, kind));
    match similar {
        Some(similar) => format!("{said}; did you mean '{similar}'?"),
        None => format!("{said}; see '{} --help'", command(error)),
    }
}

/// What was called, such as `glassnet server`.
fn command(error: &Error) -> String {
    let rendered = error.render().to_string();
    let usage = rendered.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or_default();
    let is_name = |word: &&str| word.starts_with(|first: char| first.is_ascii_alphabetic());
    let names: Vec<&str> = usage.split_whitespace().take_while(is_name).collect();
    if !names.is_empty() {
        return names.join(" ");
    }
    // Where a value is missing, no usage is shown.
    let first = std::env::args_os().nth(1).and_then(|first| first.into_string().ok());
    let subcommand = first.filter(|first| is_name(&first.as_str()));
    subcommand.map_or_else(|| "glassnet".to_owned(), |name| format!("glassnet {name}"))
}

fn context(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}
