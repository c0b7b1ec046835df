//! What single requests about Leases cost that hang, get lost, or are refused: time at most.

use std::time::Duration;

use kube::api::Patch;
use kube_sandbox::{ApiCall, Fault, Rule, Verb};
use multicluster::{Action, FencingToken};
use tokio::time::Instant;

use crate::fleet::{Fleet, LEASE, Note, Replica, What};

const SECOND: Duration = Duration::from_secs(1);

/// T: how long the answer to a request is waited for.
const TIMEOUT: Duration = SECOND;

/// H: how long a renewal allows work, counted from before it was sent; rounded down.
const WORK: Duration = Duration::from_millis(3_900);

/// The time between two reconciles of [`working`].
const BEAT: Duration = Duration::from_millis(100);

/// A replica "a" that owns `zoo` and reconciles all the time.
async fn working() -> (Fleet, Replica) {
    let fleet = Fleet::new(&["zoo"]).await;
    let replica = start(&fleet);
    fleet
        .until(3 * SECOND, "start", async || !beats(&fleet).is_empty())
        .await;
    (fleet, replica)
}

fn start(fleet: &Fleet) -> Replica {
    let work = |_| async { Ok(Action::requeue(BEAT)) };
    fleet.start_with("a", |sharding| sharding, work)
}

/// The reconciles of `zoo`.
fn beats(fleet: &Fleet) -> Vec<Note> {
    let notes = fleet.notes().into_iter();
    let first = What::Reconciled("first".into());
    notes
        .filter(|note| note.cluster == "zoo" && note.what == first)
        .collect()
}

fn last_beat(fleet: &Fleet) -> Instant {
    beats(fleet).last().unwrap().at
}

/// The longest time without a reconcile.
fn longest_gap(fleet: &Fleet) -> Duration {
    let beats = beats(fleet);
    let gaps = beats.windows(2).map(|pair| pair[1].at - pair[0].at);
    gaps.max().unwrap_or_default()
}

/// The one token under which `zoo` was worked on.
fn token(fleet: &Fleet) -> FencingToken {
    let mut tokens: Vec<_> = beats(fleet).iter().map(|note| note.token).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    tokens[0].unwrap()
}

/// One engagement, one token, and no more than a hiccup in the work.
fn assert_untouched(fleet: &Fleet) {
    assert_eq!(fleet.noted("zoo", &What::Engaged), ["a"]);
    assert_eq!(fleet.noted("zoo", &What::Ended), Vec::<String>::new());
    token(fleet);
    let gap = longest_gap(fleet);
    assert!(gap <= 2 * BEAT, "no work for {gap:?}");
}

/// The requests of "a" about one Lease.
fn calls(fleet: &Fleet, lease: &str) -> Vec<ApiCall> {
    let calls = fleet.faults.calls().into_iter();
    calls
        .filter(|call| call.user == "a" && call.kind == "Lease" && call.name == lease)
        .collect()
}

