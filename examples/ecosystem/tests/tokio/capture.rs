//! What tshark says of a capture.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use glassnet::Sim;

/// Where `reproducible` has the captures of a run put.
pub(crate) const DIRECTORY: &str = "ECOSYSTEM_CAPTURES";

/// A capture of the interface of a host.
pub(crate) struct Capture {
    path: PathBuf,
    is_judged: bool,
}

impl Capture {
    /// Captures what `host` sends and receives.
    pub(crate) fn of(sim: &mut Sim, host: &str, name: &str) -> glassnet::Result<Capture> {
        let directory = std::env::var_os(DIRECTORY);
        let is_judged = directory.is_none() && tshark_is_here();
        let directory = directory.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
        let path = Path::new(&directory).join(name).with_extension("pcapng");
        sim.capture(host, &path)?;
        Ok(Capture { path, is_judged })
    }

    /// The values of a field in the packets that a display filter shows must be these, a word each.
    pub(crate) fn shows(&self, filter: &str, field: &str, expected: &str) {
        if self.is_judged {
            assert_eq!(self.see(filter, field).join(" "), expected, "{field} where {filter}");
        }
    }

    /// Some packet must be shown by a display filter.
    pub(crate) fn shows_some(&self, filter: &str) {
        if self.is_judged {
            assert_ne!(self.see(filter, "frame.number"), Vec::<String>::new(), "{filter}");
        }
    }

    /// Nothing is malformed, lost or sent twice.
    pub(crate) fn is_clean(&self) {
        self.shows(
            "_ws.malformed || _ws.short || tcp.analysis.flags || _ws.expert.severity == error",
            "frame.number",
            "",
        );
    }

    fn see(&self, filter: &str, field: &str) -> Vec<String> {
        let mut tshark = Command::new("tshark");
        tshark.args(["-n", "-2", "-T", "fields", "-Y", filter, "-e", field]);
        // gRPC has no port of its own.
        tshark.args(["-d", "tcp.port==50051,http2", "-r"]);
        let output = tshark.arg(&self.path).output().expect("tshark runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tshark cannot read {}: {said}", self.path.display());
        let values = String::from_utf8_lossy(&output.stdout);
        values.split([',', '\n', '\t']).filter(|word| !word.is_empty()).map(Into::into).collect()
    }
}

fn tshark_is_here() -> bool {
    static IS_HERE: OnceLock<bool> = OnceLock::new();
    *IS_HERE.get_or_init(|| {
        let is_here = Command::new("tshark").arg("--version").output().is_ok();
        if !is_here {
            eprintln!("tshark is not here: it does not judge the captures");
        }
        is_here
    })
}
