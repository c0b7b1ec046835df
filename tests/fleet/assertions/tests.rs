//! Each assertion must fail when its claim breaks: fake logs that break it.

use super::*;
use crate::fleet::log::Log;

/// A log from `(second, message)`, where the message is `start C`, `stop C` or `reconcile C`.
fn run(peer: &str, ended: Option<u32>, script: &[(u32, &str)]) -> Run {
    let log = Log::default();
    for (second, line) in script {
        let (word, cluster) = line.split_once(' ').unwrap();
        let message = match word {
            "reconcile" => "Reconciling ConfigMap".to_owned(),
            word => format!("synchronization {word}"),
        };
        let line = serde_json::json!({
            "time": time(*second).to_string(), "level": "INFO", "message": message,
            "cluster": cluster, "name": "elephant",
        });
        log.push(&line.to_string());
    }
    assert!(log.strange().is_empty());
    Run {
        peer: peer.to_owned(),
        events: log.events(),
        ended: ended.map(time),
    }
}

fn time(second: u32) -> Timestamp {
    format!("2025-01-01T00:00:{second:02}.000001Z")
        .parse()
        .unwrap()
}

#[test]
fn a_hand_over_is_fine() {
    let a = run(
        "a",
        None,
        &[
            (1, "start zoo"),
            (2, "reconcile zoo"),
            (3, "stop zoo"),
            (9, "start zoo"),
        ],
    );
    let b = run(
        "b",
        None,
        &[(4, "start zoo"), (5, "reconcile zoo"), (6, "stop zoo")],
    );
    assert_eq!(check_exclusive(&[a, b]), Ok(()));
}

#[test]
fn a_crash_ends_all_tenures() {
    let a = run("a", Some(3), &[(1, "start zoo"), (1, "start jungle")]);
    let b = run("b", None, &[(4, "start zoo"), (5, "start jungle")]);
    assert_eq!(check_exclusive(&[a, b]), Ok(()));
}

#[test]
fn two_owners_are_found() {
    let a = run("a", None, &[(1, "start zoo"), (5, "stop zoo")]);
    let b = run("b", None, &[(4, "start zoo")]);
    let problem = check_exclusive(&[a.clone(), b.clone()]).unwrap_err();
    assert!(problem.contains("two replicas work on zoo"), "{problem}");
    assert!(check_exclusive(&[b, a]).is_err());
}

#[test]
fn one_that_lives_keeps_its_tenure() {
    let a = run("a", None, &[(1, "start zoo")]);
    let b = run("b", None, &[(4, "start zoo")]);
    assert!(check_exclusive(&[a, b]).is_err());
}

#[test]
fn a_killed_one_may_not_be_at_work_when_the_next_starts() {
    let a = run("a", Some(5), &[(1, "start zoo")]);
    let b = run("b", None, &[(4, "start zoo")]);
    assert!(check_exclusive(&[a, b]).is_err());
}

#[test]
fn work_after_the_stop_is_found() {
    let a = run(
        "a",
        None,
        &[(1, "start zoo"), (2, "stop zoo"), (3, "reconcile zoo")],
    );
    let problem = check_exclusive(&[a]).unwrap_err();
    assert!(problem.contains("outside of a tenure"), "{problem}");
}

#[test]
fn a_log_that_contradicts_itself_is_no_proof() {
    let twice = run("a", None, &[(1, "start zoo"), (2, "start zoo")]);
    assert!(check_exclusive(&[twice]).is_err());
    let never = run("a", None, &[(2, "stop zoo")]);
    assert!(check_exclusive(&[never]).is_err());
}

#[test]
fn one_that_was_suspended_may_only_begin_anew() {
    let other = run(
        "b",
        None,
        &[(5, "start zoo"), (6, "reconcile zoo"), (20, "stop zoo")],
    );
    let good = [
        (1, "start zoo"),
        (11, "stop zoo"),
        (21, "start zoo"),
        (22, "reconcile zoo"),
    ];
    let bad = [(1, "start zoo"), (10, "reconcile zoo"), (11, "stop zoo")];
    for (script, is_fine) in [(&good[..], true), (&bad[..], false)] {
        let mut runs = vec![other.clone()];
        runs.extend(run("a", None, script).split(time(3), time(9)));
        assert_eq!(check_exclusive(&runs).is_ok(), is_fine);
    }
}

#[test]
fn all_who_reconcile_are_named() {
    let a = run("a", None, &[(1, "start zoo"), (2, "reconcile zoo")]);
    let b = run("b", None, &[(4, "start zoo"), (5, "reconcile zoo")]);
    let runs = [a, b];
    assert_eq!(reconcilers(&runs, "zoo", "elephant", time(0)).len(), 2);
    assert_eq!(reconcilers(&runs, "zoo", "elephant", time(3)).len(), 1);
    assert_eq!(reconcilers(&runs, "zoo", "lion", time(0)).len(), 0);
}

#[test]
fn lines_in_another_form_are_kept_apart() {
    let log = Log::default();
    for line in [
        "thread 'main' panicked",
        r#"{"time":"now","level":"INFO","message":"x"}"#,
        "{}",
    ] {
        log.push(line);
    }
    assert_eq!((log.events().len(), log.strange().len()), (0, 3));
}

#[test]
fn a_spread_has_a_middle_and_an_end() {
    let spread = Spread::of([3, 1, 2].map(Duration::from_secs));
    assert_eq!(spread.to_string(), "p50 2.000s, max 3.000s of 3");
}
