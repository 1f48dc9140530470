//! Rows of the same entity, counted by their effective number.

use crate::profile::Design;

/// Design effects: by how much the rows of the reference and of the current table count less than independent ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// For questions about the distribution as a whole.
    pub values: Sides,
    /// For questions about rare levels, repeated values and the ends of the range.
    pub rare: Sides,
    /// For questions about missing cells.
    pub missing: Sides,
}

/// The design effects of both sides, at least 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides(f64, f64);

impl Default for Worth {
    /// Every row is independent.
    fn default() -> Self {
        Self::of(None, None)
    }
}

impl Worth {
    /// If one side is unknown, the other's value is used. Rare cells may be absent on one side, or occur there by
    /// chance as single rows, so the larger value applies to both.
    #[must_use]
    pub fn of(reference: Option<Design>, current: Option<Design>) -> Self {
        let of = |part: fn(Design) -> Option<f64>| (reference.and_then(part), current.and_then(part));
        let both = |(a, b): (Option<f64>, Option<f64>)| {
            let most = a.unwrap_or(1.0).max(b.unwrap_or(1.0));
            Sides(most, most)
        };
        let (a, b) = of(|design| design.values);
        Self {
            values: Sides(a.or(b).unwrap_or(1.0), b.or(a).unwrap_or(1.0)),
            rare: both(of(|design| design.rare)),
            missing: both(of(|design| design.missing)),
        }
    }

    /// Whether some rows are correlated.
    #[must_use]
    pub fn is_less(&self) -> bool {
        *self != Self::default()
    }
}

impl Sides {
    /// The effective number of independent rows for `n` rows of the reference.
    #[must_use]
    pub fn reference(self, n: u64) -> u64 {
        (n as f64 / self.0.max(1.0)).round() as u64
    }

    /// The effective number of independent rows for `n` current rows.
    #[must_use]
    pub fn current(self, n: u64) -> u64 {
        (n as f64 / self.1.max(1.0)).round() as u64
    }

    /// The same for both sides.
    #[must_use]
    pub fn both(self, (n, m): (u64, u64)) -> (u64, u64) {
        (self.reference(n), self.current(m))
    }

    /// The same for counts in the same cells.
    #[must_use]
    pub fn cells(self, [reference, current]: [&[u64]; 2]) -> [Vec<u64>; 2] {
        let reference = reference.iter().map(|&n| self.reference(n)).collect();
        [reference, current.iter().map(|&n| self.current(n)).collect()]
    }
}
