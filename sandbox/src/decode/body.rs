//! The media types of bodies: each becomes JSON text.

use std::borrow::Cow;

use super::{Expected, names::Named, protobuf, yaml};
use crate::status::ApiError;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    Yaml,
    Protobuf,
}

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// How much of a body a refusal shows.
const SHOWN: usize = 30;

/// Why a body is not JSON.
pub(super) enum Failure {
    /// It does not even say what it is.
    Unrecognized(String),
    Unreadable(Named, String),
}

/// A body as JSON.
pub(super) struct Json<'a> {
    pub(super) json: Cow<'a, [u8]>,
    /// The doubled keys, which JSON made from another form does not have any more.
    pub(super) doubled: Vec<String>,
}

// === impl Failure ===

impl Failure {
    pub(super) fn text(self) -> String {
        match self {
            Self::Unrecognized(why) | Self::Unreadable(_, why) => why,
        }
    }
}

// === impl MediaType ===

impl MediaType {
    /// Reads a `Content-Type`; none means JSON.
    pub(crate) fn parse(header: Option<&str>) -> Result<Self, ApiError> {
        let name = header.and_then(|header| header.split(';').next());
        match name.unwrap_or_default().trim() {
            "" | "application/json" => Ok(Self::Json),
            "application/yaml" => Ok(Self::Yaml),
            "application/vnd.kubernetes.protobuf" => Ok(Self::Protobuf),
            _ => Err(ApiError::unsupported_media_type(ACCEPTED)),
        }
    }

    pub(super) fn to_json<'a>(
        self,
        expected: Expected<'_>,
        body: &'a [u8],
    ) -> Result<Json<'a>, Failure> {
        match self {
            Self::Json => Ok(Json {
                json: Cow::Borrowed(body),
                doubled: Vec::new(),
            }),
            Self::Yaml => {
                let (value, doubled) = yaml::read(body).map_err(Failure::Unrecognized)?;
                Ok(Json {
                    json: Cow::Owned(value.to_string().into_bytes()),
                    doubled,
                })
            }
            Self::Protobuf => {
                let value = protobuf::read(expected, body)?;
                Ok(Json {
                    json: Cow::Owned(value.to_string().into_bytes()),
                    doubled: Vec::new(),
                })
            }
        }
    }
}

/// The start of a body, as refusals show it.
pub(super) fn summary(body: &[u8]) -> String {
    let shown = body.get(..SHOWN).unwrap_or(body);
    let dots = if body.len() > SHOWN { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(shown)),
        Some(_) => {
            let digits: String = shown.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{digits}{dots}")
        }
    }
}
