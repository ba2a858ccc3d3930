//! How rows are printed.

pub(crate) fn head(title: &str, columns: &str) {
    println!("\n{title}\n\n| path | {columns} | |");
    println!("|{}", "---|".repeat(columns.split('|').count() + 2));
}

pub(crate) fn row(name: &str, cells: &[String], agrees: bool) {
    println!("| {name} | {} | {} |", cells.join(" | "), if agrees { "" } else { "**out**" });
}
