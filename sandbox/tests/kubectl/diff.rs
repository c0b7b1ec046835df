//! The difference of two texts by lines.

/// How many lines around a difference are shown.
const CONTEXT: usize = 2;

/// Which text has a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Both,
    Found,
    Expected,
}

/// The lines that only `expected` has (`-`), those that only `found` has (`+`), and a few around them.
pub(crate) fn lines(found: &str, expected: &str) -> String {
    let (found, expected): (Vec<_>, Vec<_>) = (found.lines().collect(), expected.lines().collect());
    let lines = align(&found, &expected);
    let changed: Vec<_> = lines.iter().map(|(side, _)| *side != Side::Both).collect();
    let near = |index: usize| {
        let end = (index + CONTEXT + 1).min(changed.len());
        changed[index.saturating_sub(CONTEXT)..end].contains(&true)
    };
    let mut text = String::new();
    for (index, (side, line)) in lines.iter().enumerate() {
        let sign = match side {
            Side::Both if !near(index) => continue,
            Side::Both => ' ',
            Side::Found => '+',
            Side::Expected => '-',
        };
        text += &format!("  {sign} {line}\n");
    }
    text
}

/// Both texts in one, with as many common lines as possible.
fn align<'a>(found: &[&'a str], expected: &[&'a str]) -> Vec<(Side, &'a str)> {
    // The number of common lines of the rests from each pair of places on.
    let mut common = vec![vec![0; expected.len() + 1]; found.len() + 1];
    for left in (0..found.len()).rev() {
        for right in (0..expected.len()).rev() {
            common[left][right] = if found[left] == expected[right] {
                common[left + 1][right + 1] + 1
            } else {
                common[left + 1][right].max(common[left][right + 1])
            };
        }
    }
    let (mut left, mut right, mut lines) = (0, 0, Vec::new());
    while left < found.len() || right < expected.len() {
        if left < found.len() && right < expected.len() && found[left] == expected[right] {
            lines.push((Side::Both, found[left]));
            (left, right) = (left + 1, right + 1);
        } else if right < expected.len()
            && (left == found.len() || common[left][right + 1] >= common[left + 1][right])
        {
            lines.push((Side::Expected, expected[right]));
            right += 1;
        } else {
            lines.push((Side::Found, found[left]));
            left += 1;
        }
    }
    lines
}

#[test]
fn a_changed_line_is_shown_with_its_surroundings() {
    let found = "1\n2\n3\nx\n5\n6\n7";
    let expected = "1\n2\n3\n4\n5\n6\n7";
    assert_eq!(
        lines(found, expected),
        "    2\n    3\n  - 4\n  + x\n    5\n    6\n"
    );
}
