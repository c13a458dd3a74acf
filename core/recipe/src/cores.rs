//! Runs work on all cores.

use rayon::prelude::*;

/// Applies `work` to consecutive chunks of `items`, one chunk per core, and returns the results in order. A panic of
/// `work` propagates to the caller.
pub fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let chunk = items.len().div_ceil(rayon::current_num_threads()).max(1);
    items.par_chunks(chunk).map(|chunk| work(chunk)).collect()
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
