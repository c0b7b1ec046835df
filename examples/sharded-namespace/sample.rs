//! The sample data: a zoo, a jungle and an island with their animals.

use multicluster::{
    Error,
    k8s_openapi::api::core::v1::{ConfigMap, Namespace},
    kube::{Api, Client, api::PostParams},
};

const ANIMALS: [(&str, &[&str]); 4] = [
    ("zoo", &["elephant", "lion"]),
    ("jungle", &["monkey"]),
    ("island", &["bird"]),
    ("mcr-demo", &[]),
];

/// Creates the Namespaces and their ConfigMaps.
pub(crate) async fn load(client: &Client) -> Result<(), Error> {
    let params = PostParams::default();
    for (namespace, animals) in ANIMALS {
        let mut object = Namespace::default();
        object.metadata.name = Some(namespace.to_owned());
        Api::all(client.clone())
            .create(&params, &object)
            .await
            .map_err(|error| Error::api(format!("create the Namespace {namespace}"), error))?;
        for animal in animals {
            let mut object = ConfigMap::default();
            object.metadata.name = Some((*animal).to_owned());
            Api::namespaced(client.clone(), namespace)
                .create(&params, &object)
                .await
                .map_err(|error| Error::api(format!("create the ConfigMap {animal}"), error))?;
        }
    }
    Ok(())
}
