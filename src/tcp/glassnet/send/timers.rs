//! The sender's one timer: retransmission (RFC 6298), tail loss probe and reordering (RFC 8985),
//! window probe (RFC 9293 3.8.6.1). What each does when it fires.

use super::timer::{Fired, Purpose, Timer};
use super::{Phase, Release, Sender};
use crate::clock::When;
use crate::tcp::boundary::Timer as Known;

/// What is added to two round trips before a tail loss is probed for, in nanoseconds.
const PROBE_MARGIN: u64 = 2_000_000;
/// How often the time between window probes doubles.
const MAX_BACKOFF: u32 = 10;

impl Sender {
    #[inline]
    pub(super) fn set_timer(&mut self, purpose: Purpose, at: u64) {
        self.timer = Timer { purpose, at: When::at(at) };
    }

    pub(in crate::tcp::glassnet) fn stop_timer(&mut self) {
        self.timer = Timer::default();
    }

    /// The handshake's SYN, or SYN-ACK, is sent again then.
    pub(in crate::tcp::glassnet) fn time_syn(&mut self, at: u64) {
        self.set_timer(Purpose::Retransmission, at);
    }

    #[inline]
    pub(super) fn is_timer_for(&self, purpose: Purpose) -> bool {
        self.timer.purpose == purpose
    }

    /// When the retransmission timer fires, counted from when the first segment was sent.
    fn timeout_of_first(&self, now: u64) -> u64 {
        let sent = self.flight.first().map_or(now, |first| first.at);
        sent.saturating_add(self.rto()).max(now.saturating_add(1_000))
    }

    /// RFC 6298 section 5: something is in flight, or not.
    pub(super) fn restart_retransmission_timer(&mut self, now: u64) {
        if self.flight.is_empty() {
            self.stop_timer();
            if !self.has_unsent() {
                self.chronograph.rest(now, &mut self.seldom);
            }
            return;
        }
        // What came before the timeout does not put it off.
        let at = match self.timer.purpose {
            Purpose::TailLoss | Purpose::Reordering => self.timeout_of_first(now),
            _ => now.saturating_add(self.rto()),
        };
        self.set_timer(Purpose::Retransmission, at);
    }

    /// Something was acknowledged: the timer is for a tail loss, or a timeout.
    #[inline]
    pub(super) fn restart_timer(&mut self, now: u64) {
        if !self.schedule_probe(now, true) {
            self.restart_retransmission_timer(now);
        }
    }

    /// RFC 8985 7.2. `is_progress` says that the timeout would begin anew.
    pub(super) fn schedule_probe(&mut self, now: u64, is_progress: bool) -> bool {
        if self.flight.is_empty()
            || !self.has_sack
            || !self.has_tail_loss_probe
            || !matches!(self.phase, Phase::Open | Phase::Reducing)
        {
            return false;
        }
        let timeout =
            if is_progress { now.saturating_add(self.rto()) } else { self.timeout_of_first(now) };
        let patience = match self.round_trip.smoothed() {
            Some(rtt) => {
                let alone = self.flight.packets() == 1;
                let margin = if alone { self.round_trip.min_variance() } else { PROBE_MARGIN };
                u64::from(rtt) * 2_000 + margin
            }
            None => self.rto(),
        };
        self.set_timer(Purpose::TailLoss, now.saturating_add(patience).min(timeout));
        true
    }

    /// What the timer asks for, if it has fired.
    pub(in crate::tcp::glassnet) fn on_timer(&mut self, now: u64) -> Fired {
        if !self.timer.at.is_due(now) {
            return Fired::Nothing;
        }
        let purpose = self.timer.purpose;
        self.timer.at = When::NEVER;
        match purpose {
            Purpose::Nothing => Fired::Nothing,
            Purpose::Retransmission => Fired::First,
            Purpose::TailLoss => Fired::TailLoss,
            Purpose::WindowProbe => Fired::WindowProbe,
            Purpose::Reordering => {
                self.find_late_segments(now);
                Fired::Segments
            }
        }
    }

    /// What the timer is for, as far as `ss` tells them apart, if it runs.
    pub(in crate::tcp::glassnet) fn pending(&self) -> Option<Known> {
        let at = self.timer.at.get()?;
        match self.timer.purpose {
            Purpose::Nothing => None,
            Purpose::Retransmission | Purpose::TailLoss | Purpose::Reordering => {
                Some(Known::Retransmission { at, retransmits: self.retries })
            }
            Purpose::WindowProbe => Some(Known::WindowProbe { at, probes: self.window_probes }),
        }
    }

    /// The first segment was sent again after a timeout: the next is waited for twice as long, or,
    /// if `is_linear`, as long.
    pub(in crate::tcp::glassnet) fn back_off(&mut self, now: u64, is_linear: bool) {
        self.retries += 1;
        if !is_linear {
            self.round_trip.back_off();
        }
        self.set_timer(Purpose::Retransmission, now.saturating_add(self.rto()));
    }

    /// Timeouts in a row.
    pub(in crate::tcp::glassnet) fn retries(&self) -> u32 {
        self.retries
    }

    /// Window probes that were not answered.
    pub(in crate::tcp::glassnet) fn window_probes(&self) -> u32 {
        self.window_probes
    }

    // ---- The window probe -------------------------------------------------------------------

    /// How long until the next window probe.
    fn probe_interval(&self) -> u64 {
        let least = self.rto().max(self.round_trip.min_variance());
        (least << self.backoff.min(MAX_BACKOFF)).min(self.round_trip.max_rto())
    }

    /// Nothing is in flight, and the window lets nothing go: the peer is asked after a while.
    #[inline]
    pub(super) fn check_probe_timer(&mut self, now: u64) {
        if self.flight.is_empty() && self.has_unsent() && self.timer.at.is_none() {
            self.set_timer(Purpose::WindowProbe, now.saturating_add(self.probe_interval()));
        }
    }

    /// A window probe has left.
    pub(in crate::tcp::glassnet) fn probed(&mut self, now: u64) {
        self.window_probes += 1;
        self.backoff = self.backoff.saturating_add(1);
        self.set_timer(Purpose::WindowProbe, now.saturating_add(self.probe_interval()));
    }

    /// An ACK came while nothing was in flight: the window may be open.
    pub(super) fn on_probe_answer(&mut self, now: u64) {
        if !self.has_unsent() {
            return;
        }
        if self.window_has_room() {
            self.backoff = 0;
            self.stop_timer();
        } else {
            self.set_timer(Purpose::WindowProbe, now.saturating_add(self.probe_interval()));
        }
    }

    // ---- Tail loss probes -------------------------------------------------------------------

    /// A tail loss probe has left (RFC 8985 7.3).
    pub(super) fn note_probe(&mut self, now: u64, repeats: bool) {
        (self.probe, self.probe_repeats) = (Some(self.nxt), repeats);
        self.timer.purpose = Purpose::Nothing;
        self.restart_retransmission_timer(now);
    }

    /// None may leave: a timeout comes next.
    pub(super) fn forgo_probe(&mut self, now: u64) {
        self.restart_retransmission_timer(now);
    }

    /// Looks for what is lost (RFC 8985 6.2, step 5), and sends it again.
    fn find_late_segments(&mut self, now: u64) {
        let in_flight = self.flight.in_flight();
        self.detect_late(now);
        if self.flight.in_flight() != in_flight {
            if self.phase != Phase::Recovery {
                self.enter_recovery(false);
                self.reduce(1, false);
            }
            self.release = Release::Lost;
        }
        if self.timer.at.is_none() {
            self.restart_retransmission_timer(now);
        }
    }
}
