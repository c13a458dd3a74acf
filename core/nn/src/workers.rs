//! Threads for independent pieces of work: as many workers as threads, each with one thread for
//! its matrix products, or one worker with all of them when there is only one piece.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::NnError;

/// Worker threads of a learner.
pub(crate) struct Workers {
    narrow: Vec<ThreadPool>,
    wide: ThreadPool,
}

impl Workers {
    /// `threads` workers, at least one.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn new(threads: usize) -> Result<Self, NnError> {
        let pool = |width: usize| {
            ThreadPoolBuilder::new()
                .num_threads(width)
                .thread_name(|_| "cadre-nn".into())
                .build()
                .map_err(|source| NnError::Threads { source })
        };
        let narrow = (0..threads.max(1)).map(|_| pool(1)).collect::<Result<_, _>>()?;
        Ok(Self { narrow, wide: pool(threads.max(1))? })
    }

    /// Runs `work` with all threads for its inner products.
    pub(crate) fn wide<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.wide.install(work)
    }

    /// Runs `work` for every number below `count`, several at a time.
    ///
    /// # Errors
    /// The error of the lowest number that had one; numbers not begun by then are left out.
    pub(crate) fn each(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
    ) -> Result<(), NnError> {
        self.each_watched(count, work, &mut |_| true)
    }

    /// The same, telling each number that is done on the calling thread; `false` stops the rest
    /// with [`NnError::Stopped`].
    pub(crate) fn each_watched(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
        done: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), NnError> {
        if count == 1 {
            self.wide(|| work(0))?;
            return if done(0) { Ok(()) } else { Err(NnError::Stopped) };
        }
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<(usize, NnError)>> = Mutex::new(None);
        let mut stopped = false;
        std::thread::scope(|scope| {
            let (tell, told) = mpsc::channel();
            for pool in self.narrow.iter().take(count) {
                let (next, failed, tell) = (&next, &failed, tell.clone());
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return;
                        }
                        match pool.install(|| work(number)) {
                            // The listener may be gone; the work is not.
                            Ok(()) => drop(tell.send(number)),
                            Err(error) => {
                                next.store(count, Ordering::Relaxed);
                                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                                if failed.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
                                    *failed = Some((number, error));
                                }
                            }
                        }
                    }
                });
            }
            drop(tell);
            for number in told {
                if !stopped && !done(number) {
                    stopped = true;
                    next.store(count, Ordering::Relaxed);
                }
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None if stopped => Err(NnError::Stopped),
            None => Ok(()),
        }
    }
}
