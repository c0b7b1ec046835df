//! The rules for volumes.

use std::collections::HashSet;

use crate::{
    rules::{at::At, names},
    status::FieldError,
};

/// The kinds of volumes whose details are looked at, in the order in which the API server goes through them.
const KINDS: [&str; 29] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "azureDisk",
    "portworxVolume",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
];

/// The names of the volumes that are right, and what is wrong with the others.
pub(super) fn check<'a>(list: &At<'a>) -> (HashSet<&'a str>, Vec<FieldError>) {
    let mut errors = Vec::new();
    let mut known = HashSet::new();
    for volume in list.items() {
        let mut wrong = source(&volume);
        let name = volume.field("name");
        if name.text().is_empty() {
            wrong.push(name.required(""));
        } else {
            wrong.extend(name.misformed(names::label(name.text())));
        }
        if known.contains(name.text()) {
            wrong.push(name.duplicate());
        }
        if wrong.is_empty() {
            known.insert(name.text());
        }
        errors.extend(wrong);
    }
    (known, errors)
}

/// What a volume holds: exactly one thing.
fn source(volume: &At<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut count = 0;
    for kind in KINDS.into_iter().chain(["image"]) {
        let source = volume.field(kind);
        if !source.is_set() {
            continue;
        }
        count += 1;
        if count > 1 {
            errors.push(source.forbidden("may not specify more than 1 volume type"));
            continue;
        }
        let needed: &[&str] = match kind {
            "hostPath" => &["path"],
            "secret" => &["secretName"],
            "configMap" => &["name"],
            "persistentVolumeClaim" => &["claimName"],
            "nfs" => &["server", "path"],
            "csi" => &["driver"],
            _ => &[],
        };
        for field in needed {
            let field = source.field(field);
            if field.text().is_empty() {
                errors.push(field.required(""));
            }
        }
        let mode = source.field("defaultMode");
        if mode.is_set() && !(0..=0o777).contains(&mode.number()) {
            let why = "must be a number between 0 and 0777 (octal), both inclusive";
            errors.push(mode.invalid(why));
        }
    }
    if count == 0 {
        errors.push(volume.required("must specify a volume type"));
    }
    errors
}
