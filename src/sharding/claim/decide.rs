//! What a claim asks of the API server.

use std::time::Duration;

use super::{Claim, Env, Fate, Goal, Mutant, Observed, Step, predecessor_dead_at};
use crate::{
    clock::Moment,
    sharding::{
        record::{Content, Marks, Pod, Record, Request},
        timings::RANK_STEP,
    },
};

/// Whether another holder's Lease may be replaced.
enum Expiry {
    Pending(Step),
    /// It stood still, but may be newer than what was seen: read it.
    Unconfirmed,
    Confirmed,
}

// === impl Claim ===

impl Claim {
    pub(super) fn decide(&self, goal: &Goal, env: &Env<'_>) -> Step {
        if self.in_flight.is_some() || env.blocked {
            return Step::Idle;
        }
        if let Some(until) = self.backoff.until(env.now) {
            return Step::At(until);
        }
        if self.unsure {
            return Step::Send(Request::Get);
        }
        match (&self.tenure, goal) {
            (Some(tenure), Goal::Hold { marks, .. } | Goal::Keep { marks }) => {
                self.when(tenure.renew_at, env, || {
                    self.write(tenure.transitions, marks, env)
                })
            }
            (Some(_), Goal::Release { not_before, marks }) => {
                self.when(*not_before, env, || self.clear(marks, env))
            }
            (Some(_), Goal::Nothing | Goal::Delete { .. } | Goal::Clear { .. }) => {
                self.clear(&Marks::default(), env)
            }
            (
                None,
                Goal::Hold {
                    rank,
                    marks,
                    session,
                },
            ) => self.acquire(*rank, *session, marks, env),
            (None, Goal::Delete { after }) => self.delete(*after, env),
            (None, Goal::Clear { after }) => self.end(*after, env),
            (None, Goal::Nothing | Goal::Release { .. }) => {
                if self
                    .record()
                    .is_some_and(|record| self.is_leftover(record, env))
                {
                    self.clear(&Marks::default(), env)
                } else {
                    Step::Idle
                }
            }
            (None, Goal::Keep { .. }) => Step::Idle,
        }
    }

    /// P3, P4: how to become the holder.
    fn acquire(
        &self,
        rank: u32,
        session: Option<(Fate, Moment)>,
        marks: &Marks,
        env: &Env<'_>,
    ) -> Step {
        let turn = RANK_STEP * rank;
        match &self.observed {
            Observed::Unknown | Observed::Unseen { .. } => Step::Idle,
            Observed::Absent {
                since,
                sure_since,
                wait,
                ..
            } => {
                let free_at = if !wait.is_zero() {
                    (*since).max(env.grace).max(env.blind) + *wait
                } else if *sure_since < env.blind {
                    // Somebody may have made it, and somebody else deleted it, while nothing was seen.
                    (*since).max(env.blind + env.timings.lease())
                } else {
                    *since
                };
                let at = (free_at + turn).max(self.hold_off);
                self.when(at, env, || {
                    Step::Send(Request::Create(Box::new(content(0, marks, env))))
                })
            }
            Observed::Present { record, .. } if self.is_foreign(record) => Step::Idle,
            Observed::Present { record, seen } => {
                let next = record.transitions.saturating_add(1).max(0);
                if self.is_leftover(record, env) {
                    self.when(self.hold_off, env, || self.write(next, marks, env))
                } else if record.holder.is_none() {
                    let at = (*seen + turn).max(self.hold_off);
                    self.when(at, env, || self.write(next, marks, env))
                } else if record.session().is_some() {
                    let free_at = match session {
                        None | Some((Fate::Alive, _)) => return Step::Idle,
                        Some((Fate::Over, since)) => since,
                        Some((Fate::Gone, since)) => since.max(env.grace) + env.timings.lease(),
                    };
                    let at = (free_at.max(*seen) + turn).max(self.hold_off);
                    self.when(at, env, || self.write(next, marks, env))
                } else if let Some(dead_at) = predecessor_dead_at(record, env) {
                    self.when(dead_at.max(self.hold_off), env, || match rank {
                        0 => self.write(next, marks, env),
                        // The first candidate waits for it.
                        _ => self.clear(marks, env),
                    })
                } else {
                    match self.expiry(record, *seen, turn, env) {
                        Expiry::Confirmed => {
                            self.when(self.hold_off, env, || self.write(next, marks, env))
                        }
                        Expiry::Unconfirmed => Step::Send(Request::Get),
                        Expiry::Pending(step) => self.or_probe(step, marks, env),
                    }
                }
            }
        }
    }

    /// P11: how to have the Lease of a removed cluster deleted.
    fn delete(&self, after: Duration, env: &Env<'_>) -> Step {
        let (record, seen) = match &self.observed {
            Observed::Present { record, seen } => (record, seen),
            // Its last holder may still be at work; after that nothing is left to remember.
            Observed::Absent { since, wait, .. } if env.now < *since + *wait => {
                return Step::At(*since + *wait);
            }
            _ => return Step::Idle,
        };
        if self.is_foreign(record) {
            return Step::Idle;
        }
        let delete = || {
            let uid = match env.mutants.has(Mutant::DeleteWithoutPreconditions) {
                true => "".into(),
                false => record.uid.clone(),
            };
            Step::Send(Request::Delete {
                uid,
                version: record.version,
            })
        };
        if self.is_leftover(record, env) {
            delete()
        } else if record.holder.is_none() {
            self.when(*seen + after, env, delete)
        } else if record.session().is_some() {
            // It is not renewed, and stands still for as long as it is worked on.
            Step::Idle
        } else {
            match self.expiry(record, *seen, after, env) {
                Expiry::Confirmed => delete(),
                Expiry::Unconfirmed => Step::Send(Request::Get),
                Expiry::Pending(step) => step,
            }
        }
    }

