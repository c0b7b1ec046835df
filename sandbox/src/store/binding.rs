//! Putting Pods on nodes.

use serde_json::{Value, json};

use super::{Call, Key, Store};
use crate::{meta, status::ApiError};

// === impl Store ===

impl Store {
    /// Puts a Pod on a node; only once, and never a Pod that is on its way out.
    pub(crate) fn bind(
        &mut self,
        call: &Call,
        name: &str,
        node: &str,
        binding: &Value,
    ) -> Result<(), ApiError> {
        let stored = self.get(&call.kind, &call.namespace, name)?;
        let old = stored.value();
        let (asked, uid) = (binding["uid"].as_str(), meta::text(old, "uid"));
        if let Some(asked) = asked.filter(|asked| !asked.is_empty() && *asked != uid) {
            let path = format!("/registry/pods/{}/{name}", call.namespace);
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {path}, ResourceVersion: 0, AdditionalErrorMsg: \
                 Precondition failed: UID in precondition: {asked}, UID in object meta: {uid}"
            );
            return Err(ApiError::conflict(&call.kind, name, &why));
        }
        let refuse = |why: String| Err(ApiError::cannot_bind(name, &why));
        if meta::is_deleting(old) {
            return refuse(format!(
                "pod {name} is being deleted, cannot be assigned to a host"
            ));
        }
        if let Some(place) = old["spec"]["nodeName"]
            .as_str()
            .filter(|place| !place.is_empty())
        {
            return refuse(format!("pod {name} is already assigned to node {place:?}"));
        }
        let mut new = old.clone();
        new["spec"]["nodeName"] = node.into();
        for (key, value) in binding["annotations"].as_object().into_iter().flatten() {
            new["metadata"]["annotations"][key] = value.clone();
        }
        let scheduled = json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": call.now,
        });
        let conditions = new["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let others = conditions
            .into_iter()
            .filter(|condition| condition["type"] != "PodScheduled");
        new["status"]["conditions"] = others.chain([scheduled]).collect();
        if !call.dry_run {
            self.put(&call.kind, &Key::new(&call.namespace, name), new);
        }
        Ok(())
    }
}
