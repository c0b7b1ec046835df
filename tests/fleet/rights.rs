//! What the manifests permit to a replica, as a whole and without one of its rules.

use std::time::Duration;

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    core::v1::ServiceAccount,
    rbac::v1::PolicyRule,
};
use kube::{Api, Client, api::PostParams, core::GroupVersionKind};
use serde_json::{Value, json};

use super::{audit::Access, backend::LEASES, eventually::eventually, kubectl::Kubectl};

/// Where the demo is deployed from.
pub(crate) const MANIFESTS: &str = "examples/sharded-namespace/manifests";

/// The name of every account.
pub(crate) const ACCOUNT: &str = "replica";

/// The rights of a replica.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    /// In the account's namespace, where its Leases are.
    leases: Vec<PolicyRule>,
    /// In the whole cluster.
    everywhere: Vec<PolicyRule>,
}

/// A service account with some rights.
#[derive(Clone)]
pub(crate) struct Account {
    /// The namespace of the account, and of its Leases.
    pub(crate) namespace: String,
    client: Client,
}

// === impl Rights ===

impl Rights {
    /// Rights as `(group, resource, verbs)`, in the account's own namespace and everywhere.
    pub(crate) fn new(own: &[(&str, &str, &str)], everywhere: &[(&str, &str, &str)]) -> Self {
        let rules = |rights: &[(&str, &str, &str)]| {
            let rules = rights.iter().map(|(group, resource, verbs)| PolicyRule {
                api_groups: Some(vec![(*group).to_owned()]),
                resources: Some(vec![(*resource).to_owned()]),
                verbs: verbs.split(' ').map(str::to_owned).collect(),
                ..PolicyRule::default()
            });
            rules.collect()
        };
        Self {
            leases: rules(own),
            everywhere: rules(everywhere),
        }
    }

    /// Those of the demo's Role and ClusterRole.
    pub(crate) async fn of_manifests(kubectl: &Kubectl) -> Self {
        let rendered = format!("apply -k {MANIFESTS} --dry-run=client -o json");
        let rendered = kubectl.run(&rendered).await;
        let all: Value = serde_json::from_str(&rendered).expect("kubectl prints JSON");
        let rules = |kind: &str| {
            let objects = all["items"].as_array().expect("a List").iter();
            let mut roles = objects.filter(|object| object["kind"] == kind);
            let role = roles.next().unwrap_or_else(|| panic!("there is a {kind}"));
            assert_eq!(roles.next(), None, "a second {kind}");
            if kind == "Role" {
                assert_eq!(role["metadata"]["namespace"], LEASES);
            }
            serde_json::from_value(role["rules"].clone()).expect("a Role has rules")
        };
        Self {
            leases: rules("Role"),
            everywhere: rules("ClusterRole"),
        }
    }

    /// Each single right.
    pub(crate) fn each(&self) -> Vec<Access> {
        let rules = self.leases.iter().chain(&self.everywhere);
        rules.flat_map(accesses).collect()
    }

    /// All rights but one.
    pub(crate) fn without(&self, access: &Access) -> Self {
        let reduce = |rules: &[PolicyRule]| {
            let kept = rules.iter().flat_map(accesses);
            kept.filter(|kept| kept != access).map(rule).collect()
        };
        Self {
            leases: reduce(&self.leases),
            everywhere: reduce(&self.everywhere),
        }
    }
}

/// Every verb of a rule on each of its resources.
fn accesses(rule: &PolicyRule) -> Vec<Access> {
    assert_eq!(rule.resource_names, None, "rules for single objects");
    assert_eq!(rule.non_resource_urls, None, "rules for paths");
    let all = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
    let mut accesses = Vec::new();
    for group in all(&rule.api_groups) {
        for resource in all(&rule.resources) {
            accesses.extend(rule.verbs.iter().map(|verb| Access {
                verb: verb.clone(),
                group: group.clone(),
                resource: resource.clone(),
            }));
        }
    }
    accesses
}

fn rule(access: Access) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![access.group]),
        resources: Some(vec![access.resource]),
        verbs: vec![access.verb],
        ..PolicyRule::default()
    }
}

