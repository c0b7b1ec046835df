//! Every context of kubeconfig files is a cluster.

mod content;
mod digest;
mod folders;
mod follow;
mod load;
mod problems;
mod reader;
mod source;
mod stamp;

use std::{
    fmt,
    path::{Path, PathBuf, absolute},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::BoxStream};
use glob::Pattern;
use multicluster::{
    BoxError, Cluster, ClusterEvent, ClusterName, ClusterProvider, ClusterRef, Error,
};
use tokio::{
    sync::{Notify, Semaphore},
    task::spawn_blocking,
};

use super::credentials::{self, Allowed};
use reader::{Place, Places, Reader};
use source::Source;

const NAME: &str = "file";

/// How often the sources are looked at, beside whenever a change of them is noticed.
const POLL: Duration = Duration::from_secs(30);

/// How many files are read at a time to connect.
const READS: usize = 8;

/// Every context of kubeconfig files is a cluster, with the context's name.
///
/// Files are given one by one, as folders, or as patterns, and are followed while the manager runs. All of them belong
/// to the one who runs the program, so they may do by default what they may do for kubectl; see [`allow`](Self::allow).
///
/// ```
/// use multicluster::providers::FileProvider;
///
/// let provider = FileProvider::new()
///     .folder("/etc/fleet")
///     .glob("/home/*/.kube/*.yaml")?;
/// # Ok::<(), multicluster::Error>(())
/// ```
///
/// # What is a cluster
/// - A name is used once: of two sources, the one that was given first has it, and in a folder the file that comes first
///   by name. The other one is an error.
/// - A cluster has the label `file`, with its file's name.
/// - Each file stands for itself: contexts, clusters and users of several files are not put together.
///
/// # Changes
/// - They are noticed at once where the system tells of them (renames and the links of mounted Secrets included), and else
///   at the next [`poll`](Self::poll). Changes in a burst are one; it is read when 0.1 s have been quiet, or after 1 s.
/// - A cluster is connected to anew when its context, its cluster, its user, or a file with a certificate or key of it has
///   changed, and only then. Files with tokens are followed by the client itself.
/// - Files that are fine and have not changed are not read again, which is seen by their size, times and inode.
///
/// # What cannot be read
/// Each problem is an [`Error::Provider`] once, and again when it comes back after it had gone; then it heals by itself.
/// - A file that is broken, empty or half written keeps the clusters that it had; so does a context whose name, cluster,
///   user or certificate cannot be used, and the others of the file go on.
/// - A file that was given and is not there, a folder that is not there or is none, and a pattern whose first folder is not
///   there, are errors too, and keep what they had. While one of them is missing, no listing is complete, and
///   [`ClusterEvent::Synced`] waits for it. An empty folder, and a pattern that nothing matches, mean that there are no
///   clusters.
///
/// Clones share where the clusters were found, nothing else; each stream reads for itself.
#[derive(Clone)]
pub struct FileProvider {
    settings: Arc<Settings>,
    known: Known,
    reads: Arc<Semaphore>,
}

#[derive(Clone, Debug)]
struct Settings {
    sources: Vec<Source>,
    file_is_cluster: bool,
    poll: Duration,
    allowed: Allowed,
}

/// Where the clusters are, as the newest stream has seen it; `None` before there was one.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<Option<Places>>>);

// === impl FileProvider ===

impl FileProvider {
    /// A provider without sources, hence without clusters.
    #[must_use]
    pub fn new() -> Self {
        Self {
            settings: Arc::new(Settings {
                sources: Vec::new(),
                file_is_cluster: false,
                poll: POLL,
                allowed: Allowed::EVERYTHING,
            }),
            known: Known::default(),
            reads: Arc::new(Semaphore::new(READS)),
        }
    }

    /// The files that kubectl uses: those that the environment variable `KUBECONFIG` names, or `~/.kube/config`.
    #[must_use]
    pub fn from_env() -> Self {
        let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
        let mut files: Vec<_> = std::env::split_paths(&named)
            .filter(|file| !file.as_os_str().is_empty())
            .collect();
        if files.is_empty() {
            let home = std::env::home_dir().unwrap_or_default();
            files.push(home.join(".kube/config"));
        }
        files.into_iter().fold(Self::new(), Self::file)
    }

    /// The contexts of this file, whatever its name.
    #[must_use]
    pub fn file(self, file: impl AsRef<Path>) -> Self {
        let file = to_absolute(file.as_ref());
        self.source(Source::File(file))
    }

    /// The contexts of all files of this folder, without the folders in it.
    ///
    /// Not those of hidden files (`.a`), backups of editors (`a~`, `#a#`, `a.bak`, `a.swp`), and temporary files
    /// (`a.tmp`, `a.lock`).
    #[must_use]
    pub fn folder(self, folder: impl AsRef<Path>) -> Self {
        let folder = to_absolute(folder.as_ref());
        self.source(Source::Folder(folder))
    }

