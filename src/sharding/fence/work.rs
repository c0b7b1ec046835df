//! The work under a fence: begin, pause, go on, hand over.

use super::{Command, Env, Fence, Kept, Mutant, Offer, Pause, View, Work};
use crate::{clock::Moment, sharding::peer::PeerId};

// === impl Fence ===

impl Fence {
    pub(super) fn renewed(
        &mut self,
        before: Option<Moment>,
        view: &dyn View,
        out: &mut Vec<Command>,
    ) {
        let env = view.env();
        if self.work == Work::None {
            return;
        }
        let passed = before.is_some_and(|deadline| env.now >= deadline);
        if passed && self.pause.is_none() {
            self.pause = Some(Pause { resume_at: None });
            out.push(Command::Paused);
        }
        match &mut self.pause {
            // P9: what was given up when the deadline passed may still take effect for a moment.
            Some(pause) => {
                pause
                    .resume_at
                    .get_or_insert(env.now + env.timings.margin());
            }
            None => self.permit(out),
        }
    }

    fn permit(&self, out: &mut Vec<Command>) {
        if let Some(tenure) = self.claim.tenure() {
            out.push(Command::Permit {
                deadline: tenure.deadline,
                token: tenure.token,
            });
        }
    }

    /// Pauses at the deadline, resumes after a renewal, and ends a drain that takes too long.
    pub(super) fn watch_deadline(&mut self, env: &Env<'_>, out: &mut Vec<Command>) {
        if let Work::Draining {
            revoke_at,
            revoked: false,
        } = self.work
        {
            if env.now >= revoke_at {
                out.push(Command::Revoke);
                if env.mutants.has(Mutant::ReleaseWhileAlive) {
                    self.release_at = Some(env.now);
                }
                out.push(Command::Report(
                    "the drain timeout has passed: running work is dropped".into(),
                ));
                self.work = Work::Draining {
                    revoke_at,
                    revoked: true,
                };
            } else {
                self.wake_at(revoke_at);
            }
        }
        let Some(tenure) = self.claim.tenure() else {
            return;
        };
        if self.work == Work::None {
            return;
        }
        let deadline = tenure.deadline;
        match &mut self.pause {
            None if env.now >= deadline => {
                self.pause = Some(Pause { resume_at: None });
                out.push(Command::Paused);
            }
            None => self.wake_at(deadline),
            Some(pause) => match pause.resume_at {
                Some(_) if env.now >= deadline => pause.resume_at = None,
                Some(at) if env.now >= at => {
                    self.pause = None;
                    self.permit(out);
                    out.push(Command::Resumed);
                    self.wake_at(deadline);
                }
                Some(at) => self.wake_at(at),
                None => {}
            },
        }
    }

    /// P7: begins to drain when another peer should have the cluster, or nobody.
    pub(super) fn hand_over(&mut self, view: &dyn View, out: &mut Vec<Command>) {
        let env = view.env();
        if env.mutants.has(Mutant::FlipBack)
            && self.exists
            && self.work == Work::None
            && view.other_winner(&self.name).is_none()
        {
            self.release_at = None;
        }
        if self.claim.tenure().is_none() || self.release_at.is_some() {
            return;
        }
        let winner = view.other_winner(&self.name);
        // A winner that was gone meanwhile has let nothing lie.
        self.kept = self
            .kept
            .take()
            .filter(|kept| winner.is_some_and(|(winner, _)| *winner == kept.winner));
        let token = self.claim.tenure().map(|tenure| tenure.token);
        // Once: who then loses it again is too slow for it, and has to wait like any other.
        let offered = |kept: &Kept| {
            let offer = self.offer.as_ref();
            offer.is_some_and(|offer| offer.winner == kept.winner)
        };
        let is_back = |kept: &Kept| {
            kept.was_its_own && !offered(kept) && view.last_sign_of(&kept.winner) > token
        };
        let kept = self.kept.as_ref().filter(|kept| !is_back(kept));
        let kept_until = kept.map(|kept| kept.until).filter(|until| env.now < *until);
        let drain = match winner {
            _ if view.leaves() || !self.exists => true,
            Some((winner, ready))
                if (ready || env.mutants.has(Mutant::HandOverEarly))
                    && view.competes()
                    && kept_until.is_none() =>
            {
                if self.work == Work::Engaged {
                    self.offer_to(winner.clone());
                }
                true
            }
            _ => false,
        };
        match self.work {
            Work::Engaged if drain => {
                out.push(Command::Drain);
                if env.mutants.has(Mutant::ReleaseBeforeDrain) {
                    self.release_at = Some(env.now);
                }
                let revoke_at = env.now + env.timings.drain();
                self.work = Work::Draining {
                    revoke_at,
                    revoked: false,
                };
                self.wake_at(revoke_at);
            }
            Work::None if drain => self.release_at = Some(env.now),
            Work::Engaged => {
                if let Some(until) = kept_until {
                    self.wake_at(until);
                }
            }
            _ => {}
        }
    }

    fn offer_to(&mut self, winner: PeerId) {
        let times = match &self.offer {
            Some(offer) if offer.winner == winner => offer.times + 1,
            _ => 1,
        };
        self.offer = Some(Offer { winner, times });
    }

    /// Starts the work of a tenure whose permission is in the future.
    pub(super) fn engage(&mut self, view: &dyn View, out: &mut Vec<Command>) {
        let Some(tenure) = self.claim.tenure() else {
            return;
        };
        if view.env().now < tenure.work_from {
            let at = tenure.work_from;
            self.wake_at(at);
            return;
        }
        if self.work == Work::None && self.release_at.is_none() && view.env().now < tenure.deadline
        {
            out.push(Command::Engage {
                deadline: tenure.deadline,
                token: tenure.token,
            });
            let deadline = tenure.deadline;
            self.work = Work::Engaged;
            self.wake_at(deadline);
        }
    }
}
