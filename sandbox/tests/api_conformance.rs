//! The sandbox answers like kube-apiserver: the same requests to both, and what they answer compared.
//!
//! # Cases
//! A case is a script of raw HTTP requests in one of the files `api_conformance/cases/*.http`; see
//! [`script`] for how it is written. It runs in a namespace of its own on each server. Compared are the status code, the
//! content type, warnings, and the whole body or the events of a watch, after values that no two runs have in common
//! (versions, uids, times, generated names) were replaced by symbols in the order in which they appear: whether two of
//! them are equal *is* compared.
//!
//! # The recording
//! What kube-apiserver answered stands in `api_conformance/recorded/`, so that most runs need no control plane:
//!
//! ```text
//! cargo test -p kube-sandbox --test api_conformance                              # the sandbox against the recording
//! CASES=patch cargo test -p kube-sandbox --test api_conformance                  # cases whose file or name has `patch`
//! export KUBEBUILDER_ASSETS=...                                                  # see tests/assets/README.md
//! cargo test -p kube-sandbox --test api_conformance -- --ignored                 # the sandbox and the recording against kube-apiserver
//! CASES=patch RECORD=1 cargo test -p kube-sandbox --test api_conformance -- --ignored   # record new or changed cases
//! ```
//!
//! # Known differences
//! The table in `src/docs/differences.md` says which steps are answered otherwise, and why. A row whose steps are answered
//! alike fails the suite as much as a difference without a row.

#[path = "api_conformance/compare.rs"]
mod compare;
#[path = "support/control_plane.rs"]
mod control_plane;
#[path = "api_conformance/fuzz.rs"]
mod fuzz;
#[path = "api_conformance/known.rs"]
mod known;
#[path = "api_conformance/normal.rs"]
mod normal;
#[path = "api_conformance/player.rs"]
mod player;
#[path = "api_conformance/random.rs"]
mod random;
#[path = "api_conformance/recording.rs"]
mod recording;
#[path = "api_conformance/script.rs"]
mod script;
#[path = "api_conformance/template.rs"]
mod template;

use std::time::Instant;

use control_plane::ControlPlane;
use kube_sandbox::Sandbox;
use player::Player;
use proptest::{collection::vec, prelude::*, sample::select};
use recording::Recordings;
use script::Case;

/// A number from the environment.
fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Plays a case on a sandbox of its own; while time is paused, watches with a time-out end at once.
async fn play_on_sandbox(case: &Case) -> Vec<serde_json::Value> {
    Player::new(Sandbox::builder().controllers(false).build().client())
        .play(case)
        .await
}

#[tokio::test(start_paused = true)]
async fn the_sandbox_answers_as_kube_apiserver_did() {
    let recordings = Recordings::read();
    let mut report = compare::Report::new("the sandbox", "kube-apiserver", known::read());
    for case in script::read() {
        match recordings.answers(&case) {
            Some(recorded) => report.compare(&case, &play_on_sandbox(&case).await, recorded),
            None => report.fail(format!(
                "{}: nothing is recorded; run it with RECORD=1",
                case.title()
            )),
        }
    }
    report.finish();
}

#[tokio::test]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn the_sandbox_answers_like_kube_apiserver() {
    let cases = script::read();
    let plane = ControlPlane::start().await;
    let mut real = Player::new(plane.client().await);
    let mut recordings = Recordings::read();
    let mut stale = compare::Report::new("the recording", "kube-apiserver", Vec::new());
    let mut report = compare::Report::new("the sandbox", "kube-apiserver", known::read());
    let (start, count) = (Instant::now(), cases.len());
    for case in cases {
        let answers = real.play(&case).await;
        tokio::time::pause();
        let played = play_on_sandbox(&case).await;
        tokio::time::resume();
        report.compare(&case, &played, &answers);
        match recordings.answers(&case) {
            _ if recording::wanted() => recordings.record(&case, answers),
            Some(recorded) => stale.compare(&case, recorded, &answers),
            None => stale.fail(format!(
                "{}: nothing is recorded; run it with RECORD=1",
                case.title()
            )),
        }
    }
    println!("{count} cases in {:?}", start.elapsed());
    recordings.write();
    drop(plane);
    stale.finish();
    report.finish();
}

/// The shortest sequence that still shows a difference.
async fn shortest(real: &mut Player, sequence: &random::Sequence) -> random::Sequence {
    let mut shortest = sequence.clone();
    'search: loop {
        for shorter in shortest.shorter().collect::<Vec<_>>() {
            if !both_agree(real, &shorter.case()).await.is_empty() {
                shortest = shorter;
                continue 'search;
            }
        }
        return shortest;
    }
}

/// What the servers disagree about in a case.
async fn both_agree(real: &mut Player, case: &Case) -> Vec<String> {
    let answers = real.play(case).await;
    tokio::time::pause();
    let played = play_on_sandbox(case).await;
    tokio::time::resume();
    let mut report = compare::Report::new("the sandbox", "kube-apiserver", Vec::new());
    report.compare(case, &played, &answers);
    report.failures
}

/// `SEED=7` and `SEQUENCES=1000` choose others.
#[tokio::test]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn random_sequences_are_answered_like_kube_apiserver() {
    let first = number("SEED", 0);
    let plane = ControlPlane::start().await;
    let mut real = Player::new(plane.client().await);
    let start = Instant::now();
    for seed in first..first + number("SEQUENCES", 200) {
        let sequence = random::Sequence::new(seed);
        if both_agree(&mut real, &sequence.case()).await.is_empty() {
            continue;
        }
        let shortest = shortest(&mut real, &sequence).await;
        let failures = both_agree(&mut real, &shortest.case()).await.join("\n\n");
        panic!("{}\n{failures}", shortest.text());
    }
    println!("random sequences took {:?}", start.elapsed());
}

/// `TRIES=100000` tries more.
#[test]
fn requests_with_flaws_are_answered_or_refused() {
    let cases = script::read();
    let tries = number("TRIES", 2000);
    let flaws = vec(vec(fuzz::flaw(), 0..3), 1..6);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(tries)
    };
    proptest!(config, |(case in select(cases), flaws in flaws)| {
        runtime.block_on(fuzz::play(&case, &flaws));
    });
}
