//! The inner loops: scores of many clusters at once.
//!
//! They are written over blocks of [`LANES`] clusters, so that the compiler makes vector code of them. The multiplication
//! of 32-bit lanes is what counts, and x86-64 has it from AVX2 on, and twice as wide from AVX-512 on. The baseline of the
//! compiler assumes neither: [`dispatch`] looks for them at run time. Other processors, such as aarch64, have it in their baseline.

use super::score::{Digest, score};

/// How many clusters are scored at once; all arrays of clusters are padded to a multiple of it.
pub(super) const LANES: usize = 16;

/// What is computed in one go.
pub(super) trait Kernel {
    type Output;

    /// Must be inlined, so that it becomes code for the processor that [`dispatch`] has found.
    fn run(self) -> Self::Output;
}

/// A peer that competes for clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contender {
    pub(super) digest: Digest,
    /// What winners are called in the result.
    pub(super) number: u32,
}

/// Finds the winner among `contenders` for every cluster: the largest score, and the earlier contender of equals.
///
/// Without contenders nothing is written.
pub(super) struct Winners<'a> {
    pub(super) low: &'a [u32],
    pub(super) high: &'a [u32],
    pub(super) contenders: &'a [Contender],
    pub(super) best: &'a mut [i32],
    pub(super) winner: &'a mut [u32],
}

/// Finds the clusters for which `contender` draws at least the best score so far.
pub(super) struct Challenge<'a> {
    pub(super) low: &'a [u32],
    pub(super) high: &'a [u32],
    pub(super) best: &'a [i32],
    pub(super) contender: Digest,
    /// Receives the cluster and the score, in the order of clusters.
    pub(super) found: &'a mut Vec<(u32, i32)>,
}

/// Finds the clusters that `owner` owns.
pub(super) struct Owned<'a> {
    pub(super) owners: &'a [u32],
    pub(super) owner: u32,
    pub(super) found: &'a mut Vec<u32>,
}

/// Which instructions kernels are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Instructions {
    /// The best that this processor has.
    #[default]
    Best,
    /// No vectors of 512 bits.
    #[cfg(test)]
    Narrow,
    /// Those that all processors of its kind have.
    Portable,
}

/// Runs a kernel.
pub(super) fn dispatch<K: Kernel>(instructions: Instructions, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if instructions != Instructions::Portable {
        #[allow(
            unsafe_code,
            reason = "calls functions for instructions that the processor has"
        )]
        // SAFETY: the processor has what each of them is compiled for, and nothing else is asked of the caller.
        unsafe {
            if instructions == Instructions::Best && std::is_x86_feature_detected!("avx512f") {
                return with_avx512(kernel);
            }
            if std::is_x86_feature_detected!("avx2") {
                return with_avx2(kernel);
            }
        }
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn with_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

// === impl Winners ===

impl Kernel for Winners<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let clusters = blocks(self.low).iter().zip(blocks(self.high));
        let results = blocks_mut(self.best)
            .iter_mut()
            .zip(blocks_mut(self.winner));
        let Some((first, others)) = self.contenders.split_first() else {
            return;
        };
        for ((low, high), (best, winner)) in clusters.zip(results) {
            let mut leader = [first.number; LANES];
            let mut lead = scores(low, high, first.digest);
            for contender in others {
                let drawn = scores(low, high, contender.digest);
                for lane in 0..LANES {
                    // A select by mask: branches would keep this from becoming vector code.
                    let wins = u32::from(drawn[lane] > lead[lane]).wrapping_neg();
                    leader[lane] = (leader[lane] & !wins) | (contender.number & wins);
                    lead[lane] = lead[lane].max(drawn[lane]);
                }
            }
            (*best, *winner) = (lead, leader);
        }
    }
}

// === impl Challenge ===

impl Kernel for Challenge<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let clusters = blocks(self.low).iter().zip(blocks(self.high));
        for (block, ((low, high), best)) in clusters.zip(blocks(self.best)).enumerate() {
            let drawn = scores(low, high, self.contender);
            let mut hits = bits(|lane| drawn[lane] >= best[lane]);
            while hits != 0 {
                let lane = hits.trailing_zeros() as usize;
                self.found
                    .push(((block * LANES + lane) as u32, drawn[lane]));
                hits &= hits - 1;
            }
        }
    }
}

