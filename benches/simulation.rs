//! The figures of the design's section 7: `cargo bench`.
//!
//! `benches/peers` compares them with other simulators, bare smoltcp and the kernel in one run.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod common;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn greetings(criterion: &mut Criterion) {
    const COUNT: usize = 1_000;
    let mut group = criterion.benchmark_group("greetings");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("plain", |bencher| bencher.iter(|| common::greetings(COUNT, None)));
    let directory = std::env::temp_dir().join(format!("glassnet-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    group.bench_function("captured", |bencher| {
        bencher.iter(|| common::greetings(COUNT, Some(&directory)));
    });
    std::fs::remove_dir_all(&directory).unwrap();
    group.finish();
}

fn bulk(criterion: &mut Criterion) {
    const LEN: usize = 16 << 20;
    let mut group = criterion.benchmark_group("bulk");
    group.sample_size(20).throughput(Throughput::Bytes(LEN as u64));
    for mtu in [1500, 65_535] {
        group.bench_with_input(BenchmarkId::new("mtu", mtu), &mtu, |bencher, mtu| {
            bencher.iter(|| common::bulk(LEN, *mtu));
        });
    }
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    group.sample_size(10);
    for idle in [1, 1_000, 10_000, 50_000] {
        group.bench_with_input(
            BenchmarkId::new("idle connections", idle),
            &idle,
            |bencher, idle| {
                bencher.iter_custom(|count| common::messages(count, *idle, 0));
            },
        );
    }
    for hosts in [0, 98, 10_000] {
        group.bench_with_input(BenchmarkId::new("idle hosts", hosts), &hosts, |bencher, hosts| {
            bencher.iter_custom(|count| common::messages(count, 0, *hosts));
        });
    }
    group.finish();
}

criterion_group!(benches, greetings, bulk, messages);
criterion_main!(benches);
