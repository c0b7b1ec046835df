//! A member cluster: a kube-apiserver with certificates, users and objects of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt};
use rustix::process::Signal;
use serde_json::json;

use crate::fleet::{
    backend::{ADMIN, connect, inline_kubeconfig, kubeconfig},
    control_plane::ControlPlane,
    eventually::eventually,
    rights::{self, ACCOUNT, Account, Rights},
};

/// The namespace of the account with which the fleet works here.
const NAMESPACE: &str = "fleet";

/// How long kube-apiserver goes on to take a token that it has taken before.
const TOKEN_CACHE: Duration = Duration::from_secs(10);

/// A running member; killed when dropped.
pub(crate) struct Member {
    /// A client past everything that is tested.
    pub(crate) admin: Client,
    plane: ControlPlane,
}

/// What permits to work on a member until it is revoked.
pub(crate) struct Credentials {
    /// A kubeconfig with everything inline.
    pub(crate) kubeconfig: String,
    token: String,
    /// The Secret that the token is bound to, in the member.
    bound_to: String,
}

// === impl Member ===

impl Member {
    /// Starts the API servers of members on the etcd of `hub`, all at once, and waits until each has an account.
    pub(crate) async fn start(hub: &ControlPlane, folder: &Path, names: &[&str]) -> Vec<Self> {
        let planes: Vec<_> = names
            .iter()
            .map(|name| {
                let folder = folder.join(name);
                fs::create_dir(&folder).expect("the folder takes folders");
                hub.start_beside(&folder, &[ADMIN], &format!("/{name}"))
            })
            .collect();
        let mut members = Vec::new();
        for mut plane in planes {
            plane.certified().await;
            let admin = kubeconfig(&plane.url, Some(&plane.ca), &ADMIN.token());
            let admin = connect(&admin).await;
            plane.ready(&admin).await;
            let rights = Rights::new(&[], &[("", "configmaps", "get list watch")]);
            Account::create(&admin, NAMESPACE.to_owned(), &rights).await;
            members.push(Self { admin, plane });
        }
        members
    }

    /// A file for `kubectl`, with all rights.
    pub(crate) fn admin_kubeconfig(&self, folder: &Path) -> PathBuf {
        let port = self.plane.url.rsplit(':').next().unwrap_or_default();
        let path = folder.join(format!("member-{port}.kubeconfig"));
        let kubeconfig = kubeconfig(&self.plane.url, Some(&self.plane.ca), &ADMIN.token());
        fs::write(&path, kubeconfig.to_string()).expect("the folder takes files");
        path
    }

    /// New credentials beside those that there are.
    pub(crate) async fn issue(&self, name: &str) -> Credentials {
        let secret = serde_json::from_value(json!({"metadata": {"name": name}}));
        let secret: Secret = secret.expect("a Secret");
        let secret = self.secrets().create(&Default::default(), &secret).await;
        let uid = secret.expect("create a Secret").uid();
        let bound = json!({"apiVersion": "v1", "kind": "Secret", "name": name, "uid": uid});
        let token = rights::token(&self.admin, NAMESPACE, ACCOUNT, Some(bound)).await;
        Credentials {
            kubeconfig: inline_kubeconfig(&self.plane.url, &self.plane.ca, &token),
            token,
            bound_to: name.to_owned(),
        }
    }

    /// Revokes credentials, and waits until they are refused.
    pub(crate) async fn revoke(&self, credentials: &Credentials) {
        let secrets = self.secrets();
        let revoked = secrets
            .delete(&credentials.bound_to, &Default::default())
            .await;
        revoked.expect("delete a Secret");
        let plane = &self.plane;
        let client = connect(&kubeconfig(&plane.url, Some(&plane.ca), &credentials.token)).await;
        refused(&client).await;
    }

    /// From now on it takes connections and answers nothing.
    pub(crate) fn suspend(&self) {
        self.plane.signal_api_server(Signal::STOP);
    }

    /// The end of [`suspend`](Self::suspend).
    pub(crate) fn resume(&self) {
        self.plane.signal_api_server(Signal::CONT);
    }

    /// Cuts all connections and refuses new ones; its objects stay.
    pub(crate) fn kill(&mut self) {
        self.plane.kill_api_server();
    }

    /// The end of [`kill`](Self::kill), when it is ready.
    pub(crate) async fn start_again(&mut self) {
        self.plane.start_api_server();
        self.plane.ready(&self.admin).await;
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.admin.clone(), NAMESPACE)
    }
}

/// Waits until the credentials of a client are refused.
pub(crate) async fn refused(client: &Client) {
    let what = "the revoked token is refused";
    eventually(2 * TOKEN_CACHE, what, async || {
        match client.apiserver_version().await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
