//! From the bytes of a request to an object that fits its kind.
//!
//! An object is kept without `apiVersion` and `kind`, which follow from the path, and otherwise as Go writes it: without
//! unknown fields, and with those that are written even if nobody has set them.

mod body;
mod names;
mod protobuf;
mod wire;
mod yaml;

use serde_json::Value;

use self::body::Failure;
pub(crate) use self::body::MediaType;
use crate::{
    custom::CustomType,
    kinds::Kind,
    schema::{self, GoTypes},
    status::{ApiError, FieldError},
};

/// What a request wants to happen to fields that its object should not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validation {
    /// They are dropped in silence.
    Ignore,
    /// They are dropped, and the reply warns.
    Warn,
    /// They refuse the request.
    Strict,
}

/// A decoded object, and what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    pub object: Value,
    pub warnings: Vec<String>,
}

/// What a body has to be: an object of a kind, or of what a subresource takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    pub group: &'a str,
    pub version: &'a str,
    pub kind: &'a str,
    /// The full name of its schema.
    pub type_name: &'a str,
    /// What a definition says about it.
    pub custom: Option<&'a CustomType>,
}

// === impl Validation ===

impl Validation {
    /// Reads the parameter `fieldValidation`; `options` names the options in the refusal, such as `CreateOptions`.
    pub(crate) fn parse(text: Option<&str>, options: &str) -> Result<Self, ApiError> {
        match text.unwrap_or_default() {
            "" | "Warn" => Ok(Self::Warn),
            "Ignore" => Ok(Self::Ignore),
            "Strict" => Ok(Self::Strict),
            other => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                let error =
                    FieldError::unsupported("fieldValidation", &Value::from(other), &supported);
                Err(ApiError::invalid("meta.k8s.io", options, "", &[error]))
            }
        }
    }
}

// === impl Expected ===

impl<'a> Expected<'a> {
    pub(crate) fn of(kind: &'a Kind) -> Self {
        Self {
            group: &kind.group,
            version: &kind.version,
            kind: &kind.kind,
            type_name: &kind.type_name,
            custom: kind.custom.as_deref(),
        }
    }
}

/// Decodes the object of a create or replace request.
pub(crate) fn object(
    kind: &Kind,
    media_type: MediaType,
    body: &[u8],
    validation: Validation,
) -> Result<Decoded, ApiError> {
    let mut decoded = typed(Expected::of(kind), media_type, body, validation)?;
    keep(kind, &mut decoded.object);
    Ok(decoded)
}

/// Decodes a body that is not an object of a served kind: what a subresource takes.
pub(crate) fn typed(
    expected: Expected<'_>,
    media_type: MediaType,
    body: &[u8],
    validation: Validation,
) -> Result<Decoded, ApiError> {
    let unrecognized = |why: String| {
        let kind = expected.kind;
        let summary = body::summary(body);
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({summary})"
        ))
    };
    let text = media_type
        .to_json(expected, body)
        .map_err(|failure| match failure {
            Failure::Unrecognized(why) => unrecognized(why),
            Failure::Unreadable(named, why) => named.unhandled(expected, &why),
        })?;
    let named = names::interpret(&text.json, expected).map_err(unrecognized)?;
    if let Some(refusal) = named.other_version(expected) {
        return Err(refusal);
    }
    if let Err(why) = named.check(expected) {
        return Err(named.unhandled(expected, &why));
    }
    let strict = validation != Validation::Ignore;
    let read = read(expected, &text.json, strict);
    let (object, found) = read.map_err(|why| named.unhandled(expected, &why))?;
    let mut problems = text.doubled;
    let in_yaml = problems.len();
    problems.extend(found);
    match validation {
        Validation::Ignore => problems.clear(),
        Validation::Strict if !problems.is_empty() => {
            // The doubled keys of YAML are one problem, and say where they are from.
            for doubled in problems.iter_mut().take(in_yaml) {
                doubled.insert_str(0, "yaml: unmarshal errors:\n  ");
            }
            return Err(named.unhandled(expected, &strict_error(&problems)));
        }
        Validation::Strict | Validation::Warn => {}
    }
    Ok(Decoded {
        object,
        warnings: problems,
    })
}

