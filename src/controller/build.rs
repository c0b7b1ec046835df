//! What a controller can be told beside its kind and its reconciler.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::FutureExt;
use kube::{
    core::{PartialObjectMeta, Selector},
    runtime::reflector::ObjectRef,
};

use super::{
    Action, Context, Controller, Requests, Settings, Spec,
    queue::Rate,
    source::{FromHost, Source, Within, owner},
};
use crate::{
    cluster::{Cluster, ClusterName},
    engage::Engagement,
    error::BoxError,
    informer::{Objects, Predicate, Watch, Watched},
};

/// What else asks for reconciles.
impl<K: Watched, S: Clone + Send + Sync + 'static> Controller<K, S> {
    /// Only changes of the objects that pass; of several predicates, all of them.
    #[must_use]
    pub fn predicate(mut self, predicate: impl Predicate<K>) -> Self {
        let spec = self.spec_mut();
        spec.watch = spec.watch.clone().predicate(predicate);
        self
    }

    /// A change of a `C` asks for the object that is its controller (`ownerReferences`).
    #[must_use]
    pub fn owns<C: Watched<DynamicType: Default>>(self) -> Self {
        self.owns_with(Watch::<C>::new())
    }

    /// The same for the objects that `watch` shows.
    #[must_use]
    pub fn owns_with<C: Watched>(self, watch: Watch<C>) -> Self {
        let dyntype = self.spec.watch.dyntype().clone();
        self.source(Within::<K, C> {
            watch,
            map: Arc::new(move |object, objects| owner(&dyntype, object, objects)),
        })
    }

    /// A change of a `W` asks for the objects that `map` names; the second argument are the known ones.
    ///
    /// Of an update, both the old and the new state are mapped.
    #[must_use]
    pub fn watches<W: Watched<DynamicType: Default>>(
        self,
        map: impl Fn(&W, &Objects<K>) -> Vec<ObjectRef<K>> + Send + Sync + 'static,
    ) -> Self {
        self.watches_with(Watch::<W>::new(), map)
    }

    /// The same for the objects that `watch` shows.
    #[must_use]
    pub fn watches_with<W: Watched>(
        self,
        watch: Watch<W>,
        map: impl Fn(&W, &Objects<K>) -> Vec<ObjectRef<K>> + Send + Sync + 'static,
    ) -> Self {
        let map = Arc::new(map);
        self.source(Within::<K, W> { watch, map })
    }

    /// The same for a kind of which only the metadata are asked for and kept.
    #[must_use]
    pub fn watches_metadata<W>(
        self,
        map: impl Fn(&PartialObjectMeta<W>, &Objects<K>) -> Vec<ObjectRef<K>> + Send + Sync + 'static,
    ) -> Self
    where
        PartialObjectMeta<W>: Watched<DynamicType: Default>,
    {
        self.watches_with(Watch::<PartialObjectMeta<W>>::new(), map)
    }

    /// A change of a `W` in the host asks for the objects that `map` names in a cluster.
    ///
    /// `map` is called for every engaged cluster. The host is read-only; see [`Context::host_objects`].
    #[must_use]
    pub fn watches_host<W: Watched<DynamicType: Default>>(
        self,
        map: impl Fn(&W, &Cluster) -> Vec<ObjectRef<K>> + Send + Sync + 'static,
    ) -> Self {
        self.watches_host_with(Watch::<W>::new(), map)
    }

    /// The same for the objects that `watch` shows.
    #[must_use]
    pub fn watches_host_with<W: Watched>(
        self,
        watch: Watch<W>,
        map: impl Fn(&W, &Cluster) -> Vec<ObjectRef<K>> + Send + Sync + 'static,
    ) -> Self {
        let map = Arc::new(map);
        self.source(FromHost::<K, W> { watch, map })
    }

    /// A handle that asks for reconciles, whatever the reason.
    #[must_use]
    pub fn requests(&self) -> Requests<K> {
        Requests::new(self.spec.scheduler.clone())
    }

    fn source(mut self, source: impl Source<K> + 'static) -> Self {
        self.spec_mut().sources.push(Arc::new(source));
        self
    }
}

