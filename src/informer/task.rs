//! The task of one informer.

use std::{
    any::Any,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use kube::runtime::watcher;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};

use super::{
    ObjectEvent, Watch, Watched,
    changes::{Changes, Invalid, Shown},
    source::Source,
};
use crate::{
    backoff::{Backoff, is_gone},
    engage::Engagement,
    error::{Report, panic_message},
    mailbox::Mailbox,
    problems::Whose,
};

/// How many objects of a list are told at once.
const BATCH: usize = 256;

/// How long after its last failure a watch works, if it has not failed again: longer than its longest back-off.
const RESUMED: Duration = Duration::from_secs(20);

/// How long to wait before a watch begins anew that has panicked.
const PANICKED: Duration = Duration::from_secs(1);
const LONGEST_PANICKED: Duration = Duration::from_secs(60);

/// After so long without a panic the next one is a new story.
const CALM: Duration = Duration::from_secs(600);

/// What is called with each batch of changes.
pub(crate) type Call<K> = Box<dyn FnMut(&[ObjectEvent<K>]) + Send>;

/// Someone who is told of changes.
pub(super) struct Handler<K> {
    pub(super) id: u64,
    /// What logs call it.
    pub(super) user: Arc<str>,
    pub(super) call: Call<K>,
    /// Completed when a first list was told to its end.
    pub(super) told: Option<oneshot::Sender<()>>,
}

pub(super) enum Command<K> {
    Attach(Handler<K>),
    Detach(u64),
}

struct Informer<K: Watched> {
    engagement: Engagement,
    dyntype: K::DynamicType,
    changes: Changes<K>,
    handlers: Vec<Handler<K>>,
    /// What a list has shown and nobody was told of yet.
    batch: Vec<ObjectEvent<K>>,
    /// When the watch failed last, if it has shown nothing since.
    failed_at: Option<Instant>,
}

/// Runs for ever; dropped, it has ended.
pub(super) async fn run<K: Watched>(
    engagement: Engagement,
    watch: Watch<K>,
    changes: Changes<K>,
    mut commands: Mailbox<Command<K>>,
) {
    let dyntype = watch.dyntype().clone();
    let mut source = open(&engagement, &watch);
    let mut panics = Backoff::new(PANICKED, LONGEST_PANICKED);
    let mut opened = Instant::now();
    let mut informer = Informer {
        engagement,
        dyntype,
        changes,
        // Most have one.
        handlers: Vec::with_capacity(1),
        batch: Vec::new(),
        failed_at: None,
    };
    loop {
        // The type's own code decodes.
        let next = AssertUnwindSafe(source.next()).catch_unwind();
        tokio::select! {
            biased;
            command = commands.next() => informer.obey(command),
            () = resumed(informer.failed_at) => informer.works(),
            event = next => match event {
                Ok(Ok(shown)) => informer.take_in(shown),
                Ok(Err(error)) => informer.report(&error),
                Err(panic) => {
                    informer.report_panic(&*panic);
                    source = open(&informer.engagement, &watch);
                    source.pause_for(panics.next_after(opened.elapsed(), CALM));
                    opened = Instant::now();
                }
            }
        }
    }
}

/// Completes when a watch must have been taken up again: kube says nothing of that.
async fn resumed(failed_at: Option<Instant>) {
    match failed_at {
        Some(failed) => sleep_until(failed + RESUMED).await,
        None => pending().await,
    }
}

fn open<K: Watched>(engagement: &Engagement, watch: &Watch<K>) -> Source<K> {
    let (client, health) = (engagement.client(), engagement.health().clone());
    Source::new(client, health, watch.clone())
}

// === impl Informer ===

impl<K: Watched> Informer<K> {
    fn obey(&mut self, command: Command<K>) {
        match command {
            Command::Attach(mut handler) => {
                self.flush();
                let objects = self.changes.objects().list().into_iter();
                let known = objects.map(|object| ObjectEvent::Created {
                    object,
                    initial: true,
                });
                let known: Vec<_> = known.collect();
                for part in known.chunks(BATCH) {
                    handler.tell(part);
                }
                if self.changes.is_listed() {
                    handler.complete();
                }
                self.handlers.push(handler);
            }
            Command::Detach(id) => self.handlers.retain(|handler| handler.id != id),
        }
    }

    fn take_in(&mut self, shown: Shown<K>) {
        let waits = matches!(shown, watcher::Event::InitApply(_));
        let works = matches!(
            shown,
            watcher::Event::InitDone | watcher::Event::Apply(_) | watcher::Event::Delete(_)
        );
        let taken = catch_unwind(AssertUnwindSafe(|| self.changes.take_in(shown)));
        let taken = match taken {
            Ok(taken) => taken,
            Err(panic) => {
                let (cluster, message) = (self.engagement.name(), panic_message(&*panic));
                tracing::error!(%cluster, kind = %K::kind(&self.dyntype), error = message, "the transformation of an object panicked: the object is left out");
                return;
            }
        };
        if let Some(invalid) = taken.invalid {
            self.report_invalid(invalid);
        }
        if works {
            self.works();
        }
        self.batch.extend(taken.replaced);
        self.batch.extend(taken.event);
        if !waits || self.batch.len() >= BATCH {
            self.flush();
        }
        if let Some(gone) = taken.gone {
            self.batch = gone;
            self.flush();
            self.handlers.iter_mut().for_each(Handler::complete);
        }
    }

