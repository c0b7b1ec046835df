//! Modules use each other in one direction only.
//!
//! The tables below are the architecture (`src/docs/architecture.md` draws it): a module may use those that stand
//! beside it and no others. Tests inside the modules are not looked at.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What each module of the crate may use.
const CRATE: &[(&str, &[&str])] = &[
    ("backoff", &[]),
    ("bounded", &["error", "transport"]),
    ("clock", &[]),
    ("connect", &[]),
    ("error", &[]),
    ("setting", &["error"]),
    (
        "config",
        &["controller", "error", "manager", "setting", "sharding"],
    ),
    ("shutdown", &[]),
    ("transport", &["error"]),
    ("loads", &["cluster"]),
    ("cluster", &["connect", "error", "transport"]),
    ("provider", &["cluster", "error"]),
    ("problems", &["cluster"]),
    ("selector", &["cluster", "error"]),
    ("clusters", &["backoff", "cluster", "error", "provider"]),
    (
        "provider_ext",
        &["backoff", "cluster", "clusters", "error", "provider"],
    ),
    (
        "guard",
        &[
            "bounded",
            "clock",
            "cluster",
            "error",
            "health",
            "transport",
        ],
    ),
    ("health", &[]),
    ("mailbox", &[]),
    (
        "informer",
        &[
            "backoff", "engage", "error", "health", "mailbox", "problems",
        ],
    ),
    (
        "engage",
        &[
            "cluster", "error", "guard", "health", "loads", "problems", "selector",
        ],
    ),
    (
        "sharding",
        &[
            "clock", "cluster", "error", "guard", "loads", "problems", "setting",
        ],
    ),
    (
        "controller",
        &[
            "backoff", "cluster", "engage", "error", "guard", "informer", "mailbox", "selector",
            "setting",
        ],
    ),
    (
        "manager",
        &[
            "backoff",
            "cluster",
            "engage",
            "error",
            "guard",
            "health",
            "loads",
            "problems",
            "provider",
            "provider_ext",
            "setting",
            "sharding",
            "transport",
        ],
    ),
];

/// What each module of `sharding` may use of the others.
const SHARDING: &[(&str, &[&str])] = &[
    ("cost", &[]),
    ("heartbeat", &[]),
    ("names", &["mutant"]),
    ("peer", &[]),
    ("timings", &[]),
    ("mutant", &[]),
    ("settings", &["names", "peer", "timings"]),
    ("placement", &["cost", "peer"]),
    ("placed", &["peer", "placement"]),
    ("rendezvous", &["peer", "placement"]),
    (
        "bounded_rendezvous",
        &["cost", "peer", "placement", "rendezvous"],
    ),
    ("ring", &["peer", "placed", "placement"]),
    ("multicluster_runtime", &["peer", "placed", "placement"]),
    ("formulas", &["cost", "peer", "placement"]),
    ("record", &["cost", "timings"]),
    ("claim", &["mutant", "record", "timings"]),
    (
        "membership",
        &["mutant", "claim", "heartbeat", "peer", "record", "timings"],
    ),
    (
        "fence",
        &["mutant", "claim", "cost", "peer", "record", "timings"],
    ),
    (
        "coordinator",
        &[
            "mutant",
            "claim",
            "fence",
            "formulas",
            "membership",
            "names",
            "peer",
            "placement",
            "record",
            "timings",
        ],
    ),
    ("lease", &["cost", "names", "record"]),
    (
        "driver",
        &["coordinator", "fence", "lease", "names", "timings"],
    ),
    ("alone", &["driver"]),
    ("pod", &["claim", "record"]),
];

/// What a provider may use of the crate.
const PROVIDERS: &[&str] = &[
    "BoxError",
    "Cluster",
    "ClusterEvent",
    "ClusterName",
    "ClusterProvider",
    "ClusterProviderExt",
    "ClusterRef",
    "ClusterSet",
    "Error",
    "bounded",
    "cluster_client",
    "k8s_openapi",
    "kube",
];

