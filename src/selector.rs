//! Which clusters a part of the program works on: filters, and selectors of labels.

use std::{collections::BTreeSet, sync::Arc};

use kube::core::{Expression, Selector, SelectorExt};

use crate::{
    cluster::Cluster,
    error::{Error, Result},
};

/// The longest name in a label, in bytes.
const MAX_NAME: usize = 63;

/// The longest prefix of a label's key, in bytes.
const MAX_PREFIX: usize = 253;

/// The clusters for which all of some filters say so; without one, every cluster.
#[derive(Clone, Default)]
pub(crate) struct ClusterFilter(Vec<Arc<Filter>>);

type Filter = dyn Fn(&Cluster) -> bool + Send + Sync;

/// Reads a label selector as `kubectl --selector` takes it.
///
/// The parts, separated by commas, must all hold: `key`, `!key`, `key=value` (or `==`), `key!=value`,
/// `key in (one, other)` and `key notin (one, other)`. An empty selector matches everything. Keys and values are checked
/// as an API server does; its comparisons of numbers (`<`, `>`) are not supported.
///
/// ```
/// use kube::core::SelectorExt;
/// use multicluster::parse_selector;
///
/// let selector = parse_selector("env=prod, region in (eu, us), !canary")?;
/// let labels = [("env", "prod"), ("region", "eu")];
/// assert!(selector.matches(&labels.map(|(key, value)| (key.into(), value.into())).into()));
/// assert!(parse_selector("env=prod=eu").is_err());
/// # Ok::<(), multicluster::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] that says what was expected and where.
pub fn parse_selector(text: &str) -> Result<Selector> {
    let mut parser = Parser { rest: text };
    parser.selector().map_err(|wrong| {
        let text: String = text.chars().take(256).collect();
        Error::setting(format!("label selector {text:?}: {wrong}"))
    })
}

/// What is not read yet.
struct Parser<'a> {
    rest: &'a str,
}

// === impl ClusterFilter ===

impl ClusterFilter {
    /// Also asks `filter`.
    pub(crate) fn add(&mut self, filter: impl Fn(&Cluster) -> bool + Send + Sync + 'static) {
        self.0.push(Arc::new(filter));
    }

    /// Also asks for labels.
    pub(crate) fn add_labels(&mut self, selector: Selector) {
        self.add(move |cluster| selector.matches(cluster.get_labels()));
    }

    pub(crate) fn selects(&self, cluster: &Cluster) -> bool {
        self.0.iter().all(|filter| filter(cluster))
    }
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn selector(&mut self) -> Result<Selector, String> {
        let mut expressions = Vec::new();
        self.skip_space();
        while !self.rest.is_empty() || !expressions.is_empty() {
            expressions.push(self.expression()?);
            self.skip_space();
            if self.rest.is_empty() {
                break;
            }
            self.expect(",")?;
        }
        Ok(expressions.into_iter().collect())
    }

    fn expression(&mut self) -> Result<Expression, String> {
        if self.takes("!") {
            return Ok(Expression::DoesNotExist(self.key()?));
        }
        let key = self.key()?;
        if self.takes("!=") {
            return Ok(Expression::NotEqual(key, self.value()?));
        }
        if self.takes("==") || self.takes("=") {
            return Ok(Expression::Equal(key, self.value()?));
        }
        if self.rest.starts_with(['<', '>']) {
            return Err(format!(
                "{key:?} is compared as a number, which is not supported"
            ));
        }
        match self.word() {
            "" => Ok(Expression::Exists(key)),
            "in" => Ok(Expression::In(key, self.values()?)),
            "notin" => Ok(Expression::NotIn(key, self.values()?)),
            other => Err(format!(
                "expected =, !=, in, notin or a comma after {key:?}, found {other:?}"
            )),
        }
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        self.expect("(")?;
        if self.takes(")") {
            return Err("there must be a value between ( and )".into());
        }
        let mut values = BTreeSet::from([self.value()?]);
        while self.takes(",") {
            values.insert(self.value()?);
        }
        self.expect(")")?;
        Ok(values)
    }

