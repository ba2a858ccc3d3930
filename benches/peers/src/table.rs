//! The table, and the machine it was made on.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Row;
use crate::job::Result;

/// What became of one peer's measurement of one row.
#[derive(Debug, Clone, Copy)]
pub enum Cell {
    /// The median figure, in the row's unit.
    Figure(f64),
    /// The peer cannot do this job; the README says why.
    Impossible,
    Failed,
}

impl Cell {
    fn figure(self) -> Option<f64> {
        match self {
            Cell::Figure(figure) => Some(figure),
            Cell::Impossible | Cell::Failed => None,
        }
    }
}

/// The figures of all rows, in the order of rows and peers.
pub struct Table<'a> {
    pub rows: &'a [Row],
    pub peers: &'a [&'static str],
    pub cells: &'a [Vec<Cell>],
}

impl Table<'_> {
    pub fn print(&self) {
        println!("| job | unit | {} |", self.peers.join(" | "));
        println!("|---|---|{}", "---|".repeat(self.peers.len()));
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> =
                (0..self.peers.len()).map(|peer| self.cell(index, peer)).collect();
            println!("| {} | {} | {} |", row.key, row.job.unit(), cells.join(" | "));
        }
    }

    fn cell(&self, row: usize, peer: usize) -> String {
        let figure = match self.cells[row][peer] {
            Cell::Figure(figure) => figure,
            Cell::Impossible => return "-".into(),
            Cell::Failed => return "failed".into(),
        };
        let mut text = number(figure);
        if let Some(base) = self.base(row, peer) {
            text += &format!(" = {:.2}x", figure / base);
        }
        if let Some(ours) = self.ours(row, peer) {
            let speedup = self.rows[row].job.speedup(ours, figure);
            text += &format!(" ({})", ratio(speedup));
        }
        text
    }

    /// The same peer's figure in the row this one is compared with.
    fn base(&self, row: usize, peer: usize) -> Option<f64> {
        let key = self.rows[row].base?;
        let base = self.rows.iter().position(|row| row.key == key)?;
        self.cells[base][peer].figure()
    }

    /// glassnet's figure, for every column but its own.
    fn ours(&self, row: usize, peer: usize) -> Option<f64> {
        let ours = self.peers.iter().position(|name| *name == "glassnet")?;
        if ours == peer {
            return None;
        }
        self.cells[row][ours].figure()
    }
}

fn number(figure: f64) -> String {
    if figure < 100.0 {
        format!("{figure:.2}")
    } else {
        // Thousands apart, so that 9,000 and 90,000 differ at a glance.
        let digits = format!("{figure:.0}");
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}x") } else { format!("{ratio:.0}x") }
}

/// The middle one; of an even number, the mean of the two in the middle.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        (figures[middle - 1] + figures[middle]) / 2.0
    } else {
        figures[middle]
    }
}

/// Processor, cores, kernel.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    format!("{model}, {cores} cores, {} {}", std::env::consts::OS, kernel.trim())
}

/// Today in UTC as YYYY-MM-DD.
pub fn today() -> Result<String> {
    let days = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 86_400;
    let (year, month, day) = civil(days);
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

/// The Gregorian date so many days after 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    let leap =
        |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut left = days;
    let mut year = 1970;
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (year, month, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_453), (2025, 12, 31));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(0.768), "0.77");
        assert_eq!(number(999.6), "1,000");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }
}
