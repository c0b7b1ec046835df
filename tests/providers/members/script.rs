//! `manifests/kubeconfig-secret.sh`, with the kubectl of the assets.

use std::{env, path::Path, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use crate::fleet::control_plane::asset;

const LIMIT: Duration = Duration::from_secs(90);

/// Makes a member's Secret in the hub, and everything in the member that it needs; `more` are further arguments.
pub(crate) async fn run(member: &Path, hub: &Path, namespace: &str, name: &str, more: &[&str]) {
    let kubectl = asset("kubectl");
    let folders = env::var_os("PATH").unwrap_or_default();
    let own = kubectl.parent().map(Path::to_owned);
    let folders = own.into_iter().chain(env::split_paths(&folders));
    let folders = env::join_paths(folders).expect("a search path");
    let script = Command::new("manifests/kubeconfig-secret.sh")
        .args(["--name", name, "--rule", "get,list,watch:configmaps"])
        .arg("--member-kubeconfig")
        .arg(member)
        .arg("--hub-kubeconfig")
        .arg(hub)
        .args(["--hub-namespace", namespace, "--apply"])
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", folders)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(LIMIT, script).await.expect("the script ends");
    let output = output.expect("the script starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    // Everything is in the hub, and nothing of it on the terminal.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}
