//! Custom resources: kinds that CustomResourceDefinitions declare while the server runs.
//!
//! A definition goes through the rules of [`definition`], the store establishes it and makes its kinds with [`served`].
//! Objects of such a kind lose what their schema does not know, get its defaults, and are checked against it.
//!
//! # Not guaranteed
//! Rules in CEL (`x-kubernetes-validations`), formats and webhooks for conversion have no effect, and unchanged values
//! that a changed schema refuses are refused too.

pub(crate) mod definition;
mod names;
mod prune;
mod served;
mod validate;

use serde_json::Value;

pub(crate) use self::{names::accept, served::kinds};
use crate::status::FieldError;

/// What a definition says about the objects of one version.
#[derive(Debug)]
pub(crate) struct CustomType {
    /// The name of the definition.
    pub definition: String,
    /// `openAPIV3Schema`
    schema: Value,
}

// === impl CustomType ===

impl CustomType {
    /// Drops what the schema does not know, and fills in its defaults; says where the dropped fields were.
    pub(crate) fn admit(&self, object: &mut Value) -> Vec<String> {
        let dropped = prune::prune(&self.schema, object);
        prune::fill(&self.schema, object);
        dropped
    }

    /// What is wrong with an object by its schema.
    pub(crate) fn check(&self, object: &Value) -> Vec<FieldError> {
        validate::check(&self.schema, object)
    }
}
