//! No gate row is a training row of either version, however the table has changed.

use super::*;
use crate::init::{InitRequest, init};
use crate::table::Input;
use crate::table::split::Parts;
use crate::train;
use std::collections::BTreeSet;
use std::path::Path;

/// Rows of customers over time; the first `n` of 900, each `copies` times under different ids.
fn table(n: usize, copies: usize) -> String {
    let mut text = "id,customer,at,x,kind,mon,dom,y\n".to_owned();
    for (id, row) in (0..n).map(|id| (id, id / copies)) {
        let noise = (row * 7919) % 1000;
        let y = if (noise < 400) ^ (row % 7 == 0) { "yes" } else { "no" };
        // One row in nine has its level in another spelling.
        let kind = [["a", "b", "c"], ["A", "B", "C"]][usize::from(row % 9 == 0)][noise % 3];
        text.push_str(&format!(
            "r{id:04},c{:03},2026-{:02}-{:02},{}.{},{kind},{},{},{y}\n",
            row * 31 % 180,
            1 + row / 100,
            1 + row / 4 % 25,
            noise,
            row,
            1 + row / 100,
            1 + row / 4 % 25
        ));
    }
    text
}

fn train(workspace: &Workspace) -> Contestant {
    let config = workspace.config().unwrap();
    let request = train::TrainRequest {
        config: &config,
        seed: 0,
        now: jiff::Timestamp::UNIX_EPOCH,
        cv: None,
        test: None,
        from: None,
        features_by_order: false,
        skip_invalid: false,
        progress: &|_, _, _| {},
    };
    let learned = train::train(workspace, &workspace.lock().unwrap(), &request).unwrap();
    Contestant::load(workspace, learned.version).unwrap()
}

fn edit(workspace: &Workspace, change: impl Fn(String) -> String) {
    let path = workspace.config_path();
    std::fs::write(&path, change(std::fs::read_to_string(&path).unwrap())).unwrap();
}

/// A loop with this split, a version of 600 rows and one of 900.
fn two_versions(dir: &Path, split: &str) -> (Workspace, Contestant, Contestant) {
    two_versions_of(dir, split, 1)
}

fn two_versions_of(dir: &Path, split: &str, copies: usize) -> (Workspace, Contestant, Contestant) {
    std::fs::write(dir.join("small.csv"), table(600, copies)).unwrap();
    std::fs::write(dir.join("large.csv"), table(900, copies)).unwrap();
    let workspace = Workspace::new(dir);
    let wanted = InitRequest {
        table: &dir.join("small.csv"),
        target: Some("y".to_owned()),
        positive: None,
        task: None,
        header: None,
        missing: Vec::new(),
        ignore: Vec::new(),
        kinds: vec![("customer".to_owned(), Kind::Category)],
        read: Default::default(),
        force: false,
    };
    init(&workspace, &wanted).unwrap();
    edit(&workspace, |text| {
        let text = text.replace("by = \"id\"", split).replace("algorithm =", "n_estimators = 5\nalgorithm =");
        text.lines()
            .map(|l| if l.starts_with("customer") { "customer = \"text\"\n".to_owned() } else { format!("{l}\n") })
            .collect()
    });
    let old = train(&workspace);
    edit(&workspace, |text| text.replace("small.csv", "large.csv"));
    let new = train(&workspace);
    (workspace, old, new)
}

fn ids(table: &Table, rows: &[u32]) -> BTreeSet<String> {
    let Values::Text(ids) = &table.require("id").unwrap().values else { panic!("ids are texts") };
    rows.iter().map(|&row| ids.get(row as usize).to_owned()).collect()
}

