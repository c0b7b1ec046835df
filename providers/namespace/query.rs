//! Query parameters.

use form_urlencoded::{Serializer, parse};

use super::rename::Renaming;

/// Fields that name a namespace.
const FIELDS: [&str; 4] = [
    "metadata.namespace",
    "involvedObject.namespace",
    "regarding.namespace",
    "related.namespace",
];

/// The decoded parameters of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

// === impl Query ===

impl Query {
    /// Reads a query; empty parameters, as in `?&watch=true`, are skipped.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = parse(text.as_bytes()).into_owned();
        Self {
            pairs: pairs.filter(|(key, _)| !key.is_empty()).collect(),
        }
    }

    #[cfg(test)]
    fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = pairs.into_iter();
        Self {
            pairs: pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }

    /// The first value of a parameter; an empty one is none.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(other, _)| other == key);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A switch, as the API server reads one: anything but `0` and `false` turns it on.
    pub(super) fn flag(&self, key: &str) -> bool {
        let found = self.pairs.iter().find(|(other, _)| other == key);
        found.is_some_and(|(_, value)| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// Whether there are no parameters but these, each at most once.
    pub(super) fn has_only(&self, known: &[&str]) -> bool {
        let seen = |key: &str| self.pairs.iter().filter(|(other, _)| other == key).count();
        let fine = |(key, _): &(String, String)| known.contains(&key.as_str()) && seen(key) == 1;
        self.pairs.iter().all(fine)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.pairs.retain(|(other, _)| other != key);
    }

    pub(super) fn set(&mut self, key: &str, value: impl Into<String>) {
        self.remove(key);
        self.pairs.push((key.to_owned(), value.into()));
    }

    /// Exchanges namespaces in field selectors.
    pub(super) fn rename(&mut self, renaming: &Renaming<'_>) {
        for (key, value) in &mut self.pairs {
            if key == "fieldSelector" {
                *value = selector(value, renaming);
            }
        }
    }

    pub(super) fn encode(&self) -> String {
        let mut encoded = Serializer::new(String::new());
        encoded.extend_pairs(&self.pairs);
        encoded.finish()
    }
}

/// Whether a field selector chooses by a namespace.
pub(super) fn chooses_namespace(selector: &str) -> bool {
    FIELDS.iter().any(|field| selector.contains(field))
}

fn selector(text: &str, renaming: &Renaming<'_>) -> String {
    let terms: Vec<_> = text
        .split(',')
        .map(|term| self::term(term, renaming))
        .collect();
    terms.join(",")
}

fn term(term: &str, renaming: &Renaming<'_>) -> String {
    for operator in ["!=", "==", "="] {
        let Some((field, value)) = term.split_once(operator) else {
            continue;
        };
        if FIELDS.contains(&field.trim())
            && let Some(other) = renaming.exchange(value.trim())
        {
            return format!("{field}{operator}{other}");
        }
        break;
    }
    term.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_selectors_are_renamed_both_ways() {
        for (before, after) in [
            ("metadata.namespace=default", "metadata.namespace=zoo"),
            ("metadata.namespace==default", "metadata.namespace==zoo"),
            ("metadata.namespace!=default", "metadata.namespace!=zoo"),
            // A namespace that this cluster does not have stays one that the server does not find.
            ("metadata.namespace=zoo", "metadata.namespace=default"),
            ("metadata.namespace=jungle", "metadata.namespace=jungle"),
            ("metadata.name=default", "metadata.name=default"),
            (
                "involvedObject.name=a,involvedObject.namespace=default",
                "involvedObject.name=a,involvedObject.namespace=zoo",
            ),
            ("", ""),
        ] {
            let mut query = Query::of([("fieldSelector", before)]);
            query.rename(&Renaming::sent("zoo", "events"));
            assert_eq!(query, Query::of([("fieldSelector", after)]));
        }
    }

    #[test]
    fn parameters_are_read_as_clients_write_them() {
        let query = Query::parse("&w%61tch=true&labelSelector=a+in+%28b%2Cc%29&resourceVersion=");
        assert!(query.flag("watch"));
        assert_eq!(query.get("labelSelector"), Some("a in (b,c)"));
        assert_eq!(query.get("resourceVersion"), None);
        assert_eq!(Query::parse(&query.encode()), query);
        for (text, watch) in [
            ("watch", true),
            ("watch=1", true),
            ("watch=False", false),
            ("watch=0", false),
            ("", false),
        ] {
            assert_eq!(Query::parse(text).flag("watch"), watch, "{text}");
        }
        assert!(Query::parse("watch=1").has_only(&["watch"]));
        assert!(!Query::parse("watch=1&watch=0").has_only(&["watch"]));
        assert!(!Query::parse("pretty=1").has_only(&["watch"]));
    }
}
