//! Whether a text is JSON, in the words of Go.

/// How deep a text may nest, as Go has it.
const NESTING: usize = 10_000;

const END: &str = "unexpected end of JSON input";

/// What may come next in a text.
#[derive(Clone, Copy)]
enum Expected {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    Separator,
}

/// Whether a text is JSON; the refusal is that of Go's `encoding/json`.
pub(crate) fn check(text: &[u8]) -> Result<(), String> {
    let mut open = Vec::new();
    let mut expected = Expected::Value;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            at += 1;
            continue;
        }
        let container = open.last().copied();
        expected = match (expected, byte) {
            (Expected::Value | Expected::ValueOrEnd, b'{' | b'[') => {
                open.push(byte);
                if open.len() > NESTING {
                    return Err(unexpected(byte, "exceeded max depth"));
                }
                at += 1;
                if byte == b'{' {
                    Expected::KeyOrEnd
                } else {
                    Expected::ValueOrEnd
                }
            }
            (Expected::ValueOrEnd, b']') | (Expected::KeyOrEnd, b'}') => {
                open.pop();
                at += 1;
                Expected::Separator
            }
            (Expected::Value | Expected::ValueOrEnd, _) => {
                at = literal(text, at)?;
                Expected::Separator
            }
            (Expected::Key | Expected::KeyOrEnd, b'"') => {
                at = string(text, at)?;
                Expected::Colon
            }
            (Expected::Key | Expected::KeyOrEnd, _) => {
                return Err(unexpected(
                    byte,
                    "looking for beginning of object key string",
                ));
            }
            (Expected::Colon, b':') => {
                at += 1;
                Expected::Value
            }
            (Expected::Colon, _) => return Err(unexpected(byte, "after object key")),
            (Expected::Separator, _) => {
                at += 1;
                match (container, byte) {
                    (Some(b'{'), b',') => Expected::Key,
                    (Some(b'['), b',') => Expected::Value,
                    (Some(b'{'), b'}') | (Some(b'['), b']') => {
                        open.pop();
                        Expected::Separator
                    }
                    (Some(b'{'), _) => return Err(unexpected(byte, "after object key:value pair")),
                    (Some(_), _) => return Err(unexpected(byte, "after array element")),
                    (None, _) => return Err(unexpected(byte, "after top-level value")),
                }
            }
        };
    }
    match expected {
        Expected::Separator if open.is_empty() => Ok(()),
        _ => Err(END.to_owned()),
    }
}

/// The end of the string, number or word that starts at `at`.
fn literal(text: &[u8], at: usize) -> Result<usize, String> {
    match text.get(at).copied().unwrap_or_default() {
        b'"' => string(text, at),
        b'-' | b'0'..=b'9' => number(text, at),
        b't' => word(text, at, "true"),
        b'f' => word(text, at, "false"),
        b'n' => word(text, at, "null"),
        byte => Err(unexpected(byte, "looking for beginning of value")),
    }
}

pub(super) fn string(text: &[u8], start: usize) -> Result<usize, String> {
    let mut at = start + 1;
    loop {
        match text.get(at).ok_or(END)? {
            b'"' => return Ok(at + 1),
            b'\\' => {
                at += 1;
                match text.get(at).ok_or(END)? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => at += 1,
                    b'u' => {
                        for _ in 0..4 {
                            at += 1;
                            let digit = *text.get(at).ok_or(END)?;
                            if !digit.is_ascii_hexdigit() {
                                return Err(unexpected(
                                    digit,
                                    "in \\u hexadecimal character escape",
                                ));
                            }
                        }
                        at += 1;
                    }
                    byte => return Err(unexpected(*byte, "in string escape code")),
                }
            }
            byte if *byte < 0x20 => return Err(unexpected(*byte, "in string literal")),
            _ => at += 1,
        }
    }
}

fn number(text: &[u8], start: usize) -> Result<usize, String> {
    let mut at = start + usize::from(text.get(start) == Some(&b'-'));
    at = match text.get(at).ok_or(END)? {
        b'0' => at + 1,
        _ => digits(text, at, "in numeric literal")?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1, "after decimal point in numeric literal")?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits(text, at, "in exponent of numeric literal")?;
    }
    Ok(at)
}

/// The end of the digits at `at`, of which there is at least one.
fn digits(text: &[u8], at: usize, place: &str) -> Result<usize, String> {
    let rest = text.get(at..).unwrap_or_default();
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match rest.first() {
        None => Err(END.to_owned()),
        Some(byte) if count == 0 => Err(unexpected(*byte, place)),
        Some(_) => Ok(at + count),
    }
}

fn word(text: &[u8], start: usize, word: &str) -> Result<usize, String> {
    for (offset, expected) in word.bytes().enumerate() {
        let found = *text.get(start + offset).ok_or(END)?;
        if found != expected {
            let place = format!("in literal {word} (expecting '{}')", char::from(expected));
            return Err(unexpected(found, &place));
        }
    }
    Ok(start + word.len())
}

fn unexpected(byte: u8, place: &str) -> String {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        byte => {
            let quoted = quote(&char::from(byte).to_string());
            quoted[1..quoted.len() - 1].to_owned()
        }
    };
    format!("invalid character '{shown}' {place}")
}

/// A text in quotes, as Go writes it.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0b' => quoted.push_str("\\v"),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(letter))),
            '\'' | ' '..='~' => quoted.push(letter),
            _ if letter.escape_debug().count() == 1 => quoted.push(letter),
            _ if u32::from(letter) < 0x10000 => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(letter))),
        }
    }
    quoted.push('"');
    quoted
}

/// What Go calls a value that starts like this.
pub(crate) fn found(first: u8) -> &'static str {
    match first {
        b'{' => "object",
        b'[' => "array",
        b'"' => "string",
        b't' | b'f' => "bool",
        b'n' => "null",
        _ => "number",
    }
}
