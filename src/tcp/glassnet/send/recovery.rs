//! What is made of losses: when recovery begins and ends (RFC 6675, RFC 6582 without SACK), how the
//! window shrinks meanwhile (RFC 9937), whether a timeout was spurious (RFC 5682), and what is
//! undone when it was all for nothing (RFC 3708 by DSACK, RFC 4015 by timestamps).

use super::acknowledge::Facts;
use super::timer::Purpose;
use super::{DUPLICATE_THRESHOLD, Phase, Reduction, Release, Sender, Undo};
use crate::wire::tcp::Seq;

/// What is added to the reordering timer, in nanoseconds.
const REORDERING_MARGIN: u64 = 2_000_000;
/// How long a peer that seems to have forgotten what it SACKed is given, at least.
const RENEGING_DELAY: u64 = 10_000_000;

impl Sender {
    /// Something is amiss, or may be. `prior` was SND.UNA before this ACK.
    pub(super) fn alert(&mut self, now: u64, prior: Seq, duplicates: u32, facts: &mut Facts) {
        if facts.ece {
            self.undo.threshold = 0;
        }
        if facts.is_reneged && facts.is_progress {
            let delay = (self.smoothed_rtt().unwrap_or(0) / 2).max(RENEGING_DELAY);
            self.set_timer(Purpose::Retransmission, now.saturating_add(delay));
            facts.restarts_timer = false;
            return;
        }
        if self.phase == Phase::Open {
            self.retransmitted_at = 0;
        } else if !self.una.is_before(self.high) {
            match self.phase {
                Phase::Reducing if self.una != self.high => {
                    self.end_reduction();
                    self.phase = Phase::Open;
                }
                Phase::Recovery => {
                    if !self.has_sack {
                        self.flight.set_sacked_count(0);
                    }
                    if self.end_recovery(facts) {
                        return;
                    }
                    self.end_reduction();
                }
                _ => {}
            }
        }
        match self.phase {
            Phase::Recovery => {
                if !facts.is_progress {
                    if !self.has_sack {
                        self.count_duplicates(duplicates);
                    }
                } else if self.on_partial_ack(prior, facts) {
                    return;
                }
                if self.undo_by_dsack() {
                    self.settle_phase();
                }
                self.find_losses(now, facts);
                if self.phase != Phase::Recovery {
                    if self.flight.lost() == 0 {
                        return;
                    }
                    self.enter_recovery(facts.ece);
                }
            }
            Phase::Loss => {
                self.after_timeout(facts, duplicates);
                self.find_losses(now, facts);
                if self.phase != Phase::Open && !facts.retransmission_lost {
                    return;
                }
                self.suspect(now, duplicates, facts);
            }
            _ => self.suspect(now, duplicates, facts),
        }
        self.release = Release::Lost;
    }

    /// Outside of recovery: has something been lost?
    fn suspect(&mut self, now: u64, duplicates: u32, facts: &mut Facts) {
        if !self.has_sack {
            if facts.is_progress {
                self.flight.set_sacked_count(0);
            }
            self.count_duplicates(duplicates);
        }
        if self.phase <= Phase::Disorder {
            self.undo_by_dsack();
        }
        self.find_losses(now, facts);
        if self.flight.lost() > 0 {
            self.enter_recovery(facts.ece);
        } else {
            self.try_to_open(facts);
        }
    }

    // ---- What is lost -----------------------------------------------------------------------

    fn find_losses(&mut self, now: u64, facts: &mut Facts) {
        if self.flight.is_empty() {
            return;
        }
        if !self.has_sack {
            // RFC 6582 3.2: the first of what is left is the next hole.
            let is_hole = if self.phase < Phase::Recovery {
                self.flight.sacked() >= self.reordering
            } else {
                self.phase == Phase::Recovery && facts.is_progress
            };
            if is_hole {
                self.flight.mark_first_lost();
            }
            return;
        }
        let retransmitted = self.flight.retransmitted();
        if self.rack.has_advanced() && self.detect_late(now) {
            facts.restarts_timer = false;
        }
        facts.retransmission_lost |= self.flight.retransmitted() < retransmitted;
    }

