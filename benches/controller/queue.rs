//! Add, pop and finish of each of many keys, beside kube's scheduler.

use std::{hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput};
use futures_util::{StreamExt, poll, stream};
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use multicluster::testing::queue::Keys;
use tokio::time::Instant;

const CLUSTERS: usize = 100;

pub(crate) fn bench(criterion: &mut Criterion, quick: bool) {
    let runtime = super::runtime();
    let sizes: &[u64] = if quick {
        &[1_000]
    } else {
        &[1_000, 100_000, 1_000_000]
    };
    for &keys in sizes {
        let mut group = criterion.benchmark_group(format!("queue/{keys} keys"));
        group.sample_size(10);
        group.warm_up_time(Duration::from_millis(100));
        group.measurement_time(Duration::from_secs(3));
        group.throughput(Throughput::Elements(keys));
        group.bench_function("multicluster", |bencher| {
            let new = || Keys::new(CLUSTERS, 16);
            bencher.iter_batched_ref(new, |queue| ours(queue, keys), BatchSize::PerIteration);
        });
        if keys <= 100_000 {
            group.bench_function("kube", |bencher| {
                bencher.iter(|| runtime.block_on(kubes(keys)));
            });
        }
        group.finish();
        // Its time grows faster than the number of keys, so it gets a single run.
        if keys > 100_000 {
            let start = std::time::Instant::now();
            runtime.block_on(kubes(keys));
            let each = start.elapsed().as_secs_f64() * 1e6 / keys as f64;
            println!("MEASURED queue/{keys} keys/kube: {each:.2} us for each key, one run");
        }
    }
}

fn ours(queue: &mut Keys, keys: u64) {
    let now = Instant::now();
    for key in 0..keys {
        queue.add(key as usize % CLUSTERS, key, now);
    }
    let mut done = 0;
    while let Some(job) = queue.pop(now) {
        queue.finish(black_box(job), now);
        done += 1;
    }
    assert_eq!(done, keys);
}

async fn kubes(keys: u64) {
    let now = Instant::now();
    let requests = (0..keys).map(|key| ScheduleRequest {
        message: (key % CLUSTERS as u64, key),
        run_at: now,
    });
    // It ends with its input, so the input does not end.
    let requests = stream::iter(requests).chain(stream::pending());
    let mut queue = std::pin::pin!(scheduler(requests));
    // All keys wait, as behind a limit of what runs, before the first is taken.
    assert!(poll!(queue.as_mut().hold().next()).is_pending());
    for _ in 0..keys {
        black_box(queue.as_mut().hold_unless(|_| true).next().await);
    }
}
