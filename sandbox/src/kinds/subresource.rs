//! The parts and actions of an object that have paths of their own.

use super::Kind;

/// What follows the name of an object in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subresource {
    /// Puts a Pod on a node.
    Binding,
    /// Deletes a Pod, if that disrupts nothing.
    Eviction,
    /// The finalizers in the spec of a Namespace.
    Finalize,
    /// What the containers of a Pod have written.
    Log,
    /// The number of replicas.
    Scale,
    /// What is observed rather than wished for.
    Status,
    /// Credentials for a ServiceAccount.
    Token,
}

/// What discovery says about a subresource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement<'a> {
    pub verbs: &'static [&'static str],
    /// The group and version of the kind, where they are not those of the resource.
    pub foreign: Option<(&'static str, &'static str)>,
    pub kind: &'a str,
}

// === impl Subresource ===

impl Subresource {
    const ALL: [Self; 7] = [
        Self::Binding,
        Self::Eviction,
        Self::Finalize,
        Self::Log,
        Self::Scale,
        Self::Status,
        Self::Token,
    ];

    /// The word in the path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::Finalize => "finalize",
            Self::Log => "log",
            Self::Scale => "scale",
            Self::Status => "status",
            Self::Token => "token",
        }
    }

    /// The subresource of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// What discovery says about this subresource of `kind`.
    pub(crate) fn announcement(self, kind: &Kind) -> Announcement<'_> {
        let (verbs, foreign, kind): (&[_], _, &str) = match self {
            Self::Binding => (&["create"], None, "Binding"),
            Self::Eviction => (&["create"], Some(("policy", "v1")), "Eviction"),
            Self::Finalize => (&["update"], None, &kind.kind),
            Self::Log => (&["get"], None, &kind.kind),
            Self::Scale => (
                &["get", "patch", "update"],
                Some(("autoscaling", "v1")),
                "Scale",
            ),
            Self::Status => (&["get", "patch", "update"], None, &kind.kind),
            Self::Token => (
                &["create"],
                Some(("authentication.k8s.io", "v1")),
                "TokenRequest",
            ),
        };
        Announcement {
            verbs,
            foreign,
            kind,
        }
    }
}
