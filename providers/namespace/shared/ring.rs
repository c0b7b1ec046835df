//! The retained lines of a watch over all Namespaces, and from which versions it can serve one of them.
//!
//! # Guarantees
//! A reader that is at a version which the ring [covers](Ring::covers) gets every later line of its Namespace once, in
//! order; one whose lines were dropped in the meantime is told so.
//!
//! # Bounds
//! Lines are dropped, oldest first, when there are more than [`LINES`] or when they hold more than [`BYTES`]. A dropped
//! line concerns its own Namespace alone: readers of quiet Namespaces are not sent back to a list by busy ones.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

/// How many lines are retained.
const LINES: usize = 4_096;

/// How many bytes they may hold.
const BYTES: usize = 4 * 1024 * 1024;

/// Retained lines by Namespace.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// Every line after this version has been here.
    start: u64,
    /// And every line up to this version.
    newest: u64,
    lanes: HashMap<Arc<str>, Lane>,
    /// The Namespaces of all retained lines, oldest first.
    order: VecDeque<Arc<str>>,
    bytes: usize,
}

/// The lines of one Namespace.
#[derive(Debug, Default)]
struct Lane {
    lines: VecDeque<(u64, Bytes)>,
    /// The newest version that was dropped.
    dropped: u64,
}

// === impl Ring ===

impl Ring {
    /// Forgets everything; what follows are the lines after `version`.
    pub(super) fn restart(&mut self, version: u64) {
        *self = Self {
            start: version,
            newest: version,
            ..Self::default()
        };
    }

    /// The version after which the watch goes on.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The oldest version from which a reader of `namespace` misses nothing.
    pub(super) fn oldest(&self, namespace: &str) -> u64 {
        let dropped = self.lanes.get(namespace).map_or(0, |lane| lane.dropped);
        self.start.max(dropped)
    }

    /// Whether a reader of `namespace` that has seen everything up to `version` can go on from here.
    pub(super) fn covers(&self, namespace: &str, version: u64) -> bool {
        version >= self.oldest(namespace)
    }

    /// The watch has come to `version` without a line.
    pub(super) fn advance(&mut self, version: u64) {
        self.newest = self.newest.max(version);
    }

    /// The watch shows a line of `namespace`; one that has been here already is not kept again.
    pub(super) fn push(&mut self, namespace: &str, version: u64, line: Bytes) {
        if version <= self.newest {
            return;
        }
        self.newest = version;
        let name = match self.lanes.get_key_value(namespace) {
            Some((name, _)) => name.clone(),
            None => Arc::from(namespace),
        };
        self.bytes += line.len();
        let lane = self.lanes.entry(name.clone()).or_default();
        lane.lines.push_back((version, line));
        self.order.push_back(name);
        while self.order.len() > LINES || self.bytes > BYTES {
            self.drop_oldest();
        }
    }

    /// Up to `limit` lines of `namespace` after `version`; `None` when some of them were dropped.
    pub(super) fn after(
        &self,
        namespace: &str,
        version: u64,
        limit: usize,
    ) -> Option<Vec<(u64, Bytes)>> {
        if !self.covers(namespace, version) {
            return None;
        }
        let Some(lane) = self.lanes.get(namespace) else {
            return Some(Vec::new());
        };
        let first = lane.lines.partition_point(|(line, _)| *line <= version);
        Some(lane.lines.range(first..).take(limit).cloned().collect())
    }

    fn drop_oldest(&mut self) {
        let Some(name) = self.order.pop_front() else {
            return;
        };
        if let Some(lane) = self.lanes.get_mut(&name)
            && let Some((version, line)) = lane.lines.pop_front()
        {
            lane.dropped = version;
            self.bytes -= line.len();
        }
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
            ring.push(namespace, *version, Bytes::from(version.to_string()));
        }
        ring
    }

    fn versions(ring: &Ring, namespace: &str, version: u64) -> Option<Vec<u64>> {
        let lines = ring.after(namespace, version, usize::MAX)?;
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
        let mut ring = ring(&[("zoo", 11), ("zoo", 11), ("zoo", 10)]);
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11]));
        ring.advance(20);
        ring.push("zoo", 20, Bytes::new());
        assert_eq!(versions(&ring, "zoo", 10), Some(vec![11]));
        assert_eq!(ring.newest(), 20);
    }

    #[test]
    fn busy_namespaces_do_not_cost_quiet_ones() {
        let mut ring = ring(&[("quiet", 11)]);
        for version in 12..13 + LINES as u64 {
            ring.push("busy", version, Bytes::from_static(b"x"));
        }
        assert_eq!(versions(&ring, "quiet", 10), None);
        assert_eq!(versions(&ring, "quiet", 11), Some(vec![]));
        assert_eq!(versions(&ring, "silent", 10), Some(vec![]));
        assert!(!ring.covers("busy", 11));
        assert!(ring.covers("busy", 12));
    }

    #[test]
    fn bytes_are_bounded() {
        let mut ring = ring(&[]);
        for version in 11..21 {
            ring.push("zoo", version, Bytes::from(vec![b'x'; BYTES / 4]));
        }
        assert_eq!(versions(&ring, "zoo", 16).map(|lines| lines.len()), Some(4));
        assert_eq!(versions(&ring, "zoo", 15), None);
        // One that is larger than all of it is not kept: its readers list again.
        ring.push("zoo", 30, Bytes::from(vec![b'x'; BYTES + 1]));
        assert_eq!(versions(&ring, "zoo", 29), None);
        assert_eq!(versions(&ring, "zoo", 30), Some(vec![]));
    }
}
