//! What it costs that a Namespace is a cluster: the layer between, per object and per request, and many such clusters in
//! one process.
//!
//! `cargo bench --bench namespace --features "namespace testing"`; behind `--`, the names of parts select: `objects`,
//! `requests`, `fleet`.

mod fleet;
mod layer;
mod objects;
mod requests;

use criterion::Criterion;

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if let [part, rest @ ..] = &args[..]
        && part == fleet::CHILD
    {
        return fleet::child(rest);
    }
    // As `cargo test` calls it: once each, to see that it runs.
    let quick = !args.iter().any(|arg| arg == "--bench");
    let named = args.iter().filter(|arg| !arg.starts_with('-')).count() > 0;
    let wanted = |part: &str| !named || args.iter().any(|arg| arg == part);
    let mut measured = Vec::new();
    if wanted("objects") {
        let mut criterion = Criterion::default().without_plots();
        objects::bench(&mut criterion, quick);
        measured.extend(objects::measure(if quick { 10 } else { 2_000 }));
    }
    if wanted("requests") {
        measured.extend(requests::measure(if quick { 20 } else { 4_000 }));
    }
    if wanted("fleet") {
        let (namespaces, changes) = if quick { (20, 20) } else { (1_000, 2_000) };
        measured.extend(fleet::measure(namespaces, 10, changes));
    }
    for line in measured {
        println!("MEASURED {line}");
    }
}

/// The value below which this part of the sorted values is.
fn quantile(sorted: &[std::time::Duration], part: f64) -> std::time::Duration {
    let place = (sorted.len() as f64 * part) as usize;
    sorted[place.min(sorted.len() - 1)]
}
