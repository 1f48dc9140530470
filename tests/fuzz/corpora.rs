//! The files that damaged bytes are made from.

use super::targets::Folder;
use crate::support::{Loop, YES};
use mlloop::profile::{Distribution, Profile};
use mlloop::table::{Column, Table, Values};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Seeds by target, and the loop that some of them come from.
pub struct Corpora {
    seeds: BTreeMap<&'static str, Vec<Vec<u8>>>,
    /// A small loop.
    dirs: Loop,
}

impl Corpora {
    pub fn new() -> Self {
        let work = Loop::new().table("churn.csv", head(include_str!("../../fixtures/tables/churn.csv"), 240));
        work.run("init churn.csv").answers(YES);
        work.run("train --algorithm decision-tree").answers(YES);
        work.run("train --algorithm gradient-boosting --set n_estimators=3").answers(YES);
        work.run("profile churn.csv -o profile.json").answers(YES);
        let version = |name: &str| std::fs::read(work.path("models/v0001").join(name)).unwrap();
        let text = |name: &str| work.read(name).into_bytes();
        let models = |endings: &[&str]| -> Vec<Vec<u8>> {
            let folder = root().join("fixtures/models");
            let mut paths: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.retain(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name != "expected.json" && endings.iter().any(|ending| name.ends_with(ending))
            });
            paths.sort();
            paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
        };
        let tables = |names: &[&str]| -> Vec<Vec<u8>> {
            names.iter().map(|name| std::fs::read(root().join("fixtures/tables").join(name)).unwrap()).collect()
        };
        let seeds = BTreeMap::from([
            ("csv", vec![head(&work.read("churn.csv"), 40).into_bytes(), CSV.to_vec(), SEMICOLONS.to_vec()]),
            ("parquet", tables(&["types.parquet", "types_v2.parquet"])),
            ("jsonl", vec![JSONL.to_vec()]),
            ("onnx", models(&[".onnx"])),
            ("xgboost-json", models(&[".json"])),
            ("ubjson", models(&[".ubj"])),
            ("lightgbm", models(&[".txt"])),
            ("model-bin", vec![version("model.bin"), std::fs::read(work.path("models/v0002/model.bin")).unwrap()]),
            ("pipeline", vec![version("pipeline.json")]),
            ("roles", vec![text("models/roles.json")]),
            ("audit", vec![text("audit.jsonl")]),
            ("toml", vec![text("mlloop.toml")]),
            ("request", REQUESTS.iter().map(|text| text.as_bytes().to_vec()).collect()),
            ("label-studio", ANSWERS.iter().map(|text| text.as_bytes().to_vec()).collect()),
            ("sketch", vec![sketch(), text("profile.json")]),
        ]);
        Self { seeds, dirs: work }
    }

    pub fn of(&self, target: &str) -> &[Vec<u8>] {
        &self.seeds[target]
    }

    /// The loop whose files are damaged.
    pub fn folder(&self) -> Folder {
        Folder(self.dirs.path(""))
    }

    /// Puts that loop into a folder.
    pub fn copy_loop(&self, dir: &Path) {
        self.dirs.copy_to(dir);
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn head(text: &str, n: usize) -> String {
    text.split_inclusive('\n').take(n).collect()
}

/// A sketch with several levels.
fn sketch() -> Vec<u8> {
    let values = (0..20_000).map(|i| f64::from(i * 7919 % 20_011)).collect();
    let table = Table::new(vec![Column::new("x", Values::Number(values))]).unwrap();
    let profile = Profile::of_table(&table);
    match &profile.column("x").unwrap().numbers().unwrap().distribution {
        Distribution::Sketch(sketch) => sketch.to_bytes(),
        Distribution::Exact(_) => unreachable!("so many distinct values are sketched"),
    }
}

const CSV: &[u8] = b"sep=;\nid;when;amount;share;note\n1;2026-01-02;1.234,50;12 %;\"a \"\"b\"\"\"\n2;2026-01-03;(7,00);;\"two\nlines\"\n3;;-0,5;3 %;x\n";
const SEMICOLONS: &[u8] = b"\xef\xbb\xbfid|t|b\r\n1|08:30|true\r\n2|09:00|0\r\n3|23:59:59|yes\r\nid|t|b\r\n";
const JSONL: &[u8] = b"{\"id\": 1, \"x\": 1.5, \"c\": \"a\", \"b\": true}\n{\"id\": 2, \"x\": null, \"c\": \"\\u00e9\"}\n{\"id\": 3, \"x\": 1e5}\n";
const REQUESTS: [&str; 4] = [
    r#"{"customer": "C1", "months": 3, "contract": "monthly"}"#,
    r#"[{"customer": "C1", "months": 3.5e0}, {"customer": 12345678901234567890, "contract": null}]"#,
    r#"{"rows": [{"months": "3", "contract": "\u00e9"}], "labels": ["yes"]}"#,
    r#"{"inputs": [{"name": "months", "shape": [2, 1], "datatype": "FP64", "data": [1, 2]}]}"#,
];
const ANSWERS: [&str; 4] = [
    r#"[{"id": 1, "data": {"id": "C1", "batch": "b1"}, "annotations": [{"id": 9, "completed_by": {"email": "a@b"}, "lead_time": 2.5, "created_at": "2026-01-02T03:04:05Z", "was_cancelled": false, "result": [{"from_name": "label", "type": "choices", "value": {"choices": ["yes"]}}]}], "predictions": []}]"#,
    r#"[{"row_id": "C1", "batch": "b1", "churn": "yes", "annotator": 3, "lead_time": 1.0}]"#,
    "id,batch,stratum,reason,select_prob,model_version,months,churn,annotator,note\nC1,b1,uncertain,near,.5,v0001,3,yes,ann,\n",
    "id;churn\r\nC1;no\r\n",
];
