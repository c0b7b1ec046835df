//! Every rule is there for a reason: without it, a scenario fails.
//!
//! Each test breaks one rule in all processes and names the scenario that notices.

use std::{collections::BTreeMap, time::Duration};

use multicluster::testing::simulation::{
    Health, Mutant, Operation, Operation::*, Outcome, Scenario, mixed,
};

use crate::must_hold;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(30);

/// How many seeds a scenario may take to notice.
const SEEDS: u64 = 400;

/// Whether one of the seeds violates an invariant, with the number of the first.
fn noticed(scenario: impl Fn(u64) -> Scenario) -> Option<u64> {
    (0..SEEDS).find(|seed| scenario(*seed).run(*seed).is_err())
}

/// The first seed whose run is not as it should be.
fn differs(scenario: &Scenario, wrong: impl Fn(&Outcome) -> bool) -> Option<u64> {
    (0..SEEDS).find(|seed| scenario.run(*seed).is_ok_and(|outcome| wrong(&outcome)))
}

fn by_mixed(mutant: Mutant) -> Option<u64> {
    noticed(|seed| mixed(LEASE, seed).without(mutant))
}

fn fleet(script: impl IntoIterator<Item = Operation>) -> Scenario {
    Scenario::new(3, 12)
        .lease(LEASE)
        .script([ExpectOwned(4 * SECOND)])
        .script(script)
}

macro_rules! caught {
    ($($name:ident: $seed:expr;)*) => {
        $(#[test]
        fn $name() {
            let seed: Option<u64> = $seed;
            println!("{}: {seed:?}", stringify!($name));
            assert!(seed.is_some(), "the broken rule is not noticed");
        })*
    };
}

caught! {
    mutant_wall_clock: by_mixed(Mutant::WallClock);
    mutant_replace_just_read: by_mixed(Mutant::ReplaceJustRead);
    mutant_post_without_wait: noticed(|_| deleted_while_cut_off().without(Mutant::PostWithoutWait));
    mutant_trust_last_seen: noticed(|_| deleted_after_others_took_over().without(Mutant::TrustLastSeen));
    mutant_put_without_uid: noticed(|_| deleted_while_cut_off().without(Mutant::PutWithoutUid));
    mutant_count_noop: by_mixed(Mutant::CountNoop);
    mutant_deadline_from_reply: by_mixed(Mutant::DeadlineFromReply);
    mutant_unknown_is_success: by_mixed(Mutant::UnknownIsSuccess);
    mutant_adoption_extends: by_mixed(Mutant::AdoptionExtends);
    mutant_work_for_whole_lease: by_mixed(Mutant::WorkForWholeLease);
    mutant_incarnation_ignored: by_mixed(Mutant::IncarnationIgnored);
    mutant_unguarded: noticed(|seed| mixed(LEASE, seed).unguarded());
    mutant_seen_before_receipt: noticed(|seed| slow_answers(seed).without(Mutant::SeenBeforeReceipt));
    mutant_take_over_unread: late_take_over();
    mutant_mine_by_name: noticed(|_| go_namesake().without(Mutant::MineByName));
    mutant_check_once: by_mixed(Mutant::CheckOnce);
    mutant_clock_stands_still: noticed(|_| suspended().without(Mutant::ClockStandsStill));
    mutant_no_hash: noticed(|_| awkward().without(Mutant::NoHash));
    mutant_restart_at_once: noticed(|_| restarts().without(Mutant::RestartAtOnce));
    mutant_alone_without_proof: noticed(|_| twins().without(Mutant::AloneWithoutProof));
    mutant_pod_without_proof: noticed(|_| third_process().without(Mutant::PodWithoutProof));
    mutant_any_network: noticed(|_| rehomed().without(Mutant::AnyNetwork));
    mutant_stale_contact: stale_contact();
    mutant_release_before_drain: by_mixed(Mutant::ReleaseBeforeDrain);
    mutant_forget_unanswered: by_mixed(Mutant::ForgetUnanswered);
    mutant_flip_back: by_mixed(Mutant::FlipBack);
    mutant_release_while_alive: noticed(|_| deaf_work().without(Mutant::ReleaseWhileAlive));
    mutant_drain_without_renewal: noticed(|_| deaf_work().without(Mutant::DrainWithoutRenewal));
    mutant_no_grace: outage_thefts(Mutant::NoGrace);
    mutant_any_reply_is_contact: outage_thefts(Mutant::AnyReplyIsContact);
    mutant_first_contact_without_grace: first_contact();
    mutant_delete_without_preconditions: noticed(|_| removed_and_back().without(Mutant::DeleteWithoutPreconditions));
    // It is taken and offered again before work has begun.
    mutant_ping_pong: noticed(|_| unknown_to_one().without(Mutant::PingPong));
    mutant_long_gap: long_gap();
    mutant_keep_draining: differs(&all_restart().without(Mutant::KeepDraining), |outcome| outcome.owners != placed());
    mutant_hand_over_early: differs(&newcomer().without(Mutant::HandOverEarly), waits_long);
    mutant_no_settling: differs(&cold_start().without(Mutant::NoSettling), |outcome| outcome.moves > 0);
    mutant_no_heartbeat: noticed(|_| stalled_watch().without(Mutant::NoHeartbeat));
}

