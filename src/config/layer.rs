//! The settings of one source.

use ::config::{ConfigError, Map, Source, Value as Merged};
use serde_json::{Value, json};

use super::{Error, Result, Settings, keys::Keys};

/// One setting, and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// With dots, as in `sharding.weight`.
    pub(super) key: String,
    pub(super) value: Value,
    /// As in `settings.toml line 3`.
    pub(super) source: String,
    /// The source has texts only: this one may stand for a number.
    is_text: bool,
}

/// Settings of one source that were checked one by one.
#[derive(Clone, Debug)]
pub(super) struct Layer(Vec<Entry>);

// === impl Entry ===

impl Entry {
    /// A setting of a source that knows types.
    pub(super) fn typed(key: String, value: Value, source: String) -> Self {
        Self {
            key,
            value,
            source,
            is_text: false,
        }
    }

    /// A setting of a source that knows texts only.
    pub(super) fn text(key: &str, value: &str, source: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.into(),
            source: source.to_owned(),
            is_text: true,
        }
    }

    /// The same with a value of the type that the setting has.
    fn check(self, keys: &Keys) -> Result<Self> {
        keys.check(&self.key, &self.source)?;
        let other = self.value.as_str().and_then(number_or_switch);
        let mut values = vec![self.value];
        values.extend(other.filter(|_| self.is_text));
        let mut wrong = String::new();
        for value in values {
            match fits(&self.key, &value) {
                Ok(()) => return Ok(Self { value, ..self }),
                Err(text) => wrong = text,
            }
        }
        let Self { key, source, .. } = self;
        Err(Error::setting(format!("{key} ({source}): {wrong}")))
    }
}

/// What a text says besides itself.
fn number_or_switch(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_number() || value.is_boolean()).then_some(value)
}

/// Whether `value` can be that of `key`, strictly: no number stands for a text, no fraction for a number.
fn fits(key: &str, value: &Value) -> Result<(), String> {
    let nested = key
        .rsplit('.')
        .fold(value.clone(), |inner, name| json!({ name: inner }));
    let fitting = serde_json::from_value::<Settings>(nested);
    fitting.map(drop).map_err(|error| plain(&error.to_string()))
}

/// Says for people what the types of Rust are.
fn plain(message: &str) -> String {
    let words = [
        ("expected u32", "expected a whole number up to 4294967295"),
        ("expected usize", "expected a whole number"),
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected a text"),
    ];
    words.iter().fold(message.to_owned(), |text, (rust, word)| {
        text.strip_suffix(rust)
            .map(|before| format!("{before}{word}"))
            .unwrap_or(text)
    })
}

// === impl Layer ===

impl Layer {
    /// Refuses what is no setting, or has the wrong type.
    pub(super) fn check(entries: Vec<Entry>, keys: &Keys) -> Result<Self> {
        let checked = entries.into_iter().map(|entry| entry.check(keys));
        checked.collect::<Result<_>>().map(Self)
    }

    /// Where each setting was set.
    pub(super) fn origins(&self) -> impl Iterator<Item = (String, String)> {
        self.0
            .iter()
            .map(|entry| (entry.key.clone(), entry.source.clone()))
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Merged>, ConfigError> {
        let values = self.0.iter().map(|entry| {
            let value = serde_json::from_value(entry.value.clone());
            let value: Merged = value.map_err(|error| ConfigError::Foreign(error.into()))?;
            Ok((
                entry.key.clone(),
                Merged::new(Some(&entry.source), value.kind),
            ))
        });
        values.collect()
    }
}
