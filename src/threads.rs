//! Shares work among threads.
//!
//! A fit of a few thousand rows is thousands of steps of some microseconds. Threads that share each step spend more
//! time waiting for each other than working: on two cores a fit of 16 000 rows of 10 features took one and a half times
//! as long as on one thread, and twice the CPU time. So each such piece is done by one thread, several pieces at a
//! time.

use rayon::ThreadPoolBuilder;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` on one thread, including all parallel parts of it.
pub fn alone<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_num_threads() == 1 {
        return work();
    }
    match ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(work),
        // If no thread can be created, the work only takes longer.
        Err(_) => work(),
    }
}

/// Does `work` for each of `items`, each on one thread, as many at a time as there are threads. Results are in the
/// order of the items. A single item uses all threads.
pub fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let n_threads = rayon::current_num_threads().min(items.len());
    if n_threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let until_none_is_left = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..n_threads).map(|_| scope.spawn(|| alone(until_none_is_left))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, found)| found).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_on_one_thread_and_results_are_in_order() {
        let items: Vec<u64> = (0..57).collect();
        let found = ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(|| {
            side_by_side(&items, |&item| {
                // The first items take longest.
                thread::sleep(std::time::Duration::from_micros(20 * (60 - item)));
                (item * item, rayon::current_num_threads(), side_by_side(&[1, 2], |n| n + 1))
            })
        });
        let wanted: Vec<_> = items.iter().map(|item| (item * item, 1, vec![2, 3])).collect();
        assert_eq!(found, wanted);
        assert_eq!(side_by_side(&[] as &[u8], |_| ()), []);
    }

    #[test]
    fn one_item_has_all_threads() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| side_by_side(&[()], |()| rayon::current_num_threads())), [3]);
        assert_eq!(pool.install(|| alone(rayon::current_num_threads)), 1);
    }

    #[test]
    #[should_panic(expected = "item 2")]
    fn a_panic_is_passed_on() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| side_by_side(&[0, 1, 2], |item| assert!(*item != 2, "item {item}")));
    }
}
