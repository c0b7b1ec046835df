//! What a claim learns: versions seen, answers, absences.

use std::{sync::Arc, time::Duration};

use super::{Answer, Change, Claim, Env, InFlight, Mutant, Observed, Record, Tenure, is_ours};
use crate::clock::Moment;

// === impl Claim ===

impl Claim {
    /// P1: a version was seen, by a watch or in an answer. The same or an older version is no news.
    pub(crate) fn observe(&mut self, record: &Arc<Record>, env: &Env<'_>) -> Option<Change> {
        self.observe_at(record, env.now, env)
    }

    /// A version that was seen at an earlier time.
    pub(crate) fn observe_at(
        &mut self,
        record: &Arc<Record>,
        seen: Moment,
        env: &Env<'_>,
    ) -> Option<Change> {
        if record.version <= self.known_version() {
            return None;
        }
        if let Some(text) = self.foreign(record) {
            self.report(text);
        }
        self.observed = Observed::Present {
            record: Arc::clone(record),
            seen,
        };
        let tenure = self.tenure.as_mut()?;
        if is_mine(tenure, record, env) {
            if self.unsure && self.in_flight.is_none() {
                // The write whose outcome was unknown did happen: no need to read that again.
                self.unsure = false;
                tenure.renew_at = Moment::default();
            }
            return None;
        }
        self.lose(env)
    }

    /// The Lease was deleted; `last` is its final version (P4).
    pub(crate) fn deleted(&mut self, last: &Record, env: &Env<'_>) -> Option<Change> {
        if last.version <= self.known_version() {
            return None;
        }
        let mine = self
            .tenure
            .as_ref()
            .is_some_and(|tenure| is_mine(tenure, last, env));
        let wait = if mine || last.holder.is_none() || env.mutants.has(Mutant::PostWithoutWait) {
            Duration::ZERO
        } else {
            last.lasts(env.timings.lease())
        };
        self.absent(last.version, wait, env)
    }

    /// A complete list that was begun at `asked` does not show the Lease.
    pub(crate) fn unlisted(&mut self, asked: Moment, env: &Env<'_>) {
        match &self.observed {
            Observed::Unknown => {
                self.observed = Observed::Absent {
                    version: 0,
                    since: env.now,
                    // It may have been there, in a time without sight.
                    sure_since: Moment::default(),
                    wait: Duration::ZERO,
                };
            }
            Observed::Unseen { .. } => self.unsure = true,
            // A read tells whether it is gone or the list was older than what is known.
            Observed::Present { seen, .. } if *seen <= asked => self.unsure = true,
            _ => {}
        }
    }

    /// The outcome of the request in flight, which was sent at `sent`.
    pub(crate) fn answer(&mut self, sent: Moment, answer: Answer, env: &Env<'_>) -> Option<Change> {
        let request = self.in_flight.take()?;
        if matches!(request, InFlight::Probe) {
            // Often: one answer that comes late must not be a contact gap, which would begin the wait anew.
            self.probe_at = sent + env.timings.own_renew() / 2;
        }
        if matches!(answer, Answer::Unknown(_)) {
            self.unanswered = true;
        } else if request != InFlight::Get && answer != Answer::NotSent {
            self.unanswered = false;
        }
        match answer {
            Answer::Unknown(text) => {
                self.unsure = true;
                self.backoff.fail(env.now, self.longest_pause(env));
                self.report(text);
                if env.mutants.has(Mutant::UnknownIsSuccess)
                    && let Some(tenure) = &mut self.tenure
                {
                    tenure.deadline = sent + env.timings.work_time();
                    return Some(Change::Renewed);
                }
                None
            }
            Answer::Throttled(after) => {
                let wait = after
                    .unwrap_or(Duration::from_secs(1))
                    .min(env.timings.lease());
                self.backoff.wait(env.now, wait);
                self.report("the API server asks to slow down (429)".into());
                None
            }
            Answer::Refused(text) => {
                self.backoff.wait(env.now, env.timings.renew());
                self.report(text);
                None
            }
            Answer::Conflict => {
                self.conflict(env);
                None
            }
            Answer::AlreadyExists => {
                if request == InFlight::Probe {
                    self.backoff.reset();
                    self.report(
                        "another process has this peer's id: waiting until its Lease expires"
                            .into(),
                    );
                    None
                } else {
                    // It is there, and somebody whom nobody here has seen may hold it: if it is gone when it is read,
                    // that one may still be at work.
                    if let Observed::Absent { version, .. } = self.observed {
                        self.observed = Observed::Unseen { version };
                    }
                    self.conflict(env);
                    None
                }
            }
            Answer::NotFound => self.not_found(request, sent, env),
            Answer::NotSent => None,
            Answer::Deleted => {
                self.succeeded();
                self.absent(self.known_version(), Duration::ZERO, env)
            }
            Answer::Record(record) => self.written(request, sent, &record, env),
        }
    }

