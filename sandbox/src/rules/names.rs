//! The forms of names and keys; each function says what is wrong with a text.

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character";

/// The form of the names of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NameForm {
    /// Parts with dots between them, in lower case.
    #[default]
    Subdomain,
    /// One part, in lower case.
    Label,
    /// Anything that fits between two slashes of a path.
    PathSegment,
}

// === impl NameForm ===

impl NameForm {
    pub(crate) fn check(self, name: &str) -> Vec<String> {
        match self {
            Self::Subdomain => subdomain(name),
            Self::Label => label(name),
            Self::PathSegment => path_segment(name),
        }
    }

    /// Checks the start of a name, whose last dash will not be the end.
    pub(crate) fn check_start(self, start: &str) -> Vec<String> {
        if self == Self::PathSegment {
            return path_segment_part(start);
        }
        match start.strip_suffix('-') {
            // The letter before the dash is not looked at, as the API server does not either.
            Some(rest) if !rest.is_empty() => {
                let shorter: String = rest.chars().take(rest.chars().count() - 1).collect();
                self.check(&(shorter + "a"))
            }
            _ => self.check(start),
        }
    }
}

/// A lowercase DNS label, as RFC 1123 has it.
pub(crate) fn label(text: &str) -> Vec<String> {
    let mut why = longer_than(63, text);
    if is_label(text) {
        return why;
    }
    if text.split('.').all(is_label) {
        why.push("must not contain dots".to_owned());
    } else {
        let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', \
                    and must start and end with an alphanumeric character";
        why.push(pattern(rule, LABEL, &["my-name", "123-abc"]));
    }
    why
}

/// Lowercase DNS labels with dots between them.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut why = longer_than(253, text);
    if !text.split('.').all(is_label) {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                    and must start and end with an alphanumeric character";
        why.push(pattern(rule, SUBDOMAIN, &["example.com"]));
    }
    why
}

/// What fits between two slashes of a path.
pub(crate) fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    path_segment_part(text)
}

fn path_segment_part(text: &str) -> Vec<String> {
    let found = ["/", "%"].into_iter().filter(|one| text.contains(one));
    found
        .map(|one| format!("may not contain '{one}'"))
        .collect()
}

/// The key of a label: a name, with or without a DNS subdomain before a slash.
pub(crate) fn qualified(text: &str) -> Vec<String> {
    let mut why = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                why.push("prefix part must be non-empty".to_owned());
            } else {
                why.extend(
                    subdomain(prefix)
                        .iter()
                        .map(|why| format!("prefix part {why}")),
                );
            }
            *name
        }
        _ => {
            let rule = key_pattern();
            let optional =
                "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a valid label key {rule} {optional}")];
        }
    };
    if name.is_empty() {
        why.push("name part must be non-empty".to_owned());
    }
    why.extend(
        more_bytes_than(63, name)
            .iter()
            .map(|why| format!("name part {why}")),
    );
    if !is_key(name) {
        why.push(format!("name part {}", key_pattern()));
    }
    why
}

/// The value of a label.
pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut why = more_bytes_than(63, text);
    if !text.is_empty() && !is_key(text) {
        let rule = format!(
            "a valid label must be an empty string or {}",
            KEY_RULE.trim_start_matches("must ")
        );
        let form = format!("({KEY})?");
        why.push(pattern(&rule, &form, &["MyValue", "my_value", "12345"]));
    }
    why
}

