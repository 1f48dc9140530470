//! Damaged files are errors: no panic, no memory out of proportion.

use super::{bytes, expected, matrix};
use mlloop::model::ForeignModel;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Reads `bytes`, and scores two rows when they are a model still.
fn survives(bytes: &[u8]) -> bool {
    let Ok(read) = ForeignModel::read(bytes) else { return false };
    let n = read.model.n_features();
    if n > 1000 {
        return true;
    }
    let x = matrix(&[vec![Some(0.5); n], vec![None; n]]);
    let scores = read.model.scores(&x).unwrap();
    assert_eq!(scores.len(), 2 * read.model.n_scores());
    true
}

/// One small file of each kind of reader.
const KINDS: [&str; 12] = [
    "sklearn_forest_multiclass.onnx",
    "sklearn_bagging_binary.onnx",
    "sklearn_columns_binary.onnx",
    "sklearn_hist_binary.onnx",
    "doubles_regression.onnx",
    "version_5_regression.onnx",
    "catboost_binary.onnx",
    "xgboost_binary.json",
    "xgboost_scalar.json",
    "xgboost_stopped.ubj",
    "lightgbm_binary.txt",
    "lightgbm_ova.txt",
];

#[test]
fn the_kinds_are_whole_before_they_are_damaged() {
    assert!(KINDS.iter().all(|file| survives(&bytes(file))));
}

#[test]
fn files_that_end_early_are_errors() {
    for file in KINDS {
        let whole = bytes(file);
        let step = (whole.len() / 97).max(1);
        let mut read = 0;
        for end in (0..whole.len()).step_by(step) {
            read += usize::from(survives(&whole[..end]));
        }
        // LightGBM's trailing sections and a protocol buffer's last fields may be missing without harm.
        assert!(read <= 60, "{file}: {read} pieces were taken for a model");
        assert!(!survives(&whole[..whole.len() / 2]), "{file}");
    }
}

#[test]
fn changed_bits_and_bytes_never_panic() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    for file in KINDS {
        let whole = bytes(file);
        for _ in 0..150 {
            let mut changed = whole.clone();
            for _ in 0..random.gen_range(1..4) {
                let at = random.gen_range(0..changed.len());
                match random.gen_range(0..4) {
                    0 => changed[at] ^= 1 << random.gen_range(0..8),
                    1 => changed[at] = random.r#gen(),
                    2 => changed[at] = [0x00, 0x7f, 0x80, 0xff][random.gen_range(0..4)],
                    _ => {
                        let from = random.gen_range(0..changed.len());
                        let n = random.gen_range(1..16).min(changed.len() - from.max(at));
                        let piece = changed[from..from + n].to_vec();
                        changed[at..at + n].copy_from_slice(&piece);
                    }
                }
            }
            survives(&changed);
        }
    }
}

#[test]
fn numbers_in_texts_that_are_too_large_or_none_are_errors() {
    let text = String::from_utf8(bytes("xgboost_binary.json")).unwrap();
    for (from, to) in [
        (r#""num_feature":"5""#, r#""num_feature":"99999999999999999999""#),
        (r#""num_feature":"5""#, r#""num_feature":"2""#),
        (r#""num_class":"0""#, r#""num_class":"4000000000""#),
        (r#""num_target":"1""#, r#""num_target":"4000000000""#),
        (r#""name":"binary:logistic""#, r#""name":"rank:pairwise""#),
        (r#""name":"gbtree""#, r#""name":"gblinear""#),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from} is not in the fixture");
        assert!(ForeignModel::read(changed.as_bytes()).is_err(), "{to}");
    }
    let text = String::from_utf8(bytes("lightgbm_binary.txt")).unwrap();
    for (from, to) in [
        ("max_feature_idx=4", "max_feature_idx=4000000000"),
        ("num_class=1", "num_class=1000000000"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=1000000000"),
        ("num_leaves=7", "num_leaves=2147483647"),
        ("threshold=", "threshold=nan "),
        ("objective=binary sigmoid:1", "objective=lambdarank"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{from} is not in the fixture");
        assert!(ForeignModel::read(changed.as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let mut json = br#"{"learner":"#.to_vec();
    json.extend(b"[".repeat(200_000));
    assert!(ForeignModel::read(&json).is_err());
    let mut binary = b"{i\x07learner".to_vec();
    binary.extend(b"[".repeat(200_000));
    assert!(ForeignModel::read(&binary).is_err());
    let mut binary = b"{i\x07learner".to_vec();
    binary.extend(b"{i\x01a".repeat(200_000));
    assert!(ForeignModel::read(&binary).is_err());
    // Messages within messages: a graph within an attribute of a node of a graph …
    let mut onnx = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![0x3a];
        let mut length = onnx.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.append(&mut onnx);
        onnx = outer;
    }
    onnx.splice(0..0, [0x08, 0x08]);
    assert!(ForeignModel::read(&onnx).is_err());
}

#[test]
fn messages_name_the_tool_and_the_reason() {
    let text = String::from_utf8(bytes("xgboost_binary.json")).unwrap();
    let ranked = text.replace("binary:logistic", "rank:pairwise");
    let message = ForeignModel::read(ranked.as_bytes()).unwrap_err().to_string();
    assert_eq!(message, "the XGBoost model cannot be imported: objective rank:pairwise is not supported");
    assert!(expected().tables.contains_key("missing"));
}