// === impl Account ===

impl Account {
    /// Makes a namespace with an account that has these rights, and waits until the API server knows them.
    pub(crate) async fn create(client: &Client, namespace: String, rights: &Rights) -> Self {
        let account = Self {
            namespace,
            client: client.clone(),
        };
        let Self { namespace, .. } = &account;
        let create = async |kind: &str, within: Option<&str>, content: Value| {
            create(client, kind, within, content).await;
        };
        let (here, everywhere) = (Some(namespace.as_str()), None);
        let named = |name: &str| json!({"metadata": {"name": name}});
        create("v1/Namespace", everywhere, named(namespace)).await;
        create("v1/ServiceAccount", here, named(ACCOUNT)).await;
        let scopes = [
            ("Role", here, ACCOUNT, &rights.leases),
            ("ClusterRole", everywhere, namespace, &rights.everywhere),
        ];
        for (kind, within, name, rules) in scopes {
            let group = "rbac.authorization.k8s.io";
            let mut role = named(name);
            role["rules"] = json!(rules);
            create(&format!("{group}/v1/{kind}"), within, role).await;
            let mut binding = named(name);
            binding["roleRef"] = json!({"apiGroup": group, "kind": kind, "name": name});
            binding["subjects"] =
                json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}]);
            create(&format!("{group}/v1/{kind}Binding"), within, binding).await;
        }
        account.wait(rights).await;
        account
    }

    /// How the API server calls it.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{ACCOUNT}", self.namespace)
    }

    /// A token that proves to be this account.
    pub(crate) async fn token(&self) -> String {
        token(&self.client, &self.namespace, ACCOUNT, None).await
    }

    /// The authorizer learns of new rights through watches.
    async fn wait(&self, rights: &Rights) {
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        for (namespace, rules) in [
            (Some(&self.namespace), &rights.leases),
            (None, &rights.everywhere),
        ] {
            for access in rules.iter().flat_map(accesses) {
                let what = format!("{} may {access}", self.namespace);
                let review = SubjectAccessReview {
                    spec: SubjectAccessReviewSpec {
                        user: Some(self.user()),
                        resource_attributes: Some(ResourceAttributes {
                            verb: Some(access.verb),
                            group: Some(access.group),
                            resource: Some(access.resource),
                            namespace: namespace.cloned(),
                            ..ResourceAttributes::default()
                        }),
                        ..SubjectAccessReviewSpec::default()
                    },
                    ..SubjectAccessReview::default()
                };
                eventually(Duration::from_secs(10), &what, async || {
                    let answer = reviews.create(&PostParams::default(), &review).await;
                    let status = answer.map_err(|error| error.to_string())?.status;
                    let allowed = status.as_ref().is_some_and(|status| status.allowed);
                    allowed.then_some(()).ok_or_else(|| format!("{status:?}"))
                })
                .await;
            }
        }
    }
}

/// A token of a service account, which ends with the object that it is bound to.
pub(crate) async fn token(
    client: &Client,
    namespace: &str,
    account: &str,
    bound: Option<Value>,
) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(3600),
            bound_object_ref: bound
                .map(|bound| serde_json::from_value(bound).expect("it names an object")),
            ..TokenRequestSpec::default()
        }),
        ..TokenRequest::default()
    };
    let made = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .unwrap_or_else(|error| panic!("a token for {namespace}/{account}: {error}"));
    let token = made.status.and_then(|status| status.token);
    token.expect("an answer has a token")
}

/// Creates an object of any kind, as `apps/v1/StatefulSet`.
pub(crate) async fn create(client: &Client, kind: &str, namespace: Option<&str>, content: Value) {
    let (version, name) = kind.rsplit_once('/').expect("a version and a kind");
    let (group, version) = version.rsplit_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, name);
    let resource = kube::core::ApiResource::from_gvk(&kind);
    let api: Api<kube::core::DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let object = serde_json::from_value(content).expect("the object has metadata");
    api.create(&PostParams::default(), &object)
        .await
        .unwrap_or_else(|error| panic!("create a {name}: {error}"));
}
