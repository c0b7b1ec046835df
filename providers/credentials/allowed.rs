//! What a kubeconfig may contain.

use super::{access::Access, error::Error};

/// What a kubeconfig may contain beside credentials that stand in it; by default nothing.
///
/// Whoever can write a kubeconfig that the program reads can do what is allowed here. The kubeconfig of a Secret that
/// others write should be allowed nothing; that of a file which the operator's own administrator wrote may be allowed
/// everything.
///
/// ```
/// use multicluster::providers::Allowed;
///
/// let allowed = Allowed::NOTHING.exec().proxy();
/// assert!(allowed.exec && !allowed.files);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowed {
    /// `exec`: a program that prints credentials. It runs with the rights of this process, off the async threads, a few
    /// at a time, and never interactively.
    pub exec: bool,
    /// `auth-provider`: the older form of plugins, which may run programs too.
    pub auth_provider: bool,
    /// `proxy-url`: a host that all requests pass.
    pub proxy: bool,
    /// `certificate-authority`, `client-certificate`, `client-key`, `tokenFile`: paths of files of this machine, whose
    /// content would be sent to the cluster's server.
    pub files: bool,
    /// `insecure-skip-tls-verify`: anybody between here and the cluster can play its server.
    pub insecure_tls: bool,
}

// === impl Allowed ===

impl Allowed {
    /// Credentials that stand in the kubeconfig, and nothing else.
    pub const NOTHING: Self = Self {
        exec: false,
        auth_provider: false,
        proxy: false,
        files: false,
        insecure_tls: false,
    };

    /// All that kubeconfigs know: for files that a trusted administrator writes.
    pub const EVERYTHING: Self = Self {
        exec: true,
        auth_provider: true,
        proxy: true,
        files: true,
        insecure_tls: true,
    };

    /// Allows `exec`.
    #[must_use]
    pub const fn exec(mut self) -> Self {
        self.exec = true;
        self
    }

    /// Allows `auth-provider`.
    #[must_use]
    pub const fn auth_provider(mut self) -> Self {
        self.auth_provider = true;
        self
    }

    /// Allows `proxy-url`.
    #[must_use]
    pub const fn proxy(mut self) -> Self {
        self.proxy = true;
        self
    }

    /// Allows paths of local files.
    #[must_use]
    pub const fn files(mut self) -> Self {
        self.files = true;
        self
    }

    /// Allows `insecure-skip-tls-verify`.
    #[must_use]
    pub const fn insecure_tls(mut self) -> Self {
        self.insecure_tls = true;
        self
    }

    /// Whether a kubeconfig stays within this.
    pub(super) fn check(self, access: &Access) -> Result<(), Error> {
        let (cluster, user) = (&access.cluster, &access.user);
        let program = "would run a program here";
        let path = "is a path of a local file";
        let data = "put the file's content, in base64, into its -data field";
        let insecure = cluster.insecure_skip_tls_verify == Some(true);
        for (present, allowed, field, why, instead) in [
            (
                user.exec.is_some(),
                self.exec,
                "exec",
                program,
                "use a token or a client certificate",
            ),
            (
                user.auth_provider.is_some(),
                self.auth_provider,
                "auth-provider",
                program,
                "use a token or a client certificate",
            ),
            (
                cluster.proxy_url.is_some(),
                self.proxy,
                "proxy-url",
                "would send all requests through another host",
                "remove it",
            ),
            (
                cluster.certificate_authority.is_some(),
                self.files,
                "certificate-authority",
                path,
                data,
            ),
            (
                user.client_certificate.is_some(),
                self.files,
                "client-certificate",
                path,
                data,
            ),
            (
                user.client_key.is_some(),
                self.files,
                "client-key",
                path,
                data,
            ),
            (
                user.token_file.is_some(),
                self.files,
                "tokenFile",
                path,
                "put the token itself into token",
            ),
            (
                insecure,
                self.insecure_tls,
                "insecure-skip-tls-verify",
                "would trust any server",
                "give the server's certificate authority in certificate-authority-data",
            ),
        ] {
            if present && !allowed {
                return Err(Error::Refused {
                    field,
                    why,
                    instead,
                });
            }
        }
        Ok(())
    }
}