    /// RFC 8985 6.2, step 5; true if there is something to wait for.
    pub(super) fn detect_late(&mut self, now: u64) -> bool {
        let is_certain = !self.reordering_seen
            && (self.phase >= Phase::Recovery || self.flight.sacked() >= self.reordering);
        let window = if is_certain { 0 } else { self.rack.reordering_window(&self.round_trip) };
        let Some(at) = self.rack.detect(now, &mut self.flight, window) else { return false };
        let timeout = now.saturating_add(self.rto());
        self.set_timer(Purpose::Reordering, at.saturating_add(REORDERING_MARGIN).min(timeout));
        true
    }

    // ---- Phases -----------------------------------------------------------------------------

    pub(super) fn enter_recovery(&mut self, ece: bool) {
        self.undo.threshold = 0;
        self.begin_undo();
        if !matches!(self.phase, Phase::Reducing | Phase::Recovery) {
            if !ece {
                self.undo.threshold = self.congestion.current_threshold();
            }
            self.begin_reduction();
        }
        self.phase = Phase::Recovery;
    }

    fn begin_undo(&mut self) {
        self.undo.marker = Some(self.una);
        let retransmitted = self.flight.retransmitted().cast_signed();
        self.undo.retransmissions = if retransmitted > 0 { retransmitted } else { -1 };
    }

    /// The window shrinks from here on.
    pub(super) fn begin_reduction(&mut self) {
        self.high = self.nxt;
        self.probe = None;
        self.has_reduced = true;
        self.congestion.forget_credit();
        self.measure_window();
        let window = self.congestion.window();
        self.undo.window = window;
        self.reduction = Reduction { window, ..Reduction::default() };
        let threshold = self.congestion.threshold_after_loss();
        self.congestion.set_threshold(threshold);
    }

    /// Without congestion control the window from which a reduction begins is what is in use.
    fn measure_window(&mut self) {
        if self.congestion.is_unlimited() {
            self.congestion.set_window(self.flight.packets());
        }
    }

    /// A router saw congestion: the window shrinks as after a loss (RFC 3168 6.1.2).
    pub(super) fn enter_reduction(&mut self) {
        self.undo.threshold = 0;
        if self.phase < Phase::Reducing {
            self.undo.marker = None;
            self.begin_reduction();
            self.phase = Phase::Reducing;
        }
    }

    /// Proportional rate reduction (RFC 9937 section 6): `arrived` segments were delivered.
    pub(super) fn reduce(&mut self, arrived: u32, is_clean: bool) {
        if arrived == 0 || self.reduction.window == 0 {
            return;
        }
        let in_flight = self.flight.in_flight();
        let threshold = self.congestion.threshold();
        let reduction = &mut self.reduction;
        reduction.delivered = reduction.delivered.saturating_add(arrived);
        let mut quota = if in_flight > threshold {
            let due = (u64::from(threshold) * u64::from(reduction.delivered))
                .div_ceil(u64::from(reduction.window));
            i64::try_from(due).unwrap_or(i64::MAX) - i64::from(reduction.out)
        } else {
            let ahead = i64::from(reduction.delivered) - i64::from(reduction.out);
            let bank = ahead.max(i64::from(arrived)) + i64::from(is_clean);
            bank.min(i64::from(threshold - in_flight))
        };
        // The retransmission with which recovery begins.
        quota = quota.max(i64::from(reduction.out == 0));
        self.congestion
            .set_window(in_flight.saturating_add_signed(quota.clamp(-1 << 30, 1 << 30) as i32));
    }

    fn end_reduction(&mut self) {
        let reduced = self.phase == Phase::Reducing || self.undo.marker.is_some();
        if self.congestion.has_threshold() && reduced {
            self.congestion.set_window(self.congestion.threshold());
        }
    }

