//! An object as it is kept.

use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::{meta, ownership::Owners};

/// One state of an object, with its JSON text, which all readers share.
///
/// Neither has `apiVersion` and `kind`: they depend on the path that asks, and lists leave them out of their items.
#[derive(Debug)]
pub(crate) struct Object {
    value: Value,
    json: String,
    /// Read when somebody asks.
    owners: OnceLock<Arc<Owners>>,
}

// === impl Object ===

impl Object {
    pub(crate) fn new(value: Value) -> Self {
        let json = value.to_string();
        Self {
            value,
            json,
            owners: OnceLock::new(),
        }
    }

    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Who owns its fields.
    pub(crate) fn owners(&self) -> &Arc<Owners> {
        self.owners
            .get_or_init(|| Arc::new(Owners::of(&self.value)))
    }

    /// Keeps the owners, which nobody has to read then.
    pub(super) fn remember(&self, owners: Arc<Owners>) {
        // Whoever reads them first reads the same.
        let _ = self.owners.set(owners);
    }

    /// The JSON object; it is never empty, as there is metadata.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    /// The same state under another version.
    pub(crate) fn at(&self, version: u64) -> Self {
        let mut value = self.value.clone();
        meta::set(&mut value, "resourceVersion", version.to_string());
        Self::new(value)
    }
}
