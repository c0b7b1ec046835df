//! Places for attached clusters.

/// One attachment of a cluster; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    place: u32,
    /// How often the place was used before.
    epoch: u32,
}

/// One value for each slot; a place that was given up is used again under another slot.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

// === impl Slots ===

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn insert(&mut self, value: T) -> Slot {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            // Each place is a cluster, with a connection.
            (self.places.len() - 1) as u32
        });
        let (epoch, held) = &mut self.places[place as usize];
        *held = Some(value);
        Slot {
            place,
            epoch: *epoch,
        }
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&T> {
        let (epoch, value) = self.places.get(slot.place as usize)?;
        value.as_ref().filter(|_| *epoch == slot.epoch)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let (epoch, value) = self.places.get_mut(slot.place as usize)?;
        value.as_mut().filter(|_| *epoch == slot.epoch)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let (epoch, value) = self.places.get_mut(slot.place as usize)?;
        if *epoch != slot.epoch {
            return None;
        }
        let value = value.take()?;
        *epoch = epoch.wrapping_add(1);
        self.free.push(slot.place);
        Some(value)
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        let places = (0..).zip(&self.places);
        places
            .filter(|(_, (_, value))| value.is_some())
            .map(|(place, (epoch, _))| Slot {
                place,
                epoch: *epoch,
            })
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_that_was_given_up_reaches_nothing() {
        let mut slots = Slots::new();
        let (a, b) = (slots.insert('a'), slots.insert('b'));
        assert_eq!(slots.remove(a), Some('a'));
        let c = slots.insert('c');
        assert_eq!(slots.get_mut(a), None);
        assert_eq!(slots.remove(a), None);
        assert_eq!(slots.get_mut(c), Some(&mut 'c'));
        let mut all: Vec<_> = slots.slots().collect();
        all.sort();
        let mut expected = [b, c];
        expected.sort();
        assert_eq!((all.as_slice(), slots.len()), (expected.as_slice(), 2));
    }
}
