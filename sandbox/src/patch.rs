//! Patches: from the stored object to the one that replaces it.

use json_patch::PatchOperation;
use serde_json::Value;

use crate::{service::BODY_LIMIT, status::ApiError};

/// A decoded patch.
#[derive(Debug)]
pub(crate) enum Patch {
    /// RFC 6902: a list of operations.
    Json(json_patch::Patch),
    /// RFC 7386: an object whose fields replace others; null removes.
    Merge(Value),
}

/// How deep an object may nest, as for the JSON of a request.
const DEPTH_LIMIT: usize = 128;

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json";

// === impl Patch ===

impl Patch {
    pub(crate) fn decode(media_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        let value = || serde_json::from_slice::<Value>(body).map_err(malformed);
        match media_type {
            "application/json-patch+json" => match value()? {
                Value::Array(operations) => serde_json::from_value(Value::Array(operations))
                    .map(Self::Json)
                    .map_err(|_| ApiError::unprocessable()),
                _ => Err(malformed("it is not a list of operations")),
            },
            "application/merge-patch+json" => match value()? {
                Value::Object(fields) => Ok(Self::Merge(Value::Object(fields))),
                _ => Err(malformed("it is not an object")),
            },
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }

    /// Changes `object`; an operation that does not fit it is refused, and `object` is of no use then.
    pub(crate) fn apply(&self, object: &mut Value) -> Result<(), ApiError> {
        match self {
            Self::Json(operations) => operations
                .iter()
                .try_for_each(|operation| operate(object, operation)),
            Self::Merge(fields) => {
                json_patch::merge(object, fields);
                Ok(())
            }
        }
    }
}

fn malformed(why: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("error decoding patch: {why}"))
}

/// Carries out one operation; a few copies of copies could fill the memory or the stack, so growth is bounded.
fn operate(object: &mut Value, operation: &PatchOperation) -> Result<(), ApiError> {
    json_patch::patch(object, std::slice::from_ref(operation))
        .map_err(|_| ApiError::unprocessable())?;
    if is_deeper(object, DEPTH_LIMIT) {
        return Err(ApiError::unprocessable());
    }
    let copies = matches!(operation, PatchOperation::Copy(_));
    if copies && object.to_string().len() > BODY_LIMIT {
        return Err(ApiError::body_too_large(BODY_LIMIT));
    }
    Ok(())
}

fn is_deeper(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|inner| is_deeper(inner, limit - 1)),
        Value::Object(fields) => {
            limit == 0 || fields.values().any(|inner| is_deeper(inner, limit - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json_patch(operations: &Value) -> Patch {
        Patch::decode(
            "application/json-patch+json",
            operations.to_string().as_bytes(),
        )
        .unwrap()
    }

    #[test]
    fn copies_of_copies_are_bounded() {
        let wide = json!([{"op": "copy", "from": "/data", "path": "/data/x"}, {"op": "copy", "from": "/data", "path": "/data/y"}]);
        let wide: Vec<_> = wide
            .as_array()
            .unwrap()
            .iter()
            .cycle()
            .take(400)
            .cloned()
            .collect();
        let mut object = json!({"data": {"a": "b"}});
        assert!(json_patch(&json!(wide)).apply(&mut object).is_err());
    }

    #[test]
    fn unreadable_patches_are_refused() {
        for (media_type, body, code) in [
            ("application/json-patch+json", "{}", 400),
            (
                "application/json-patch+json",
                r#"[{"op": "jump", "path": "/a"}]"#,
                422,
            ),
            ("application/merge-patch+json", "{", 400),
            ("application/merge-patch+json", "[]", 400),
            ("application/strategic-merge-patch+json", "{}", 415),
            ("application/apply-patch+yaml", "{}", 415),
            ("application/json", "{}", 415),
        ] {
            let error = Patch::decode(media_type, body.as_bytes()).unwrap_err();
            assert_eq!(error.code.as_u16(), code, "{media_type} {body}");
        }
    }
}
