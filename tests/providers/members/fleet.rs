//! Two replicas and three members, and what is seen of them.

use std::{collections::BTreeMap, fmt, time::Duration};

use kube::Client;
use multicluster::{ClusterHealth, HealthState, testing::Running};
use tokio::time::Instant;

use super::{
    beats::Beats,
    hub::{Hub, NAMESPACE},
    member::{Credentials, Member},
    notes::{Notes, What},
    replicas, script,
};
use crate::fleet::eventually::eventually;

/// A replica has at least two of them.
const MEMBERS: [&str; 3] = ["zoo", "jungle", "island"];
const PEERS: [&str; 2] = ["replica-0", "replica-1"];

/// How long nothing has moved when the fleet has settled.
const SETTLED: Duration = Duration::from_secs(3);

/// How late a change may be reconciled in a member to which nothing happens: a few milliseconds when the machine is idle,
/// and far less than any time-out, back-off or Lease that one cluster could make another wait for.
const PROMPT: Duration = Duration::from_secs(1);

/// The fleet; its parts end in the order of the fields.
pub(crate) struct Fleet {
    replicas: BTreeMap<String, Running>,
    beats: BTreeMap<String, Beats>,
    pub(crate) notes: Notes,
    members: BTreeMap<String, Member>,
    credentials: BTreeMap<String, Credentials>,
    pub(crate) hub: Hub,
}

// === impl Fleet ===

impl Fleet {
    /// Starts everything, and waits until all members are worked on and nothing moves.
    pub(crate) async fn start() -> Self {
        let mut hub = Hub::start().await;
        let folder = hub.server.folder.path().to_owned();
        let members = Member::start(hub.server.plane(), &folder, &MEMBERS).await;
        let mut fleet = Self {
            replicas: BTreeMap::new(),
            beats: BTreeMap::new(),
            notes: Notes::default(),
            members: BTreeMap::new(),
            credentials: BTreeMap::new(),
            hub,
        };
        for (name, member) in MEMBERS.into_iter().zip(members) {
            let credentials = member.issue("first").await;
            fleet.hub.store(name, &credentials.kubeconfig).await;
            let beats = Beats::start(member.admin.clone());
            fleet.beats.insert(name.to_owned(), beats);
            fleet.credentials.insert(name.to_owned(), credentials);
            fleet.members.insert(name.to_owned(), member);
        }
        for peer in PEERS {
            let replica = replicas::start(&fleet.hub.config, peer, &fleet.notes);
            fleet.replicas.insert(peer.to_owned(), replica);
        }
        let started = Instant::now();
        for name in MEMBERS {
            fleet.works(name, started, Duration::from_secs(30)).await;
        }
        let limit = Duration::from_secs(20);
        eventually(limit, "nothing moves any more", async || {
            let moved = fleet.notes.last_move().map(|at| at.elapsed());
            let leases = fleet.hub.leases().await;
            let joined = |peer: &&str| leases.contains(&format!("mcr-peer-{peer}"));
            let settled = moved > Some(SETTLED) && PEERS.iter().all(joined);
            settled
                .then_some(())
                .ok_or_else(|| format!("last move {moved:?} ago; {leases:?}"))
        })
        .await;
        fleet
    }

