use super::*;
use crate::features::{Matrix, NumberEncoder, OneHotEncoder, RawColumn, Task};
use crate::model::Algorithm;
use crate::model::tests::{ALGORITHMS, fit_limited, small, table};
use crate::model::{Direction, GrowPolicy, Model, Node};

const COLUMNS: [(&str, Kind); 8] = [
    ("a", Kind::Number),
    ("b", Kind::Number),
    ("plan", Kind::Category),
    ("at", Kind::Time),
    ("note", Kind::Text),
    ("y", Kind::Number),
    ("left", Kind::Number),
    ("ratio", Kind::Number),
];

fn refused(json: &str) -> String {
    let params: Params = serde_json::from_str(json).unwrap();
    let drop = ["left".to_owned()];
    params.check_limits(Named { columns: &COLUMNS, target: "y", drop: &drop }).err().unwrap_or_default()
}

#[test]
fn limits_name_features() {
    for (json, what) in [
        (r#"{"monotone": {"a": "increasing", "ratio": "decreasing"}, "interactions": [["a", "plan"], ["at"]]}"#, ""),
        (r#"{"monotone": {"ration": "increasing"}}"#, "\"ration\", which is not a column: did you mean \"ratio\"?"),
        (r#"{"monotone": {"plan": "increasing"}}"#, "\"plan\", a category: only a number can be monotone"),
        (r#"{"monotone": {"at": "increasing"}}"#, "\"at\", a time"),
        (r#"{"monotone": {"note": "increasing"}}"#, "\"note\", a text: only a number can be monotone"),
        (r#"{"monotone": {"y": "increasing"}}"#, "\"y\", the target"),
        (r#"{"monotone": {"left": "increasing"}}"#, "\"left\", which [features] drop leaves out"),
        (
            r#"{"interactions": [["a", "plam"]]}"#,
            "[model] interactions names \"plam\", which is not a column: did you mean \"plan\"?",
        ),
        (r#"{"interactions": [["a", "a"]]}"#, "names \"a\" twice in one group"),
        (r#"{"interactions": [["a"], []]}"#, "has an empty group"),
        (r#"{"interactions": []}"#, "has an empty group"),
    ] {
        let found = refused(json);
        assert!(found.contains(what) && found.is_empty() == what.is_empty(), "{json}: {found}");
    }
    for (json, what) in [
        (r#"{"monotone": {"a": "up"}}"#, "increasing"),
        (r#"{"interactions": "all"}"#, "interactions must be groups of columns"),
    ] {
        let error = serde_json::from_str::<Params>(json).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let params: Params = serde_json::from_str(r#"{"monotone": {"a": "increasing"}}"#).unwrap();
    assert!(params.check(Task::Binary).is_ok() && params.check(Task::Regression).is_ok());
    let error = params.check(Task::Multiclass).unwrap_err().to_string();
    assert!(error.starts_with("parameter \"monotone\" does not apply to several classes"), "{error}");
}

fn features() -> Features {
    let levels = ["x", "y", "z"].map(String::from).to_vec();
    let number = || Encoder::Number(NumberEncoder::default());
    let inputs = [
        ("a", number()),
        ("plan", Encoder::OneHot(OneHotEncoder { levels, hot: vec![0, 1, 2], missing: false, unseen: vec![0.0; 3] })),
        ("b", number()),
        ("c", number()),
    ];
    Features::new(inputs.map(|(column, encoder)| RawColumn { column: column.to_owned(), encoder }).to_vec()).unwrap()
}

#[test]
fn names_become_places_of_features() {
    let features = features();
    let n_plan = features.names().len() as u32 - 3;
    let limits = |json: &str| serde_json::from_str::<Params>(json).unwrap().limits(&features).unwrap();
    let plan: Vec<u32> = (1..=n_plan).collect();
    let (b, c) = (n_plan + 1, n_plan + 2);
    let of = limits(r#"{"monotone": {"b": "decreasing"}}"#);
    assert_eq!(of.directions.iter().position(Option::is_some), Some(b as usize));
    assert_eq!((of.directions.len(), of.groups.len()), (features.names().len(), 0));
    // A category is in a group with all of its levels; features in no group form another one.
    assert_eq!(limits(r#"{"interactions": [["plan", "b"]]}"#).groups, [[&plan[..], &[b]].concat(), vec![0, c]]);
    assert_eq!(limits(r#"{"interactions": [["a", "plan"], ["b", "c", "gone"]]}"#).groups.len(), 2);
    assert_eq!(limits(r#"{"interactions": "none"}"#).groups, [vec![0], plan, vec![b], vec![c]]);
    assert_eq!(limits(r#"{"monotone": {"gone": "increasing"}}"#), Limits::default());
    let params: Params = serde_json::from_str(r#"{"monotone": {"plan": "increasing"}}"#).unwrap();
    assert!(params.limits(&features).is_err());
}

/// The largest decrease of predictions along feature `of`, over a grid, with the other features fixed.
fn falls(model: &Model, of: usize) -> f32 {
    let rows = table(60, 9);
    let grid = 31;
    let mut worst = 0.0_f32;
    for row in 0..rows.n_rows {
        let mut values = Vec::new();
        for step in 0..grid {
            let mut cells = rows.row(row).to_vec();
            cells[of] = step as f32 / (grid - 1) as f32;
            values.extend(cells);
        }
        let scores = model.scores(&Matrix::new(values, grid, rows.names.clone())).unwrap();
        worst = scores.windows(2).map(|pair| pair[0] - pair[1]).fold(worst, f32::max);
    }
    worst
}

#[test]
fn predictions_keep_to_their_direction() {
    // The target rises with a, and rises and falls with b: a rising direction for b contradicts the data.
    let limits = |directions: [Option<Direction>; 4]| Limits { directions: directions.to_vec(), groups: Vec::new() };
    let up = Some(Direction::Increasing);
    let growths = [None, Some(GrowPolicy::Symmetric), Some(GrowPolicy::Lossguide), Some(GrowPolicy::Depthwise)];
    for (algorithm, task) in ALGORITHMS.into_iter().flat_map(|a| [(a, Task::Binary), (a, Task::Regression)]) {
        let growths = if algorithm == Algorithm::GradientBoosting { &growths[..] } else { &growths[..1] };
        for &grow_policy in growths {
            let params = Params { grow_policy, ..small(algorithm) };
            let free = fit_limited(&params, task, 600, Limits::default());
            // A line falls a little at each step.
            let least = if algorithm == Algorithm::Linear { 0.002 } else { 0.1 };
            assert!(falls(&free, 1) > least, "{algorithm:?} {task:?}: nothing to forbid");
            let held = fit_limited(&params, task, 600, limits([up, up, None, None]));
            assert_eq!((falls(&held, 0), falls(&held, 1)), (0.0, 0.0), "{algorithm:?} {task:?} {grow_policy:?}");
            assert!(falls(&held, 2) > 0.0 || task == Task::Binary, "{algorithm:?}: c is free");
            let loaded = Model::from_bytes(&held.to_bytes().unwrap()).unwrap();
            assert_eq!(falls(&loaded, 1), 0.0);
            let down = fit_limited(&params, task, 600, limits([Some(Direction::Decreasing), None, None, None]));
            assert!(falls(&down, 1) > least || algorithm == Algorithm::DecisionTree);
        }
    }
}

/// The features on each path from the root of a tree to a leaf.
fn paths(model: &Model) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    for tree in model.trees().unwrap() {
        let mut open = vec![(0_usize, Vec::new())];
        while let Some((at, path)) = open.pop() {
            match &tree.nodes[at] {
                Node::Branch { feature, left, right, .. } => {
                    let path = [&path[..], &[*feature]].concat();
                    open.push((*left as usize, path.clone()));
                    open.push((*right as usize, path));
                }
                _ => all.push(path),
            }
        }
    }
    all
}

#[test]
fn features_act_together_only_within_their_group() {
    // The target depends on a and b.
    let groups = vec![vec![0, 2], vec![1, 3]];
    for (algorithm, task) in
        ALGORITHMS.into_iter().flat_map(|a| [(a, Task::Binary), (a, Task::Regression), (a, Task::Multiclass)])
    {
        // Whether a path from the root has features of both groups.
        let mixes = |model: &Model| {
            let fits = |path: &[u32]| groups.iter().any(|group| path.iter().all(|feature| group.contains(feature)));
            paths(model).iter().any(|path| !fits(path))
        };
        // A linear model has no interactions.
        let is_sum = algorithm == Algorithm::Linear;
        assert!(
            is_sum || mixes(&fit_limited(&small(algorithm), task, 600, Limits::default())),
            "{algorithm:?} {task:?}"
        );
        let limits = Limits { directions: Vec::new(), groups: groups.clone() };
        assert!(!mixes(&fit_limited(&small(algorithm), task, 600, limits)), "{algorithm:?} {task:?}");
    }
}
