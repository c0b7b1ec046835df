//! Finds and prints how the answers of two servers differ.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{known::Known, script::Case};

/// How many differences of one answer are printed.
const SHOWN: usize = 12;

/// How many characters of an answer are printed.
const LENGTH: usize = 1500;

/// What was found in all cases.
#[derive(Debug)]
pub(crate) struct Report {
    /// Who is judged.
    judged: &'static str,
    /// Who is right.
    right: &'static str,
    known: Vec<Known>,
    cases: BTreeSet<String>,
    seen: Vec<bool>,
    steps: usize,
    pub(crate) failures: Vec<String>,
}

// === impl Report ===

impl Report {
    pub(crate) fn new(judged: &'static str, right: &'static str, known: Vec<Known>) -> Self {
        Self {
            judged,
            right,
            seen: vec![false; known.len()],
            known,
            cases: BTreeSet::new(),
            steps: 0,
            failures: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Compares the answers to a case.
    pub(crate) fn compare(&mut self, case: &Case, found: &[Value], expected: &[Value]) {
        self.cases.insert(case.name.clone());
        if expected.len() != case.steps.len() {
            let title = case.title();
            self.fail(format!("{title}: the recording is of another script"));
            return;
        }
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            self.steps += 1;
            if found == expected {
                continue;
            }
            let expected = &as_mistake(expected);
            if found == expected {
                continue;
            }
            let step = index + 1;
            let known = self
                .known
                .iter()
                .position(|known| known.is_about(&case.name, step));
            match known {
                Some(place) => self.seen[place] = true,
                None => {
                    let title = format!(
                        "{}, step {step}: {}",
                        case.title(),
                        case.steps[index].title()
                    );
                    self.fail(format!("{title}\n{}", self.show(found, expected)));
                }
            }
        }
    }

    fn show(&self, found: &Value, expected: &Value) -> String {
        let mut lines = Vec::new();
        differences("", found, expected, &mut lines);
        let more = lines.len().saturating_sub(SHOWN);
        lines.truncate(SHOWN);
        if more > 0 {
            lines.push(format!("  ... and {more} more"));
        }
        let (judged, right) = (self.judged, self.right);
        let lines = lines
            .join("\n")
            .replace("{judged}", judged)
            .replace("{right}", right);
        let (found, expected) = (cut(found), cut(expected));
        format!("{lines}\n  {judged} said {found}\n  {right} said {expected}")
    }

    /// Fails if there was an unknown difference, or if a known one is none any more.
    pub(crate) fn finish(mut self) {
        for (known, seen) in self.known.iter().zip(&self.seen) {
            if self.cases.contains(&known.case) && !seen {
                let text = format!("no difference any more: {known:?}");
                self.failures.push(text);
            }
        }
        println!(
            "{} against {}: {} steps",
            self.judged, self.right, self.steps
        );
        assert!(
            self.failures.is_empty(),
            "{}\n\n{} failures",
            self.failures.join("\n\n"),
            self.failures.len()
        );
    }
}

/// Where kube-apiserver has no code for a client's mistake and answers 500, the same words with 400 are expected.
fn as_mistake(expected: &Value) -> Value {
    let mut expected = expected.clone();
    if expected["status"] == 500 {
        expected["status"] = 400.into();
        expected["body"]["code"] = 400.into();
        expected["body"]["reason"] = "BadRequest".into();
    }
    expected
}

/// As much of an answer as can be read.
fn cut(answer: &Value) -> String {
    let text = answer.to_string();
    let mut cut: String = text.chars().take(LENGTH).collect();
    if cut.len() < text.len() {
        cut.push_str(" ...");
    }
    cut
}

/// Collects the places where two values differ.
fn differences(path: &str, found: &Value, expected: &Value, lines: &mut Vec<String>) {
    match (found, expected) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let path = format!("{path}/{key}");
                match (left.get(key), right.get(key)) {
                    (Some(left), Some(right)) => differences(&path, left, right, lines),
                    (Some(left), None) => {
                        lines.push(format!("  {path}: only {{judged}} has {left}"))
                    }
                    (None, right) => {
                        let right = right.unwrap_or(&Value::Null);
                        lines.push(format!("  {path}: only {{right}} has {right}"));
                    }
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                differences(&format!("{path}/{index}"), left, right, lines);
            }
        }
        _ if found == expected => {}
        _ => {
            lines.push(format!("  {path}: {{judged}}: {found}"));
            lines.push(format!(
                "  {}  {{right}}: {expected}",
                " ".repeat(path.len())
            ));
        }
    }
}
