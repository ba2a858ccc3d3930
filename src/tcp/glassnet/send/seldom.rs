//! What is counted of events that most connections never see, in memory that only those have which
//! do.

#[derive(Clone, Debug, Default)]
struct Counts {
    /// Nanoseconds.
    held_by_window: u64,
    held_by_buffer: u64,
    bytes_repeated: u64,
    dsack_duplicates: u32,
    reorderings: u32,
}

/// The counts; all are 0 where nothing was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Seldom(Option<Box<Counts>>);

impl Seldom {
    fn counts(&mut self) -> &mut Counts {
        self.0.get_or_insert_default()
    }

    fn get<T: Default>(&self, get: impl FnOnce(&Counts) -> T) -> T {
        self.0.as_deref().map(get).unwrap_or_default()
    }

    /// The peer's window held the sender back for so many nanoseconds more.
    pub(super) fn add_held_by_window(&mut self, nanos: u64) {
        self.counts().held_by_window += nanos;
    }

    pub(super) fn held_by_window(&self) -> u64 {
        self.get(|counts| counts.held_by_window)
    }

    /// The size of the send buffer did.
    pub(super) fn add_held_by_buffer(&mut self, nanos: u64) {
        self.counts().held_by_buffer += nanos;
    }

    pub(super) fn held_by_buffer(&self) -> u64 {
        self.get(|counts| counts.held_by_buffer)
    }

    /// So many bytes leave again.
    pub(super) fn add_repeated(&mut self, bytes: u32) {
        self.counts().bytes_repeated += u64::from(bytes);
    }

    pub(super) fn bytes_repeated(&self) -> u64 {
        self.get(|counts| counts.bytes_repeated)
    }

    /// A DSACK spoke of so many segments; returns of how many all did.
    pub(super) fn add_dsack(&mut self, segments: u32) -> u32 {
        let counts = self.counts();
        counts.dsack_duplicates = counts.dsack_duplicates.saturating_add(segments);
        counts.dsack_duplicates
    }

    pub(super) fn dsack_duplicates(&self) -> u32 {
        self.get(|counts| counts.dsack_duplicates)
    }

    /// A segment arrived after later ones.
    pub(super) fn add_reordering(&mut self) {
        let counts = self.counts();
        counts.reorderings = counts.reorderings.saturating_add(1);
    }

    pub(super) fn reorderings(&self) -> u32 {
        self.get(|counts| counts.reorderings)
    }
}
