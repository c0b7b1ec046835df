//! The namespace inside objects: the real name and `default` are exchanged, and nothing else is touched.
//!
//! An exchange, and not a replacement, so that the server sees another namespace where the user writes one: the real name
//! in a user's object is a namespace that this cluster does not have.

use std::ops::Range;

use super::{
    path::VISIBLE,
    scan::{Cursor, Flow, NEXT, STOP, Text, Visit},
};

/// Fields of an Event that name its subject, whose namespace must be the Event's own.
const SUBJECTS: [&str; 3] = ["involvedObject", "regarding", "related"];

/// What is exchanged in the objects of one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renaming<'a> {
    namespace: &'a str,
    /// Whether the objects are Events.
    events: bool,
    /// Whether the objects are questions about rights in their own namespace.
    reviews: bool,
    /// Whether each object has one `metadata`, as those that a server sends.
    trusted: bool,
}

/// A walk over a text that collects what to exchange.
struct Walk<'n> {
    renaming: Renaming<'n>,
    splices: Vec<(Range<usize>, &'n str)>,
}

/// What the kind of a document says about its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Object,
    List,
    Table,
}

// === impl Renaming ===

impl<'n> Renaming<'n> {
    /// For what users send.
    pub(super) fn sent(namespace: &'n str, resource: &str) -> Self {
        Self {
            namespace,
            events: resource == "events",
            reviews: resource == "localsubjectaccessreviews",
            trusted: false,
        }
    }

    /// For what a server answers.
    pub(super) fn received(namespace: &'n str, resource: &str) -> Self {
        Self {
            trusted: true,
            ..Self::sent(namespace, resource)
        }
    }

    /// Exchanges in an object, in the items of a list, and in the rows of a table; `None` when nothing is to be done.
    pub(super) fn document(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.walk(text, |walk, cursor| walk.document(cursor))
    }

    /// Exchanges in the object of one line of a watch.
    pub(super) fn line(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.walk(text, |walk, cursor| {
            cursor.object(|key, cursor| match key.is("object") {
                true => walk.document(cursor),
                false => cursor.skip().and(NEXT),
            })
        })
    }

    /// Exchanges in the operations of a JSON patch.
    pub(super) fn json_patch(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.walk(text, |walk, cursor| {
            cursor.array(|cursor| walk.operation(cursor))
        })
    }

    /// The other name of a namespace, if it has one.
    pub(super) fn exchange(&self, namespace: &str) -> Option<&'n str> {
        match namespace {
            VISIBLE => Some(self.namespace),
            _ if namespace == self.namespace => Some(VISIBLE),
            _ => None,
        }
    }

    fn walk(
        &self,
        text: &[u8],
        walk: impl FnOnce(&mut Walk<'n>, &mut Cursor<'_>) -> Visit,
    ) -> Option<Vec<u8>> {
        if self.namespace == VISIBLE {
            return None;
        }
        let mut found = Walk {
            renaming: *self,
            splices: Vec::new(),
        };
        walk(&mut found, &mut Cursor::new(text))?;
        found.apply(text)
    }
}

// === impl Walk ===

impl<'n> Walk<'n> {
    fn document(&mut self, cursor: &mut Cursor<'_>) -> Visit {
        let mut form = None;
        // Members that come before the kind.
        let (mut items, mut rows) = (None, None);
        let visited = cursor.object(|key, cursor| {
            if key.is("kind") {
                let kind = cursor.text()?;
                form = Some(kind.map_or(Form::Object, |kind| Form::of(&kind)));
            } else if key.is("items") {
                match form {
                    Some(Form::List) => self.items(cursor)?,
                    _ => {
                        items = Some(cursor.clone());
                        cursor.skip().and(NEXT)?
                    }
                };
            } else if key.is("rows") {
                match form {
                    Some(Form::Table) => self.rows(cursor)?,
                    _ => {
                        rows = Some(cursor.clone());
                        cursor.skip().and(NEXT)?
                    }
                };
            } else {
                // Then nothing else is to be found.
                let alone = self.renaming.is_simple() && form == Some(Form::Object);
                if self.member(&key, cursor, alone)? && alone {
                    return STOP;
                }
            }
            NEXT
        });
        if visited? == Flow::Stop {
            return STOP;
        }
        match (form, items, rows) {
            (Some(Form::List), Some(mut items), _) => self.items(&mut items),
            (Some(Form::Table), _, Some(mut rows)) => self.rows(&mut rows),
            _ => NEXT,
        }
    }

