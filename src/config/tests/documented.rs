//! The table of the documentation is that of the code.

use std::fmt::Write;

use super::flat;
use crate::Settings;

const SECTIONS: [(&str, &str); 3] = [
    ("sharding", include_str!("../../sharding/settings.rs")),
    ("manager", include_str!("../../manager/settings.rs")),
    ("controller", include_str!("../../controller/settings.rs")),
];

/// The fields of the struct `Settings` in `code`, with what is said of each.
fn fields(code: &str) -> Vec<(&str, String)> {
    let start = code.find("pub struct Settings {").unwrap();
    let body = code[start..].split("\n}").next().unwrap();
    let mut said = Vec::new();
    let mut fields = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            said.push(text);
        } else if let Some((name, _)) = line
            .strip_prefix("pub ")
            .and_then(|field| field.split_once(':'))
        {
            fields.push((name, std::mem::take(&mut said).join(" ")));
        }
    }
    fields
}

#[test]
fn the_table_says_what_the_code_says() {
    let defaults = flat(&Settings::default());
    let mut table = String::from("| setting | default | what it is, and why |\n|---|---|---|\n");
    let mut keys = Vec::new();
    for (section, code) in SECTIONS {
        for (name, said) in fields(code) {
            let key = format!("{section}.{name}");
            let (_, default) = defaults.iter().find(|(known, _)| *known == key).unwrap();
            let default = match default.as_str() {
                "null" => "-".to_owned(),
                value => format!("`{value}`"),
            };
            assert!(said.len() > 40, "{key} is not documented");
            writeln!(table, "| `{key}` | {default} | {said} |").unwrap();
            keys.push(key);
        }
    }
    let mut known: Vec<_> = defaults.into_iter().map(|(key, _)| key).collect();
    known.sort();
    keys.sort();
    assert_eq!(
        keys, known,
        "a setting is not among those of the three files"
    );
    let text = include_str!("../../docs/settings.md");
    assert!(
        text.contains(&table),
        "src/docs/settings.md must have this table:\n\n{table}"
    );
}

#[test]
fn the_examples_of_the_documentation_are_settings() {
    let text = include_str!("../../docs/settings.md");
    let mut settings = Vec::new();
    for kind in ["toml", "yaml"] {
        let (_, rest) = text.split_once(&format!("```{kind}\n")).unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let file = super::File::new(&format!("settings.{kind}"), example);
        settings.push(file.sources().load().unwrap());
    }
    assert_ne!(settings[0], Settings::default());
    assert_eq!(settings[0], settings[1]);
}
