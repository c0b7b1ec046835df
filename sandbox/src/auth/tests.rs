//! Decisions over roles and bindings as they are stored.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};

use super::*;
use crate::{kinds::Registry, meta, store::Object};

/// Roles and bindings, each with the plural of its kind.
struct Stored(Vec<(&'static str, Value)>);

impl Policy for Stored {
    fn role(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Object>> {
        let found = self.bindings(resource, namespace).into_iter();
        found
            .rev()
            .find(|object| meta::text(object.value(), "name") == name)
    }

    fn bindings(&self, resource: &str, namespace: &str) -> Vec<Arc<Object>> {
        let of_kind = self.0.iter().filter(|(plural, _)| *plural == resource);
        let inside = of_kind.filter(|(_, object)| meta::text(object, "namespace") == namespace);
        inside
            .map(|(_, object)| Arc::new(Object::new(object.clone())))
            .collect()
    }
}

const KEEPER: &str = "system:serviceaccount:zoo:keeper";

/// The keeper of the zoo may read ConfigMaps there and grant roles; it is also bound to a role that is missing.
fn zoo() -> Stored {
    let binding = |name: &str, role: &str| {
        json!({
            "metadata": {"name": name, "namespace": "zoo"},
            "subjects": [{"kind": "ServiceAccount", "name": "keeper"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        })
    };
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]},
    ]);
    let mut stored: Vec<_> = bootstrap::objects()
        .map(|(plural, object)| (plural, object.clone()))
        .collect();
    stored.extend([
        (
            "roles",
            json!({"metadata": {"name": "r", "namespace": "zoo"}, "rules": rules}),
        ),
        ("rolebindings", binding("r", "r")),
        ("rolebindings", binding("missing", "missing")),
    ]);
    Stored(stored)
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn admitted(token: &str, method: &str, path: &str) -> Result<(), String> {
    let parts = request(
        method,
        path,
        &[("authorization", &format!("Bearer {token}"))],
    );
    let user = admit(&zoo(), &parts);
    user.map(|_| ()).map_err(|error| error.message)
}

#[test]
fn a_service_account_has_the_rights_of_its_bindings_alone() {
    let path = "/api/v1/namespaces/zoo/configmaps/x";
    assert_eq!(admitted(KEEPER, "GET", path), Ok(()));
    assert_eq!(
        admitted(KEEPER, "GET", "/api/v1/namespaces/zoo/secrets/x").unwrap_err(),
        "secrets \"x\" is forbidden: User \"system:serviceaccount:zoo:keeper\" cannot get resource \"secrets\" \
         in API group \"\" in the namespace \"zoo\": \
         RBAC: role.rbac.authorization.k8s.io \"missing\" not found"
    );
    for path in [
        "/api/v1/namespaces/default/configmaps/x",
        "/api/v1/configmaps",
        "/metrics",
    ] {
        assert!(admitted(KEEPER, "GET", path).is_err(), "{path}");
        assert_eq!(admitted("someone", "GET", path), Ok(()), "{path}");
    }
}

#[test]
fn everyone_with_a_name_may_discover_and_review_itself() {
    for (method, path) in [
        ("GET", "/version"),
        ("GET", "/api/v1"),
        ("GET", "/openapi/v3"),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        ),
        ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
    ] {
        assert_eq!(admitted(KEEPER, method, path), Ok(()), "{path}");
    }
    let others = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    assert!(admitted(KEEPER, "POST", others).is_err());
}

#[test]
fn a_header_that_is_no_bearer_token_is_unauthorized() {
    for (header, accepted) in [
        ("Bearer someone", true),
        ("bearer someone", true),
        ("Bearer", false),
        ("Bearer ", false),
        ("Basic c29tZW9uZQ==", false),
        ("someone", false),
    ] {
        let user = admit(
            &zoo(),
            &request("GET", "/version", &[("authorization", header)]),
        );
        assert_eq!(user.is_ok(), accepted, "{header:?}");
    }
    assert!(admit(&zoo(), &request("GET", "/metrics", &[])).is_ok());
}

#[test]
fn an_administrator_acts_as_others_with_their_rights() {
    let path = "/api/v1/namespaces/zoo/configmaps";
    let act = |token: &str, path: &str, headers: &[(&str, &str)]| {
        let token = format!("Bearer {token}");
        let mut all = vec![("authorization", token.as_str())];
        all.extend_from_slice(headers);
        admit(&zoo(), &request("GET", path, &all))
    };
    let keeper = act("admin", path, &[("impersonate-user", KEEPER)]).unwrap();
    assert_eq!(keeper.name, KEEPER);
    assert!(act("admin", "/metrics", &[("impersonate-user", KEEPER)]).is_err());
    let error = act("admin", path, &[("impersonate-group", "a")]).unwrap_err();
    assert_eq!(
        error.message,
        "requested &user.DefaultInfo{Name:\"\", UID:\"\", Groups:[]string{\"a\"}, Extra:map[string][]string(nil)} \
         without impersonating a user name"
    );
    let error = act(
        KEEPER,
        path,
        &[("impersonate-user", "system:serviceaccount:zoo:x")],
    );
    assert!(
        error
            .unwrap_err()
            .message
            .contains("cannot impersonate-on:serviceaccount:list resource \"configmaps\"")
    );
    let error = act(KEEPER, path, &[("impersonate-user", "bob")]).unwrap_err();
    assert!(
        error
            .message
            .contains("cannot impersonate-on:user-info:list")
    );
}

#[test]
fn a_decision_names_the_binding_that_allows_it() {
    let attributes = Attributes::of(
        &http::Method::GET,
        "/api/v1/namespaces/zoo/configmaps",
        &Query::default(),
    );
    let decision = decide(&zoo(), &User::from_token(KEEPER), &attributes);
    assert_eq!(
        decision.reason,
        "RBAC: allowed by RoleBinding \"r/zoo\" of Role \"r\" to ServiceAccount \"keeper/zoo\""
    );
}

#[test]
fn nobody_grants_rights_that_it_does_not_hold() {
    let registry = Registry::built_in();
    let kind = |plural: &str| {
        let found = registry.find("rbac.authorization.k8s.io", "v1", plural);
        found.unwrap()
    };
    let user = User::from_token(KEEPER);
    let check = |plural: &str, new: Value| {
        check_escalation(&zoo(), &user, &kind(plural), "zoo", &new, None)
    };
    let role = |rule: Value| json!({"metadata": {"name": "more"}, "rules": [rule]});
    let less = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["a"]});
    assert_eq!(check("roles", role(less)), Ok(()));
    let more = json!({
        "apiGroups": ["apps", ""], "resources": ["pods", "configmaps"], "verbs": ["get", "watch"],
        "resourceNames": ["a"],
    });
    assert_eq!(
        check("roles", role(more)).unwrap_err().message,
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"system:serviceaccount:zoo:keeper\" \
         (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:zoo\" \"system:authenticated\"]) \
         is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"configmaps\"], ResourceNames:[\"a\"], Verbs:[\"watch\"]}\n\
         {APIGroups:[\"\"], Resources:[\"pods\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"watch\"]}\n\
         {APIGroups:[\"apps\"], Resources:[\"configmaps\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"watch\"]}\n\
         {APIGroups:[\"apps\"], Resources:[\"pods\"], ResourceNames:[\"a\"], Verbs:[\"get\" \"watch\"]}\
         ; resolution errors: [roles.rbac.authorization.k8s.io \"missing\" not found]"
    );
    let binding = |role: &str| {
        let reference =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
        json!({"metadata": {"name": "more"}, "roleRef": reference})
    };
    assert_eq!(check("rolebindings", binding("system:basic-user")), Ok(()));
    let error = check("rolebindings", binding("cluster-admin")).unwrap_err();
    assert!(
        error.message.contains(
            "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}\n{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}"
        ),
        "{}",
        error.message
    );
    let error = check("rolebindings", binding("nix")).unwrap_err();
    assert_eq!(
        error.message,
        "rolebindings.rbac.authorization.k8s.io \"nix\" not found"
    );
}
