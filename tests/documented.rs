//! The tests that the documents name are there.

use std::{collections::BTreeSet, fs, path::Path};

/// All `.rs` files under `folder`, as one text.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all += &fs::read_to_string(&path).unwrap();
        }
    }
    all
}

/// The names in the last column of the tables whose rows begin with a number such as `F1` or `W1`.
fn named(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter(|line| {
        let row = line.trim_start_matches("| ");
        let number = row.split(' ').next().unwrap_or_default();
        let (letter, digits) = number.split_at(number.len().min(1));
        line.starts_with('|') && matches!(letter, "F" | "W") && digits.parse::<u8>().is_ok()
    });
    let tests = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    tests
        .flat_map(|tests| tests.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_the_documents_name_is_there() {
    let documents = ["sharding", "controllers", "providers"];
    let text = documents
        .map(|name| fs::read_to_string(format!("src/docs/{name}.md")).unwrap())
        .concat();
    let code = sources(Path::new("src")) + &sources(Path::new("tests"));
    let names = named(&text);
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let function = format!("fn {name}(");
        // Those of the mutants are made by a macro.
        let listed = format!("    {name}: ");
        assert!(
            code.contains(&function) || code.contains(&listed),
            "there is no test {name}"
        );
    }
}
