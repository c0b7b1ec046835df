//! The keys of all settings.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Error, Result, Settings};

/// The keys that there are, in order.
pub(super) struct Keys {
    settings: BTreeSet<String>,
    sections: BTreeSet<String>,
}

// === impl Keys ===

impl Keys {
    /// Those of [`Settings`], as they are written.
    pub(super) fn new() -> Self {
        let mut keys = Self {
            settings: BTreeSet::new(),
            sections: BTreeSet::new(),
        };
        // Settings are plain structs, which serde_json always writes.
        keys.collect(
            "",
            &serde_json::to_value(Settings::default()).unwrap_or_default(),
        );
        keys
    }

    fn collect(&mut self, key: &str, value: &Value) {
        let Value::Object(fields) = value else {
            self.settings.insert(key.to_owned());
            return;
        };
        self.sections.insert(key.to_owned());
        for (name, value) in fields {
            self.collect(&join(key, name), value);
        }
    }

    pub(super) fn is_setting(&self, key: &str) -> bool {
        self.settings.contains(key)
    }

    pub(super) fn is_section(&self, key: &str) -> bool {
        self.sections.contains(key)
    }

    /// Refuses `key`, which was found at `source`, when it is no setting.
    pub(super) fn check(&self, key: &str, source: &str) -> Result<()> {
        if self.is_setting(key) {
            return Ok(());
        }
        let text = if self.is_section(key) {
            let within = format!("{key}.");
            let one = self
                .settings
                .iter()
                .find(|known| known.starts_with(&within));
            let one = one.map_or("", |known| known);
            format!(
                "{key} ({source}): this is a section, not a setting: set one of its settings, as in {one}"
            )
        } else {
            let name = self.nearest(key);
            format!(
                "{} ({source}): there is no such setting: did you mean {name}?",
                key.escape_debug()
            )
        };
        Err(Error::setting(text))
    }

    /// The setting whose key differs least from `key`.
    pub(super) fn nearest(&self, key: &str) -> &str {
        // A name in the wrong section, or in none, is nearer than any other.
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let distances = self.settings.iter().map(|known| {
            let distance = distance(key, known).min(1 + distance(&last(key), &last(known)));
            (distance, known)
        });
        distances.min().map_or("", |(_, known)| known)
    }
}

/// The key of `name` in a section; the outermost section has no name.
pub(super) fn join(section: &str, name: &str) -> String {
    match section {
        "" => name.to_owned(),
        section => format!("{section}.{name}"),
    }
}

/// How many letters must be added, removed or replaced (Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    // More letters than any key has say nothing further.
    let b: Vec<_> = b.chars().collect();
    let mut row: Vec<_> = (0..=b.len()).collect();
    for (i, a) in a.chars().take(100).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, expected) in [("", "abc", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_key_is_what_was_meant() {
        let keys = Keys::new();
        for (wrong, meant) in [
            ("sharding.lease_duraton", "sharding.lease_duration"),
            ("lease_duration", "sharding.lease_duration"),
            ("manager.weight", "sharding.weight"),
            ("controller.concurency", "controller.concurrency"),
        ] {
            assert_eq!(keys.nearest(wrong), meant, "{wrong}");
        }
    }
}