/// The ids of a version's rows by use, in the table that it was fitted on.
fn used(dir: &Path, name: &str, of: &Contestant) -> (BTreeSet<String>, BTreeSet<String>) {
    let schema = &of.pipeline.schema;
    let mut table = table::read(Input::open(&dir.join(name)).unwrap(), schema, &ReadOptions::default()).unwrap().table;
    table.unify_levels(schema);
    let examples = Examples::new(table, schema, &of.recipe).unwrap();
    let Parts { train, tune, gate } = examples.parts(&of.recipe).unwrap();
    (ids(&examples.table, &[train, tune].concat()), ids(&examples.table, &gate))
}

#[test]
fn no_row_that_judges_has_taught_either_version() {
    const PARTS: &str = "by = \"time\"\ncolumns = [\"mon\", \"dom\"]";
    for split in ["by = \"id\"", "by = \"row\"", "by = \"column\"\ncolumn = \"customer\"", "by = \"time\"", PARTS] {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, old, new) = two_versions(dir.path(), split);
        let config = workspace.config().unwrap();
        let rows = gate_rows(&workspace, &config, &old, &new, false).unwrap();
        let judging = ids(&rows.table, &(0..rows.y.len() as u32).collect::<Vec<_>>());
        let ((taught_old, gate_old), (taught_new, _)) =
            (used(dir.path(), "small.csv", &old), used(dir.path(), "large.csv", &new));
        assert!(judging.len() > 90, "{split}: {}", judging.len());
        assert!(judging.is_disjoint(&taught_old), "{split}");
        assert!(judging.is_disjoint(&taught_new), "{split}");
        let leaks = gate_old.intersection(&taught_new).count();
        match split {
            "by = \"time\"" | PARTS => assert!(leaks > 50, "what judged the old one taught the new one: {leaks}"),
            _ => assert_eq!(leaks, 0, "{split}"),
        }
        // Rows of one customer are one entity.
        assert_eq!(rows.entities.is_some(), split.contains("customer"), "{split}");
        // A smaller gate of the older version can only remove rows.
        let mut narrow = Contestant::load(&workspace, old.version).unwrap();
        narrow.recipe.split.gate = 0.1;
        let fewer = gate_rows(&workspace, &config, &narrow, &new, false).unwrap();
        let fewer = ids(&fewer.table, &(0..fewer.y.len() as u32).collect::<Vec<_>>());
        assert!(fewer.is_subset(&judging), "{split}");
    }
}

#[test]
fn a_shorter_reference_of_later_has_no_row_after_what_the_longer_one_taught() {
    for split in ["by = \"time\"", "by = \"time\"\ncolumns = [\"mon\", \"dom\"]"] {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, small, large) = two_versions(dir.path(), split);
        edit(&workspace, |text| text.replace("large.csv", "small.csv"));
        let config = workspace.config().unwrap();
        let rows = gate_rows(&workspace, &config, &large, &small, false).unwrap();
        let judging = ids(&rows.table, &(0..rows.y.len() as u32).collect::<Vec<_>>());
        assert!(judging.is_disjoint(&used(dir.path(), "large.csv", &large).0), "{split}");
        assert!(!used(dir.path(), "small.csv", &small).1.is_empty(), "by itself the shorter one has a gate");
    }
}

#[test]
fn a_level_that_neither_version_knew_is_one_level_however_it_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    let (workspace, old, new) = two_versions(dir.path(), "by = \"id\"");
    // One level was renamed since, in capitals in every other row.
    let renamed =
        |(row, line): (usize, &str)| line.replace(",c,", [",new,", ",NEW,"][row % 2]).replace(",C,", ",New,") + "\n";
    std::fs::write(dir.path().join("large.csv"), table(900, 1).lines().enumerate().map(renamed).collect::<String>())
        .unwrap();
    let rows = gate_rows(&workspace, &workspace.config().unwrap(), &old, &new, false).unwrap();
    let Values::Category(kinds) = &rows.table.require("kind").unwrap().values else { panic!("kinds are categories") };
    let used: BTreeSet<&str> = kinds.codes.iter().map(|&code| kinds.levels[code as usize].as_str()).collect();
    assert_eq!(used.len(), 3, "{used:?}");
}

