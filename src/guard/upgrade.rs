//! Upgraded connections that end with the permission: exec, attach, port-forward.
//!
//! After an upgrade no request passes the client any more: the caller talks to the member cluster over a bare connection.
//! So the guard stands in the middle of it. The caller gets one end of a pipe in memory, a task carries bytes between its
//! other end and the real connection, and the guard is asked before every poll of that task.
//!
//! # Guarantees
//! No byte is carried without permission. A cut connection looks to the caller like one that its server closed; for the
//! release of the fence it is a write that got no answer, as long as it is open too.
//!
//! # Not guaranteed
//! - A process that was started by exec lives on in its container after the cut.
//! - When the caller goes away, the server is told that nothing follows; one that does not close then keeps the connection
//!   until the cut.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Empty;
use hyper::{client::conn::http1, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{self, AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::Guard;
use crate::error::BoxError;

/// How many bytes each direction holds when the other side is slow.
const BUFFER: usize = 64 * 1024;

/// The end of a request's head.
const HEAD_END: &[u8] = b"\r\n\r\n";

const ACCEPT: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: pipe\r\n\r\n";

/// Puts `guard` into the middle of the connection that `response` upgrades, if it does.
pub(super) async fn guarded<B>(
    mut response: Response<B>,
    guard: &Guard,
) -> Result<Response<B>, BoxError> {
    if let Some(connection) = response.extensions_mut().remove::<OnUpgrade>() {
        let write = guard.begin_write();
        let (callers, ours) = pipe().await?;
        response.extensions_mut().insert(callers);
        let guard = guard.clone();
        tokio::spawn(async move {
            let carried = guard.run(carry(connection, ours)).await;
            if matches!(carried, Ok(Ok(()))) {
                write.answered();
            }
        });
    }
    Ok(response)
}

/// Carries bytes both ways until both sides have closed.
async fn carry(connection: OnUpgrade, mut pipe: DuplexStream) -> Result<(), BoxError> {
    let mut connection = TokioIo::new(connection.await?);
    io::copy_bidirectional_with_sizes(&mut connection, &mut pipe, BUFFER, BUFFER).await?;
    Ok(())
}

/// A pipe in memory, one end of which is an upgraded connection.
///
/// Only a connection of hyper's own can be one, so hyper asks for an upgrade over the pipe, and is granted it.
async fn pipe() -> Result<(OnUpgrade, DuplexStream), BoxError> {
    let (theirs, mut ours) = io::duplex(BUFFER);
    let (mut sender, connection) = http1::handshake(TokioIo::new(theirs)).await?;
    let request = Request::builder()
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "pipe")
        .body(Empty::<Bytes>::new())?;
    let asked = async { Ok::<_, BoxError>(sender.send_request(request).await?) };
    let granted = async { Ok(grant(&mut ours).await?) };
    let carried = async { Ok(connection.with_upgrades().await?) };
    let (response, (), ()) = tokio::try_join!(asked, granted, carried)?;
    Ok((hyper::upgrade::on(response), ours))
}

/// Reads a request's head, and answers that its connection is upgraded.
async fn grant(pipe: &mut DuplexStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(HEAD_END) {
        head.push(pipe.read_u8().await?);
    }
    pipe.write_all(ACCEPT).await
}

#[cfg(test)]
mod tests;
