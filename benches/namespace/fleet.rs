//! Many Namespaces in one process, over loopback: with the provider, and with plain watches by kube alone.
//!
//! The clients are in a child process each, whose resident memory is theirs alone; the server is here and counts requests.

use std::{
    fs,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config, ResourceExt,
    api::Patch,
    runtime::{WatchStreamExt, reflector, watcher},
};
use kube_sandbox::{Faults, Sandbox, Verb};
use multicluster::{
    Action, BoxError, Context, Controller, Manager, cluster_client, providers::NamespaceProvider,
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::quantile;

/// The first argument of the process that has the clients.
pub(crate) const CHILD: &str = "clients";

/// A change that was seen: which one of the writer's, and when.
type Seen = (Option<String>, Instant);

pub(crate) fn measure(namespaces: usize, objects: usize, changes: usize) -> Vec<String> {
    let server = runtime();
    let sandbox = Sandbox::new();
    for number in 0..namespaces {
        let name = format!("n{number}");
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let maps = (0..objects).map(|map| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m{map}"), "namespace": name},
                "data": {"text": "some text of a value ".repeat(25)}})
        });
        sandbox
            .load([namespace].into_iter().chain(maps))
            .expect("objects");
    }
    let faults = Faults::new(&sandbox, 1);
    let listener = server
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let serving = server.block_on(async { faults.serve(listener).expect("a server") });
    let url = serving.url();
    let mut lines = Vec::new();
    for mode in ["provider", "plain"] {
        faults.forget_calls();
        let numbers = [namespaces, namespaces * objects, changes].map(|number| number.to_string());
        let child = Command::new(std::env::current_exe().expect("a path"))
            .args([CHILD, mode, url.as_str()])
            .args(numbers)
            .stderr(Stdio::inherit())
            .output()
            .expect("a child");
        assert!(child.status.success(), "the child failed");
        let calls = faults.calls();
        let count = |verb| {
            let calls = calls.iter().filter(|call| call.kind == "ConfigMap");
            calls.filter(|call| call.verb == verb).count()
        };
        lines.push(format!(
            "{namespaces} namespaces x {objects} ConfigMaps, {mode}: {} LISTs, {} WATCHes, {}",
            count(Verb::List),
            count(Verb::Watch),
            String::from_utf8_lossy(&child.stdout).trim()
        ));
    }
    lines
}

/// The process that has the clients.
pub(crate) fn child(args: &[String]) {
    let [mode, url, namespaces, objects, changes] = args else {
        panic!("arguments: {args:?}")
    };
    let number = |text: &String| text.parse().expect("a number");
    let (namespaces, objects, changes) = (number(namespaces), number(objects), number(changes));
    raise_limit();
    runtime().block_on(async {
        let start = Instant::now();
        let (sender, mut seen) = unbounded_channel();
        let client = client(url);
        let count = Arc::new(AtomicUsize::new(0));
        let tasks = match mode.as_str() {
            "provider" => with_provider(client, sender, &count),
            _ => plain(&client, namespaces, &sender, &count),
        };
        while count.load(Ordering::Relaxed) < objects {
            assert!(start.elapsed() < Duration::from_secs(120), "not within two minutes");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let synced = start.elapsed();
        tokio::time::sleep(Duration::from_secs(1)).await;
        while seen.try_recv().is_ok() {}
        let resident = resident();
        let mut latencies = write(url, namespaces, changes, &mut seen).await;
        latencies.sort();
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(&latencies, part));
        println!(
            "synced after {synced:.0?}, {resident}, {} after {changes} changes, from a change's request to its reconcile or event p50 {p50:.0?}, p99 {p99:.0?}",
            self::resident()
        );
        drop(tasks);
        // What is still open would be waited for.
        std::process::exit(0);
    });
}

/// A whole manager with a controller of ConfigMaps.
fn with_provider(
    client: Client,
    seen: UnboundedSender<Seen>,
    count: &Arc<AtomicUsize>,
) -> tokio::task::JoinSet<()> {
    let count = count.clone();
    let controller = Controller::new("maps", move |context: Context<ConfigMap>| {
        let object = context.object();
        let change = object.and_then(|map| map.annotations().get("n").cloned());
        let _ = seen.send((change, Instant::now()));
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, BoxError>(Action::await_change()) }
    });
    let provider = NamespaceProvider::new(client);
    let manager = Manager::builder(provider).with(controller).build();
    let manager = manager.expect("a manager");
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async {
        manager
            .run(std::future::pending())
            .await
            .expect("a manager");
    });
    tasks
}

/// A watch of each Namespace with a store, by kube.
fn plain(
    client: &Client,
    namespaces: usize,
    seen: &UnboundedSender<Seen>,
    count: &Arc<AtomicUsize>,
) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..namespaces {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &format!("n{number}"));
        let (seen, count) = (seen.clone(), count.clone());
        tasks.spawn(async move {
            let (store, writer) = reflector::store();
            let changes = watcher(maps, watcher::Config::default()).default_backoff();
            let changes = changes.modify(|map| map.managed_fields_mut().clear());
            let mut changes = std::pin::pin!(reflector(writer, changes).applied_objects());
            while let Ok(Some(map)) = changes.try_next().await {
                let _ = seen.send((map.annotations().get("n").cloned(), Instant::now()));
                count.fetch_add(1, Ordering::Relaxed);
            }
            drop(store);
        });
    }
    tasks
}

/// Changes objects, one after the other; how long each took to be seen.
async fn write(
    url: &str,
    namespaces: usize,
    changes: usize,
    seen: &mut UnboundedReceiver<Seen>,
) -> Vec<Duration> {
    let writer = client(url);
    let mut latencies = Vec::new();
    for change in 0..changes {
        // Never what another process has written: that would be no change.
        let wanted = Some(format!("{}-{change}", std::process::id()));
        let namespace = format!("n{}", change * 7 % namespaces);
        let maps: Api<ConfigMap> = Api::namespaced(writer.clone(), &namespace);
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"n": wanted}}}));
        let sent = Instant::now();
        maps.patch("m0", &Default::default(), &patch)
            .await
            .expect("a patch");
        loop {
            let (shown, at) = seen.recv().await.expect("a change");
            if shown == wanted {
                latencies.push(at - sent);
                break;
            }
        }
    }
    latencies
}

fn client(url: &str) -> Client {
    cluster_client(Config::new(url.parse().expect("a URL"))).expect("a client")
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let builder = builder.worker_threads(2).enable_all();
    builder.build().expect("a runtime")
}

/// The resident memory of this process, and what of it is not the program's text.
fn resident() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let megabytes = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kilobytes.unwrap_or(0_u64) / 1024
    };
    let (all, data) = (megabytes("VmRSS:"), megabytes("RssAnon:"));
    format!("{all} MB resident ({data} MB of data)")
}

/// Plain watches need a connection each.
fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
