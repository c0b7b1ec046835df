//! Every order of events between two processes and one Lease, not only those that random seeds find.
//!
//! The checker plays the real [`Claim`] against a small API server and explores all that can happen: requests, answers
//! and watch events are late or get lost, a request that was given up takes effect at any later time, processes sleep,
//! crash and come back, hand over, and the clock of one runs 1 % slow while the other's runs 1 % fast.
//!
//! Time moves in ticks, the last of which just ends a Lease duration on the fast clock. Nothing limits how long a fleet
//! lives: the states repeat, and the checker ends when it has seen them all. The contact to the API server (P9), ranks,
//! sessions and pods are not in the model.
//!
//! A few setups run with all tests; larger ones take minutes and gigabytes:
//! ```text
//! cargo test --all-features --lib claim::tests::model -- --ignored --nocapture --test-threads 1
//! ```

mod actions;
mod canonical;
mod process;
mod properties;
mod server;
mod setup;
mod state;

use stateright::{Checker, HasDiscoveries, Model};

use super::*;
use crate::sharding::record::Content;
use process::{Fault, Flight, Letter, Process, Wish};
use properties::properties;
use server::Server;
use setup::{MANY, Setup};
use state::State;

/// The system that is explored.
struct Fleet {
    setup: Arc<Setup>,
}

/// Explores everything, and returns the first broken promise with the events that lead to it.
fn explore(name: &str, setup: Setup) -> Option<(Fault, String)> {
    let begun = std::time::Instant::now();
    let expected = setup.expected();
    let fleet = Fleet {
        setup: setup.into(),
    };
    let checker = fleet
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{name}: {} states, depth {}, {:.1?}",
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed(),
    );
    let failure = properties::FAULTS.into_iter().find_map(|(fault, name)| {
        let path = checker.discovery(name)?;
        Some((fault, format!("{:#?}", path.into_actions())))
    });
    if failure.is_none() {
        for name in expected {
            assert!(checker.discovery(name).is_some(), "never: {name}");
        }
    }
    failure
}

macro_rules! holds {
    ($($(#[$attribute:meta])* $name:ident: $setup:expr;)*) => {
        $($(#[$attribute])* #[test]
        fn $name() {
            if let Some((fault, path)) = explore(stringify!($name), $setup) {
                panic!("{fault:?}: {path}");
            }
        })*
    };
}

holds! {
    late_requests: Setup { late: 1, ..Setup::new(3) };
    late_watch_events: Setup { slow_watch: true, faults: 2, ..Setup::new(3) };
    crashes: Setup { crashes: 1, ..Setup::new(3) };
    releases: Setup { releases: true, faults: 2, ..Setup::new(3) };
    a_deleted_lease: Setup { deletes: 1, faults: 1, ..Setup::new(3) };
    #[ignore = "minutes"]
    everything_but_deletion: Setup { late: 1, slow_watch: true, crashes: 1, releases: true, faults: 1, ..Setup::new(3) };
    #[ignore = "minutes"]
    releases_and_crashes: Setup { crashes: 1, releases: true, ..Setup::new(3) };
    #[ignore = "minutes"]
    crashes_and_late_requests: Setup { late: 2, crashes: 2, faults: 4, ..Setup::new(3) };
    #[ignore = "minutes"]
    late_requests_and_watch_events: Setup { late: 1, slow_watch: true, ..Setup::new(3) };
    #[ignore = "minutes"]
    shorter_ticks: Setup { late: 1, faults: 4, ..Setup::new(5) };
    #[ignore = "minutes"]
    a_deleted_lease_and_late_requests: Setup { late: 1, deletes: 1, faults: 2, ..Setup::new(3) };
}

/// A limit: who does not know the holder yet waits for nobody when somebody has deleted the Lease.
#[test]
fn a_lease_deleted_before_all_know_its_holder_has_two_owners() {
    let setup = Setup {
        deletes: 1,
        faults: 0,
        deletes_early: true,
        ..Setup::new(3)
    };
    let (fault, _) = explore("deleted early", setup).expect("a counterexample");
    assert_eq!(fault, Fault::Overlap);
}

/// Without one of the rules, two work at a time.
#[cfg(feature = "testing")]
macro_rules! caught {
    ($($name:ident: $mutant:ident, $setup:expr;)*) => {
        $(#[test]
        fn $name() {
            let mutants = Mutants::default().with(Mutant::$mutant);
            let setup = Setup { mutants, judges_take_over: false, ..$setup };
            let (fault, path) = explore(stringify!($name), setup).expect("a counterexample");
            println!("{path}");
            assert_eq!(fault, Fault::Overlap);
        })*
    };
}

#[cfg(feature = "testing")]
caught! {
    mutant_seen_before_receipt: SeenBeforeReceipt, Setup::new(3);
    mutant_replace_just_read: ReplaceJustRead, Setup::new(3);
    mutant_post_without_wait: PostWithoutWait, Setup { deletes: 1, faults: 1, ..Setup::new(3) };
    mutant_trust_last_seen: TrustLastSeen, Setup { deletes: 1, faults: 1, ..Setup::new(3) };
    mutant_put_without_uid: PutWithoutUid, Setup { deletes: 1, faults: 1, ..Setup::new(3) };
    mutant_deadline_from_reply: DeadlineFromReply, Setup::new(3);
    mutant_unknown_is_success: UnknownIsSuccess, Setup::new(3);
    mutant_adoption_extends: AdoptionExtends, Setup::new(3);
    mutant_work_for_whole_lease: WorkForWholeLease, Setup::new(3);
    mutant_incarnation_ignored: IncarnationIgnored, Setup { crashes: 1, ..Setup::new(3) };
}
