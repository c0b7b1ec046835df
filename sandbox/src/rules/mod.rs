//! What single kinds fill in and refuse, and the rules for metadata that all kinds share.
//!
//! Each kind has up to three functions: `default_..` fills in what a client may leave out, `prepare_..` what the server
//! decides, and `validate_..` says what is wrong with the result. All of them are pure.

mod amount;
mod at;
mod budget;
mod config;
mod deployment;
mod event;
mod fill;
mod lease;
mod metadata;
pub(crate) mod names;
mod namespace;
mod node;
mod pod;
mod quantity;
mod rbac;
mod selection;
mod service;
mod stateful_set;
mod workload;

pub(crate) use self::{
    at::At,
    budget::{prepare_budget, validate_budget},
    config::{default_secret, validate_config_map, validate_secret},
    deployment::{default_deployment, prepare_deployment, validate_deployment},
    event::{validate_event, validate_event_v1},
    lease::{prepare_lease, validate_lease},
    metadata::{MetadataRules, Repeats},
    names::NameForm,
    namespace::{default_namespace, prepare_namespace, validate_namespace},
    node::prepare_node,
    pod::{admit_pod, default_pod, prepare_pod, validate_pod},
    rbac::{
        default_binding, prepare_role, validate_cluster_role, validate_cluster_role_binding,
        validate_role, validate_role_binding,
    },
    service::{claim_addresses, default_service, prepare_service, validate_service},
    stateful_set::{
        default_stateful_set, prepare_stateful_set, validate_controller_revision,
        validate_stateful_set,
    },
};
