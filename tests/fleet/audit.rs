//! What service accounts have asked of kube-apiserver, from its audit log.

use std::{collections::BTreeSet, fmt, fs, path::Path};

use serde_json::Value;

/// Requests of service accounts, with who and what, when they are answered; those of others are of no interest.
pub(crate) const POLICY: &str = r#"{
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"}
    ]
}"#;

/// What one rule of RBAC permits, or what it would have to permit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Access {
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With the subresource, as `pods/log`.
    pub(crate) resource: String,
}

/// All that one service account has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deeds {
    pub(crate) permitted: BTreeSet<Access>,
    pub(crate) refused: BTreeSet<Access>,
}

// === impl Access ===

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            verb,
            group,
            resource,
        } = self;
        match group.as_str() {
            "" => write!(f, "{verb} {resource}"),
            group => write!(f, "{verb} {resource}.{group}"),
        }
    }
}

// === impl Deeds ===

impl Deeds {
    /// Reads the audit log for `user`, as `system:serviceaccount:mcr-demo:sharded-namespace`.
    pub(crate) fn of(user: &str, log: &Path) -> Self {
        Self::read(
            user,
            &fs::read_to_string(log).expect("there is an audit log"),
        )
    }

    fn read(user: &str, log: &str) -> Self {
        let mut deeds = Self::default();
        // The last line may still be being written.
        let complete = log.rfind('\n').map_or("", |end| &log[..end]);
        for line in complete.lines() {
            let event: Value = serde_json::from_str(line).expect("a line is a JSON object");
            if event["user"]["username"] != user {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let object = &event["objectRef"];
            let access = Access {
                verb: text(&event["verb"]),
                group: text(&object["apiGroup"]),
                resource: match text(&object["subresource"]).as_str() {
                    "" => text(&object["resource"]),
                    part => format!("{}/{part}", text(&object["resource"])),
                },
            };
            match text(&event["annotations"]["authorization.k8s.io/decision"]).as_str() {
                "forbid" => deeds.refused.insert(access),
                _ => deeds.permitted.insert(access),
            };
        }
        deeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deeds_of_others_and_half_lines_do_not_count() {
        let line = |user: &str, verb: &str, decision: &str| {
            format!(
                r#"{{"user":{{"username":"{user}"}},"verb":"{verb}","objectRef":{{"resource":"leases",
                "apiGroup":"coordination.k8s.io"}},"annotations":{{"authorization.k8s.io/decision":"{decision}"}}}}"#
            )
            .replace('\n', "")
        };
        let log = [
            line("a", "list", "allow"),
            line("b", "create", "forbid"),
            line("a", "update", "forbid"),
            "{\"user\"".to_owned(),
        ];
        let deeds = Deeds::read("a", &log.join("\n"));
        let shown = |set: &BTreeSet<Access>| set.iter().map(Access::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&deeds.permitted), ["list leases.coordination.k8s.io"]);
        assert_eq!(shown(&deeds.refused), ["update leases.coordination.k8s.io"]);
    }
}
