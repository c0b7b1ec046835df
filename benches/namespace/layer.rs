//! The walk over bytes, which is no public part of the provider.

#[path = "../../providers/namespace/path.rs"]
#[allow(dead_code, unused_imports)]
mod path;
#[path = "../../providers/namespace/rename/mod.rs"]
#[allow(dead_code, unused_imports)]
mod rename;
#[path = "../../providers/namespace/scan.rs"]
#[allow(dead_code, unused_imports)]
mod scan;

use rename::Renaming;

/// What the layer makes of an answer about objects in `zoo`.
pub(crate) fn received(text: &[u8]) -> Option<Vec<u8>> {
    Renaming::received("zoo", "objects").document(text)
}

/// What the layer makes of what a user sends.
pub(crate) fn sent(text: &[u8]) -> Option<Vec<u8>> {
    Renaming::sent("zoo", "objects").document(text)
}
