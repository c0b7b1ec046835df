//! Digests of what a connection to a context would use.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
};

use multicluster::{
    BoxError,
    kube::config::{AuthInfo, Cluster, Context, Kubeconfig},
};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use super::load::read_bytes;

/// The clusters and users of a kubeconfig by name; of two with one name, the first is used.
pub(super) struct Entries<'a> {
    clusters: HashMap<&'a str, &'a Cluster>,
    users: HashMap<&'a str, &'a AuthInfo>,
    /// Whether files may be read at all.
    may_read: bool,
    /// The digests of the files that were read; `None` of those that cannot be.
    files: BTreeMap<PathBuf, Option<u64>>,
}

// === impl Entries ===

impl<'a> Entries<'a> {
    /// Those of `kubeconfig`, whose paths are absolute.
    pub(super) fn new(kubeconfig: &'a Kubeconfig, may_read: bool) -> Self {
        let (mut clusters, mut users) = (HashMap::new(), HashMap::new());
        for named in &kubeconfig.clusters {
            if let Some(cluster) = &named.cluster {
                clusters.entry(&*named.name).or_insert(cluster);
            }
        }
        for named in &kubeconfig.auth_infos {
            if let Some(user) = &named.auth_info {
                users.entry(&*named.name).or_insert(user);
            }
        }
        Self {
            clusters,
            users,
            may_read,
            files: BTreeMap::new(),
        }
    }

    /// What a connection to `context` would use: equal bytes mean an equal connection.
    ///
    /// Files with certificates and keys are read for it where that is allowed; else nobody connects with them. A file with a
    /// token is not: the client follows it itself.
    pub(super) fn bytes(&mut self, context: &Context) -> Result<Vec<u8>, BoxError> {
        let cluster = *self.clusters.get(&*context.cluster).ok_or_else(|| {
            format!(
                "it names the cluster {:?}, which is not in the file",
                context.cluster
            )
        })?;
        let nobody = AuthInfo::default();
        let user = match context.user.as_deref() {
            None | Some("") => &nobody,
            Some(user) => *self
                .users
                .get(user)
                .ok_or_else(|| format!("it names the user {user:?}, which is not in the file"))?,
        };
        let mut digests = Vec::new();
        for (field, file) in referenced(cluster, user) {
            if !self.may_read {
                break;
            }
            let digest = self.digest(Path::new(file));
            // The path is not part of the error: whole keys stand there by mistake.
            let digest =
                digest.map_err(|error| format!("it needs the file of {field}: {error}"))?;
            digests.push(digest);
        }
        // Extensions hold notes of tools, except for those of a cluster, which a plugin may see.
        let (mut context, mut user) = (context.clone(), user.clone());
        (context.extensions, user.extensions) = (None, None);
        let mut value =
            json!({"context": context, "cluster": cluster, "user": user, "files": digests});
        value.sort_all_objects();
        Ok(serde_json::to_vec(&value)?)
    }

    /// The files that were read, or that could not be.
    pub(super) fn into_files(self) -> impl Iterator<Item = PathBuf> {
        self.files.into_keys()
    }

    fn digest(&mut self, file: &Path) -> io::Result<u64> {
        if let Some(Some(digest)) = self.files.get(file) {
            return Ok(*digest);
        }
        let digest = read_bytes(file).map(|bytes| xxh3_64(&bytes));
        // One that cannot be read is remembered too: it may appear.
        let known = digest.as_ref().ok().copied();
        self.files.insert(file.to_path_buf(), known);
        digest
    }
}

/// The files that are read when a client is made, with their fields; what stands in the kubeconfig itself goes first.
fn referenced<'a>(
    cluster: &'a Cluster,
    user: &'a AuthInfo,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let authority = match cluster.certificate_authority_data {
        None => cluster.certificate_authority.as_deref(),
        Some(_) => None,
    };
    let certificate = match user.client_certificate_data {
        None => user.client_certificate.as_deref(),
        Some(_) => None,
    };
    let key = match user.client_key_data {
        None => user.client_key.as_deref(),
        Some(_) => None,
    };
    [
        ("certificate-authority", authority),
        ("client-certificate", certificate),
        ("client-key", key),
    ]
    .into_iter()
    .filter_map(|(field, path)| Some((field, path.filter(|path| !path.is_empty())?)))
}
