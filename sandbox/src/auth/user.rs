//! Who sends a request.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// The group whose members may do everything.
const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// A user, as authorization sees one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// Further properties, each with its values.
    pub extra: Map<String, Value>,
}

// === impl User ===

impl User {
    /// The user that a bearer token stands for; none means an administrator.
    ///
    /// A token is the name of its user. One of three parts with a `sub` is a signed one, whose signature is not checked.
    pub(crate) fn from_token(token: &str) -> Self {
        let subject = subject(token);
        let name = subject.as_deref().unwrap_or(token);
        if let Some((namespace, _)) = service_account(name) {
            return Self::named(name, service_account_groups(namespace));
        }
        let name = if name.is_empty() { "admin" } else { name };
        Self::named(name, vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()])
    }

    /// The user that another one wants to be seen as.
    pub(super) fn impersonated(mut wanted: Self) -> Self {
        if let (true, Some((namespace, _))) =
            (wanted.groups.is_empty(), service_account(&wanted.name))
        {
            wanted.groups = service_account_groups(namespace);
        }
        let has = |group: &str| wanted.groups.iter().any(|other| other == group);
        let group = if wanted.name == ANONYMOUS {
            UNAUTHENTICATED
        } else {
            AUTHENTICATED
        };
        if !has(group) && !has(UNAUTHENTICATED) {
            wanted.groups.push(group.to_owned());
        }
        wanted
    }

    fn named(name: &str, groups: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            groups,
            ..Self::default()
        }
    }

    /// Whether no rule is asked.
    pub(crate) fn is_master(&self) -> bool {
        self.is_in(MASTERS)
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|other| other == group)
    }

    /// The `UserInfo` of a review.
    pub(super) fn to_json(&self) -> Value {
        let mut info = json!({"username": self.name});
        if !self.uid.is_empty() {
            info["uid"] = json!(self.uid);
        }
        if !self.groups.is_empty() {
            info["groups"] = json!(self.groups);
        }
        if !self.extra.is_empty() {
            info["extra"] = json!(self.extra);
        }
        info
    }
}

/// The namespace and the name in the user name of a service account.
pub(super) fn service_account(name: &str) -> Option<(&str, &str)> {
    let (namespace, account) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let fits = !namespace.is_empty() && !account.is_empty() && !account.contains(':');
    fits.then_some((namespace, account))
}

fn service_account_groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        AUTHENTICATED.to_owned(),
    ]
}

/// The subject of a JSON Web Token.
fn subject(token: &str) -> Option<String> {
    let parts: Vec<_> = token.split('.').collect();
    let [_, claims, _] = parts.as_slice() else {
        return None;
    };
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_in_its_groups_and_others_are_administrators() {
        let keeper = User::from_token("system:serviceaccount:zoo:keeper");
        assert_eq!(
            keeper.groups,
            [
                "system:serviceaccounts",
                "system:serviceaccounts:zoo",
                "system:authenticated"
            ]
        );
        for token in [
            "",
            "peer-1",
            "system:serviceaccount:zoo",
            "system:serviceaccount::x",
        ] {
            assert!(User::from_token(token).is_master(), "{token:?}");
        }
    }

    #[test]
    fn a_signed_token_stands_for_its_subject() {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"system:serviceaccount:zoo:keeper"}"#);
        let user = User::from_token(&format!("e30.{claims}.c2ln"));
        assert_eq!(user.name, "system:serviceaccount:zoo:keeper");
        assert!(!user.is_master());
        assert_eq!(User::from_token("a.b.c").name, "a.b.c");
    }

    #[test]
    fn who_is_impersonated_has_no_more_groups_than_named() {
        let wanted = |name: &str, groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            User::impersonated(User::named(name, groups))
                .groups
                .join(" ")
        };
        assert_eq!(wanted("bob", &[]), "system:authenticated");
        assert_eq!(wanted("bob", &["devs"]), "devs system:authenticated");
        assert_eq!(wanted("system:anonymous", &[]), "system:unauthenticated");
        assert_eq!(
            wanted("system:serviceaccount:zoo:keeper", &[]),
            "system:serviceaccounts system:serviceaccounts:zoo system:authenticated"
        );
    }
}