    /// How to take the Lease from a holder that is dead, for nobody.
    fn end(&self, after: Duration, env: &Env<'_>) -> Step {
        match &self.observed {
            // Once more: what it shows must be newer than the fences of its session.
            Observed::Present { record, seen } if record.holder.is_none() => {
                self.when(*seen + after, env, || self.clear(&Marks::default(), env))
            }
            Observed::Present { record, seen } => match self.expiry(record, *seen, after, env) {
                Expiry::Confirmed => self.clear(&Marks::default(), env),
                Expiry::Unconfirmed => Step::Send(Request::Get),
                Expiry::Pending(step) => step,
            },
            _ => Step::Idle,
        }
    }

    /// P2, P3: whether a holder's version stood still for its whole duration, and a read has just shown it again.
    fn expiry(&self, record: &Record, seen: Moment, turn: Duration, env: &Env<'_>) -> Expiry {
        let lasts = record.lasts(env.timings.lease());
        let at = seen.max(env.grace) + lasts + turn;
        let stands = if env.mutants.has(Mutant::WallClock) {
            let age = env
                .wall
                .saturating_sub(record.renew_time.unwrap_or_default());
            u128::try_from(age).unwrap_or_default() > (lasts + turn).as_micros()
        } else {
            env.now > at
        };
        if env.mutants.has(Mutant::ReplaceJustRead) && self.confirmed.is_some() {
            return Expiry::Confirmed;
        }
        if !stands {
            return Expiry::Pending(Step::At(at + Duration::from_nanos(1)));
        }
        let gap = match env.mutants.has(Mutant::LongGap) {
            true => 2 * env.timings.renew() + Duration::from_secs(1),
            false => env.timings.contact_gap(),
        };
        let fresh = |contact| env.now.since(contact) <= gap;
        if !env.contact.is_some_and(fresh) && !env.mutants.has(Mutant::StaleContact) {
            // The next contact will ask again.
            return Expiry::Pending(Step::Idle);
        }
        if self.confirmed == Some(record.version) || env.mutants.has(Mutant::TakeOverUnread) {
            Expiry::Confirmed
        } else {
            Expiry::Unconfirmed
        }
    }

    /// While another process has this peer's name, a POST that fails shows that the API server is there (P9).
    fn or_probe(&self, step: Step, marks: &Marks, env: &Env<'_>) -> Step {
        if self.cluster.is_some() {
            return step;
        }
        if env.now >= self.probe_at {
            return Step::Send(Request::Create(Box::new(content(0, marks, env))));
        }
        match step {
            Step::At(at) => Step::At(at.min(self.probe_at)),
            _ => Step::At(self.probe_at),
        }
    }

    fn when(&self, at: Moment, env: &Env<'_>, then: impl FnOnce() -> Step) -> Step {
        if env.now < at { Step::At(at) } else { then() }
    }

    /// A PUT that makes or keeps this process the holder.
    fn write(&self, transitions: i32, marks: &Marks, env: &Env<'_>) -> Step {
        self.replace(content(transitions, marks, env), env)
    }

    /// A PUT that leaves the Lease without a holder.
    fn clear(&self, marks: &Marks, env: &Env<'_>) -> Step {
        let record = self.record();
        let transitions = record.map_or(0, |record| record.transitions);
        // What is said of the cluster stays: without its name the Lease of one that has no plain name would be a stranger's.
        let known = record.map(|record| &record.marks);
        let marks = Marks {
            cluster: marks.cluster.clone().or_else(|| known?.cluster.clone()),
            cost: marks.cost.or_else(|| known?.cost),
            ..marks.clone()
        };
        let content = Content {
            holder: "".into(),
            ..content(transitions, &marks, env)
        };
        self.replace(content, env)
    }

    fn replace(&self, mut content: Content, env: &Env<'_>) -> Step {
        let Some(record) = self.record() else {
            return Step::Idle;
        };
        // P5: a PUT that changes nothing succeeds with the same version, and nobody sees it.
        if record.renew_time == Some(content.renew_time) && !env.mutants.has(Mutant::CountNoop) {
            content.renew_time = content.renew_time.saturating_add(1);
        }
        content.marks.renew_time = Some(content.renew_time);
        let uid = match env.mutants.has(Mutant::PutWithoutUid) {
            true => "".into(),
            false => record.uid.clone(),
        };
        Step::Send(Request::Replace {
            uid,
            version: record.version,
            content: Box::new(content),
            foreign: record.foreign.clone(),
        })
    }
}

/// What this process writes as the holder.
fn content(transitions: i32, marks: &Marks, env: &Env<'_>) -> Content {
    let renew_time = match env.mutants.has(Mutant::CountNoop) {
        true => env.wall - env.wall % 30_000_000,
        false => env.wall,
    };
    Content {
        holder: env.identity.peer.clone(),
        transitions,
        duration: env.timings.lease(),
        renew_time,
        marks: Marks {
            incarnation: Some(env.identity.incarnation.clone()),
            pod: place(env),
            renew_time: Some(renew_time),
            ..marks.clone()
        },
    }
}

/// P12: only who has proved to be alone says where it runs.
fn place(env: &Env<'_>) -> Option<Pod> {
    let place = env.identity.place.as_ref()?;
    let says = place.alone_since.is_some() || env.mutants.has(Mutant::PodWithoutProof);
    says.then(|| place.pod.clone())
}