    fn items(&mut self, cursor: &mut Cursor<'_>) -> Visit {
        cursor.array(|cursor| self.object(cursor))
    }

    fn rows(&mut self, cursor: &mut Cursor<'_>) -> Visit {
        cursor.array(|cursor| {
            cursor.object(|key, cursor| match key.is("object") {
                true => self.object(cursor),
                false => cursor.skip().and(NEXT),
            })
        })
    }

    fn object(&mut self, cursor: &mut Cursor<'_>) -> Visit {
        cursor.object(|key, cursor| {
            self.member(&key, cursor, false)?;
            NEXT
        })
    }

    /// Reads a member of an object; says whether it was its metadata with a namespace, of which, if `alone`, the rest is
    /// not read.
    fn member(&mut self, key: &Text<'_>, cursor: &mut Cursor<'_>, alone: bool) -> Option<bool> {
        let renaming = self.renaming;
        if key.is("metadata") {
            return self.namespace_of(cursor, alone);
        }
        if renaming.events && SUBJECTS.iter().any(|subject| key.is(subject)) {
            self.namespace_of(cursor, false)?;
        } else if renaming.reviews && key.is("spec") {
            cursor.object(|key, cursor| {
                match key.is("resourceAttributes") {
                    true => self.namespace_of(cursor, false).map(drop)?,
                    false => cursor.skip().map(drop)?,
                }
                NEXT
            })?;
        } else {
            cursor.skip()?;
        }
        Some(false)
    }

    /// Exchanges the field `namespace` of an object.
    fn namespace_of(&mut self, cursor: &mut Cursor<'_>, alone: bool) -> Option<bool> {
        let mut found = false;
        cursor.object(|key, cursor| {
            if key.is("namespace") {
                found |= self.value(cursor)?;
                return if found && alone { STOP } else { NEXT };
            }
            cursor.skip().and(NEXT)
        })?;
        Some(found)
    }

    fn value(&mut self, cursor: &mut Cursor<'_>) -> Option<bool> {
        let Some(text) = cursor.text()? else {
            return Some(false);
        };
        for (from, to) in [
            (self.renaming.namespace, VISIBLE),
            (VISIBLE, self.renaming.namespace),
        ] {
            if text.is(from) {
                self.splices.push((text.range(), to));
                break;
            }
        }
        Some(true)
    }

    /// Exchanges in the value of one operation, by what its path points at.
    fn operation(&mut self, cursor: &mut Cursor<'_>) -> Visit {
        let (mut path, mut value) = (None, None);
        cursor.object(|key, cursor| {
            if key.is("path") {
                path = cursor.text()?.and_then(|path| path.decode());
            } else {
                let here = cursor.clone();
                cursor.skip()?;
                if key.is("value") {
                    value = Some(here);
                }
            }
            NEXT
        })?;
        let (Some(path), Some(mut value)) = (path, value) else {
            return NEXT;
        };
        let holds =
            |field: &str| field == "metadata" || self.renaming.events && SUBJECTS.contains(&field);
        match path.split('/').collect::<Vec<_>>().as_slice() {
            // The whole object.
            [""] => return self.object(&mut value),
            ["", field] if holds(field) => self.namespace_of(&mut value, false)?,
            ["", field, "namespace"] if holds(field) => self.value(&mut value)?,
            _ => false,
        };
        NEXT
    }

    fn apply(mut self, text: &[u8]) -> Option<Vec<u8>> {
        if self.splices.is_empty() {
            return None;
        }
        // Members before the kind were walked late.
        self.splices.sort_unstable_by_key(|(range, _)| range.start);
        let longer: usize = self.splices.iter().map(|(_, to)| to.len()).sum();
        let mut renamed = Vec::with_capacity(text.len() + longer);
        let mut copied = 0;
        for (range, to) in self.splices {
            renamed.extend_from_slice(&text[copied..range.start]);
            renamed.extend_from_slice(to.as_bytes());
            copied = range.end;
        }
        renamed.extend_from_slice(&text[copied..]);
        Some(renamed)
    }
}

impl Renaming<'_> {
    /// Whether an object has one namespace only.
    fn is_simple(&self) -> bool {
        self.trusted && !self.events && !self.reviews
    }
}

// === impl Form ===

impl Form {
    fn of(kind: &Text<'_>) -> Self {
        if kind.ends_with("List") {
            Self::List
        } else if kind.is("Table") {
            Self::Table
        } else {
            Self::Object
        }
    }
}

#[cfg(test)]
mod tests;
