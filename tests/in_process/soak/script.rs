//! What goes wrong in a soak, by seed.

use std::{collections::BTreeMap, time::Duration};

use kube_sandbox::{End, Fault, Outage, Rule, RuleId, StoreDown, Verb};
use tokio::time::Instant;

use super::{CLUSTERS, PEERS, SECOND, work::Work};
use crate::fleet::{Fleet, Replica};

/// Replicas that come and go while rules do.
pub(super) struct Script {
    fleet: Fleet,
    work: Work,
    random: fastrand::Rng,
    replicas: BTreeMap<&'static str, Replica>,
    /// When each rule ends.
    rules: Vec<(Instant, RuleId)>,
    /// When each replica that is away comes back.
    away: Vec<(Instant, &'static str)>,
    /// How many requests had a fault.
    faults: u64,
}

// === impl Script ===

impl Script {
    pub(super) fn new(fleet: &Fleet, work: &Work, seed: u64) -> Self {
        let mut script = Self {
            fleet: fleet.clone(),
            work: work.clone(),
            random: fastrand::Rng::with_seed(seed),
            replicas: BTreeMap::new(),
            rules: Vec::new(),
            away: Vec::new(),
            faults: 0,
        };
        for peer in PEERS {
            script.start(peer);
        }
        script
    }

    fn start(&mut self, peer: &'static str) {
        let work = self.work.clone();
        let reconcile = move |context| work.clone().reconcile(peer, context);
        let replica = self.fleet.start_with(peer, |sharding| sharding, reconcile);
        self.replicas.insert(peer, replica);
    }

    /// Lets things go wrong for `duration`.
    pub(super) async fn play(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            match self.random.u8(..20) {
                0 => self.crash(),
                1 => self.leave().await,
                _ => self.add_fault(),
            }
            let cluster = CLUSTERS[self.random.usize(..CLUSTERS.len())];
            self.fleet.touch(cluster).await;
            tokio::time::sleep(self.between(SECOND / 2, 4 * SECOND)).await;
            self.undo(Instant::now());
        }
    }

    /// Ends all faults; everybody is there.
    pub(super) fn heal(mut self) -> Vec<Replica> {
        self.undo(Instant::now() + 3600 * SECOND);
        self.fleet.faults.clear();
        assert!(
            self.faults > 100,
            "only {} requests had faults",
            self.faults
        );
        self.replicas.into_values().collect()
    }

    fn undo(&mut self, now: Instant) {
        let over = self.rules.extract_if(.., |(at, _)| *at <= now);
        for (_, rule) in over {
            self.faults += self.fleet.faults.remove(rule);
        }
        let back: Vec<_> = self.away.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, peer) in back {
            self.start(peer);
        }
    }

    fn crash(&mut self) {
        if let Some(peer) = self.goes() {
            drop(self.replicas.remove(peer));
        }
    }

    async fn leave(&mut self) {
        if let Some(peer) = self.goes()
            && let Some(replica) = self.replicas.remove(peer)
        {
            // It may be cut off: then it gives up after its drain timeout and a Lease.
            let left = tokio::time::timeout(60 * SECOND, replica.leave()).await;
            left.unwrap().unwrap();
        }
    }

    /// A replica that goes away for a while, unless it is the last one.
    fn goes(&mut self) -> Option<&'static str> {
        let peer = PEERS[self.random.usize(..PEERS.len())];
        if self.replicas.len() == 1 || !self.replicas.contains_key(peer) {
            return None;
        }
        let back = Instant::now() + self.between(SECOND / 10, 20 * SECOND);
        self.away.push((back, peer));
        Some(peer)
    }

    fn add_fault(&mut self) {
        let mut rule = match self.random.bool() {
            true => self.about_leases(),
            false => self.about_everything(),
        };
        if self.random.u8(..3) > 0 {
            rule = rule.user(PEERS[self.random.usize(..PEERS.len())]);
        }
        let end = Instant::now() + self.between(SECOND / 5, 12 * SECOND);
        let rule = self.fleet.faults.add(rule);
        self.rules.push((end, rule));
    }

    /// Requests about Leases may be late by any time, and get lost.
    fn about_leases(&mut self) -> Rule {
        let late = Duration::ZERO..=8 * SECOND;
        let some = [0.1, 0.5, 1.0][self.random.usize(..3)];
        let rule = match self.random.u8(..11) {
            0 => Rule::new(Fault::delay_request(late)).writes(),
            1 => Rule::new(Fault::Hold).writes(),
            2 => Rule::new(Fault::Hang),
            3 => Rule::new(Fault::LoseReply),
            4 => Rule::new(Fault::DisconnectAfter),
            5 => Rule::new(Fault::Conflict),
            6 => Rule::new(Fault::Throttle { retry_after: 2 }),
            7 => Rule::new(Fault::Outage(Outage::Freeze)),
            8 => Rule::new(Fault::Outage(Outage::Drop)),
            9 => Rule::new(Fault::StallWatch),
            _ => Rule::new(Fault::StoreDown(StoreDown::Hang)),
        };
        rule.kind("Lease").chance(some)
    }

    /// Writes to member clusters take effect within the stop margin, or never: nothing here holds them for longer.
    fn about_everything(&mut self) -> Rule {
        let short = Duration::ZERO..=SECOND / 3;
        let some = [0.1, 0.5, 1.0][self.random.usize(..3)];
        let after = Duration::ZERO..=3 * SECOND;
        match self.random.u8(..9) {
            0 => Rule::new(Fault::Delay {
                before: short.clone(),
                after: short,
            }),
            1 => Rule::new(Fault::Disconnect).chance(some),
            2 => Rule::new(Fault::DisconnectAfter).chance(some),
            3 => Rule::new(Fault::Status(500)).chance(some),
            4 => Rule::new(Fault::ThrottleText { retry_after: 1 }).chance(some),
            5 => Rule::new(Fault::CutWatch {
                after,
                end: [End::Clean, End::Broken][self.random.usize(..2)],
            }),
            6 => Rule::new(Fault::FreezeWatch).verbs([Verb::Watch]),
            7 => Rule::new(Fault::Outage(Outage::Refuse)),
            _ => Rule::new(Fault::StoreDown(StoreDown::Fail)),
        }
    }

    fn between(&mut self, from: Duration, to: Duration) -> Duration {
        from + (to - from).mul_f64(self.random.f64())
    }
}
