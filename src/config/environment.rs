//! Settings in environment variables.

use std::ffi::OsString;

use super::{Error, Result, keys::Keys, layer::Entry};

const PREFIX: &str = "MULTICLUSTER_";

/// The settings among `variables`; one that only looks like a setting is an error.
pub(super) fn entries(variables: Vec<(OsString, OsString)>, keys: &Keys) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let key = rest.replace("__", ".").to_lowercase();
        // Else two variables that differ in case could say two things.
        if !keys.is_setting(&key) || variable(&key) != *name {
            if is_service(rest) {
                continue;
            }
            let meant = variable(keys.nearest(&key));
            return Err(Error::setting(format!(
                "{} (environment): there is no such setting: did you mean {meant}?",
                name.escape_debug()
            )));
        }
        let Some(value) = value.to_str() else {
            return Err(Error::setting(format!("{key} ({name}): it is not UTF-8")));
        };
        entries.push(Entry::text(&key, value, &name));
    }
    Ok(entries)
}

/// The variable of a setting.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// Whether Kubernetes sets it in every Pod beside a Service whose name begins with `multicluster`.
///
/// These are `.._SERVICE_HOST`, `.._SERVICE_PORT`, `.._SERVICE_PORT_<name>`, `.._PORT` and `.._PORT_<number>_TCP..`.
fn is_service(rest: &str) -> bool {
    let of_port = |(_, after): (&str, &str)| {
        let number = after.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok()
    };
    let padded = format!("_{rest}");
    padded.ends_with("_SERVICE_HOST")
        || padded.ends_with("_SERVICE_PORT")
        || padded.contains("_SERVICE_PORT_")
        || padded.ends_with("_PORT")
        || padded.split_once("_PORT_").is_some_and(of_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubernetes_sets_for_services_is_no_setting() {
        for name in [
            "SERVICE_HOST",
            "PORT",
            "METRICS_SERVICE_PORT",
            "METRICS_SERVICE_PORT_HTTP",
            "METRICS_PORT_443_TCP",
            "PORT_443_TCP_ADDR",
        ] {
            assert!(is_service(name), "{name}");
        }
        for name in ["SHARDING__WEIGHT", "SHARDING__PORT_X", "REPORT"] {
            assert!(!is_service(name), "{name}");
        }
    }
}
