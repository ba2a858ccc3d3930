//! The library's tracing events, on standard error.

use std::io;

use glassnet::tracing_subscriber::WorldTime;
use tracing_subscriber::EnvFilter;

use super::output::{Color, Style};

/// Begins to print events: those that `-v` asks for, or else those that `RUST_LOG` names, or
/// else those that `otherwise` names, if any.
///
/// # Errors
/// When `RUST_LOG` makes no sense.
pub(crate) fn start(verbose: u8, otherwise: Option<&str>, color: Color) -> Result<(), String> {
    let filter = match verbose {
        0 => match std::env::var_os(EnvFilter::DEFAULT_ENV) {
            None => match otherwise {
                None => return Ok(()),
                Some(otherwise) => EnvFilter::new(otherwise),
            },
            Some(_) => EnvFilter::try_from_default_env().map_err(|error| {
                format!("RUST_LOG: {error}; give for example RUST_LOG=glassnet=debug")
            })?,
        },
        1 => EnvFilter::new("glassnet=info"),
        2 => EnvFilter::new("glassnet=debug"),
        _ => EnvFilter::new("glassnet=trace"),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(Style::of(&io::stderr(), color).is_coloured())
        // The wall clock has no place beside virtual time.
        .with_timer(WorldTime)
        .log_internal_errors(false)
        .try_init()
        .map_err(|error| format!("cannot print events: {error}"))
}