    /// Whether everything is as it should be, or some of it is on its way twice.
    fn settle_phase(&mut self) {
        let is_clean = self.flight.left() == 0 && !self.flight.any_retransmitted();
        let phase = if is_clean { Phase::Open } else { Phase::Disorder };
        if self.phase != phase {
            self.phase = phase;
            self.high = self.nxt;
        }
    }

    fn try_to_open(&mut self, facts: &Facts) {
        if !self.flight.any_retransmitted() {
            self.retransmitted_at = 0;
        }
        if facts.ece {
            self.enter_reduction();
        }
        if self.phase != Phase::Reducing {
            self.settle_phase();
        }
    }

    /// All that was sent before the loss was noticed is acknowledged. True if the phase lasts until
    /// more is.
    fn end_recovery(&mut self, facts: &Facts) -> bool {
        if self.may_undo(facts) {
            self.undo_reduction(false);
        } else {
            self.rack.end_recovery(false);
        }
        // RFC 6582 section 4: without SACK, duplicate ACKs of before would begin another.
        if !self.has_sack && self.una == self.high {
            if !self.flight.any_retransmitted() {
                self.retransmitted_at = 0;
            }
            return true;
        }
        self.phase = Phase::Open;
        false
    }

    /// In recovery, an ACK of a part; true if nothing more is to be done.
    fn on_partial_ack(&mut self, prior: Seq, facts: &Facts) -> bool {
        if self.undo.marker.is_none() || !self.was_delayed(facts) {
            return false;
        }
        // The hole was filled by a segment that was late.
        self.note_reordering(prior);
        if self.flight.retransmitted() > 0 {
            return true;
        }
        if !self.flight.any_retransmitted() {
            self.retransmitted_at = 0;
        }
        self.undo_reduction(true);
        self.settle_phase();
        false
    }

    // ---- Timeouts ---------------------------------------------------------------------------

    /// The retransmission timer has fired (RFC 5681 3.1, RFC 6298 section 5).
    pub(in crate::tcp::glassnet) fn time_out(&mut self, now: u64) {
        let is_new = self.phase < Phase::Recovery;
        let has_forgotten = self.has_sack && self.flight.is_reneged();
        if has_forgotten {
            self.flight.forget_sacks();
            self.known_sacks = [(self.una, self.una); super::MAX_SACKS];
        } else if !self.has_sack {
            self.flight.set_sacked_count(0);
        }
        let (rack, has_sack) = (self.rack, self.has_sack);
        self.flight.mark_all_lost(|at, sent| {
            at == 0 || has_forgotten || !has_sack || !rack.is_recent(now, sent)
        });
        if self.phase <= Phase::Disorder
            || !self.high.is_after(self.una)
            || (self.phase == Phase::Loss && self.retries == 0)
        {
            self.measure_window();
            self.undo.threshold = self.congestion.current_threshold();
            self.undo.window = self.congestion.window();
            let threshold = self.congestion.threshold_after_loss();
            self.congestion.set_threshold(threshold);
            self.begin_undo();
        }
        self.congestion.time_out(now, self.nxt);
        self.congestion.set_window(self.flight.in_flight() + 1);
        self.congestion.forget_credit();
        if self.phase <= Phase::Disorder && self.flight.sacked() >= DUPLICATE_THRESHOLD {
            self.reordering = self.reordering.min(DUPLICATE_THRESHOLD);
        }
        self.phase = Phase::Loss;
        self.high = self.nxt;
        self.probe = None;
        self.has_reduced = true;
        // RFC 5682 2.1, step 1.
        self.is_doubted = is_new || self.retries > 0;
        self.release = Release::New;
    }

