//! The command line: what can be asked, and what is said when it cannot be done.
//!
//! Exit codes: 0 when everything went as it should, 1 when the run failed, 2 when it could not
//! begin because something was asked wrongly.

#[cfg(target_os = "linux")]
mod attach;
#[cfg(target_os = "linux")]
mod client;
mod demo;
#[cfg(target_os = "linux")]
mod input;
mod ladder;
mod logging;
mod output;
mod packetdrill;
#[cfg(target_os = "linux")]
mod printing;
mod recording;
#[cfg(target_os = "linux")]
mod server;
mod usage;
mod values;
#[cfg(target_os = "linux")]
mod waiting;

use std::process::ExitCode;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::output::Color;

/// A network made of glass: hosts with a real TCP/IP stack, joined by links you
/// control, every frame visible in Wireshark
#[derive(Debug, Parser)]
#[command(
    name = "glassnet",
    version,
    verbatim_doc_comment,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:\n  glassnet demo --delay 20ms --loss 20%\n  \
                  glassnet server &\n  glassnet client server 12345\n\n\
                  'glassnet help demo' explains everything that can be set there, and so on."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Tell on standard error what happens inside: -v, -vv or -vvv
    ///
    /// -v tells when the run begins and ends, -vv also of lost frames, -vvv also of each
    /// change of a connection's state. Times are those of the world.
    /// The variable RUST_LOG chooses more finely: RUST_LOG=glassnet::tcp=trace
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    verbose: u8,

    /// Colour what is printed: auto (on a terminal), always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", display_order = 901)]
    #[arg(hide_default_value = true, value_parser = values::color)]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Packetdrill(packetdrill::Packetdrill),
    #[cfg(target_os = "linux")]
    Server(server::Server),
    #[cfg(target_os = "linux")]
    Client(client::Client),
}

/// Reads the command line. Help, the version and whatever is wrong with it are printed here.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    // What is wrong with the command line is coloured as it says, too.
    let color = match usage::color_asked_for(std::env::args_os()) {
        Color::Auto => clap::ColorChoice::Auto,
        Color::Always => clap::ColorChoice::Always,
        Color::Never => clap::ColorChoice::Never,
    };
    let matches = Cli::command().color(color).try_get_matches();
    let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
    cli.map_err(|error| usage::answer(&error))
}

/// Does what was asked.
pub(crate) fn run(cli: &Cli) -> ExitCode {
    output::survive_closed_output();
    let otherwise = match cli.command {
        Command::Demo(_) | Command::Packetdrill(_) => None,
        // On a real network things go wrong that nobody asked for.
        #[cfg(target_os = "linux")]
        Command::Server(_) | Command::Client(_) => Some("glassnet=warn"),
    };
    if let Err(wrong) = logging::start(cli.verbose, otherwise, cli.color) {
        return output::misused(&wrong);
    }
    match &cli.command {
        Command::Demo(demo) => demo.run(cli.color),
        Command::Packetdrill(packetdrill) => packetdrill.run(),
        #[cfg(target_os = "linux")]
        Command::Server(server) => server.run(),
        #[cfg(target_os = "linux")]
        Command::Client(client) => client.run(),
    }
}
