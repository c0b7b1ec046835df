use super::*;

fn drain(queue: &mut Queue<u32>) -> Vec<(Slot, u32)> {
    std::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn clusters_take_turns() {
    let mut queue = Queue::new(100);
    let (noisy, quiet) = (queue.attach(), queue.attach());
    for key in 0..50 {
        queue.add(noisy, key);
    }
    queue.add(quiet, 7);
    assert_eq!(queue.pop(), Some((noisy, 0)));
    assert_eq!(queue.pop(), Some((quiet, 7)));
    assert_eq!(drain(&mut queue).len(), 49);
}

#[test]
fn a_key_is_worked_on_once_at_a_time() {
    let mut queue = Queue::new(100);
    let slot = queue.attach();
    queue.add(slot, 1);
    queue.add(slot, 1);
    assert_eq!(drain(&mut queue), [(slot, 1)]);
    queue.add(slot, 1);
    assert_eq!(drain(&mut queue), []);
    queue.finish(slot, 1, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(slot, 1)]);
    queue.finish(slot, 1, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), []);
}

#[test]
fn the_limit_counts_all_clusters() {
    let mut queue = Queue::new(2);
    let (a, b) = (queue.attach(), queue.attach());
    for key in 0..3 {
        queue.add(a, key);
        queue.add(b, key);
    }
    assert_eq!(drain(&mut queue), [(a, 0), (b, 0)]);
    // A job of a cluster that has left still uses a place until it ends.
    queue.detach(a);
    assert_eq!(queue.pop(), None);
    queue.finish(a, 0, Outcome::Failed, Instant::now());
    queue.finish(b, 0, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(b, 1), (b, 2)]);
}

#[test]
fn failures_back_off_and_a_success_forgets_them() {
    let mut queue = Queue::new(1);
    let slot = queue.attach();
    let start = Instant::now();
    queue.add(slot, 1);
    let mut waits = Vec::new();
    for _ in 0..4 {
        queue.pop().unwrap();
        queue.finish(slot, 1, Outcome::Failed, start);
        let next = queue.expire(slot, start).unwrap();
        waits.push((next - start).as_millis());
        queue.expire(slot, next);
    }
    assert_eq!(waits, [5, 10, 20, 40]);
    queue.pop().unwrap();
    queue.finish(slot, 1, Outcome::Done, start);
    queue.add(slot, 1);
    queue.pop().unwrap();
    queue.finish(slot, 1, Outcome::Failed, start);
    assert_eq!(queue.expire(slot, start), Some(start + FIRST_RETRY));
}

#[test]
fn a_change_overtakes_a_delay() {
    let mut queue = Queue::new(1);
    let slot = queue.attach();
    let now = Instant::now();
    queue.add(slot, 1);
    queue.pop();
    queue.finish(slot, 1, Outcome::Requeue(Duration::from_secs(60)), now);
    assert_eq!(queue.pop(), None);
    queue.add(slot, 1);
    assert_eq!(queue.pop(), Some((slot, 1)));
    assert_eq!(queue.expire(slot, now + Duration::from_secs(120)), None);
    queue.finish(slot, 1, Outcome::Done, now);
    assert_eq!(queue.pop(), None);
}

#[test]
fn nothing_of_a_detached_cluster_is_handed_out() {
    let mut queue = Queue::new(10);
    let slot = queue.attach();
    let now = Instant::now();
    for key in 0..3 {
        queue.add(slot, key);
    }
    queue.pop();
    queue.finish(slot, 0, Outcome::Requeue(Duration::from_secs(1)), now);
    queue.detach(slot);
    assert_eq!(queue.expire(slot, now + Duration::from_secs(2)), None);
    queue.add(slot, 9);
    assert_eq!(queue.pop(), None);
}

#[test]
fn a_paused_cluster_keeps_its_keys() {
    let mut queue = Queue::new(10);
    let slot = queue.attach();
    queue.add(slot, 1);
    queue.pause(slot, true);
    queue.add(slot, 2);
    assert_eq!(queue.pop(), None);
    queue.pause(slot, false);
    assert_eq!(drain(&mut queue), [(slot, 1), (slot, 2)]);
}

#[test]
fn one_cluster_never_takes_all_places() {
    let mut queue = Queue::new(4);
    let (hangs, other) = (queue.attach(), queue.attach());
    for key in 0..10 {
        queue.add(hangs, key);
    }
    assert_eq!(drain(&mut queue), [(hangs, 0), (hangs, 1)]);
    queue.add(other, 7);
    assert_eq!(drain(&mut queue), [(other, 7)]);
    queue.finish(hangs, 0, Outcome::Done, Instant::now());
    assert_eq!(drain(&mut queue), [(hangs, 2)]);
}
