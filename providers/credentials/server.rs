//! The server of a cluster.

use std::time::Duration;

use http::{StatusCode, Uri};
use multicluster::kube::{self, Client, config::Cluster};

use super::error::Error;

/// How long the first answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Where a cluster's server is, as `https://host:port`: what errors may say of it.
pub(super) fn address(cluster: &Cluster) -> Result<String, Error> {
    let wrong = |reason| Error::Server { reason };
    let server = cluster
        .server
        .as_deref()
        .filter(|server| !server.is_empty());
    let server = server.ok_or(wrong("is missing"))?;
    let uri: Uri = server.parse().map_err(|_| wrong("is no URL"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong("is no URL with a scheme, as https://host:6443"));
    };
    if !matches!(scheme, "http" | "https") {
        return Err(wrong("is neither https nor http"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong(
            "holds a user's name: credentials belong to the kubeconfig's user",
        ));
    }
    if uri.query().is_some() {
        return Err(wrong("holds a query"));
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(wrong("has no host"));
    }
    // A port that is no number up to 65535 would be taken for none.
    let port = authority.as_str().strip_prefix(host);
    if port != Some("") && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(wrong("has a port that is no number from 1 to 65535"));
    }
    Ok(format!("{scheme}://{authority}"))
}

/// Asks for the server's version: the first use of address, certificates and credentials.
pub(super) async fn greet(client: &Client, address: String) -> Result<(), Error> {
    let answer = tokio::time::timeout(LIMIT, client.apiserver_version()).await;
    let Ok(answer) = answer else {
        let limit = LIMIT;
        return Err(Error::Silent { address, limit });
    };
    let Err(error) = answer else { return Ok(()) };
    if let Some(reason) = Error::of_plugin(&error) {
        return Err(reason);
    }
    match error {
        kube::Error::Api(status) => match StatusCode::from_u16(status.code) {
            Ok(StatusCode::UNAUTHORIZED) => Err(Error::Unauthorized { address }),
            // It knows who asks, and that is all that was to be found out.
            Ok(StatusCode::FORBIDDEN) => Ok(()),
            _ => Err(Error::Status {
                address,
                code: status.code,
            }),
        },
        // Their messages quote the answer, which may be anything when the address is wrong.
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            Err(Error::NotKubernetes { address })
        }
        error => Err(Error::Unreachable {
            address,
            source: error.into(),
        }),
    }
}
