//! When to end.

use std::io::Read;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Completes at the first SIGINT or SIGTERM; a second one ends the process at once.
pub(crate) async fn shutdown() {
    let mut signals = Signals::new();
    signals.next().await;
    tracing::info!("shutting down: once more to end at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(130);
    });
}

/// Ends the process when stdin ends: the parent is gone, however it went.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 64];
        while matches!(stdin.read(&mut buffer), Ok(1..)) {}
        std::process::exit(0);
    });
}

struct Signals {
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

// === impl Signals ===

impl Signals {
    fn new() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

async fn one(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
