//! Clusters that do not answer, and the many that do.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret, Service},
    jiff::{SignedDuration, Timestamp},
};
use kube_sandbox::{Fault, Rule, Verb};
use multicluster::{
    Action, Cluster, ClusterName, Context, Controller, HealthState, Manager, OwnedClusters,
    informer::Watched, providers::FixedProvider,
};
use tokio::time::Instant;

use crate::{
    fleet::Replica,
    local::{Member, SECOND, Seen, config_map, run, secret, until},
};

/// How long the client waits for an answer to begin, and when the patience with a cluster ends.
const REQUEST: Duration = Duration::from_secs(60);

/// Three controllers with a kind each, so that a cluster could be asked three times as often.
fn start(members: &BTreeMap<String, Member>, seen: &Seen) -> (Replica, OwnedClusters) {
    fn other<K: Watched<DynamicType: Default>>(name: &str) -> Controller<K> {
        Seen::default().controller(name)
    }
    let members = members.iter().map(|(name, member)| (name.as_str(), member));
    let members: Vec<_> = members.collect();
    run(&members, |manager| {
        manager
            .with(seen.controller::<ConfigMap>("maps"))
            .with(other::<Secret>("secrets"))
            .with(other::<Service>("services"))
    })
}

async fn members(good: usize, broken: &[(&str, Fault)]) -> BTreeMap<String, Member> {
    let mut members = BTreeMap::new();
    for place in 0..good {
        let member = Member::new();
        member.create(&config_map("first")).await;
        members.insert(format!("good-{place}"), member);
    }
    for (name, fault) in broken {
        let member = Member::new();
        member.create(&config_map("first")).await;
        member.faults.add(Rule::new(fault.clone()));
        members.insert((*name).to_owned(), member);
    }
    members
}

/// When each object was reconciled first, from the start of the run.
fn schedule(seen: &Seen, start: Instant) -> BTreeMap<String, Duration> {
    let mut first = BTreeMap::new();
    for (at, what) in seen.timed() {
        first.entry(what).or_insert(at - start);
    }
    first
}

/// W2, W19, W20: a cluster that hangs, one that answers 500 and one that refuses delay nobody, and are asked seldom.
#[tokio::test(start_paused = true)]
async fn three_broken_clusters_of_a_hundred_delay_nobody_and_are_asked_seldom() {
    let broken = [
        ("hangs", Fault::Hang),
        ("fails", Fault::Status(500)),
        ("refuses", Fault::Disconnect),
    ];
    let without = {
        let members = members(97, &[]).await;
        let (seen, start_of_run) = (Seen::default(), Instant::now());
        let (replica, _) = start(&members, &seen);
        until(30 * SECOND, "all work", || seen.timed().len() >= 97).await;
        drop(replica);
        schedule(&seen, start_of_run)
    };
    let members = members(97, &broken).await;
    let (seen, start_of_run) = (Seen::default(), Instant::now());
    let (_replica, owned) = start(&members, &seen);
    until(30 * SECOND, "all others work", || seen.timed().len() >= 97).await;
    let with = schedule(&seen, start_of_run);
    assert!(with.keys().eq(without.keys()));
    for (what, at) in &with {
        let late = at.saturating_sub(without[what]);
        assert!(late <= SECOND, "{what} is {late:?} late");
    }

    // Live changes in between are as quick as ever.
    tokio::time::sleep((start_of_run + REQUEST).duration_since(Instant::now())).await;
    seen.take();
    let begun = Instant::now();
    for place in 0..97 {
        members[&format!("good-{place}")]
            .create(&config_map("second"))
            .await;
    }
    until(SECOND, "changes", || seen.timed().len() >= 97).await;
    assert!(begun.elapsed() < SECOND);

    let health = owned.health();
    for (name, _) in &broken {
        let member = &members[*name];
        member.faults.forget_calls();
        assert_ne!(health[*name].state, HealthState::Healthy, "{name}");
    }
    assert_eq!(health["fails"].state, HealthState::Unreachable);
    assert_eq!(health["refuses"].state, HealthState::Unreachable);
    assert!(health["fails"].reason.as_deref().unwrap().contains("500"));
    assert_eq!(health["good-0"].state, HealthState::Healthy);
    let minutes = 10;
    tokio::time::sleep(minutes * 60 * SECOND).await;
    for (name, _) in &broken {
        let calls = members[*name].faults.calls().len();
        assert!(calls > 0, "{name} is asked now and then");
        assert!(
            calls < 6 * minutes as usize,
            "{name}: {calls} requests in {minutes} minutes"
        );
    }
    assert_eq!(owned.health()["hangs"].state, HealthState::Unreachable);

    // All of them come back, at the latest when a probe that hangs (10 s) is followed by another one (20 s).
    seen.take();
    for (name, _) in &broken {
        members[*name].faults.clear();
    }
    until(32 * SECOND, "the three are back", || {
        let done = schedule(&seen, start_of_run);
        broken
            .iter()
            .all(|(name, _)| done.contains_key(&format!("{name}/first")))
    })
    .await;
    until(20 * SECOND, "all are healthy", || {
        let health = owned.health();
        health
            .values()
            .all(|health| health.state == HealthState::Healthy)
    })
    .await;
}