    /// The contexts of all files that match a pattern such as `/etc/fleet/*/kubeconfig`, in which `*` and `?` stand for
    /// letters of a name, and `**` for any folders.
    ///
    /// As in a shell, hidden files and folders match only when the pattern says so; backups are passed over as in a
    /// [`folder`](Self::folder).
    ///
    /// # Errors
    /// [`Error::Setting`] when it is no pattern.
    pub fn glob(self, pattern: impl AsRef<str>) -> Result<Self, Error> {
        let pattern = pattern.as_ref();
        let shown = |error| Error::setting(format!("{pattern:?} is no pattern of files: {error}"));
        Pattern::new(pattern).map_err(shown)?;
        // The folder where the program was started may have any name.
        let here = Pattern::escape(&to_absolute(Path::new(".")).to_string_lossy());
        let pattern = Path::new(&here).join(pattern);
        let pattern = pattern.to_string_lossy().into_owned();
        Ok(self.source(Source::Glob(pattern)))
    }

    /// Each file is one cluster, in place of each context: with the file's name without its extension, and by its current
    /// context, or its only one.
    #[must_use]
    pub fn cluster_per_file(mut self) -> Self {
        self.change().file_is_cluster = true;
        self
    }

    /// The sources are looked at so often even when no change of them is noticed, as on file systems of other machines
    /// (default 30 s).
    #[must_use]
    pub fn poll(mut self, every: Duration) -> Self {
        self.change().poll = every;
        self
    }

    /// What the files may contain, by default everything that they may for kubectl: programs to run, files to read,
    /// proxies, and servers without a certificate. Give less where others write the files.
    #[must_use]
    pub fn allow(mut self, allowed: Allowed) -> Self {
        self.change().allowed = allowed;
        self
    }

    fn source(mut self, source: Source) -> Self {
        self.change().sources.push(source);
        self
    }

    /// A provider with other settings shares nothing with its clones any more.
    fn change(&mut self) -> &mut Settings {
        self.known = Known::default();
        Arc::make_mut(&mut self.settings)
    }

    /// Where a cluster is; without a stream so far, the sources are read for it.
    fn find(&self, name: &ClusterName) -> Result<Place, BoxError> {
        let place = self.known.get(name).unwrap_or_else(|| {
            let reader = Reader::new(self.settings.clone(), Arc::new(Notify::new()));
            reader.read_once().places.remove(name)
        });
        place.ok_or_else(|| "no file has it".into())
    }
}

impl Default for FileProvider {
    fn default() -> Self {
        Self::new()
    }
}

impl ClusterProvider for FileProvider {
    fn clusters(&self) -> BoxStream<'static, Result<ClusterEvent, Error>> {
        follow::follow(self.settings.clone(), self.known.clone()).boxed()
    }

    fn connect(&self, cluster: &ClusterRef) -> BoxFuture<'static, Result<Cluster, Error>> {
        let (this, name) = (self.clone(), cluster.name.clone());
        async move {
            let failed = |error: BoxError| {
                Error::provider(NAME, format!("connect to the cluster {name}"), error)
            };
            let place = this.read(name.clone()).await.map_err(failed)?;
            let (kubeconfig, context) = place;
            let context = context.as_deref();
            let allowed = this.settings.allowed;
            let connected = credentials::connect(name.clone(), kubeconfig, context, allowed).await;
            connected.map_err(|error| failed(error.into()))
        }
        .boxed()
    }
}

type Loaded = (multicluster::kube::config::Kubeconfig, Option<Arc<str>>);

impl FileProvider {
    /// Reads the kubeconfig of a cluster, on a thread that may wait for the file.
    async fn read(&self, name: ClusterName) -> Result<Loaded, BoxError> {
        // Kept by a file system that hangs, so that it cannot take all threads.
        let place = self.reads.clone().acquire_owned().await?;
        let this = self.clone();
        let read = spawn_blocking(move || {
            let _place = place;
            let Place { file, context } = this.find(&name)?;
            let kubeconfig = load::load(&file).map_err(|error| {
                Error::provider(NAME, format!("read {}", file.display()), error)
            })?;
            Ok((kubeconfig, context))
        });
        read.await?
    }
}

impl fmt::Debug for FileProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

// === impl Known ===

impl Known {
    fn set(&self, places: Places) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(places);
    }

    /// `None` when nothing was read yet.
    fn get(&self, name: &ClusterName) -> Option<Option<Place>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|places| places.get(name).cloned())
    }
}

/// Where the program was started does not matter later; only an empty path cannot be made absolute.
fn to_absolute(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
