//! The lines of a watch: where they end, and what they are about.

use bytes::{Bytes, BytesMut};

use super::scan::{Cursor, NEXT, STOP, Text};

/// Cuts chunks of a body into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: BytesMut,
    /// How much of it has no end of a line in it.
    searched: usize,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A change of an object.
    Change { namespace: String, version: u64 },
    /// All changes up to this version have been shown.
    Bookmark(u64),
    /// The watch ends with a Status of this code.
    Error(u16),
}

// === impl Lines ===

impl Lines {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
    }

    /// The next line that is complete, with its end; empty ones are left out.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        loop {
            let unsearched = &self.rest[self.searched..];
            let Some(end) = memchr::memchr(b'\n', unsearched) else {
                self.searched = self.rest.len();
                return None;
            };
            let line = self.rest.split_to(self.searched + end + 1);
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return Some(line.freeze());
            }
        }
    }
}

// === impl Line ===

impl Line {
    /// Reads what matters of a line; `None` when it makes no sense.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (mut change, mut object) = (None, None);
        Cursor::new(text).object(|key, cursor| {
            if key.is("type") {
                change = cursor.text()?;
            } else if key.is("object") {
                object = Some(cursor.clone());
                if change.is_none() {
                    cursor.skip()?;
                }
            } else {
                cursor.skip()?;
            }
            if change.is_some() && object.is_some() {
                STOP
            } else {
                NEXT
            }
        })?;
        let (change, mut object) = (change?, object?);
        if change.is("ERROR") {
            return Some(Self::Error(code(text, &mut object)?));
        }
        let head = Head::read(&mut object)?;
        let version = head.version?;
        if change.is("BOOKMARK") {
            return Some(Self::Bookmark(version));
        }
        Some(Self::Change {
            namespace: head.namespace?,
            version,
        })
    }
}

/// What the metadata of an object say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) namespace: Option<String>,
    pub(super) version: Option<u64>,
}

// === impl Head ===

impl Head {
    /// The namespace of an object.
    pub(super) fn namespace(cursor: &mut Cursor<'_>) -> Option<String> {
        let mut namespace = None;
        cursor.object(|key, cursor| {
            if !key.is("metadata") {
                return cursor.skip().and(NEXT);
            }
            cursor.object(|key, cursor| {
                if !key.is("namespace") {
                    return cursor.skip().and(NEXT);
                }
                namespace = cursor.text()?.and_then(|text| text.decode());
                STOP
            })?;
            STOP
        })?;
        namespace
    }

    /// Reads the metadata of an object, and no more of it than is needed.
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut head = Self::default();
        cursor.object(|key, cursor| {
            if !key.is("metadata") {
                return cursor.skip().and(NEXT);
            }
            cursor.object(|key, cursor| {
                if key.is("namespace") {
                    head.namespace = cursor.text()?.and_then(|text| text.decode());
                } else if key.is("resourceVersion") {
                    head.version = cursor.text()?.and_then(number);
                } else {
                    cursor.skip()?;
                }
                let complete = head.namespace.is_some() && head.version.is_some();
                if complete { STOP } else { NEXT }
            })?;
            STOP
        })?;
        Some(head)
    }
}

fn number(text: Text<'_>) -> Option<u64> {
    text.decode()?.parse().ok()
}

fn code(text: &[u8], object: &mut Cursor<'_>) -> Option<u16> {
    let mut code = None;
    object.object(|key, cursor| {
        let value = cursor.skip()?;
        if key.is("code") {
            code = std::str::from_utf8(&text[value]).ok()?.parse().ok();
        }
        NEXT
    })?;
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_chunks_are() {
        let text = b"{\"a\":1}\n\n{\"b\":2}\r\n{\"c\"";
        for cut in 0..text.len() {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for chunk in [&text[..cut], &text[cut..]] {
                lines.push(chunk);
                seen.extend(std::iter::from_fn(|| lines.next()));
            }
            assert_eq!(seen, ["{\"a\":1}\n", "{\"b\":2}\r\n"], "{cut}");
        }
    }

    #[test]
    fn lines_say_what_they_are_about() {
        let change = |namespace: &str, version| Line::Change {
            namespace: namespace.to_owned(),
            version,
        };
        for (text, expected) in [
            (
                r#"{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"a","namespace":"zoo","uid":"x","resourceVersion":"7","managedFields":[{}]},"spec":{"namespace":"x"}}}"#,
                Some(change("zoo", 7)),
            ),
            (
                r#" { "object" : { "spec" : {"metadata":{"namespace":"x"}} , "metadata" : { "resourceVersion" : "8" , "namespace":"zoo" } }, "type" : "DELETED" }"#,
                Some(change("zoo", 8)),
            ),
            (
                r#"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9"}}}"#,
                Some(Line::Bookmark(9)),
            ),
            (
                r#"{"type":"ERROR","object":{"kind":"Status","metadata":{},"code":410}}"#,
                Some(Line::Error(410)),
            ),
            // A kind without namespaces, versions that are none, broken lines.
            (
                r#"{"type":"ADDED","object":{"metadata":{"resourceVersion":"7"}}}"#,
                None,
            ),
            (
                r#"{"type":"ADDED","object":{"metadata":{"namespace":"zoo","resourceVersion":"x"}}}"#,
                None,
            ),
            (
                r#"{"type":"ADDED","object":{"metadata":{"namespace":"zoo""#,
                None,
            ),
            (r#"{"type":"ADDED"}"#, None),
            ("", None),
        ] {
            assert_eq!(Line::read(text.as_bytes()), expected, "{text}");
        }
    }
}
