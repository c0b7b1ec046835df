//! Media types: what is sent and received is JSON, in which namespaces can be exchanged.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::de::IgnoredAny;
use serde_json::Value;

use super::rename::Renaming;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Types that servers speak and this layer does not.
const FOREIGN: [&str; 3] = ["protobuf", "yaml", "cbor"];

/// Takes types other than JSON out of what a client accepts; says whether anything is left.
pub(super) fn accept_json(headers: &mut HeaderMap) -> bool {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return true;
    };
    let Ok(accept) = accept.to_str() else {
        return false;
    };
    let is_foreign = |kind: &str| FOREIGN.iter().any(|foreign| kind.contains(foreign));
    if !is_foreign(accept) {
        return true;
    }
    let kept: Vec<_> = accept
        .split(',')
        .map(str::trim)
        .filter(|kind| !is_foreign(kind))
        .collect();
    match HeaderValue::from_str(&kept.join(",")) {
        Ok(accept) if !kept.is_empty() => {
            headers.insert(header::ACCEPT, accept);
            true
        }
        _ => false,
    }
}

/// Whether a body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|kind| kind == "application/json")
}

/// Exchanges the namespaces in what a client sends; `None` when it is of a type that cannot be read.
///
/// YAML becomes JSON on the way. A text that is neither is sent as it is: the server says what is wrong with it.
pub(super) fn rename(
    headers: &mut HeaderMap,
    sent: Bytes,
    renaming: &Renaming<'_>,
) -> Option<Bytes> {
    if sent.is_empty() {
        return Some(sent);
    }
    let kind = media_type(headers).unwrap_or_default().to_owned();
    if kind.contains("protobuf") || kind.contains("cbor") {
        return None;
    }
    if kind == "application/json-patch+json" {
        return Some(renaming.json_patch(&sent).map_or(sent, Bytes::from));
    }
    let sent = match kind.contains("yaml") {
        true => as_json(sent),
        false => sent,
    };
    if kind == "application/yaml" {
        headers.insert(header::CONTENT_TYPE, JSON);
    }
    Some(renaming.document(&sent).map_or(sent, Bytes::from))
}

fn as_json(text: Bytes) -> Bytes {
    if serde_json::from_slice::<IgnoredAny>(&text).is_ok() {
        return text;
    }
    let yaml = std::str::from_utf8(&text).ok();
    match yaml.and_then(|yaml| serde_saphyr::from_str::<Value>(yaml).ok()) {
        Some(value) => value.to_string().into(),
        None => text,
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.split(';').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_json_is_accepted() {
        for (accept, left) in [
            ("application/json", Some("application/json")),
            (
                "application/vnd.kubernetes.protobuf, application/json",
                Some("application/json"),
            ),
            ("application/vnd.kubernetes.protobuf", None),
            ("application/yaml,*/*", Some("*/*")),
            ("*/*", Some("*/*")),
        ] {
            let mut headers = headers(header::ACCEPT, accept);
            assert_eq!(accept_json(&mut headers), left.is_some(), "{accept}");
            if let Some(left) = left {
                assert_eq!(headers[header::ACCEPT], left);
            }
        }
    }

    #[test]
    fn what_is_sent_is_renamed_in_its_form() {
        for (kind, sent, expected) in [
            (
                "application/json",
                r#"{"metadata":{"namespace":"default"}}"#,
                Some(r#"{"metadata":{"namespace":"zoo"}}"#),
            ),
            (
                "application/merge-patch+json",
                r#"{"metadata":{"namespace":"default"}}"#,
                Some(r#"{"metadata":{"namespace":"zoo"}}"#),
            ),
            (
                "application/json-patch+json",
                r#"[{"op":"test","path":"/metadata/namespace","value":"default"}]"#,
                Some(r#"[{"op":"test","path":"/metadata/namespace","value":"zoo"}]"#),
            ),
            (
                "application/apply-patch+yaml",
                "metadata:\n  namespace: default # as users see it\n",
                Some(r#"{"metadata":{"namespace":"zoo"}}"#),
            ),
            (
                "application/apply-patch+yaml",
                "{metadata: {namespace: default}}",
                Some(r#"{"metadata":{"namespace":"zoo"}}"#),
            ),
            ("application/apply-patch+yaml", "a: [", Some("a: [")),
            ("application/json", "no JSON", Some("no JSON")),
            ("application/vnd.kubernetes.protobuf", "k8s", None),
        ] {
            let mut headers = headers(header::CONTENT_TYPE, kind);
            let renaming = Renaming::sent("zoo", "configmaps");
            let renamed = rename(&mut headers, Bytes::from(sent), &renaming);
            assert_eq!(renamed, expected.map(Bytes::from), "{kind} {sent}");
        }
    }
}
