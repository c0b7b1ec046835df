use super::{
    Lane::{Initial, Live},
    *,
};

fn drain(queue: &mut Queue<u32>) -> Vec<(Slot, u32)> {
    std::iter::from_fn(|| queue.pop(Instant::now())).collect()
}

/// Makes ready what is due; says when to ask again.
fn expire(queue: &mut Queue<u32>, slot: Slot, now: Instant) -> Option<Instant> {
    queue.expire(slot, now);
    queue.due(slot, now)
}

#[test]
fn clusters_take_turns() {
    let mut queue = Queue::new(Limits::new(100));
    let (noisy, quiet) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    for key in 0..50 {
        queue.add(noisy, key, Live, Instant::now());
    }
    queue.add(quiet, 7, Live, Instant::now());
    assert_eq!(queue.pop(Instant::now()), Some((noisy, 0)));
    assert_eq!(queue.pop(Instant::now()), Some((quiet, 7)));
    assert_eq!(drain(&mut queue).len(), 49);
}

#[test]
fn a_key_is_worked_on_once_at_a_time() {
    let mut queue = Queue::new(Limits::new(100));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    queue.add(slot, 1, Live, Instant::now());
    queue.add(slot, 1, Live, Instant::now());
    assert_eq!(drain(&mut queue), [(slot, 1)]);
    queue.add(slot, 1, Live, Instant::now());
    assert_eq!(drain(&mut queue), []);
    queue.finish(slot, 1, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(slot, 1)]);
    queue.finish(slot, 1, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), []);
}

#[test]
fn the_limit_counts_all_clusters() {
    let mut queue = Queue::new(Limits::new(2));
    let (a, b) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    for key in 0..3 {
        queue.add(a, key, Live, Instant::now());
        queue.add(b, key, Live, Instant::now());
    }
    assert_eq!(drain(&mut queue), [(a, 0), (b, 0)]);
    // A job of a cluster that has left still uses a place until it ends.
    queue.detach(a, Instant::now());
    assert_eq!(queue.pop(Instant::now()), None);
    queue.finish(a, 0, Outcome::Failed, Instant::now());
    queue.finish(b, 0, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(b, 1), (b, 2)]);
}

#[test]
fn failures_back_off_and_a_success_forgets_them() {
    let mut queue = Queue::new(Limits::new(1));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    let start = Instant::now();
    queue.add(slot, 1, Live, Instant::now());
    let mut waits = Vec::new();
    for _ in 0..4 {
        queue.pop(Instant::now()).unwrap();
        queue.finish(slot, 1, Outcome::Failed, start);
        let next = expire(&mut queue, slot, start).unwrap();
        waits.push((next - start).as_millis());
        expire(&mut queue, slot, next);
    }
    assert_eq!(waits, [5, 10, 20, 40]);
    queue.pop(Instant::now()).unwrap();
    queue.finish(slot, 1, Outcome::Done, start);
    queue.add(slot, 1, Live, Instant::now());
    queue.pop(Instant::now()).unwrap();
    queue.finish(slot, 1, Outcome::Failed, start);
    assert_eq!(
        expire(&mut queue, slot, start),
        Some(start + Duration::from_millis(5))
    );
}

#[test]
fn a_change_overtakes_a_delay() {
    let mut queue = Queue::new(Limits::new(1));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    let now = Instant::now();
    queue.add(slot, 1, Live, Instant::now());
    queue.pop(Instant::now());
    queue.finish(slot, 1, Outcome::Requeue(Duration::from_secs(60)), now);
    assert_eq!(queue.pop(Instant::now()), None);
    queue.add(slot, 1, Live, Instant::now());
    assert_eq!(queue.pop(Instant::now()), Some((slot, 1)));
    assert_eq!(
        expire(&mut queue, slot, now + Duration::from_secs(120)),
        None
    );
    queue.finish(slot, 1, Outcome::Done, now);
    assert_eq!(queue.pop(Instant::now()), None);
}

