//! Patches: from the stored object to the one that replaces it.

pub(crate) mod go;
mod json;
mod strategic;

use serde_json::{Map, Value};

use self::{go::Printed, json::Operations};
use crate::{kinds::Kind, schema, status::ApiError};

/// The form of a patch, as its media type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// RFC 6902: a list of operations.
    Json,
    /// RFC 7386: an object whose fields replace others; null removes.
    Merge,
    /// An object whose fields are merged by the types of the kind.
    Strategic,
}

/// A decoded patch.
#[derive(Debug)]
pub(crate) enum Patch {
    Json(Operations),
    Merge(Map<String, Value>),
    Strategic(Map<String, Value>),
}

/// What custom resources take.
const ACCEPTED: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

// === impl Form ===

impl Form {
    /// The form that a media type names, if `kind` takes it.
    pub(crate) fn of(media_type: &str, kind: &Kind) -> Result<Self, ApiError> {
        let custom = kind.schemas.is_some();
        match media_type {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" if !custom => Ok(Self::Strategic),
            _ if custom => Err(ApiError::unsupported_media_type(ACCEPTED)),
            _ => Err(ApiError::unsupported_patch()),
        }
    }
}

// === impl Patch ===

impl Patch {
    pub(crate) fn decode(form: Form, body: &[u8]) -> Result<Self, ApiError> {
        let prefix = if form == Form::Strategic {
            ""
        } else {
            "error decoding patch: "
        };
        let malformed = |why: String| ApiError::bad_request(format!("{prefix}{why}"));
        schema::json::check(body).map_err(malformed)?;
        let value = serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        match (form, value) {
            (Form::Json, value) => Operations::decode(value).map(Self::Json),
            (Form::Merge, Value::Object(fields)) => Ok(Self::Merge(fields)),
            (Form::Merge, Value::Null) => Err(ApiError::bad_request("Invalid JSON Patch")),
            (Form::Strategic, Value::Object(fields)) => Ok(Self::Strategic(fields)),
            (Form::Strategic, Value::Null) => Ok(Self::Strategic(Map::new())),
            (_, other) => Err(malformed(format!(
                "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                json_type(&other)
            ))),
        }
    }

    /// The object that a patch makes of another one.
    pub(crate) fn apply(&self, mut object: Value, kind: &Kind) -> Result<Value, ApiError> {
        match self {
            Self::Json(operations) => operations.apply(&mut object)?,
            Self::Merge(fields) => merge(&mut object, fields),
            Self::Strategic(fields) => {
                let (Value::Object(original), Some(of_kind)) = (object, kind.schema()) else {
                    let message = "strategic merge patch format is not supported";
                    return Err(ApiError::bad_request(message));
                };
                object = strategic::merge(original, fields.clone(), of_kind)?.into();
                // The type of the result is that of the path, whatever the patch says.
                object["apiVersion"] = kind.api_version().into();
                object["kind"] = kind.kind.as_ref().into();
            }
        }
        Ok(object)
    }

    /// The refusal of what the patch has made of an object.
    pub(crate) fn spoils(&self, patched: &Value, why: &str) -> ApiError {
        let shown = match self {
            Self::Strategic(fields) => Printed(&Value::Object(fields.clone())).to_string(),
            _ => patched.to_string(),
        };
        ApiError::spoiling_patch(shown, why)
    }
}

/// RFC 7386, with the limit that a body sets to the depth.
fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else {
        return;
    };
    for (key, value) in patch {
        match value {
            Value::Null => {
                fields.remove(key);
            }
            Value::Object(inner) => merge(fields.entry(key.as_str()).or_insert(Value::Null), inner),
            _ => {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
}

pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Registry;

    #[test]
    fn unreadable_patches_are_refused() {
        let unmarshal =
            "json: cannot unmarshal array into Go value of type map[string]interface {}";
        let decoding = "error decoding patch: ";
        for (form, body, message) in [
            (Form::Merge, "[]", format!("{decoding}{unmarshal}")),
            (Form::Merge, "null", "Invalid JSON Patch".to_owned()),
            (Form::Strategic, "[]", unmarshal.to_owned()),
            (
                Form::Json,
                "{}",
                format!(
                    "{decoding}json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
                ),
            ),
        ] {
            let error = Patch::decode(form, body.as_bytes()).unwrap_err();
            assert_eq!(
                (error.code.as_u16(), error.message),
                (400, message),
                "{body}"
            );
        }
        for form in [Form::Json, Form::Merge, Form::Strategic] {
            assert_eq!(Patch::decode(form, b"{").unwrap_err().code.as_u16(), 400);
        }
    }

    #[test]
    fn unknown_forms_are_refused() {
        let kind = Registry::built_in().find("", "v1", "configmaps").unwrap();
        let error = Form::of("application/json", &kind).unwrap_err();
        assert_eq!(
            (error.code.as_u16(), error.message.as_str()),
            (415, "415: Unsupported Media Type")
        );
    }
}
