//! The environment and the arguments of a container.

use std::{collections::BTreeMap, ffi::OsString};

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};
use kube::ResourceExt;

/// What is handed down to containers from this process, where it is set, besides settings.
const INHERITED: [&str; 2] = ["RUST_LOG", "RUST_BACKTRACE"];

/// What the variables of settings begin with.
const SETTINGS: &str = "MULTICLUSTER_";

/// Where everything runs.
pub(super) const ADDRESS: &str = "127.0.0.1";

/// The environment variables and the arguments.
pub(super) type Launch = (Vec<(String, OsString)>, Vec<String>);

/// Reads them from the container's spec; an error says what is not available here.
pub(super) fn of(container: &Container, pod: &Pod, node: &str) -> Result<Launch, String> {
    if container
        .env_from
        .as_ref()
        .is_some_and(|from| !from.is_empty())
    {
        return Err("envFrom is not available here".into());
    }
    let mut values = BTreeMap::new();
    for variable in container.env.iter().flatten() {
        let value = value(variable, pod, node, &values)?;
        values.insert(variable.name.clone(), value);
    }
    let args = container.args.iter().flatten();
    let args = args.map(|arg| expand(arg, &values)).collect();
    let inherited = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let is_inherited = INHERITED.contains(&&*name) || name.starts_with(SETTINGS);
        is_inherited.then_some((name, value))
    });
    let host = ("HOSTNAME".to_owned(), OsString::from(pod.name_any()));
    let own = values.into_iter().map(|(name, value)| (name, value.into()));
    Ok((inherited.chain([host]).chain(own).collect(), args))
}

fn value(
    variable: &EnvVar,
    pod: &Pod,
    node: &str,
    earlier: &BTreeMap<String, String>,
) -> Result<String, String> {
    let Some(source) = &variable.value_from else {
        let text = variable.value.as_deref().unwrap_or_default();
        return Ok(expand(text, earlier));
    };
    let path = source
        .field_ref
        .as_ref()
        .map(|field| field.field_path.as_str());
    let value = path.and_then(|path| field(path, pod, node));
    let name = &variable.name;
    value.ok_or_else(|| match path {
        Some(path) => format!("the field {path:?} of the variable {name} is not available here"),
        None => format!("the source of the variable {name} is not available here"),
    })
}

/// A field of the downward API.
fn field(path: &str, pod: &Pod, node: &str) -> Option<String> {
    let of = |map: &BTreeMap<String, String>, key: &str| {
        let key = key.strip_prefix("['")?.strip_suffix("']")?;
        Some(map.get(key).cloned().unwrap_or_default())
    };
    if let Some(key) = path.strip_prefix("metadata.labels") {
        return of(pod.labels(), key);
    }
    if let Some(key) = path.strip_prefix("metadata.annotations") {
        return of(pod.annotations(), key);
    }
    match path {
        "metadata.name" => Some(pod.name_any()),
        "metadata.namespace" => pod.namespace(),
        "metadata.uid" => pod.uid(),
        "spec.nodeName" => Some(node.to_owned()),
        "spec.serviceAccountName" => pod.spec.as_ref()?.service_account_name.clone(),
        "status.podIP" | "status.podIPs" | "status.hostIP" | "status.hostIPs" => {
            Some(ADDRESS.into())
        }
        _ => None,
    }
}

/// Replaces `$(NAME)` by its value; `$$` is a dollar sign, and unknown names stay as they are.
fn expand(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let name = after
            .strip_prefix('(')
            .and_then(|name| name.split_once(')'));
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = name {
            match values.get(name) {
                Some(value) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = after;
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_refer_to_earlier_ones() {
        let values = [("A", "1"), ("B", "2")].map(|(name, value)| (name.into(), value.into()));
        let values = BTreeMap::from(values);
        for (text, expanded) in [
            ("$(A)-$(B)", "1-2"),
            ("$$(A)", "$(A)"),
            ("$(C) $ $A $(", "$(C) $ $A $("),
            ("", ""),
        ] {
            assert_eq!(expand(text, &values), expanded, "{text}");
        }
    }

    #[test]
    fn the_downward_api_tells_a_pod_who_it_is() {
        let pod = json!({"metadata": {"name": "a-0", "namespace": "n", "uid": "u", "labels": {"l": "v"}}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        for (path, value) in [
            ("metadata.name", Some("a-0")),
            ("metadata.uid", Some("u")),
            ("metadata.labels['l']", Some("v")),
            ("metadata.labels['m']", Some("")),
            ("spec.nodeName", Some("node")),
            ("spec.nonsense", None),
        ] {
            assert_eq!(field(path, &pod, "node").as_deref(), value, "{path}");
        }
    }
}
