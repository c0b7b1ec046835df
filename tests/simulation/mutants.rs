//! Every rule is there for a reason: without it, a scenario fails.
//!
//! Each test breaks one rule in all processes and names the scenario that notices.

use std::time::Duration;

use multicluster::testing::simulation::{
    Health, Mutant, Operation, Operation::*, Outcome, Scenario, mixed,
};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(5);

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
    mutant_count_noop: by_mixed(Mutant::CountNoop);
    mutant_deadline_from_reply: by_mixed(Mutant::DeadlineFromReply);
    mutant_unknown_is_success: by_mixed(Mutant::UnknownIsSuccess);
    mutant_adoption_extends: by_mixed(Mutant::AdoptionExtends);
    mutant_work_for_whole_lease: by_mixed(Mutant::WorkForWholeLease);
    mutant_incarnation_ignored: by_mixed(Mutant::IncarnationIgnored);
    mutant_unguarded: noticed(|seed| mixed(LEASE, seed).unguarded());
    mutant_release_before_drain: by_mixed(Mutant::ReleaseBeforeDrain);
    mutant_forget_unanswered: by_mixed(Mutant::ForgetUnanswered);
    mutant_flip_back: by_mixed(Mutant::FlipBack);
    mutant_no_grace: outage_thefts(Mutant::NoGrace);
    mutant_any_reply_is_contact: outage_thefts(Mutant::AnyReplyIsContact);
    mutant_first_contact_without_grace: outage_thefts(Mutant::FirstContactWithoutGrace);
    mutant_hand_over_early: differs(
        &fleet([Leave(0), Wait(10 * SECOND), Start(0), Wait(20 * SECOND)]).without(Mutant::HandOverEarly),
        |outcome| outcome.gaps.iter().any(|gap| *gap > SECOND / 2),
    );
    mutant_no_settling: differs(&fleet([Wait(20 * SECOND)]).without(Mutant::NoSettling), |outcome| outcome.moves > 0);
    mutant_no_heartbeat: noticed(|_| {
        fleet([StallWatch(0), StallWatch(1), Wait(5 * SECOND), Crash(2), ExpectOwned(8 * SECOND)])
            .without(Mutant::NoHeartbeat)
    });
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