    fn works(&mut self) {
        self.failed_at = None;
        self.engagement.health().solved(&self.problem());
    }

    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        for handler in &mut self.handlers {
            handler.tell(&self.batch);
        }
        self.batch.clear();
    }

    /// What the cluster's health calls a problem of this watch.
    fn problem(&self) -> String {
        let (plural, group) = (K::plural(&self.dyntype), K::group(&self.dyntype));
        let dot = if group.is_empty() { "" } else { "." };
        format!("{plural}{dot}{group}")
    }

    fn users(&self) -> String {
        let users: Vec<_> = self.handlers.iter().map(|handler| &*handler.user).collect();
        users.join(", ")
    }

    fn report_invalid(&self, Invalid { key, error }: Invalid) {
        let (kind, cluster) = (K::kind(&self.dyntype).into_owned(), self.engagement.name());
        let (controller, object) = (self.users(), key.to_string());
        let cause = format!("{kind} {cluster} {object}: {error}");
        self.engagement.problems().meet(Some(cluster), cause, move |whose| {
            tracing::warn!(
                controller,
                kind,
                cluster = whose.cluster(),
                object,
                error,
                "an object cannot be decoded and is left out: correct it, or the type that the controller watches"
            );
        });
    }

    fn report_panic(&mut self, panic: &(dyn Any + Send)) {
        let (kind, cluster) = (K::kind(&self.dyntype), self.engagement.name());
        let (controller, error) = (self.users(), panic_message(panic));
        tracing::error!(controller, %kind, %cluster, error, "the watch panicked and begins anew");
        let problem = self.problem();
        let reason = format!("watch {problem}: it panicked: {error}");
        self.engagement.health().problem(problem, reason);
        self.failed_at = None;
    }

    fn report(&mut self, error: &watcher::Error) {
        if self.engagement.is_cancelled() {
            return;
        }
        // A list that fails has not worked before a list does.
        let resumes =
            self.changes.is_listed() && !matches!(error, watcher::Error::InitialListFailed(_));
        self.failed_at = resumes.then(Instant::now);
        let (kind, cluster) = (K::kind(&self.dyntype).into_owned(), self.engagement.name());
        let text = Report(error).to_string();
        if is_gone(error) {
            tracing::debug!(kind, %cluster, error = text, "the watch is listed anew");
            return;
        }
        let (cause, advice) = cause(error);
        let problem = self.problem();
        self.engagement
            .health()
            .problem(problem.clone(), format!("watch {problem}: {text}"));
        let (controller, words) = (self.users(), cause.clone());
        let say = move |whose: &Whose| {
            let error = match whose {
                Whose::Others(_) => &words,
                _ => &text,
            };
            tracing::warn!(
                controller,
                kind,
                cluster = whose.cluster(),
                clusters = whose.clusters(),
                error,
                advice,
                "the watch fails and is retried"
            );
        };
        // The same trouble with another kind is another problem; without an answer it is one.
        let cause = if cause == NO_ANSWER {
            cause
        } else {
            format!("{problem} {cause}")
        };
        self.engagement.problems().meet(Some(cluster), cause, say);
    }
}

const NO_ANSWER: &str = "no answer";

/// What makes the failure of a watch the same as that of another cluster's, whose words may name the cluster; and what
/// to do about it.
fn cause(error: &watcher::Error) -> (String, Option<&'static str>) {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let other = || (Report(error).to_string(), None);
    let status = match error {
        WatchError(status) => status,
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => match error {
            kube::Error::Api(status) => status,
            kube::Error::Service(_) | kube::Error::HyperError(_) => {
                return (NO_ANSWER.into(), None);
            }
            _ => return other(),
        },
        _ => return other(),
    };
    let advice = match status.code {
        403 => Some("allow this program's account in that cluster to list and watch the kind"),
        404 => Some(
            "the cluster does not have the kind: install its definition, or leave the cluster out",
        ),
        _ => None,
    };
    (format!("{} {}", status.code, status.reason), advice)
}

// === impl Handler ===

impl<K> Handler<K> {
    fn tell(&mut self, events: &[ObjectEvent<K>]) {
        let call = AssertUnwindSafe(|| (self.call)(events));
        if let Err(panic) = catch_unwind(call) {
            tracing::error!(
                controller = %self.user,
                error = panic_message(&*panic),
                "a predicate or a mapping panicked: what it was told of is not reconciled"
            );
        }
    }

    fn complete(&mut self) {
        if let Some(told) = self.told.take() {
            // Nobody waits for it any more.
            let _ = told.send(());
        }
    }
}
