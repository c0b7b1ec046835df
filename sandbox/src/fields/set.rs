//! A set of fields.

use std::collections::{BTreeMap, btree_map::Entry};

use super::Element;

/// A set of paths. A struct can be in it without its fields, and fields without their struct.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Set {
    pub(super) nodes: BTreeMap<Element, Node>,
}

/// What a set has at one element, and below it; never nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) member: bool,
    pub(super) below: Set,
}

// === impl Set ===

impl Set {
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a path; the path of the whole object is none.
    pub(crate) fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let node = match self.nodes.entry(first.clone()) {
            Entry::Occupied(node) => node.into_mut(),
            Entry::Vacant(place) => place.insert(Node::default()),
        };
        if rest.is_empty() {
            node.member = true;
        } else {
            node.below.insert(rest);
        }
    }

    /// Whether the element itself is a member.
    pub(super) fn has(&self, element: &Element) -> bool {
        self.nodes.get(element).is_some_and(|node| node.member)
    }

    /// The paths below an element, if there are any.
    pub(super) fn below(&self, element: &Element) -> Option<&Self> {
        let node = self.nodes.get(element)?;
        (!node.below.is_empty()).then_some(&node.below)
    }

    /// What either has.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        all.extend(other);
        all
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (element, node) in &other.nodes {
            match self.nodes.entry(element.clone()) {
                Entry::Occupied(mine) => {
                    let mine = mine.into_mut();
                    mine.member |= node.member;
                    mine.below.extend(&node.below);
                }
                Entry::Vacant(place) => {
                    place.insert(node.clone());
                }
            }
        }
    }

    /// What both have.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        self.combine(|element, node| {
            let other = other.nodes.get(element)?;
            Some(Node {
                member: node.member && other.member,
                below: node.below.intersection(&other.below),
            })
        })
    }

    /// What only this one has, path by path.
    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.combine(|element, node| match other.nodes.get(element) {
            None => Some(node.clone()),
            Some(other) => Some(Node {
                member: node.member && !other.member,
                below: node.below.difference(&other.below),
            }),
        })
    }

    /// What is neither in `other` nor below a path in it.
    pub(crate) fn without(&self, other: &Self) -> Self {
        self.combine(|element, node| match other.nodes.get(element) {
            None => Some(node.clone()),
            Some(other) if other.member => None,
            Some(other) => Some(Node {
                member: node.member,
                below: node.below.without(&other.below),
            }),
        })
    }

    /// Whether `other` has nothing that this one lacks.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        other.nodes.iter().all(|(element, node)| {
            self.nodes
                .get(element)
                .is_some_and(|mine| (mine.member || !node.member) && mine.below.covers(&node.below))
        })
    }

    /// Whether no path is in both.
    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        other.nodes.iter().all(|(element, node)| {
            self.nodes.get(element).is_none_or(|mine| {
                !(mine.member && node.member) && mine.below.is_disjoint(&node.below)
            })
        })
    }

    /// All paths; those that end at one struct come before those that go on.
    pub(crate) fn paths(&self) -> Vec<Vec<Element>> {
        let mut paths = Vec::new();
        self.walk(&mut Vec::new(), &mut paths);
        paths
    }

    fn walk(&self, prefix: &mut Vec<Element>, paths: &mut Vec<Vec<Element>>) {
        for (element, _) in self.nodes.iter().filter(|(_, node)| node.member) {
            let mut path = prefix.clone();
            path.push(element.clone());
            paths.push(path);
        }
        for (element, node) in &self.nodes {
            prefix.push(element.clone());
            node.below.walk(prefix, paths);
            prefix.pop();
        }
    }

    fn combine(&self, keep: impl Fn(&Element, &Node) -> Option<Node>) -> Self {
        let kept = self.nodes.iter().filter_map(|(element, node)| {
            let node = keep(element, node)?;
            (!node.is_empty()).then(|| (element.clone(), node))
        });
        Self {
            nodes: kept.collect(),
        }
    }
}

impl<'a> FromIterator<&'a [&'a str]> for Set {
    /// From the names of fields.
    fn from_iter<I: IntoIterator<Item = &'a [&'a str]>>(paths: I) -> Self {
        let mut set = Self::default();
        for names in paths {
            let path: Vec<_> = names.iter().map(|name| Element::field(name)).collect();
            set.insert(&path);
        }
        set
    }
}

// === impl Node ===

impl Node {
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}
