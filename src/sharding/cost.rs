//! What a cluster costs its owner, in coarse steps.

/// What a cluster costs before its objects count: nobody can have thousands of empty ones for nothing.
const BASE: u64 = 64;

/// More objects than a cluster can have.
const MOST: u64 = 1 << 40;

/// The cost of a cluster to its owner: 64 plus the number of its objects, rounded to one of four steps in each octave.
///
/// The default is the cost of a cluster of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u64);

// === impl Cost ===

impl Cost {
    /// The cost of a cluster with so many objects; from 2^40 on it is the same.
    #[must_use]
    pub fn of(objects: u64) -> Self {
        let exact = BASE + objects.min(MOST);
        let shift = exact.ilog2() - 2;
        Self(((exact + ((1 << shift) >> 1)) >> shift) << shift)
    }

    /// The number of units, 64 for an empty cluster.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// Reads a number of units; one that is no step is rounded to the next.
    pub(super) fn from_units(units: u64) -> Self {
        Self::of(units.saturating_sub(BASE))
    }

    /// Whether more than one step lies between two costs: a number of objects that varies around the limit between two
    /// steps must not move clusters to and fro.
    pub(super) fn is_far_from(self, other: Self) -> bool {
        let step = |cost: Self| {
            let octave = cost.0.ilog2();
            u64::from(octave) * 4 + ((cost.0 >> (octave - 2)) & 3)
        };
        step(self).abs_diff(step(other)) > 1
    }
}

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
            assert_eq!(Cost::from_units(cost), Cost::of(objects), "{objects}");
        }
        let steps: std::collections::BTreeSet<_> = (0..64).map(Cost::of).collect();
        assert_eq!(steps.len(), 5, "both ends of an octave and three between");
    }

    #[test]
    fn only_more_than_one_step_is_far() {
        let steps = [64, 80, 96, 112, 128, 160, 192].map(Cost::from_units);
        for (i, one) in steps.iter().enumerate() {
            for (j, other) in steps.iter().enumerate() {
                assert_eq!(
                    one.is_far_from(*other),
                    i.abs_diff(j) > 1,
                    "{one:?} {other:?}"
                );
            }
        }
    }
}
