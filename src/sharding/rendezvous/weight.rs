//! Weighted rendezvous hashing in integers.
//!
//! The peer with the smallest `-ln(u) / weight` wins, where `u` is its score as a number in (0, 1): then shares are
//! proportional to weights, and a change of one weight moves clusters from and to that peer only (Schindelhauer and
//! Schomaker, "Weighted distributed hash tables", 2005). The logarithm comes from a table by linear interpolation, since
//! the floating-point one differs between platforms.

use super::score::{Digest, score, unsigned};

/// `log2(1 + i/1024)` in units of 2^-32.
static TABLE: [u64; 1025] = {
    let mut table = [0; 1025];
    let mut i = 0;
    while i < table.len() {
        table[i] = log2_fraction(1024 + i as u64);
        i += 1;
    }
    table
};

/// One divided by a weight, in units of 2^-64: keys are then a multiplication away from scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sharding) struct Inverse(u64);

/// `-log2` of the score as a number in (0, 1), in units of 2^-32; strictly falls as the score grows.
fn exponent(score: u32) -> u64 {
    let x = 2 * u64::from(score) + 1;
    let n = x.ilog2();
    let mantissa = x << (63 - n);
    let index = ((mantissa >> 53) & 1023) as usize;
    let rest = (mantissa >> 21) & 0xffff_ffff;
    let (low, high) = (TABLE[index], TABLE[index + 1]);
    let log2 = (u64::from(n) << 32) + low + (((high - low) * rest) >> 32);
    (33 << 32) - log2
}

// === impl Inverse ===

impl Inverse {
    pub(in crate::sharding) fn of(weight: u32) -> Self {
        Self(u64::MAX / u64::from(weight.max(1)))
    }

    /// The key of a peer with this weight for a cluster.
    pub(in crate::sharding) fn key_of(self, cluster: Digest, peer: Digest) -> u64 {
        self.key(unsigned(score(cluster, peer)))
    }

    /// The key of a score; the smaller one wins.
    ///
    /// Keys of one weight are in the opposite order of their scores, so where all weights are equal scores will do.
    pub(super) fn key(self, score: u32) -> u64 {
        ((u128::from(exponent(score) << 26) * u128::from(self.0)) >> 64) as u64
    }
}

/// `log2(numerator / 1024)` in units of 2^-32, rounded to the nearest, for a quotient from 1 to 2.
const fn log2_fraction(numerator: u64) -> u64 {
    const EXTRA: u32 = 8;
    if numerator == 2048 {
        return 1 << 32;
    }
    // Each squaring of the quotient brings out one more binary digit of its logarithm.
    let mut x = (numerator as u128) << 52;
    let mut digits = 0_u64;
    let mut found = 0;
    while found < 32 + EXTRA {
        found += 1;
        x = (x * x) >> 62;
        digits <<= 1;
        if x >= 1 << 63 {
            x >>= 1;
            digits |= 1;
        }
    }
    (digits + (1 << (EXTRA - 1))) >> EXTRA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_vectors() {
        assert_eq!(exponent(0), 141_733_920_768);
        assert_eq!(exponent(0x8000_0000), 4_294_967_295);
        assert_eq!(exponent(0xffff_0000), 94_571);
        assert_eq!(exponent(0xffff_ffff), 1);
        assert_eq!(Inverse::of(3).key(0xffff_0000), 2_115_517_459_114);
    }

    #[test]
    fn a_larger_score_has_a_smaller_key() {
        let heaviest = Inverse::of(1 << 25);
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..100_000 {
            let score = random.u32(1..);
            assert!(exponent(score) < exponent(score - 1), "{score}");
            assert!(heaviest.key(score) < heaviest.key(score - 1), "{score}");
        }
    }
}
