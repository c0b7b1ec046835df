//! Walks JSON text without building a tree.
//!
//! Values that nobody asks for are skipped by their brackets and quotes alone, so what is wrong inside of them is not
//! noticed. No text makes it panic or recurse: a walk that finds no sense in the text ends with `None`.

use std::ops::Range;

use memchr::memchr2;

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

/// A string in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// What stands between the quotes.
    raw: &'a [u8],
    /// Where that begins.
    start: usize,
    escaped: bool,
}

/// What a visitor of a value says: go on, stop here, or (`None`) that the text makes no sense.
pub(super) type Visit = Option<Flow>;

/// Whether a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Stop,
}

/// Go on.
pub(super) const NEXT: Visit = Some(Flow::Next);

/// Enough was seen.
pub(super) const STOP: Visit = Some(Flow::Stop);

// === impl Cursor ===

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of the next value.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !byte.is_ascii_whitespace() {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Visits the members of an object; the visitor reads each value. Anything but an object is skipped.
    ///
    /// When the visitor stops, the rest of the object is not read.
    pub(super) fn object(&mut self, mut visit: impl FnMut(Text<'a>, &mut Self) -> Visit) -> Visit {
        if self.peek()? != b'{' {
            self.skip()?;
            return NEXT;
        }
        self.at += 1;
        if self.taken(b'}') {
            return NEXT;
        }
        loop {
            let key = self.string()?;
            if !self.taken(b':') {
                return None;
            }
            if visit(key, self)? == Flow::Stop {
                return STOP;
            }
            if self.taken(b'}') {
                return NEXT;
            }
            if !self.taken(b',') {
                return None;
            }
        }
    }

    /// Visits the elements of an array as [`object`](Self::object) does members.
    pub(super) fn array(&mut self, mut visit: impl FnMut(&mut Self) -> Visit) -> Visit {
        if self.peek()? != b'[' {
            self.skip()?;
            return NEXT;
        }
        self.at += 1;
        if self.taken(b']') {
            return NEXT;
        }
        loop {
            if visit(self)? == Flow::Stop {
                return STOP;
            }
            if self.taken(b']') {
                return NEXT;
            }
            if !self.taken(b',') {
                return None;
            }
        }
    }

    /// Reads a value; says which string it is, if it is one.
    pub(super) fn text(&mut self) -> Option<Option<Text<'a>>> {
        if self.peek()? == b'"' {
            return self.string().map(Some);
        }
        self.skip()?;
        Some(None)
    }

    /// Reads a value of any form; says where it stands.
    pub(super) fn skip(&mut self) -> Option<Range<usize>> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => {
                self.string()?;
            }
            b'{' | b'[' => self.skip_nested()?,
            b',' | b':' | b'}' | b']' => return None,
            _ => {
                let ends =
                    |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                let rest = &self.text[start..];
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        Some(start..self.at)
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match *self.text.get(self.at)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    fn string(&mut self) -> Option<Text<'a>> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let (mut end, mut escaped) = (start, false);
        loop {
            end += quote_or_escape(self.text.get(end..)?)?;
            if self.text[end] == b'"' {
                break;
            }
            escaped = true;
            end += 2;
        }
        self.at = end + 1;
        let raw = &self.text[start..end];
        Some(Text {
            raw,
            start,
            escaped,
        })
    }

    fn taken(&mut self, wanted: u8) -> bool {
        let taken = self.peek() == Some(wanted);
        self.at += usize::from(taken);
        taken
    }
}

/// Most strings are short, and end before a search in words would have begun.
fn quote_or_escape(text: &[u8]) -> Option<usize> {
    let near = text.iter().take(16);
    let found = near.copied().position(|byte| matches!(byte, b'"' | b'\\'));
    found.or_else(|| memchr2(b'"', b'\\', text))
}

// === impl Text ===

impl Text<'_> {
    /// Whether it stands for `wanted`, however it is written.
    pub(super) fn is(&self, wanted: &str) -> bool {
        match self.escaped {
            false => self.raw == wanted.as_bytes(),
            true => self.decode().is_some_and(|text| text == wanted),
        }
    }

    pub(super) fn decode(&self) -> Option<String> {
        if !self.escaped {
            return String::from_utf8(self.raw.to_vec()).ok();
        }
        let quoted = [b"\"", self.raw, b"\""].concat();
        serde_json::from_slice(&quoted).ok()
    }

    pub(super) fn ends_with(&self, end: &str) -> bool {
        self.raw.ends_with(end.as_bytes())
    }

    /// Where it stands, without the quotes.
    pub(super) fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_found_in_any_form() {
        let text = br#" { "a" : [1, {"b": "]}"}, []] , "n\u0061me":"x\"y", "c": {} , "d":null}"#;
        let mut seen = Vec::new();
        let walked = Cursor::new(text).object(|key, cursor| {
            let value = cursor.skip()?;
            seen.push((
                key.decode()?,
                String::from_utf8_lossy(&text[value]).into_owned(),
            ));
            NEXT
        });
        assert_eq!(walked, NEXT);
        let expected = [
            ("a", r#"[1, {"b": "]}"}, []]"#),
            ("name", r#""x\"y""#),
            ("c", "{}"),
            ("d", "null"),
        ];
        assert_eq!(
            seen,
            expected.map(|(key, value)| (key.into(), value.into()))
        );
    }

    #[test]
    fn nesting_has_no_limit() {
        let deep = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert_eq!(Cursor::new(&deep).skip(), Some(0..deep.len()));
        assert_eq!(Cursor::new(&deep[..1_500_000]).skip(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut cursor = Cursor::new(&text);
            let _ = cursor.object(|_, cursor| cursor.skip().and(NEXT));
            let _ = Cursor::new(&text).array(|cursor| cursor.text().and(NEXT));
        }

        #[test]
        fn broken_json_does_not_make_it_panic(text in r#"[\[\]{}",:\\ua0 ]{0,40}"#) {
            let mut cursor = Cursor::new(text.as_bytes());
            let _ = cursor.object(|_, cursor| cursor.text().and(NEXT));
        }
    }
}