    /// Another version is there than the one that the request named.
    fn conflict(&mut self, env: &Env<'_>) {
        self.unsure = true;
        self.backoff.skip();
        self.conflicts += 1;
        if self.conflicts > 1 {
            self.backoff.fail(env.now, self.longest_pause(env));
        }
    }

    fn not_found(&mut self, request: InFlight, sent: Moment, env: &Env<'_>) -> Option<Change> {
        if request != InFlight::Get {
            self.conflict(env);
            return None;
        }
        self.settle();
        if let Observed::Present { seen, .. } = self.observed
            && seen > sent
        {
            // A newer version came in meanwhile: the answer is about an older one.
            self.unsure = true;
            return None;
        }
        // P4: what the final version said is not known.
        let permitted = self
            .tenure
            .as_ref()
            .is_some_and(|tenure| env.now < tenure.deadline);
        let wait = match (&self.observed, permitted) {
            _ if env.mutants.has(Mutant::PostWithoutWait) => Duration::ZERO,
            (Observed::Present { record, .. }, _)
                if env.mutants.has(Mutant::TrustLastSeen)
                    && (record.holder.is_none() || self.tenure.is_some()) =>
            {
                Duration::ZERO
            }
            (_, true) => Duration::ZERO,
            (Observed::Present { record, .. }, false) => record.lasts(env.timings.lease()),
            (Observed::Absent { .. }, false) => return None,
            (Observed::Unknown | Observed::Unseen { .. }, false) => env.timings.lease(),
        };
        self.absent(self.known_version(), wait, env)
    }

    /// The answer shows a version: read, or written by this process.
    fn written(
        &mut self,
        request: InFlight,
        sent: Moment,
        record: &Arc<Record>,
        env: &Env<'_>,
    ) -> Option<Change> {
        match request {
            InFlight::Get => {
                let seen = match env.mutants.has(Mutant::SeenBeforeReceipt) {
                    true => sent,
                    false => env.now,
                };
                let lost = self.observe_at(record, seen, env);
                self.settle();
                self.confirmed = Some(record.version);
                if let Some(tenure) = &mut self.tenure {
                    tenure.renew_at = Moment::default();
                    if env.mutants.has(Mutant::AdoptionExtends) {
                        tenure.deadline = sent + work_time(env);
                        return Some(Change::Renewed);
                    }
                }
                lost
            }
            InFlight::Renew { replaces } | InFlight::Acquire { replaces, .. }
                if record.version <= replaces && !env.mutants.has(Mutant::CountNoop) =>
            {
                // Nothing was written, so nobody saw a renewal.
                self.unsure = true;
                self.backoff.fail(env.now, env.timings.renew());
                self.report("a renewal was answered with the version that it replaces".into());
                None
            }
            InFlight::Renew { .. } => {
                let interval = self.interval(env);
                let lost = self.observe(record, env);
                self.succeeded();
                let Some(tenure) = self.tenure.as_mut() else {
                    return lost;
                };
                // P5: counted from before the send.
                let from = match env.mutants.has(Mutant::DeadlineFromReply) {
                    true => env.now,
                    false => sent,
                };
                tenure.deadline = from + work_time(env);
                tenure.renew_at = match std::mem::take(&mut self.again) {
                    true => env.now,
                    false => sent + interval,
                };
                lost.or(Some(Change::Renewed))
            }
            InFlight::Acquire { .. } | InFlight::Probe => {
                // A POST names no version: before it took effect, others may have come, worked, and lost the Lease by
                // somebody's hand. What they hold lasts for a Lease duration at most.
                let work_from = match request {
                    InFlight::Acquire {
                        late_post: true, ..
                    } => env.now + env.timings.lease(),
                    _ => env.now,
                };
                let inherited = matches!(request, InFlight::Acquire { inherits: true, .. });
                self.observe(record, env);
                self.succeeded();
                let tenure = Tenure {
                    deadline: sent + work_time(env),
                    token: record.version,
                    work_from,
                    inherited,
                    uid: record.uid.clone(),
                    transitions: record.transitions,
                    renew_at: match std::mem::take(&mut self.again) {
                        true => env.now,
                        false => sent + self.interval(env),
                    },
                };
                // A watch can be faster than the answer, and show that it is lost already.
                if !self
                    .record()
                    .is_some_and(|newest| is_mine(&tenure, newest, env))
                {
                    return None;
                }
                self.tenure = Some(tenure);
                Some(Change::Acquired)
            }
            InFlight::Clear | InFlight::Delete => {
                let held = self.tenure.take().is_some();
                self.observe(record, env);
                self.succeeded();
                held.then_some(Change::Released)
            }
        }
    }