#[test]
fn nothing_of_a_detached_cluster_is_handed_out() {
    let mut queue = Queue::new(Limits::new(10));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    let now = Instant::now();
    for key in 0..3 {
        queue.add(slot, key, Live, Instant::now());
    }
    queue.pop(Instant::now());
    queue.finish(slot, 0, Outcome::Requeue(Duration::from_secs(1)), now);
    queue.detach(slot, Instant::now());
    assert_eq!(expire(&mut queue, slot, now + Duration::from_secs(2)), None);
    queue.add(slot, 9, Live, Instant::now());
    assert_eq!(queue.pop(Instant::now()), None);
}

#[test]
fn a_paused_cluster_keeps_its_keys() {
    let mut queue = Queue::new(Limits::new(10));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    queue.add(slot, 1, Live, Instant::now());
    queue.pause(slot, true, Instant::now());
    queue.add(slot, 2, Live, Instant::now());
    assert_eq!(queue.pop(Instant::now()), None);
    queue.pause(slot, false, Instant::now());
    assert_eq!(drain(&mut queue), [(slot, 1), (slot, 2)]);
}

#[test]
fn one_cluster_never_takes_all_places() {
    let mut queue = Queue::new(Limits::new(4));
    let (hangs, other) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    for key in 0..10 {
        queue.add(hangs, key, Live, Instant::now());
    }
    assert_eq!(drain(&mut queue), [(hangs, 0), (hangs, 1)]);
    queue.add(other, 7, Live, Instant::now());
    assert_eq!(drain(&mut queue), [(other, 7)]);
    queue.finish(hangs, 0, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(hangs, 2)]);
}

#[test]
fn a_change_elsewhere_is_the_next_job_whatever_one_cluster_has_queued() {
    let mut queue = Queue::new(Limits::new(1));
    let (noisy, quiet) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    let now = Instant::now();
    for key in 0..100_000 {
        queue.add(noisy, key, Live, now);
    }
    for round in 0..100 {
        let (slot, key) = queue.pop(now).unwrap();
        assert_eq!(slot, noisy);
        queue.add(quiet, round, Live, now);
        queue.finish(slot, key, Outcome::Done, now);
        assert_eq!(queue.pop(now), Some((quiet, round)));
        queue.finish(quiet, round, Outcome::Done, now);
    }
}

#[test]
fn who_had_nothing_to_do_has_not_saved_turns_up() {
    let mut queue = Queue::new(Limits::new(1));
    let (busy, idle) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    let now = Instant::now();
    for key in 0..200 {
        queue.add(busy, key, Live, now);
    }
    let next = |queue: &mut Queue<u32>| {
        let (slot, key) = queue.pop(now).unwrap();
        queue.finish(slot, key, Outcome::Done, now);
        slot
    };
    for _ in 0..100 {
        assert_eq!(next(&mut queue), busy);
    }
    for key in 0..100 {
        queue.add(idle, key, Live, now);
    }
    let first: Vec<_> = (0..50).map(|_| next(&mut queue)).collect();
    assert_eq!(first.iter().filter(|slot| **slot == idle).count(), 25);
}

#[test]
fn turns_follow_the_weights() {
    let mut queue = Queue::new(Limits::new(1_000));
    let weights = [1, 2, 5].map(|weight| NonZeroU32::new(weight).unwrap());
    let slots = weights.map(|weight| queue.attach(weight, Instant::now()));
    for key in 0..200 {
        for slot in slots {
            queue.add(slot, key, Live, Instant::now());
        }
    }
    let first: Vec<_> = drain(&mut queue).into_iter().take(80).collect();
    let shares = slots.map(|slot| first.iter().filter(|(of, _)| *of == slot).count());
    assert_eq!(shares, [10, 20, 50]);
}

