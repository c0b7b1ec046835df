//! What is refused, in one line with the key, its source and the fix.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use super::{File, nowhere};
use crate::config::Sources;

/// The line of an error, which has all of `words`.
fn refused(sources: Sources, words: &[&str]) -> String {
    let error = sources.load().unwrap_err();
    assert!(matches!(error, crate::Error::Setting(_)), "{error:?}");
    let line = error.to_string();
    println!("{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    for word in words {
        assert!(line.contains(word), "no {word:?}: {line}");
    }
    line
}

fn refused_file(name: &str, content: &str, words: &[&str]) {
    let line = refused(File::new(name, content).sources(), words);
    assert!(line.contains(name), "{line}");
}

fn refused_variable(name: &str, value: &str, words: &[&str]) {
    let line = refused(nowhere().environment([(name, value)]), words);
    assert!(line.contains(name), "{line}");
}

#[test]
fn an_unknown_key_of_a_file() {
    let meant = "did you mean sharding.lease_duration?";
    for (name, content, words) in [
        (
            "a.toml",
            "[sharding]\n\nlease_duraton = '5s'",
            ["sharding.lease_duraton", "line 3", meant],
        ),
        (
            "a.yaml",
            "sharding:\n  weight: 1\n  lease-duration: 5s",
            ["sharding.lease-duration", "line 3", meant],
        ),
        (
            "a.toml",
            "lease_duration = '5s'",
            ["lease_duration", "line 1", meant],
        ),
        (
            "a.yaml",
            "sharing: {lease_duration: 5s}",
            ["sharing.", "line 1", meant],
        ),
        (
            "a.yaml",
            "sharding:\n  lease_duration: {seconds: 5}",
            ["sharding.lease_duration", "line 2", "a time such as 15s"],
        ),
        (
            "a.toml",
            "manager = 3",
            [
                "manager (",
                "line 1",
                "as in manager.concurrent_connections",
            ],
        ),
        (
            "a.toml",
            "\"x\\ny\" = 3",
            ["x\\ny", "line 1", "did you mean"],
        ),
    ] {
        refused_file(name, content, &words);
    }
}

#[test]
fn an_unknown_variable() {
    for (name, meant) in [
        (
            "MULTICLUSTER_SHARDING__LEASE_DURATON",
            "MULTICLUSTER_SHARDING__LEASE_DURATION",
        ),
        (
            "MULTICLUSTER_SHARDING_WEIGHT",
            "MULTICLUSTER_SHARDING__WEIGHT",
        ),
        (
            "MULTICLUSTER_sharding__weight",
            "MULTICLUSTER_SHARDING__WEIGHT",
        ),
        (
            "MULTICLUSTER_SHARDING.WEIGHT",
            "MULTICLUSTER_SHARDING__WEIGHT",
        ),
    ] {
        refused_variable(name, "5", &[&format!("did you mean {meant}?")]);
    }
}

#[test]
fn an_unknown_key_of_the_program() {
    let sources = nowhere().set("--weigth", "sharding.weigth", "5");
    refused(sources, &["--weigth", "did you mean sharding.weight?"]);
    refused(nowhere().preset("weight", "5"), &["default of the program"]);
}

#[test]
fn a_wrong_type_in_a_file() {
    let number = "expected a whole number";
    let time = "expected a time such as 15s or 1500ms";
    for (setting, words) in [
        ("weight = 'many'", ["sharding.weight", "\"many\"", number]),
        ("weight = '3'", ["sharding.weight", "string \"3\"", number]),
        ("weight = 1.5", ["sharding.weight", "1.5", number]),
        ("weight = -1", ["sharding.weight", "-1", number]),
        ("weight = true", ["sharding.weight", "true", number]),
        ("weight = [1]", ["sharding.weight", "sequence", number]),
        (
            "weight = 5000000000",
            ["sharding.weight", "5000000000", "up to 4294967295"],
        ),
        (
            "lease_duration = 15",
            ["sharding.lease_duration", "15", time],
        ),
        (
            "lease_duration = '15'",
            ["sharding.lease_duration", "\"15\"", "like 15s"],
        ),
        ("renew_interval = 5", ["sharding.renew_interval", "5", time]),
        (
            "watchdog = 'yes'",
            ["sharding.watchdog", "yes", "expected true or false"],
        ),
        (
            "lease_namespace = 5",
            ["sharding.lease_namespace", "5", "expected a text"],
        ),
    ] {
        refused_file("a.toml", &format!("[sharding]\n{setting}"), &words);
        refused_file("a.toml", &format!("[sharding]\n{setting}"), &["line 2"]);
        let yaml = setting.replace(" =", ":");
        refused_file("a.yaml", &format!("sharding:\n  {yaml}"), &words);
        refused_file("a.yaml", &format!("sharding:\n  {yaml}"), &["line 2"]);
    }
}

