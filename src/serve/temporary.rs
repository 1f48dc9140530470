//! Temporary errors.

use crate::labels::LabelError;
use std::error::Error;
use std::io;

/// Whether the same call can succeed later.
pub(super) fn is_a_state(err: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    const STATES: [io::ErrorKind; 5] = [FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    let mut cause = Some(err);
    while let Some(of) = cause {
        if matches!(of.downcast_ref(), Some(LabelError::Store { .. })) {
            return true;
        }
        if of.downcast_ref::<io::Error>().is_some_and(|err| STATES.contains(&err.kind())) {
            return true;
        }
        cause = of.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atomic::AtPath;
    use crate::feedback::FeedbackError;

    #[test]
    fn a_full_disk_passes_and_a_damaged_file_does_not() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let at = || std::path::PathBuf::from("data/labels.csv");
        let labels = LabelError::from(AtPath::new(at(), full()));
        let unfinished = FeedbackError::Unfinished { n: 1, source: Box::new(FeedbackError::Label(labels)) };
        let workspace = FeedbackError::Workspace(AtPath::new(at(), full()).into());
        let (store, what) = ("postgres://db/shop/said".to_owned(), "refused".to_owned());
        let silent = FeedbackError::Label(LabelError::Store { store, what, may_be_there: false });
        for err in [unfinished, workspace, silent, AtPath::new(at(), full()).into()] {
            assert!(is_a_state(&err), "{err}");
        }
        let missing = FeedbackError::from(AtPath::new(at(), io::ErrorKind::NotFound));
        for err in [missing, FeedbackError::File { path: at(), what: "is damaged".to_owned() }] {
            assert!(!is_a_state(&err), "{err}");
        }
    }
}
