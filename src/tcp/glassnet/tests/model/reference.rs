//! RFC 9293 section 3.10.7, in its order and as plainly as can be, with RFC 5961, RFC 7323's PAWS,
//! and Linux's limits of how often a peer is answered. It knows nothing of what an engine does with
//! losses, windows and time: what is sent is told to it.

use crate::tcp::state::TcpState;
use crate::wire::tcp::Seq;

use super::rig::Sent;

/// How often what may be a guess is answered, in nanoseconds.
const INTERVAL: u64 = 500_000_000;

/// A segment that arrives.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    pub(super) seq: Seq,
    pub(super) ack: Option<Seq>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    /// PSH, URG and those of ECN: they change nothing here.
    pub(super) other_flags: u8,
    pub(super) window: u16,
    pub(super) options: Vec<u8>,
    pub(super) len: u32,
}

impl Incoming {
    fn end(&self) -> Seq {
        self.seq.plus(self.len + u32::from(self.syn) + u32::from(self.fin))
    }

    /// What the options say, up to what makes no sense: the timestamp and the window scale.
    fn options(&self) -> (Option<u32>, Option<u8>) {
        let (mut timestamp, mut scale, mut at) = (None, None, 0);
        while at < self.options.len() && self.options[at] != 0 {
            if self.options[at] == 1 {
                at += 1;
                continue;
            }
            let Some(len) = self.options.get(at + 1).map(|len| usize::from(*len)) else { break };
            let Some(option) = self.options.get(at..at + len).filter(|_| len >= 2) else { break };
            match (option[0], len) {
                (8, 10) => {
                    timestamp = option[2..6].first_chunk().map(|word| u32::from_be_bytes(*word));
                }
                (3, 3) => scale = Some(option[2].min(14)),
                _ => {}
            }
            at += len;
        }
        (timestamp, scale)
    }
}

/// What a segment is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Ack,
    Reset,
}

pub(super) struct Reference {
    pub(super) state: TcpState,
    pub(super) is_passive: bool,
    is_closed: bool,
    iss: Seq,
    pub(super) snd_una: Seq,
    pub(super) snd_nxt: Seq,
    snd_wnd: u32,
    snd_wl1: Seq,
    max_wnd: u32,
    snd_scale: u8,
    fin_end: Option<Seq>,
    pub(super) irs: Seq,
    pub(super) rcv_nxt: Seq,
    /// The right edge of the window, and what was acknowledged, in the last ACK.
    pub(super) rcv_edge: Seq,
    rcv_acked: Seq,
    rcv_scale: u8,
    /// Bytes that are there behind RCV.NXT, each on its own.
    beyond: Vec<Seq>,
    peer_fin: Option<Seq>,
    offers_timestamps: bool,
    has_timestamps: bool,
    pub(super) recent: u32,
    /// The engine's retransmission timeout, in nanoseconds.
    pub(super) rto: u64,
    no_challenge_before: u64,
    no_answer_before: u64,
}

impl Reference {
    pub(super) fn new(iss: Seq) -> Reference {
        Reference {
            state: TcpState::Closed,
            is_passive: false,
            is_closed: false,
            iss,
            snd_una: iss,
            snd_nxt: iss,
            snd_wnd: 0,
            snd_wl1: Seq(0),
            max_wnd: 0,
            snd_scale: 0,
            fin_end: None,
            irs: Seq(0),
            rcv_nxt: Seq(0),
            rcv_edge: Seq(0),
            rcv_acked: Seq(0),
            rcv_scale: 0,
            beyond: Vec::new(),
            peer_fin: None,
            offers_timestamps: false,
            has_timestamps: false,
            recent: 0,
            rto: 0,
            no_challenge_before: 0,
            no_answer_before: 0,
        }
    }

    pub(super) fn connect(&mut self, iss: Seq, timestamps: bool) {
        *self = Reference::new(iss);
        (self.state, self.offers_timestamps) = (TcpState::SynSent, timestamps);
    }

    pub(super) fn listen(&mut self, iss: Seq, timestamps: bool) {
        self.connect(iss, timestamps);
        (self.state, self.is_passive) = (TcpState::Listen, true);
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        match self.state {
            TcpState::Established => self.state = TcpState::FinWait1,
            TcpState::CloseWait => self.state = TcpState::LastAck,
            _ => {}
        }
    }

    pub(super) fn note_sent(&mut self, sent: &Sent) {
        if sent.rst {
            return;
        }
        self.snd_nxt = self.snd_nxt.later(sent.end());
        if sent.fin {
            self.fin_end = Some(sent.end());
        }
        if let Some(ack) = sent.ack {
            let scale = if sent.syn { 0 } else { self.rcv_scale };
            let edge = ack.plus(u32::from(sent.window) << scale);
            self.rcv_edge = if sent.syn { edge } else { self.rcv_edge.later(edge) };
            self.rcv_acked = ack;
        }
        if sent.syn && sent.ack.is_some() {
            self.rcv_scale = sent.scale.unwrap_or(0);
        }
        if sent.syn && sent.ack.is_none() {
            // What it offers holds if the answer has the option.
            (self.rcv_scale, self.rcv_edge) = (sent.scale.unwrap_or(0), Seq(sent.window.into()));
        }
    }

