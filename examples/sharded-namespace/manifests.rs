//! The objects of the demo: those that `kubectl apply -k examples/sharded-namespace/manifests` makes.

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, PostParams},
    core::TypeMeta,
};
use multicluster::Error;
use serde_json::{Value, json};

use crate::cli::{Cli, Failure};

/// What kustomize makes of the folder.
const RENDERED: &str = include_str!("manifests.yaml");

/// Creates all objects, with the number of replicas and the settings of the command line.
pub(crate) async fn deploy(client: &Client, cli: &Cli) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the manifests are wrong: {error}"))
    };
    let objects: Vec<Value> =
        serde_saphyr::from_multiple(RENDERED).map_err(|error| wrong(&error))?;
    for mut value in objects {
        if value["kind"] == "StatefulSet" {
            value["spec"]["replicas"] = cli.replicas().into();
            let args = cli.replica_args();
            if !args.is_empty() {
                value["spec"]["template"]["spec"]["containers"][0]["args"] = json!(args);
            }
        }
        let object: DynamicObject = serde_json::from_value(value).map_err(|error| wrong(&error))?;
        create(client, &object).await?;
    }
    Ok(())
}

async fn create(client: &Client, object: &DynamicObject) -> Result<(), Failure> {
    let types = object.types.clone().unwrap_or_default();
    let resource = resource_of(&types)?;
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let created = api.create(&PostParams::default(), object).await;
    created.map(drop).map_err(|error| {
        let step = format!("create the {} {}", types.kind, object.name_any());
        Failure::from(Error::api(step, error))
    })
}

fn resource_of(types: &TypeMeta) -> Result<ApiResource, Failure> {
    let kind = types.try_into();
    let kind =
        kind.map_err(|error| Failure::failed(format!("the manifests are wrong: {error}")))?;
    Ok(ApiResource::from_gvk(&kind))
}
