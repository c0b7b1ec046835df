//! Owners as `managedFields` has them.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{Claim, Owner, Owners, Role};
use crate::fields::Set;

// === impl Owners ===

impl Owners {
    /// Reads the entries of an object.
    pub(crate) fn from_json(entries: &[Value]) -> Result<Self, String> {
        let mut claims = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            let api_version = text("apiVersion");
            let role = match entry["operation"].as_str() {
                Some("Apply") => Role::Apply,
                Some("Update") => Role::Update(api_version.clone()),
                _ => return Err("operation must be `Apply` or `Update`".to_owned()),
            };
            if api_version.is_empty() {
                return Err("apiVersion must not be empty".to_owned());
            }
            match entry["fieldsType"].as_str() {
                Some("FieldsV1") => {}
                None | Some("") => {
                    return Err(format!(
                        "missing fieldsType in managed fields entry {index}"
                    ));
                }
                Some(other) => {
                    return Err(format!(
                        "invalid fieldsType {other:?} in managed fields entry {index}"
                    ));
                }
            }
            let owner = Owner {
                manager: text("manager"),
                role,
                subresource: text("subresource"),
            };
            let claim = Claim {
                api_version,
                time: entry["time"].as_str().map(str::to_owned),
                fields: Arc::new(Set::from_json(&entry["fieldsV1"])?),
            };
            claims.insert(owner, claim);
        }
        Ok(Self { claims })
    }

    /// The owners of a stored object.
    pub(crate) fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array();
        let entries = entries.map_or(&[][..], Vec::as_slice);
        Self::from_json(entries).unwrap_or_default()
    }

    /// The entries for an object: appliers first, and those that changed something earlier before others.
    ///
    /// `known` are the owners that the entries `written` were made of; what is unchanged is taken from there.
    pub(crate) fn to_json(&self, known: &Self, written: Option<&Value>) -> Value {
        let mut claims: Vec<_> = self.claims.iter().collect();
        claims.sort_by(|(one, its), (two, others)| {
            let applies = |owner: &Owner| owner.role != Role::Apply;
            let time = |claim: &Claim| claim.time.clone().unwrap_or_default();
            applies(one)
                .cmp(&applies(two))
                .then_with(|| time(its).cmp(&time(others)))
                .then_with(|| one.manager.cmp(&two.manager))
                .then_with(|| its.api_version.cmp(&others.api_version))
                .then_with(|| one.subresource.cmp(&two.subresource))
        });
        let entries = claims.into_iter().map(|(owner, claim)| {
            let fields = known
                .claims
                .get(owner)
                .filter(|old| Arc::ptr_eq(&old.fields, &claim.fields))
                .and_then(|_| owner.entry_in(written?)?.get("fieldsV1"));
            let fields = fields.cloned();
            owner.entry(claim, fields.unwrap_or_else(|| claim.fields.to_json()))
        });
        entries.collect()
    }
}

// === impl Owner ===

impl Owner {
    fn entry(&self, claim: &Claim, fields: Value) -> Value {
        let operation = match self.role {
            Role::Apply => "Apply",
            Role::Update(_) => "Update",
        };
        let mut entry = Map::new();
        let texts = [
            ("manager", self.manager.as_str()),
            ("operation", operation),
            ("apiVersion", &claim.api_version),
            ("time", claim.time.as_deref().unwrap_or_default()),
            ("fieldsType", "FieldsV1"),
            ("subresource", &self.subresource),
        ];
        for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
            entry.insert(name.to_owned(), json!(text));
        }
        entry.insert("fieldsV1".to_owned(), fields);
        Value::Object(entry)
    }

    /// The entry of this owner.
    fn entry_in<'a>(&self, entries: &'a Value) -> Option<&'a Value> {
        let mut entries = entries.as_array()?.iter();
        entries.find(|entry| {
            let is = |field: &str, text: &str| entry[field].as_str().unwrap_or_default() == text;
            let in_role = match &self.role {
                Role::Apply => is("operation", "Apply"),
                Role::Update(version) => is("operation", "Update") && is("apiVersion", version),
            };
            in_role && is("manager", &self.manager) && is("subresource", &self.subresource)
        })
    }
}
