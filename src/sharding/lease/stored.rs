//! A Lease that can be read whatever people wrote into its times.

use std::borrow::Cow;

use k8s_openapi::{
    api::coordination::v1::Lease,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::Resource;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;

/// A Lease, without the times that cannot be read.
///
/// The API server takes some that no `Timestamp` holds, such as the end of the year 9999. One of them, in any Lease of
/// the namespace, would spoil the whole list, and with it the fail-over of all clusters.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct StoredLease(pub(crate) Lease);

impl<'de> Deserialize<'de> for StoredLease {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(Value::Object(spec)) = value.get_mut("spec") {
            spec.retain(|field, time| {
                !field.ends_with("Time") || MicroTime::deserialize(&*time).is_ok()
            });
        }
        Lease::deserialize(value).map(Self).map_err(Error::custom)
    }
}

impl Resource for StoredLease {
    type DynamicType = <Lease as Resource>::DynamicType;
    type Scope = <Lease as Resource>::Scope;

    fn kind(dt: &Self::DynamicType) -> Cow<'_, str> {
        <Lease as Resource>::kind(dt)
    }

    fn group(dt: &Self::DynamicType) -> Cow<'_, str> {
        <Lease as Resource>::group(dt)
    }

    fn version(dt: &Self::DynamicType) -> Cow<'_, str> {
        <Lease as Resource>::version(dt)
    }

    fn plural(dt: &Self::DynamicType) -> Cow<'_, str> {
        <Lease as Resource>::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_time_that_cannot_be_read_is_left_out() {
        let good = "2025-01-01T00:00:00.000001Z";
        for (time, is_kept) in [(good, true), ("9999-12-31T23:59:59.999999Z", false)] {
            let spec = json!({"holderIdentity": "a", "renewTime": time, "acquireTime": time});
            let lease = json!({"metadata": {"name": "zoo"}, "spec": spec});
            let spec = serde_json::from_value::<StoredLease>(lease)
                .unwrap()
                .0
                .spec
                .unwrap();
            assert_eq!(spec.renew_time.is_some(), is_kept);
            assert_eq!(spec.acquire_time.is_some(), is_kept);
            assert_eq!(spec.holder_identity.as_deref(), Some("a"));
        }
    }
}
