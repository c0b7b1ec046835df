//! What a membership learns: versions of peer Leases, and answers for the own one.

use std::time::Duration;

use super::{Command, Event, Leaving, Membership, Mutant};
use crate::{
    clock::Moment,
    sharding::{
        claim::Change,
        record::{Answer, Record},
        timings::Timings,
    },
};

// === impl Membership ===

impl Membership {
    pub(super) fn learn(
        &mut self,
        event: Event<'_>,
        now: Moment,
        wall: i64,
        timings: &Timings,
    ) -> Option<Change> {
        match event {
            Event::Tick => None,
            Event::Seen(lease, record) if *lease == self.own_lease => {
                self.heartbeat.delivered(record.version);
                self.with_claim(now, wall, timings, |claim, env| claim.observe(record, env))
            }
            Event::Seen(lease, record) => {
                self.peers.seen(lease, record, now);
                self.compare(record);
                None
            }
            Event::Deleted(lease, last) if *lease == *self.own_lease => {
                self.heartbeat.delivered(last.version);
                self.with_claim(now, wall, timings, |claim, env| claim.deleted(last, env))
            }
            Event::Deleted(lease, last) => {
                self.peers.deleted(lease, last);
                None
            }
            Event::Listed(asked, shown) => {
                match self.synced {
                    None => self.synced = Some(now),
                    // What came and went since the last stream ended is not known.
                    Some(_) => self.blind = now,
                }
                self.heartbeat.listed();
                self.peers.retain(shown);
                if !shown.contains(&&*self.own_lease) {
                    self.with_claim(now, wall, timings, |claim, env| claim.unlisted(asked, env));
                }
                None
            }
            Event::Answer(sent, answer) => self.answered(sent, answer, now, wall, timings),
            Event::Weight(weight) => {
                self.own.weight = weight;
                self.claim.renew_now();
                None
            }
            Event::Leave => {
                self.leaving.get_or_insert(Leaving {
                    since: now,
                    announced: false,
                    emptied: false,
                    left: false,
                });
                // The mark goes out with a renewal.
                self.claim.renew_now();
                None
            }
            Event::Emptied => {
                if let Some(leaving) = &mut self.leaving {
                    leaving.emptied = true;
                }
                None
            }
        }
    }

    /// Two placements in one fleet hand clusters to and fro, or leave them to nobody for a while.
    fn compare(&mut self, record: &Record) {
        let Some(formula) = record.marks.placement.as_ref() else {
            return;
        };
        // The other one of two versions knows the older formula, or both are old enough to know neither.
        let family = |formula: &str| {
            formula
                .rsplit_once('/')
                .map_or("", |(family, _)| family)
                .to_owned()
        };
        let own = self.formulas.first().map_or("", |newest| &**newest);
        if family(formula) != family(own) && record.incarnation().is_some() {
            let peer: String = record
                .holder
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(64)
                .collect();
            let formula: String = formula.chars().take(32).collect();
            self.problem = Some(format!(
                "the peer {peer} places clusters by {formula:?} and this one by {:?}: if they are not versions of one \
                 program, give each its own fleet name",
                own
            ));
        }
    }

    fn answered(
        &mut self,
        sent: Moment,
        answer: Answer,
        now: Moment,
        wall: i64,
        timings: &Timings,
    ) -> Option<Change> {
        let wrote = self.claim.has_sent_write();
        let contact = matches!(
            answer,
            Answer::Record(_) | Answer::Conflict | Answer::AlreadyExists
        );
        let lenient = self.mutants.has(Mutant::AnyReplyIsContact)
            && !matches!(answer, Answer::Unknown(ref text) if text.contains("no answer"));
        if (wrote && contact) || lenient {
            // P9: nothing else proves that renewals could be written.
            let longest = match self.mutants.has(Mutant::LongGap) {
                true => 2 * timings.renew() + Duration::from_secs(1),
                false => timings.contact_gap(),
            };
            let gap = match self.contact {
                None => !self.mutants.has(Mutant::FirstContactWithoutGrace),
                Some(last) => now.since(last) > longest,
            };
            if gap && !self.mutants.has(Mutant::NoGrace) {
                self.grace = now;
            }
            if gap && self.contact.is_some() {
                self.blind = now;
            }
            self.contact = Some(now);
            if let Answer::Record(record) = &answer {
                self.heartbeat.renewed(record.version, now);
            }
        }
        self.with_claim(now, wall, timings, |claim, env| {
            claim.answer(sent, answer, env)
        })
    }

    pub(super) fn note(
        &mut self,
        change: Option<Change>,
        now: Moment,
        wall: i64,
        timings: &Timings,
        out: &mut Vec<Command>,
    ) {
        match change {
            Some(Change::Acquired | Change::Renewed) => {
                self.alive_at = Some(now);
                self.joined.get_or_insert(now);
                let draining = self
                    .claim
                    .record()
                    .is_some_and(|record| record.marks.draining);
                if let Some(leaving) = &mut self.leaving {
                    leaving.announced |= draining;
                    if !leaving.announced {
                        self.claim.renew_now();
                    }
                }
            }
            Some(Change::Lost) => {
                let present = self
                    .claim
                    .record()
                    .is_some_and(|record| record.holder.is_some());
                self.alive_at = None;
                if present {
                    // Somebody else wrote it under this id: there can be only one.
                    out.push(Command::Replaced);
                    self.learn(Event::Leave, now, wall, timings);
                }
            }
            Some(Change::Released) => self.alive_at = None,
            None => {}
        }
    }
}
