//! What clients can rely on: one program, since each test program is linked with all of kube.

mod api;
mod apply;
mod binding;
mod clients;
mod custom_resources;
mod deletion;
mod evictions;
mod faults;
mod logs;
mod manifests;
mod network;
mod paging;
mod reads;
mod rights;
mod rules;
mod scale;
mod status;
#[path = "../support/mod.rs"]
mod support;
mod tables;
mod tokens;
mod watches;
