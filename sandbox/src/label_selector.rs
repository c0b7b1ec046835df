//! The label selectors that objects carry, as the text that queries use.

use serde_json::Value;

/// A `LabelSelector` as text; `None` for one that selects nothing, because it is missing or malformed.
pub(crate) fn to_text(selector: &Value) -> Option<String> {
    let labels = selector.as_object()?.get("matchLabels");
    let mut requirements = Vec::new();
    for (key, value) in labels.and_then(Value::as_object).into_iter().flatten() {
        requirements.push((key.as_str(), format!("{key}={}", value.as_str()?)));
    }
    let expressions = selector["matchExpressions"].as_array();
    for expression in expressions.into_iter().flatten() {
        let key = expression["key"].as_str()?;
        let mut values: Vec<_> = match &expression["values"] {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        values.sort_unstable();
        let values = values.join(",");
        let text = match expression["operator"].as_str()? {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        requirements.push((key, text));
    }
    requirements.sort_by_key(|(key, _)| *key);
    let texts: Vec<_> = requirements.into_iter().map(|(_, text)| text).collect();
    Some(texts.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_are_written_in_the_order_of_their_keys() {
        let selector = json!({
            "matchLabels": {"app": "zoo", "b": "c"},
            "matchExpressions": [
                {"key": "x", "operator": "NotIn", "values": ["b", "a"]},
                {"key": "y", "operator": "DoesNotExist"},
                {"key": "app", "operator": "In", "values": ["zoo"]},
                {"key": "a", "operator": "Exists"},
            ],
        });
        let expected = "a,app=zoo,app in (zoo),b=c,x notin (a,b),!y";
        assert_eq!(to_text(&selector).as_deref(), Some(expected));
        assert_eq!(to_text(&json!({})).as_deref(), Some(""));
        assert_eq!(to_text(&Value::Null), None);
    }
}
