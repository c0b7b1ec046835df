//! What kube-apiserver answered, kept in files: one for each topic, one line for each answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
};

use serde_json::Value;

use crate::script::{self, Case};

/// The answers by topic and name of the case.
#[derive(Debug)]
pub(crate) struct Recordings {
    answers: BTreeMap<(String, String), Vec<Value>>,
    changed: BTreeSet<String>,
}

/// Whether the answers are to be recorded.
pub(crate) fn wanted() -> bool {
    env::var_os("RECORD").is_some_and(|value| !value.is_empty())
}

// === impl Recordings ===

impl Recordings {
    /// Reads all files.
    pub(crate) fn read() -> Self {
        let mut answers = BTreeMap::new();
        for file in fs::read_dir(script::folder("recorded")).expect("the folder of recordings") {
            let file = file.expect("a file").path();
            let topic = file
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&file).expect("a readable file");
            let cases: BTreeMap<String, Vec<Value>> =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{topic}: {error}"));
            for (case, steps) in cases {
                answers.insert((topic.clone(), case), steps);
            }
        }
        Self {
            answers,
            changed: BTreeSet::new(),
        }
    }

    /// The answers to a case.
    pub(crate) fn answers(&self, case: &Case) -> Option<&Vec<Value>> {
        self.answers.get(&(case.topic.clone(), case.name.clone()))
    }

    /// Keeps the answers to a case.
    pub(crate) fn record(&mut self, case: &Case, answers: Vec<Value>) {
        let key = (case.topic.clone(), case.name.clone());
        self.answers.insert(key, answers);
        self.changed.insert(case.topic.clone());
    }

    /// Writes the files of the topics that were recorded; cases that are no longer there go.
    pub(crate) fn write(&self) {
        let cases = script::read_all();
        for topic in &self.changed {
            let cases = cases.iter().filter(|case| &case.topic == topic);
            let cases: Vec<_> = cases
                .filter_map(|case| Some(write_case(case, self.answers(case)?)))
                .collect();
            let text = format!("{{\n{}\n}}\n", cases.join(",\n"));
            let file = script::folder("recorded").join(format!("{topic}.json"));
            fs::write(file, text).expect("a file that can be written");
        }
    }
}

fn write_case(case: &Case, answers: &[Value]) -> String {
    let lines: Vec<_> = answers.iter().map(|answer| format!("  {answer}")).collect();
    let name = Value::from(case.name.as_str());
    format!("{name}: [\n{}\n]", lines.join(",\n"))
}
