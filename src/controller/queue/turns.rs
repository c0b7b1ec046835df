//! Who is next: stride scheduling over the clusters that have work.

use std::collections::BTreeSet;

use super::Slot;

/// How far one turn moves a cluster of weight 1.
pub(super) const STRIDE: u64 = 1 << 32;

/// Where a cluster stands in the order of turns: its pass, and who came first of those with the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pass: u64,
    order: u64,
}

/// The clusters that wait for a turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: BTreeSet<(Place, Slot)>,
    /// The pass of the last turn: nobody starts behind it.
    now: u64,
    entered: u64,
}

// === impl Turns ===

impl Turns {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A cluster waits for a turn; `pass` is where its last turn brought it.
    ///
    /// Who had nothing to do has not saved turns up.
    pub(super) fn enter(&mut self, slot: Slot, pass: u64) -> Place {
        let place = Place {
            pass: pass.max(self.now),
            order: self.entered,
        };
        self.entered += 1;
        self.waiting.insert((place, slot));
        place
    }

    /// A cluster waits no longer.
    pub(super) fn leave(&mut self, slot: Slot, place: Option<Place>) {
        if let Some(place) = place {
            self.waiting.remove(&(place, slot));
        }
    }

    /// Whose turn it is, with its pass; it does not wait any longer.
    pub(super) fn next(&mut self) -> Option<(Slot, u64)> {
        let (place, slot) = self.waiting.pop_first()?;
        self.now = place.pass;
        Some((slot, place.pass))
    }
}