/// What the mutants are caught by holds as long as no rule is broken.
#[test]
fn the_directed_scenarios_hold_without_mutants() {
    for seed in 0..40 {
        let run = |scenario: Scenario| must_hold(&scenario, seed);
        run(deleted_while_cut_off());
        run(deleted_after_others_took_over());
        run(slow_answers(seed));
        run(go_namesake());
        run(suspended());
        run(awkward());
        run(restarts());
        run(twins());
        run(third_process());
        run(rehomed());
        run(deaf_work());
        run(removed_and_back());
        let tenures = run(unknown_to_one()).tenures;
        assert!(tenures <= 100, "{tenures}");
        assert_eq!(run(all_restart()).owners, placed());
        assert!(!waits_long(&run(newcomer())));
        assert_eq!(run(cold_start()).moves, 0);
        run(stalled_watch());
    }
}

/// Somebody waited for a peer that was not ready to take over: longer than a hand-over takes, and shorter than one in
/// which writes without an answer are waited for.
fn waits_long(outcome: &Outcome) -> bool {
    let waited = |gap: &Duration| (SECOND / 6..SECOND * 9 / 10).contains(gap);
    outcome.gaps.iter().any(waited)
}

/// The owners when nothing has ever happened.
fn placed() -> BTreeMap<usize, usize> {
    cold_start().run(1).unwrap().owners
}

/// The fences of an owner that is cut off are deleted by hand; it may work until its deadline.
fn deleted_while_cut_off() -> Scenario {
    fleet([StallWatch(0), Partition(0), Wait(SECOND / 5)])
        .script((0..12).map(DeleteFence))
        .script([Wait(3 * SECOND), Heal(0), Wait(10 * SECOND)])
}

/// One is cut off, others take over and are cut off as well, the fences are deleted, and the first one comes back.
fn deleted_after_others_took_over() -> Scenario {
    fleet([Partition(0), Wait(8 * SECOND), Partition(1), Partition(2)])
        .script((0..12).map(DeleteFence))
        .script([Heal(0), Wait(10 * SECOND)])
}

/// Answers that are under way for seconds, while an owner wakes up to renew and is cut off then.
fn slow_answers(seed: u64) -> Scenario {
    Scenario::new(2, 80)
        .lease(LONG)
        .slow(0.2)
        .slowest(5 * SECOND)
        .write_every(SECOND / 5)
        .script([
            Wait(60 * SECOND),
            Freeze(0),
            // The fences expire now; their versions are being read.
            Wait(LONG + SECOND * (seed % 12) as u32 / 4),
            Thaw(0),
            Wait(6 * SECOND),
            Partition(0),
            Wait(LONG + 15 * SECOND),
        ])
}

/// A Go replica that has the same id as ours adopts its fences while ours stands still for three eighths of L.
fn go_namesake() -> Scenario {
    let all = |operation: fn(usize) -> Operation| (0..12).map(operation);
    fleet([Freeze(0), Freeze(1), Freeze(2)])
        .script(all(GoRenews))
        .script([
            Wait(LEASE * 3 / 8),
            Thaw(0),
            Thaw(1),
            Thaw(2),
            Wait(LEASE / 4),
        ])
        .script(all(GoRenews))
        .script(all(GoWorks))
        .script([Wait(2 * SECOND)])
}

fn suspended() -> Scenario {
    fleet([
        Suspend(0),
        Wait(10 * SECOND),
        ExpectOwned(SECOND),
        Resume(0),
        Wait(10 * SECOND),
        ExpectOwned(SECOND),
    ])
}

fn awkward() -> Scenario {
    fleet([Wait(SECOND)]).awkward_names()
}

/// The containers of all peers are restarted in their pods, one after the other.
fn restarts() -> Scenario {
    let once = |peer| [Restart(peer), Wait(3 * SECOND), ExpectOwned(SECOND)];
    fleet((0..3).chain(0..3).flat_map(once)).write_every(SECOND / 20)
}

fn twins() -> Scenario {
    fleet([Twin(0), Wait(20 * SECOND), ExpectOwned(SECOND)])
}

/// A second process of a pod outlives the first one; then a third one starts beside it.
fn third_process() -> Scenario {
    fleet([
        Twin(0),
        Wait(SECOND),
        EndOthers(0),
        Wait(4 * LEASE),
        Twin(0),
        Wait(2 * LEASE),
    ])
}

/// A pod is made anew in another network, while its process lives on.
fn rehomed() -> Scenario {
    fleet([Rehome(0), Wait(3 * LEASE), ExpectOwned(SECOND)])
}

/// A take-over that is sent into an outage and delivered after it: its victim lives, and would have renewed.
fn late_take_over() -> Option<u64> {
    (0..2_000).find(|seed| {
        let script = [
            Partition(0),
            Wait(LEASE - SECOND + SECOND * (*seed % 40) as u32 / 20),
            Hub(Health::Hanging),
            Heal(0),
            Wait(SECOND / 2),
            HealAll,
            Wait(5 * SECOND),
        ];
        let scenario = fleet(script).without(Mutant::TakeOverUnread);
        scenario.run(*seed).is_ok_and(|outcome| outcome.thefts > 0)
    })
}

