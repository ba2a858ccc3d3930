//! Rules: what happens to chosen frames on purpose.

use crate::network::{CountedMatch, FrameMatch};

/// The rules of a world.
#[derive(Default)]
pub(super) struct Rules {
    drop: Vec<CountedMatch>,
}

impl Rules {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.drop.is_empty()
    }

    /// Another rule: it drops these frames.
    pub(super) fn add(&mut self, frames: FrameMatch) {
        self.drop.push(CountedMatch::new(frames));
    }

    /// The rule that drops a frame. All of them count it.
    pub(super) fn dropping(&mut self, host: &str, frame: &[u8]) -> Option<&FrameMatch> {
        let mut first = None;
        for rule in &mut self.drop {
            if rule.takes(host, frame) {
                first = first.or(Some(rule.frames()));
            }
        }
        first
    }
}
