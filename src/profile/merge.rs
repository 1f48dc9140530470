//! Merges the profiles of parts of one table into that of the whole.

use super::{ColumnProfile, Entities, Limits, Profile, ProfileError, Shape};
use crate::table::Kind;

impl Profile {
    /// Merges the profile of other rows of the same table. Columns are matched by name.
    ///
    /// # Errors
    /// [`ProfileError::Mismatch`] if a column is missing, new or of another kind; nothing is changed then.
    pub fn merge(&mut self, other: &Self, limits: Limits) -> Result<(), ProfileError> {
        let mismatch =
            |column: &ColumnProfile, what: String| Err(ProfileError::Mismatch { column: column.name.clone(), what });
        if let Some(extra) = other.columns.iter().find(|c| self.column(&c.name).is_none()) {
            return mismatch(extra, "is only in the later profile".to_owned());
        }
        for mine in &self.columns {
            match other.column(&mine.name) {
                None => return mismatch(mine, "is only in the earlier profile".to_owned()),
                Some(theirs) if !same_shape(mine, theirs) => {
                    return mismatch(
                        mine,
                        format!("is of kind {} in one profile and {} in the other", mine.kind, theirs.kind),
                    );
                }
                Some(_) => {}
            }
        }
        let (n, m) = (self.n_rows, other.n_rows);
        self.n_rows += other.n_rows;
        for mine in &mut self.columns {
            if let Some(theirs) = other.column(&mine.name) {
                let both = mine.design.zip(theirs.design);
                mine.design = both.map(|(design, other)| design.merged(n, other, m));
                mine.merge(theirs, limits);
            }
        }
        // Both may share entities; how many is unknown.
        self.entities = match (self.entities.take(), &other.entities) {
            (Some(mine), Some(theirs)) if mine.column == theirs.column => {
                Some(Entities { n: mine.n.max(theirs.n), ..mine })
            }
            _ => {
                self.columns.iter_mut().for_each(|column| column.design = None);
                None
            }
        };
        Ok(())
    }
}

/// In a part where a category has a single value, it is profiled as a constant.
fn same_shape(a: &ColumnProfile, b: &ColumnProfile) -> bool {
    a.kind == b.kind
        || matches!((&a.shape, &b.shape), (Shape::Levels(_), Shape::Levels(_)) | (Shape::Text, Shape::Text))
}

impl ColumnProfile {
    fn merge(&mut self, other: &Self, limits: Limits) {
        self.n_missing += other.n_missing;
        if self.kind != other.kind {
            self.kind = if matches!(self.shape, Shape::Levels(_)) { Kind::Category } else { Kind::Text };
        }
        match (&mut self.shape, &other.shape) {
            (Shape::Numbers(mine), Shape::Numbers(theirs)) => mine.merge(theirs, limits),
            (Shape::Levels(mine), Shape::Levels(theirs)) => mine.merge(theirs, limits),
            _ => {}
        }
    }
}