    fn interval(&self, env: &Env<'_>) -> Duration {
        match self.cluster {
            Some(_) => env.timings.renew(),
            None => env.timings.own_renew(),
        }
    }

    fn longest_pause(&self, env: &Env<'_>) -> Duration {
        match self.cluster {
            Some(_) => env.timings.renew(),
            None => env.timings.own_retry(),
        }
    }

    /// Ends what is unclear: an answer has come that tells how things stand.
    fn settle(&mut self) {
        self.unsure = false;
        self.backoff.skip();
    }

    /// A write has succeeded.
    fn succeeded(&mut self) {
        self.settle();
        self.backoff.reset();
        self.conflicts = 0;
        self.problem = None;
    }

    fn absent(&mut self, version: u64, wait: Duration, env: &Env<'_>) -> Option<Change> {
        self.observed = Observed::Absent {
            version,
            since: env.now,
            sure_since: env.now,
            wait,
        };
        self.unsure = false;
        self.tenure.as_ref()?;
        self.lose(env)
    }

    /// The tenure is over. A fence may be taken again when the work has ended and the stop margin has passed.
    fn lose(&mut self, env: &Env<'_>) -> Option<Change> {
        self.tenure.take()?;
        // What was asked for is over: nothing else waits for its answer.
        self.unanswered = false;
        if self.cluster.is_some() {
            self.hold_off(env.now + env.timings.margin());
        }
        Some(Change::Lost)
    }

    fn known_version(&self) -> u64 {
        match &self.observed {
            Observed::Unknown => 0,
            Observed::Present { record, .. } => record.version,
            Observed::Absent { version, .. } | Observed::Unseen { version } => *version,
        }
    }

    fn report(&mut self, text: String) {
        self.problem = Some(text);
    }
}

/// H: how long a confirmed write allows work.
fn work_time(env: &Env<'_>) -> Duration {
    match env.mutants.has(Mutant::WorkForWholeLease) {
        true => env.timings.lease(),
        false => env.timings.work_time(),
    }
}

/// Whether `record` is a version of this very tenure (P5): a namesake's, a Go replica's or a later own one is not.
fn is_mine(tenure: &Tenure, record: &Record, env: &Env<'_>) -> bool {
    if env.mutants.has(Mutant::MineByName) {
        return record.holder.as_deref() == Some(&env.identity.peer)
            && record.marks.incarnation.as_deref() == Some(&env.identity.incarnation);
    }
    record.uid == tenure.uid
        && record.holder.as_deref() == Some(&env.identity.peer)
        && is_ours(record, env)
        && record.transitions == tenure.transitions
}
