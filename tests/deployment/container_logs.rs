//! A kubelet's end of `kubectl logs`: kube-apiserver asks it over TLS for `/containerLogs/NAMESPACE/POD/CONTAINER`.

use std::{convert::Infallible, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::kubelet::Logs;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A server of logs; it ends when this is dropped.
pub(crate) struct ContainerLogs {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

/// What somebody wants to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    follow: bool,
    previous: bool,
    tail: Option<usize>,
    since: Option<Duration>,
}

// === impl ContainerLogs ===

impl ContainerLogs {
    /// Serves `logs` on loopback with the certificate of the API server, which trusts every kubelet.
    pub(crate) async fn serve(logs: Logs, certificate: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        let tls = TlsAcceptor::from(Arc::new(config(certificate)));
        let task = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    continue;
                };
                tokio::spawn(connection(socket, tls.clone(), logs.clone()));
            }
        });
        Self { addr, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }
}

impl Drop for ContainerLogs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Wanted ===

impl Wanted {
    fn parse(query: &str) -> Self {
        let mut wanted = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match key {
                "follow" => wanted.follow = value == "true",
                "previous" => wanted.previous = value == "true",
                "tailLines" => wanted.tail = value.parse().ok(),
                "sinceSeconds" => wanted.since = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
        wanted
    }

    /// The body of the answer: whole lines, of those that are written and of those that will be.
    fn body(
        self,
        past: Vec<(Timestamp, Arc<str>)>,
        later: impl Stream<Item = String> + Send + 'static,
    ) -> Body {
        let oldest = self.since.map(|since| Timestamp::now() - since);
        let young = |time: &Timestamp| oldest.is_none_or(|oldest| *time >= oldest);
        let skipped = self.tail.map_or(0, |tail| past.len().saturating_sub(tail));
        let shown = past.into_iter().skip(skipped);
        let shown = text(shown.filter(|(time, _)| young(time)));
        if !self.follow {
            return Full::from(shown).boxed_unsync();
        }
        let all = stream::once(async { shown }).chain(later);
        StreamBody::new(all.map(|text| Ok(Frame::data(Bytes::from(text))))).boxed_unsync()
    }
}

fn text(lines: impl IntoIterator<Item = (Timestamp, Arc<str>)>) -> String {
    let lines = lines.into_iter();
    lines.map(|(_, line)| format!("{line}\n")).collect()
}

async fn connection(socket: tokio::net::TcpStream, tls: TlsAcceptor, logs: Logs) {
    // Whoever does not speak TLS, or leaves, is no concern of the others.
    let Ok(stream) = tls.accept(socket).await else {
        return;
    };
    let service = service_fn(|request| {
        let answer = answer(&request, &logs);
        async { Ok::<_, Infallible>(answer) }
    });
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(request: &Request<Incoming>, logs: &Logs) -> Response<Body> {
    let parts: Vec<_> = request.uri().path().split('/').collect();
    let wanted = Wanted::parse(request.uri().query().unwrap_or_default());
    let instance = match parts[..] {
        ["", "containerLogs", namespace, pod, container] => {
            logs.get(namespace, pod, container, wanted.previous)
        }
        _ => None,
    };
    let Some(instance) = instance else {
        let mut none = Response::new(Full::from("no such container").boxed_unsync());
        *none.status_mut() = StatusCode::NOT_FOUND;
        return none;
    };
    let (past, next, _) = instance.after(0);
    let later = stream::unfold(next, move |from| {
        let instance = instance.clone();
        async move {
            let (lines, next) = instance.next(from).await?;
            Some((text(lines), next))
        }
    });
    Response::new(wanted.body(past, later))
}

fn config(certificate: &Path) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(certificate).expect("a certificate");
    let chain: Result<Vec<_>, _> = chain.collect();
    let key = PrivateKeyDer::from_pem_file(certificate.with_extension("key")).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocols")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key)
        .expect("the key is the certificate's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_kubectl_logs_are_read() {
        let wanted = Wanted::parse("follow=true&sinceSeconds=100&tailLines=3&stream=All");
        let expected = Wanted {
            follow: true,
            previous: false,
            tail: Some(3),
            since: Some(Duration::from_secs(100)),
        };
        assert_eq!(wanted, expected);
        assert_eq!(Wanted::parse(""), Wanted::default());
    }
}
