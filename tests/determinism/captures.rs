//! The captures in captures/ are what today's code makes: the same bytes, on every machine, in
//! debug and in release.

use std::path::Path;
use std::process::Command;

use crate::common::directory::Directory;

#[test]
fn the_committed_captures_are_made_anew_byte_for_byte() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = Directory::new("captures");
    let made = Command::new(root.join("scripts/captures.sh"))
        .arg(&*directory)
        .env("GLASSNET", env!("CARGO_BIN_EXE_glassnet"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for name in ["greeting.pcapng", "greeting-loss.pcapng"] {
        let now = std::fs::read(directory.join(name)).unwrap();
        let committed = std::fs::read(root.join("captures").join(name)).unwrap();
        let differs = now.iter().zip(&committed).position(|(now, committed)| now != committed);
        assert!(
            now == committed,
            "{name} differs from byte {:?} on: if that is meant, run scripts/captures.sh",
            differs.unwrap_or(now.len().min(committed.len()))
        );
    }
}
