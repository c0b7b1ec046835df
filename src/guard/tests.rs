use http::{Request, Response};
use kube::{Client, client::Body};
use tower::service_fn;

use super::*;
use crate::clock::TokioClock;
use crate::health::Health;

fn name() -> ClusterName {
    "zoo".parse().unwrap()
}

/// A guard that permits work for ten seconds of paused time.
fn permitted() -> (Guard, Arc<TokioClock>) {
    let clock = Arc::new(TokioClock::new());
    let guard = Guard::new(name(), clock.clone());
    guard.permit(clock.now() + Duration::from_secs(10), FencingToken(7));
    (guard, clock)
}

/// A client whose requests are answered after `delay`.
fn slow_client(delay: Duration) -> Client {
    let service = service_fn(move |_: Request<Body>| async move {
        tokio::time::sleep(delay).await;
        Ok::<_, kube::Error>(Response::new(Body::empty()))
    });
    Client::new(service, "default")
}

fn request(method: &str) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri("/api/v1/namespaces/default/configmaps/a")
        .body(Body::empty())
        .unwrap()
}

fn reason(result: Result<Response<Body>, kube::Error>) -> Option<NotOwnerReason> {
    match result {
        Err(kube::Error::Service(error)) => error
            .downcast_ref::<NotOwner>()
            .map(|refusal| refusal.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_dropped_at_the_deadline() {
    let (guard, clock) = permitted();
    let start = clock.now();
    let result = guard.run(std::future::pending::<()>()).await;
    assert_eq!(result.unwrap_err().reason, NotOwnerReason::DeadlinePassed);
    assert!(clock.now().since(start) >= Duration::from_secs(10));
    assert!(clock.now().since(start) < Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_moves_the_deadline_of_running_work() {
    let (guard, clock) = permitted();
    let work = guard.run(tokio::time::sleep(Duration::from_secs(15)));
    let renewal = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        guard.permit(clock.now() + Duration::from_secs(20), FencingToken(7));
    };
    let (result, ()) = tokio::join!(work, renewal);
    assert_eq!(result, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_with_a_renewal_and_a_revocation_never_does() {
    let (guard, clock) = permitted();
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(guard.check().is_err());
    let again = guard.permitted();
    let renewal = async {
        guard.permit(clock.now() + Duration::from_secs(10), FencingToken(7));
    };
    assert_eq!(tokio::join!(again, renewal).0, Ok(()));

    guard.revoke();
    guard.permit(clock.now() + Duration::from_secs(10), FencingToken(7));
    assert_eq!(
        guard.permitted().await.unwrap_err().reason,
        NotOwnerReason::Revoked
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_is_refused_after_the_deadline_and_a_read_is_not() {
    let (guard, _) = permitted();
    let client = fenced_client(slow_client(Duration::ZERO), guard.clone(), Health::new());
    assert!(client.send(request("PUT")).await.is_ok());
    tokio::time::advance(Duration::from_secs(10)).await;
    let refused = client.send(request("PUT")).await;
    assert_eq!(reason(refused), Some(NotOwnerReason::DeadlinePassed));
    assert!(client.send(request("GET")).await.is_ok());
    guard.end();
    let ended = client.send(request("GET")).await;
    assert_eq!(reason(ended), Some(NotOwnerReason::Ended));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_counts_as_a_write() {
    let (guard, _) = permitted();
    let client = fenced_client(slow_client(Duration::ZERO), guard, Health::new());
    tokio::time::advance(Duration::from_secs(10)).await;
    let mut exec = request("GET");
    exec.headers_mut()
        .insert("upgrade", "websocket".parse().unwrap());
    assert!(reason(client.send(exec).await).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_write_in_flight_is_given_up_at_the_deadline_and_remembered() {
    let (guard, clock) = permitted();
    let client = fenced_client(
        slow_client(Duration::from_secs(60)),
        guard.clone(),
        Health::new(),
    );
    assert_eq!(guard.last_unanswered_write(), None);
    let result = client.send(request("PATCH")).await;
    assert_eq!(reason(result), Some(NotOwnerReason::DeadlinePassed));
    assert_eq!(guard.last_unanswered_write(), Some(clock.now()));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_write_counts_as_unanswered() {
    let (guard, clock) = permitted();
    let client = fenced_client(
        slow_client(Duration::from_secs(5)),
        guard.clone(),
        Health::new(),
    );
    let write = client.send(request("POST"));
    let gave_up = tokio::time::timeout(Duration::from_secs(1), write).await;
    assert!(gave_up.is_err());
    assert_eq!(guard.last_unanswered_write(), Some(clock.now()));
}
