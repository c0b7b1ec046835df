//! Warnings that go with a reply, whatever the reply is.

use std::{cell::RefCell, rc::Rc};

use http::{HeaderMap, HeaderValue, header};

/// How many letters all warnings of a reply may have before each is cut.
const LIMIT: usize = 4096;

/// How many letters one has when it is cut.
const CUT: usize = 256;

/// The warnings of one request; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Warnings(Rc<RefCell<Vec<String>>>);

// === impl Warnings ===

impl Warnings {
    /// Adds those that have not been said yet.
    pub(crate) fn add(&self, texts: impl IntoIterator<Item = String>) {
        let mut all = self.0.borrow_mut();
        for text in texts {
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
    }

    /// Writes them into the headers of the reply.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let all = self.0.borrow();
        let total: usize = all.iter().map(|text| text.chars().count()).sum();
        let mut written = 0;
        for text in all.iter() {
            let text: String = if total > LIMIT {
                text.chars().take(CUT).collect()
            } else {
                text.clone()
            };
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            // What is no text of a header is left out.
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
                written += text.chars().count();
                headers.append(header::WARNING, value);
            }
            if total > LIMIT && written >= LIMIT {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(texts: Vec<String>) -> Vec<String> {
        let (warnings, mut headers) = (Warnings::default(), HeaderMap::new());
        warnings.add(texts);
        warnings.write(&mut headers);
        let values = headers.get_all(header::WARNING).into_iter();
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn each_warning_is_said_once() {
        let text = "unknown field \"a\"".to_owned();
        assert_eq!(
            written(vec![text.clone(), text]),
            ["299 - \"unknown field \\\"a\\\"\""]
        );
    }

    #[test]
    fn many_long_warnings_are_cut() {
        let all = written((0..100).map(|number| format!("{number:0300}")).collect());
        assert_eq!(all.len(), 16);
        assert_eq!(all[0].len(), "299 - \"\"".len() + CUT);
    }
}
