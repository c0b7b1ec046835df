//! Why a kubeconfig cannot be used.

use std::{error::Error as StdError, fmt, io, time::Duration};

use multicluster::{
    BoxError,
    kube::{self, client::AuthError, config::Cluster, config::KubeconfigError},
};
use thiserror::Error;

use super::material::authority_is_readable;

/// Why a kubeconfig cannot be used; the message says what to change, and quotes nothing but names.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("the kubeconfig is not UTF-8 text")]
    NotUtf8,
    #[error("the kubeconfig is not YAML{place}")]
    NotYaml { place: Place },
    #[error("the text is YAML, but no kubeconfig{place}")]
    NotKubeconfig { place: Place },
    #[error("the text is an object of another kind than Config, so no kubeconfig")]
    OtherKind,
    #[error("the kubeconfig's documents differ in kind or apiVersion")]
    Mixed,

    #[error("the kubeconfig has no context")]
    NoContext,
    #[error(
        "the kubeconfig has several contexts and no current-context: set it to one of {contexts}"
    )]
    NoCurrentContext { contexts: Names },
    #[error("the kubeconfig has no context {context}; it has {contexts}")]
    UnknownContext { context: Name, contexts: Names },
    #[error("context {context} is for the cluster {cluster}, which the kubeconfig does not have")]
    UnknownCluster { context: Name, cluster: Name },
    #[error("context {context} is for the user {user}, whom the kubeconfig does not have")]
    UnknownUser { context: Name, user: Name },

    #[error("{field} is refused, since it {why}: {instead}, or allow it (Allowed)")]
    Refused {
        field: &'static str,
        why: &'static str,
        instead: &'static str,
    },

    #[error("the cluster's server {reason}")]
    Server { reason: &'static str },
    #[error("{field} is not base64")]
    Base64 { field: &'static str },
    #[error("{field} holds no PEM text of the kind that belongs there")]
    Pem { field: &'static str },
    #[error("{field} holds a certificate that cannot be read")]
    Certificate { field: &'static str },
    #[error("the client certificate expired at {since}")]
    Expired { since: String },
    #[error("the client certificate is not valid before {from}")]
    NotYetValid { from: String },
    #[error("{field} is missing: a client certificate needs its key, and the key its certificate")]
    Missing { field: &'static str },
    #[error("client-key-data is encrypted: store the key without a passphrase")]
    EncryptedKey,
    #[error("the user's token holds characters that no HTTP header may hold, as a line break")]
    Token,
    #[error(
        "the user's name or password, or whom it impersonates, cannot be sent in an HTTP header"
    )]
    Header,
    #[error("proxy-url is no URL of a proxy that this program can use")]
    Proxy,
    #[error("this program was built without TLS (a feature of kube), so it can reach http only")]
    NoTls,
    #[error("the client certificate and its key cannot be used: do they belong together?")]
    Identity,
    #[error("the kubeconfig cannot be used")]
    Unusable,

    #[error("cannot read the file of {field}")]
    File {
        field: &'static str,
        source: io::Error,
    },
    #[error("the file of {field} is larger than 1 MiB")]
    LargeFile { field: &'static str },

    #[error("the plugin cannot be started")]
    PluginStart { source: io::Error },
    #[error("the plugin failed ({status})")]
    PluginFailed { status: std::process::ExitStatus },
    #[error("the plugin or the auth-provider gave no credentials that can be used")]
    NoCredentials,
    #[error("the plugin did not end within {limit:?}")]
    PluginTimeout { limit: Duration },
    #[error("too many plugins hang, so no other is started")]
    HungPlugins,
    #[error("interrupted")]
    Interrupted,

    #[error("cannot reach {address}")]
    Unreachable { address: String, source: BoxError },
    #[error("{address} did not answer within {limit:?}")]
    Silent { address: String, limit: Duration },
    #[error("{address} does not accept the credentials (401)")]
    Unauthorized { address: String },
    #[error("{address} answered the request for its version with HTTP status {code}")]
    Status { address: String, code: u16 },
    #[error("what answers at {address} is no Kubernetes API server")]
    NotKubernetes { address: String },
}

/// Where in a text, if that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Option<(u64, u64)>);

/// A name, cut to a printable length.
pub(crate) struct Name(String);

/// A few names of a list.
pub(crate) struct Names {
    first: Vec<Name>,
    more: usize,
}

// === impl Error ===

impl Error {
    /// Why kube does not take a kubeconfig whose parts were checked before.
    pub(super) fn of_config(error: &KubeconfigError) -> Self {
        match error {
            KubeconfigError::ParseProxyUrl(_) => Self::Proxy,
            KubeconfigError::LoadCertificateAuthority(_)
            | KubeconfigError::ParseCertificates(_) => Self::Pem {
                field: "certificate-authority-data",
            },
            _ => Self::Unusable,
        }
    }

    /// Why kube makes no client of a config.
    pub(super) fn of_client(error: &kube::Error, cluster: &Cluster) -> Self {
        if let Some(reason) = Self::of_plugin(error) {
            return reason;
        }
        let authority = cluster.certificate_authority_data.as_deref();
        match error {
            kube::Error::ProxyProtocolUnsupported { .. }
            | kube::Error::ProxyProtocolDisabled { .. } => Self::Proxy,
            kube::Error::TlsRequired => Self::NoTls,
            kube::Error::HttpError(_) => Self::Header,
            // What remains are those of the TLS libraries, which the program chooses.
            _ if authority_is_readable(authority) => Self::Identity,
            _ => Self::Certificate {
                field: "certificate-authority-data",
            },
        }
    }

    /// What went wrong with a plugin or with a header of credentials, if that is the error's cause. kube's own error
    /// holds all that the plugin printed.
    pub(super) fn of_plugin(error: &kube::Error) -> Option<Self> {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<AuthError>() {
                return Some(Self::of_auth(error));
            }
            next = error.source();
        }
        None
    }

    fn of_auth(error: &AuthError) -> Self {
        match error {
            AuthError::InvalidBasicAuth(_) => Self::Header,
            AuthError::InvalidBearerToken(_) => Self::Token,
            AuthError::AuthExecStart(error) => Self::PluginStart {
                source: error.kind().into(),
            },
            AuthError::AuthExecRun { out, .. } => Self::PluginFailed { status: out.status },
            AuthError::ReadTokenFile(error, _) => Self::File {
                field: "tokenFile",
                source: error.kind().into(),
            },
            _ => Self::NoCredentials,
        }
    }
}

// === impl Place ===

impl Place {
    /// A line and a column, from 1.
    pub(super) fn new(place: Option<(u64, u64)>) -> Self {
        Self(place.filter(|(line, _)| *line > 0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

// === impl Name ===

impl Name {
    pub(super) fn new(name: &str) -> Self {
        Self(name.chars().take(64).collect())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

// === impl Names ===

impl Names {
    pub(super) fn new<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> Self {
        let more = names.len().saturating_sub(8);
        let first = names.take(8).map(|name| Name::new(name)).collect();
        Self { first, more }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.first.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
