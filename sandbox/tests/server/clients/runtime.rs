//! A controller of kube-rs as it would run on a real cluster, in paused time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Event as StoredEvent, Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
    runtime::{
        Controller, WatchStreamExt,
        controller::Action,
        events::{Event, EventType, Recorder, Reporter},
        finalizer::{Event as Finalizer, finalizer},
        reflector,
        wait::await_condition,
        watcher,
    },
};
use kube_sandbox::Sandbox;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::support::config_map;

const FINALIZER: &str = "example.com/copies";
const AGAIN: Duration = Duration::from_secs(300);
const LIMIT: Duration = Duration::from_secs(10);

/// What the reconciler needs: copies each ConfigMap into a Secret that it owns.
struct App {
    client: Client,
    recorder: Recorder,
    started: Instant,
    /// When which object was reconciled.
    log: Mutex<Vec<(Duration, String)>>,
}

type Failure = kube::runtime::finalizer::Error<kube::Error>;

async fn reconcile(map: Arc<ConfigMap>, app: Arc<App>) -> Result<Action, Failure> {
    let namespace = map.namespace().unwrap_or_default();
    let maps: Api<ConfigMap> = Api::namespaced(app.client.clone(), &namespace);
    finalizer(&maps, FINALIZER, map, async |event| match event {
        Finalizer::Apply(map) => app.copy(&map).await,
        Finalizer::Cleanup(map) => app.clean(&map).await,
    })
    .await
}

impl App {
    async fn copy(&self, map: &ConfigMap) -> Result<Action, kube::Error> {
        self.note(format!("copy {}", map.name_any()));
        let secrets: Api<Secret> = Api::default_namespaced(self.client.clone());
        let copy = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": map.name_any(), "ownerReferences": [map.controller_owner_ref(&())]},
            "stringData": map.data,
        });
        let params = PatchParams::apply("copies.example.com").force();
        secrets
            .patch(&map.name_any(), &params, &Patch::Apply(copy))
            .await?;
        let event = Event {
            type_: EventType::Normal,
            reason: "Copied".into(),
            note: Some(format!("the Secret {} is a copy", map.name_any())),
            action: "Copy".into(),
            secondary: None,
        };
        self.recorder.publish(&event, &map.object_ref(&())).await?;
        Ok(Action::requeue(AGAIN))
    }

    async fn clean(&self, map: &ConfigMap) -> Result<Action, kube::Error> {
        self.note(format!("clean {}", map.name_any()));
        let secrets: Api<Secret> = Api::default_namespaced(self.client.clone());
        secrets
            .delete(&map.name_any(), &DeleteParams::default())
            .await?;
        Ok(Action::await_change())
    }

    fn note(&self, text: String) {
        self.log
            .lock()
            .unwrap()
            .push((self.started.elapsed(), text));
    }
}

fn has(key: &str, value: &str) -> impl Fn(Option<&Secret>) -> bool {
    let (key, value) = (key.to_owned(), value.to_owned());
    move |secret| {
        let data = secret.and_then(|secret| secret.data.as_ref());
        data.and_then(|data| data.get(&key))
            .is_some_and(|bytes| bytes.0 == value.as_bytes())
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_with_finalizers_events_and_owned_objects_runs_as_on_a_real_cluster() {
    let sandbox = Sandbox::new();
    let client = sandbox.client();
    let app = Arc::new(App {
        recorder: Recorder::new(
            client.clone(),
            Reporter {
                controller: "copies".into(),
                instance: None,
            },
        ),
        client: client.clone(),
        started: Instant::now(),
        log: Mutex::default(),
    });
    let (maps, secrets): (Api<ConfigMap>, Api<Secret>) = (
        Api::default_namespaced(client.clone()),
        Api::default_namespaced(client.clone()),
    );
    let controller = Controller::new(maps.clone(), watcher::Config::default())
        .owns(secrets.clone(), watcher::Config::default());
    let running = tokio::spawn(
        controller
            .run(
                reconcile,
                |_, _, _| Action::requeue(Duration::from_secs(1)),
                app.clone(),
            )
            .for_each(async |_| ()),
    );

    let mut elephant = config_map("elephant");
    elephant.data = Some([("trunk".to_owned(), "long".to_owned())].into());
    maps.create(&PostParams::default(), &elephant)
        .await
        .unwrap();
    let copied = await_condition(secrets.clone(), "elephant", has("trunk", "long"));
    timeout(LIMIT, copied).await.expect("it is copied").unwrap();

    // Somebody changes the copy: the controller owns it, hears of it, and puts it right.
    let spoil = json!({"stringData": {"trunk": "short"}});
    secrets
        .patch("elephant", &PatchParams::default(), &Patch::Merge(spoil))
        .await
        .unwrap();
    let repaired = await_condition(secrets.clone(), "elephant", has("trunk", "long"));
    timeout(LIMIT, repaired)
        .await
        .expect("it is repaired")
        .unwrap();

    // Nothing happens for five minutes, and then it is looked at once more.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = app.log.lock().unwrap().len();
    tokio::time::sleep(AGAIN - Duration::from_secs(10)).await;
    assert_eq!(app.log.lock().unwrap().len(), before);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(app.log.lock().unwrap().len(), before + 1);

    let events: Api<StoredEvent> = Api::default_namespaced(client);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(
        events
            .items
            .iter()
            .any(|event| event.reason.as_deref() == Some("Copied")),
        "{events:?}"
    );

    // The finalizer holds the object until the copy is gone.
    maps.delete("elephant", &DeleteParams::default())
        .await
        .unwrap();
    let gone = await_condition(maps.clone(), "elephant", |map: Option<&ConfigMap>| {
        map.is_none()
    });
    timeout(LIMIT, gone).await.expect("it goes").unwrap();
    assert!(secrets.get_opt("elephant").await.unwrap().is_none());
    assert_eq!(app.log.lock().unwrap().last().unwrap().1, "clean elephant");
    running.abort();
}

/// `true` lists by a streaming watch, as clients do that ask for it.
async fn reflect(streaming: bool) {
    let sandbox = Sandbox::builder().history(3).build();
    let maps: Api<ConfigMap> = Api::default_namespaced(sandbox.client());
    for number in 0..3 {
        maps.create(
            &PostParams::default(),
            &config_map(&format!("map-{number}")),
        )
        .await
        .unwrap();
    }
    let (store, writer) = reflector::store();
    let config = watcher::Config::default();
    let config = if streaming {
        config.streaming_lists()
    } else {
        config
    };
    let stream = reflector(writer, watcher(maps.clone(), config)).default_backoff();
    let running = tokio::spawn(stream.for_each(async |_| ()));
    timeout(LIMIT, store.wait_until_ready())
        .await
        .expect("it is ready")
        .unwrap();
    assert_eq!(store.len(), 3);

    // A list that starts anew after its history is lost, and a watch that lasts longer than the server lets it.
    sandbox.compact();
    tokio::time::sleep(Duration::from_secs(900)).await;
    maps.delete("map-0", &DeleteParams::default())
        .await
        .unwrap();
    maps.create(&PostParams::default(), &config_map("map-3"))
        .await
        .unwrap();
    tokio::time::sleep(LIMIT).await;
    let mut names: Vec<_> = store.state().iter().map(|map| map.name_any()).collect();
    names.sort();
    assert_eq!(names, ["map-1", "map-2", "map-3"]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_reflector_follows_through_ends_of_watches_and_lost_history() {
    reflect(false).await;
    reflect(true).await;
}
