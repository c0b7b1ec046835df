//! What a client can rely on: the rights of service accounts, and questions about them.

use crate::support::{ask, config_map, refusal};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, api::PostParams};
use kube_sandbox::{Faults, Sandbox};
use serde_json::{Value, json};

const KEEPER: &str = "system:serviceaccount:zoo:keeper";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/zoo";
const MAPS: &str = "/api/v1/namespaces/zoo/configmaps";

/// A server where the keeper of the zoo may do `verbs` to `resources` there.
async fn zoo(verbs: &[&str], resources: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let client = sandbox.client();
    let role = json!({
        "metadata": {"name": "keeper"},
        "rules": [{"apiGroups": ["", "rbac.authorization.k8s.io"], "resources": resources, "verbs": verbs}],
    });
    let binding = json!({
        "metadata": {"name": "keeper"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "keeper"},
        "subjects": [{"kind": "ServiceAccount", "name": "keeper", "namespace": "zoo"}],
    });
    for (path, body) in [
        ("/api/v1/namespaces", json!({"metadata": {"name": "zoo"}})),
        (&format!("{RBAC}/roles"), role),
        (&format!("{RBAC}/rolebindings"), binding),
    ] {
        let (code, reply) = ask(&client, "POST", path, &body).await;
        assert_eq!(code, 201, "{reply}");
    }
    sandbox
}

