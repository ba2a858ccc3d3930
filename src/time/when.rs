//! A time, or none, in one word: where there are many connections, two would be felt.

/// A time in nanoseconds, or none. The end of the world's time is none: what lies there never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When(u64);

impl Default for When {
    fn default() -> When {
        When::NEVER
    }
}

impl When {
    pub(crate) const NEVER: When = When(u64::MAX);

    pub(crate) fn at(time: u64) -> When {
        When(time)
    }

    pub(crate) fn get(self) -> Option<u64> {
        (self != When::NEVER).then_some(self.0)
    }

    pub(crate) fn is_some(self) -> bool {
        self != When::NEVER
    }

    pub(crate) fn is_none(self) -> bool {
        self == When::NEVER
    }

    /// It has come.
    #[inline]
    pub(crate) fn is_due(self, now: u64) -> bool {
        self.0 <= now && self.is_some()
    }

    #[inline]
    pub(crate) fn earlier(self, other: When) -> When {
        When(self.0.min(other.0))
    }

    /// The time there is, which is `time` if there was none.
    pub(crate) fn get_or_insert(&mut self, time: u64) -> u64 {
        if self.is_none() {
            self.0 = time;
        }
        self.0
    }
}

impl From<Option<u64>> for When {
    #[inline]
    fn from(time: Option<u64>) -> When {
        time.map_or(When::NEVER, When)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_no_time_and_is_not_due() {
        assert_eq!(When::NEVER.get(), None);
        assert_eq!(When::from(Some(u64::MAX)), When::NEVER);
        assert!(!When::NEVER.is_due(u64::MAX));
        assert!(When::at(0).is_due(0) && When::at(7).is_due(8) && !When::at(7).is_due(6));
        assert_eq!(When::at(7).earlier(When::NEVER), When::at(7));
        let mut when = When::default();
        assert_eq!((when.get_or_insert(3), when.get_or_insert(4)), (3, 3));
    }
}
