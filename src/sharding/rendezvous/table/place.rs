//! Who wins which cluster: the three passes that every change comes down to.

use super::{ClassBuffers, NOBODY, RendezvousTable, RowMove, field::Field, known};
use crate::sharding::rendezvous::{
    kernel::{Challenge, LANES, Owned, Winners, dispatch},
    score::{Digest, score, unsigned},
};

/// How many clusters a weighted assignment takes at once: its working memory stays in the nearest cache.
const BATCH: usize = 1024;

/// Columns of clusters, in whole blocks.
struct Columns<'a> {
    low: &'a [u32],
    high: &'a [u32],
    best: &'a mut [i32],
    owner: &'a mut [u32],
}

// === impl RendezvousTable ===

impl RendezvousTable {
    /// Places the clusters from the block of row `first` on.
    pub(super) fn place_from(&mut self, first: usize) {
        let start = first / LANES * LANES;
        let columns = Columns {
            low: &self.low[start..],
            high: &self.high[start..],
            best: &mut self.best[start..],
            owner: &mut self.owner[start..],
        };
        self.field.decide(columns, &mut self.buffers.class);
        self.release_padding();
    }

    /// A peer is new, or wants more than before: it takes the clusters that it wins now.
    pub(super) fn challenge(&mut self, number: u32) {
        let Some(challenger) = self.field.entrant(number) else {
            return;
        };
        let won = &mut self.buffers.won;
        won.clear();
        if let [_] = self.field.classes[..] {
            dispatch(
                self.field.instructions,
                Challenge {
                    low: &self.low,
                    high: &self.high,
                    best: &self.best,
                    contender: challenger.digest,
                    found: won,
                },
            );
        } else {
            let digests = self.low.iter().zip(&self.high).zip(0..);
            let drawn = |((low, high), row): ((&u32, &u32), u32)| {
                let cluster = Digest {
                    low: *low,
                    high: *high,
                };
                (row, score(cluster, challenger.digest))
            };
            won.extend(digests.map(drawn));
        }
        for &(row, drawn) in won.iter() {
            let at = row as usize;
            let from = self.owner[at];
            if at >= self.clusters || from == number {
                continue;
            }
            let owner = self.field.entrant(from);
            if owner.is_some_and(|owner| !challenger.beats(drawn, owner, self.best[at])) {
                continue;
            }
            self.best[at] = drawn;
            self.owner[at] = number;
            self.moved.push(RowMove {
                row,
                from: known(from),
                to: Some(number),
            });
        }
    }

    /// A peer is gone, or wants less than before: the clusters that it owned are placed anew.
    pub(super) fn contest(&mut self, number: u32) {
        let buffers = &mut self.buffers;
        buffers.rows.clear();
        dispatch(
            self.field.instructions,
            Owned {
                owners: &self.owner,
                owner: number,
                found: &mut buffers.rows,
            },
        );
        let padded = buffers.rows.len().next_multiple_of(LANES);
        let gather = |column: &[u32], into: &mut Vec<u32>| {
            into.clear();
            into.extend(buffers.rows.iter().map(|row| column[*row as usize]));
            into.resize(padded, 0);
        };
        gather(&self.low, &mut buffers.low);
        gather(&self.high, &mut buffers.high);
        buffers.best.resize(padded, i32::MIN);
        buffers.owner.resize(padded, NOBODY);
        let columns = Columns {
            low: &buffers.low,
            high: &buffers.high,
            best: &mut buffers.best,
            owner: &mut buffers.owner,
        };
        self.field.decide(columns, &mut buffers.class);
        let placed = buffers.rows.iter().zip(&buffers.best).zip(&buffers.owner);
        for ((row, best), owner) in placed {
            let at = *row as usize;
            self.best[at] = *best;
            if *owner != number {
                self.owner[at] = *owner;
                self.moved.push(RowMove {
                    row: *row,
                    from: Some(number),
                    to: known(*owner),
                });
            }
        }
    }
}

// === impl Field ===

impl Field {
    /// Finds the owner of every cluster.
    fn decide(&self, columns: Columns<'_>, class: &mut ClassBuffers) {
        let Columns {
            low,
            high,
            best,
            owner,
        } = columns;
        match self.classes[..] {
            [] => {
                best.fill(i32::MIN);
                owner.fill(NOBODY);
            }
            [_] => dispatch(
                self.instructions,
                Winners {
                    low,
                    high,
                    contenders: &self.contenders,
                    best,
                    winner: owner,
                },
            ),
            _ => {
                let clusters = low.chunks(BATCH).zip(high.chunks(BATCH));
                let results = best.chunks_mut(BATCH).zip(owner.chunks_mut(BATCH));
                for ((low, high), (best, owner)) in clusters.zip(results) {
                    self.decide_by_weight(
                        Columns {
                            low,
                            high,
                            best,
                            owner,
                        },
                        class,
                    );
                }
            }
        }
    }

    /// The best of each class of weights compete by their keys: nobody else of a class can have a better one.
    fn decide_by_weight(&self, columns: Columns<'_>, buffers: &mut ClassBuffers) {
        let Columns {
            low,
            high,
            best,
            owner,
        } = columns;
        buffers.best.resize(low.len(), i32::MIN);
        buffers.owner.resize(low.len(), NOBODY);
        buffers.keys.clear();
        buffers.keys.resize(low.len(), u64::MAX);
        owner.fill(NOBODY);
        let mut start = 0;
        for class in &self.classes {
            let contenders = &self.contenders[start..class.end];
            start = class.end;
            let (winner, lead) = (&mut buffers.owner[..], &mut buffers.best[..]);
            dispatch(
                self.instructions,
                Winners {
                    low,
                    high,
                    contenders,
                    best: lead,
                    winner,
                },
            );
            for row in 0..low.len() {
                let key = class.inverse.key(unsigned(buffers.best[row]));
                let lead = buffers.keys[row];
                if key < lead || (key == lead && self.is_first(buffers.owner[row], owner[row])) {
                    buffers.keys[row] = key;
                    best[row] = buffers.best[row];
                    owner[row] = buffers.owner[row];
                }
            }
        }
    }

    /// Whether the id of one peer is before that of another, or there is no other.
    fn is_first(&self, one: u32, other: u32) -> bool {
        let id = |number: u32| {
            self.peers
                .get(number as usize)?
                .as_ref()
                .map(|entrant| &entrant.id)
        };
        id(other).is_none_or(|other| id(one) < Some(other))
    }
}
