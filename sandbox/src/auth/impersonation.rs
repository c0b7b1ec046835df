//! Acting as another user, as the `Impersonate-` headers ask.
//!
//! A user needs either the right to do what it asks for in a mode of impersonation (`impersonate-on:..`, for one kind of
//! users), or the older right to impersonate in all that it does.

use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::{
    attributes::{Attributes, Resource, Target},
    rbac::{Policy, decide},
    user::{self, User},
};
use crate::status::ApiError;

const AUTHENTICATION: &str = "authentication.k8s.io";
const EXTRA: &str = "impersonate-extra-";

/// The user as whom `user` acts: itself unless the headers name another one.
pub(super) fn acting(
    policy: &impl Policy,
    user: User,
    headers: &HeaderMap,
    asked: &Attributes,
) -> Result<User, ApiError> {
    let Some(wanted) = wanted(headers)? else {
        return Ok(user);
    };
    let is_service_account = user::service_account(&wanted.name).is_some();
    let only_name = wanted.groups.is_empty() && wanted.uid.is_empty() && wanted.extra.is_empty();
    let mode = match is_service_account {
        true => only_name.then_some("serviceaccount"),
        false => Some("user-info"),
    };
    let constrained = mode.map(|mode| {
        let mut on = asked.clone();
        on.verb = format!("impersonate-on:{mode}:{}", asked.verb);
        check(policy, &user, &on)?;
        check_all(policy, &user, &wanted, Some(mode))
    });
    let refused = match constrained {
        Some(Ok(())) => return Ok(User::impersonated(wanted)),
        Some(Err(error)) => Some(error),
        None => None,
    };
    match check_all(policy, &user, &wanted, None) {
        Ok(()) => Ok(User::impersonated(wanted)),
        Err(error) => Err(refused.unwrap_or(error)),
    }
}

/// The user that the headers name.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    let text = |name: &str| {
        let header = headers.get(name).map(http::HeaderValue::as_bytes);
        String::from_utf8_lossy(header.unwrap_or_default()).into_owned()
    };
    let groups = headers.get_all("impersonate-group").iter();
    let groups = groups.map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned());
    let mut wanted = User {
        name: text("impersonate-user"),
        uid: text("impersonate-uid"),
        groups: groups.collect(),
        ..User::default()
    };
    for (header, value) in headers {
        if let Some(key) = extra_key(header) {
            let value = json!(String::from_utf8_lossy(value.as_bytes()));
            let values = wanted.extra.entry(key).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(value);
            }
        }
    }
    if !wanted.name.is_empty() {
        return Ok(Some(wanted));
    }
    if wanted == User::default() {
        return Ok(None);
    }
    Err(ApiError::bad_request(format!(
        "requested {} without impersonating a user name",
        in_go(&wanted)
    )))
}

fn extra_key(header: &HeaderName) -> Option<String> {
    let key = header.as_str().strip_prefix(EXTRA)?;
    let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    Some(key.into_owned())
}

/// Whether `user` may take every property of `wanted`: in a mode, or in the older way.
fn check_all(
    policy: &impl Policy,
    user: &User,
    wanted: &User,
    mode: Option<&str>,
) -> Result<(), ApiError> {
    let (verb, group) = match mode {
        Some(mode) => (format!("impersonate:{mode}"), AUTHENTICATION),
        None => ("impersonate".to_owned(), ""),
    };
    let ask = |target: Resource| {
        let target = Target::Resource(target);
        let verb = verb.clone();
        Attributes { verb, target }
    };
    let named = |group: &str, resource: &str, name: &str| Resource {
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        ..Resource::default()
    };
    let mut who = named(group, "users", &wanted.name);
    if let Some((namespace, name)) = user::service_account(&wanted.name) {
        who = named(group, "serviceaccounts", name);
        namespace.clone_into(&mut who.namespace);
    }
    check(policy, user, &ask(who))?;
    if !wanted.uid.is_empty() {
        check(
            policy,
            user,
            &ask(named(AUTHENTICATION, "uids", &wanted.uid)),
        )?;
    }
    for name in &wanted.groups {
        let asked = ask(named(group, "groups", name));
        let refuse = |why: &str| Err(asked.refusal(user, why));
        match name.as_str() {
            "" if mode.is_some() => {
                return refuse("impersonating the empty string group is not allowed");
            }
            "system:masters" if mode.is_some() => {
                return refuse("impersonating the system:masters group is not allowed");
            }
            _ => check(policy, user, &asked)?,
        }
    }
    for (key, values) in &wanted.extra {
        for value in values.as_array().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let mut extra = named(AUTHENTICATION, "userextras", value);
            key.clone_into(&mut extra.subresource);
            check(policy, user, &ask(extra))?;
        }
    }
    Ok(())
}

fn check(policy: &impl Policy, user: &User, asked: &Attributes) -> Result<(), ApiError> {
    let decision = decide(policy, user, asked);
    match decision.allowed {
        true => Ok(()),
        false => Err(asked.refusal(user, &decision.reason)),
    }
}

/// A user as Go prints one.
fn in_go(user: &User) -> String {
    let list = |texts: &[String]| match texts {
        [] => "[]string(nil)".to_owned(),
        texts => {
            let texts: Vec<_> = texts.iter().map(|text| format!("{text:?}")).collect();
            format!("[]string{{{}}}", texts.join(", "))
        }
    };
    let mut extra = "map[string][]string(nil)".to_owned();
    if !user.extra.is_empty() {
        let pairs = user.extra.iter().map(|(key, values)| {
            let values = values.as_array().into_iter().flatten();
            let values: Vec<_> = values.map(ToString::to_string).collect();
            format!("{key:?}:[]string{{{}}}", values.join(", "))
        });
        let pairs: Vec<_> = pairs.collect();
        extra = format!("map[string][]string{{{}}}", pairs.join(", "));
    }
    format!(
        "&user.DefaultInfo{{Name:{:?}, UID:{:?}, Groups:{}, Extra:{extra}}}",
        user.name,
        user.uid,
        list(&user.groups)
    )
}
