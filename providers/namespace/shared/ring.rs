//! The retained lines of a watch over all Namespaces, and from which versions it can serve one of them.
//!
//! # Guarantees
//! A reader that is at a version which the ring [covers](Ring::covers) gets every later line of its Namespace once, in
//! order; one whose lines were dropped in the meantime is told so. Lines are told apart by their order and not by their
//! versions: what a server deletes in one step has one version.
//!
//! # Bounds
//! Lines are dropped, oldest first, when there are more than [`LINES`] or when they hold more than [`BYTES`]. A dropped
//! line concerns its own Namespace alone: readers of quiet Namespaces are not sent back to a list by busy ones. Of
//! Namespaces that nobody wants only the newest version is noted, for up to [`LANES`] of them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

/// How many lines are retained.
const LINES: usize = 4_096;

/// How many bytes they may hold.
const BYTES: usize = 4 * 1024 * 1024;

/// Of how many Namespaces something is noted.
const LANES: usize = 10_000;

/// Retained lines by Namespace.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Every line after this version has been here.
    start: u64,
    /// And every line up to this version.
    newest: u64,
    /// What `newest` was when the watch was taken up: a line up to there has been here before.
    resumed: u64,
    /// How many lines have been here.
    count: u64,
    lanes: HashMap<Arc<str>, Lane>,
    /// The Namespaces of all retained lines, oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

/// The lines of one Namespace.
#[derive(Debug, Default)]
struct Lane {
    lines: VecDeque<(Place, Bytes)>,
    /// The newest line that was dropped.
    dropped: Place,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    version: u64,
    /// How many lines had been here with it.
    number: u64,
}

/// What a reader has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Everything up to this version, elsewhere.
    version: u64,
    /// And here so many lines of all Namespaces.
    lines: u64,
}

// === impl Ring ===

impl Ring {
    /// Forgets everything; what follows are the lines after `version`.
    pub(super) fn restart(&mut self, version: u64) {
        *self = Self {
            start: version,
            newest: version,
            resumed: version,
            ..Self::default()
        };
    }

    /// The watch goes on after [`newest`](Self::newest), and may begin with what was there.
    pub(super) fn resume(&mut self) {
        self.resumed = self.newest;
    }

    /// The version after which the watch goes on.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The oldest version from which a reader of `namespace` misses nothing.
    pub(super) fn oldest(&self, namespace: &str) -> u64 {
        let lane = self.lanes.get(namespace);
        self.start.max(lane.map_or(0, |lane| lane.dropped.version))
    }

    /// Whether a reader of `namespace` that has seen everything up to `version` can go on from here.
    pub(super) fn covers(&self, namespace: &str, version: u64) -> bool {
        version >= self.oldest(namespace)
    }

    /// The watch has come to `version` without a line.
    pub(super) fn advance(&mut self, version: u64) {
        self.newest = self.newest.max(version);
    }

    /// The watch shows a line of `namespace`, which is retained if somebody wants it.
    pub(super) fn push(&mut self, namespace: &str, version: u64, line: Option<Bytes>) {
        if version <= self.resumed {
            return;
        }
        self.advance(version);
        self.count += 1;
        let place = Place {
            version,
            number: self.count,
        };
        let name = match self.lanes.get_key_value(namespace) {
            Some((name, _)) => name.clone(),
            None => Arc::from(namespace),
        };
        let lane = self.lanes.entry(name.clone()).or_default();
        let Some(line) = line else {
            lane.dropped = place;
            return;
        };
        self.bytes += line.len();
        lane.lines.push_back((place, line));
        self.order.push_back(name);
        while self.order.len() > LINES || self.bytes > BYTES {
            self.drop_oldest();
        }
    }

    /// Up to `limit` lines of `namespace` that were not `seen`, with their versions, and what is seen with them; `None`
    /// when some of them were dropped.
    pub(super) fn after(
        &self,
        namespace: &str,
        seen: Seen,
        limit: usize,
    ) -> Option<(Vec<(u64, Bytes)>, Seen)> {
        let all = Seen {
            lines: self.count,
            ..seen
        };
        let Some(lane) = self.lanes.get(namespace) else {
            return Some((Vec::new(), all));
        };
        if !seen.includes(lane.dropped) {
            return None;
        }
        let first = lane
            .lines
            .partition_point(|(place, _)| seen.includes(*place));
        let (last, mut lines) = (first + limit, Vec::new());
        for (place, line) in lane.lines.range(first..last.min(lane.lines.len())) {
            lines.push((place.version, line.clone()));
        }
        let seen = match lane.lines.get(last) {
            Some((next, _)) => Seen {
                lines: next.number - 1,
                ..seen
            },
            None => all,
        };
        Some((lines, seen))
    }

    /// Forgets Namespaces without lines, when there are too many, for which `is_read` does not say that somebody reads.
    pub(super) fn prune(&mut self, is_read: impl Fn(&str) -> bool) {
        if self.lanes.len() <= LANES {
            return;
        }
        let start = &mut self.start;
        self.lanes.retain(|name, lane| {
            let stays = !lane.lines.is_empty() || is_read(name);
            if !stays {
                *start = lane.dropped.version.max(*start);
            }
            stays
        });
    }

    fn drop_oldest(&mut self) {
        let Some(name) = self.order.pop_front() else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&name)
            && let Some((place, line)) = lane.lines.pop_front()
        {
            if lane.dropped.number < place.number {
                lane.dropped = place;
            }
            self.bytes -= line.len();
        }
    }
}

// === impl Seen ===

impl Seen {
    /// Everything up to `version`.
    pub(super) fn until(version: u64) -> Self {
        Self { version, lines: 0 }
    }

