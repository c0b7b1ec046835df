//! Symbols in place of values that no two runs have in common.

use serde_json::Value;

/// The words behind which the number in a message is a version.
const BEFORE_VERSIONS: [&str; 4] = [
    "resource version",
    "ResourceVersion",
    "resourceVersion",
    "current:",
];

/// The form of a time, and of one in microseconds.
const TIME: &str = "2026-01-02T03:04:05Z";
const FINE_TIME: &str = "2026-01-02T03:04:05.678901Z";

/// How a message begins to quote an object.
const QUOTED_OBJECT: &str = "Invalid value: \"{";

/// The length from which a text is shown by its beginning alone.
const LONG: usize = 5000;

/// The values that were seen in a case, in the order in which they appeared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    namespace: String,
    versions: Vec<String>,
    uids: Vec<String>,
    names: Vec<String>,
    addresses: Vec<String>,
}

// === impl Symbols ===

impl Symbols {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..Self::default()
        }
    }

    /// The answer with symbols.
    pub(crate) fn apply(&mut self, mut answer: Value) -> Value {
        self.find_names(&answer);
        self.replace("", &mut answer);
        answer
    }

    /// Learns the names that the server has made up.
    fn find_names(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                let text = |key| fields.get(key).and_then(Value::as_str);
                if let (Some(prefix), Some(name)) = (text("generateName"), text("name"))
                    && name.len() > prefix.len()
                    && name.starts_with(prefix)
                {
                    place(&mut self.names, name);
                }
                fields.values().for_each(|field| self.find_names(field));
            }
            Value::Array(items) => items.iter().for_each(|item| self.find_names(item)),
            _ => {}
        }
    }

    /// `key` is the field that holds the value, or the list that it is in.
    fn replace(&mut self, key: &str, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Array(entries)) = fields.get_mut("managedFields") {
                    entries.sort_by_key(manager);
                }
                // The managers of conflicting fields come in no particular order.
                if let Some(Value::Array(causes)) = fields.get_mut("causes")
                    && causes
                        .iter()
                        .all(|cause| cause["reason"] == "FieldManagerConflict")
                {
                    causes.sort_by_key(Value::to_string);
                }
                for (key, mut field) in std::mem::take(fields) {
                    self.replace(&key, &mut field);
                    fields.insert(self.replace_uids(&key), field);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(key, item)),
            Value::String(text) => *text = self.text(key, text),
            Value::Number(_) if key == "nodePort" || key == "healthCheckNodePort" => {
                *value = "{{port}}".into();
            }
            _ => {}
        }
    }

    fn text(&mut self, key: &str, text: &str) -> String {
        match key {
            "continue" if !text.is_empty() => return "{{continue}}".to_owned(),
            "token" => return "{{token}}".to_owned(),
            "resourceVersion" if is_number(text) => return self.version(text),
            "cells" if is_age(text) => return "{{age}}".to_owned(),
            _ => {}
        }
        if text.starts_with("10.0.0.") {
            let place = place(&mut self.addresses, text);
            return format!("{{{{address {place}}}}}");
        }
        let text = &self.quoted_object(text);
        if text.len() > LONG {
            let start: String = text.chars().take(100).collect();
            return format!("{start}... {{{{{} bytes}}}}", text.len());
        }
        let mut text = text.replace(&self.namespace, "{{ns}}");
        for (place, name) in self.names.iter().enumerate() {
            text = text.replace(name, &format!("{{{{name {}}}}}", place + 1));
        }
        let mut text = self.replace_uids(&replace_times(&text));
        if BEFORE_VERSIONS.iter().any(|words| text.contains(words)) {
            text = self.replace_versions(&text);
        }
        text
    }

    /// A message that quotes a whole object, whose fields come in no particular order.
    fn quoted_object(&mut self, text: &str) -> String {
        let parts = || {
            let (before, rest) = text.split_once(QUOTED_OBJECT)?;
            let (quoted, after) = rest.split_once("}\": ")?;
            let json: String = serde_json::from_str(&format!("\"{{{quoted}}}\"")).ok()?;
            Some((before, serde_json::from_str::<Value>(&json).ok()?, after))
        };
        let Some((before, mut object, after)) = parts() else {
            return text.to_owned();
        };
        self.replace("", &mut object);
        format!("{before}Invalid value: {object}: {after}")
    }

    fn version(&mut self, text: &str) -> String {
        format!("{{{{version {}}}}}", place(&mut self.versions, text))
    }

    fn replace_uids(&mut self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some(start) = (0..rest.len()).find(|start| is_uid(rest.as_bytes(), *start)) {
            result.push_str(&rest[..start]);
            let place = place(&mut self.uids, &rest[start..start + 36]);
            result.push_str(&format!("{{{{uid {place}}}}}"));
            rest = &rest[start + 36..];
        }
        result + rest
    }

    /// Replaces the numbers that are versions which have been seen; others are given by the case.
    fn replace_versions(&self, text: &str) -> String {
        let pieces = text.split_inclusive(|letter: char| !letter.is_ascii_digit());
        let replace = |piece: &str| {
            let number = piece.trim_end_matches(|letter: char| !letter.is_ascii_digit());
            let known = self.versions.iter().position(|version| version == number);
            match known {
                Some(place) => piece.replacen(number, &format!("{{{{version {}}}}}", place + 1), 1),
                None => piece.to_owned(),
            }
        };
        let text: String = pieces.map(replace).collect();
        match text.split_once("current: ") {
            Some((before, _)) => format!("{before}current: {{{{current}}}}"),
            None => text,
        }
    }
}

/// The number of a value, counted from one; a new value is the next.
fn place(seen: &mut Vec<String>, value: &str) -> usize {
    let known = seen.iter().position(|known| known == value);
    known.unwrap_or_else(|| {
        seen.push(value.to_owned());
        seen.len() - 1
    }) + 1
}

/// What tells an entry of the managed fields from others; the servers order them by time, which only seconds tell apart.
fn manager(entry: &Value) -> String {
    let parts = ["manager", "operation", "apiVersion", "subresource"];
    parts.map(|part| entry[part].to_string()).concat()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text != "0" && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_age(text: &str) -> bool {
    text.strip_suffix(['s', 'm'])
        .is_some_and(|number| number == "0" || is_number(number))
}

fn replace_times(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((start, length)) = find_time(rest) {
        let fraction = if length > TIME.len() { "fine " } else { "" };
        result.push_str(&rest[..start]);
        result.push_str(&format!("{{{{{fraction}time}}}}"));
        rest = &rest[start + length..];
    }
    result + rest
}

/// Where the next time of these days is, and its length.
fn find_time(text: &str) -> Option<(usize, usize)> {
    let parse = |start: usize, length: usize| {
        let time: jiff::Timestamp = text.get(start..start + length)?.parse().ok()?;
        let distance = time.duration_since(jiff::Timestamp::now()).abs();
        (distance < jiff::SignedDuration::from_hours(48)).then_some((start, length))
    };
    let starts = text.match_indices("20").map(|(start, _)| start);
    starts.into_iter().find_map(|start| {
        let lengths = [TIME.len(), FINE_TIME.len()].into_iter();
        lengths.into_iter().find_map(|length| parse(start, length))
    })
}

fn is_uid(text: &[u8], start: usize) -> bool {
    let Some(text) = text.get(start..start + 36) else {
        return false;
    };
    let fits = |(index, byte): (usize, &u8)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.iter().enumerate().all(fits)
}