    /// An ACK after a timeout (RFC 5682 3.1).
    fn after_timeout(&mut self, facts: &Facts, duplicates: u32) {
        let recovered = !self.una.is_before(self.high);
        if facts.is_progress && self.undo_timeout(facts, false) {
            return;
        }
        if self.is_doubted {
            // Step 3.b: what was never sent again has arrived.
            if facts.original_arrived && self.undo_timeout(facts, true) {
                return;
            }
            if self.nxt.is_after(self.high) {
                if facts.is_sack || duplicates > 0 {
                    self.is_doubted = false;
                }
            } else if facts.is_progress && !recovered {
                self.high = self.nxt;
                // Step 2.b: something new, and see what is acknowledged.
                if self.has_unsent() && self.window_has_room() {
                    self.release = Release::Probing;
                    return;
                }
                self.is_doubted = false;
            }
        }
        if recovered {
            self.is_doubted = false;
            self.end_recovery(facts);
            return;
        }
        if !self.has_sack {
            if self.nxt.is_after(self.high) && duplicates > 0 {
                self.count_duplicates(duplicates);
            } else if facts.is_progress {
                self.flight.set_sacked_count(0);
            }
        }
        self.release = Release::Lost;
    }

    /// A path takes smaller segments only: what was too large leaves again, and the window stays
    /// (RFC 1191 6.5).
    pub(super) fn retransmit_for_path(&mut self) {
        if self.flight.lost() == 0 {
            return;
        }
        if self.phase != Phase::Loss {
            self.high = self.nxt;
            self.congestion.set_threshold(self.congestion.current_threshold());
            self.undo = Undo::default();
            self.phase = Phase::Loss;
        }
        self.is_doubted = false;
        self.release = Release::Lost;
    }

    // ---- What is undone ---------------------------------------------------------------------

    /// The peer answers what was sent before the first retransmission (RFC 4015, by RFC 7323's
    /// timestamps).
    fn was_delayed(&self, facts: &Facts) -> bool {
        let left = Seq(self.timestamp(self.retransmitted_at));
        self.retransmitted_at > 0 && facts.echo.is_some_and(|echo| Seq(echo).is_before(left))
    }

    fn may_undo(&self, facts: &Facts) -> bool {
        self.undo.marker.is_some() && (self.undo.retransmissions == 0 || self.was_delayed(facts))
    }

    fn undo_reduction(&mut self, forgets_losses: bool) {
        if forgets_losses {
            self.flight.forget_losses();
        }
        if self.undo.threshold > 0 {
            self.congestion.set_window(self.congestion.window().max(self.undo.window));
            if self.undo.threshold > self.congestion.threshold() {
                self.congestion.set_threshold(self.undo.threshold);
                self.has_reduced = false;
            }
        }
        self.undo.marker = None;
        self.rack.look_again();
    }

    /// A DSACK spoke of every retransmission.
    fn undo_by_dsack(&mut self) -> bool {
        if self.undo.marker.is_none() || self.undo.retransmissions != 0 {
            return false;
        }
        self.rack.end_recovery(true);
        self.undo_reduction(false);
        true
    }

    fn undo_timeout(&mut self, facts: &Facts, is_spurious: bool) -> bool {
        if !is_spurious && !self.may_undo(facts) {
            return false;
        }
        self.undo_reduction(true);
        self.retries = 0;
        if is_spurious || self.has_sack {
            self.phase = Phase::Open;
            self.is_doubted = false;
        }
        true
    }

    // ---- Tail loss probes -------------------------------------------------------------------

    /// RFC 8985 7.4: whether the probe has repaired a loss, of which nothing else is known.
    pub(super) fn on_probe_acknowledged(&mut self, facts: &Facts) {
        let Some(probe) = self.probe else { return };
        if self.una.is_before(probe) {
            return;
        }
        if !self.probe_repeats || facts.is_dsack_of_probe {
            self.probe = None;
        } else if self.una.is_after(probe) {
            self.begin_reduction();
            self.phase = Phase::Reducing;
            self.end_reduction();
            self.settle_phase();
        } else if facts.acked == 0 && !facts.is_progress && !facts.is_sack && !facts.is_data {
            self.probe = None;
        }
    }
}
