//! Quantities of resources, as `500m` of CPU or `1Gi` of memory.

/// Thousand-millionths in one.
const NANO: i128 = 1_000_000_000;

const SUFFIXES: [(&str, i128, i128); 15] = [
    // The longer ones come first.
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, 1_000_000_000),
    ("u", 1, 1_000_000),
    ("m", 1, 1_000),
    ("k", 1_000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("E", 1_000_000_000_000_000_000, 1),
];

/// The value of a quantity in thousand-millionths, rounded up; `None` if it is none or larger than any real one.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let find = |(suffix, ..): &&(&str, i128, i128)| text.ends_with(suffix);
    let (digits, times, divided) = match SUFFIXES.iter().find(find) {
        Some((suffix, times, divided)) => (text.strip_suffix(suffix)?, *times, *divided),
        None => exponent(text)?,
    };
    let (negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    // Beyond 18 digits behind the point nothing changes any more.
    let fraction: String = fraction.chars().take(18).collect();
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let numerator = number.checked_mul(times)?;
    let denominator = scale.checked_mul(divided)?;
    let (ones, rest) = (numerator / denominator, numerator % denominator);
    let part = rest.checked_mul(NANO)?;
    let part = part / denominator + i128::from(part % denominator != 0);
    let value = ones.checked_mul(NANO)?.checked_add(part)?;
    Some(if negative { -value } else { value })
}

/// A number with a decimal exponent, or with none.
fn exponent(text: &str) -> Option<(&str, i128, i128)> {
    let Some((digits, power)) = text.split_once(['e', 'E']) else {
        return Some((text, 1, 1));
    };
    let power: i32 = power.parse().ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    Some(if power < 0 {
        (digits, 1, factor)
    } else {
        (digits, factor, 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_numbers() {
        for (text, expected) in [
            ("1", Some(NANO)),
            ("0.5", Some(NANO / 2)),
            ("500m", Some(NANO / 2)),
            ("+1.5k", Some(1_500 * NANO)),
            ("-1", Some(-NANO)),
            ("1Ki", Some(1_024 * NANO)),
            ("1.5Gi", Some(1_610_612_736 * NANO)),
            ("1e3", Some(1_000 * NANO)),
            ("1E-3", Some(NANO / 1_000)),
            ("2E", Some(2_000_000_000_000_000_000 * NANO)),
            (".5", Some(NANO / 2)),
            ("0.0000000001", Some(1)),
            ("", None),
            ("x", None),
            ("1 Gi", None),
            ("1Zi", None),
            ("1e", None),
            (".", None),
            ("99999999999999999999999999999999999999999", None),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
