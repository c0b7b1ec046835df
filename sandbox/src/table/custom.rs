//! The table of a kind that a CustomResourceDefinition declares.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    age,
    cells::{self, items, text},
    column::{AGE, NAME, definition},
};

/// The columns that a version of a CustomResourceDefinition declares, behind the name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Custom {
    /// Entries of `additionalPrinterColumns`; none of them means that there is only the age.
    columns: Vec<Value>,
}

// === impl Custom ===

impl Custom {
    /// Takes over a list of `additionalPrinterColumns`.
    pub(crate) fn new(columns: &Value) -> Self {
        Self {
            columns: items(columns).to_vec(),
        }
    }

    pub(crate) fn columns(&self) -> Vec<Value> {
        let mut all = vec![NAME.to_json()];
        all.extend(self.columns.iter().map(|column| {
            let path = text(&column["jsonPath"]);
            let about = format!("Custom resource definition column (in JSONPath format): {path}");
            definition(
                text(&column["name"]),
                text(&column["type"]),
                text(&column["format"]),
                cells::or(text(&column["description"]), &about),
                cells::number(&column["priority"]),
            )
        }));
        if self.columns.is_empty() {
            let mut age = AGE.to_json();
            age["type"] = json!("date");
            all.push(age);
        }
        all
    }

    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        let mut all = vec![cells::name(object)];
        all.extend(self.columns.iter().map(|column| {
            let found = find(object, text(&column["jsonPath"]));
            found.map_or(Value::Null, |value| cell(text(&column["type"]), value, now))
        }));
        if self.columns.is_empty() {
            all.push(cells::age(object, now));
        }
        all
    }
}

/// A value as the type of the column shows it; null for one of another type.
fn cell(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        ("string", Value::String(text)) => json!(text),
        ("string", other) => json!(other.to_string()),
        ("integer", Value::Number(number)) => {
            #[expect(clippy::cast_possible_truncation, reason = "as Go converts numbers")]
            let whole = || number.as_f64().map(|number| number as i64);
            json!(number.as_i64().or_else(whole))
        }
        ("number", Value::Number(number)) => json!(number),
        ("boolean", Value::Bool(flag)) => json!(flag),
        ("date", Value::String(_)) => json!(age::since(value, now)),
        _ => Value::Null,
    }
}

/// The first value at a path like `.status.conditions[?(@.type=="Ready")].status`.
fn find<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.trim();
    if path.is_empty() {
        return Some(value);
    }
    if let Some(rest) = path.strip_prefix('.') {
        let (name, rest) = rest.split_at(name_end(rest));
        return find(value.get(name.replace('\\', ""))?, rest);
    }
    let rest = path.strip_prefix('[')?;
    let (inside, rest) = rest.split_at(closing(rest)?);
    let rest = &rest[1..];
    let inside = inside.trim();
    if let Some(condition) = inside
        .strip_prefix("?(")
        .and_then(|text| text.strip_suffix(')'))
    {
        let mut matching = items(value).iter().filter(|item| holds(item, condition));
        return matching.find_map(|item| find(item, rest));
    }
    if inside == "*" {
        return items(value).iter().find_map(|item| find(item, rest));
    }
    if let Some(name) = unquoted(inside) {
        return find(value.get(name)?, rest);
    }
    let place: isize = inside.parse().ok()?;
    let list = items(value);
    let place = if place < 0 {
        list.len().checked_sub(place.unsigned_abs())?
    } else {
        place.unsigned_abs()
    };
    find(list.get(place)?, rest)
}

/// Where a name ends; a dot behind a backslash belongs to it.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    let ends = |(_, letter): &(usize, char)| {
        let ends = !escaped && matches!(letter, '.' | '[');
        escaped = *letter == '\\';
        ends
    };
    text.char_indices()
        .find(ends)
        .map_or(text.len(), |(place, _)| place)
}

/// Where the bracket that is open ends; quoted text may contain brackets.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(place, letter)| {
        match (quote, letter) {
            (None, ']') => return Some(place),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
        None
    })
}

/// Whether `@.path == value` is true of an item; `@.path` alone asks whether it is there.
fn holds(item: &Value, condition: &str) -> bool {
    let (path, expected, equal) = if let Some((path, value)) = condition.split_once("==") {
        (path, value, true)
    } else if let Some((path, value)) = condition.split_once("!=") {
        (path, value, false)
    } else {
        let path = condition.trim().strip_prefix('@');
        return path.is_some_and(|path| find(item, path).is_some());
    };
    let Some(found) = path
        .trim()
        .strip_prefix('@')
        .and_then(|path| find(item, path))
    else {
        return false;
    };
    let expected = expected.trim();
    let same = match unquoted(expected) {
        Some(text) => found.as_str() == Some(text),
        None => serde_json::from_str::<Value>(expected).is_ok_and(|expected| *found == expected),
    };
    same == equal
}

fn unquoted(text: &str) -> Option<&str> {
    let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_paths() {
        let object = json!({
            "metadata": {"name": "x", "annotations": {"a.b/c": "dotted", "x]": "bracket"}},
            "spec": {"size": 3, "ratio": 0.5, "on": true, "at": "2026-01-01T00:00:00Z", "map": {"k": 1}},
            "status": {"conditions": [
                {"type": "Synced", "status": "False", "code": 1},
                {"type": "Ready", "status": "True", "code": 2},
            ]},
        });
        let now = "2026-01-01T00:05:00Z".parse().unwrap();
        for (kind, path, expected) in [
            ("string", ".metadata.name", json!("x")),
            ("integer", ".spec.size", json!(3)),
            ("string", ".spec.size", json!("3")),
            ("number", ".spec.ratio", json!(0.5)),
            ("integer", ".spec.ratio", json!(0)),
            ("boolean", ".spec.on", json!(true)),
            ("date", ".spec.at", json!("5m")),
            ("integer", ".spec.on", json!(null)),
            ("string", ".spec.map", json!("{\"k\":1}")),
            ("string", ".spec.none.deeper", json!(null)),
            ("string", ".metadata.annotations['a.b/c']", json!("dotted")),
            ("string", ".metadata.annotations['x]']", json!("bracket")),
            ("string", r".metadata.annotations.a\.b/c", json!("dotted")),
            ("string", ".status.conditions[0].type", json!("Synced")),
            ("string", ".status.conditions[-1].type", json!("Ready")),
            ("string", ".status.conditions[9].type", json!(null)),
            ("string", ".status.conditions[*].type", json!("Synced")),
            (
                "string",
                r#".status.conditions[?(@.type=="Ready")].status"#,
                json!("True"),
            ),
            (
                "string",
                ".status.conditions[?(@.type != 'Synced')].status",
                json!("True"),
            ),
            (
                "string",
                ".status.conditions[?(@.code==2)].type",
                json!("Ready"),
            ),
            (
                "string",
                r#".status.conditions[?(@.type=="None")].status"#,
                json!(null),
            ),
            ("string", ".status.conditions[", json!(null)),
        ] {
            let columns = json!([{"name": "c", "type": kind, "jsonPath": path}]);
            let cells = Custom::new(&columns).cells(&object, now);
            assert_eq!(cells[1], expected, "{path} as {kind}");
        }
    }

    #[test]
    fn without_columns_there_is_the_age() {
        let object =
            json!({"metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z"}});
        let custom = Custom::default();
        let now = "2026-01-01T00:00:07Z".parse().unwrap();
        assert_eq!(custom.cells(&object, now), [json!("x"), json!("7s")]);
        assert_eq!(custom.columns()[1]["type"], "date");
    }
}