    fn includes(self, place: Place) -> bool {
        place.number <= self.lines || place.version <= self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring that began at 10 and has seen these `(namespace, version)`.
    fn ring(lines: &[(&str, u64)]) -> Ring {
        let mut ring = Ring::default();
        ring.restart(10);
        for (namespace, version) in lines {
            push(&mut ring, namespace, *version);
        }
        ring
    }

    fn push(ring: &mut Ring, namespace: &str, version: u64) {
        ring.push(namespace, version, Some(Bytes::from(version.to_string())));
    }

    fn versions(ring: &Ring, namespace: &str, version: u64) -> Option<Vec<u64>> {
        if !ring.covers(namespace, version) {
            return None;
        }
        let (lines, _) = ring.after(namespace, Seen::until(version), usize::MAX / 2)?;
        Some(lines.into_iter().map(|(version, _)| version).collect())
    }

    #[test]
    fn readers_get_what_comes_after_their_version() {
        let ring = ring(&[("zoo", 11), ("jungle", 12), ("zoo", 14)]);
        for (namespace, from, expected) in [
            ("zoo", 9, None),
            ("zoo", 10, Some(vec![11, 14])),
            ("zoo", 11, Some(vec![14])),
            ("zoo", 13, Some(vec![14])),
            ("zoo", 14, Some(vec![])),
            // A list may be newer than the watch.
            ("zoo", 99, Some(vec![])),
            ("jungle", 10, Some(vec![12])),
            ("island", 10, Some(vec![])),
            ("island", 9, None),
        ] {
            assert_eq!(
                versions(&ring, namespace, from),
                expected,
                "{namespace} {from}"
            );
        }
    }

    #[test]
    fn a_line_comes_once() {
        // A watch that was taken up again may begin with what was there.
        let mut ring = ring(&[("zoo", 11)]);
        ring.resume();
        push(&mut ring, "zoo", 11);
        push(&mut ring, "zoo", 10);
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11]));
        ring.advance(20);
        ring.resume();
        push(&mut ring, "zoo", 20);
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11]));
        assert_eq!(ring.newest(), 20);
    }

    /// What a server deletes in one step, as it does with expired Events, has one version.
    #[test]
    fn lines_of_one_version_all_come_however_they_are_read() {
        let mut ring = ring(&[("zoo", 11), ("jungle", 12), ("zoo", 12), ("zoo", 12)]);
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11, 12, 12]));
        let mut seen = Seen::until(10);
        let mut read = |ring: &Ring, limit| {
            let (lines, now) = ring.after("zoo", seen, limit).unwrap();
            seen = now;
            lines
                .into_iter()
                .map(|(version, _)| version)
                .collect::<Vec<_>>()
        };
        assert_eq!(read(&ring, 2), [11, 12]);
        assert_eq!(read(&ring, 2), [12]);
        push(&mut ring, "zoo", 12);
        push(&mut ring, "jungle", 13);
        assert_eq!(read(&ring, 2), [12]);
        assert_eq!(read(&ring, 2), [0_u64; 0]);
        assert_eq!(versions(&ring, "zoo", 12), Some(vec![]));
    }

    #[test]
    fn busy_namespaces_do_not_cost_quiet_ones() {
        let mut ring = ring(&[("quiet", 11)]);
        for version in 12..13 + LINES as u64 {
            push(&mut ring, "busy", version);
        }
        assert_eq!(versions(&ring, "quiet", 10), None);
        assert_eq!(versions(&ring, "quiet", 11), Some(vec![]));
        assert_eq!(versions(&ring, "silent", 10), Some(vec![]));
        assert!(!ring.covers("busy", 11));
        assert!(ring.covers("busy", 12));
    }

    #[test]
    fn a_reader_that_is_too_slow_is_told_so() {
        let mut ring = ring(&[("zoo", 11)]);
        let (_, seen) = ring.after("zoo", Seen::until(10), 64).unwrap();
        push(&mut ring, "zoo", 12);
        for version in 13..14 + LINES as u64 {
            push(&mut ring, "busy", version);
        }
        assert_eq!(ring.after("zoo", seen, 64), None);
        let behind = Seen::until(12);
        assert!(ring.after("zoo", behind, 64).is_some());
    }

    #[test]
    fn of_namespaces_that_nobody_wants_nothing_is_retained() {
        let mut ring = ring(&[("zoo", 11)]);
        for version in 12..12 + 3 * LINES as u64 {
            ring.push(&format!("other-{version}"), version, None);
        }
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11]));
        assert_eq!(versions(&ring, "other-12", 11), None);
        assert_eq!(versions(&ring, "other-12", 12), Some(vec![]));
        ring.prune(|name| name == "other-13");
        assert_eq!(ring.lanes.len(), 2);
        // What was forgotten counts as dropped.
        assert_eq!(versions(&ring, "island", 10), None);
        assert_eq!(versions(&ring, "island", ring.newest()), Some(vec![]));
        let reads_on = ring.after("zoo", Seen::until(10), 64).unwrap();
        assert_eq!(reads_on.0.len(), 1);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut ring = ring(&[]);
        let large = |size| Some(Bytes::from(vec![b'x'; size]));
        for version in 11..21 {
            ring.push("zoo", version, large(BYTES / 4));
        }
        assert_eq!(versions(&ring, "zoo", 16).map(|lines| lines.len()), Some(4));
        assert_eq!(versions(&ring, "zoo", 15), None);
        // One that is larger than all of it is not kept: its readers list again.
        ring.push("zoo", 30, large(BYTES + 1));
        assert_eq!(versions(&ring, "zoo", 29), None);
        assert_eq!(versions(&ring, "zoo", 30), Some(vec![]));
    }
}