#[test]
fn a_wrong_type_in_the_environment() {
    for (name, value, words) in [
        (
            "WEIGHT",
            "many",
            ["sharding.weight", "expected a whole number"],
        ),
        ("WEIGHT", "", ["sharding.weight", "expected a whole number"]),
        (
            "WEIGHT",
            "1.5",
            ["sharding.weight", "expected a whole number"],
        ),
        (
            "LEASE_DURATION",
            "soon",
            ["sharding.lease_duration", "like 15s"],
        ),
        ("WATCHDOG", "yes", ["sharding.watchdog", "true or false"]),
    ] {
        refused_variable(&format!("MULTICLUSTER_SHARDING__{name}"), value, &words);
    }
    let value = OsString::from_vec(vec![0xff]);
    let name = OsString::from("MULTICLUSTER_SHARDING__PEER_PREFIX");
    refused(
        nowhere().environment([(name, value)]),
        &["PEER_PREFIX", "UTF-8"],
    );
}

#[test]
fn a_value_that_is_overridden_is_checked_too() {
    let file = File::new("a.toml", "sharding.weight = 'many'");
    let sources = file.sources().set("--weight", "sharding.weight", "5");
    refused(sources, &["a.toml line 1"]);
}

#[test]
fn a_broken_relation_names_all_that_was_set() {
    let file = File::new("a.yaml", "sharding:\n  lease_duration: 5s");
    let name = "MULTICLUSTER_SHARDING__RENEW_INTERVAL";
    let line = refused(
        file.sources().environment([(name, "3s")]),
        &[
            "sharding.lease_duration (",
            "a.yaml line 2",
            "sharding.renew_interval (MULTICLUSTER_SHARDING__RENEW_INTERVAL): ",
            "shorten the renew interval",
        ],
    );
    assert!(!line.contains("stop_margin ("), "{line}");
}

#[test]
fn every_module_checks_its_own() {
    for (setting, words) in [
        (
            "sharding.lease_duration = '4s'",
            ["sharding.lease_duration", "at least 5s"],
        ),
        (
            "sharding.throttle = '16s'",
            ["sharding.throttle", "at most the lease duration"],
        ),
        (
            "sharding.weight = 40000000",
            ["sharding.weight", "at most 33554432"],
        ),
        (
            "sharding.lease_namespace = ''",
            ["sharding.lease_namespace", "empty"],
        ),
        (
            "sharding.peer_prefix = 'A'",
            ["sharding.peer_prefix", "lower-case"],
        ),
        (
            "sharding.fence_prefix = 'A'",
            ["sharding.fence_prefix", "lower-case"],
        ),
        (
            "manager.startup_timeout = '0s'",
            ["manager.startup_timeout", "longer than 0s"],
        ),
        (
            "manager.connect_timeout = '0s'",
            ["manager.connect_timeout", "longer than 0s"],
        ),
        (
            "manager.concurrent_connections = 0",
            ["manager.concurrent", "from 1"],
        ),
        (
            "controller.concurrency = 0",
            ["controller.concurrency", "from 1"],
        ),
        (
            "controller.per_cluster_concurrency = 0",
            ["controller.per_cluster", "from 1"],
        ),
        (
            "controller.per_cluster_concurrency = 17",
            ["controller.per_cluster", "at most the concurrency (16)"],
        ),
        (
            "controller.reconcile_timeout = '0s'",
            ["controller.reconcile_timeout", "longer than 0s"],
        ),
    ] {
        refused_file("a.toml", setting, &words);
    }
    let both = "sharding: {peer_prefix: p, fence_prefix: p-x}";
    refused_file(
        "a.yaml",
        both,
        &["sharding.peer_prefix", "sharding.fence_prefix", "overlap"],
    );
}

#[test]
fn a_file_that_cannot_be_used() {
    for (name, content, words) in [
        ("a.json", "{}", vec![".toml, .yaml or .yml"]),
        ("settings", "", vec![".toml, .yaml or .yml"]),
        ("a.toml", "[sharding\nweight", vec!["line 1"]),
        ("a.yaml", "sharding:\n  weight: [1\nx: }", vec!["line"]),
        (
            "a.yaml",
            "sharding:\n  weight: 1\n  weight: 2",
            vec!["line 3", "weight"],
        ),
        (
            "a.toml",
            "sharding.weight = 1\nsharding.weight = 2",
            vec!["line 2"],
        ),
        ("a.yaml", "hello", vec!["no keys"]),
        ("a.yaml", "- a\n- b", vec!["no keys"]),
    ] {
        refused_file(name, content, &words);
    }
    let sources = || nowhere().file("/no/such/settings.toml");
    refused(
        sources(),
        &["/no/such/settings.toml", "cannot be read", "No such file"],
    );
}
