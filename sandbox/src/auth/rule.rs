//! One rule of a role.

use serde_json::Value;

use super::attributes::{Attributes, Target};

/// Verbs, and the resources or paths that they are allowed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyRule {
    pub verbs: Vec<String>,
    pub groups: Vec<String>,
    /// Resources, also as `resource/subresource` and `*/subresource`.
    pub resources: Vec<String>,
    /// The only names that are meant; none means all.
    pub names: Vec<String>,
    pub paths: Vec<String>,
}

// === impl PolicyRule ===

impl PolicyRule {
    /// The rules of a Role or ClusterRole.
    pub(super) fn all_of(role: &Value) -> Vec<Self> {
        let rules = role["rules"].as_array();
        rules.into_iter().flatten().map(Self::read).collect()
    }

    fn read(rule: &Value) -> Self {
        let texts = |field: &str| {
            let list = rule[field].as_array();
            let texts = list.into_iter().flatten().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            paths: texts("nonResourceURLs"),
        }
    }

    pub(super) fn allows(&self, asked: &Attributes) -> bool {
        if !any_or(&self.verbs, &asked.verb) {
            return false;
        }
        match &asked.target {
            Target::Path(path) => self.paths.iter().any(|rule| path_covers(rule, path)),
            Target::Resource(target) => {
                any_or(&self.groups, &target.group)
                    && resources_cover(&self.resources, &target.combined())
                    && (self.names.is_empty() || self.names.contains(&target.name))
            }
        }
    }

    /// Whether it grants all that `other`, one of [`atoms`](Self::atoms), does.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let all = |own: &[String], others: &[String]| others.iter().all(|one| any_or(own, one));
        all(&self.verbs, &other.verbs)
            && all(&self.groups, &other.groups)
            && other
                .resources
                .iter()
                .all(|resource| resources_cover(&self.resources, resource))
            && other
                .paths
                .iter()
                .all(|path| self.paths.iter().any(|own| path_covers(own, path)))
            && (self.names.is_empty()
                || (!other.names.is_empty()
                    && other.names.iter().all(|name| self.names.contains(name))))
    }

    /// The same rights as rules with one verb on one thing each.
    pub(super) fn atoms(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let names = if self.names.is_empty() {
            vec![Vec::new()]
        } else {
            self.names.iter().map(one).collect()
        };
        let mut atoms = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    atoms.extend(names.iter().map(|names| Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        names: names.clone(),
                        paths: Vec::new(),
                    }));
                }
            }
        }
        for path in &self.paths {
            atoms.extend(self.verbs.iter().map(|verb| Self {
                verbs: one(verb),
                paths: one(path),
                ..Self::default()
            }));
        }
        atoms
    }
}

/// Whether `list` has `text`, or `*` for everything.
fn any_or(list: &[String], text: &str) -> bool {
    list.iter().any(|one| one == "*" || one == text)
}

fn resources_cover(rules: &[String], combined: &str) -> bool {
    rules.iter().any(|rule| {
        let same_part = || {
            let (part, wanted) = (rule.strip_prefix("*/"), combined.split_once('/'));
            part.is_some() && part == wanted.map(|(_, part)| part)
        };
        rule == "*" || rule == combined || same_part()
    })
}

fn path_covers(rule: &str, path: &str) -> bool {
    rule == path || (rule.ends_with('*') && path.starts_with(rule.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;
    use crate::query::Query;

    #[test]
    fn a_rule_allows_what_it_names_and_nothing_else() {
        let rule = |rule: Value| PolicyRule::read(&rule);
        let maps =
            rule(json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}));
        let one = rule(
            json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"], "resourceNames": ["x"]}),
        );
        let status = rule(json!({"apiGroups": ["*"], "resources": ["*/status"], "verbs": ["get"]}));
        let all = rule(json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}));
        let paths = rule(json!({"nonResourceURLs": ["/api/*", "/version"], "verbs": ["get"]}));
        let (map, state) = (
            "/api/v1/namespaces/a/configmaps/x",
            "/apis/apps/v1/namespaces/a/statefulsets/x/status",
        );
        for (name, rule, method, path, expected) in [
            ("maps", &maps, Method::GET, map, true),
            ("maps", &maps, Method::GET, "/api/v1/configmaps", true),
            (
                "maps",
                &maps,
                Method::GET,
                "/api/v1/configmaps?watch=1",
                false,
            ),
            ("maps", &maps, Method::PUT, map, false),
            ("maps", &maps, Method::GET, "/apis/x/v1/configmaps", false),
            ("one", &one, Method::DELETE, map, true),
            ("one", &one, Method::GET, "/api/v1/configmaps", false),
            (
                "one",
                &one,
                Method::POST,
                "/api/v1/namespaces/a/configmaps",
                false,
            ),
            (
                "one",
                &one,
                Method::GET,
                "/api/v1/configmaps?fieldSelector=metadata.name=x",
                true,
            ),
            ("status", &status, Method::GET, state, true),
            ("status", &status, Method::GET, map, false),
            ("all", &all, Method::GET, state, true),
            ("all", &all, Method::GET, "/version", false),
            ("paths", &paths, Method::GET, "/version", true),
            ("paths", &paths, Method::GET, "/api/v1", true),
            ("paths", &paths, Method::GET, "/api", false),
            ("paths", &paths, Method::POST, "/version", false),
        ] {
            let (line, query) = path.split_once('?').unwrap_or((path, ""));
            let asked = Attributes::of(&method, line, &Query::parse(query));
            assert_eq!(rule.allows(&asked), expected, "{name}: {method} {path}");
        }
    }
}
