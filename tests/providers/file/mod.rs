//! Kubeconfig files.

mod broken;
mod changes;
mod connecting;
mod followed;
mod many;
mod sources;

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

/// Changes must be noticed: no poll comes to help.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// So that a problem which is reported at each poll is found.
const OFTEN: Duration = Duration::from_millis(20);

/// A text that must not be seen anywhere.
const SECRET: &str = "hunter2";

/// A context of the same name as its cluster and its user.
fn context(name: &str, server: &str, user: &Value) -> [Value; 3] {
    [
        json!({"name": name, "context": {"cluster": name, "user": name}}),
        json!({"name": name, "cluster": {"server": server}}),
        json!({"name": name, "user": user}),
    ]
}

/// The text of a kubeconfig with these contexts.
fn kubeconfig(contexts: impl IntoIterator<Item = [Value; 3]>) -> String {
    let mut config = json!({"kind": "Config", "contexts": [], "clusters": [], "users": []});
    for entries in contexts {
        for (field, entry) in ["contexts", "clusters", "users"].iter().zip(entries) {
            config[field].as_array_mut().unwrap().push(entry);
        }
    }
    config.to_string()
}

/// A kubeconfig with contexts of these names, each with a token of its own.
fn contexts(names: &[&str]) -> String {
    kubeconfig(names.iter().map(|name| {
        let user = json!({"token": format!("{SECRET}-{name}")});
        context(name, "https://127.0.0.1:1", &user)
    }))
}

/// Writes a file as careful programs do: beside it, and then in its place.
fn put(file: impl AsRef<Path>, text: &str) {
    let file = file.as_ref();
    let beside = file.with_file_name(".beside");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, file).unwrap();
}
