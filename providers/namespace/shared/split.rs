//! Splits lists over all Namespaces by Namespace.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;

use super::super::{
    lines::Head,
    scan::{Cursor, NEXT},
};

/// The items of a list over all Namespaces, for those Namespaces that want them.
#[derive(Debug)]
pub(super) struct Split {
    /// What a list begins with, up to its items.
    prefix: Option<Vec<u8>>,
    version: Option<u64>,
    items: HashMap<Arc<str>, Vec<u8>>,
    seen: usize,
}

/// What a page of a list is beside its items.
#[derive(Debug, Default)]
struct Page {
    kind: Option<Range<usize>>,
    api_version: Option<Range<usize>>,
    version: Option<String>,
    token: Option<String>,
}

/// A list that cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsplittable;

// === impl Split ===

impl Split {
    pub(super) fn for_namespaces(wanted: &HashSet<Arc<str>>) -> Self {
        let items = wanted.iter().cloned().map(|name| (name, Vec::new()));
        Self {
            prefix: None,
            version: None,
            items: items.collect(),
            seen: 0,
        }
    }

    /// Takes a page; gives the token of the next one, if there is one.
    pub(super) fn page(&mut self, text: &[u8]) -> Result<Option<String>, Unsplittable> {
        self.read(text).ok_or(Unsplittable)
    }

    fn read(&mut self, text: &[u8]) -> Option<Option<String>> {
        let mut page = Page::default();
        Cursor::new(text).object(|key, cursor| {
            if key.is("items") {
                cursor.array(|cursor| self.item(text, cursor).and(NEXT))?;
            } else if key.is("metadata") {
                page.metadata(cursor)?;
            } else {
                let value = cursor.skip()?;
                if key.is("kind") {
                    page.kind = Some(value);
                } else if key.is("apiVersion") {
                    page.api_version = Some(value);
                }
            }
            NEXT
        })?;
        if self.prefix.is_none() {
            let version = page.version.as_deref()?;
            self.version = Some(version.parse().ok()?);
            self.prefix = Some(page.prefix(text, version)?);
        }
        Some(page.token)
    }

    fn item(&mut self, text: &[u8], cursor: &mut Cursor<'_>) -> Option<()> {
        let namespace = Head::namespace(&mut cursor.clone())?;
        let item = cursor.skip()?;
        self.seen += 1;
        if let Some(items) = self.items.get_mut(namespace.as_str()) {
            items.push(if items.is_empty() { b'[' } else { b',' });
            items.extend_from_slice(&text[item]);
        }
        Some(())
    }

    /// Whether there was no item at all.
    pub(super) fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// The version of the list.
    pub(super) fn version(&self) -> Option<u64> {
        self.version
    }

    /// The list of one of the Namespaces.
    pub(super) fn list(&self, namespace: &str) -> Option<Bytes> {
        let mut list = self.prefix.clone()?;
        match self.items.get(namespace) {
            Some(items) if !items.is_empty() => list.extend_from_slice(items),
            _ => list.push(b'['),
        }
        list.extend_from_slice(b"]}");
        Some(list.into())
    }
}

// === impl Page ===

impl Page {
    fn metadata(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.object(|key, cursor| {
            let text = cursor.text()?.and_then(|text| text.decode());
            if key.is("resourceVersion") {
                self.version = text;
            } else if key.is("continue") {
                self.token = text.filter(|token| !token.is_empty());
            }
            NEXT
        })?;
        Some(())
    }

    fn prefix(&self, text: &[u8], version: &str) -> Option<Vec<u8>> {
        let (kind, api_version) = (&text[self.kind.clone()?], &text[self.api_version.clone()?]);
        let metadata = serde_json::json!({"resourceVersion": version}).to_string();
        let parts: [&[u8]; 7] = [
            br#"{"kind":"#,
            kind,
            br#","apiVersion":"#,
            api_version,
            br#","metadata":"#,
            metadata.as_bytes(),
            br#","items":"#,
        ];
        Some(parts.concat())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn split(wanted: &[&str]) -> Split {
        Split::for_namespaces(&wanted.iter().map(|name| Arc::from(*name)).collect())
    }

    fn item(name: &str, namespace: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": namespace}, "data": {"items": "]}"}})
    }

    #[test]
    fn each_namespace_gets_its_items_of_all_pages() {
        let first = json!({
            "kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7", "continue": "x", "remainingItemCount": 2},
            "items": [item("a", "zoo"), item("b", "jungle")],
        });
        let second = json!({
            "kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
            "items": [item("c", "other"), item("d", "zoo")],
        });
        let mut split = split(&["zoo", "island"]);
        assert_eq!(
            split.page(first.to_string().as_bytes()),
            Ok(Some("x".into()))
        );
        assert_eq!(split.page(second.to_string().as_bytes()), Ok(None));
        assert_eq!((split.version(), split.is_empty()), (Some(7), false));
        for (namespace, items) in [
            ("zoo", vec![item("a", "zoo"), item("d", "zoo")]),
            ("island", vec![]),
        ] {
            let list: Value = serde_json::from_slice(&split.list(namespace).unwrap()).unwrap();
            assert_eq!(
                list,
                json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
            );
        }
    }

    #[test]
    fn what_has_no_namespaces_is_not_split() {
        for text in [
            r#"{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}]}"#,
            r#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}"#,
            r#"{"items":["#,
            "",
        ] {
            assert_eq!(split(&["zoo"]).page(text.as_bytes()), Err(Unsplittable));
        }
    }
}
