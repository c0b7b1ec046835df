//! The text of a kubeconfig.

use multicluster::kube::config::{Kubeconfig, KubeconfigError};
use serde::de::IgnoredAny;

use super::error::{Error, Place};

/// Reads a kubeconfig; several YAML documents are merged, as kubectl merges files.
pub(crate) fn parse(text: &[u8]) -> Result<Kubeconfig, Error> {
    let text = std::str::from_utf8(text).map_err(|_| Error::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|error| reason(text, &error))?;
    match kubeconfig.kind.as_deref() {
        None | Some("" | "Config") => Ok(kubeconfig),
        Some(_) => Err(Error::OtherKind),
    }
}

/// What is wrong with the text; kube's error would quote it.
fn reason(text: &str, error: &KubeconfigError) -> Error {
    let KubeconfigError::Parse(error) = error else {
        return Error::Mixed;
    };
    let place = Place::new(error.location().map(|at| (at.line(), at.column())));
    match serde_saphyr::from_multiple::<IgnoredAny>(text) {
        Ok(_) => Error::NotKubeconfig { place },
        Err(_) => Error::NotYaml { place },
    }
}
