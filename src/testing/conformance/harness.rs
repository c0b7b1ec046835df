//! What the suite needs of the one who wrote a provider.

use std::collections::BTreeMap;

use kube::{Client, client::Body};

use crate::{
    cluster::ClusterName,
    error::{BoxError, Error},
    provider::ClusterProvider,
};

/// A source of clusters in the hands of the suite, and providers that read it.
///
/// Each check begins with a new one, which must have no clusters. The suite calls clusters by keys such as `zoo` or `c-17`
/// (DNS labels); [`name`](Self::name) says what the provider calls them. A change has arrived in the source when its
/// method returns; changes must also work while the source is [down](Self::source_down) for providers.
///
/// What a source cannot do is listed in [`cannot`](Self::cannot), and the methods for it are left out.
///
/// # Errors
/// Of the methods: they end the check, which then blames the harness and not the provider.
#[expect(
    async_fn_in_trait,
    reason = "the suite awaits them in its own task, and never as trait objects"
)]
pub trait Harness {
    /// The provider under test.
    type Provider: ClusterProvider;

    /// What this source cannot do; the clauses that need it are reported as not judged.
    fn cannot(&self) -> Vec<Part> {
        Vec::new()
    }

    /// A provider that reads this source: a new one with each call, where the source permits that.
    async fn provider(&self) -> Result<Self::Provider, BoxError>;

    /// The name that the provider gives to the cluster `key`.
    ///
    /// # Errors
    /// When the name is none.
    fn name(&self, key: &str) -> Result<ClusterName, Error> {
        ClusterName::new(key)
    }

    /// Adds a cluster; one of the same key may have been deleted before.
    async fn create(&self, key: &str) -> Result<(), BoxError>;

    /// Deletes a cluster.
    async fn delete(&self, key: &str) -> Result<(), BoxError>;

    /// Changes what `connect` would use for a cluster, such as its token ([`Part::Rotate`]).
    async fn rotate(&self, _key: &str) -> Result<(), BoxError> {
        Err(missing("rotate", Part::Rotate))
    }

    /// Changes something about a cluster that `connect` does not use, such as an annotation ([`Part::Touch`]).
    async fn touch(&self, _key: &str) -> Result<(), BoxError> {
        Err(missing("touch", Part::Touch))
    }

    /// Gives labels to a cluster, beside those that it must have ([`Part::Labels`]).
    async fn label(&self, _key: &str, _labels: &BTreeMap<String, String>) -> Result<(), BoxError> {
        Err(missing("label", Part::Labels))
    }

    /// Makes the source of one cluster unusable, so that it cannot be connected to ([`Part::Break`]).
    async fn break_cluster(&self, _key: &str) -> Result<(), BoxError> {
        Err(missing("break_cluster", Part::Break))
    }

    /// Makes it usable again ([`Part::Break`]).
    async fn heal_cluster(&self, _key: &str) -> Result<(), BoxError> {
        Err(missing("heal_cluster", Part::Break))
    }

    /// Makes the whole source unreadable for providers ([`Part::Outage`]).
    async fn source_down(&self) -> Result<(), BoxError> {
        Err(missing("source_down", Part::Outage))
    }

    /// Makes it readable again ([`Part::Outage`]).
    async fn source_up(&self) -> Result<(), BoxError> {
        Err(missing("source_up", Part::Outage))
    }

    /// Texts that are secret in the credentials of clusters, present and past ([`Part::Secrets`]).
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Checks that `client` reaches the cluster `key`, and no other; unless told otherwise, that it is answered at all.
    async fn reaches(&self, _key: &str, client: Client) -> Result<(), BoxError> {
        let response = client
            .send(http::Request::get("/version").body(Body::empty())?)
            .await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("GET /version: {status}").into()),
        }
    }
}

/// Something that a [`Harness`] may be unable to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// [`Harness::rotate`].
    Rotate,
    /// [`Harness::touch`].
    Touch,
    /// [`Harness::label`].
    Labels,
    /// [`Harness::break_cluster`] and [`Harness::heal_cluster`].
    Break,
    /// [`Harness::source_down`] and [`Harness::source_up`].
    Outage,
    /// [`Harness::secrets`].
    Secrets,
}

/// The error of a method that was left out.
fn missing(method: &str, part: Part) -> BoxError {
    format!("the harness has no method {method}, and does not say that it cannot {part:?}").into()
}
