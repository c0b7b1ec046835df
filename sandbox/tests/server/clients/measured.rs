//! What a request costs here and on kube-apiserver with etcd; run by hand, the figures are in the README.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use tokio::sync::Mutex;

use crate::support::{config_map, control_plane::ControlPlane};

const OBJECTS: usize = 10_000;
const WRITERS: usize = 16;
const WATCHERS: usize = 100;
const PACED: usize = 2_000;

/// What was measured of one server.
struct Figures {
    creates: f64,
    patches: f64,
    latencies: Vec<Duration>,
    memory: u64,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KUBEBUILDER_ASSETS, see tests/assets/README.md; a measurement, with `cargo test --release`"]
async fn beside_kube_apiserver() {
    let plane = ControlPlane::start().await;
    let real = measure(plane.client().await, &plane.pids()).await;
    drop(plane);
    let program = Program::start();
    let ours = measure(program.client().await, &[program.child.id()]).await;
    println!(
        "MEASURED {:<44}{:>14}{:>24}",
        "", "kube-sandbox", "kube-apiserver + etcd"
    );
    let line = |what: &str, ours: String, real: String| {
        println!("MEASURED {what:<44}{ours:>14}{real:>24}")
    };
    line(
        "creates per second, 16 at a time",
        format!("{:.0}", ours.creates),
        format!("{:.0}", real.creates),
    );
    line(
        "patches per second, 16 at a time",
        format!("{:.0}", ours.patches),
        format!("{:.0}", real.patches),
    );
    for (what, share) in [("p50", 0.5), ("p99", 0.99)] {
        let what = format!("a patch is seen by the last of {WATCHERS} watches, {what}");
        line(&what, ours.latency(share), real.latency(share));
    }
    line(
        "memory with 10,000 ConfigMaps, in MB",
        ours.memory.to_string(),
        real.memory.to_string(),
    );
}

async fn measure(client: Client, pids: &[u32]) -> Figures {
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let name = |number: usize| format!("map-{number:05}");
    let start = Instant::now();
    stream::iter(0..OBJECTS)
        .for_each_concurrent(WRITERS, |number| {
            let api = api.clone();
            async move {
                drop(
                    api.create(&PostParams::default(), &config_map(&name(number)))
                        .await
                        .unwrap(),
                )
            }
        })
        .await;
    let creates = OBJECTS as f64 / start.elapsed().as_secs_f64();
    let patch = |number: usize, value: String| {
        let (api, patch) = (api.clone(), json!({"data": {"value": value}}));
        async move {
            api.patch(&name(number), &PatchParams::default(), &Patch::Merge(patch))
                .await
                .unwrap()
        }
    };
    let start = Instant::now();
    stream::iter(0..OBJECTS)
        .for_each_concurrent(WRITERS, |number| {
            let patch = patch(number, "0".into());
            async { drop(patch.await) }
        })
        .await;
    let patches = OBJECTS as f64 / start.elapsed().as_secs_f64();
    let last = patch(0, "start".into())
        .await
        .metadata
        .resource_version
        .unwrap();
    let memory = pids.iter().map(|pid| resident(*pid)).sum();

    // The moments in which each change was seen, by its number.
    let seen = Arc::new(Mutex::new(vec![Vec::<Instant>::new(); PACED]));
    let watches = (0..WATCHERS).map(|_| {
        let (api, seen, last) = (api.clone(), seen.clone(), last.clone());
        tokio::spawn(async move {
            let params = WatchParams::default().timeout(280);
            let mut events = api.watch(&params, &last).await.unwrap().boxed();
            let mut left = PACED;
            while let Some(event) = events.next().await {
                let WatchEvent::Modified(map) = event.unwrap() else {
                    continue;
                };
                let change: usize = map.data.unwrap()["value"].parse().unwrap();
                seen.lock().await[change].push(Instant::now());
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        })
    });
    let watches: Vec<_> = watches.collect();
    let mut turns = tokio::time::interval(Duration::from_millis(10));
    let mut sent = Vec::new();
    for change in 0..PACED {
        turns.tick().await;
        sent.push(Instant::now());
        patch(change % OBJECTS, change.to_string()).await;
    }
    join_all(watches).await;
    let seen = seen.lock().await;
    let latencies = sent
        .iter()
        .zip(seen.iter())
        .map(|(sent, seen)| seen.iter().max().unwrap().duration_since(*sent));
    let mut latencies: Vec<_> = latencies.collect();
    latencies.sort();
    Figures {
        creates,
        patches,
        latencies,
        memory,
    }
}

impl Figures {
    fn latency(&self, share: f64) -> String {
        let index = (self.latencies.len() as f64 * share) as usize;
        format!("{:.1} ms", self.latencies[index].as_secs_f64() * 1e3)
    }
}

/// The resident memory of a process in megabytes.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

/// The program, as a process of its own.
struct Program {
    child: Child,
    folder: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let program = option_env!("CARGO_BIN_EXE_kube-sandbox");
        let child = Command::new(program.expect("run this with --all-features"))
            .arg("--kubeconfig")
            .arg(folder.path().join("kubeconfig"))
            .stdout(Stdio::null())
            .spawn();
        Self {
            child: child.unwrap(),
            folder,
        }
    }

    async fn client(&self) -> Client {
        let path = self.folder.path().join("kubeconfig");
        let deadline = Instant::now() + Duration::from_secs(10);
        let kubeconfig = loop {
            match Kubeconfig::read_from(&path) {
                Ok(kubeconfig) => break kubeconfig,
                Err(error) => assert!(Instant::now() < deadline, "no kubeconfig: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Client::try_from(config.unwrap()).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