#[test]
fn modules_use_each_other_in_one_direction() {
    let wrong = violations("src", &["crate"], CRATE, &["lib", "testing"]);
    assert!(
        wrong.is_empty(),
        "not in the architecture:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn sharding_is_layered() {
    let wrong = violations(
        "src/sharding",
        &["super", "crate::sharding"],
        SHARDING,
        &["mod"],
    );
    assert!(
        wrong.is_empty(),
        "not in the architecture:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn providers_use_the_public_core_only() {
    for file in rust_files(Path::new("providers")) {
        let text = code(&file);
        assert!(
            uses(&text, "crate").is_empty(),
            "{} uses crate::",
            file.display()
        );
        for name in uses(&text, "multicluster") {
            assert!(
                PROVIDERS.contains(&name.as_str()),
                "{} uses multicluster::{name}",
                file.display()
            );
        }
    }
}

/// What a program without providers depends on, and what each provider adds to that.
#[test]
fn a_provider_brings_no_crate_that_only_another_one_needs() {
    let certificates = "x509-cert";
    for (feature, own) in [
        ("", &[][..]),
        ("namespace", &[]),
        ("multi", &[]),
        ("kubeconfig", &[certificates]),
        ("file", &[certificates, "glob", "notify"]),
    ] {
        let tree = dependencies(feature);
        for name in [certificates, "glob", "notify"] {
            assert_eq!(
                tree.contains(name),
                own.contains(&name),
                "{name} with the feature {feature:?}"
            );
        }
        assert!(!tree.contains("kube-sandbox"));
    }
}

#[test]
fn one_file_speaks_the_coordination_api() {
    for file in rust_files(Path::new("src")) {
        let speaks = code(&file).contains("coordination::v1");
        let may = file.starts_with("src/sharding/lease") || file.ends_with("sharding/lease.rs");
        assert!(
            !speaks || may,
            "{} names the coordination API",
            file.display()
        );
    }
}

#[test]
fn a_wrong_arrow_is_found() {
    let text = "use crate::{clock::Clock, manager::{Manager, x}};\nfn f() { crate::sharding::g() }";
    let expected = ["clock", "manager", "sharding"].map(str::to_owned);
    assert_eq!(uses(text, "crate"), BTreeSet::from(expected));
    let table: &[(&str, &[&str])] = &[("engage", &["clock"])];
    let wrong = check("engage", text, &["crate"], table);
    assert_eq!(wrong, ["engage uses manager", "engage uses sharding"]);
}

/// The names of all crates that the library needs with one feature.
fn dependencies(feature: &str) -> BTreeSet<String> {
    let arguments = "tree --package multicluster --edges normal --prefix none --format {p}";
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .args(["--offline", "--no-default-features", "--features", feature])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let names = lines.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// All arrows below `root` that `table` does not have; files named in `free` may use anything.
fn violations(
    root: &str,
    prefixes: &[&str],
    table: &[(&str, &[&str])],
    free: &[&str],
) -> Vec<String> {
    let root = Path::new(root);
    let mut wrong = Vec::new();
    for file in rust_files(root) {
        let inside = file.strip_prefix(root).unwrap().with_extension("");
        let module = inside.iter().next().unwrap().to_str().unwrap().to_owned();
        if free.contains(&module.as_str()) {
            continue;
        }
        // In a deeper file, `super` is the module itself.
        let deep = inside.iter().count() > 1;
        let prefixes: Vec<_> = prefixes
            .iter()
            .copied()
            .filter(|prefix| !(deep && *prefix == "super"))
            .collect();
        wrong.extend(check(&module, &code(&file), &prefixes, table));
    }
    wrong
}

fn check(module: &str, text: &str, prefixes: &[&str], table: &[(&str, &[&str])]) -> Vec<String> {
    let Some((_, may)) = table.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{module} is not in the table")];
    };
    let used = prefixes.iter().flat_map(|prefix| uses(text, prefix));
    let wrong = used.filter(|used| used != module && !may.contains(&used.as_str()));
    // Names that are no module of the table are items of the parent itself.
    let modules: BTreeSet<_> = table
        .iter()
        .map(|(name, _)| *name)
        .chain(["manager", "sharding"])
        .collect();
    wrong
        .filter(|used| modules.contains(used.as_str()))
        .map(|used| format!("{module} uses {used}"))
        .collect()
}

/// The first names after `prefix::` in paths and in groups.
fn uses(text: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let marker = format!("{prefix}::");
    for (at, _) in text.match_indices(&marker) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &text[at + marker.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.extend(identifier(rest)),
        }
    }
    names
}

/// The first names of a group `{a::b, c::{d, e}}`, whose opening brace is gone.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut fresh) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && depth == 0 && (c.is_alphabetic() || c == '_') => {
                heads.extend(identifier(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

/// A file without comments and without the tests at its end.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn rust_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && !path.ends_with("tests.rs")
            {
                files.push(path);
            }
        }
    }
    files
}
