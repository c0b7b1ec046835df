use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::{body::Incoming, server, service};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::health::Health;
use crate::{
    clock::{Clock, Moment, TokioClock},
    guard::{FencingToken, NotOwner, NotOwnerReason, fenced_client},
    transport::Transport,
};

const SECOND: Duration = Duration::from_secs(1);

/// A server that upgrades every connection and sends back what it hears.
#[derive(Clone, Default)]
struct Echo {
    requests: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<u8>>>,
    closed: Arc<AtomicUsize>,
}

/// A caller's side of a fenced connection to an echo.
struct Call {
    echo: Echo,
    guard: Guard,
    clock: Arc<TokioClock>,
    connection: TokioIo<hyper::upgrade::Upgraded>,
}

// === impl Echo ===

impl Echo {
    async fn serve(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let answer = move |request: Request<Incoming>| {
            self.requests.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(self.clone().echo(hyper::upgrade::on(request)));
            let response = Response::builder()
                .status(101)
                .header(header::CONNECTION, "upgrade")
                .header(header::UPGRADE, "echo")
                .body(Empty::<Bytes>::new());
            std::future::ready(response)
        };
        server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), service::service_fn(answer))
            .with_upgrades()
            .await
            .unwrap();
    }

    async fn echo(self, connection: OnUpgrade) {
        let mut connection = TokioIo::new(connection.await.unwrap());
        let mut bytes = [0; 16];
        while let Ok(count @ 1..) = connection.read(&mut bytes).await {
            self.heard.lock().unwrap().extend(&bytes[..count]);
            if connection.write_all(&bytes[..count]).await.is_err() {
                break;
            }
        }
        self.closed.fetch_add(1, Ordering::SeqCst);
    }

    /// Connections that exist in memory, so that time can be paused.
    fn transport(&self) -> Transport {
        let echo = self.clone();
        let send = move |request: Request<Body>| {
            let (here, there) = io::duplex(1024);
            tokio::spawn(echo.clone().serve(there));
            async move {
                let (mut sender, connection) = http1::handshake(TokioIo::new(here)).await?;
                tokio::spawn(connection.with_upgrades());
                sender.send_request(request).await
            }
        };
        Transport::of_service(tower::service_fn(send), "default".to_owned())
    }

    fn heard(&self) -> String {
        String::from_utf8(self.heard.lock().unwrap().clone()).unwrap()
    }

    fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

fn exec() -> Request<Body> {
    Request::builder()
        .uri("/api/v1/namespaces/default/pods/a/exec?command=sh")
        .header(header::HOST, "member")
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "echo")
        .body(Body::empty())
        .unwrap()
}

// === impl Call ===

impl Call {
    /// A connection that is permitted for ten seconds.
    async fn begin() -> Self {
        let echo = Echo::default();
        let clock = Arc::new(TokioClock::new());
        let guard = Guard::new("zoo".parse().unwrap(), clock.clone());
        guard.permit(clock.now() + 10 * SECOND, FencingToken(7));
        let engaged = guard.engagement();
        let client = fenced_client(echo.transport(), engaged.clone(), Health::new());
        Self {
            echo,
            guard: engaged,
            clock,
            connection: upgraded(&client).await,
        }
    }

    async fn says(&mut self, text: &str) {
        exchange(&mut self.connection, text).await;
    }

    /// When the caller finds the connection closed.
    async fn closes(&mut self) -> Moment {
        let mut byte = [0];
        let read = tokio::time::timeout(60 * SECOND, self.connection.read(&mut byte));
        assert_eq!(read.await.expect("it stays open").unwrap(), 0);
        self.clock.now()
    }

    /// Nothing that the caller says now is heard.
    async fn stays_cut(mut self) {
        let heard = self.echo.heard();
        let _ = self.connection.write_all(b"too late").await;
        tokio::time::sleep(SECOND).await;
        assert_eq!(self.echo.heard(), heard);
        assert_eq!(self.echo.closed(), 1, "the server sees the end");
    }
}

async fn upgraded(client: &Client) -> TokioIo<hyper::upgrade::Upgraded> {
    let response = client.send(exec()).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()[header::UPGRADE], "echo");
    TokioIo::new(hyper::upgrade::on(response).await.unwrap())
}

