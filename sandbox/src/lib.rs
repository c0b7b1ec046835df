//! A Kubernetes API server in memory, for tests and demos of controllers.
//!
//! A [`Sandbox`] answers the requests of a real [`kube::Client`]: in the same process without a socket, so that paused
//! tokio time works, or over loopback HTTP, so that `kubectl` and other programs can join.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::{Api, api::PostParams};
//! use kube_sandbox::Sandbox;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> kube::Result<()> {
//! let sandbox = Sandbox::new();
//! let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
//!
//! let mut elephant = ConfigMap::default();
//! elephant.metadata.name = Some("elephant".to_owned());
//! let created = maps.create(&PostParams::default(), &elephant).await?;
//! assert!(created.metadata.uid.is_some());
//!
//! // A write against an old version is refused, as by a real server.
//! elephant.metadata.resource_version = Some("1".to_owned());
//! let refused = maps.replace("elephant", &PostParams::default(), &elephant).await;
//! assert!(matches!(refused, Err(kube::Error::Api(status)) if status.is_conflict()));
//! # Ok(())
//! # }
//! ```
//!
//! # What is served
//! - Kinds: Namespace, Node, Pod, Service, ServiceAccount, ConfigMap, Secret, Event (`v1` and `events.k8s.io/v1`), Lease,
//!   StatefulSet, Deployment, ControllerRevision, PodDisruptionBudget, the RBAC kinds and CustomResourceDefinition.
//! - Verbs: get, list, watch, create, update, patch (JSON, merge and strategic merge patch), delete, deletecollection; dry runs.
//! - The subresources `status`, with generations that count changes of the spec, `scale`, `pods/log` (see
//!   [`ContainerLogs`]), `pods/eviction`, `serviceaccounts/token` and `finalize` of namespaces.
//! - Custom resources: definitions with several versions (all with the same fields), schemas that prune, default and check,
//!   subresources, columns. Rules in CEL, formats and webhooks for conversion have no effect.
//! - What kube-apiserver fills in and refuses for these kinds, with the same fields, reasons and texts: defaults, immutable
//!   fields, addresses of Services, classes of quality and priorities of Pods.
//! - Server-side apply: structured merge by the types of the kind, conflicts, force, removal of what is no longer applied;
//!   `managedFields` on every write.
//! - Label selectors, and the field selectors of each kind.
//! - Tables, with the columns of `kubectl get`; those of custom resources come from their definitions.
//! - Watches from any version that is still kept, bookmarks, streaming lists, `410 Gone`; see [`SandboxBuilder::history`].
//! - Lists in pages, and of any version that is still kept.
//! - Deletion with finalizers, grace periods of Pods and propagation policies. Dependents go with their owners, and
//!   namespaces with their contents, as the controllers of a cluster see to it: see [`SandboxBuilder::controllers`].
//! - The types of Kubernetes: unknown and doubled fields as `fieldValidation` says, with the warnings of a real server.
//! - Users with their rights: the token of a service account is held to the stored roles and bindings, other tokens are
//!   administrators; impersonation, and the reviews that `kubectl auth` asks for. See [`Sandbox::client_for`].
//! - Discovery in both forms, with subresources and groups in the order of kube-apiserver, metadata-only replies, and OpenAPI v3.
//!   The document of OpenAPI v2 is empty: kubectl leaves to the server what it would check by it.
//! - Bodies in JSON, YAML and protobuf; answers in JSON.
//!
//! # What is exact
//! One counter numbers all writes. A watch delivers each event after its version once and in order, and nothing is lost
//! between a list and the watch that follows it. Answers are those of kube-apiserver 1.36, which the tests ask the same
//! things; see [what differs](#what-differs-from-kube-apiserver).
//!
//! # What can go wrong
//! [`Faults`] stands between clients and the server: delayed, lost, held and refused requests, lost replies, broken and
//! silent watches, outages, and a store that is down while lists go on. Its rules select requests by verb, kind, name and
//! user, come and go at run time, and are reproducible from a seed.
//!
//! # What is missing
//! - Admission beyond namespaces, quotas, expiry of Events.
//! - Of the rules for Pods: affinity, topology spread, host aliases, DNS settings, system calls of the kernel, Windows,
//!   claims of devices, and the details of most kinds of volumes; what a refused change of a Pod says about the difference
//!   are the names of the fields. PriorityClasses are the two that every cluster has. Warnings about Pods are not given.
//! - Second addresses of Services, and the rules for load balancers. There is no Service `kubernetes`.
//! - An apply to a `scale` subresource (415), and the owners of fields that change their names between two groups (Events).
#![doc = include_str!("docs/differences.md")]

/// The snippet of the README is compiled and run too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod apply;
mod auth;
mod clock;
mod continuation;
mod custom;
mod decode;
mod deletion;
mod discovery;
mod faults;
mod fields;
mod kinds;
mod label_selector;
mod logs;
mod manifests;
mod meta;
mod openapi;
mod ownership;
mod patch;
mod path;
mod query;
mod reply;
mod request;
mod rules;
mod sandbox;
// The first users are on their way.
#[allow(dead_code)]
mod schema;
mod selector;
mod server;
mod service;
mod status;
mod store;
mod subresources;
mod table;
mod view;
mod warnings;
mod watch;

pub use self::{
    faults::{ApiCall, End, Fault, Faults, Faulty, Outage, Rule, RuleId, StoreDown, Verb},
    logs::{ContainerLog, ContainerLogs, LogLine, LogSource},
    manifests::ManifestError,
    sandbox::{Body, Sandbox, SandboxBuilder},
    server::Server,
};
