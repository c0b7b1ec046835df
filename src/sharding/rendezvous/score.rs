//! The number that a peer draws for a cluster.

use xxhash_rust::xxh3::xxh3_64;

/// What is left of a name: two words that are as good as random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sharding) struct Digest {
    pub(super) low: u32,
    pub(super) high: u32,
}

// === impl Digest ===

impl Digest {
    pub(in crate::sharding) fn of(name: &str) -> Self {
        let digest = xxh3_64(name.as_bytes());
        Self {
            low: digest as u32,
            high: (digest >> 32) as u32,
        }
    }

    /// The hash that it was made from.
    pub(in crate::sharding) fn value(self) -> u64 {
        (u64::from(self.high) << 32) | u64::from(self.low)
    }
}

/// The score of a peer for a cluster, from both digests; the larger one wins.
///
/// It is signed because vector units compare signed numbers; [`unsigned`] gives the number of the specification.
#[inline(always)]
pub(super) fn score(cluster: Digest, peer: Digest) -> i32 {
    // A finaliser in the manner of MurmurHash3, with the second half of both names mixed in half-way.
    let mut h = cluster.low ^ peer.low;
    h ^= h >> 16;
    h = h.wrapping_mul(0x21f0_aaad);
    h ^= cluster.high ^ peer.high;
    h ^= h >> 15;
    h = h.wrapping_mul(0x735a_2d97);
    h ^= h >> 15;
    h.cast_signed()
}

/// The score as the specification has it, in the same order.
#[inline(always)]
pub(super) fn unsigned(score: i32) -> u32 {
    score.cast_unsigned() ^ 0x8000_0000
}