    fn window(&self) -> u32 {
        self.rcv_edge.ahead_of(self.rcv_nxt).max(0).cast_unsigned()
    }

    fn challenge(&mut self, now: u64) -> Answer {
        if now < self.no_challenge_before {
            return Answer::Nothing;
        }
        self.no_challenge_before = now + INTERVAL;
        Answer::Ack
    }

    fn take_syn(&mut self, segment: &Incoming) {
        let (timestamp, scale) = segment.options();
        (self.irs, self.rcv_nxt) = (segment.seq, segment.seq.plus(1));
        self.rcv_acked = self.rcv_nxt;
        // The window of our SYN.
        self.rcv_edge = self.rcv_nxt.plus(self.rcv_edge.0);
        self.snd_scale = scale.unwrap_or(0);
        if scale.is_none() {
            self.rcv_scale = 0;
        }
        self.has_timestamps = self.offers_timestamps && timestamp.is_some();
        self.recent = timestamp.unwrap_or(0);
        self.set_window(segment.window.into(), segment.seq);
    }

    fn set_window(&mut self, window: u32, seq: Seq) {
        (self.snd_wnd, self.snd_wl1) = (window, seq);
        self.max_wnd = self.max_wnd.max(window);
    }

    pub(super) fn hear(&mut self, now: u64, segment: &Incoming) -> Answer {
        match self.state {
            TcpState::Closed | TcpState::TimeWait => Answer::Nothing,
            TcpState::Listen => {
                self.take_syn(segment);
                self.state = TcpState::SynReceived;
                Answer::Ack
            }
            TcpState::SynSent => self.hear_in_syn_sent(segment),
            _ => self.hear_otherwise(now, segment),
        }
    }

    /// 3.10.7.3.
    fn hear_in_syn_sent(&mut self, segment: &Incoming) -> Answer {
        if segment.ack.is_some_and(|ack| ack != self.iss.plus(1)) {
            return if segment.rst { Answer::Nothing } else { Answer::Reset };
        }
        if segment.rst {
            if segment.ack.is_some() {
                self.state = TcpState::Closed;
            }
            return Answer::Nothing;
        }
        if !segment.syn {
            return Answer::Nothing;
        }
        self.take_syn(segment);
        if let Some(ack) = segment.ack {
            self.snd_una = ack;
            self.state = TcpState::Established;
            if self.is_closed {
                self.state = TcpState::FinWait1;
            }
        } else {
            self.state = TcpState::SynReceived;
        }
        Answer::Ack
    }

    /// 3.10.7.4.
    fn hear_otherwise(&mut self, now: u64, segment: &Incoming) -> Answer {
        let (timestamp, _) = segment.options();
        let timestamp = timestamp.filter(|_| self.has_timestamps);
        let is_old = timestamp.is_some_and(|value| Seq(value).is_before(Seq(self.recent)));
        if is_old && !segment.rst {
            // Linux's `tcp_disordered_ack`: one that was overtaken by another with data is harmless.
            let is_bare = !segment.syn && !segment.fin && segment.len == 0;
            let age = Seq(self.recent).ahead_of(Seq(timestamp.unwrap_or(0))).cast_unsigned();
            if !is_bare
                || segment.seq != self.rcv_nxt
                || segment.ack != Some(self.snd_una)
                || u64::from(age) > self.rto / 1_000_000
            {
                return self.hear_unacceptable(now, segment);
            }
        }
        // First. As Linux, what touches what was received since the last ACK is taken.
        let (seq, end) = (segment.seq, segment.end());
        if end.is_before(self.rcv_acked) || seq.is_after(self.rcv_nxt.plus(self.window())) {
            return self.hear_unacceptable(now, segment);
        }
        // Second (RFC 5961 3.2).
        if segment.rst {
            if seq == self.rcv_nxt {
                self.state = TcpState::Closed;
                return Answer::Nothing;
            }
            let ahead = seq.ahead_of(self.rcv_nxt);
            let is_within = ahead > 0 && ahead.cast_unsigned() < self.window();
            return if is_within { self.challenge(now) } else { Answer::Nothing };
        }
        // Fourth (RFC 5961 4.2), with Linux's answer to a SYN that comes again.
        let in_syn_received = self.state == TcpState::SynReceived;
        let mut has_to_ack = false;
        if segment.syn {
            let is_again = in_syn_received && seq == self.irs;
            if is_again && segment.ack.is_none() {
                return Answer::Ack;
            }
            if !(is_again && !self.is_passive && segment.ack == Some(self.snd_nxt)) {
                return self.challenge(now);
            }
            has_to_ack = true;
        }
        // Fifth.
        let Some(ack) = segment.ack else { return Answer::Nothing };
        if in_syn_received {
            if ack != self.snd_nxt {
                return Answer::Reset;
            }
            self.snd_una = ack;
            self.state = TcpState::Established;
            if self.is_closed {
                self.state = TcpState::FinWait1;
            }
            let scale = if segment.syn { 0 } else { self.snd_scale };
            self.set_window(u32::from(segment.window) << scale, seq);
        }
        // RFC 5961 5.2.
        let behind = self.snd_una.ahead_of(ack);
        if ack.is_after(self.snd_nxt) || (behind > 0 && behind.cast_unsigned() > self.max_wnd) {
            return self.challenge(now);
        }
        if !ack.is_before(self.snd_una) {
            self.update_window(segment, ack);
            self.snd_una = ack;
        }
        if let Some(value) = timestamp
            && !is_old
            && !seq.is_after(self.rcv_acked)
        {
            self.recent = value;
        }
        if self.fin_end.is_some_and(|end| !self.snd_una.is_before(end)) {
            match self.state {
                TcpState::FinWait1 => self.state = TcpState::FinWait2,
                TcpState::Closing => self.state = TcpState::TimeWait,
                TcpState::LastAck => {
                    self.state = TcpState::Closed;
                    return Answer::Nothing;
                }
                _ => {}
            }
        }
        // Seventh and eighth.
        if self.take_text(segment) || has_to_ack { Answer::Ack } else { Answer::Nothing }
    }

