//! What the containers of Pods write, and who knows it.
//!
//! The sandbox runs no containers. Whoever plays the kubelet implements [`ContainerLogs`] and gives it to
//! [`SandboxBuilder::logs`](crate::SandboxBuilder::logs); `kubectl logs` then reads what it hands out.
//!
//! # Flow
//! 1. A client asks for `pods/{name}/log`. The sandbox finds the Pod, chooses the container and checks its status, as
//!    kube-apiserver and a kubelet do.
//! 2. It calls [`ContainerLogs::open`] and applies the options of the request to the lines that it gets.
//! 3. A reply that follows ends when the stream of live lines does.

mod limits;
mod options;
mod stream;

use std::{fmt, sync::Arc};

use futures_util::stream::BoxStream;
use jiff::Timestamp;

pub(crate) use self::{options::LogOptions, stream::chunks};

/// Knows what the containers of Pods have written.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use k8s_openapi::api::core::v1::{Node, Pod};
/// use kube::{Api, api::{LogParams, Patch, PatchParams, PostParams}};
/// use kube_sandbox::{ContainerLog, ContainerLogs, LogLine, LogSource, Sandbox};
/// use serde_json::json;
///
/// struct Greeting;
///
/// impl ContainerLogs for Greeting {
///     fn open(&self, source: LogSource) -> Option<ContainerLog> {
///         let line = LogLine::new(jiff::Timestamp::now(), format!("hello from {}", source.pod));
///         Some(ContainerLog::new(vec![line], stream::empty().boxed()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::builder().logs(Greeting).build();
/// let pods: Api<Pod> = Api::default_namespaced(sandbox.client());
/// let lion = serde_json::from_value(json!({
///     "metadata": {"name": "lion"},
///     "spec": {"nodeName": "savanna", "containers": [{"name": "main", "image": "lion:dev"}]},
/// }))?;
/// pods.create(&PostParams::default(), &lion).await?;
///
/// // Who plays the kubelet says which containers run.
/// let running = json!({"status": {"containerStatuses": [{
///     "name": "main", "image": "lion:dev", "imageID": "", "ready": true, "restartCount": 0,
///     "containerID": "process://7", "state": {"running": {}},
/// }]}});
/// pods.patch_status("lion", &PatchParams::default(), &Patch::Merge(&running)).await?;
/// assert_eq!(pods.logs("lion", &LogParams::default()).await?, "hello from lion\n");
/// # Ok(())
/// # }
/// ```
pub trait ContainerLogs: Send + Sync + 'static {
    /// What a container has written, and what it will; `None` for a container that is not known.
    ///
    /// It is called for containers whose status says that they run or have run, and must not block.
    fn open(&self, source: LogSource) -> Option<ContainerLog>;
}

/// A container whose log is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LogSource {
    /// The namespace of the Pod.
    pub namespace: String,
    /// The name of the Pod.
    pub pod: String,
    /// The name of the container.
    pub container: String,
    /// Whether the container before the last restart is meant; its status has a `lastState` then.
    pub previous: bool,
}

/// The log of a container.
#[non_exhaustive]
pub struct ContainerLog {
    /// What it has written, oldest first.
    pub past: Vec<LogLine>,
    /// What it writes after that; the end of the stream is the end of the container.
    ///
    /// It is read only for clients that follow, and dropped when they go.
    pub live: BoxStream<'static, LogLine>,
}

/// A line that a container has written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// When it was written.
    pub time: Timestamp,
    /// The line, without its end.
    pub text: String,
}

/// The source of all logs, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Logs(Option<Arc<dyn ContainerLogs>>);

// === impl ContainerLog ===

impl ContainerLog {
    /// A log of which `past` is written and `live` will be.
    #[must_use]
    pub fn new(past: Vec<LogLine>, live: BoxStream<'static, LogLine>) -> Self {
        Self { past, live }
    }
}

impl fmt::Debug for ContainerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ContainerLog");
        debug.field("past", &self.past).finish_non_exhaustive()
    }
}

// === impl LogLine ===

impl LogLine {
    /// A line that was written at `time`.
    #[must_use]
    pub fn new(time: Timestamp, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { time, text }
    }
}

// === impl Logs ===

impl Logs {
    pub(crate) fn of(logs: impl ContainerLogs) -> Self {
        Self(Some(Arc::new(logs)))
    }

    pub(crate) fn open(&self, source: LogSource) -> Option<ContainerLog> {
        self.0.as_ref()?.open(source)
    }
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Logs").field(&self.0.is_some()).finish()
    }
}
