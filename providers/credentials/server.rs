//! The server of a cluster.

use std::time::Duration;

use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Limited};
use multicluster::{
    Cluster,
    k8s_openapi::apimachinery::pkg::version::Info,
    kube::{self, client::Body, config},
};

use super::error::Error;

/// How long the first answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// How large it may be, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Where a cluster's server is, as `https://host:port`: what errors may say of it.
pub(super) fn address(cluster: &config::Cluster) -> Result<String, Error> {
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
///
/// The answer is read here, since kube would write one that it cannot read into the log, and it may come from anywhere.
pub(super) async fn greet(cluster: &Cluster, address: String) -> Result<(), Error> {
    let request = Request::get("/version").body(Body::empty());
    let request = request.map_err(|_| Error::Interrupted)?;
    let ask = async {
        let answer = cluster.send(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok((status, body))
    };
    let asked: Result<_, kube::Error> = match tokio::time::timeout(LIMIT, ask).await {
        Ok(asked) => asked,
        Err(_) => {
            let limit = LIMIT;
            return Err(Error::Silent { address, limit });
        }
    };
    let (status, body) = match asked {
        Ok(answer) => answer,
        Err(error) => {
            return Err(match Error::of_plugin(&error) {
                Some(reason) => reason,
                None => Error::Unreachable {
                    address,
                    source: error.into(),
                },
            });
        }
    };
    match status {
        StatusCode::OK => {
            let info = body.ok().map(Collected::to_bytes);
            match info.map(|info| serde_json::from_slice::<Info>(&info)) {
                Some(Ok(_)) => Ok(()),
                _ => Err(Error::NotKubernetes { address }),
            }
        }
        // It knows who asks, and that is all that was to be found out.
        StatusCode::FORBIDDEN => Ok(()),
        StatusCode::UNAUTHORIZED => Err(Error::Unauthorized { address }),
        status => {
            let code = status.as_u16();
            Err(Error::Status { address, code })
        }
    }
}
