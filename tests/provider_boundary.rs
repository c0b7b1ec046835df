//! The built-in providers use nothing but what any other crate could use.
//!
//! They are compiled here once more, outside of the library: a private name in one of them does not compile.

#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../providers/mod.rs"]
mod providers;

use futures_util::{StreamExt, TryStreamExt};
use multicluster::{ClusterEvent, ClusterProvider};

#[tokio::test]
async fn a_provider_of_another_crate_is_a_provider() {
    let client = kube_sandbox::Sandbox::new().client();
    let fixed = providers::FixedProvider::new().cluster("zoo".parse().unwrap(), client);
    let events: Vec<_> = fixed.clusters().take(2).try_collect().await.unwrap();
    assert!(
        matches!(&events[..], [ClusterEvent::Applied(zoo), ClusterEvent::Synced] if zoo.name.as_str() == "zoo")
    );
}
