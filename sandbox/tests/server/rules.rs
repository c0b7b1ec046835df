//! What the server fills in and refuses, by kind: tables of an object and what becomes of it.

use crate::support::ask;
use kube::Client;
use kube_sandbox::Sandbox;
use serde_json::{Value, json};

const CORE: &str = "/api/v1/namespaces/default";
const APPS: &str = "/apis/apps/v1/namespaces/default";
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
const POLICY: &str = "/apis/policy/v1/namespaces/default";

fn pod(spec: &Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": spec})
}

fn workload(extra: &Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        },
    });
    for (field, value) in extra.as_object().unwrap() {
        spec[field] = value.clone();
    }
    json!({"metadata": {"name": "w"}, "spec": spec})
}

/// The fields of a refusal with the reasons, as `Reason path`; the message must begin with the first text.
async fn refused(
    client: &Client,
    method: &str,
    path: &str,
    object: &Value,
) -> (String, Vec<String>) {
    let (code, status) = ask(client, method, path, object).await;
    assert_eq!(code, 422, "{object}: {status}");
    let causes = status["details"]["causes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let causes = causes.map(|cause| {
        let reason = text(&cause["reason"]);
        format!(
            "{} {}",
            reason.trim_start_matches("FieldValue"),
            text(&cause["field"])
        )
    });
    (text(&status["message"]), causes.collect())
}