    fn key(&mut self) -> Result<String, String> {
        let key = self.word();
        if key.is_empty() {
            return Err(format!(
                "expected the key of a label, found {:?}",
                self.found()
            ));
        }
        let (prefix, name) = match key.split_once('/') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, key),
        };
        if prefix.is_none_or(is_domain) && is_name(name) {
            Ok(key.to_owned())
        } else {
            Err(format!("{key:?} cannot be the key of a label"))
        }
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.word();
        if value.is_empty() || is_name(value) {
            Ok(value.to_owned())
        } else {
            Err(format!("{value:?} cannot be the value of a label"))
        }
    }

    /// What stands before the next space or symbol; can be empty.
    fn word(&mut self) -> &'a str {
        self.skip_space();
        let ends = |c: char| c.is_whitespace() || "=!(),<>".contains(c);
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Reads `symbol`, if it is next.
    fn takes(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.takes(symbol) {
            Ok(())
        } else {
            Err(format!("expected {symbol:?}, found {:?}", self.found()))
        }
    }

    /// The beginning of what is left, for an error.
    fn found(&self) -> String {
        self.rest.chars().take(32).collect()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

/// Whether a label's value, or its key after the prefix, may be `text`.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: char| c.is_ascii_alphanumeric();
    text.len() <= MAX_NAME
        && text.chars().all(inner)
        && text.starts_with(outer)
        && text.ends_with(outer)
}

/// Whether the prefix of a label's key may be `text`: a DNS subdomain.
fn is_domain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let outer = |c: char| c.is_ascii_alphanumeric();
    let is_part =
        |part: &str| part.chars().all(inner) && part.starts_with(outer) && part.ends_with(outer);
    text.len() <= MAX_PREFIX && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Selector, labels that match, labels that do not.
    const MATCHES: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "a=b"], &[]),
        (
            "env=prod",
            &["env=prod", "env=prod x=y"],
            &["", "env=test", "x=prod"],
        ),
        ("env == prod", &["env=prod"], &["env=test"]),
        ("env!=prod", &["", "env=test"], &["env=prod"]),
        ("example.com/env", &["example.com/env=x"], &["env=x"]),
        ("!canary", &["", "env=prod"], &["canary=", "canary=no"]),
        (
            "region in (eu,us)",
            &["region=eu", "region=us"],
            &["", "region=asia"],
        ),
        (
            "region notin ( eu , us )",
            &["", "region=asia"],
            &["region=eu"],
        ),
        (
            " env=prod,region in (eu, us),!canary ",
            &["env=prod region=us"],
            &["env=prod", "env=prod region=us canary=x"],
        ),
        ("env=", &["env="], &["", "env=prod"]),
        ("in in (in),notin", &["in=in notin=x"], &["in=in"]),
    ];

    #[test]
    fn selectors_match_as_kubectls_do() {
        for (text, matching, others) in MATCHES {
            let selector = parse_selector(text).unwrap();
            let labels = |text: &str| {
                let pairs = text
                    .split_whitespace()
                    .filter_map(|pair| pair.split_once('='));
                pairs
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .collect()
            };
            for text in *matching {
                assert!(selector.matches(&labels(text)), "{selector}: {text:?}");
            }
            for text in *others {
                assert!(!selector.matches(&labels(text)), "{selector}: {text:?}");
            }
            // As it is sent to a server, it says the same.
            assert_eq!(parse_selector(&selector.to_string()).unwrap(), selector);
        }
    }

    #[test]
    fn a_wrong_selector_is_named_with_what_was_expected() {
        let long = "x".repeat(64);
        for (text, expected) in [
            (",", "expected the key of a label, found \",\""),
            ("env=prod,", "expected the key of a label, found \"\""),
            ("=prod", "expected the key of a label, found \"=prod\""),
            ("env=prod=eu", "expected \",\", found \"=eu\""),
            (
                "env prod",
                "expected =, !=, in, notin or a comma after \"env\", found \"prod\"",
            ),
            ("region in eu", "expected \"(\", found \"eu\""),
            ("region in (eu", "expected \")\", found \"\""),
            ("region in ()", "there must be a value"),
            ("region in (eu us)", "expected \")\", found \"us)\""),
            ("size>3", "compared as a number"),
            ("!", "expected the key of a label"),
            ("-env", "\"-env\" cannot be the key"),
            ("Example.com/env", "cannot be the key"),
            ("a/b/c", "cannot be the key"),
            ("/env", "cannot be the key"),
            ("env=größe", "\"größe\" cannot be the value"),
            (&format!("env={long}"), "cannot be the value"),
            (&format!("{long}=env"), "cannot be the key"),
        ] {
            let error = parse_selector(text).unwrap_err();
            assert!(matches!(error, Error::Setting(_)));
            let message = error.to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
            assert!(message.starts_with("label selector \""), "{message}");
        }
        let endless = parse_selector(&"(".repeat(1 << 20)).unwrap_err();
        assert!(endless.to_string().len() < 1_000);
    }
}
