//! The kinds of questions about users and their rights; nothing of them is kept.

use super::Kind;
use crate::auth::Review;

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        review(
            "authentication.k8s.io",
            "SelfSubjectReview",
            Review::SelfSubject,
        ),
        Kind {
            namespaced: true,
            ..review(
                AUTHORIZATION,
                "LocalSubjectAccessReview",
                Review::LocalSubjectAccess,
            )
        },
        review(
            AUTHORIZATION,
            "SelfSubjectAccessReview",
            Review::SelfSubjectAccess,
        ),
        review(
            AUTHORIZATION,
            "SelfSubjectRulesReview",
            Review::SelfSubjectRules,
        ),
        review(AUTHORIZATION, "SubjectAccessReview", Review::SubjectAccess),
    ]
}

const AUTHORIZATION: &str = "authorization.k8s.io";

fn review(group: &'static str, kind: &'static str, review: Review) -> Kind {
    let plural = format!("{}s", kind.to_lowercase());
    Kind {
        plural: plural.clone().into(),
        shelf: plural.into(),
        namespaced: false,
        review: Some(review),
        ..Kind::new(group, "v1", kind, "")
    }
}