#[tokio::test]
async fn an_object_that_breaks_a_rule_is_refused_with_its_fields() {
    let client = Sandbox::new().client();
    let pods = format!("{CORE}/pods");
    let container = json!({"name": "c", "image": "x"});
    for (path, object, expected) in [
        (
            format!("{CORE}/configmaps"),
            json!({"metadata": {"name": "m", "labels": {"-": "!"}}}),
            vec!["Invalid metadata.labels", "Invalid metadata.labels"],
        ),
        (
            format!("{CORE}/configmaps"),
            json!({"metadata": {"name": "m", "annotations": {"a": "x".repeat(300_000)}}}),
            vec!["TooLong metadata.annotations"],
        ),
        (
            format!("{CORE}/configmaps"),
            json!({"metadata": {"name": "m", "finalizers": ["short"]}}),
            vec!["Invalid metadata.finalizers[0]"],
        ),
        (
            format!("{CORE}/configmaps"),
            json!({"metadata": {"name": "m"}, "data": {"a/b": ""}}),
            vec!["Invalid data[a/b]"],
        ),
        (
            format!("{CORE}/configmaps"),
            json!({"metadata": {"name": "m"}, "data": {"a": "x".repeat(1_100_000)}}),
            vec!["TooLong "],
        ),
        (
            format!("{CORE}/secrets"),
            json!({"metadata": {"name": "s"}, "type": "kubernetes.io/tls"}),
            vec!["Required data[tls.crt]", "Required data[tls.key]"],
        ),
        (
            pods.clone(),
            pod(&json!({"containers": []})),
            vec!["Required spec.containers"],
        ),
        (
            pods.clone(),
            pod(&json!({"containers": [container, container]})),
            vec!["Duplicate spec.containers[1].name"],
        ),
        (
            pods.clone(),
            pod(&json!({"containers": [{"name": "c"}]})),
            vec!["Required spec.containers[0].image"],
        ),
        (
            pods.clone(),
            pod(
                &json!({"containers": [{"name": "c", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/"}]}]}),
            ),
            vec!["NotFound spec.containers[0].volumeMounts[0].name"],
        ),
        (
            pods.clone(),
            pod(&json!({"containers": [{"name": "c", "image": "x",
            "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}]})),
            vec!["Invalid spec.containers[0].resources.requests"],
        ),
        (
            pods.clone(),
            pod(&json!({"containers": [container], "restartPolicy": "Sometimes"})),
            vec!["NotSupported spec.restartPolicy"],
        ),
        (
            format!("{APPS}/statefulsets"),
            workload(&json!({"replicas": -1})),
            vec!["Invalid spec.replicas"],
        ),
        (
            format!("{APPS}/statefulsets"),
            workload(&json!({"selector": {"matchLabels": {"app": "b"}}})),
            vec!["Invalid spec.template.metadata.labels"],
        ),
        (
            format!("{APPS}/deployments"),
            workload(&json!({"selector": {}})),
            vec!["Invalid spec.selector"],
        ),
        (
            format!("{APPS}/deployments"),
            workload(&json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}})),
            vec!["Forbidden spec.strategy.rollingUpdate"],
        ),
        (
            format!("{CORE}/services"),
            json!({"metadata": {"name": "s"}, "spec": {}}),
            vec!["Required spec.ports"],
        ),
        (
            format!("{CORE}/services"),
            json!({"metadata": {"name": "s"}, "spec": {"clusterIP": "10.9.9.9", "ports": [{"port": 1}]}}),
            vec!["Invalid spec.clusterIPs"],
        ),
        (
            format!("{RBAC}/roles"),
            json!({"metadata": {"name": "a:b"}, "rules": [{"resources": ["pods"], "apiGroups": [""]}]}),
            vec!["Required rules[0].verbs"],
        ),
        (
            format!("{RBAC}/rolebindings"),
            json!({"metadata": {"name": "b"}, "roleRef": {"kind": "User", "name": "r"}}),
            vec!["NotSupported roleRef.kind"],
        ),
        (
            format!("{POLICY}/poddisruptionbudgets"),
            json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "maxUnavailable": "x"}}),
            vec!["Invalid spec", "Invalid spec.maxUnavailable"],
        ),
    ] {
        let (_, causes) = refused(&client, "POST", &path, &object).await;
        assert_eq!(causes, expected, "{path}");
    }
}

#[tokio::test]
async fn what_is_immutable_stays() {
    let client = Sandbox::new().client();
    let sealed = json!({"metadata": {"name": "m"}, "data": {"a": "1"}, "immutable": true});
    let binding =
        |role| json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": role}});
    for (path, before, after, expected) in [
        (
            format!("{CORE}/configmaps"),
            sealed,
            json!({"metadata": {"name": "m"}, "data": {"a": "2"}}),
            "ConfigMap \"m\" is invalid: [immutable: Forbidden: field is immutable when `immutable` is set, data: Forbidden",
        ),
        (
            format!("{CORE}/secrets"),
            json!({"metadata": {"name": "s"}}),
            json!({"metadata": {"name": "s"}, "type": "x"}),
            "Secret \"s\" is invalid: type: Invalid value: \"x\": field is immutable",
        ),
        (
            format!("{RBAC}/rolebindings"),
            binding("r"),
            binding("s"),
            "RoleBinding.rbac.authorization.k8s.io \"b\" is invalid: roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\
             \"Kind\":\"Role\",\"Name\":\"s\"}: cannot change roleRef",
        ),
        (
            format!("{APPS}/statefulsets"),
            workload(&json!({})),
            workload(&json!({"serviceName": "x"})),
            "StatefulSet.apps \"w\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas'",
        ),
        (
            format!("{CORE}/pods"),
            pod(&json!({"containers": [{"name": "c", "image": "x"}]})),
            pod(&json!({"containers": [{"name": "c", "image": "y"}], "hostname": "h"})),
            "Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
        ),
    ] {
        let (code, _) = ask(&client, "POST", &path, &before).await;
        assert_eq!(code, 201, "{path}");
        let name = after["metadata"]["name"].as_str().unwrap();
        let (message, _) = refused(&client, "PUT", &format!("{path}/{name}"), &after).await;
        assert!(message.starts_with(expected), "{message}");
    }
}

#[tokio::test]
async fn what_a_client_leaves_out_is_filled_in() {
    let client = Sandbox::new().client();
    let (_, pod) = ask(
        &client,
        "POST",
        &format!("{CORE}/pods"),
        &pod(
            &json!({"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 1}]}]}),
        ),
    )
    .await;
    let (_, set) = ask(
        &client,
        "POST",
        &format!("{APPS}/statefulsets"),
        &workload(&json!({})),
    )
    .await;
    let (_, deployment) = ask(
        &client,
        "POST",
        &format!("{APPS}/deployments"),
        &workload(&json!({})),
    )
    .await;
    for (object, pointer, expected) in [
        (&pod, "/spec/restartPolicy", json!("Always")),
        (&pod, "/spec/terminationGracePeriodSeconds", json!(30)),
        (&pod, "/spec/containers/0/imagePullPolicy", json!("Always")),
        (&pod, "/spec/containers/0/ports/0/protocol", json!("TCP")),
        (&pod, "/spec/tolerations/1/tolerationSeconds", json!(300)),
        (&pod, "/spec/priority", json!(0)),
        (
            &pod,
            "/status",
            json!({"phase": "Pending", "qosClass": "BestEffort"}),
        ),
        (&set, "/spec/replicas", json!(1)),
        (
            &set,
            "/spec/updateStrategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        ),
        (
            &set,
            "/spec/template/spec/schedulerName",
            json!("default-scheduler"),
        ),
        (
            &set,
            "/spec/persistentVolumeClaimRetentionPolicy/whenScaled",
            json!("Retain"),
        ),
        (
            &deployment,
            "/spec/strategy/rollingUpdate/maxSurge",
            json!("25%"),
        ),
        (&deployment, "/spec/progressDeadlineSeconds", json!(600)),
    ] {
        assert_eq!(object.pointer(pointer), Some(&expected), "{pointer}");
    }
}

#[tokio::test]
async fn no_two_services_have_one_address() {
    let client = Sandbox::new().client();
    let services = format!("{CORE}/services");
    let service = |name: &str, address: &Value| json!({"metadata": {"name": name}, "spec": {"clusterIP": address, "ports": [{"port": 80}]}});
    let (_, first) = ask(&client, "POST", &services, &service("first", &Value::Null)).await;
    let (_, second) = ask(&client, "POST", &services, &service("second", &Value::Null)).await;
    let address = &first["spec"]["clusterIP"];
    assert_ne!(address, &second["spec"]["clusterIP"]);
    let (message, _) = refused(&client, "POST", &services, &service("third", address)).await;
    assert!(
        message.ends_with("provided IP is already allocated"),
        "{message}"
    );

    // A change that does not name the address keeps it.
    let (code, kept) = ask(
        &client,
        "PUT",
        &format!("{services}/first"),
        &service("first", &Value::Null),
    )
    .await;
    assert_eq!((code, &kept["spec"]["clusterIP"]), (200, address));
}
