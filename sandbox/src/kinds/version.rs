//! Which version of a group comes first.

/// The rank of a version: stable ones before beta before alpha, newer before older, all others last by their name.
///
/// A larger value comes first.
pub(super) fn precedence(version: &str) -> impl Ord + use<> {
    let known = read(version);
    // Names that follow no scheme are in the order of the alphabet, so the first must be the largest.
    let name = std::cmp::Reverse(version.to_owned());
    (known, name)
}

/// Stability, major and minor number of a version like `v1`, `v2beta1` or `v1alpha3`.
fn read(version: &str) -> Option<(u8, u32, u32)> {
    let rest = version.strip_prefix('v')?;
    let (major, tail) = number(rest)?;
    if tail.is_empty() {
        return Some((2, major, 0));
    }
    let (stability, tail) = match tail.strip_prefix("beta") {
        Some(tail) => (1, tail),
        None => (0, tail.strip_prefix("alpha")?),
    };
    let (minor, tail) = number(tail)?;
    tail.is_empty().then_some((stability, major, minor))
}

/// The number at the start of a text, and what follows it.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (digits, tail) = text.split_at(end.unwrap_or(text.len()));
    if digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok()?, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = [
            "foo10",
            "v3beta1",
            "v10beta3",
            "foo1",
            "v11alpha2",
            "v2",
            "v1",
            "v12alpha1",
            "v11beta2",
            "v10",
        ];
        versions.sort_by_key(|version| std::cmp::Reverse(precedence(version)));
        let expected = [
            "v10",
            "v2",
            "v1",
            "v11beta2",
            "v10beta3",
            "v3beta1",
            "v12alpha1",
            "v11alpha2",
            "foo1",
            "foo10",
        ];
        assert_eq!(versions, expected);
    }
}