#[tokio::test]
async fn each_verb_needs_its_own_right() {
    let map = json!({"metadata": {"name": "m"}});
    for (verb, method, path, body) in [
        ("get", "GET", format!("{MAPS}/m"), Value::Null),
        ("list", "GET", MAPS.to_owned(), Value::Null),
        (
            "watch",
            "GET",
            format!("{MAPS}?watch=1&timeoutSeconds=1"),
            Value::Null,
        ),
        ("create", "POST", MAPS.to_owned(), map.clone()),
        ("update", "PUT", format!("{MAPS}/m"), map.clone()),
        ("delete", "DELETE", format!("{MAPS}/m"), Value::Null),
        ("deletecollection", "DELETE", MAPS.to_owned(), Value::Null),
    ] {
        let all = [
            "get",
            "list",
            "watch",
            "create",
            "update",
            "delete",
            "deletecollection",
        ];
        let others: Vec<_> = all.into_iter().filter(|other| *other != verb).collect();
        let without = zoo(&others, &["configmaps"]).await.client_for(KEEPER);
        let (code, status) = ask(&without, method, &path, &body).await;
        assert_eq!(
            (code, &status["reason"]),
            (403, &json!("Forbidden")),
            "{verb}"
        );
        let expected = format!(
            "User \"{KEEPER}\" cannot {verb} resource \"configmaps\" in API group \"\" in the namespace \"zoo\""
        );
        let message = status["message"].as_str().unwrap();
        assert!(message.ends_with(&expected), "{message}");

        if verb != "watch" {
            let with = zoo(&[verb], &["configmaps"]).await.client_for(KEEPER);
            let (code, status) = ask(&with, method, &path, &body).await;
            assert_ne!(code, 403, "{verb}: {status}");
        }
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_at_once() {
    let sandbox = zoo(&["create"], &["configmaps"]).await;
    let maps: Api<ConfigMap> = Api::namespaced(sandbox.client_for(KEEPER), "zoo");
    let create = PostParams::default();
    maps.create(&create, &config_map("a")).await.unwrap();
    let binding = format!("{RBAC}/rolebindings/keeper");
    ask(&sandbox.client(), "DELETE", &binding, &Value::Null).await;
    let refused = refusal(maps.create(&create, &config_map("b")).await);
    assert!(refused.is_forbidden());
}

#[tokio::test]
async fn rights_hold_behind_faults_too() {
    let faults = Faults::new(&zoo(&["get"], &["configmaps"]).await, 1);
    let maps: Api<ConfigMap> = Api::namespaced(faults.client(KEEPER), "zoo");
    assert!(refusal(maps.get("m").await).is_not_found());
    assert!(refusal(maps.delete("m", &Default::default()).await).is_forbidden());
    let maps: Api<ConfigMap> = Api::namespaced(faults.client("peer-1"), "zoo");
    assert!(refusal(maps.delete("m", &Default::default()).await).is_not_found());
}

#[tokio::test]
async fn a_review_says_what_a_user_may_do_and_why() {
    let sandbox = zoo(&["get"], &["configmaps"]).await;
    let keeper = sandbox.client_for(KEEPER);
    let authorization = "/apis/authorization.k8s.io/v1";
    let about = |verb: &str| json!({"namespace": "zoo", "verb": verb, "resource": "configmaps"});
    let path = format!("{authorization}/selfsubjectaccessreviews");
    let body = json!({"spec": {"resourceAttributes": about("get")}});
    let (code, review) = ask(&keeper, "POST", &path, &body).await;
    assert_eq!(code, 201);
    assert_eq!(review["kind"], "SelfSubjectAccessReview");
    let reason = "RBAC: allowed by RoleBinding \"keeper/zoo\" of Role \"keeper\" to ServiceAccount \"keeper/zoo\"";
    assert_eq!(review["status"], json!({"allowed": true, "reason": reason}));
    let body = json!({"spec": {"resourceAttributes": about("list")}});
    let (_, review) = ask(&keeper, "POST", &path, &body).await;
    assert_eq!(review["status"], json!({"allowed": false}));

    // Others are reviewed by administrators.
    let path = format!("{authorization}/namespaces/zoo/localsubjectaccessreviews");
    let body = json!({"spec": {"user": KEEPER, "resourceAttributes": about("get")}});
    assert_eq!(ask(&keeper, "POST", &path, &body).await.0, 403);
    let (_, review) = ask(&sandbox.client(), "POST", &path, &body).await;
    assert_eq!(review["status"]["allowed"], true);

    let path = format!("{authorization}/selfsubjectrulesreviews");
    let body = json!({"spec": {"namespace": "zoo"}});
    let (_, review) = ask(&keeper, "POST", &path, &body).await;
    let rules = review["status"]["resourceRules"].as_array().unwrap();
    let rule = json!({
        "verbs": ["get"], "apiGroups": ["", "rbac.authorization.k8s.io"], "resources": ["configmaps"],
    });
    assert!(rules.contains(&rule), "{rules:?}");

    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let (_, review) = ask(&keeper, "POST", path, &json!({})).await;
    assert_eq!(review["status"]["userInfo"]["username"], KEEPER);
}

#[tokio::test]
async fn a_review_that_asks_nothing_is_refused() {
    let client = Sandbox::new().client();
    let authorization = "/apis/authorization.k8s.io/v1";
    for (path, body, code, expected) in [
        (
            "selfsubjectaccessreviews",
            json!({"spec": {}}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: \
             exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            "subjectaccessreviews",
            json!({"spec": {"nonResourceAttributes": {"path": "/x", "verb": "get"}}}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": \
             at least one of user or group must be specified",
        ),
        (
            "namespaces/default/localsubjectaccessreviews",
            json!({"spec": {"user": "bob", "nonResourceAttributes": {"path": "/x", "verb": "get"}}}),
            422,
            ".authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: \
             Invalid value: {\"Path\":\"/x\",\"Verb\":\"get\"}: disallowed on this kind of request",
        ),
        (
            "selfsubjectrulesreviews",
            json!({"spec": {}}),
            400,
            "no namespace on request",
        ),
    ] {
        let path = format!("{authorization}/{path}");
        let (found, status) = ask(&client, "POST", &path, &body).await;
        assert_eq!(
            (found, &status["message"]),
            (code, &json!(expected)),
            "{path}"
        );
        assert_eq!(ask(&client, "GET", &path, &Value::Null).await.0, 405);
    }
}

#[tokio::test]
async fn a_service_account_grants_no_more_than_it_has() {
    let sandbox = zoo(&["create", "get"], &["configmaps", "roles"]).await;
    let keeper = sandbox.client_for(KEEPER);
    let role = |verb: &str| {
        json!({
            "metadata": {"name": verb},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]}],
        })
    };
    let roles = format!("{RBAC}/roles");
    assert_eq!(ask(&keeper, "POST", &roles, &role("get")).await.0, 201);
    let (code, status) = ask(&keeper, "POST", &roles, &role("delete")).await;
    assert_eq!(code, 403);
    let message = status["message"].as_str().unwrap();
    assert!(
        message.ends_with(
            "is attempting to grant RBAC permissions not currently held:\n\
             {APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"delete\"]}"
        ),
        "{message}"
    );
}
