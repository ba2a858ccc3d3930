//! Events, as entries of the systemd journal's export format.
//!
//! Of all blocks that are not packets this is the one Wireshark shows as a row at its own time,
//! without touching its analysis of the packets around it.
//! Format: <https://systemd.io/JOURNAL_EXPORT_FORMATS/>

use super::{Start, fit};

/// syslog's "informational".
const PRIORITY: &str = "6";

/// Appends the entry.
///
/// The journal counts microseconds. The nanosecond stays readable in a field of our own, so an
/// event can be put between two frames of the same microsecond.
pub(super) fn lay_out(entry: &mut Vec<u8>, start: Start, time_ns: u64, host: &str, message: &str) {
    let since_start = time_ns / 1_000;
    let since_1970 = start.nanoseconds().saturating_add(time_ns) / 1_000;
    // Wireshark searches the text for the first such field, so it must come before the message.
    field(entry, "__REALTIME_TIMESTAMP", &since_1970.to_string());
    field(entry, "__MONOTONIC_TIMESTAMP", &since_start.to_string());
    field(entry, "GLASSNET_TIME_NS", &time_ns.to_string());
    field(entry, "PRIORITY", PRIORITY);
    field(entry, "SYSLOG_IDENTIFIER", "glassnet");
    if !host.is_empty() {
        field(entry, "_HOSTNAME", host);
    }
    field(entry, "MESSAGE", message);
}

fn field(entry: &mut Vec<u8>, name: &str, value: &str) {
    let (text, cut) = fit(value);
    entry.extend_from_slice(name.as_bytes());
    // A line end would end the field; the format's other notation counts the bytes instead.
    if value.contains('\n') {
        entry.push(b'\n');
        entry.extend_from_slice(&((text.len() + cut.len()) as u64).to_le_bytes());
    } else {
        entry.push(b'=');
    }
    entry.extend_from_slice(text.as_bytes());
    entry.extend_from_slice(cut.as_bytes());
    entry.push(b'\n');
}
