//! A port of loopback that a server can leave and come back to.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// A free port, kept from everybody who does not set `SO_REUSEPORT`, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    addr: SocketAddr,
    /// Bound, and never listening: the system refuses connections while no server is there.
    _reserved: TcpSocket,
}

// === impl Port ===

impl Port {
    pub(crate) fn reserve() -> Self {
        let reserved = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let addr = reserved.local_addr().expect("it is bound");
        Self {
            addr,
            _reserved: reserved,
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.addr.port()
    }

    /// A server's socket on this port.
    pub(crate) fn listen(&self) -> TcpListener {
        socket(self.addr).listen(1024).expect("the port is ours")
    }
}

fn socket(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("SO_REUSEPORT");
    socket.bind(addr).expect("a port");
    socket
}
