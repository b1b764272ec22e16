//! Tasks that depend on each other in a cycle, and so would wait for ever.
//!
//! The API makes none: a task can only depend on tasks that exist. A dump can contain some.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use sqlx::SqliteConnection;

/// The edges between blocked tasks, as (upstream, downstream): a cycle consists of these.
pub(crate) async fn links_of_waiting(
    conn: &mut SqliteConnection,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT upstream, downstream FROM links
          WHERE EXISTS (SELECT 1 FROM links AS above WHERE above.downstream = links.upstream)",
    )
    .fetch_all(conn)
    .await
}

/// Every task of a cycle, with the one that it depends on there. Of cycles that share tasks or depend on each
/// other, one is found: the dependents fail with it.
pub(crate) fn circles<T: Copy + Eq + Hash>(links: &[(T, T)]) -> Vec<(T, T)> {
    let waits_for = waiting_for_ever(links);
    let mut circles = Vec::new();
    let mut seen = HashSet::new();
    for (_, start) in links {
        let mut path = Vec::new();
        let mut task = *start;
        while seen.insert(task) {
            let Some(next) = waits_for.get(&task) else {
                break;
            };
            path.push((task, *next));
            task = *next;
        }
        if let Some(begin) = path.iter().position(|(member, _)| *member == task) {
            circles.extend_from_slice(&path[begin..]);
        }
    }
    circles
}

/// The tasks that are left when everything that can run has run, each with one of them that it depends on.
fn waiting_for_ever<T: Copy + Eq + Hash>(links: &[(T, T)]) -> HashMap<T, T> {
    let mut missing: HashMap<T, usize> = HashMap::new();
    let mut below: HashMap<T, Vec<T>> = HashMap::new();
    for (upstream, downstream) in links {
        *missing.entry(*downstream).or_default() += 1;
        below.entry(*upstream).or_default().push(*downstream);
    }
    let mut free: Vec<T> = below
        .keys()
        .filter(|task| !missing.contains_key(task))
        .copied()
        .collect();
    while let Some(task) = free.pop() {
        for downstream in below.get(&task).into_iter().flatten() {
            if let Some(count) = missing.get_mut(downstream) {
                *count -= 1;
                if *count == 0 {
                    missing.remove(downstream);
                    free.push(*downstream);
                }
            }
        }
    }
    let left = links.iter().filter(|(upstream, downstream)| {
        missing.contains_key(upstream) && missing.contains_key(downstream)
    });
    left.map(|(upstream, downstream)| (*downstream, *upstream))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(links: &[(u32, u32)]) -> Vec<u32> {
        let mut found: Vec<_> = circles(links).into_iter().map(|(task, _)| task).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn circles_are_found_and_nothing_else() {
        assert!(found(&[]).is_empty());
        // A diamond and a chain.
        assert!(found(&[(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)]).is_empty());
        assert_eq!(found(&[(1, 1)]), [1]);
        assert_eq!(found(&[(1, 2), (2, 1)]), [1, 2]);
        // What waits for a circle, or what a circle waits for besides, is no part of it.
        let links = [(9, 1), (1, 2), (2, 3), (3, 1), (3, 4), (4, 5)];
        assert_eq!(found(&links), [1, 2, 3]);
        assert_eq!(found(&[(1, 2), (2, 1), (3, 4), (4, 3)]), [1, 2, 3, 4]);
        // One that waits for another fails with it.
        assert_eq!(found(&[(1, 2), (2, 1), (3, 4), (4, 3), (2, 3)]), [1, 2]);
        for (task, upstream) in circles(&links) {
            assert!(links.contains(&(upstream, task)));
        }
    }
}
