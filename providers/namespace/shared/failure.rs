//! Why a shared request has no answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use multicluster::BoxError;

use super::super::answer::{ReplyBody, json_bytes};

/// A failed request; everybody who waits for it gets the same.
#[derive(Clone, Debug)]
pub(in super::super) enum Failure {
    /// The server's refusal.
    Refused(StatusCode, HeaderMap, Bytes),
    /// There is no answer.
    Unanswered(Arc<str>),
}

// === impl Failure ===

impl Failure {
    pub(super) fn unanswered(error: &BoxError) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        Self::Unanswered(text.into())
    }

    /// Whether the server will say the same to the next one who asks.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Refused(code, ..) => {
                let lasting = [
                    StatusCode::BAD_REQUEST,
                    StatusCode::FORBIDDEN,
                    StatusCode::NOT_FOUND,
                    StatusCode::METHOD_NOT_ALLOWED,
                    StatusCode::NOT_ACCEPTABLE,
                ];
                lasting.contains(code)
            }
            Self::Unanswered(_) => false,
        }
    }

    /// What one who waits is told.
    pub(in super::super) fn reply(self) -> Result<Response<ReplyBody>, BoxError> {
        match self {
            Self::Refused(code, headers, text) => {
                let mut reply = json_bytes(code, text);
                for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
                    if let Some(value) = headers.get(&name) {
                        reply.headers_mut().insert(name, value.clone());
                    }
                }
                Ok(reply)
            }
            Self::Unanswered(text) => Err((*text).into()),
        }
    }

    /// The same as the error of a stream.
    pub(super) fn error(&self) -> BoxError {
        match self {
            Self::Refused(code, ..) => format!("the server refuses to go on: {code}").into(),
            Self::Unanswered(text) => (**text).into(),
        }
    }
}
