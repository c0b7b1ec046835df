//! `kube-sandbox [ADDR]`: serves an empty cluster on `ADDR` (a free port of the loopback unless told otherwise) and
//! prints its URL.

use kube_sandbox::Sandbox;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let addr = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = tokio::net::TcpListener::bind(addr).await?;
    let server = Sandbox::new().serve(listener)?;
    println!("{}", server.url());
    std::future::pending().await
}
