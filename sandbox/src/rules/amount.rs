//! Numbers that may be percentages.

use serde_json::Value;

use super::at::At;
use crate::status::FieldError;

/// Refuses what is neither a number from 0 on nor a percentage.
pub(crate) fn not_negative(amount: &At<'_>) -> Option<FieldError> {
    match amount.value() {
        Value::String(text) if percent(text).is_none() => {
            let why = "a valid percent string must be a numeric string followed by an ending '%' \
                       (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            Some(amount.invalid(why))
        }
        Value::Number(_) => amount.not_negative(),
        _ => None,
    }
}

/// Refuses more than 100%.
pub(crate) fn at_most_all(amount: &At<'_>) -> Option<FieldError> {
    let share = amount.value().as_str().and_then(percent)?;
    (share > 100).then(|| amount.invalid("must not be greater than 100%"))
}

/// The number of a percentage, or the number itself.
pub(crate) fn size(amount: &At<'_>) -> i64 {
    match amount.value() {
        Value::String(text) => percent(text).unwrap_or_default(),
        _ => amount.number(),
    }
}

fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // Beyond all numbers it is more than everything anyway.
    numeric.then(|| digits.parse().unwrap_or(i64::MAX))
}
