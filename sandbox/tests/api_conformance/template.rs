//! Requests with variables in them.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};

/// The values of variables by name.
#[derive(Clone, Debug)]
pub(crate) struct Variables(BTreeMap<String, String>);

// === impl Variables ===

impl Variables {
    /// The variables at the start of a case.
    pub(crate) fn new(namespace: &str) -> Self {
        let groups = [
            ("core", "api/v1"),
            ("apps", "apis/apps/v1"),
            ("leases", "apis/coordination.k8s.io/v1"),
            ("rbac", "apis/rbac.authorization.k8s.io/v1"),
            ("policy", "apis/policy/v1"),
            ("events", "apis/events.k8s.io/v1"),
        ];
        let path = |(name, path): (&str, &str)| {
            let path = format!("/{path}/namespaces/{namespace}");
            (name.to_owned(), path)
        };
        let mut variables: BTreeMap<_, _> = groups.into_iter().map(path).collect();
        variables.insert("ns".to_owned(), namespace.to_owned());
        Self(variables)
    }

    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// The text with the values in place of the variables; unknown ones, of refused requests for instance, stay empty.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut parts = text.split("{{");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once("}}").expect("{{ without }}");
            filled.push_str(self.0.get(name).map_or("", String::as_str));
            filled.push_str(rest);
        }
        filled
    }

    /// The bytes of a body.
    pub(crate) fn body(&self, text: &str) -> Vec<u8> {
        let text = self.fill(text);
        if let Some(rest) = text.strip_prefix("@pad ") {
            let (count, text) = rest.split_once(' ').expect("@pad count text");
            let letters = "x".repeat(count.parse().expect("a count"));
            return text.replace('#', &letters).into_bytes();
        }
        match text.strip_prefix("@base64 ") {
            Some(encoded) => BASE64_STANDARD.decode(encoded).expect("base64"),
            None if text == "@empty" => Vec::new(),
            None => text.into_bytes(),
        }
    }
}
