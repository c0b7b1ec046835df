//! What happens to a fleet: the words of scenarios.

use std::time::Duration;

use super::server::Health;

/// A peer by its number; its id is `peer-<number>`.
pub type PeerNumber = usize;

/// A cluster by its number; its name is `cluster-<number>`.
pub type ClusterNumber = usize;

/// What people write into Leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonsense {
    /// No holder, and our annotations still there.
    NoHolder,
    /// No duration, as a negative one is read.
    NoDuration,
    /// A duration of 68 years.
    Forever,
    /// A date in the future.
    Future,
    /// The name of another cluster.
    OtherCluster,
    /// A holder that nobody is.
    Stranger,
    /// No spec and no annotations at all.
    Empty,
}

/// One thing that is done to a fleet, or expected of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operation {
    /// A process of this peer starts; a dead one before it is replaced.
    Start(PeerNumber),
    /// Its process dies without a word.
    Crash(PeerNumber),
    /// Its process leaves gracefully.
    Leave(PeerNumber),
    /// Its process is cut off and goes on, while another process of the same name starts.
    Zombie(PeerNumber),
    /// Its container ends without a word and is started again in the same pod.
    Restart(PeerNumber),
    /// A second process of the peer starts in the same pod, while the first runs on.
    Twin(PeerNumber),
    /// Whatever runs of it besides its newest process ends.
    EndOthers(PeerNumber),
    /// Its pod is started anew in another network, while its process runs on, cut off.
    Rehome(PeerNumber),
    /// Its machine is suspended: nothing runs, and nothing gets through.
    Suspend(PeerNumber),
    /// Its machine goes on.
    Resume(PeerNumber),
    /// Its process stands still; its machine's time goes on.
    Freeze(PeerNumber),
    /// It goes on.
    Thaw(PeerNumber),
    /// Nothing gets through between it and the API server; what is under way is kept until the heal.
    Partition(PeerNumber),
    /// The partition ends.
    Heal(PeerNumber),
    /// Its watch delivers nothing any more, without an error.
    StallWatch(PeerNumber),
    /// Its watch ends with an error.
    BreakWatch(PeerNumber),
    /// The date on its machine jumps by this many seconds.
    JumpDate(PeerNumber, i64),
    /// Its weight changes.
    Weight(PeerNumber, u32),
    /// Whoever works on the cluster reports that it has so many objects.
    Load(ClusterNumber, u64),
    /// Its processes that start from now on are of the next version of the program, which has a newer placement formula.
    Upgrade(PeerNumber),
    /// It does not know of this cluster, or knows again.
    Hide(PeerNumber, ClusterNumber, bool),
    /// What the API server does from now on.
    Hub(Health),
    /// The cluster appears for all peers.
    Add(ClusterNumber),
    /// The cluster disappears for all peers.
    Remove(ClusterNumber),
    /// Somebody deletes the cluster's fence.
    DeleteFence(ClusterNumber),
    /// Somebody deletes a peer's own Lease.
    DeletePeerLease(PeerNumber),
    /// Somebody annotates the cluster's fence.
    AnnotateFence(ClusterNumber),
    /// Somebody writes nonsense into the cluster's fence.
    SpoilFence(ClusterNumber, Nonsense),
    /// Somebody writes nonsense into a peer's own Lease.
    SpoilPeerLease(PeerNumber, Nonsense),
    /// A replica of the Go implementation renews the cluster's fence under the id of its holder.
    GoRenews(ClusterNumber),
    /// It works on the cluster.
    GoWorks(ClusterNumber),
    /// A replica of the Go implementation takes the cluster's fence, if it is free or not there, under its own id, and
    /// works on it.
    GoTakes(ClusterNumber),
    /// Each request and each reply is lost with this probability.
    Loss(f64),
    /// Each reply is lost with this probability, and no request.
    LostReplies(f64),
    /// Each request is answered with 429 or 500 with this probability, without being applied.
    Refusals(f64),
    /// Reconciles of this peer ignore that they are asked to end.
    Stubborn(PeerNumber, bool),
    /// Reconciles of this peer ignore everything, even that they are dropped, and write without asking.
    Deaf(PeerNumber, bool),
    /// Time passes.
    Wait(Duration),
    /// Every fault ends: processes run, the network and the API server work.
    HealAll,
    /// Every cluster is worked on by a live peer within this time.
    ExpectOwned(Duration),
    /// Nobody has changed hands since the last operation of this kind or since the start.
    ExpectNoMoves,
}
