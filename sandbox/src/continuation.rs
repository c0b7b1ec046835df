//! The token with which a list goes on where its last page ended.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Value, json};

use crate::{schema, status::ApiError};

/// Without padding, and as lenient about the last bits as Go.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// The encoding of tokens; there has been no other.
const VERSION: &str = "meta.k8s.io/v1";

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// The version that all pages show; `None` goes on with the present objects.
    pub version: Option<u64>,
    /// The first key of the page, within the namespace or the kind that is listed.
    pub start: String,
}

// === impl Continuation ===

impl Continuation {
    /// Reads a token.
    pub(crate) fn decode(token: &str) -> Result<Self, ApiError> {
        Self::read(token).map_err(|why| {
            ApiError::bad_request(format!(
                "invalid continue token: continue key is not valid{why}"
            ))
        })
    }

    fn read(token: &str) -> Result<Self, String> {
        let data = BASE64.decode(token).map_err(|_| {
            let byte = first_illegal(token);
            format!(": illegal base64 data at input byte {byte}")
        })?;
        schema::json::check(&data).map_err(|why| format!(": {why}"))?;
        let fields: Value = serde_json::from_slice(&data).map_err(|error| format!(": {error}"))?;
        let version = fields["v"].as_str().unwrap_or_default();
        if version != VERSION {
            return Err(format!(
                ": server does not recognize this encoded version {version}"
            ));
        }
        let version = fields["rv"].as_i64().unwrap_or_default();
        if version == 0 {
            return Err(format!(
                ": incorrect encoded start resourceVersion (version {VERSION})"
            ));
        }
        let given = fields["start"].as_str().unwrap_or_default();
        if given.is_empty() {
            return Err(format!(": encoded start key empty (version {VERSION})"));
        }
        let start = given.strip_prefix('/').unwrap_or(given);
        let is_clean = |part: &str| !matches!(part, "" | "." | "..");
        if !start.is_empty() && !start.split('/').all(is_clean) {
            return Err(format!(": {given}"));
        }
        Ok(Self {
            version: u64::try_from(version).ok(),
            start: start.to_owned(),
        })
    }

    pub(crate) fn encode(&self) -> String {
        let version = self.version.map(i64::try_from);
        let version = version.and_then(Result::ok).unwrap_or(-1);
        let start = format!("/{}", self.start);
        BASE64.encode(json!({"v": VERSION, "rv": version, "start": start}).to_string())
    }
}

/// Where Go's decoder gives up.
fn first_illegal(token: &str) -> usize {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    token
        .bytes()
        .position(|byte| !legal(&byte))
        .unwrap_or(token.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(fields: &str) -> String {
        let error = Continuation::decode(&BASE64.encode(fields)).unwrap_err();
        let start = "invalid continue token: continue key is not valid";
        error.message.strip_prefix(start).unwrap().to_owned()
    }

    #[test]
    fn a_token_says_where_to_go_on() {
        for version in [Some(306), None] {
            let start = "zoo/b\0".to_owned();
            let continuation = Continuation { version, start };
            let read = Continuation::decode(&continuation.encode());
            assert_eq!(read, Ok(continuation));
        }
    }

    #[test]
    fn a_token_that_is_none_is_refused_as_by_the_api_server() {
        for (fields, expected) in [
            (
                r#"{"v":"meta.k8s.io/v1","rv":0,"start":"x"}"#,
                ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (
                r#"{"v":"meta.k8s.io/v1","rv":5}"#,
                ": encoded start key empty (version meta.k8s.io/v1)",
            ),
            (
                r#"{"v":"meta.k8s.io/v2","rv":5,"start":"x"}"#,
                ": server does not recognize this encoded version meta.k8s.io/v2",
            ),
            (r#"{"v":"meta.k8s.io/v1","rv":5,"start":"../x"}"#, ": ../x"),
            (r#"{"v":"meta.k8s.io/v1","rv":5,"start":"a//x"}"#, ": a//x"),
            ("{}", ": server does not recognize this encoded version "),
        ] {
            assert_eq!(refusal(fields), expected, "{fields}");
        }
        for (token, byte) in [("a%b", 1), ("abcde", 4), ("abc=", 3)] {
            let error = Continuation::decode(token).unwrap_err();
            let expected = format!("illegal base64 data at input byte {byte}");
            assert!(error.message.ends_with(&expected), "{}", error.message);
        }
    }
}