// === impl Owned ===

impl Kernel for Owned<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (block, owners) in blocks(self.owners).iter().enumerate() {
            let mut hits = bits(|lane| owners[lane] == self.owner);
            while hits != 0 {
                let lane = hits.trailing_zeros() as usize;
                self.found.push((block * LANES + lane) as u32);
                hits &= hits - 1;
            }
        }
    }
}

#[inline(always)]
fn scores(low: &[u32; LANES], high: &[u32; LANES], peer: Digest) -> [i32; LANES] {
    let mut drawn = [0; LANES];
    for lane in 0..LANES {
        let cluster = Digest {
            low: low[lane],
            high: high[lane],
        };
        drawn[lane] = score(cluster, peer);
    }
    drawn
}

/// One bit for each lane that `holds`.
#[inline(always)]
fn bits(holds: impl Fn(usize) -> bool) -> u32 {
    let mut bits = 0;
    for lane in 0..LANES {
        bits |= u32::from(holds(lane)) << lane;
    }
    bits
}

#[inline(always)]
fn blocks<T>(all: &[T]) -> &[[T; LANES]] {
    all.as_chunks().0
}

#[inline(always)]
fn blocks_mut<T>(all: &mut [T]) -> &mut [[T; LANES]] {
    all.as_chunks_mut().0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Names of few clusters and peers, with so few different digests that scores are equal often.
    fn digests(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Digest>> {
        let digest = (0..4_u32, prop_oneof![Just(0_u32), any::<u32>()]);
        let digest = digest.prop_map(|(low, high)| Digest { low, high });
        proptest::collection::vec(digest, count)
    }

    /// The definition, in few words.
    fn winner(cluster: Digest, contenders: &[Contender]) -> (i32, u32) {
        let mut best: Option<(i32, u32)> = None;
        for contender in contenders {
            let drawn = score(cluster, contender.digest);
            if best.is_none_or(|(lead, _)| drawn > lead) {
                best = Some((drawn, contender.number));
            }
        }
        best.unwrap_or_default()
    }

    proptest! {
        #[test]
        fn kernels_with_and_without_vector_instructions_do_what_the_definition_says(
            clusters in digests(0..5).prop_map(|some| some.into_iter().cycle().take(48).collect::<Vec<_>>()),
            peers in digests(1..9),
        ) {
            let low: Vec<_> = clusters.iter().map(|digest| digest.low).collect();
            let high: Vec<_> = clusters.iter().map(|digest| digest.high).collect();
            let contenders: Vec<_> = peers.iter().zip(10..).map(|(digest, number)| Contender { digest: *digest, number }).collect();
            let expected: Vec<_> = clusters.iter().map(|cluster| winner(*cluster, &contenders)).collect();
            for instructions in [Instructions::Best, Instructions::Narrow, Instructions::Portable] {
                let (mut best, mut owners) = (vec![0; low.len()], vec![0; low.len()]);
                dispatch(instructions, Winners { low: &low, high: &high, contenders: &contenders, best: &mut best, winner: &mut owners });
                let got: Vec<_> = best.iter().copied().zip(owners.iter().copied()).collect();
                prop_assert_eq!(&got, &expected);

                let mut found = Vec::new();
                dispatch(instructions, Challenge { low: &low, high: &high, best: &best, contender: peers[0], found: &mut found });
                let drawn = (0_u32..).zip(clusters.iter().map(|cluster| score(*cluster, peers[0])));
                let hits: Vec<_> = drawn.filter(|(row, drawn)| *drawn >= best[*row as usize]).collect();
                prop_assert_eq!(found, hits);

                let mut found = Vec::new();
                dispatch(instructions, Owned { owners: &owners, owner: 10, found: &mut found });
                let hits: Vec<_> = (0_u32..).zip(&owners).filter(|(_, owner)| **owner == 10).map(|(row, _)| row).collect();
                prop_assert_eq!(found, hits);
            }
        }
    }
}
