//! TOML with the lines of its keys.

use ::toml::de::{DeTable, DeValue};
use serde_json::Value;

use super::{Tree, Unreadable};

/// Reads a whole file.
pub(super) fn parse(text: &str) -> Result<Tree, Unreadable> {
    let table = DeTable::parse(text).map_err(|error| Unreadable {
        line: error.span().map(|span| line(text, span.start)),
        why: error.message().to_owned(),
    })?;
    Ok(table_tree(text, table.into_inner()))
}

fn table_tree(text: &str, table: DeTable<'_>) -> Tree {
    let fields = table.into_iter().map(|(name, value)| {
        let line = line(text, name.span().start);
        (
            name.into_inner().into_owned(),
            line,
            tree(text, value.into_inner()),
        )
    });
    Tree::Table(fields.collect())
}

fn tree(text: &str, value: DeValue<'_>) -> Tree {
    Tree::Leaf(match value {
        DeValue::Table(table) => return table_tree(text, table),
        DeValue::String(text) => text.into_owned().into(),
        DeValue::Boolean(switch) => switch.into(),
        DeValue::Integer(number) => {
            // Larger ones are refused as a fraction would be.
            let whole = i64::from_str_radix(number.as_str(), number.radix());
            whole.map_or_else(|_| f64::MAX.into(), Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap_or(f64::MAX).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        // No setting is a list: its content does not matter.
        DeValue::Array(_) => Value::Array(Vec::new()),
    })
}

/// The line of the byte `at`, counted from 1.
fn line(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|byte| **byte == b'\n').count()
}
