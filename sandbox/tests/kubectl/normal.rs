//! Symbols in place of values that no two servers have in common.

use std::sync::LazyLock;

use regex::Regex;

/// What is replaced, in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        // The head of a line that kubectl logs.
        (r"(?m)^([IWEF])\d{4} [\d:.]+ +\d+ ", "$1 {time} "),
        // Whether a watch or the patience ends first is chance.
        (r"(?m)^[IWE] \{time\} reflector\.go:.*\n", ""),
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "{uid}",
        ),
        (
            r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(Z| ?\+0000)( UTC)?",
            "{time}",
        ),
        (
            r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} 20\d\d [\d:]+ [+-]\d{4}",
            "{time}",
        ),
        (r"\b10\.0\.0\.\d+\b", "{address}"),
        (
            r#"(resourceVersion\\*"?: ?\\*"?|Resource Version: +)\d+"#,
            "${1}{version}",
        ),
        (r#"(nodePort"?: ?|NodePort: .* )\d+"#, "${1}{port}"),
        (r":3\d{4}/TCP", ":{port}/TCP"),
        (r"/tmp/kubectl-edit-\d+", "/tmp/kubectl-edit"),
        // Temporary files of `kubectl diff`.
        (r"/tmp/(LIVE|MERGED)-\d+/", "/tmp/$1/"),
        (
            r"(?m)([ \t])(\d+d)?(\d+h)?(\d+m)?\d+m?s( ago|  |$)",
            "$1{age}$5",
        ),
        (r"\b\d+s ago\b", "{age} ago"),
        // Columns are as wide as what is in them.
        (r"(\S)  +", "$1  "),
        (r"(?m) +$", ""),
    ];
    let compiled = rules.map(|(pattern, symbol)| {
        let pattern = Regex::new(pattern).expect("a regular expression");
        (pattern, symbol)
    });
    compiled.into()
});

/// A text with symbols.
pub(crate) fn text(text: &str) -> String {
    RULES
        .iter()
        .fold(text.to_owned(), |text, (pattern, symbol)| {
            pattern.replace_all(&text, *symbol).into_owned()
        })
}

#[test]
fn ages_and_the_widths_of_their_columns_do_not_matter() {
    let young = "NAME       DATA   AGE\nelephant   1      5s\n";
    let old = "NAME       DATA   AGE\nelephant   1      2m15s\n";
    assert_eq!(text(young), text(old));
}
