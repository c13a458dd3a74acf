//! Runs work on all cores.

/// Applies `work` to consecutive chunks of `items`, one chunk per core, and returns the results in order. A panic of
/// `work` propagates to the caller.
///
/// The threads are not those of rayon's pool: `work` may wait for a thread that itself needs the pool (a policy is
/// compiled on a thread with a deadline, in parallel), and a pool whose threads all wait for it would never run it.
pub fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let chunk = items.len().div_ceil(cores).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let running: Vec<_> = items.chunks(chunk).map(|chunk| scope.spawn(move || work(chunk))).collect();
        let joined = |thread: std::thread::ScopedJoinHandle<'_, R>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().map(joined).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays() {
        for count in [0, 1, 2, 7, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> =
                on_all_cores(&items, |run| run.iter().map(|item| 2 * item).collect::<Vec<_>>()).concat();
            assert_eq!(doubled, items.iter().map(|item| 2 * item).collect::<Vec<_>>());
        }
    }
}
