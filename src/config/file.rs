//! Settings in a file.

mod toml;
mod yaml;

use std::path::Path;

use serde_json::Value;

use super::{
    Error, Result,
    keys::{Keys, join},
    layer::Entry,
};

/// What a file says.
#[derive(Debug)]
enum Tree {
    /// Names, the lines where they stand, and what they have.
    Table(Vec<(String, usize, Tree)>),
    Leaf(Value),
}

/// Why a text cannot be read, and the line.
struct Unreadable {
    line: Option<usize>,
    why: String,
}

/// The settings of the file at `path`.
pub(super) fn read(path: &Path, keys: &Keys) -> Result<Vec<Entry>> {
    let shown = path.display().to_string();
    let wrong = |why: &str| Error::setting(format!("the settings file {shown:?} {why}"));
    let extension = path.extension().and_then(|extension| extension.to_str());
    let parse = match extension {
        Some("toml") => toml::parse,
        Some("yaml" | "yml") => yaml::parse,
        _ => return Err(wrong("must be named .toml, .yaml or .yml")),
    };
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let tree = parse(&text).map_err(|Unreadable { line, why }| {
        let line = line.map_or_else(String::new, |line| format!(" in line {line}"));
        let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
        wrong(&format!("cannot be understood{line}: {why}"))
    })?;
    let mut entries = Vec::new();
    match tree {
        // Nothing but comments.
        Tree::Leaf(Value::Null) => {}
        Tree::Leaf(_) => return Err(wrong("has no keys: write lines such as sharding.weight")),
        Tree::Table(fields) => flatten("", fields, &shown, keys, &mut entries),
    }
    Ok(entries)
}

/// Turns tables into keys with dots, down to known settings.
fn flatten(
    section: &str,
    fields: Vec<(String, usize, Tree)>,
    path: &str,
    keys: &Keys,
    entries: &mut Vec<Entry>,
) {
    for (name, line, tree) in fields {
        let key = join(section, &name);
        match tree {
            Tree::Table(fields) if !fields.is_empty() && !keys.is_setting(&key) => {
                flatten(&key, fields, path, keys, entries);
            }
            // A section in which everything is a comment.
            Tree::Table(_) | Tree::Leaf(Value::Null) if keys.is_section(&key) => {}
            tree => {
                let source = format!("{path} line {line}");
                entries.push(Entry::typed(key, tree.into_value(), source));
            }
        }
    }
}

// === impl Tree ===

impl Tree {
    /// No setting is a table: its content does not matter.
    fn into_value(self) -> Value {
        match self {
            Self::Table(_) => Value::Object(serde_json::Map::new()),
            Self::Leaf(value) => value,
        }
    }
}
