//! What is given damaged bytes. The tests run it, and so does `fuzz/`, where inputs are led by coverage.

use mlloop::features::Matrix;
use mlloop::labels;
use mlloop::model::{ForeignModel, Model};
use mlloop::pipeline::Pipeline;
use mlloop::profile::{Kll, Profile};
use mlloop::serve;
use mlloop::table::{self, InferOptions, Input, ReadOptions, infer};
use mlloop::workspace::{Config, Workspace};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something that reads bytes.
pub struct Target {
    pub name: &'static str,
    /// Whether the bytes were taken for what they should be.
    pub run: fn(&Folder, &[u8]) -> bool,
    /// Executions of the quick form.
    pub quick: u64,
}

const fn target(name: &'static str, quick: u64, run: fn(&Folder, &[u8]) -> bool) -> Target {
    Target { name, run, quick }
}

pub const TARGETS: [Target; 15] = [
    target("csv", 150, |_, bytes| table_of(bytes)),
    target("parquet", 100, |_, bytes| table_of(bytes)),
    target("jsonl", 150, |_, bytes| table_of(bytes)),
    target("onnx", 150, |_, bytes| foreign(bytes)),
    target("xgboost-json", 150, |_, bytes| foreign(bytes)),
    target("ubjson", 150, |_, bytes| foreign(bytes)),
    target("lightgbm", 150, |_, bytes| foreign(bytes)),
    target("model-bin", 300, |_, bytes| Model::from_bytes(bytes).is_ok_and(|model| scores(&model))),
    target("pipeline", 60, |folder, bytes| {
        folder.with("models/v0001/pipeline.json", bytes, |dir| Pipeline::load(&dir.join("models/v0001")).is_ok())
    }),
    target("roles", 100, |folder, bytes| {
        folder.with("models/roles.json", bytes, |dir| Workspace::new(dir).registry().roles().is_ok())
    }),
    target("audit", 100, |folder, bytes| {
        let whole = |dir: &Path| Workspace::new(dir).audit_chain().is_ok_and(|chain| chain.broken.is_none());
        folder.with("audit.jsonl", bytes, whole)
    }),
    target("toml", 150, |_, bytes| std::str::from_utf8(bytes).is_ok_and(|text| Config::parse(text).is_ok())),
    target("request", 500, |_, bytes| serve::holds_rows(&["customer", "months", "contract"], bytes)),
    target("label-studio", 500, |_, bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| labels::holds_answers("churn", text))
    }),
    target("sketch", 300, |_, bytes| {
        let profile = Profile::from_json(bytes).is_ok();
        Kll::from_bytes(bytes).is_ok_and(|sketch| sketch.weighted().count() < usize::MAX) || profile
    }),
];

/// A table of unknown kind: looked at, then read by what was found.
fn table_of(bytes: &[u8]) -> bool {
    let input = || Input::from_reader("fuzz", Cursor::new(bytes.to_vec()));
    let Ok(found) = infer(input(), &InferOptions::default()) else { return false };
    table::read(input(), &found.schema, &ReadOptions::default()).is_ok_and(|read| read.table.n_rows() > 0)
}

fn foreign(bytes: &[u8]) -> bool {
    ForeignModel::read(bytes).is_ok_and(|read| scores(&read.model))
}

/// A model that is whole scores a row.
fn scores(model: &Model) -> bool {
    let n = model.n_features();
    if n > 1000 {
        return true;
    }
    let names: Vec<String> = (0..n).map(|at| format!("f{at}")).collect();
    let values = [vec![0.5; n], vec![f32::NAN; n]].concat();
    let matrix = Matrix::new(values, 2, Arc::from(names));
    model.scores(&matrix).is_ok_and(|scores| scores.len() == 2 * model.n_scores())
}

/// A small loop whose files are damaged one at a time.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Looks at the loop with these bytes as one of its files, which is whole again afterwards.
    fn with(&self, name: &str, bytes: &[u8], look: impl Fn(&Path) -> bool) -> bool {
        let path = self.0.join(name);
        let whole = std::fs::read(&path).expect("the loop has the file");
        std::fs::write(&path, bytes).expect("a file is written");
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(&self.0)));
        std::fs::write(&path, whole).expect("a file is written");
        found.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
