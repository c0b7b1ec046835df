//! The program under test, built once.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;

const NAME: &str = "sharded-namespace";

/// The example's executable. Cargo tells no test where it is, so it is built here, which is quick when it is current.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(build)
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo sets for a test would look like a change to build scripts that read it: ring would be built each time.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    let built = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--message-format=json"])
        .args(["--example", NAME, "--features", "namespace"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(
        built.status.success(),
        "cargo build --example {NAME}: {}",
        built.status
    );
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == NAME
        })
        .and_then(|artifact| Some(PathBuf::from(artifact["executable"].as_str()?)))
        .expect("cargo names the executable")
}
