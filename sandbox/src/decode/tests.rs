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

/// The object that a body in some form means, without what is written even if nobody has set it.
fn read_as(media_type: MediaType, body: &[u8]) -> Result<Decoded, ApiError> {
    let kind = Registry::built_in().find("", "v1", "configmaps").unwrap();
    object(&kind, media_type, body, Validation::Warn)
}

#[test]
fn yaml_is_read_like_json() {
    let yaml = "metadata: {name: x}\ndata: {yes: a, 1: b, 2.5: c, day: 2020-01-01, text: \"1\"}\n---\nmore: 1\n";
    let decoded = read_as(MediaType::Yaml, yaml.as_bytes()).unwrap();
    let data = json!({"true": "a", "1": "b", "2.5": "c", "day": "2020-01-01", "text": "1"});
    assert_eq!(
        decoded.object,
        json!({"metadata": {"name": "x"}, "data": data})
    );

    let yaml = "metadata: {name: x}\ndata: {a: \"1\", a: \"2\"}\nfoo: 1\n";
    let decoded = read_as(MediaType::Yaml, yaml.as_bytes()).unwrap();
    assert_eq!(decoded.object["data"], json!({"a": "2"}));
    assert_eq!(
        decoded.warnings,
        [
            "line 2: key \"a\" already set in map",
            "unknown field \"foo\""
        ]
    );

    let refused = read_as(MediaType::Yaml, b"data: {a: 1}").unwrap_err();
    assert_eq!(
        refused.message,
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: \
         json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    );
    let refused = read_as(MediaType::Yaml, b"kind: [").unwrap_err();
    assert!(
        refused
            .message
            .contains("(must be of type ConfigMap): yaml: line 1: ")
    );
}

#[test]
fn anchors_do_not_fill_the_memory() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        yaml.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert_eq!(
        read_as(MediaType::Yaml, yaml.as_bytes()).unwrap_err().code,
        400
    );
}

#[test]
fn protobuf_is_read_by_the_numbers_of_fields() {
    let envelope = |raw: &[u8]| {
        let mut body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12".to_vec();
        body.push(u8::try_from(raw.len()).unwrap());
        body.extend(raw);
        body
    };
    let whole =
        envelope(b"\x0a\x0b\x0a\x01x\x42\x06\x08\x80\xa3\x05\x10\x00\x12\x06\x0a\x01a\x12\x01b");
    let decoded = read_as(MediaType::Protobuf, &whole).unwrap();
    let created = "1970-01-02T00:00:00Z";
    assert_eq!(
        decoded.object,
        json!({"metadata": {"name": "x", "creationTimestamp": created}, "data": {"a": "b"}})
    );
    let shared = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: ";
    let unrecognized = "the object provided is unrecognized (must be of type ConfigMap): ";
    for (body, message) in [
        (envelope(b"\x0a\xff"), format!("{shared}unexpected EOF")),
        (envelope(b"\x0a\x05"), format!("{shared}unexpected EOF")),
        (
            envelope(b"\x08\x01"),
            format!("{shared}proto: wrong wireType = 0 for field ObjectMeta"),
        ),
        (
            envelope(b"\x0f\x01"),
            format!("{shared}proto: wrong wireType = 7 for field ObjectMeta"),
        ),
        (
            envelope(b"\x07\x01"),
            format!("{shared}proto: ConfigMap: illegal tag 0 (wire type 7)"),
        ),
        (b"".to_vec(), format!("{unrecognized}empty data (<empty>)")),
        (
            b"k8s\0".to_vec(),
            format!("{unrecognized}empty body (6b387300)"),
        ),
        (
            b"k8s\0\xff".to_vec(),
            format!("{unrecognized}unexpected EOF (6b387300ff)"),
        ),
        (
            b"{\"a\":1}".to_vec(),
            format!(
                "{unrecognized}provided data does not appear to be a protobuf message, \
             expected prefix [107 56 115 0] ({{\"a\":1}})"
            ),
        ),
    ] {
        assert_eq!(
            read_as(MediaType::Protobuf, &body).unwrap_err().message,
            message
        );
    }
}

#[test]
fn options_of_a_deletion_are_those_of_any_group() {
    let read = |body: &str| delete_options(MediaType::Json, body.as_bytes());
    assert!(read(r#"{"foo": 1}"#).is_ok());
    assert!(read(r#"{"kind": "DeleteOptions", "apiVersion": "apps/v1"}"#).is_ok());
    for (body, message) in [
        (
            r#"{"kind": "Foo"}"#,
            "no kind \"Foo\" is registered for version \"meta.k8s.io/v1\" in scheme \"pkg/runtime/scheme.go:111\"",
        ),
        (
            r#"{"preconditions": {"uid": 5}}"#,
            "json: cannot unmarshal number into Go struct field Preconditions.preconditions.uid of type types.UID",
        ),
        (
            "{",
            "couldn't get version/kind; json parse error: unexpected end of JSON input",
        ),
    ] {
        assert_eq!(read(body).unwrap_err().message, message);
    }
}
