//! Base64, refused at the same byte as Go refuses it.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};

/// Go does not mind what is in the last bits.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Decodes a text and encodes it again, without the line breaks that may be in it.
pub(super) fn canonical(text: &str) -> Result<String, String> {
    let place = broken_at(text.as_bytes());
    if let Some(place) = place {
        return Err(format!("illegal base64 data at input byte {place}"));
    }
    let letters: Vec<u8> = text.bytes().filter(|byte| !is_break(*byte)).collect();
    let bytes = DECODER.decode(letters).map_err(|error| error.to_string())?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The first byte that cannot be.
fn broken_at(text: &[u8]) -> Option<usize> {
    let mut bytes = text.iter().copied().enumerate();
    let mut bytes = bytes.by_ref().filter(|(_, byte)| !is_break(*byte));
    // How many letters the group has that has been started.
    let mut letters = 0;
    let mut started = 0;
    while let Some((place, byte)) = bytes.next() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                letters = (letters + 1) % 4;
                if letters == 0 {
                    started = place + 1;
                }
            }
            b'=' if letters == 2 => match bytes.next() {
                None => return Some(text.len()),
                Some((_, b'=')) => return bytes.next().map(|(place, _)| place),
                Some((second, _)) => return Some(second - 1),
            },
            b'=' if letters == 3 => return bytes.next().map(|(place, _)| place),
            _ => return Some(place),
        }
    }
    (letters > 0).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_texts_are_refused_where_go_refuses_them() {
        for (text, expected) in [
            ("", Ok("")),
            ("YWJj\nYQ==", Ok("YWJjYQ==")),
            ("YR==", Ok("YQ==")),
            ("YQ", Err(0)),
            ("YWJjYQ", Err(4)),
            ("YQ=", Err(3)),
            ("YQ=a", Err(2)),
            ("YQ==x", Err(4)),
            ("YQ==\nYQ==", Err(5)),
            ("=Q==", Err(0)),
            ("YWJ*", Err(3)),
            ("YWJjY*==", Err(5)),
            ("***", Err(0)),
        ] {
            let expected = expected.map(str::to_owned);
            let expected =
                expected.map_err(|place| format!("illegal base64 data at input byte {place}"));
            assert_eq!(canonical(text), expected, "{text:?}");
        }
    }
}
