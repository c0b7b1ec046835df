//! Those who compete for the clusters.

use std::cmp::Reverse;

use crate::sharding::{
    peer::PeerId,
    rendezvous::{
        kernel::{Contender, Instructions},
        score::{Digest, score, unsigned},
        weight::Inverse,
    },
};

/// The peers, by number and in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    /// The peers by number; a number that is free can be given again.
    pub(super) peers: Vec<Option<Entrant>>,
    /// The peers ordered by weight and id.
    pub(super) contenders: Vec<Contender>,
    /// Which of the contenders have the same weight.
    pub(super) classes: Vec<Class>,
    pub(super) instructions: Instructions,
}

#[derive(Clone, Debug)]
pub(super) struct Entrant {
    pub(super) id: PeerId,
    pub(super) digest: Digest,
    pub(super) weight: u32,
    pub(super) inverse: Inverse,
}

/// Contenders of one weight: those up to `end` that are in no class before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) end: usize,
    pub(super) inverse: Inverse,
}

// === impl Field ===

impl Field {
    pub(super) fn entrant(&self, number: u32) -> Option<&Entrant> {
        self.peers.get(number as usize)?.as_ref()
    }

    pub(super) fn number(&self, peer: &PeerId) -> Option<u32> {
        // Digests are compared before names, which mostly differ at their ends.
        let digest = Digest::of(peer.as_str());
        let is_it = |entrant: &Entrant| entrant.digest == digest && entrant.id == *peer;
        let is_it = |entrant: &Option<Entrant>| entrant.as_ref().is_some_and(is_it);
        let number = self.peers.iter().position(is_it)?;
        u32::try_from(number).ok()
    }

    /// A number for a peer that is new.
    pub(super) fn free_number(&self) -> u32 {
        let free = self.peers.iter().position(Option::is_none);
        free.unwrap_or(self.peers.len()) as u32
    }

    /// A peer competes from now on.
    pub(super) fn enter(&mut self, number: u32, entrant: Entrant) {
        let contender = Contender {
            digest: entrant.digest,
            number,
        };
        let place = self.place_of(&entrant);
        self.contenders.insert(place, contender);
        let needed = self.peers.len().max(number as usize + 1);
        self.peers.resize(needed, None);
        self.peers[number as usize] = Some(entrant);
        self.list_classes();
    }

    /// A peer does not compete any more.
    pub(super) fn withdraw(&mut self, number: u32) -> Option<Entrant> {
        let entrant = self.peers.get_mut(number as usize)?.take()?;
        self.contenders
            .retain(|contender| contender.number != number);
        self.list_classes();
        Some(entrant)
    }

    /// Where a peer that is new stands among the contenders.
    fn place_of(&self, entrant: &Entrant) -> usize {
        self.contenders.partition_point(|contender| {
            let other = self.peers[contender.number as usize].as_ref();
            other.is_some_and(|other| (other.weight, &other.id) < (entrant.weight, &entrant.id))
        })
    }

    fn list_classes(&mut self) {
        self.classes.clear();
        for (index, contender) in self.contenders.iter().enumerate() {
            let Some(entrant) = &self.peers[contender.number as usize] else {
                continue;
            };
            match self.classes.last_mut() {
                Some(class) if class.inverse == entrant.inverse => class.end = index + 1,
                _ => self.classes.push(Class {
                    end: index + 1,
                    inverse: entrant.inverse,
                }),
            }
        }
    }
}

// === impl Entrant ===

impl Entrant {
    /// Whether this peer wins a cluster for which it draws `own` against `other`, who draws `theirs`.
    pub(super) fn beats(&self, own: i32, other: &Self, theirs: i32) -> bool {
        if self.weight == other.weight {
            return (own, Reverse(&self.id)) > (theirs, Reverse(&other.id));
        }
        let key = |entrant: &Self, drawn| entrant.inverse.key(unsigned(drawn));
        (key(self, own), &self.id) < (key(other, theirs), &other.id)
    }

    /// How strongly this peer wants a cluster: the greater wins.
    pub(super) fn preference(&self, cluster: Digest) -> impl Ord + use<'_> {
        let score = unsigned(score(cluster, self.digest));
        (Reverse(self.inverse.key(score)), Reverse(&self.id))
    }
}
