//! Who takes part in a fleet.

use std::{fmt, str::FromStr, sync::Arc};

use crate::error::Error;

/// The id of a peer: the name of its pod, as a rule; cheap to clone.
///
/// Printable, without spaces, 1 to 253 bytes. It is the `holderIdentity` of everything that the peer holds, and the only
/// thing about a peer that placement hashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(Arc<str>);

/// A peer as placement sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub id: PeerId,
    /// Its share of the clusters relative to other peers; 0 counts as 1.
    pub weight: u32,
}

/// The largest weight of a peer.
pub const MAX_WEIGHT: u32 = 1 << 25;

// === impl PeerId ===

impl PeerId {
    /// Checks `id`.
    ///
    /// # Errors
    /// [`Error::Setting`] when it is empty, too long, or not printable.
    pub fn new(id: impl AsRef<str>) -> Result<Self, Error> {
        let id = id.as_ref();
        let wrong = if id.is_empty() {
            "is empty"
        } else if id.len() > 253 {
            "is longer than 253 bytes"
        } else if id.chars().any(|c| c.is_control() || c.is_whitespace()) {
            "holds a space or a control character"
        } else {
            return Ok(Self(id.into()));
        };
        let shown: String = id.chars().take(40).collect();
        Err(Error::setting(format!(
            "the peer id {shown:?} {wrong}: use the pod's name (--peer or POD_NAME)"
        )))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PeerId {
    type Err = Error;

    fn from_str(id: &str) -> Result<Self, Error> {
        Self::new(id)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked() {
        for id in ["", "a b", "a\n", &"x".repeat(254)] {
            let message = PeerId::new(id).unwrap_err().to_string();
            assert!(
                message.contains("--peer") && message.len() < 200,
                "{message}"
            );
        }
        assert_eq!(PeerId::new("zoo-0").unwrap().as_str(), "zoo-0");
    }
}
