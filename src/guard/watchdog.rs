//! Ends the process when work goes on that the guard has ended.
//!
//! A guard stops futures between two polls. One that blocks its thread is not stopped by that, and another peer takes its
//! cluster over while it works on. Then the process has to go.
//!
//! # Flow
//! 1. A thread looks at all guards once per tick: does one refuse, while a future under it is at work?
//! 2. When that goes on for half a stop margin, it says so and aborts the process.
//!
//! # Guarantees
//! Only time in which the thread itself ran counts: a tick that comes late counts as one tick. A process that was stopped
//! or suspended over a deadline gets the whole half margin to end its work once it runs again.
//!
//! # Not guaranteed
//! Code that left the future, on a thread of its own or in `spawn_blocking`, is not seen.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{Guard, NotOwner, WeakGuard};
use crate::error::{Error, Result};

/// A shorter stop margin leaves no time to tell a blocked thread from a busy machine.
const SHORTEST_MARGIN: Duration = Duration::from_millis(200);

/// A running watchdog; its thread ends when the last handle and the last guard under it are gone.
#[derive(Clone)]
pub(crate) struct Watchdog {
    watched: Arc<Mutex<Vec<Watched>>>,
}

struct Watched {
    guard: WeakGuard,
    suspicion: Suspicion,
}

/// The times of a watchdog, all from the stop margin.
#[derive(Clone, Copy, Debug)]
struct Times {
    tick: Duration,
    /// How long work may go on without permission.
    grace: Duration,
    /// How long the last words may take.
    last_words: Duration,
}

/// For how long work has gone on without permission, counted in ticks of the watchdog; `None` while none does.
#[derive(Debug, Default)]
struct Suspicion(Option<Duration>);

// === impl Watchdog ===

impl Watchdog {
    /// Starts the thread for guards with the stop margin `margin`.
    ///
    /// # Errors
    /// [`Error::Setting`] when the margin is too short, or when there is no thread to be had.
    pub(crate) fn start(margin: Duration) -> Result<Self> {
        if margin < SHORTEST_MARGIN {
            return Err(Error::setting(format!(
                "the watchdog needs a stop margin of at least {SHORTEST_MARGIN:?}, not {margin:?}"
            )));
        }
        let watchdog = Self {
            watched: Arc::default(),
        };
        let watched = Arc::downgrade(&watchdog.watched);
        thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || watch(&watched, Times::new(margin)))
            .map_err(|error| Error::setting(format!("the watchdog has no thread: {error}")))?;
        Ok(watchdog)
    }

    /// Watches the work under `guard`.
    pub(super) fn watch(&self, guard: &Guard) {
        lock(&self.watched).push(Watched {
            guard: guard.downgrade(),
            suspicion: Suspicion::default(),
        });
    }
}

fn lock(watched: &Mutex<Vec<Watched>>) -> std::sync::MutexGuard<'_, Vec<Watched>> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(watched: &Weak<Mutex<Vec<Watched>>>, times: Times) {
    let mut last = Instant::now();
    loop {
        thread::sleep(times.tick);
        let Some(watched) = watched.upgrade() else {
            return;
        };
        let elapsed = last.elapsed();
        last += elapsed;
        if let Some(refusal) = look(&mut lock(&watched), times, elapsed) {
            end(&refusal, times);
        }
    }
}

/// Looks at every guard once; says which one the process has to end for.
fn look(watched: &mut Vec<Watched>, times: Times, elapsed: Duration) -> Option<NotOwner> {
    let mut ends_for = None;
    watched.retain_mut(|Watched { guard, suspicion }| {
        let Some(guard) = guard.upgrade() else {
            return false;
        };
        let refusal = guard.works_without_permission();
        if suspicion.tick(times, elapsed, refusal.is_some()) {
            ends_for = refusal;
        }
        true
    });
    ends_for
}

/// Says why, and aborts: nothing may run on, destructors and exit handlers included.
fn end(refusal: &NotOwner, times: Times) -> ! {
    let line = format!(
        "{refusal}, but work on it goes on: this process ends itself before another peer works there too. Look for code \
         in a reconcile that blocks its thread where it should await"
    );
    let (says, said) = mpsc::channel::<()>();
    // On a thread of its own: what the blocked worker holds may be the lock of the log.
    let speaker = thread::Builder::new().spawn(move || {
        let _ = writeln!(std::io::stderr(), "watchdog: {line}");
        tracing::error!("watchdog: {line}");
        drop(says);
    });
    if speaker.is_ok() {
        // The answer is a closed channel, or none in time.
        let _ = said.recv_timeout(times.last_words);
    }
    std::process::abort()
}

// === impl Times ===

impl Times {
    fn new(margin: Duration) -> Self {
        Self {
            tick: margin / 40,
            grace: margin / 2,
            last_words: margin / 8,
        }
    }
}

// === impl Suspicion ===

impl Suspicion {
    /// Takes note of a tick, `elapsed` after the last one; says whether the process has to end.
    fn tick(&mut self, times: Times, elapsed: Duration, overdue: bool) -> bool {
        self.0 = match self.0 {
            _ if !overdue => None,
            None => Some(Duration::ZERO),
            // The watchdog did not run for the rest of the time, and the work may not have run either.
            Some(age) => Some(age + elapsed.min(times.tick)),
        };
        self.0.is_some_and(|age| age >= times.grace)
    }
}

#[cfg(test)]
mod tests;
