//! The command line of the example: what is wrong is told in one line, and the demo looks after its replicas.

#[allow(
    dead_code,
    unused_imports,
    reason = "the scenarios of tests/control_plane.rs use the rest"
)]
mod fleet;

#[path = "command_line/demo.rs"]
mod demo;
#[path = "command_line/responder.rs"]
mod responder;

use std::{fs, net::TcpListener, path::Path, time::Duration};

use fleet::{program::program, replica::Replica};
use responder::Responder;
use serde_json::json;
use tempfile::TempDir;

const SECOND: Duration = Duration::from_secs(1);
const PEERS: [&str; 2] = ["sharded-namespace-0", "sharded-namespace-1"];

/// How a process ended that should not have lasted.
struct Outcome {
    code: Option<i32>,
    stderr: String,
    took: Duration,
}

// === bad input: status 2, at once ===

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let good = kubeconfig(folder.path(), "http://127.0.0.1:1");
    let long = "x".repeat(300);
    let cases: [(&[&str], &[&str]); 8] = [
        (&["--no-such-flag"], &["--no-such-flag", "--help"]),
        (
            &["--lease-duration", "nonsense"],
            &["--lease-duration", "nonsense", "15s"],
        ),
        (
            &["--lease-duration", "4s"],
            &["lease duration", "at least 5s", "4s"],
        ),
        (
            &["--lease-duration", "5s", "--renew-interval", "3s"],
            &["renew interval", "3.00s", "5s"],
        ),
        (&["--peer", ""], &["peer"]),
        (&["--peer", &long], &["peer id", "253 bytes"]),
        (&["--weight", "5000000000"], &["--weight"]),
        (
            &["--shard-lease-prefix", "mcr-peer-x"],
            &["mcr-peer-x", "overlap"],
        ),
    ];
    for (args, words) in cases {
        let args: Vec<_> = ["--kubeconfig", &good]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        let outcome = run(folder.path(), &args, 2 * SECOND).await;
        outcome.check(2, &args, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_settings_file_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let cases: [(&str, &str, &[&str]); 7] = [
        (
            "unknown.toml",
            "[sharding]\nlease_duraton = '5s'",
            &[
                "line 2",
                "sharding.lease_duraton",
                "did you mean sharding.lease_duration",
            ],
        ),
        (
            "type.yaml",
            "sharding:\n  weight: many",
            &["line 2", "sharding.weight", "many", "whole number"],
        ),
        (
            "relation.yaml",
            "sharding: {lease_duration: 5s, renew_interval: 3s}",
            &["line 1", "sharding.renew_interval", "3.00s", "shorten"],
        ),
        (
            "syntax.toml",
            "[sharding",
            &["line 1", "cannot be understood"],
        ),
        ("binary.yaml", "\0\u{1}", &["cannot be understood"]),
        ("empty.json", "", &[".toml, .yaml or .yml"]),
        (
            "controller.toml",
            "controller.concurrency = 0",
            &["controller.concurrency", "from 1"],
        ),
    ];
    for (name, content, words) in cases {
        let path = folder.path().join(name).display().to_string();
        fs::write(&path, content).unwrap();
        // The demo does not start its API server either.
        let outcome = run(folder.path(), &["--config", &path], 2 * SECOND).await;
        outcome.check(2, &["--config", name], words);
        outcome.check(2, &["--config", name], &[&path]);
    }
    let args = ["--config", "/no/such/file.toml"];
    let outcome = run(folder.path(), &args, 2 * SECOND).await;
    outcome.check(2, &args, &["/no/such/file.toml", "No such file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_environment_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let cases: [(&'static str, &str, &[&str]); 4] = [
        (
            "MULTICLUSTER_SHARDING__WIEGHT",
            "2",
            &["MULTICLUSTER_SHARDING__WEIGHT"],
        ),
        (
            "MULTICLUSTER_SHARDING__WEIGHT",
            "many",
            &["sharding.weight", "whole number"],
        ),
        (
            "MULTICLUSTER_MANAGER__CONNECT_TIMEOUT",
            "0s",
            &["manager.connect_timeout", "longer"],
        ),
        (
            "MULTICLUSTER_SHARDING__RENEW_INTERVAL",
            "3s",
            &["sharding.renew_interval", "3.00s", "(--lease-duration)"],
        ),
    ];
    for (name, value, words) in cases {
        let variable = vec![(name, value.to_owned())];
        let args = ["--lease-duration", "5s"];
        let outcome = run_with(folder.path(), &args, variable, 2 * SECOND).await;
        outcome.check(2, &[name, value], words);
        outcome.check(2, &[name, value], &[name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_sets_what_flags_do_not() {
    // Nobody listens there.
    let folder = TempDir::new().unwrap();
    let kubeconfig = kubeconfig(folder.path(), "http://127.0.0.1:1");
    let path = folder.path().join("settings.toml").display().to_string();
    fs::write(&path, "manager.startup_timeout = '1s'").unwrap();
    let args = ["--kubeconfig", &kubeconfig, "--config", &path];
    let outcome = run(folder.path(), &args, 10 * SECOND).await;
    outcome.check(1, &args, &["within 1s"]);

    let flag = [&args[..], &["--startup-timeout", "1500ms"]].concat();
    let outcome = run(folder.path(), &flag, 10 * SECOND).await;
    outcome.check(1, &flag, &["within 1.5s"]);

    // A child process has the file and the environment of its parent.
    let children = [&args[..], &["--replicas", "2"]].concat();
    let variable = vec![("MULTICLUSTER_MANAGER__STARTUP_TIMEOUT", "1700ms".to_owned())];
    let outcome = run_with(folder.path(), &children, variable, 10 * SECOND).await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("within 1.7s"), "{}", outcome.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_kubeconfig_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let good = kubeconfig(folder.path(), "http://127.0.0.1:1");
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name).display().to_string();
        fs::write(&path, content).unwrap();
        path
    };
    let missing = folder.path().join("missing").display().to_string();
    let is_folder = folder.path().display().to_string();
    let no_yaml = file("no-yaml", "{ this is: [no YAML\n\tat all");
    let empty = file("empty", "");
    let prose = file("prose", "hello\n");
    let cases: [(&[&str], &[&str]); 7] = [
        (&["--kubeconfig", &missing], &[&missing, "No such file"]),
        (&["--kubeconfig", &missing, "--replicas", "2"], &[&missing]),
        (&["--kubeconfig", &is_folder], &[&is_folder]),
        (&["--kubeconfig", &no_yaml], &[&no_yaml]),
        (&["--kubeconfig", &empty], &[&empty]),
        (&["--kubeconfig", &prose], &[&prose]),
        (
            &["--kubeconfig", &good, "--context", "elsewhere"],
            &[&good, "elsewhere"],
        ),
    ];
    for (args, words) in cases {
        let outcome = run(folder.path(), args, 2 * SECOND).await;
        outcome.check(2, args, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_told_in_one_line() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["--listen", &address];
    let outcome = run(folder.path(), &args, 2 * SECOND).await;
    outcome.check(2, &args, &[&address, "in use", "--listen"]);
}

// === an API server that cannot be used: status 1, after the start-up timeout ===

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_server_ends_the_start() {
    // Reserved, but nobody listens there.
    let port = tokio::net::TcpSocket::new_v4().unwrap();
    port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", port.local_addr().unwrap());
    gives_up(&url, &["refused"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forbids_everything_ends_the_start() {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": "forbidden: User \"sharded-namespace-0\" cannot do this",
    });
    let server = Responder::start(move |_| (403, status.to_string()));
    gives_up(&server.url(), &["cannot do this", "403"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_leases_ends_the_start() {
    let server = Responder::start(|path| {
        if path.starts_with("/apis/coordination.k8s.io/") {
            return (404, "404 page not found\n".to_owned());
        }
        let list = json!({
            "kind": "NamespaceList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [],
        });
        let watch = path.contains("watch=true");
        (
            200,
            if watch {
                String::new()
            } else {
                list.to_string()
            },
        )
    });
    gives_up(&server.url(), &["coordination.k8s.io", "404"]).await;
}

async fn gives_up(url: &str, words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let kubeconfig = kubeconfig(folder.path(), url);
    let args = [
        "--kubeconfig",
        &kubeconfig,
        "--peer",
        PEERS[0],
        "--startup-timeout",
        "2s",
    ];
    let outcome = run(folder.path(), &args, 10 * SECOND).await;
    outcome.check(1, &args, words);
    assert!(
        outcome.took >= 2 * SECOND,
        "it gave up after {:?}",
        outcome.took
    );
    assert!(
        outcome.took <= 4 * SECOND,
        "it gave up after {:?} only",
        outcome.took
    );
}

// === impl Outcome ===

impl Outcome {
    fn check(&self, code: i32, args: &[&str], words: &[&str]) {
        let said = format!(
            "{args:?} -> {:?} after {:?}: {:?}",
            self.code, self.took, self.stderr
        );
        println!("{said}");
        assert_eq!(self.code, Some(code), "{said}");
        assert_eq!(self.stderr.lines().count(), 1, "not one line: {said}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?}: {said}");
        }
        for word in ["panicked", "backtrace", "RUST_", "Some(", "Error {"] {
            assert!(
                !self.stderr.contains(word),
                "{word:?} is not for people: {said}"
            );
        }
    }
}

/// Runs the program to its end, which must come within `limit`.
async fn run(folder: &Path, args: &[&str], limit: Duration) -> Outcome {
    run_with(folder, args, Vec::new(), limit).await
}

/// The same with these environment variables besides.
async fn run_with(
    folder: &Path,
    args: &[&str],
    environment: Vec<(&'static str, String)>,
    limit: Duration,
) -> Outcome {
    let program = program();
    let started = std::time::Instant::now();
    let mut process = Replica::start(program, folder, "process", args, environment);
    let status = process.wait(limit).await;
    Outcome {
        code: status.code(),
        stderr: process.stderr(),
        took: started.elapsed(),
    }
}

/// A kubeconfig for a server that does not ask who one is; returns its path.
fn kubeconfig(folder: &Path, url: &str) -> String {
    let path = folder.join("kubeconfig").display().to_string();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    fs::write(&path, config.to_string()).unwrap();
    path
}