/// Half of the clusters stop to answer while they are worked on, more than there are places for: their reconciles give
/// the places back as soon as that is certain, and the others go on.
#[tokio::test(start_paused = true)]
async fn clusters_that_hang_in_the_middle_of_work_keep_no_worker_for_long() {
    let members = members(12, &[]).await;
    let seen = Seen::default();
    let notes = seen.clone();
    let work = move |context: Context<ConfigMap>| {
        let notes = notes.clone();
        async move {
            context.api::<Secret>().list(&Default::default()).await?;
            notes.note(&context);
            Ok::<_, multicluster::BoxError>(Action::await_change())
        }
    };
    let all: Vec<_> = members
        .iter()
        .map(|(name, member)| (name.as_str(), member))
        .collect();
    let (_replica, owned) = run(&all, |manager| {
        manager.with(Controller::new("work", work).concurrency(4))
    });
    until(10 * SECOND, "all work", || seen.timed().len() == 12).await;
    seen.take();
    let (hanging, others) = all.split_at(6);
    for (_, member) in hanging {
        for place in 0..20 {
            member.create(&config_map(&format!("more-{place}"))).await;
        }
        member.faults.add(Rule::new(Fault::Hang));
    }
    // All places are taken by those who hang; then the others have something to do.
    tokio::time::sleep(SECOND).await;
    seen.take();
    for (_, member) in others {
        member.create(&config_map("second")).await;
    }
    let start = Instant::now();
    until(30 * SECOND, "the others work", || {
        others.iter().all(|(name, _)| {
            let wanted = format!("{name}/second");
            seen.timed().iter().any(|(_, what)| *what == wanted)
        })
    })
    .await;
    // Four places: each pair of hanging clusters keeps them for 5 s and a probe.
    assert!(start.elapsed() < 27 * SECOND, "{:?}", start.elapsed());
    until(30 * SECOND, "all that hang are known", || {
        let health = owned.health();
        let known = |name| health[name].state == HealthState::Unreachable;
        hanging.iter().all(|(name, _)| known(*name))
    })
    .await;
}

/// A restart of an API server is over before anybody stops asking.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_away_for_a_moment_is_found_within_5_s() {
    let member = Member::new();
    let seen = Seen::default();
    let (_replica, owned) = run(&[("zoo", &member)], |manager| {
        manager.with(seen.controller::<ConfigMap>("maps"))
    });
    until(SECOND, "engaged", || {
        owned.get(&"zoo".parse().unwrap()).is_ok()
    })
    .await;
    for outage in [5, 31, 58] {
        let (cut, gone) = (
            Fault::CutWatch {
                after: Duration::ZERO..=Duration::ZERO,
                end: kube_sandbox::End::Broken,
            },
            Rule::new(Fault::Disconnect),
        );
        let (cut, gone) = (member.faults.add(Rule::new(cut)), member.faults.add(gone));
        tokio::time::sleep(outage * SECOND).await;
        let name = format!("after-{outage}");
        member.create(&config_map(&name)).await;
        member.faults.remove(cut);
        member.faults.remove(gone);
        let back = Instant::now();
        until(5 * SECOND, "the change is seen", || {
            seen.timed().iter().any(|(_, what)| what.ends_with(&name))
        })
        .await;
        assert!(back.elapsed() <= 5 * SECOND);
    }
}

