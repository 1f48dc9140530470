use super::*;

fn read(json: &str) -> Result<Params, serde_json::Error> {
    serde_json::from_str(json)
}

fn refused(json: &str) -> String {
    read(json).unwrap().check(Task::Binary).unwrap_err().to_string()
}

#[test]
fn the_usual_names_mean_the_same() {
    let xgboost = r#"{"num_boost_round": 9, "eta": 0.1, "lambda": 2, "alpha": 1, "min_split_loss": 3}"#;
    let sklearn = r#"{"n_estimators": 9, "learning_rate": 0.1, "reg_lambda": 2, "reg_alpha": 1, "gamma": 3}"#;
    assert_eq!(read(xgboost).unwrap(), read(sklearn).unwrap());
    let leaves = |name: &str| read(&format!("{{\"{name}\": 31}}")).unwrap().max_leaves;
    assert_eq!(["max_leaves", "num_leaves", "max_leaf_nodes"].map(leaves), [Some(31); 3]);
}

#[test]
fn an_unknown_name_is_an_error() {
    let error = read(r#"{"n_estimator": 9}"#).unwrap_err().to_string();
    assert!(error.contains("n_estimator") && error.contains("n_estimators"), "{error}");
    assert!(read(r#"{"eta": 0.1, "learning_rate": 0.1}"#).is_err());
    assert!(read(r#"{"algorithm": "svm"}"#).is_err());
    assert!(read(r#"{"max_features": "cube"}"#).is_err());
}

#[test]
fn a_value_out_of_range_names_its_range() {
    assert_eq!(
        refused(r#"{"learning_rate": 1.5}"#),
        "parameter \"learning_rate\" is 1.5: it must be above 0 and at most 1"
    );
    assert_eq!(refused(r#"{"n_estimators": 0}"#), "parameter \"n_estimators\" is 0: it must be 1 to 100000");
    for json in [
        r#"{"max_depth": 65}"#,
        r#"{"subsample": 0}"#,
        r#"{"colsample_bytree": -0.5}"#,
        r#"{"max_leaves": 1}"#,
        r#"{"max_bin": 1}"#,
        r#"{"reg_lambda": -1}"#,
        r#"{"gamma": -1}"#,
        r#"{"max_features": 0}"#,
        r#"{"max_features": 1.5}"#,
    ] {
        assert!(refused(json).contains("must be"), "{json}");
    }
}

#[test]
fn a_name_that_does_not_apply_is_an_error() {
    for (json, key) in [
        (r#"{"algorithm": "random-forest", "eta": 0.1}"#, "learning_rate"),
        (r#"{"algorithm": "random-forest", "lambda": 1}"#, "reg_lambda"),
        (r#"{"algorithm": "random-forest", "early_stopping_rounds": 5}"#, "early_stopping_rounds"),
        (r#"{"algorithm": "decision-tree", "n_estimators": 5}"#, "n_estimators"),
        (r#"{"algorithm": "decision-tree", "max_features": "sqrt"}"#, "max_features"),
        (r#"{"algorithm": "linear", "num_leaves": 5}"#, "max_leaves"),
        (r#"{"algorithm": "linear", "alpha": 1}"#, "reg_alpha"),
        (r#"{"min_samples_leaf": 5}"#, "min_samples_leaf"),
        (r#"{"grow_policy": "symmetric", "num_leaves": 5}"#, "max_leaves"),
        (r#"{"grow_policy": "symmetric", "max_depth": 17}"#, "max_depth"),
        (r#"{"grow_policy": "depthwise", "max_leaves": 5}"#, "max_leaves"),
        (r#"{"max_features": 2, "colsample_bynode": 0.5}"#, "max_features"),
    ] {
        let error = refused(json);
        assert!(error.starts_with(&format!("parameter \"{key}\" does not apply")), "{json}: {error}");
    }
}

#[test]
fn a_share_of_features_keeps_its_count() {
    for n in 1..300_usize {
        // The engine's handling of a share.
        let kept = |share: f64| ((share as f32 * n as f32) as usize).max(1);
        for count in 1..=n as u32 {
            assert_eq!(kept(MaxFeatures::Count(count).share(n)), count as usize, "{count} of {n}");
        }
        assert_eq!(kept(MaxFeatures::Count(n as u32 + 3).share(n)), n);
        assert_eq!(kept(MaxFeatures::Rule(FeatureRule::Sqrt).share(n)), n.isqrt());
        assert_eq!(kept(MaxFeatures::Rule(FeatureRule::Log2).share(n)), (n.ilog2() as usize).max(1));
        assert_eq!(kept(MaxFeatures::Share(1.0).share(n)), n);
    }
}
