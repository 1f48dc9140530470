//! Assigns the rows of two tables to folds; copies of a row share a fold.

use crate::stats::random::hash64;

pub(super) const FOLDS: usize = 5;

/// If rows occur this many times on average, the columns have few values, and equal rows are not copies. The same holds
/// for a row that makes up one in this many rows of a side.
const COPIES: usize = 20;

/// The folds of rows, and `Domain::copies`.
///
/// Groups of equal rows are processed in the order of a hash of their content; each goes to the fold with the fewest
/// rows of the group's sides, so that both sides are spread about equally. If equal rows are not copies ([`is_value`]),
/// they are assigned one by one, by their position on their side: if both tables are the same file, equal rows share a
/// fold.
///
/// With `together`, digests identify entities, and rows of one entity share a fold whatever their number.
pub(super) fn folds(digests: &[u64], n_reference: usize, (seed, together): (u64, bool)) -> (Vec<u8>, f64) {
    let mut rows: Vec<usize> = (0..digests.len()).collect();
    rows.sort_by_cached_key(|&row| (hash64(&digests[row].to_le_bytes(), seed), digests[row], row));
    let sizes = [n_reference, digests.len() - n_reference];
    let n_groups = rows.chunk_by(|&a, &b| digests[a] == digests[b]).count();
    let is_discrete = n_groups * COPIES <= digests.len();
    let mut folds = vec![0; digests.len()];
    let mut dealt = [[0_usize; 2]; FOLDS];
    let mut squares = [0_usize; 2];
    for group in rows.chunk_by(|&a, &b| digests[a] == digests[b]) {
        let n_old = group.iter().filter(|&&row| row < n_reference).count();
        let sides = [n_old, group.len() - n_old];
        if !together && (is_discrete || is_value(sides, sizes)) {
            for &row in group {
                let (side, place) = if row < n_reference { (0, row) } else { (1, row - n_reference) };
                let fold = (hash64(&place.to_le_bytes(), seed) % FOLDS as u64) as usize;
                folds[row] = fold as u8;
                dealt[fold][side] += 1;
                squares[side] += 1;
            }
            continue;
        }
        let weight =
            |fold: &usize| (0..2).filter(|&side| sides[side] > 0).map(|side| dealt[*fold][side]).sum::<usize>();
        let fold = (0..FOLDS).min_by_key(weight).unwrap_or(0);
        for side in 0..2 {
            dealt[fold][side] += sides[side];
            squares[side] += sides[side] * sides[side];
        }
        group.iter().for_each(|&row| folds[row] = fold as u8);
    }
    let copies = (0..2).map(|side| squares[side] as f64 / sizes[side].max(1) as f64).fold(1.0, f64::max);
    (folds, copies)
}

/// Whether a group of equal rows is a common value, such as "all cells missing", rather than copies of one row: it is a
/// large part of a side.
fn is_value(group: [usize; 2], sizes: [usize; 2]) -> bool {
    (0..2).any(|side| group[side] * COPIES >= sizes[side])
}
