//! The one context of a kubeconfig that is used.

use std::fmt;

use multicluster::kube::config::{
    AuthInfo, Cluster, Context, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, NamedAuthInfo,
    NamedCluster, NamedContext,
};

use super::error::{Error, Name, Names};

/// What a context stands for; the rest of the kubeconfig is dropped, so that what was checked is all there is.
pub(super) struct Access {
    name: String,
    context: Context,
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
}

// === impl Access ===

impl Access {
    /// The access of `context`, or of the current one.
    pub(super) fn pick(kubeconfig: Kubeconfig, context: Option<&str>) -> Result<Self, Error> {
        let names = || Names::new(kubeconfig.contexts.iter().map(|context| &context.name));
        let current = kubeconfig.current_context.as_deref();
        let wanted = context.or(current).filter(|name| !name.is_empty());
        let name = match (wanted, kubeconfig.contexts.as_slice()) {
            (_, []) => return Err(Error::NoContext),
            (Some(wanted), _) => wanted.to_owned(),
            (None, [only]) => only.name.clone(),
            (None, _) => return Err(Error::NoCurrentContext { contexts: names() }),
        };
        let known = kubeconfig
            .contexts
            .iter()
            .find(|context| context.name == name);
        let Some(context) = known.and_then(|known| known.context.clone()) else {
            return Err(Error::UnknownContext {
                context: Name::new(&name),
                contexts: names(),
            });
        };
        let cluster = kubeconfig
            .clusters
            .into_iter()
            .find(|cluster| cluster.name == context.cluster)
            .and_then(|cluster| cluster.cluster)
            .ok_or_else(|| Error::UnknownCluster {
                context: Name::new(&name),
                cluster: Name::new(&context.cluster),
            })?;
        let user = match context.user.as_deref().filter(|user| !user.is_empty()) {
            None => AuthInfo::default(),
            Some(user) => kubeconfig
                .auth_infos
                .into_iter()
                .find(|known| known.name == user)
                .ok_or_else(|| Error::UnknownUser {
                    context: Name::new(&name),
                    user: Name::new(user),
                })?
                .auth_info
                .unwrap_or_default(),
        };
        Ok(Self {
            name,
            context,
            cluster,
            user,
        })
    }

    /// Whether making a client runs programs, on the thread that makes it.
    pub(super) fn runs_programs(&self) -> bool {
        self.user.exec.is_some() || self.user.auth_provider.is_some()
    }

    /// Whether it names files of this machine.
    pub(super) fn reads_files(&self) -> bool {
        self.cluster.certificate_authority.is_some()
            || self.user.client_certificate.is_some()
            || self.user.client_key.is_some()
            || self.user.token_file.is_some()
    }

    /// A kubeconfig with this access alone; its plugins do not ask anybody.
    pub(super) fn into_kubeconfig(mut self) -> (Kubeconfig, KubeConfigOptions) {
        if let Some(exec) = &mut self.user.exec {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        let options = KubeConfigOptions {
            context: Some(self.name.clone()),
            ..KubeConfigOptions::default()
        };
        let mut kubeconfig = Kubeconfig::default();
        if let Some(user) = self.context.user.clone() {
            kubeconfig.auth_infos.push(NamedAuthInfo {
                name: user,
                auth_info: Some(self.user),
                ..NamedAuthInfo::default()
            });
        }
        kubeconfig.clusters.push(NamedCluster {
            name: self.context.cluster.clone(),
            cluster: Some(self.cluster),
            ..NamedCluster::default()
        });
        kubeconfig.contexts.push(NamedContext {
            name: self.name,
            context: Some(self.context),
            ..NamedContext::default()
        });
        (kubeconfig, options)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("context", &self.name)
            .finish_non_exhaustive()
    }
}
