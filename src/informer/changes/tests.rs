use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};

use super::*;

fn object(name: &str, version: &str) -> Result<ConfigMap, Invalid> {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.into());
    object.metadata.namespace = Some("default".into());
    object.metadata.resource_version = Some(version.into());
    object.metadata.managed_fields = Some(Vec::new());
    Ok(object)
}

fn invalid(name: &str) -> Result<ConfigMap, Invalid> {
    let text =
        format!(r#"{{"metadata": {{"name": "{name}", "namespace": "default"}}, "data": 1}}"#);
    let guard: kube::core::DeserializeGuard<ConfigMap> = serde_json::from_str(&text).unwrap();
    assert!(guard.0.is_err());
    guard.0.map_err(Invalid::from)
}

/// Plays events, and writes down what comes of them.
fn play(
    changes: &mut Changes<ConfigMap>,
    events: impl IntoIterator<Item = Shown<ConfigMap>>,
) -> Vec<String> {
    let mut said = Vec::new();
    for event in events {
        let taken = changes.take_in(event);
        said.extend(taken.invalid.map(|invalid| format!("? {}", invalid.key)));
        let gone = taken.gone.into_iter().flatten();
        said.extend(taken.replaced.map(|event| describe(&event)));
        let events = taken.event.into_iter().chain(gone);
        let mut events: Vec<_> = events.map(|event| describe(&event)).collect();
        events.sort();
        said.extend(events);
    }
    said
}

fn describe(event: &ObjectEvent<ConfigMap>) -> String {
    let version = |object: &ConfigMap| {
        format!(
            "{} {}",
            object.name_any(),
            object.resource_version().unwrap()
        )
    };
    match event {
        ObjectEvent::Created { object, initial } => {
            format!("{} {}", if *initial { "=" } else { "+" }, version(object))
        }
        ObjectEvent::Updated { old, object } => {
            format!(
                "~ {} <- {}",
                version(object),
                old.resource_version().unwrap()
            )
        }
        ObjectEvent::Deleted { object } => format!("- {}", version(object)),
    }
}

#[test]
fn a_list_after_a_gap_tells_what_has_changed_and_nothing_else() {
    let mut changes = Changes::new(None);
    let first = ["a", "b", "c"].map(|name| InitApply(object(name, "1")));
    let said = play(
        &mut changes,
        [Init].into_iter().chain(first).chain([InitDone]),
    );
    assert_eq!(said, ["= a 1", "= b 1", "= c 1"]);
    let second = [
        Init,
        InitApply(object("b", "1")),
        InitApply(object("c", "2")),
        InitApply(object("d", "3")),
        InitDone,
    ];
    assert_eq!(play(&mut changes, second), ["~ c 2 <- 1", "+ d 3", "- a 1"]);
    assert_eq!(changes.objects().len(), 3);
}

#[test]
fn a_list_that_breaks_off_deletes_nothing() {
    let mut changes = Changes::new(None);
    play(
        &mut changes,
        [
            Init,
            InitApply(object("a", "1")),
            InitApply(object("b", "1")),
            InitDone,
        ],
    );
    assert!(play(&mut changes, [Init, InitApply(object("b", "1"))]).is_empty());
    let said = play(&mut changes, [Init, InitApply(object("a", "1")), InitDone]);
    assert_eq!(said, ["- b 1"]);
}

#[test]
fn changes_tell_the_old_state_and_deletions_the_last() {
    let mut changes = Changes::new(None);
    let events = [
        Init,
        InitDone,
        Apply(object("a", "1")),
        Apply(object("a", "2")),
        Delete(object("a", "3")),
    ];
    assert_eq!(play(&mut changes, events), ["+ a 1", "~ a 2 <- 1", "- a 3"]);
    assert!(changes.objects().is_empty());
}

#[test]
fn an_object_that_cannot_be_decoded_hides_no_other_and_keeps_its_last_state() {
    let mut changes = Changes::new(None);
    play(&mut changes, [Init, InitApply(object("a", "1")), InitDone]);
    assert_eq!(
        play(&mut changes, [Apply(invalid("a")), Apply(invalid("b"))]),
        ["? default/a", "? default/b"]
    );
    let list = [
        Init,
        InitApply(invalid("a")),
        InitApply(object("c", "4")),
        InitDone,
    ];
    assert_eq!(play(&mut changes, list), ["? default/a", "+ c 4"]);
    assert_eq!(play(&mut changes, [Delete(invalid("a"))]), ["- a 1"]);
}

#[test]
fn who_changed_what_is_not_kept_nor_what_a_transformation_drops() {
    let drop_labels: Transform<ConfigMap> = Arc::new(|object| object.metadata.labels = None);
    let mut changes = Changes::new(Some(drop_labels));
    let mut labelled = object("a", "1").unwrap();
    labelled.metadata.labels = Some([("a".into(), "b".into())].into());
    play(&mut changes, [Apply(Ok(labelled))]);
    let kept = changes.objects().list().remove(0);
    assert_eq!(
        (&kept.metadata.labels, &kept.metadata.managed_fields),
        (&None, &None)
    );
}

#[test]
fn an_object_that_was_made_again_in_a_gap_is_another_one() {
    let of = |uid: &str, version| {
        object("a", version).map(|mut object| {
            object.metadata.uid = Some(uid.into());
            object
        })
    };
    let mut changes = Changes::new(None);
    let said = play(
        &mut changes,
        [
            Init,
            InitApply(of("one", "1")),
            InitDone,
            Init,
            InitApply(of("two", "5")),
            InitDone,
            Apply(of("two", "6")),
        ],
    );
    assert_eq!(said, ["= a 1", "- a 1", "+ a 5", "~ a 6 <- 5"]);
}

#[test]
fn a_deletion_is_told_although_the_transformation_panics() {
    let picky = |object: &mut ConfigMap| assert_ne!(object.resource_version().unwrap(), "2");
    let mut changes = Changes::new(Some(Arc::new(picky)));
    let said = play(
        &mut changes,
        [
            Init,
            InitApply(object("a", "1")),
            InitDone,
            Delete(object("a", "2")),
        ],
    );
    assert_eq!(said, ["= a 1", "- a 1"]);
}
