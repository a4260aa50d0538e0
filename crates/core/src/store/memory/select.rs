//! What a query says after `WHERE`.

use crate::clock::Timestamp;

/// The first so many.
pub(super) fn take<T>(rows: impl Iterator<Item = T>, limit: u32) -> Vec<T> {
    rows.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}

/// What is due by now, the earliest first.
pub(super) fn earliest<T: Clone>(
    rows: impl Iterator<Item = T>,
    due: impl Fn(&T) -> Option<Timestamp>,
    now: Timestamp,
    limit: u32,
) -> Vec<T> {
    let mut rows: Vec<T> = rows.filter(|row| due(row).is_some_and(|at| at <= now)).collect();
    rows.sort_by_key(|row| due(row));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    rows
}
