//! P12: the Leases of an earlier process in the same pod.

use super::*;

fn pod(uid: &str, network: &str) -> Pod {
    Pod {
        uid: uid.into(),
        network: network.into(),
    }
}

/// A process that has been alone in the pod `p` since now, or has not proved it, and sees a Lease of its peer.
fn restarted(alone: bool) -> (Play, Record) {
    let mut play = Play::new();
    play.identity.place = Some(Place {
        pod: pod("p", "n"),
        alone_since: alone.then_some(play.now),
    });
    let mut old = play.foreign("a");
    old.marks = Marks {
        incarnation: Some("0".into()),
        renew_time: old.renew_time,
        pod: Some(pod("p", "n")),
        ..Marks::default()
    };
    (play, old)
}

#[test]
fn what_an_earlier_process_in_the_pod_held_is_taken_after_the_stop_margin() {
    let (mut play, old) = restarted(true);
    play.see(&old);
    assert_eq!(play.pause(), SECOND);
    play.wait(SECOND);
    let request = play.request();
    assert!(matches!(&request, Request::Replace { version, .. } if *version == old.version));
    let record = play.stored(&request);
    assert_eq!(
        record.marks.pod,
        Some(pod("p", "n")),
        "the next process may rely on it"
    );
    assert_eq!(
        play.answer(Duration::ZERO, ok(&record)),
        Some(Change::Acquired)
    );
    assert!(play.claim.tenure().unwrap().inherited);
}

#[test]
fn one_that_another_peer_should_have_is_freed_for_it() {
    let (mut play, old) = restarted(true);
    play.goal = hold(1);
    play.see(&old);
    play.wait(SECOND);
    let request = play.request();
    assert!(matches!(request, Request::Replace { content, .. } if content.holder.is_empty()));
}

#[test]
fn without_the_proof_it_waits_like_a_stranger_and_says_nothing_of_the_pod() {
    let (mut play, old) = restarted(false);
    play.see(&old);
    assert!(play.pause() > 15 * SECOND);
    let mut play = {
        let (mut play, _) = restarted(false);
        play.with(|claim, env| claim.unlisted(env.now, env));
        play
    };
    let request = play.request();
    assert_eq!(play.stored(&request).marks.pod, None);
}

#[test]
fn nothing_is_proved_of_processes_elsewhere() {
    type Change = fn(&mut Record);
    let elsewhere: [Change; 5] = [
        |old| old.holder = Some("b".into()),
        |old| old.marks.pod = Some(pod("q", "n")),
        |old| old.marks.pod = Some(pod("p", "m")),
        |old| old.marks.pod = None,
        // A writer that does not know our annotations has kept them.
        |old| old.marks.renew_time = Some(77),
    ];
    for change in elsewhere {
        let (mut play, mut old) = restarted(true);
        change(&mut old);
        play.see(&old);
        assert!(play.pause() > 15 * SECOND, "{old:?}");
    }
}
