//! What controllers cost: their queue, the way from an event to its reconcile, engagements, watches, broken clusters.
//!
//! `cargo bench --bench controller --features testing`; behind `--`, the names of parts select: `queue`, `latency`,
//! `engage`, `watches`, `broken`.

#[path = "../../tests/memory/counting.rs"]
mod counting;

mod broken;
mod clusters;
mod engage;
mod latency;
mod queue;
mod watches;

use criterion::Criterion;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    // As `cargo test` calls it: once each, to see that it runs.
    let quick = !args.iter().any(|arg| arg == "--bench");
    let named = args.iter().filter(|arg| !arg.starts_with('-')).count() > 0;
    let wanted = |part: &str| !named || args.iter().any(|arg| arg == part);
    if wanted("queue") {
        let mut criterion = Criterion::default().without_plots();
        queue::bench(&mut criterion, quick);
    }
    if wanted("latency") {
        latency::measure(if quick { 20 } else { 2_000 });
    }
    if wanted("engage") {
        let (clusters, cycles) = if quick { (20, 2) } else { (1_000, 10) };
        engage::measure(clusters, cycles);
    }
    if wanted("watches") {
        watches::measure(if quick { 20 } else { 1_000 });
    }
    if wanted("broken") {
        broken::measure(if quick { 10 } else { 100 });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The value below which this part of the sorted values is.
fn quantile(sorted: &[std::time::Duration], part: f64) -> std::time::Duration {
    let place = (sorted.len() as f64 * part) as usize;
    sorted[place.min(sorted.len() - 1)]
}