#[test]
fn versions_of_other_targets_or_splits_are_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (workspace, old, mut new) = two_versions(dir.path(), "by = \"id\"");
    let config = workspace.config().unwrap();
    let said = |new: &Contestant| {
        gate_rows(&workspace, &config, &old, new, false).err().map(|err| err.to_string()).unwrap_or_default()
    };
    assert_eq!(said(&new), "");
    new.recipe.split.by = SplitBy::Row;
    assert!(said(&new).contains("they were split differently"), "{}", said(&new));
    new.recipe.split.by = SplitBy::Id;
    new.pipeline.target.classes.reverse();
    assert!(
        said(&new).contains("one predicts \"y\" as no, yes, the other predicts \"y\" as yes, no"),
        "{}",
        said(&new)
    );
}

#[test]
fn copies_under_new_ids_are_one_row_and_are_said() {
    let found = |split: &str, copies: usize| {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, old, new) = two_versions_of(dir.path(), split, copies);
        gate_rows(&workspace, &workspace.config().unwrap(), &old, &new, false).unwrap()
    };
    let rows = found("by = \"id\"", 10);
    let told = rows.copies.unwrap();
    assert!(told.contains("equal a training row of a version and are left out"), "{told}");
    assert!(told.contains("by = \"column\""), "{told}");
    // The gate part is 90 rows; hardly any row has all of its ten copies there.
    assert!(rows.y.len() < 20, "{}", rows.y.len());
    for (split, copies) in [("by = \"id\"", 1), ("by = \"row\"", 10)] {
        assert_eq!(found(split, copies).copies, None, "{split}");
    }
}

#[test]
fn labels_that_came_later_are_what_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (workspace, old, new) = two_versions(dir.path(), "by = \"id\"");
    let config = workspace.config().unwrap();
    let before = gate_rows(&workspace, &config, &old, &new, false).unwrap();
    let judging = ids(&before.table, &[0, 1]);
    let mut labels = "id,label,annotator,labelled_at,source\n".to_owned();
    for (id, y) in judging.iter().zip(&before.y) {
        let other = if *y == 1.0 { "no" } else { "YES" };
        labels.push_str(&format!("{id},{other},ann,2026-11-20T10:00:00Z,human\n"));
    }
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("data/labels.csv"), labels).unwrap();
    let after = gate_rows(&workspace, &config, &old, &new, false).unwrap();
    assert_eq!((before.n_corrected, after.n_corrected), (0, 2));
    assert_eq!(after.y[..2], [1.0 - before.y[0], 1.0 - before.y[1]]);
    assert_eq!(after.y[2..], before.y[2..]);
    assert_ne!(after.digest, before.digest);
    std::fs::write(
        dir.path().join("data/labels.csv"),
        "id,label,annotator,labelled_at,source\nr0001,maybe,ann,2026-11-20,human\n",
    )
    .unwrap();
    let refused = gate_rows(&workspace, &config, &old, &new, false).err().unwrap().to_string();
    assert!(refused.contains("\"maybe\" of \"r0001\" is not one of the classes no, yes"), "{refused}");
}

#[test]
fn the_digest_of_rows_is_of_keys_and_labels_in_whatever_order_they_stand() {
    let bytes = [(1_u64, 0.0_f32), (2, 1.0), (9, 1.0)].map(|(key, y)| {
        let mut bytes = key.to_le_bytes().to_vec();
        bytes.extend(y.to_bits().to_le_bytes());
        bytes
    });
    let expected = crate::digest::sha256(&bytes.concat());
    assert_eq!(digest(&[1, 2, 9], &[0.0, 1.0, 1.0]), expected);
    assert_eq!(digest(&[9, 1, 2], &[1.0, 0.0, 1.0]), expected);
    assert_ne!(digest(&[9, 1, 2], &[1.0, 1.0, 0.0]), expected, "another row has the other label");
    assert_ne!(digest(&[9, 1, 3], &[1.0, 0.0, 1.0]), expected, "another row");
}
