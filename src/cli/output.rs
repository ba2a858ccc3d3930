//! Writing to the terminal: messages, colours, and outputs that somebody has closed.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// The run failed.
pub(crate) const FAILED: u8 = 1;
/// Something was asked wrongly, and nothing was done.
pub(crate) const MISUSED: u8 = 2;
/// What a shell reports of a program that SIGPIPE has ended.
const READER_GONE: i32 = 128 + 13;

/// Says what was asked wrongly.
pub(crate) fn misused(wrong: &str) -> ExitCode {
    complain(wrong);
    ExitCode::from(MISUSED)
}

/// Says why the run failed, and what may help.
pub(crate) fn failed(why: &str, hint: Option<&str>) -> ExitCode {
    complain(why);
    if let Some(hint) = hint {
        let _ = writeln!(io::stderr(), "hint: {hint}");
    }
    ExitCode::from(FAILED)
}

/// Says something that may be of use, and is no failure.
pub(crate) fn note(what: &str) {
    let _ = writeln!(io::stderr(), "note: {}", on_one_line(what));
}

/// Says what went wrong in as many lines as it takes; the first says what, the rest what to do.
pub(crate) fn explained(why: &str, code: ExitCode) -> ExitCode {
    let mut lines = why.lines();
    complain(lines.next().unwrap_or_default());
    for line in lines {
        let _ = writeln!(io::stderr(), "{}", on_one_line(line));
    }
    code
}

/// One line on standard error; if that is closed, nobody wants to know.
fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "glassnet: {}", on_one_line(what));
}

/// What a user wrote may hold line breaks and escape sequences.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// What is to be said of a failure to write to standard output: nothing when its reader, such as
/// `head`, has seen enough.
pub(crate) fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}

/// Decimals with which seconds show how long things took that took so long in all: six, which is a
/// microsecond, unless everything would look as if it took no time.
pub(crate) fn decimals(lasted: Duration) -> usize {
    if lasted < Duration::from_micros(100) { 9 } else { 6 }
}

/// A time in seconds, with six decimals or nine: as reports and logs write it, which always have
/// nine.
pub(crate) fn seconds(time: Duration, decimals: usize) -> String {
    let nanos = time.subsec_nanos();
    let fraction = if decimals < 9 { nanos / 1_000 } else { nanos };
    format!("{}.{fraction:0decimals$}", time.as_secs())
}

/// Ends the program as other programs end when their output cannot be written.
///
/// The application of the demo is an example for everyone, and prints as examples do: `println!`
/// panics when standard output is closed or full.
pub(crate) fn survive_closed_output() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let failure = panic
            .payload_as_str()
            .and_then(|message| message.strip_prefix("failed printing to stdout: "));
        match failure {
            Some(reason) if reason.starts_with("Broken pipe") => std::process::exit(READER_GONE),
            Some(reason) => {
                complain(&format!("cannot write to standard output: {reason}"));
                std::process::exit(i32::from(FAILED));
            }
            None => usual(panic),
        }
    }));
}

/// Whether a path stands for standard output.
pub(crate) fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|stdout| path.as_os_str() == *stdout)
}

/// Whether standard output can take a capture.
///
/// # Errors
/// When it is a terminal, which shows none.
#[cfg(target_os = "linux")]
pub(crate) fn refuse_terminal() -> io::Result<()> {
    if io::stdout().is_terminal() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "--pcap -: standard output is a terminal; add | wireshark -k -i -",
        ));
    }
    Ok(())
}

/// Takes standard output for a capture; what is printed from now on goes to standard error.
///
/// # Errors
/// When it is a terminal.
#[cfg(target_os = "linux")]
pub(crate) fn take_stdout() -> io::Result<File> {
    refuse_terminal()?;
    // Without the lines that `io::stdout` keeps together.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(stdout)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take_stdout() -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "--pcap -: on Linux only; give a path"))
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set (no-color.org).
    #[default]
    Auto,
    Always,
    Never,
}

/// Whether and how to colour and to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    coloured: bool,
    ascii: bool,
}

/// What pictures are made of.
pub(crate) struct Glyphs {
    pub(crate) line: &'static str,
    /// The arrow of a copy.
    pub(crate) dashed: &'static str,
    pub(crate) to_left: &'static str,
    pub(crate) to_right: &'static str,
    pub(crate) both_ways: &'static str,
    pub(crate) lost: &'static str,
    /// A host's line.
    pub(crate) bar: &'static str,
    /// Time passes.
    pub(crate) gap: &'static str,
    pub(crate) ellipsis: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    line: "─",
    dashed: "╌",
    to_left: "◀",
    to_right: "▶",
    both_ways: "↔",
    lost: "✗",
    bar: "│",
    gap: "⋮",
    ellipsis: "…",
};

const ASCII: Glyphs = Glyphs {
    line: "-",
    dashed: ".",
    to_left: "<",
    to_right: ">",
    both_ways: "<->",
    lost: "X",
    bar: "|",
    gap: ":",
    ellipsis: "...",
};

impl Style {
    pub(crate) fn of(stream: &impl IsTerminal, color: Color) -> Style {
        let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let coloured = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && !declined && !dumb,
        };
        Style { coloured, ascii: is_locale_ascii() }
    }

    /// Draws in ASCII, also where the locale has more.
    pub(crate) fn drawing_in_ascii(self, ascii: bool) -> Style {
        Style { ascii: self.ascii || ascii, ..self }
    }

    pub(crate) fn is_coloured(self) -> bool {
        self.coloured
    }

    pub(crate) fn glyphs(self) -> &'static Glyphs {
        if self.ascii { &ASCII } else { &UNICODE }
    }

    /// For what went wrong.
    pub(crate) fn red(self, text: impl Display) -> String {
        self.painted("31", text)
    }

    /// For what matters less.
    pub(crate) fn dim(self, text: impl Display) -> String {
        self.painted("2", text)
    }

    /// For titles.
    pub(crate) fn bold(self, text: impl Display) -> String {
        self.painted("1", text)
    }

    fn painted(self, code: &str, text: impl Display) -> String {
        let text = text.to_string();
        if self.coloured && !text.trim().is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text
        }
    }
}

/// Whether the locale (locale(7)) says that there are no characters but ASCII's. Where nothing is
/// said, as in many a container, there usually are.
fn is_locale_ascii() -> bool {
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter();
    let mut said = variables.filter_map(std::env::var_os).filter(|value| !value.is_empty());
    said.next().is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        !locale.contains("utf-8") && !locale.contains("utf8")
    })
}
