//! A reader of JSON text that keeps what a tree of values forgets: the order of fields, doubled ones, and how numbers are
//! written.

use std::borrow::Cow;

use super::json;

/// A place in a JSON text that [`json::check`] has accepted.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// Reads a text that [`json::check`] has accepted; of others it makes something, too.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of the next value.
    pub(crate) fn peek(&mut self) -> u8 {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied().unwrap_or_default()
    }

    /// Steps into an object or a list.
    pub(crate) fn open(&mut self) {
        self.peek();
        self.at += 1;
    }

    /// The next key of the object that was opened; its value comes next.
    pub(crate) fn key(&mut self) -> Option<Cow<'a, str>> {
        if !self.item() {
            return None;
        }
        let key = self.string();
        self.peek();
        self.at += 1;
        Some(key)
    }

    /// Whether the list that was opened has another item, which comes next.
    pub(crate) fn item(&mut self) -> bool {
        if self.peek() == b',' {
            self.at += 1;
        }
        match self.peek() {
            b'}' | b']' | 0 => {
                self.at += 1;
                false
            }
            _ => true,
        }
    }

    /// The text of the next value, which is passed over.
    pub(crate) fn raw(&mut self) -> &'a [u8] {
        self.peek();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at) {
                None => break,
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.at += 1;
                }
                Some(b'}' | b']') => {
                    depth = depth.saturating_sub(1);
                    self.at += 1;
                }
                Some(b'"') => self.at = json::string(self.text, self.at).unwrap_or(self.text.len()),
                Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {
                    let rest = self.text.get(self.at..).unwrap_or_default();
                    let inside = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                    self.at += rest.iter().take_while(inside).count().max(1);
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The number, word or string that comes next, as it is written.
    pub(crate) fn literal(&mut self) -> &'a str {
        std::str::from_utf8(self.raw()).unwrap_or_default()
    }

    /// The string that comes next; what is no Unicode is replaced, as Go does it.
    pub(crate) fn string(&mut self) -> Cow<'a, str> {
        let raw = self.raw();
        let inner = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
        if !inner.contains(&b'\\') {
            return lossy(inner);
        }
        Cow::Owned(unescape(&lossy(inner)))
    }
}

/// Unicode, with a replacement for each byte that is none.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(text)
}

fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut letters = after.chars();
        let letter = match letters.next() {
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (letter, after) = unescape_unicode(letters.as_str());
                text.push(letter);
                rest = after;
                continue;
            }
            Some(other) => other,
            None => break,
        };
        text.push(letter);
        rest = letters.as_str();
    }
    text.push_str(rest);
    text
}

/// The letter of the four digits at the start of `text`, and what follows; two escapes may make one letter.
fn unescape_unicode(text: &str) -> (char, &str) {
    let unit = |text: &str| {
        text.get(..4)
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
    };
    let (first, rest) = (unit(text), text.get(4..).unwrap_or_default());
    let Some(first) = first else {
        return (char::REPLACEMENT_CHARACTER, rest);
    };
    let second = rest.strip_prefix("\\u").and_then(unit);
    let pair = char::decode_utf16([Some(first), second].into_iter().flatten()).next();
    match pair {
        Some(Ok(letter)) if u32::from(letter) >= 0x10000 => {
            (letter, rest.get(6..).unwrap_or_default())
        }
        Some(Ok(letter)) => (letter, rest),
        _ => (char::REPLACEMENT_CHARACTER, rest),
    }
}