    /// RFC 1122 4.2.2.20 (g), as Linux has it.
    fn update_window(&mut self, segment: &Incoming, ack: Seq) {
        let scale = if segment.syn { 0 } else { self.snd_scale };
        let window = u32::from(segment.window) << scale;
        let (seq, wl1) = (segment.seq, self.snd_wl1);
        let is_larger = window > self.snd_wnd || window == 0;
        if ack.is_after(self.snd_una) || seq.is_after(wl1) || (seq == wl1 && is_larger) {
            self.set_window(window, seq);
        }
    }

    fn hear_unacceptable(&mut self, now: u64, segment: &Incoming) -> Answer {
        let is_bare = !segment.fin && segment.len == 0;
        if segment.rst {
            return Answer::Nothing;
        }
        if self.state == TcpState::SynReceived && segment.syn && segment.seq == self.irs {
            return Answer::Ack;
        }
        if segment.syn || is_bare {
            if now < self.no_answer_before {
                return Answer::Nothing;
            }
            self.no_answer_before = now + INTERVAL;
        }
        Answer::Ack
    }

    /// Takes what a segment carries, byte by byte; true if it is answered.
    fn take_text(&mut self, segment: &Incoming) -> bool {
        if segment.len == 0 && !segment.fin {
            return false;
        }
        let seq = segment.seq.plus(u32::from(segment.syn));
        let text_end = seq.plus(segment.len);
        if self.state.has_received_fin() {
            return true;
        }
        // What goes on behind a FIN, or a FIN before what has arrived, makes no sense.
        let furthest = self.beyond.iter().copied().reduce(Seq::later);
        let is_odd = match self.peer_fin {
            Some(fin) => text_end.is_after(fin) || (segment.fin && text_end != fin),
            None => segment.fin && furthest.is_some_and(|last| !last.is_before(text_end)),
        };
        let is_new = text_end.plus(u32::from(segment.fin)).is_after(self.rcv_nxt);
        if is_odd || !is_new {
            return true;
        }
        let edge = self.rcv_nxt.plus(self.window());
        for at in 0..segment.len {
            let byte = seq.plus(at);
            if !byte.is_before(self.rcv_nxt) && byte.is_before(edge) && !self.beyond.contains(&byte)
            {
                self.beyond.push(byte);
            }
        }
        // A FIN has to fit as well, unless it is all there is.
        let is_lone = segment.len == 0 && seq == self.rcv_nxt;
        if segment.fin && (text_end.is_before(edge) || is_lone) {
            self.peer_fin = Some(text_end);
        }
        let mut known: Vec<Seq> = std::mem::take(&mut self.beyond);
        known.sort_by_key(|byte| byte.ahead_of(self.rcv_nxt));
        for byte in known {
            if byte == self.rcv_nxt {
                self.rcv_nxt = byte.plus(1);
            } else {
                self.beyond.push(byte);
            }
        }
        if self.peer_fin == Some(self.rcv_nxt) {
            self.rcv_nxt = self.rcv_nxt.plus(1);
            self.state = match self.state {
                TcpState::FinWait1 => TcpState::Closing,
                TcpState::FinWait2 => TcpState::TimeWait,
                _ => TcpState::CloseWait,
            };
        }
        true
    }
}
