//! Sequence numbers.

/// A sequence number; compared modulo 2^32 (RFC 9293 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    pub(crate) fn plus(self, bytes: u32) -> Seq {
        Seq(self.0.wrapping_add(bytes))
    }

    /// How far this is ahead of `other`; negative when behind.
    pub(crate) fn ahead_of(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    pub(crate) fn is_before(self, other: Seq) -> bool {
        self.ahead_of(other) < 0
    }

    pub(crate) fn is_after(self, other: Seq) -> bool {
        self.ahead_of(other) > 0
    }

    pub(crate) fn later(self, other: Seq) -> Seq {
        if other.is_after(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        assert!(Seq(u32::MAX).is_before(Seq(3)));
        assert!(Seq(3).is_after(Seq(u32::MAX)));
        assert_eq!(Seq(u32::MAX).later(Seq(3)), Seq(3));
        assert_eq!(Seq(2).ahead_of(Seq(u32::MAX)), 3);
    }
}
