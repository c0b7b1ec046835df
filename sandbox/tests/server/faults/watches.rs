//! Watches that end, stall, freeze and lag while they are open.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use kube::{Api, api::WatchParams};
use kube_sandbox::{End, Fault, Outage, Rule};
use tokio::time::Instant;

use super::{SECOND, create, direct, follow, next_name, setup};
use crate::support::{next, watch};

#[tokio::test(start_paused = true)]
async fn open_watches_and_new_ones_are_cut() {
    let (sandbox, faults, maps) = setup().await;
    let mut open = follow(&maps).await;
    assert_eq!(next_name(&mut open).await, "lion");
    let cut = |seconds: u32, end| {
        Rule::new(Fault::CutWatch {
            after: seconds * SECOND..=seconds * SECOND,
            end,
        })
    };
    let rule = faults.add(cut(0, End::Broken));
    assert!(open.next().await.unwrap().is_err());
    assert!(open.next().await.is_none());
    faults.remove(rule);

    faults.add(cut(20, End::Clean));
    let start = Instant::now();
    let mut new = follow(&maps).await;
    assert_eq!(next_name(&mut new).await, "lion");
    create(&direct(&sandbox), "tiger").await.unwrap();
    assert_eq!(next_name(&mut new).await, "tiger");
    assert!(new.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_was_opened_before_is_cut_even_if_the_rule_goes_at_once() {
    let (_sandbox, faults, maps) = setup().await;
    let mut open = follow(&maps).await;
    let rule = Rule::new(Fault::CutWatch {
        after: Duration::ZERO..=Duration::ZERO,
        end: End::Clean,
    });
    let rule = faults.add(rule);
    assert_eq!(faults.remove(rule), 1);
    assert!(open.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_watch_stays_silent_and_says_nothing() {
    let (sandbox, faults, maps) = setup().await;
    let mut open = follow(&maps).await;
    assert_eq!(next_name(&mut open).await, "lion");
    let rule = faults.add(Rule::new(Fault::StallWatch).kind("configmaps").user("a"));
    create(&direct(&sandbox), "tiger").await.unwrap();
    // Beyond the timeout of the watch, too.
    let silent = tokio::time::timeout(3600 * SECOND, open.next());
    assert!(silent.await.is_err());
    faults.remove(rule);
    assert!(open.next().now_or_never().is_none(), "it is dead");
    assert_eq!(next_name(&mut follow(&maps).await).await, "lion");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_watch_goes_on_where_it_was() {
    for fault in [Fault::FreezeWatch, Fault::Outage(Outage::Freeze)] {
        let (sandbox, faults, maps) = setup().await;
        let mut open = follow(&maps).await;
        assert_eq!(next_name(&mut open).await, "lion");
        let rule = faults.add(Rule::new(fault));
        create(&direct(&sandbox), "tiger").await.unwrap();
        let silent = tokio::time::timeout(60 * SECOND, open.next());
        assert!(silent.await.is_err());
        faults.remove(rule);
        assert_eq!(next_name(&mut open).await, "tiger");
    }
}

#[tokio::test(start_paused = true)]
async fn events_lag_and_keep_their_order() {
    let (sandbox, faults, maps) = setup().await;
    faults.add(Rule::new(Fault::delay_reply(2 * SECOND..=2 * SECOND)));
    let mut open = follow(&maps).await;
    assert_eq!(next_name(&mut open).await, "lion");
    let start = Instant::now();
    let names = ["a", "b", "c"];
    for name in names {
        create(&direct(&sandbox), name).await.unwrap();
    }
    for name in names {
        assert_eq!(next_name(&mut open).await, name);
        assert_eq!(start.elapsed().as_secs(), 2, "none waits for the others");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_selected_watches_are_touched() {
    let (sandbox, faults, maps) = setup().await;
    let other = Api::default_namespaced(faults.client("b"));
    let params = WatchParams::default().disable_bookmarks();
    let mut open = watch(&other, &params, "0").await;
    assert!(next(&mut open).await.starts_with("ADDED lion"));
    faults.add(Rule::new(Fault::Outage(Outage::Drop)).user("a"));
    faults.add(Rule::new(Fault::StallWatch).kind("Lease"));
    create(&direct(&sandbox), "tiger").await.unwrap();
    assert!(next(&mut open).await.starts_with("ADDED tiger"));
    drop(maps);
}
