//! Blocks of PEM text.

use data_encoding::BASE64;

/// One block: its label and its content.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    pub(super) der: Vec<u8>,
}

/// The blocks of a text, in whatever lines their content stands; `None` when a block is broken. What stands between
/// blocks is comment.
pub(super) fn blocks(text: &[u8]) -> Option<Vec<Block<'_>>> {
    let mut rest = std::str::from_utf8(text).ok()?;
    let mut blocks = Vec::new();
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, body) = begun.split_once("-----")?;
        let (body, after) = body.split_once(&format!("-----END {label}-----"))?;
        let lines = body.bytes().filter(|byte| !byte.is_ascii_whitespace());
        let der = BASE64.decode(&lines.collect::<Vec<_>>()).ok()?;
        blocks.push(Block { label, der });
        rest = after;
    }
    Some(blocks)
}
