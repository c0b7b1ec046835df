//! A fleet of two under some rights, and which of its promises it keeps.

use std::{collections::BTreeSet, path::Path, time::Duration};

use jiff::Timestamp;

use super::{
    ANIMAL, LEASE,
    audit::{Access, Deeds},
    backend::Server,
    eventually::reached,
    leases::{LeaseWatch, SHARD},
    program::program,
    replica::Replica,
    rights::{Account, Rights},
};

/// What is asked of a fleet, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Every cluster has a holder, and its objects are reconciled.
    Start,
    /// Changes are reconciled, and so is what is in new clusters.
    Change,
    /// The clusters of a dead replica become the other's, and the Lease of a removed cluster goes.
    Survive,
}

/// What has happened to all fleets alike.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// All Namespaces.
    pub(crate) clusters: BTreeSet<String>,
    /// Those whose ConfigMap has been written, and since when.
    pub(crate) changed: BTreeSet<String>,
    pub(crate) since: Timestamp,
}

/// Two replicas under a service account.
pub(crate) struct Trial {
    /// What they may not do; `None` when they have all rights.
    pub(crate) missing: Option<Access>,
    /// The first promise that was not kept, and how.
    pub(crate) broken: Option<(Promise, String)>,
    account: Account,
    leases: LeaseWatch,
    replicas: Vec<Replica>,
}

// === impl Trial ===

impl Trial {
    /// Makes the account of one fleet; the replicas are started later.
    pub(crate) async fn prepare(
        server: &Server,
        number: usize,
        rights: &Rights,
        missing: Option<Access>,
    ) -> Self {
        let namespace = format!("fleet-{number:02}");
        let rights = match &missing {
            Some(access) => rights.without(access),
            None => rights.clone(),
        };
        let account = Account::create(&server.admin, namespace, &rights).await;
        let leases = LeaseWatch::start(server.admin.clone(), &account.namespace);
        Self {
            missing,
            broken: None,
            account,
            leases,
            replicas: Vec::new(),
        }
    }

    /// Starts both replicas.
    pub(crate) async fn start(&mut self, server: &Server) {
        let namespace = &self.account.namespace;
        let token = self.account.token().await;
        let kubeconfig = server.kubeconfig_with(namespace, &token);
        for number in 0..2 {
            let peer = format!("replica-{number}");
            let args = [
                format!("--kubeconfig={}", kubeconfig.display()),
                format!("--shard-lease-namespace={namespace}"),
                format!("--peer={peer}"),
                format!("--lease-duration={LEASE}"),
                "--log-format=json".to_owned(),
            ];
            let folder = server.folder.path();
            let env = vec![("POD_NAMESPACE", namespace.clone())];
            let replica = Replica::start(program(), folder, &peer, args, env);
            self.replicas.push(replica);
        }
    }

    /// SIGKILL for one of them.
    pub(crate) async fn lose_one(&mut self) {
        if let Some(mut replica) = self.replicas.pop() {
            replica.kill().await;
        }
    }

    /// Looks whether a promise is kept within `limit`; a fleet that has broken one is ended.
    pub(crate) async fn demand(&mut self, promise: Promise, facts: &Facts, limit: Duration) {
        if self.broken.is_some() {
            return;
        }
        if let Err(how) = reached(limit, async || self.state(facts)).await {
            self.broken = Some((promise, how));
            self.replicas.clear();
        }
    }

    /// What is not as it must be.
    fn state(&self, facts: &Facts) -> Result<(), String> {
        let holders = self.leases.holders(SHARD);
        let peers: BTreeSet<_> = self.replicas.iter().map(|one| Some(&one.peer)).collect();
        let held = |cluster: &str| {
            let holder = holders.get(cluster);
            holder.is_some_and(|holder| peers.contains(&holder.as_ref()))
        };
        let runs: Vec<_> = self.replicas.iter().map(Replica::run).collect();
        let reconciled = |cluster: &str| {
            let mut runs = runs.iter();
            runs.any(|run| run.reconciled(cluster, ANIMAL, facts.since).is_some())
        };
        let clusters = || facts.clusters.iter();
        let left: Vec<_> = holders
            .keys()
            .filter(|lease| !facts.clusters.contains(*lease))
            .collect();
        let free: Vec<_> = clusters().filter(|cluster| !held(cluster)).collect();
        let changed = facts.changed.iter();
        let idle: Vec<_> = changed.filter(|cluster| !reconciled(cluster)).collect();
        if left.is_empty() && free.is_empty() && idle.is_empty() {
            return Ok(());
        }
        let few = |clusters: &[&String]| match clusters {
            [] => "none".to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        Err(format!(
            "of no cluster: {}; without a holder: {}; not reconciled: {}",
            few(&left),
            few(&free),
            few(&idle)
        ))
    }

    /// What the API server has permitted and refused to this fleet.
    pub(crate) fn deeds(&self, audit_log: &Path) -> Deeds {
        Deeds::of(&self.account.user(), audit_log)
    }
}