fn single_leases(fault: Fault) -> Rule {
    let verbs = [Verb::Get, Verb::Create, Verb::Update, Verb::Delete];
    Rule::new(fault).kind("Lease").verbs(verbs)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_given_up_after_a_fifth_of_a_lease() {
    let (fleet, replica) = working().await;
    fleet.faults.forget_calls();
    let rule = fleet.faults.add(single_leases(Fault::Hang));
    tokio::time::sleep(30 * SECOND).await;
    let calls = calls(&fleet, "mcr-peer-a");
    // Given up after T, and asked again after 0.1 s to R.
    assert!(calls.len() >= 30 / 3, "only {} attempts", calls.len());
    for pair in calls.windows(2) {
        let gap = pair[1].at - pair[0].at;
        let least = TIMEOUT + Duration::from_millis(100);
        let most = TIMEOUT + LEASE / 3 + Duration::from_millis(10);
        assert!(gap >= least && gap <= most, "{gap:?}");
    }
    fleet.faults.remove(rule);
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn the_work_pauses_at_the_deadline_and_the_same_engagement_resumes() {
    // However long the answers take: the time counts from before a renewal is sent.
    for slow in [Duration::ZERO, TIMEOUT * 4 / 5] {
        let (fleet, replica) = working().await;
        let late = Rule::new(Fault::delay_reply(slow..=slow)).verbs([Verb::Update]);
        let late = fleet.faults.add(late.kind("Lease"));
        tokio::time::sleep(2 * LEASE).await;
        let renewed = calls(&fleet, "mcr-shard-zoo").last().unwrap().at;
        let rule = fleet.faults.add(single_leases(Fault::Hang));
        tokio::time::sleep(2 * LEASE).await;
        let worked = last_beat(&fleet) - renewed;
        assert!(worked >= WORK - BEAT && worked <= WORK + BEAT, "{worked:?}");

        fleet.faults.remove(rule);
        fleet.faults.remove(late);
        let healed = Instant::now();
        // At most T until the hung request is given up, R of back-off, and the stop margin after the renewal.
        let limit = TIMEOUT + LEASE / 3 + SECOND + 2 * BEAT;
        fleet
            .until(limit, "work goes on", async || last_beat(&fleet) > healed)
            .await;
        assert_eq!(fleet.noted("zoo", &What::Engaged), ["a"]);
        assert_eq!(fleet.noted("zoo", &What::Ended), Vec::<String>::new());
        token(&fleet);
        replica.leave().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_reply_gets_lost_costs_nothing() {
    let (fleet, replica) = working().await;
    for round in 0..20 {
        let lease = ["mcr-shard-zoo", "mcr-peer-a"][round % 2];
        let lost = Rule::new(Fault::LoseReply).verbs([Verb::Update]);
        let rule = fleet.faults.add(lost.name_prefix(lease).times(1));
        tokio::time::sleep(LEASE).await;
        assert_eq!(fleet.faults.remove(rule), 1);
    }
    assert_untouched(&fleet);
    replica.leave().await.unwrap();
}

/// Loses the reply to the acquisition of `zoo`, and says how long it then takes until the work begins.
async fn lose_acquisition(fleet: &Fleet, verb: Verb, fault: Fault) -> Duration {
    fleet.faults.forget_calls();
    fleet.forget_notes();
    let lost = Rule::new(fault).verbs([verb]);
    let lost = lost.name_prefix("mcr-shard-zoo").times(1);
    let lost = fleet.faults.add(lost);
    let replica = start(fleet);
    fleet
        .until(3 * SECOND, "acquired", async || {
            fleet.faults.hits(lost) == 1
        })
        .await;
    let lease = fleet.leases().get("mcr-shard-zoo").await.unwrap();
    let acquired: u64 = lease.metadata.resource_version.unwrap().parse().unwrap();
    let start = Instant::now();
    let took = fleet
        .until(3 * LEASE, "work", async || !beats(fleet).is_empty())
        .await;
    let calls = calls(fleet, "mcr-shard-zoo");
    let sent = calls.iter().filter(|call| call.verb == Verb::Update);
    let confirmed = sent.map(|call| call.at).find(|at| *at > start).unwrap();
    let engaged = fleet.notes().into_iter();
    let engaged = engaged
        .filter(|note| note.cluster == "zoo" && note.what == What::Engaged)
        .map(|note| note.at)
        .next();
    assert!(engaged.unwrap() >= confirmed, "{calls:?}");
    assert!(token(fleet).0 > acquired, "the token was not confirmed");
    replica.leave().await.unwrap();
    took
}

#[tokio::test(start_paused = true)]
async fn work_begins_after_a_confirmed_renewal_when_the_reply_to_the_acquisition_was_lost() {
    for (fault, silence) in [
        (Fault::LoseReply, TIMEOUT),
        (Fault::DisconnectAfter, Duration::ZERO),
    ] {
        let fleet = Fleet::new(&["zoo"]).await;
        // A POST names no version: others may have come and gone before it was seen.
        let took = lose_acquisition(&fleet, Verb::Create, fault.clone()).await;
        assert!(
            took >= LEASE && took <= silence + LEASE + SECOND,
            "{took:?}"
        );
        // A PUT does.
        let took = lose_acquisition(&fleet, Verb::Update, fault).await;
        assert!(took <= silence + SECOND / 2, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn annotations_that_make_every_other_renewal_conflict_cost_nothing() {
    let fleet = Fleet::new(&["zoo"]).await;
    // The watch is slower than the next renewal, or it would show the new version in time.
    let slow = Fault::delay_reply(SECOND / 2..=SECOND / 2);
    fleet
        .faults
        .add(Rule::new(slow).verbs([Verb::Watch]).kind("Lease"));
    let replica = start(&fleet);
    fleet
        .until(3 * SECOND, "start", async || !beats(&fleet).is_empty())
        .await;
    let leases = fleet.leases();
    fleet.faults.forget_calls();
    for note in 0..100 {
        let patch = serde_json::json!({"metadata": {"annotations": {"note": note.to_string()}}});
        for lease in ["mcr-shard-zoo", "mcr-peer-a"] {
            leases
                .patch(lease, &Default::default(), &Patch::Merge(&patch))
                .await
                .unwrap();
        }
        tokio::time::sleep(Duration::from_millis(370)).await;
    }
    let calls = calls(&fleet, "mcr-shard-zoo");
    let reads = calls.iter().filter(|call| call.verb == Verb::Get).count();
    assert!(reads >= 10, "{reads} conflicts: the test tests nothing");
    assert_untouched(&fleet);
    replica.leave().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn conflicts_without_a_cause_cost_nothing() {
    let (fleet, replica) = working().await;
    for lease in ["mcr-shard-zoo", "mcr-peer-a"] {
        let conflict = Rule::new(Fault::Conflict).verbs([Verb::Update]);
        let rule = fleet.faults.add(conflict.name_prefix(lease).times(3));
        tokio::time::sleep(2 * LEASE).await;
        assert_eq!(fleet.faults.remove(rule), 3);
    }
    assert_untouched(&fleet);
    replica.leave().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_come_again_in_a_second_is_left_alone_for_that_time() {
    for fault in [
        Fault::Throttle { retry_after: 1 },
        Fault::ThrottleText { retry_after: 1 },
    ] {
        let (fleet, replica) = working().await;
        for lease in ["mcr-shard-zoo", "mcr-peer-a"] {
            fleet.faults.forget_calls();
            let throttle = Rule::new(fault.clone()).name_prefix(lease).times(1);
            let rule = fleet.faults.add(throttle);
            fleet
                .until(LEASE, "throttled", async || fleet.faults.hits(rule) == 1)
                .await;
            tokio::time::sleep(LEASE).await;
            fleet.faults.remove(rule);
            let calls = calls(&fleet, lease);
            let gap = calls[1].at - calls[0].at;
            assert!(gap >= SECOND && gap <= SECOND + BEAT, "{gap:?}");
        }
        assert_untouched(&fleet);
        replica.leave().await.unwrap();
    }
}
