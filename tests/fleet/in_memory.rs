//! The API server in memory, on a port that it keeps.

use kube_sandbox::{Sandbox, Server};

use super::port::Port;

/// A sandbox whose server can be cut off and started again.
#[derive(Debug)]
pub(crate) struct InMemory {
    sandbox: Sandbox,
    server: Option<Server>,
    port: Port,
}

// === impl InMemory ===

impl InMemory {
    pub(crate) fn start() -> Self {
        let mut this = Self {
            sandbox: Sandbox::new(),
            server: None,
            port: Port::reserve(),
        };
        this.start_again();
        this
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Cuts all connections and refuses new ones; what is stored stays.
    pub(crate) fn kill(&mut self) {
        self.server = None;
    }

    pub(crate) fn start_again(&mut self) {
        let server = self.sandbox.serve(self.port.listen());
        self.server = Some(server.expect("a server"));
    }
}
