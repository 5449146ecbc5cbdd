// tokio's side of the workload forkjoin of bench/workloads, and the same line:
//
//   tokio forkjoin procs=N ns_per_task VALUE ns
//
// Usage: forkjoin forkjoin [-procs N] [-n COUNT]
//
// A task is a future in a box, started by tokio::spawn. With one thread the runtime is
// current_thread, with more multi_thread. The value is the median of REPS timed runs after a
// warm-up of a tenth of the size.
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

const REPS: usize = 5;

// Counts the tasks below it and itself.
fn task(depth: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if depth == 0 {
            return 1;
        }
        let first = tokio::spawn(task(depth - 1));
        let second = tokio::spawn(task(depth - 1));
        1 + first.await.unwrap() + second.await.unwrap()
    })
}

// One timed run of a tree of at most n tasks: nanoseconds for each.
fn fork_join(runtime: &Runtime, n: u64) -> f64 {
    let mut depth = 0;
    while (4u64 << depth) - 1 <= n {
        depth += 1;
    }
    let tasks = (2u64 << depth) - 1;
    runtime.block_on(async {
        let start = Instant::now();
        let count = tokio::spawn(task(depth)).await.unwrap();
        let elapsed = start.elapsed();
        assert_eq!(count, tasks);
        elapsed.as_nanos() as f64 / tasks as f64
    })
}

fn usage() -> ! {
    eprintln!("usage: forkjoin forkjoin [-procs N] [-n COUNT]");
    std::process::exit(2);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() || args[0] != "forkjoin" {
        usage();
    }
    let (mut procs, mut n) = (1usize, 1u64 << 20);
    for pair in args[1..].chunks(2) {
        match (pair[0].as_str(), pair.get(1).and_then(|v| v.parse().ok())) {
            ("-procs", Some(v)) if v > 0 => procs = v as usize,
            ("-n", Some(v)) if v > 0 => n = v,
            _ => usage(),
        }
    }
    let runtime = match procs {
        1 => Builder::new_current_thread().build(),
        _ => Builder::new_multi_thread().worker_threads(procs).build(),
    }
    .expect("runtime");
    fork_join(&runtime, n / 10 + 1);
    let mut values: Vec<f64> = (0..REPS).map(|_| fork_join(&runtime, n)).collect();
    values.sort_by(f64::total_cmp);
    println!("tokio forkjoin procs={} ns_per_task {:.2} ns", procs, values[REPS / 2]);
}
