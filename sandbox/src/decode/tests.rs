use serde_json::json;

use super::*;
use crate::kinds::Registry;

fn decode(
    group: &str,
    plural: &str,
    body: &str,
    validation: Validation,
) -> Result<Decoded, ApiError> {
    let kind = Registry::built_in().find(group, "v1", plural).unwrap();
    object(&kind, MediaType::Json, body.as_bytes(), validation)
}

/// Refused with this message, behind the words that all share.
fn refusal(group: &str, plural: &str, body: &str) -> String {
    let message = decode(group, plural, body, Validation::Warn)
        .unwrap_err()
        .message;
    let (_, why) = message.split_once(": ").unwrap();
    why.to_owned()
}

#[test]
fn an_object_is_kept_as_go_writes_it() {
    let body = r#"{
        "apiVersion": "v1", "kind": "ConfigMap", "binaryData": null, "immutable": null, "data": {"a": null, "b": ""},
        "metadata": {"name": "m", "labels": {}, "creationTimestamp": null, "selfLink": "x"}
    }"#;
    let decoded = decode("", "configmaps", body, Validation::Strict).unwrap();
    assert_eq!(
        decoded.object,
        json!({"metadata": {"name": "m"}, "data": {"a": "", "b": ""}})
    );

    let body =
        r#"{"spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": 0.5}}}, null]}}"#;
    // What a Pod starts with comes after that.
    let pod = Registry::built_in().find("", "v1", "pods").unwrap();
    let decoded = typed(
        Expected::of(&pod),
        MediaType::Json,
        body.as_bytes(),
        Validation::Strict,
    );
    let decoded = decoded.unwrap();
    assert_eq!(
        decoded.object,
        json!({
            "metadata": {}, "status": {},
            "spec": {"containers": [
                {"name": "c", "resources": {"limits": {"cpu": "500m"}}}, {"name": "", "resources": {}},
            ]},
        })
    );
    let body = r#"{"rules": []}"#;
    let decoded = decode(
        "rbac.authorization.k8s.io",
        "roles",
        body,
        Validation::Strict,
    )
    .unwrap();
    assert_eq!(decoded.object, json!({"metadata": {}, "rules": null}));
}

#[test]
fn what_does_not_fit_is_refused_in_the_words_of_go() {
    for (body, why) in [
        (
            r#"{"data": {"a": 1}}"#,
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            r#"{"data": []}"#,
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            r#"{"metadata": []}"#,
            "json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta",
        ),
        (
            r#"{"metadata": {"generation": 1.5}}"#,
            "json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
        (
            r#"{"metadata": {"creationTimestamp": "x"}}"#,
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\"",
        ),
        (
            r#"{"data": {"a": 1}, "metadata": {"creationTimestamp": 1}}"#,
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            r#"{"metadata": {"ownerReferences": [{"name": 5}]}}"#,
            "json: cannot unmarshal number into Go struct field OwnerReference.metadata.ownerReferences.name of type string",
        ),
        (
            r#"{"binaryData": {"a": "*"}}"#,
            "illegal base64 data at input byte 0",
        ),
        (
            r#"{"kind": "Secret"}"#,
            "converting (v1.Secret) to (core.ConfigMap): unknown conversion",
        ),
        (
            r#"{"kind": "Lease"}"#,
            "no kind \"Lease\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\"",
        ),
        (
            r#"{"kind": 5}"#,
            "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string ({\"kind\": 5})",
        ),
        (
            "{\"a\": tru}",
            "couldn't get version/kind; json parse error: invalid character '}' in literal true (expecting 'e') ({\"a\": tru})",
        ),
        (
            "",
            "couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (
            "5 x",
            "couldn't get version/kind; json parse error: invalid character 'x' after top-level value (352078)",
        ),
    ] {
        assert_eq!(refusal("", "configmaps", body), why, "{body}");
    }
    let port = |port: &str| {
        let body = format!(
            r#"{{"spec": {{"containers": [{{"livenessProbe": {{"httpGet": {{"port": {port}}}}}}}]}}}}"#
        );
        refusal("", "pods", &body)
    };
    let place = "Go struct field HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32";
    assert_eq!(
        port("true"),
        format!("json: cannot unmarshal bool into {place}")
    );
    assert_eq!(
        port("70000000000"),
        format!("json: cannot unmarshal number 70000000000 into {place}")
    );
}

#[test]
fn unknown_and_doubled_fields_are_ignored_told_or_refused() {
    let body = r#"{"metadata":{"name":"x","foo":1,"labels":{"a":"1","a":"2"}},"data":{"a":"1","a":"2"},
        "spec":{"x":1},"spec":2,"data":{"c":"3"}}"#;
    let problems = [
        "unknown field \"metadata.foo\"",
        "duplicate field \"metadata.labels.a\"",
        "duplicate field \"data.a\"",
        "unknown field \"spec\"",
        "duplicate field \"data\"",
    ];
    let decoded = decode("", "configmaps", body, Validation::Ignore).unwrap();
    assert!(decoded.warnings.is_empty());
    let told = decode("", "configmaps", body, Validation::Warn).unwrap();
    assert_eq!(told.object, decoded.object);
    assert_eq!(told.object["data"], json!({"a": "2", "c": "3"}));
    assert_eq!(told.warnings, problems);
    let refused = decode("", "configmaps", body, Validation::Strict).unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: {}",
            problems.join(", ")
        )
    );
}