/// A key of a ConfigMap or Secret, which can be the name of a file.
pub(crate) fn config_key(text: &str) -> Vec<String> {
    let mut why = longer_than(253, text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if text.is_empty() || !text.bytes().all(fits) {
        let rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
        why.push(pattern(
            rule,
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match text {
        "." => why.push("must not be '.'".to_owned()),
        ".." => why.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => why.push("must not start with '..'".to_owned()),
        _ => {}
    }
    why
}

/// The name of a port.
pub(crate) fn port_name(text: &str) -> Vec<String> {
    let mut why = longer_than(15, text);
    let mut refuse = |wrong: bool, rule: &str| {
        if wrong {
            why.push(rule.to_owned());
        }
    };
    let fits = |byte: u8| byte == b'-' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    refuse(
        text.is_empty() || !text.bytes().all(fits),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    let letter = text.bytes().any(|byte| byte.is_ascii_lowercase());
    refuse(!letter, "must contain at least one letter (a-z)");
    refuse(text.contains("--"), "must not contain consecutive hyphens");
    let edge = text.starts_with('-') || text.ends_with('-');
    refuse(edge, "must not begin or end with a hyphen");
    why
}

/// The name of an environment variable.
pub(crate) fn variable(text: &str) -> Vec<String> {
    let printable = |letter: char| (' '..='~').contains(&letter) && letter != '=';
    if text.chars().all(printable) {
        return Vec::new();
    }
    let rule = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    vec![rule.to_owned()]
}

/// A number of a port.
pub(crate) fn port_number(number: i64) -> Vec<String> {
    between(number, 1, 65_535)
}

/// A number in a range that has both ends.
pub(crate) fn between(number: i64, least: i64, most: i64) -> Vec<String> {
    if (least..=most).contains(&number) {
        return Vec::new();
    }
    vec![format!("must be between {least} and {most}, inclusive")]
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_key(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let bytes = text.as_bytes();
    edge(bytes.first()) && edge(bytes.last()) && text.bytes().all(inner)
}

fn key_pattern() -> String {
    pattern(KEY_RULE, KEY, &["MyName", "my.name", "123-abc"])
}

fn longer_than(limit: usize, text: &str) -> Vec<String> {
    if text.len() <= limit {
        return Vec::new();
    }
    vec![format!("must be no more than {limit} characters")]
}

/// The same in the words that the rules for labels use.
fn more_bytes_than(limit: usize, text: &str) -> Vec<String> {
    if text.len() <= limit {
        return Vec::new();
    }
    vec![format!("must be no more than {limit} bytes")]
}

fn pattern(rule: &str, form: &str, examples: &[&str]) -> String {
    let examples: Vec<_> = examples.iter().map(|one| format!("'{one}', ")).collect();
    let examples = examples.join(" or ");
    format!("{rule} (e.g. {examples}regex used for validation is '{form}')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_their_forms() {
        let (long, longer) = ("z".repeat(63), "z".repeat(64));
        type Form = fn(&str) -> Vec<String>;
        let forms: [(Form, &[(&str, usize)]); 7] = [
            (
                label,
                &[
                    ("zoo", 0),
                    ("1-a", 0),
                    (&long, 0),
                    (&longer, 1),
                    ("a.b", 1),
                    ("", 1),
                    ("-a", 1),
                    ("A", 1),
                ],
            ),
            (
                subdomain,
                &[("a.b", 0), (&longer, 0), ("a..b", 1), ("a_b", 1), ("", 1)],
            ),
            (
                path_segment,
                &[
                    ("system:x", 0),
                    ("A b", 0),
                    (".", 1),
                    ("..", 1),
                    ("a/b%", 2),
                ],
            ),
            (
                qualified,
                &[
                    ("a", 0),
                    ("A.b_c", 0),
                    ("x.io/A", 0),
                    ("", 2),
                    ("/a", 1),
                    ("X/a", 1),
                    ("a/b/c", 1),
                    (&longer, 1),
                ],
            ),
            (
                label_value,
                &[("", 0), ("A-1", 0), ("a b", 1), ("-", 1), (&longer, 1)],
            ),
            (
                config_key,
                &[
                    ("a.B_c-1", 0),
                    (".a", 0),
                    ("", 1),
                    (".", 1),
                    ("..", 1),
                    ("..a", 1),
                    ("a/b", 1),
                ],
            ),
            (
                port_name,
                &[
                    ("http", 0),
                    ("1", 1),
                    ("a--b", 1),
                    ("-a", 1),
                    ("toolongtoolonglo", 1),
                    ("A", 2),
                ],
            ),
        ];
        for (index, (form, texts)) in forms.iter().enumerate() {
            for (text, wrong) in *texts {
                assert_eq!(
                    form(text).len(),
                    *wrong,
                    "{index}: {text:?}: {:?}",
                    form(text)
                );
            }
        }
    }

    #[test]
    fn the_start_of_a_name_may_end_in_a_dash() {
        assert!(NameForm::Label.check_start("zoo-").is_empty());
        assert!(!NameForm::Label.check_start("Zoo-").is_empty());
        assert!(!NameForm::Label.check_start("-").is_empty());
        assert!(NameForm::PathSegment.check_start("..").is_empty());
    }
}
