//! The names reserved for the loop: no file from outside may have them, and no output may overwrite them.

use super::{CONFIG_FILE, Workspace, WorkspaceError};
use crate::atomic::{self, At};
use crate::wording::is_unseen;
use icu_normalizer::ComposingNormalizerBorrowed;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The files of `data/` that only the loop itself writes: the source of its tables, labels, feedback, and a reference
/// about to be replaced. No file from outside may replace them: a downloaded `feedback.csv` would be human labels that
/// no human gave.
pub const OWN_DATA_FILES: [&str; 4] = [SOURCE, "labels.csv", "feedback.csv", "reference.json"];
/// The source of a loop's tables: the only one of these files in a download.
const SOURCE: &str = "SOURCE.json";

/// Files of a loop besides those of `data/`.
const OWN_FILES: [&str; 7] = [
    CONFIG_FILE,
    "audit.jsonl",
    "ab.json",
    ".mlloop.lock",
    "label_inbox/importing.json",
    "label_inbox/untold",
    "label_inbox/to_label.csv",
];
/// Directories reserved for the loop.
const OWN_DIRS: [&str; 7] =
    ["models", "predictions", "runs", "approvals", "label_inbox/batches", "label_inbox/imported", "data/.incoming"];

/// Whether a file of this name may be the file `own` on some file system: one ignores case, another drops spaces and
/// dots at the end, a third one folds similar letters.
#[must_use]
pub fn is_named(name: &str, own: &str) -> bool {
    let folded = |name: &str| {
        let seen: String = name.chars().filter(|c| !is_unseen(*c)).collect();
        let folded = ComposingNormalizerBorrowed::new_nfkc().normalize(&seen).to_lowercase();
        folded.trim_end_matches([' ', '.']).to_owned()
    };
    folded(name) == folded(own)
}

impl Workspace {
    /// The loop's own file at `path`, if any: settings, history, versions, labels, logs, or the reference.
    #[must_use]
    pub fn own_file(&self, path: &Path) -> Option<PathBuf> {
        let dir = self.dir.canonicalize().ok()?;
        let inside = resolved(path)?.strip_prefix(&dir).ok()?.to_owned();
        let parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let begins = |own: &str| {
            let own: Vec<&str> = own.split('/').collect();
            own.len() <= parts.len() && own.iter().zip(&parts).all(|(own, part)| is_named(part, own))
        };
        let is = |own: &str| own.split('/').count() == parts.len() && begins(own);
        let data = OWN_DATA_FILES.iter().map(|name| format!("data/{name}"));
        let is_file = OWN_FILES.iter().any(|own| is(own)) || data.into_iter().any(|own| is(&own));
        let is_reference = || {
            let reference = self.config().ok().map(|config| self.path(config.data.reference));
            reference.and_then(|reference| resolved(&reference)).is_some_and(|reference| reference == dir.join(&inside))
        };
        let is_own = is_file || OWN_DIRS.iter().any(|own| parts.len() > own.split('/').count() && begins(own));
        (is_own || is_reference()).then_some(inside)
    }

    /// Refuses pending files in `data/` that are not part of a download.
    pub(super) fn refuse_foreign_files(&self) -> Result<(), WorkspaceError> {
        let path = atomic::incoming_of(&self.path("data"));
        let entries = match std::fs::read_dir(&path) {
            Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
            entries => entries.at(&path)?,
        };
        for entry in entries {
            let name = entry.at(&path)?.file_name();
            let name = name.to_string_lossy().into_owned();
            if OWN_DATA_FILES.iter().any(|own| *own != SOURCE && is_named(&name, own)) {
                let what =
                    "is the loop's own file and cannot come from a download: find out who put it there, and remove it";
                return Err(WorkspaceError::Config { path: path.join(name), what: what.to_owned() });
            }
        }
        Ok(())
    }
}

/// The absolute location of a path, whether or not a file exists.
fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(place) = path.canonicalize() {
        return Some(place);
    }
    let name = path.components().next_back().filter(|part| matches!(part, Component::Normal(_)))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(resolved(parent)?.join(name))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what they look for")]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_that_a_file_system_may_take_for_the_same() {
        for name in ["labels.csv", "Labels.CSV", "labels.csv ", "labels.csv.", "label\u{17f}.csv", "la\u{200b}bels.csv"]
        {
            assert!(is_named(name, "labels.csv"), "{name:?}");
        }
        for name in ["labels2.csv", "labels", "labels.csv.gz", "my labels.csv"] {
            assert!(!is_named(name, "labels.csv"), "{name:?}");
        }
    }

    /// docs/durability.md states for each file of the loop what it is compared with, or why it is not compared.
    #[test]
    fn the_page_on_durability_names_every_file_of_the_loop_once() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/durability.md")).unwrap();
        let part = page.split("## Files that another program changed").nth(1).unwrap().split("\n## ").next().unwrap();
        let first_cells = part.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
        let named: Vec<&str> =
            first_cells.flat_map(|cell| cell.split('`')).filter(|name| name.contains(['.', '/'])).collect();
        let own = |list: &[&str], ending: &str| list.iter().map(|name| format!("{name}{ending}")).collect::<Vec<_>>();
        let data: Vec<String> = OWN_DATA_FILES.iter().map(|name| format!("data/{name}")).collect();
        for file in [data, own(&OWN_FILES, ""), own(&OWN_DIRS, "/")].concat() {
            // For versions and runs, each kind of file is named.
            let n =
                named.iter().filter(|name| **name == file || (file == "models/" && name.starts_with(&file))).count();
            assert!(n == 1 || (file == "models/" && n == 2), "{file} is named {n} times: {named:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let work = Workspace::new(dir.path());
        for name in named.into_iter().filter(|name| *name != "reports/") {
            let file = name.strip_suffix('/').map_or_else(|| name.to_owned(), |folder| format!("{folder}/file"));
            std::fs::create_dir_all(dir.path().join(&file).parent().unwrap()).unwrap();
            assert!(work.own_file(&dir.path().join(&file)).is_some(), "{name} is none of the loop's own files");
        }
    }

    #[test]
    fn every_way_to_a_file_of_the_loop_is_one_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let work = Workspace::new(dir.path());
        for sub in ["data", "models/v0001", "other", "label_inbox"] {
            std::fs::create_dir_all(dir.path().join(sub)).unwrap();
        }
        let toml = "[data]\nreference = 'data/r.csv'\n[target]\ncolumn = 'y'\n[columns]\ny = 'number'\n";
        std::fs::write(dir.path().join(CONFIG_FILE), toml).unwrap();
        std::os::unix::fs::symlink(dir.path().join("models"), dir.path().join("other/m")).unwrap();
        for own in [
            "mlloop.toml",
            "audit.jsonl",
            "data/labels.csv",
            "data/../data/Labels.csv",
            "data/r.csv",
            "models/v0001/golden.csv",
            "models/roles.json",
            "other/m/v0001/model.bin",
            "predictions/2026-11-29.csv",
            "runs/kept/x",
        ] {
            assert!(work.own_file(&dir.path().join(own)).is_some(), "{own}");
        }
        for other in ["scored.csv", "data/current.csv", "reports/x.html", "models", "label_inbox/to_label_labeled.csv"]
        {
            assert_eq!(work.own_file(&dir.path().join(other)), None, "{other}");
        }
        assert_eq!(work.own_file(Path::new("/dev/null")), None);
    }
}
