//! What a replica does when the API server refuses it at run time.

use std::time::Duration;

use kube_sandbox::{Fault, Rule};

use crate::fleet::{Fleet, LEASE, What};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn rights_that_are_taken_away_pause_the_work_until_they_are_given_back() {
    let fleet = Fleet::new(&["zoo"]).await;
    let replica = fleet.start("a");
    let first = What::Reconciled("first".into());
    fleet
        .until(3 * SECOND, "start", async || {
            fleet.noted("zoo", &first) == ["a"]
        })
        .await;
    let forbidden = fleet.faults.add(Rule::new(Fault::Status(403)));
    tokio::time::sleep(LEASE).await;
    // The watch still shows changes; the fence was not renewed, so nobody works on them.
    fleet.create_config_map("zoo", "second").await;
    tokio::time::sleep(600 * SECOND).await;
    let second = What::Reconciled("second".into());
    assert!(fleet.noted("zoo", &second).is_empty());
    assert!(!replica.has_ended(), "refusals are retried for ever");

    fleet.faults.remove(forbidden);
    fleet
        .until(20 * SECOND, "work goes on", async || {
            !fleet.noted("zoo", &second).is_empty()
        })
        .await;
    assert_eq!(
        fleet.noted("zoo", &What::Ended),
        Vec::<String>::new(),
        "the engagement lived on"
    );
    replica.leave().await.unwrap();
}
