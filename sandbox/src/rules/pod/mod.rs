//! Pods, and the templates of Pods.

mod admission;
mod containers;
mod defaults;
mod environment;
mod probes;
mod resources;
mod scheduling;
mod spec;
mod update;
mod volumes;

use serde_json::Value;

use super::at::At;
use crate::status::FieldError;

pub(crate) use self::{
    admission::{admit_pod, prepare_pod},
    defaults::{default_pod, default_spec},
    probes::port as check_port,
    spec::check as check_spec,
};

pub(crate) fn validate_pod(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = At::root(new).field("spec");
    let mut errors = spec::check(&spec);
    for list in ["containers", "initContainers"] {
        for container in spec.field(list).items() {
            let image = container.field("image");
            if image.text().trim() != image.text() {
                errors.push(image.invalid("must not have leading or trailing whitespace"));
            }
        }
    }
    let Some(old) = old else {
        let ephemeral = spec.field("ephemeralContainers");
        if ephemeral.len() > 0 {
            errors.push(ephemeral.forbidden("cannot be set on create"));
        }
        let node = spec.field("nodeName");
        if !node.text().is_empty() && spec.field("schedulingGates").len() > 0 {
            let why = "cannot be set until all schedulingGates have been cleared";
            errors.push(node.forbidden(why));
        }
        return errors;
    };
    errors.extend(update::check(&spec, &At::root(old).field("spec")));
    errors
}
