//! The network between a provider and its server.

use std::{net::SocketAddr, sync::Mutex};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

use crate::fleet::port::Port;

/// A way to a server that can be cut; it ends when dropped.
pub(crate) struct Link {
    port: Port,
    server: SocketAddr,
    open: Mutex<Option<Open>>,
}

struct Open {
    /// Dropped to close it.
    _end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

// === impl Link ===

impl Link {
    /// A way to the server of a URL such as `https://127.0.0.1:6443`.
    pub(crate) fn to(url: &str) -> Self {
        let server = url.strip_prefix("https://").expect("it has TLS");
        let link = Self {
            port: Port::reserve(),
            server: server.parse().expect("an address and a port"),
            open: Mutex::new(None),
        };
        link.restore();
        link
    }

    /// What replaces the server's URL; its certificates are for the address, whatever the port.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port.number())
    }

    /// Closes all connections and refuses new ones; returns when that is done.
    pub(crate) async fn cut(&self) {
        let open = self.open.lock().unwrap().take();
        if let Some(Open { _end: end, task }) = open {
            drop(end);
            task.await.expect("it ends");
        }
    }

    /// Takes connections again.
    pub(crate) fn restore(&self) {
        let (end, ended) = oneshot::channel();
        let task = tokio::spawn(forward(self.port.listen(), self.server, ended));
        *self.open.lock().unwrap() = Some(Open { _end: end, task });
    }
}

/// Forwards connections until the other end of `ended` is dropped.
async fn forward(listener: TcpListener, server: SocketAddr, mut ended: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut ended => break,
            Some(_) = connections.join_next() => {}
            Ok((mut near, _)) = listener.accept() => {
                connections.spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        // How a connection ends is the business of those who use it.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        }
    }
    drop(listener);
    connections.shutdown().await;
}