#[test]
fn changes_overtake_a_first_list_and_do_not_starve_it() {
    let mut queue = Queue::new(Limits::new(1));
    let (new, old) = (
        queue.attach(NonZeroU32::MIN, Instant::now()),
        queue.attach(NonZeroU32::MIN, Instant::now()),
    );
    let now = Instant::now();
    for key in 0..10_000 {
        queue.add(new, key, Initial, now);
    }
    let next = |queue: &mut Queue<u32>| {
        let (slot, key) = queue.pop(now).unwrap();
        queue.finish(slot, key, Outcome::Done, now);
        (slot, key)
    };
    assert_eq!(next(&mut queue), (new, 0));
    // Of another cluster, of the same one, and of an object that waits in the list.
    queue.add(old, 1, Live, now);
    assert_eq!(next(&mut queue), (old, 1));
    queue.add(new, 20_000, Live, now);
    queue.add(new, 9_999, Live, now);
    assert_eq!(next(&mut queue), (new, 20_000));
    assert_eq!(next(&mut queue), (new, 9_999));
    assert_eq!(next(&mut queue), (new, 1));
    // Without an end of changes the list still goes on.
    let mut initial = 0;
    for key in 0..170 {
        queue.add(old, key, Live, now);
        initial += u32::from(next(&mut queue).0 == new);
    }
    assert_eq!(initial, 10);
    let rest = std::iter::from_fn(|| (!queue.is_idle()).then(|| next(&mut queue)));
    let rest: Vec<_> = rest.filter(|(slot, _)| *slot == new).collect();
    assert_eq!(rest.len(), 10_000 - 2 - 1 - 10);
}

#[test]
fn the_earliest_request_wins() {
    let mut queue = Queue::new(Limits::new(1));
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    let now = Instant::now();
    let seconds = Duration::from_secs;
    queue.add_after(slot, 1, seconds(9), now);
    queue.add_after(slot, 1, seconds(5), now);
    queue.add_after(slot, 1, seconds(7), now);
    assert_eq!(expire(&mut queue, slot, now), Some(now + seconds(5)));
    expire(&mut queue, slot, now + seconds(5));
    assert_eq!(queue.pop(now), Some((slot, 1)));
    queue.add_after(slot, 1, seconds(3), now);
    queue.finish(slot, 1, Outcome::Requeue(seconds(60)), now);
    assert_eq!(expire(&mut queue, slot, now), Some(now + seconds(3)));
    assert!(!queue.is_idle());
}

#[test]
fn a_cluster_with_a_rate_keeps_to_it() {
    let rate = Rate {
        interval: Duration::from_secs(1),
        burst: 2,
    };
    let mut queue = Queue::new(Limits {
        rate: Some(rate),
        ..Limits::new(10)
    });
    let slot = queue.attach(NonZeroU32::MIN, Instant::now());
    let start = Instant::now();
    for key in 0..5 {
        queue.add(slot, key, Live, start);
    }
    let mut begun = Vec::new();
    let mut next = Some(start);
    while let Some(now) = next {
        while let Some((_, key)) = queue.pop(now) {
            queue.finish(slot, key, Outcome::Done, now);
            begun.push((now - start).as_secs());
        }
        expire(&mut queue, slot, now);
        while let Some((_, key)) = queue.pop(now) {
            queue.finish(slot, key, Outcome::Done, now);
            begun.push((now - start).as_secs());
        }
        next = expire(&mut queue, slot, now);
    }
    assert_eq!(begun, [0, 0, 1, 2, 3]);
}

#[test]
fn one_cluster_alone_uses_all_places_until_another_comes() {
    let mut queue = Queue::new(Limits::new(4));
    let alone = queue.attach(NonZeroU32::MIN, Instant::now());
    for key in 0..10 {
        queue.add(alone, key, Live, Instant::now());
    }
    assert_eq!(drain(&mut queue).len(), 4);
    let other = queue.attach(NonZeroU32::MIN, Instant::now());
    for key in 0..2 {
        queue.finish(alone, key, Outcome::Done, Instant::now());
        assert_eq!(drain(&mut queue), []);
    }
    queue.detach(other, Instant::now());
    assert_eq!(drain(&mut queue).len(), 2);
}
