//! What neither end may ever do, looked for in each segment on the wire: send bytes that nobody
//! wrote, send beyond the window, or acknowledge what was never sent.

use glassnet::TcpSegment;

use super::plan::NAMES;

/// One end of the connection, as the wire shows it.
#[derive(Default)]
struct End {
    /// Its first sequence number.
    first: Option<u32>,
    /// What its application writes in all.
    writes: &'static [u8],
    /// How far its windows are shifted, once both SYNs have said so.
    shift: u32,
    /// How far it has sent, relative to `first`; its SYN has number 0.
    sent: i64,
    /// How far the peer lets it send, by what has reached it.
    allowed: i64,
}

pub(crate) struct Rules {
    ends: [End; 2],
    /// A late copy of a SYN has begun another connection: nothing is looked at any more.
    over: bool,
    /// The first segment that broke one.
    pub(crate) broken: Option<String>,
}

impl Rules {
    pub(crate) fn new(writes: [&'static [u8]; 2]) -> Rules {
        let ends = writes.map(|writes| End { writes, ..End::default() });
        Rules { ends, over: false, broken: None }
    }

    /// A segment leaves a host.
    pub(crate) fn sent(&mut self, from: &str, segment: &TcpSegment, frame: &[u8]) {
        let (me, peer) = ends(from);
        if segment.syn {
            let first = *self.ends[me].first.get_or_insert(segment.seq);
            self.over |= first != segment.seq;
            self.ends[me].shift = window_scale(frame).unwrap_or(0);
        }
        if segment.rst || self.over {
            return;
        }
        let Some(seq) = self.ends[me].relative(segment.seq) else { return };
        let end = seq + i64::from(segment.len);
        let payload = &frame[frame.len() - segment.len as usize..];
        let written = self.ends[me].piece(seq, payload.len());
        if segment.len > 0 && written != Some(payload) {
            self.breaks(from, "bytes that nobody wrote", seq, segment);
        }
        // One byte may probe a window without room.
        if segment.len > 0 && end > self.ends[me].allowed + 1 {
            self.breaks(from, "bytes beyond the window", seq, segment);
        }
        // The peer does not hear an acknowledgment outside its window.
        let takes_nothing = segment.len == 0 && !segment.syn && !segment.fin;
        if takes_nothing && seq > self.ends[me].sent {
            self.breaks(from, "a number beyond what was sent", seq, segment);
        }
        let takes = i64::from(segment.syn) + i64::from(segment.fin);
        self.ends[me].sent = self.ends[me].sent.max(end + takes);
        if let Some(ack) = segment.ack.and_then(|ack| self.ends[peer].relative(ack))
            && ack > self.ends[peer].sent
        {
            self.breaks(from, "an acknowledgment of what was never sent", seq, segment);
        }
    }

    /// A segment reaches a host.
    pub(crate) fn arrived(&mut self, host: &str, segment: &TcpSegment) {
        let (me, peer) = ends(host);
        let shift = if segment.syn { 0 } else { self.ends[peer].shift };
        let ack = segment.ack.and_then(|ack| self.ends[me].relative(ack));
        if let Some(ack) = ack.filter(|_| !segment.rst) {
            let edge = ack + (i64::from(segment.window) << shift);
            self.ends[me].allowed = self.ends[me].allowed.max(edge);
        }
    }

    fn breaks(&mut self, who: &str, what: &str, seq: i64, segment: &TcpSegment) {
        let (flags, len) = (segment.flags(), segment.len);
        self.broken
            .get_or_insert_with(|| format!("{who} sends {what}: {flags} seq={seq} len={len}"));
    }
}

impl End {
    fn relative(&self, number: u32) -> Option<i64> {
        Some(i64::from(number.wrapping_sub(self.first?).cast_signed()))
    }

    /// What it writes from a sequence number on.
    fn piece(&self, seq: i64, len: usize) -> Option<&'static [u8]> {
        let from = usize::try_from(seq - 1).ok()?;
        self.writes.get(from..from + len)
    }
}

fn ends(host: &str) -> (usize, usize) {
    if host == NAMES[0] { (0, 1) } else { (1, 0) }
}

/// The shift of the window scale option of a SYN (RFC 7323 2.2).
fn window_scale(frame: &[u8]) -> Option<u32> {
    const ETHERNET_HEADER: usize = 14;
    let packet = frame.get(ETHERNET_HEADER..)?;
    let header = if packet[0] >> 4 == 4 { usize::from(packet[0] & 0x0f) * 4 } else { 40 };
    let tcp = packet.get(header..)?;
    let mut options = tcp.get(20..usize::from(tcp[12] >> 4) * 4)?;
    loop {
        match *options {
            [3, 3, shift, ..] => return Some(u32::from(shift)),
            [1, ..] => options = &options[1..],
            [_, len, ..] if options[0] > 1 => options = options.get(usize::from(len).max(2)..)?,
            _ => return None,
        }
    }
}
