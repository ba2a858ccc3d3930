//! Runs scripts.

use std::fmt;
use std::path::PathBuf;

use super::commands::System;
use super::config::Settings;
use super::error::Stop;
use super::run::Run;
use super::script::Script;
use crate::host::HostOptions;
use crate::peer::Wire;
use crate::wire::ethernet::Mac;

/// The Ethernet address of the peer, to whom everything goes.
const PEER: Mac = [2, 0, 0, 0, 0, 2];

/// Runs scripts against a simulated host, in virtual time: the same script, options and seed give the
/// same segments.
///
/// ```
/// use glassnet::packetdrill::{Drill, Script, Verdict};
///
/// let script = Script::parse("syn.pkt", "
///      0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
///     +0 bind(3, ..., ...) = 0
///     +0 listen(3, 1) = 0
///     +0 < S 0:0(0) win 32792 <mss 1000>
///     +0 > S. 0:0(0) ack 1 <mss 1460>
/// ")?;
/// assert_eq!(Drill::new().run(&script).verdict, Verdict::Passed);
/// # Ok::<(), glassnet::packetdrill::ScriptError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "`run` runs a script"]
pub struct Drill {
    seed: u64,
    options: HostOptions,
    ignore_commands: bool,
    tolerance_usecs: Option<u64>,
    capture: Option<PathBuf>,
}

impl Default for Drill {
    fn default() -> Drill {
        Drill::new()
    }
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything went as the script says.
    Passed,
    /// Something did not: the line, and what, in packetdrill's words.
    Failed {
        /// The line of the script, counted from 1.
        line: u32,
        /// What was expected and what came; several lines.
        why: String,
    },
    /// The script asks for something that a simulated host does not have.
    Skipped {
        /// The line of the script, counted from 1.
        line: u32,
        /// What that is.
        why: String,
    },
}

/// What came of a script, and what it has printed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What `print` of its code has printed.
    pub printed: String,
}

impl Drill {
    /// Scripts run against [`HostOptions::linux`], with seed 1.
    pub fn new() -> Drill {
        Drill {
            seed: 1,
            options: HostOptions::linux(),
            ignore_commands: false,
            tolerance_usecs: None,
            capture: None,
        }
    }

    /// Sets the seed, from which the host draws its first sequence numbers and ports. Default 1.
    pub fn seed(mut self, seed: u64) -> Drill {
        self.seed = seed;
        self
    }

    /// Sets the options of the host; commands of the script change some of them.
    pub fn host_options(mut self, options: HostOptions) -> Drill {
        self.options = options;
        self
    }

    /// Whether commands that are not understood, and settings that a host does not have, are left out
    /// instead of ending the script. Default no.
    pub fn ignore_commands(mut self, ignore: bool) -> Drill {
        self.ignore_commands = ignore;
        self
    }

    /// How many microseconds what is expected may come early or late, where the script does not say
    /// it. Default 4000; where an eighth of the time since the event before is more, it is that.
    pub fn tolerance_usecs(mut self, micros: u64) -> Drill {
        self.tolerance_usecs = Some(micros);
        self
    }

    /// Captures what passes the host's interface into a file; see [`Wire::capture`].
    pub fn capture(mut self, path: impl Into<PathBuf>) -> Drill {
        self.capture = Some(path.into());
        self
    }

    /// Runs a script.
    pub fn run(&self, script: &Script) -> Outcome {
        let mut printed = String::new();
        let verdict = match self.run_to_the_end(script, &mut printed) {
            Ok(()) => Verdict::Passed,
            Err((line, Stop::Failed(why))) => Verdict::Failed { line, why },
            Err((line, Stop::Skipped(why))) => Verdict::Skipped { line, why },
        };
        Outcome { verdict, printed }
    }

    fn run_to_the_end(&self, script: &Script, printed: &mut String) -> Result<(), (u32, Stop)> {
        let mut settings = script.settings.clone();
        if let (Some(micros), true) = (self.tolerance_usecs, settings.has_default_tolerance()) {
            settings.tolerance = std::time::Duration::from_micros(micros);
        }
        let wrong = |why: String| (1, Stop::Failed(why));
        settings.check().map_err(wrong)?;
        let mut system = System::new(self.options.clone(), self.ignore_commands);
        if let Some(init) = &script.init {
            system.run(&init.text).map_err(|stop| (init.line, stop))?;
        }
        let wire = self.wire(&settings, &system).map_err(wrong)?;
        let mut run = Run::new(&settings, system, wire);
        let result = run.run(script);
        printed.push_str(&run.printed);
        let flushed = run.wire.flush_captures();
        result?;
        flushed.map_err(|error| wrong(error.to_string()))
    }

    fn wire(&self, settings: &Settings, system: &System) -> Result<Wire, String> {
        let mut options = system.options.clone();
        if let Some(mtu) = settings.mtu {
            options = options.mtu(mtu);
        }
        let wire = Wire::builder(self.seed)
            .host_options(options)
            .address(settings.local(), settings.prefix_len())
            .peer_address(settings.remote())
            .peer_mac(PEER)
            .point_to_point(true);
        let mut wire = wire.build().map_err(|error| error.to_string())?;
        if let Some(path) = &self.capture {
            wire.capture(path).map_err(|error| error.to_string())?;
        }
        Ok(wire)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Passed => formatter.write_str("passed"),
            Verdict::Failed { line, why } => write!(formatter, "line {line}: {why}"),
            Verdict::Skipped { line, why } => write!(formatter, "line {line}: {why}"),
        }
    }
}
