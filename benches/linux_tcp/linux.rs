//! What Linux reached, run by run.

use std::collections::BTreeMap;

use super::samples::Samples;

pub(crate) struct Column(BTreeMap<String, Samples>);

impl Column {
    /// A line of `linux.txt` is the name of a row and its samples; `#` begins a comment.
    pub(crate) fn read() -> Column {
        let lines = include_str!("linux.txt").lines().filter(|line| !line.starts_with('#'));
        Column(
            lines
                .map(|line| {
                    let (row, samples) = line.split_once(": ").unwrap();
                    let samples = samples.split(' ').map(|sample| sample.parse().unwrap());
                    (row.to_owned(), Samples::new(samples.collect()))
                })
                .collect(),
        )
    }

    pub(crate) fn row(&self, name: &str) -> &Samples {
        self.0.get(name).unwrap_or_else(|| panic!("linux.txt has no row {name:?}"))
    }
}
