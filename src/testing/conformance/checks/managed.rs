//! The provider in a manager.

use std::sync::{Arc, Mutex, PoisonError};

use super::Case;
use crate::{
    cluster::ClusterName,
    engage::{Engagement, for_each_cluster},
    error::BoxError,
    manager::Manager,
    testing::{
        Running,
        conformance::{
            harness::{Harness, Part},
            report::{Check, Stop},
        },
    },
};

/// Who was engaged and left, in this order.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<(ClusterName, Entry)>>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Engaged,
    Left,
}
use Entry::{Engaged, Left};

pub(super) async fn check<H: Harness>(case: &Case<'_, H>) -> Check {
    case.create_all(&["zoo", "reef"]).await?;
    let diary = Diary::default();
    let noted = diary.clone();
    let part = for_each_cluster("conformance", move |engagement: Engagement| {
        let diary = noted.clone();
        async move {
            diary.note(engagement.name(), Engaged);
            engagement.cancelled().await;
            diary.note(engagement.name(), Left);
            Ok::<_, BoxError>(())
        }
    });
    let manager = Manager::builder(case.own_provider().await?).with(part);
    let running = Running::start(manager)
        .map_err(|error| Stop::Harness(format!("start a manager: {error}")))?;
    let work = work(case, &diary).await;
    case.log
        .inspect("the health of clusters", running.owned_clusters())?;
    work?;
    let stopped = running.stop().await;
    stopped.map_err(|error| case.broken(format!("the manager ended with: {error}")))
}

async fn work<H: Harness>(case: &Case<'_, H>, diary: &Diary) -> Check {
    let pause = || tokio::time::sleep(case.settings.quiet);
    let (zoo, reef, farm) = (case.name("zoo")?, case.name("reef")?, case.name("farm")?);
    let reaches = async |name: &ClusterName, expected: &[Entry]| {
        let what = format!("{name} with {expected:?}");
        let reached = case.until(&what, async || diary.of(name) == expected).await;
        reached.inspect_err(|_| {
            case.log
                .note(format!("the diary of the manager: {diary:?}"))
        })
    };
    let stays = |name: &ClusterName, expected: &[Entry], why: &str| {
        let found = diary.of(name);
        if found == expected {
            return Ok(());
        }
        Err(case.broken(format!(
            "{why}, and {name} was {found:?} in place of {expected:?}"
        )))
    };
    reaches(&zoo, &[Engaged]).await?;
    reaches(&reef, &[Engaged]).await?;
    case.create("farm").await?;
    reaches(&farm, &[Engaged]).await?;

    if case.can(Part::Touch) {
        case.touch("reef").await?;
        pause().await;
        stays(&reef, &[Engaged], "nothing changed that connect would use")?;
    }
    if case.can(Part::Outage) {
        case.source_down().await?;
        pause().await;
        case.source_up().await?;
        pause().await;
        for name in [&zoo, &reef, &farm] {
            stays(name, &[Engaged], "the source was away for some time")?;
        }
    }
    let mut past = vec![Engaged];
    if case.can(Part::Rotate) {
        case.rotate("zoo").await?;
        past.extend([Left, Engaged]);
        reaches(&zoo, &past).await?;
    }
    case.delete("farm").await?;
    reaches(&farm, &[Engaged, Left]).await?;
    pause().await;
    stays(&zoo, &past, "other clusters changed")?;
    stays(&reef, &[Engaged], "other clusters changed")?;
    stays(&farm, &[Engaged, Left], "it was deleted")
}

// === impl Diary ===

impl Diary {
    fn note(&self, name: &ClusterName, entry: Entry) {
        self.lock().push((name.clone(), entry));
    }

    fn of(&self, name: &ClusterName) -> Vec<Entry> {
        let diary = self.lock();
        let own = diary.iter().filter(|(of, _)| of == name);
        own.map(|(_, entry)| *entry).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(ClusterName, Entry)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Diary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&*self.lock()).finish()
    }
}
