//! The `glassnet` command; see `glassnet --help`.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(cli) => cli::run(&cli),
        Err(exit) => exit,
    }
}