/// Outages in which everything is asked about, and nothing needs a recent contact, of peers that renew in turns.
fn stale_contact() -> Option<u64> {
    (0..1_000).find(|seed| {
        let health = [Health::Refusing, Health::Hanging, Health::StoreDown][*seed as usize % 3];
        let outage = LEASE.mul_f64(0.7 + (*seed % 40) as f64 / 100.0);
        let turns = SECOND * (*seed % 17) as u32 / 10;
        let script = [
            Crash(0),
            Wait(8 * SECOND + turns),
            Start(0),
            Wait(8 * SECOND),
            Hub(health),
            Wait(outage),
            HealAll,
            Wait(15 * SECOND),
        ];
        let scenario = fleet(script)
            .without(Mutant::StaleContact)
            .without(Mutant::AskThroughOutage);
        scenario.run(*seed).is_ok_and(|outcome| outcome.thefts > 0)
    })
}

/// Reconciles that nothing can stop keep their clusters, whatever the placement says.
fn deaf_work() -> Scenario {
    fleet([Deaf(0, true), Weight(1, 9), Wait(60 * SECOND)])
}

/// A cluster disappears and comes back while its owner's last words are still under way.
fn removed_and_back() -> Scenario {
    let once = |cluster| {
        [
            Remove(cluster),
            Wait(SECOND / 3),
            Partition(0),
            Add(cluster),
            Wait(2 * SECOND),
            Heal(0),
            Wait(SECOND),
        ]
    };
    Scenario::new(3, 12)
        .lease(LEASE)
        .slow(0.1)
        .script([ExpectOwned(20 * SECOND)])
        .script((0..12).flat_map(once))
}

/// One peer, which is the first candidate of a third of the clusters, does not know of any.
fn unknown_to_one() -> Scenario {
    fleet(
        (0..12)
            .map(|cluster| Hide(0, cluster, true))
            .chain([Wait(600 * SECOND), ExpectOwned(5 * SECOND)]),
    )
}

/// All peers leave, and come back.
fn all_restart() -> Scenario {
    fleet([
        Leave(0),
        Leave(1),
        Leave(2),
        Wait(2 * SECOND),
        Start(0),
        Start(1),
        Start(2),
        Wait(20 * SECOND),
    ])
}

/// A peer comes, and takes its share.
fn newcomer() -> Scenario {
    fleet([Leave(0), Wait(10 * SECOND), Start(0), Wait(20 * SECOND)])
}

fn cold_start() -> Scenario {
    fleet([Wait(20 * SECOND)])
}

fn stalled_watch() -> Scenario {
    fleet([
        StallWatch(0),
        StallWatch(1),
        Wait(5 * SECOND),
        Crash(2),
        ExpectOwned(8 * SECOND),
    ])
}

/// Outages of 0.3 to 1.2 L, after which somebody is robbed.
fn outage_thefts(mutant: Mutant) -> Option<u64> {
    (0..SEEDS).find(|seed| {
        let health = [Health::Refusing, Health::Hanging, Health::StoreDown][*seed as usize % 3];
        let outage = LEASE.mul_f64(0.3 + (*seed % 10) as f64 / 11.0);
        let restart = [
            Crash(0),
            Hub(health),
            Start(0),
            Wait(outage),
            HealAll,
            Wait(15 * SECOND),
        ];
        let calm = [Hub(health), Wait(outage), HealAll, Wait(15 * SECOND)];
        let script: &[Operation] = if seed % 2 == 0 { &calm } else { &restart };
        let scenario = fleet(script.iter().cloned()).without(mutant);
        scenario.run(*seed).is_ok_and(|outcome| outcome.thefts > 0)
    })
}

/// A peer starts while the store is down, and lists come from a cache: what it has seen then proves nothing.
fn first_contact() -> Option<u64> {
    (0..SEEDS).find(|seed| {
        let outage = LEASE.mul_f64(1.0 + (*seed % 20) as f64 / 10.0);
        let script = [
            Leave(0),
            Wait(5 * SECOND),
            Hub(Health::StoreDown),
            Start(0),
            Wait(outage),
            HealAll,
            Wait(15 * SECOND),
        ];
        let scenario = fleet(script).without(Mutant::FirstContactWithoutGrace);
        scenario.run(*seed).is_ok_and(|outcome| outcome.thefts > 0)
    })
}

/// Outages that are longer than a contact gap, and shorter than two renew intervals and a second.
fn long_gap() -> Option<u64> {
    (0..2_000).find(|seed| {
        let outage = LEASE.mul_f64(0.55 + (*seed % 32) as f64 / 100.0);
        let script = [
            Wait(SECOND * (*seed % 17) as u32 / 10),
            Hub(Health::Refusing),
            Wait(outage),
            HealAll,
            Wait(8 * SECOND),
        ];
        let scenario = fleet(script).without(Mutant::LongGap);
        scenario.run(*seed).is_ok_and(|outcome| outcome.thefts > 0)
    })
}