/// What users ask for: a credential that expires or is revoked is read again, without a restart.
#[tokio::test(start_paused = true)]
async fn a_cluster_that_refuses_the_credentials_is_connected_to_anew() {
    let (member, other) = (Member::new(), Member::new());
    for member in [&member, &other] {
        member.create(&config_map("a")).await;
    }
    let seen = Seen::default();
    let (engaged, ended) = (seen.clone(), seen.clone());
    let controller = seen
        .controller::<ConfigMap>("maps")
        .on_engage(move |engagement, _| {
            engaged.say(format!("engaged {}", engagement.name()));
            async { Ok::<_, multicluster::BoxError>(()) }
        })
        .on_disengage(move |name, _| {
            ended.say(format!("ended {name}"));
            async {}
        });
    let (_replica, _) = run(&[("zoo", &member), ("other", &other)], |manager| {
        manager.with(controller)
    });
    seen.exactly(&["engaged other", "engaged zoo", "other/a", "zoo/a"])
        .await;
    // The watch goes on, as it does in real clusters; the next request is refused.
    let revoked = member.faults.add(Rule::new(Fault::Status(401)));
    let cut = Fault::CutWatch {
        after: Duration::ZERO..=Duration::ZERO,
        end: kube_sandbox::End::Broken,
    };
    let cut = member.faults.add(Rule::new(cut));
    until(10 * SECOND, "connected anew", || {
        let seen = seen.timed().into_iter();
        seen.filter(|(_, what)| what == "engaged zoo").count() >= 2
    })
    .await;
    tokio::time::sleep(120 * SECOND).await;
    let seen_meanwhile = seen.take();
    let attempts = seen_meanwhile
        .iter()
        .filter(|what| *what == "engaged zoo")
        .count();
    assert!((4..15).contains(&attempts), "{attempts} attempts in 130 s");
    assert!(!seen_meanwhile.iter().any(|what| what.contains("other")));
    member.faults.remove(revoked);
    member.faults.remove(cut);
    until(40 * SECOND, "reconciled again", || {
        seen.timed().iter().any(|(_, what)| what == "zoo/a")
    })
    .await;
}

/// Somebody who corrects the credentials does not wait for the end of a back-off, which is up to 30 s by then.
#[tokio::test(start_paused = true)]
async fn a_cluster_with_new_credentials_is_connected_to_at_once() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    member.faults.add(Rule::new(Fault::Status(401)));
    let name: ClusterName = "zoo".parse().unwrap();
    let provider = FixedProvider::new().cluster(name.clone(), member.client());
    let seen = Seen::default();
    let manager = Manager::builder(provider.clone()).with(seen.controller::<ConfigMap>("maps"));
    let _replica = Replica::run(manager.build().unwrap());
    tokio::time::sleep(300 * SECOND).await;
    assert_eq!(seen.take(), [""; 0]);
    provider.add(Cluster::new(name, member.sandbox.client()));
    until(SECOND / 10, "it is worked on", || !seen.timed().is_empty()).await;
}

/// Credentials of which the end is known are read again before they end.
#[tokio::test(start_paused = true)]
async fn credentials_that_expire_are_read_again_before_they_do() {
    let member = Member::new();
    let end = Timestamp::now() + SignedDuration::from_secs(1_000);
    let client = member.client().with_valid_until(Some(end));
    let provider = FixedProvider::new().cluster("zoo".parse().unwrap(), client);
    let seen = Seen::default();
    let notes = seen.clone();
    let controller = seen
        .controller::<ConfigMap>("maps")
        .on_engage(move |engagement, _| {
            notes.say(format!("engaged {}", engagement.name()));
            async { Ok::<_, multicluster::BoxError>(()) }
        });
    let manager = Manager::builder(provider).with(controller);
    let _replica = Replica::run(manager.build().unwrap());
    tokio::time::sleep(900 * SECOND).await;
    assert_eq!(seen.take(), ["engaged zoo"]);
    tokio::time::sleep(50 * SECOND).await;
    assert_eq!(seen.take(), ["engaged zoo"], "50 s before they expire");
}

/// A webhook that fails all writes is not the cluster: the rest of it is worked on as before.
#[tokio::test(start_paused = true)]
async fn writes_that_fail_do_not_make_a_cluster_unreachable() {
    let member = Member::new();
    member.create(&config_map("a")).await;
    let fails = Rule::new(Fault::Status(500)).verbs([Verb::Create]);
    let fails = member.faults.add(fails);
    let writer = Controller::new("writer", |context: Context<ConfigMap>| async move {
        let secrets = context.api::<Secret>();
        let _ = secrets.create(&Default::default(), &secret("b")).await;
        Ok::<_, multicluster::BoxError>(Action::requeue(SECOND))
    });
    let seen = Seen::default();
    let (_replica, owned) = run(&[("zoo", &member)], |manager| {
        manager
            .with(writer)
            .with(seen.controller::<Service>("services"))
            .with(seen.controller::<ConfigMap>("maps"))
    });
    seen.exactly(&["zoo/a"]).await;
    for place in 0..120 {
        assert_ne!(owned.health()["zoo"].state, HealthState::Unreachable);
        let name = format!("map-{place}");
        member.create(&config_map(&name)).await;
        seen.exactly(&[&format!("zoo/{name}")]).await;
    }
    assert!(member.faults.hits(fails) > 1_000);
}
