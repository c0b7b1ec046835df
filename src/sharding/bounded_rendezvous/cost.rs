//! What a cluster costs its owner, in coarse steps.

/// What a cluster costs before its objects count: nobody can have thousands of empty ones for nothing.
const BASE: u64 = 64;

/// More objects than a cluster can have.
const MOST: u64 = 1 << 40;

/// The cost of a cluster: four steps in each octave, so that small changes move nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sharding) struct Cost(u64);

// === impl Cost ===

impl Cost {
    /// The cost of a cluster with so many objects.
    pub(in crate::sharding) fn of(objects: u64) -> Self {
        let exact = BASE + objects.min(MOST);
        let shift = exact.ilog2() - 2;
        Self(((exact + ((1 << shift) >> 1)) >> shift) << shift)
    }

    pub(in crate::sharding) fn get(self) -> u64 {
        self.0
    }
}

/// The cost of a cluster of which nothing is known.
impl Default for Cost {
    fn default() -> Self {
        Self::of(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_go_in_four_steps_for_each_octave() {
        for (objects, cost) in [
            (0, 64),
            (7, 64),
            (8, 80),
            (24, 96),
            (64, 128),
            (100, 160),
            (1_000, 1_024),
            (u64::MAX, 1 << 40),
        ] {
            assert_eq!(Cost::of(objects).get(), cost, "{objects}");
        }
        let steps: std::collections::BTreeSet<_> = (0..64).map(Cost::of).collect();
        assert_eq!(steps.len(), 5, "both ends of an octave and three between");
    }
}
