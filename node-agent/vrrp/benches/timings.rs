//! How long the core takes, by the clock: `make bench-core`.

mod cases;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};

use self::cases::CASES;

fn timings(criterion: &mut Criterion) {
    for case in CASES {
        let (kind, name) = case.name.split_once('/').unwrap_or(("core", case.name));
        let mut operation = (case.prepare)();
        let mut group = criterion.benchmark_group(kind);
        group.throughput(Throughput::Elements(case.adverts.into()));
        if case.adverts > 1 {
            // Too long for samples that grow.
            group.sampling_mode(SamplingMode::Flat);
        }
        group.bench_function(name, |bencher| bencher.iter(&mut operation));
        group.finish();
    }
}

criterion_group!(benches, timings);
criterion_main!(benches);