/// How it works.
impl<K: Watched, S: Clone + Send + Sync + 'static> Controller<K, S> {
    /// Everything that `settings` says; what is called later overrides it.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        let spec = self.spec_mut();
        spec.limits.total = settings.concurrency.max(1);
        spec.limits.per_cluster = settings.per_cluster_concurrency.map(|share| share.max(1));
        spec.timeout = settings.reconcile_timeout;
        self.limit()
    }

    /// Works only on clusters for which `filter` says so; of several filters, all of them.
    ///
    /// It is asked when a cluster is engaged, and again when its labels change: this controller alone then begins to work
    /// there, or drains and ends, while the others go on over the same connection.
    #[must_use]
    pub fn clusters(mut self, filter: impl Fn(&Cluster) -> bool + Send + Sync + 'static) -> Self {
        self.spec_mut().clusters.add(filter);
        self
    }

    /// Works only on clusters with these labels, which come from the provider; see [`clusters`](Self::clusters).
    ///
    /// ```
    /// # use multicluster::{Action, BoxError, Context, Controller, k8s_openapi::api::core::v1::ConfigMap};
    /// # async fn reconcile(_: Context<ConfigMap>) -> Result<Action, BoxError> { Ok(Action::await_change()) }
    /// use kube::core::Expression;
    /// use multicluster::parse_selector;
    ///
    /// let controller = Controller::new("config-maps", reconcile)
    ///     .cluster_labels(parse_selector("env=prod,region in (eu, us)")?)
    ///     .cluster_labels(Expression::DoesNotExist("canary".into()));
    /// # Ok::<(), multicluster::Error>(())
    /// ```
    #[must_use]
    pub fn cluster_labels(mut self, selector: impl Into<Selector>) -> Self {
        self.spec_mut().clusters.add_labels(selector.into());
        self
    }

    /// How many reconciles run at a time in all clusters together; 16 by default, at least 1.
    #[must_use]
    pub fn concurrency(mut self, reconciles: usize) -> Self {
        self.spec_mut().limits.total = reconciles.max(1);
        self.limit()
    }

    /// How many reconciles run at a time in one cluster; at least 1.
    ///
    /// By default half of all when there are other clusters: one that hangs must not stop the rest.
    #[must_use]
    pub fn per_cluster_concurrency(mut self, reconciles: usize) -> Self {
        self.spec_mut().limits.per_cluster = Some(reconciles.max(1));
        self.limit()
    }

    /// In one cluster, begins `burst` reconciles at once after a quiet time, and one per `interval` in the long run.
    ///
    /// Without a limit by default.
    #[must_use]
    pub fn per_cluster_rate(mut self, interval: Duration, burst: u32) -> Self {
        self.spec_mut().limits.rate = Some(Rate { interval, burst });
        self.limit()
    }

    /// How many turns a cluster gets for each one of a cluster of weight 1; 0 counts as 1.
    #[must_use]
    pub fn cluster_weight(
        mut self,
        weight: impl Fn(&Cluster) -> u32 + Send + Sync + 'static,
    ) -> Self {
        self.spec_mut().weight =
            Arc::new(move |cluster| NonZeroU32::new(weight(cluster)).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Drops a reconcile that takes longer, and tries it again like a failed one; without a limit by default.
    #[must_use]
    pub fn reconcile_timeout(mut self, limit: Duration) -> Self {
        self.spec_mut().timeout = Some(limit);
        self
    }

    /// Finds objects by what `values` says of them: see [`Objects::by_index`].
    #[must_use]
    pub fn index(
        mut self,
        name: impl Into<String>,
        values: impl Fn(&K) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        let added: (Arc<str>, super::IndexValues<K>) = (name.into().into(), Arc::new(values));
        let known = self.spec.indexes.iter().cloned();
        self.spec_mut().indexes = known.chain([added]).collect();
        self
    }

    /// What happens after an error, in place of the back-off.
    #[must_use]
    pub fn error_policy(
        mut self,
        policy: impl Fn(&Context<K, S>, &BoxError) -> Action + Send + Sync + 'static,
    ) -> Self {
        self.spec_mut().error_policy = Some(Arc::new(policy));
        self
    }

    /// Called when a cluster is engaged, before its first reconcile; it may ask for objects of any engaged cluster.
    ///
    /// When it fails it is called again with back-off, and the controller does not work on the cluster before it succeeds.
    #[must_use]
    pub fn on_engage<F, E>(
        mut self,
        hook: impl Fn(Engagement, Requests<K>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.spec_mut().on_engage = Some(Arc::new(move |engagement, requests| {
            hook(engagement, requests)
                .map(|result| result.map_err(Into::into))
                .boxed()
        }));
        self
    }

    /// Called when an engagement has ended, after its last reconcile; it may ask for objects of other clusters.
    ///
    /// It is called for every engagement for which [`on_engage`](Self::on_engage) has succeeded, but not when a drain took
    /// too long and was ended by force.
    #[must_use]
    pub fn on_disengage<F>(
        mut self,
        hook: impl Fn(ClusterName, Requests<K>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spec_mut().on_disengage = Some(Arc::new(move |cluster, requests| {
            hook(cluster, requests).boxed()
        }));
        self
    }

    fn spec_mut(&mut self) -> &mut Spec<K, S> {
        Arc::make_mut(&mut self.spec)
    }

    fn limit(self) -> Self {
        self.spec.scheduler.limit(self.spec.limits);
        self
    }
}