/// Says `text`, and hears it come back meanwhile.
async fn exchange(connection: &mut TokioIo<hyper::upgrade::Upgraded>, text: &str) {
    let (mut hears, mut says) = io::split(connection);
    let mut back = vec![0; text.len()];
    let exchanged = tokio::try_join!(says.write_all(text.as_bytes()), hears.read_exact(&mut back));
    exchanged.unwrap();
    assert_eq!(back, text.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn bytes_go_both_ways_while_permitted() {
    let mut call = Call::begin().await;
    let start = call.clock.now();
    let long = "more than the buffers hold ".repeat(10_000);
    for text in ["hello", "zoo", &long] {
        call.says(text).await;
    }
    assert_eq!(call.echo.heard(), format!("hellozoo{long}"));
    assert_eq!(call.clock.now(), start, "without a pause");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_cut_at_the_deadline() {
    let mut call = Call::begin().await;
    let start = call.clock.now();
    call.says("hello").await;
    let after = call.closes().await.since(start);
    assert!(after >= 10 * SECOND && after < 11 * SECOND, "{after:?}");
    assert_eq!(call.guard.last_unanswered_write(), Some(call.clock.now()));
    call.stays_cut().await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_keeps_it_open_beyond_the_old_deadline() {
    let mut call = Call::begin().await;
    let start = call.clock.now();
    tokio::time::sleep(5 * SECOND).await;
    call.guard.permit(start + 30 * SECOND, FencingToken(7));
    tokio::time::sleep(15 * SECOND).await;
    call.says("still here").await;
    let after = call.closes().await.since(start);
    assert!(after >= 30 * SECOND && after < 31 * SECOND, "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_after_the_cut_does_not_bring_it_back() {
    let mut call = Call::begin().await;
    let cut = call.closes().await;
    call.guard.permit(cut + 30 * SECOND, FencingToken(7));
    call.stays_cut().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_cut_when_the_guard_is_revoked() {
    let mut call = Call::begin().await;
    call.says("hello").await;
    let revoked = call.clock.now();
    call.guard.revoke();
    assert_eq!(call.closes().await, revoked);
    assert_eq!(call.guard.last_unanswered_write(), Some(revoked));
    call.stays_cut().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_cut_at_the_end_of_its_engagement_only() {
    let mut call = Call::begin().await;
    let other = call.guard.engagement();
    other.end();
    call.says("not mine").await;
    let ended = call.clock.now();
    call.guard.end();
    assert_eq!(call.closes().await, ended);
    call.stays_cut().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_connection_is_a_write_in_flight_and_a_closed_one_is_answered() {
    let mut call = Call::begin().await;
    call.says("hello").await;
    assert_eq!(call.guard.last_unanswered_write(), Some(call.clock.now()));
    call.connection.shutdown().await.unwrap();
    call.closes().await;
    tokio::time::sleep(SECOND).await;
    assert_eq!(call.guard.last_unanswered_write(), None);
    assert_eq!(call.echo.closed(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_closes_it() {
    let call = Call::begin().await;
    drop(call.connection);
    tokio::time::sleep(SECOND).await;
    assert_eq!(call.echo.closed(), 1);
    // One that never takes the connection over, too.
    let client = fenced_client(call.echo.transport(), call.guard.clone(), Health::new());
    drop(client.send(exec()).await.unwrap());
    tokio::time::sleep(SECOND).await;
    assert_eq!(call.echo.closed(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_without_permission_is_not_sent() {
    let (echo, clock) = (Echo::default(), Arc::new(TokioClock::new()));
    let guard = Guard::new("zoo".parse().unwrap(), clock);
    let client = fenced_client(echo.transport(), guard, Health::new());
    let Err(kube::Error::Service(error)) = client.send(exec()).await else {
        panic!("not refused")
    };
    let refusal = error.downcast_ref::<NotOwner>().unwrap();
    assert_eq!(refusal.reason, NotOwnerReason::DeadlinePassed);
    assert_eq!(echo.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn connections_of_kubes_own_client_are_cut_too() {
    let echo = Echo::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serves = echo.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serves.clone().serve(stream));
        }
    });
    let uri = format!("http://{address}").parse().unwrap();
    let builder = ClientBuilder::try_from(Config::new(uri)).unwrap();
    let base = Transport::of_builder(builder);
    let guard = Guard::unfenced("zoo".parse().unwrap());
    let mut connection = upgraded(&fenced_client(base, guard.clone(), Health::new())).await;
    exchange(&mut connection, "hello").await;
    guard.revoke();
    let closed = tokio::time::timeout(10 * SECOND, connection.read(&mut [0; 16])).await;
    assert_eq!(closed.unwrap().unwrap(), 0);
    assert_eq!(echo.heard(), "hello");
}
