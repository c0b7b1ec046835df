use serde_json::json;

use super::*;

fn lease(value: serde_json::Value) -> Lease {
    serde_json::from_value(value).unwrap()
}

#[test]
fn what_is_written_reads_back() {
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Ok::<_, kube::Error>(http::Response::new(kube::client::Body::empty()))
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let client = Client::new(service, "default");
    let api = LeaseApi::new(
        client,
        None,
        "kube-system",
        "mcr-peer",
        Duration::from_secs(1),
    );
    let owner = OwnerReference {
        kind: "Namespace".into(),
        name: "mcr-demo".into(),
        ..OwnerReference::default()
    };
    let api = api.owned_by(Some(owner.clone()));
    let marks = Marks {
        incarnation: Some("nonce".into()),
        renew_time: Some(1_700_000_000_000_001),
        draining: true,
        placement: Some("hrw/v1".into()),
        weight: Some(3),
        cost: Some(Cost::of(1_000)),
        ..Marks::default()
    };
    let content = Content {
        holder: "sharded-namespace-0".into(),
        transitions: 4,
        duration: Duration::from_secs(15),
        renew_time: 1_700_000_000_000_001,
        marks: marks.clone(),
    };
    let foreign = Foreign {
        labels: BTreeMap::from([("team".into(), "a".into())]),
        annotations: BTreeMap::from([("note".into(), "kept".into())]),
    };
    let mut written = api.lease("mcr-peer-sharded-namespace-0", content, foreign.clone());
    written.metadata.uid = Some("u".into());
    written.metadata.resource_version = Some("12".into());
    assert_eq!(
        written.metadata.labels.as_ref().unwrap()["mcr.sigs.k8s.io/peer"],
        "sharded-namespace-0"
    );
    assert_eq!(written.metadata.owner_references, Some(vec![owner]));
    // Through the text form, in which times are rounded.
    let text = serde_json::to_string(&written).unwrap();
    let record = record(&serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(record.incarnation(), Some("nonce"));
    assert_eq!(record.marks, marks);
    assert_eq!(*record.foreign, foreign);
    assert_eq!((record.version, record.transitions), (12, 4));
    assert_eq!(record.holder.as_deref(), Some("sharded-namespace-0"));
}

#[test]
fn nonsense_is_read_as_little() {
    let record = record(&lease(json!({
        "metadata": {"name": "mcr-shard-zoo", "uid": "u", "resourceVersion": "7", "annotations": {
            "multicluster.rs/renew-time": "yesterday", "mcr.sigs.k8s.io/weight": "-1",
            "multicluster.rs/incarnation": "somebody"}},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": -5, "renewTime": "2999-01-01T00:00:00.000000Z"},
    })))
    .unwrap();
    assert_eq!(record.holder, None);
    assert_eq!(record.duration, None);
    assert_eq!(record.marks.weight, None);
    assert_eq!(record.incarnation(), None);
}

#[test]
fn marks_of_another_renewal_do_not_count() {
    // A Go replica renews and keeps annotations that it does not know.
    let record = record(&lease(json!({
        "metadata": {"name": "l", "uid": "u", "resourceVersion": "7", "annotations": {
            "multicluster.rs/incarnation": "nonce",
            "multicluster.rs/renew-time": "2026-01-01T00:00:00.000000Z"}},
        "spec": {"holderIdentity": "a", "renewTime": "2026-01-01T00:00:10.000000Z"},
    })))
    .unwrap();
    assert_eq!(record.incarnation(), None);
}

#[test]
fn failures_say_whether_the_write_may_have_happened() {
    let api =
        |code, reason| kube::Error::Api(Status::failure("no", reason).with_code(code).boxed());
    let lost = || kube::Error::Service("connection reset".into());
    assert_eq!(answer("", "get", &api(404, "NotFound")), Answer::NotFound);
    assert_eq!(
        answer("", "update", &api(409, "Conflict")),
        Answer::Conflict
    );
    assert_eq!(
        answer("", "create", &api(409, "AlreadyExists")),
        Answer::AlreadyExists
    );
    assert_eq!(
        answer("", "update", &api(429, "TooManyRequests")),
        Answer::Throttled(None)
    );
    assert!(matches!(
        answer("", "create", &api(404, "NotFound")),
        Answer::Refused(_)
    ));
    assert!(matches!(
        answer("", "update", &api(403, "Forbidden")),
        Answer::Refused(_)
    ));
    assert!(matches!(
        answer("", "update", &api(500, "InternalError")),
        Answer::Unknown(_)
    ));
    assert!(matches!(answer("", "update", &lost()), Answer::Unknown(_)));
}
