//! Each test loads settings from sources of its own.

mod documented;
mod wrong;

use std::{fs, path::PathBuf, time::Duration};

use tempfile::TempDir;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A folder with one settings file.
pub(super) struct File {
    _folder: TempDir,
    path: PathBuf,
}

// === impl File ===

impl File {
    pub(super) fn new(name: &str, content: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        Self {
            _folder: folder,
            path,
        }
    }

    /// Its settings without an environment.
    pub(super) fn sources(&self) -> Sources {
        nowhere().file(&self.path)
    }
}

/// No file, and an empty environment.
pub(super) fn nowhere() -> Sources {
    Settings::sources().environment([("", ""); 0])
}

#[test]
fn without_sources_there_are_the_defaults() {
    assert_eq!(nowhere().load().unwrap(), Settings::default());
}

#[test]
fn each_source_overrides_those_before_it() {
    const KEY: &str = "sharding.weight";
    let file = File::new("settings.toml", "sharding.weight = 3");
    let environment = [("MULTICLUSTER_SHARDING__WEIGHT", "4")];
    let mut sources = nowhere();
    let mut weights = Vec::new();
    let mut note = |sources: &Sources| {
        weights.push(sources.clone().load().unwrap().sharding.weight);
    };
    note(&sources);
    sources = sources.preset(KEY, "2");
    note(&sources);
    sources = sources.file(&file.path);
    note(&sources);
    sources = sources.environment(environment);
    note(&sources);
    sources = sources.set("--weight", KEY, "5");
    note(&sources);
    assert_eq!(weights, [1, 2, 3, 4, 5]);
}

#[test]
fn a_source_overrides_only_what_it_names() {
    let file = File::new("settings.yaml", "sharding: {weight: 3, drain_timeout: 9s}");
    let environment = [("MULTICLUSTER_SHARDING__WEIGHT", "4")];
    let settings = file.sources().environment(environment).load().unwrap();
    assert_eq!(settings.sharding.weight, 4);
    assert_eq!(settings.sharding.drain_timeout, 9 * SECOND);
    assert_eq!(settings.sharding.lease_duration, 15 * SECOND);
}

const TOML: &str = r#"
[sharding]
lease_namespace = "fleet"
peer_prefix = "p"
fence_prefix = "f"
lease_duration = "20s"
renew_interval = "1500ms"
stop_margin = "2s"
drain_timeout = "1m"
weight = 3
throttle = "250ms"
watchdog = true
[manager]
startup_timeout = "30s"
connect_timeout = "4s"
concurrent_connections = 5
[controller]
concurrency = 8
per_cluster_concurrency = 2
reconcile_timeout = "6s"
"#;

const YAML: &str = "
sharding:
  lease_namespace: fleet
  peer_prefix: p
  fence_prefix: f
  lease_duration: 20s
  renew_interval: 1500ms
  stop_margin: 2s
  drain_timeout: 1m
  weight: 3
  throttle: 250ms
  watchdog: true
manager:
  startup_timeout: 30s
  connect_timeout: 4s
  concurrent_connections: 5
controller:
  concurrency: 8
  per_cluster_concurrency: 2
  reconcile_timeout: 6s
";

#[test]
fn toml_and_yaml_and_the_environment_say_the_same() {
    let [toml, yaml, yml] = [
        ("settings.toml", TOML),
        ("settings.yaml", YAML),
        ("settings.yml", YAML),
    ]
    .map(|(name, text)| File::new(name, text).sources().load().unwrap());
    assert_eq!(toml, yaml);
    assert_eq!(toml, yml);
    assert_eq!(toml.manager.connect_timeout, 4 * SECOND);
    assert_eq!(toml.controller.per_cluster_concurrency, Some(2));

    // All of them differ from the defaults, so that none can be lost.
    let (value, defaults) = (flat(&toml), flat(&Settings::default()));
    for ((key, given), (_, default)) in value.iter().zip(&defaults) {
        assert_ne!(given, default, "{key}");
    }
    let variables = value.iter().map(|(key, value)| {
        let name = key.replace('.', "__").to_uppercase();
        (format!("MULTICLUSTER_{name}"), value.clone())
    });
    assert_eq!(nowhere().environment(variables).load().unwrap(), toml);
}

/// Each key with its value as a text.
pub(super) fn flat(settings: &Settings) -> Vec<(String, String)> {
    let value = serde_json::to_value(settings).unwrap();
    let mut all = Vec::new();
    for (section, fields) in value.as_object().unwrap() {
        for (name, value) in fields.as_object().unwrap() {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            all.push((format!("{section}.{name}"), text));
        }
    }
    all
}

#[test]
fn a_file_may_say_nothing() {
    for (name, content) in [
        ("settings.toml", ""),
        ("settings.yaml", ""),
        ("settings.toml", "# sharding.weight = 2\n[sharding]\n"),
        ("settings.yaml", "# nothing yet\n"),
        ("settings.yaml", "sharding:\n#  weight: 2\n"),
        ("settings.yaml", "---\n"),
        ("settings.yaml", "sharding: {renew_interval: null}"),
    ] {
        let settings = File::new(name, content).sources().load();
        assert_eq!(settings.unwrap(), Settings::default(), "{content:?}");
    }
}

#[test]
fn a_file_can_take_back_a_default_of_the_program() {
    let file = File::new("settings.yaml", "manager: {startup_timeout: null}");
    let sources = nowhere().preset("manager.startup_timeout", "30s");
    let preset = sources.clone().load().unwrap().manager.startup_timeout;
    assert_eq!(preset, Some(30 * SECOND));
    let settings = sources.file(&file.path).load().unwrap();
    assert_eq!(settings.manager.startup_timeout, None);
}

#[test]
fn a_text_that_looks_like_a_number_stays_a_text() {
    let environment = [
        ("MULTICLUSTER_SHARDING__LEASE_NAMESPACE", "42"),
        ("MULTICLUSTER_SHARDING__FENCE_PREFIX", "true"),
    ];
    let settings = nowhere().environment(environment).load().unwrap();
    assert_eq!(settings.sharding.lease_namespace.as_deref(), Some("42"));
    assert_eq!(settings.sharding.fence_prefix.as_deref(), Some("true"));
}

#[test]
fn other_variables_are_left_alone() {
    let environment = [
        ("PATH", "/bin"),
        ("MULTICLUSTERS", "x"),
        ("MULTICLUSTER_SERVICE_HOST", "10.0.0.1"),
        ("MULTICLUSTER_PORT_443_TCP", "tcp://10.0.0.1:443"),
    ];
    let settings = nowhere().environment(environment).load();
    assert_eq!(settings.unwrap(), Settings::default());
}
