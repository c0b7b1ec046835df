//! kubectl says the same on the sandbox as on a real cluster: it types the same commands to both.
//!
//! # Scripts
//! A script is a file `kubectl/scripts/*.console`; see [`script`] for how it is written. Its commands run in a shell, in an
//! empty folder, with a namespace of the script's own as the default. After each one the standard output, the standard
//! error and the status of the two shells are compared, once [`normal`] has replaced what no two servers have in common:
//! times, ages, uids, versions and addresses. Neither server has controllers.
//!
//! ```text
//! export KUBEBUILDER_ASSETS=...                                     # see tests/assets/README.md
//! cargo test -p kube-sandbox --test kubectl -- --ignored
//! SCRIPTS=apply cargo test -p kube-sandbox --test kubectl -- --ignored   # scripts whose name has `apply`
//! ```
//!
//! # Known differences
//! A command behind a line `! reason` differs for that reason, which `src/docs/differences.md` names as well. When it
//! differs no longer, the test fails: the line has to go.

#[path = "support/control_plane.rs"]
mod control_plane;
#[path = "kubectl/diff.rs"]
mod diff;
#[path = "kubectl/normal.rs"]
mod normal;
#[path = "kubectl/script.rs"]
mod script;
#[path = "kubectl/terminal.rs"]
mod terminal;

use std::time::Instant;

use control_plane::ControlPlane;
use kube_sandbox::Sandbox;
use script::{Command, Script};
use terminal::{Output, Terminal};

const DOCUMENT: &str = include_str!("../src/docs/differences.md");

#[tokio::test]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md"]
async fn kubectl_says_the_same_on_the_sandbox_as_on_a_cluster() {
    let scripts = script::read();
    let plane = ControlPlane::start().await;
    let server = Sandbox::builder()
        .controllers(false)
        .build()
        .listen("127.0.0.1:0")
        .await
        .expect("a free port");
    let kubeconfig = serde_json::to_value(server.kubeconfig_for("admin")).expect("it is JSON");
    let (sandbox, cluster) = (
        Terminal::new(&kubeconfig),
        Terminal::new(&plane.kubeconfig()),
    );
    let start = Instant::now();
    let mut failures = Vec::new();
    for script in &scripts {
        failures.extend(play(script, &sandbox, &cluster).await);
    }
    let count: usize = scripts.iter().map(|script| script.commands.len()).sum();
    println!("{count} commands in {:?}", start.elapsed());
    let texts = failures.join("\n");
    assert!(
        failures.is_empty(),
        "{texts}\n{} commands differ",
        failures.len()
    );
}

#[test]
fn known_differences_are_documented() {
    let scripts = script::read();
    let commands = scripts.iter().flat_map(|script| &script.commands);
    for reason in commands.filter_map(|command| command.differs.as_deref()) {
        assert!(DOCUMENT.contains(reason), "{reason}");
    }
}

/// Types a script to both servers; says what is not as it should be.
async fn play(script: &Script, sandbox: &Terminal, cluster: &Terminal) -> Vec<String> {
    tokio::join!(sandbox.enter(&script.name), cluster.enter(&script.name));
    let mut failures = Vec::new();
    for command in &script.commands {
        let (found, expected) = tokio::join!(
            sandbox.run(&script.name, &command.text),
            cluster.run(&script.name, &command.text),
        );
        if let Some(failure) = judge(command, &found, &expected) {
            failures.push(format!(
                "--- {}: $ {}\n{failure}",
                script.name, command.text
            ));
        }
    }
    failures
}

fn judge(command: &Command, found: &Output, expected: &Output) -> Option<String> {
    match &command.differs {
        None if found == expected => None,
        None => Some(found.difference(expected)),
        Some(_) if found != expected => None,
        Some(reason) => Some(format!("differs no longer: {reason}\n")),
    }
}