/// Decodes the options of a deletion, which every group has under its own name.
pub(crate) fn delete_options(media_type: MediaType, body: &[u8]) -> Result<Value, ApiError> {
    let expected = Expected {
        group: "meta.k8s.io",
        version: "v1",
        kind: "DeleteOptions",
        type_name: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
        custom: None,
    };
    let options = || {
        let text = media_type.to_json(expected, body).map_err(Failure::text)?;
        names::interpret(&text.json, expected)?.check(expected)?;
        read(expected, &text.json, false)
    };
    let (options, _) = options().map_err(ApiError::bad_request)?;
    Ok(options)
}

/// Checks that what a patch has made is an object of `kind`; `problems` are those of the patch itself.
///
/// The error says why it is none.
pub(crate) fn patched(
    kind: &Kind,
    patched: &Value,
    mut problems: Vec<String>,
    validation: Validation,
) -> Result<Decoded, String> {
    let text = patched.to_string();
    let expected = Expected::of(kind);
    names::interpret(text.as_bytes(), expected)?.check(expected)?;
    let strict = validation != Validation::Ignore;
    let (mut object, found) = read(expected, text.as_bytes(), strict)?;
    problems.extend(found);
    match validation {
        Validation::Ignore => problems.clear(),
        Validation::Strict if !problems.is_empty() => return Err(strict_error(&problems)),
        Validation::Strict | Validation::Warn => {}
    }
    keep(kind, &mut object);
    Ok(Decoded {
        object,
        warnings: problems,
    })
}

/// Reads YAML of no known type, and the keys that are set twice in it.
///
/// The error is that of a reader, which the caller wraps into a refusal.
pub(crate) fn yaml(text: &[u8]) -> Result<(Value, Vec<String>), String> {
    yaml::read(text)
}

/// Reads JSON of no known type; doubled fields are told apart.
pub(crate) fn any(text: &[u8]) -> Result<(Value, Vec<String>), String> {
    schema::json::check(text)?;
    schema::Decoder::new(GoTypes::kubernetes(), text, true).decode_any()
}

/// Reads an object, and tells what is unknown or doubled in it.
fn read(expected: Expected<'_>, text: &[u8], strict: bool) -> Result<(Value, Vec<String>), String> {
    let types = GoTypes::kubernetes();
    let decoder = schema::Decoder::new(types, text, strict);
    let (mut object, mut problems) = match types.of_schema(expected.type_name) {
        Some(of) if expected.custom.is_none() => decoder.decode(of)?,
        _ => custom(decoder.decode_any()?)?,
    };
    if let Some(custom) = expected.custom {
        let dropped = custom.admit(&mut object);
        let unknown = dropped.iter().map(|path| format!("unknown field {path:?}"));
        problems.extend(unknown);
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    Ok((object, problems))
}

/// The object of a custom resource: its metadata alone has a type here.
fn custom(
    (mut object, mut problems): (Value, Vec<String>),
) -> Result<(Value, Vec<String>), String> {
    const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
    let types = GoTypes::kubernetes();
    if let (Some(of), Some(fields)) = (types.of_schema(METADATA), object.as_object_mut()) {
        let metadata = fields.remove("metadata").unwrap_or_default().to_string();
        let decoder = schema::Decoder::new(types, metadata.as_bytes(), true);
        let (metadata, found) = decoder.decode(of)?;
        fields.insert("metadata".to_owned(), metadata);
        let inside = |problem: String| problem.replacen('"', "\"metadata.", 1);
        problems.extend(found.into_iter().map(inside));
    }
    Ok((object, problems))
}

/// Brings an object into the form in which it is kept.
fn keep(kind: &Kind, object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("selfLink");
    }
    kind.store(object);
    (kind.default)(object);
}

fn strict_error(problems: &[String]) -> String {
    format!("strict decoding error: {}", problems.join(", "))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