    /// A member whose replica works on another one too.
    pub(crate) fn victim(&self) -> &'static str {
        let owned = |name: &&str| {
            let owner = self.owner(name).expect("all members are owned");
            owner.owned_clusters().names().len() > 1
        };
        let mut victims = MEMBERS.into_iter().filter(owned);
        victims.next().expect("three members, two replicas")
    }

    pub(crate) fn member(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(name).expect("a member")
    }

    /// Makes new credentials for a member and stores them in its Secret; returns the old ones.
    pub(crate) async fn rotate(&mut self, name: &str) -> Credentials {
        let credentials = self.members[name].issue("second").await;
        self.hub.store(name, &credentials.kubeconfig).await;
        let old = self.credentials.insert(name.to_owned(), credentials);
        old.expect("it had some")
    }

    /// Revokes the present credentials of a member, and waits until they are refused.
    pub(crate) async fn revoke(&self, name: &str) {
        let member = &self.members[name];
        member.revoke(&self.credentials[name]).await;
    }

    /// Makes the Secret of a member as a person does, with further arguments; returns a client with what is in it.
    pub(crate) async fn run_script(&self, name: &str, more: &[&str]) -> Client {
        let server = &self.hub.server;
        let member = self.members[name].admin_kubeconfig(server.folder.path());
        let hub = server.admin_kubeconfig();
        script::run(&member, &hub, NAMESPACE, name, more).await;
        self.hub.client_of(name).await
    }

    /// The replica that works on a member.
    pub(crate) fn owner(&self, name: &str) -> Option<&Running> {
        let owns = |replica: &&Running| {
            let names = replica.owned_clusters().names();
            names.iter().any(|owned| owned.as_str() == name)
        };
        self.replicas.values().find(owns)
    }

    /// How a member is doing, as its owner sees it.
    pub(crate) fn health(&self, name: &str) -> Option<ClusterHealth> {
        self.owner(name)?.owned_clusters().health().remove(name)
    }

    /// Waits until a member is in this state, for a reason that has one of these words; returns the reason.
    pub(crate) async fn becomes(
        &self,
        name: &str,
        state: HealthState,
        words: &[&str],
        limit: Duration,
    ) -> String {
        let what = format!("{name} is {state:?}");
        eventually(limit, &what, async || {
            let health = self.health(name);
            let reason = health.as_ref().and_then(|health| health.reason.clone());
            let reason = reason.unwrap_or_default();
            let told = words.is_empty() || words.iter().any(|word| reason.contains(word));
            let is = health.as_ref().map(|health| health.state) == Some(state);
            (is && told)
                .then_some(reason)
                .ok_or_else(|| format!("{health:?}"))
        })
        .await
    }

    /// Waits until a member has been in this state for so long.
    pub(crate) async fn remains(&self, name: &str, state: HealthState, time: Duration) {
        let what = format!("{name} is {state:?} for {time:?}");
        eventually(2 * time, &what, async || {
            let health = self.health(name);
            let is =
                |health: &&ClusterHealth| health.state == state && health.since.elapsed() >= time;
            let found = health.as_ref().filter(is).map(drop);
            found.ok_or_else(|| format!("{health:?}"))
        })
        .await;
    }

    /// Waits until a change that was made after `since` is reconciled; returns how long after `since` that was.
    pub(crate) async fn works(&self, name: &str, since: Instant, limit: Duration) -> Duration {
        let what = format!("{name} is worked on");
        let at = eventually(limit, &what, async || {
            let beat = self.beats[name].after(since);
            let beat = beat.ok_or_else(|| "nothing was changed".to_owned())?;
            let reconciled = self.notes.reconciled(name, beat);
            reconciled.ok_or_else(|| format!("{beat:?} is not reconciled; {:?}", self.health(name)))
        })
        .await;
        at.duration_since(since)
    }

    /// Waits until a replica has left a member, or taken it up, after `since`; returns how long after.
    pub(crate) async fn noted(&self, name: &str, what: What, since: Instant) -> Duration {
        let expected = format!("{name}: {what:?}");
        let at = eventually(Duration::from_secs(20), &expected, async || {
            let notes = self.notes.of(name, since);
            let note = notes.iter().find(|note| note.what == what);
            note.map(|note| note.at).ok_or_else(|| format!("{notes:?}"))
        })
        .await;
        at.duration_since(since)
    }

    /// What was noted of a member since then, besides successful reconciles.
    pub(crate) fn trouble(&self, name: &str, since: Instant) -> Vec<What> {
        let notes = self.notes.of(name, since).into_iter();
        let trouble = notes.filter(|note| !matches!(note.what, What::Reconciled(_)));
        trouble.map(|note| note.what).collect()
    }

    /// Waits until a member was changed so often after `since`, whether anybody reconciles that or not.
    pub(crate) async fn changed(&self, name: &str, times: usize, since: Instant) {
        eventually(Duration::from_secs(20), "changes", async || {
            let beats = self.beats[name].written();
            let later = beats.iter().filter(|beat| beat.at > since).count();
            (later >= times)
                .then_some(())
                .ok_or_else(|| format!("{later} changes"))
        })
        .await;
    }

    /// Ends a test: the members other than `victim` have been worked on without a pause since then.
    pub(crate) async fn others_never_paused(self, victim: &str, since: Instant) {
        for name in MEMBERS.into_iter().filter(|name| *name != victim) {
            let end = Instant::now();
            self.works(name, end, Duration::from_secs(10)).await;
            let mut beats = self.beats[name].written();
            beats.retain(|beat| (since..end).contains(&beat.at));
            let pace = self.notes.pace(name, &beats);
            let took = end.duration_since(since);
            measured(format_args!(
                "{name}: {} changes in {took:.1?}, slowest reconcile {:.0?}, longest gap {:.0?}",
                pace.changes, pace.latency, pace.gap
            ));
            let trouble = self.trouble(name, since);
            assert!(trouble.is_empty(), "{name}: {trouble:?}");
            assert!(pace.latency <= PROMPT, "{name}: {pace:?}");
            assert!(pace.gap <= PROMPT, "{name}: {pace:?}");
        }
        for name in MEMBERS {
            self.notes.check_exclusive(name);
        }
        for (peer, replica) in self.replicas {
            replica
                .stop()
                .await
                .unwrap_or_else(|error| panic!("{peer}: {error}"));
        }
    }
}

/// Prints a figure.
pub(crate) fn measured(what: impl fmt::Display) {
    println!("MEASURED members {what}");
}
