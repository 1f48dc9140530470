//! Several models as one: a weighted sum of margins is a sum of trees with scaled leaves.

use crate::model::error::ModelError;
use crate::model::{Assembly, Model, Node, Tree};

impl Model {
    /// The model whose margins are the sum of those of `members`, each times its weight, which is above 0.
    ///
    /// All of them must predict the same target from the same features, with the same link from margins to scores.
    /// The plan is that of the member with the largest weight, the first on a tie.
    ///
    /// # Errors
    ///
    /// If there is no member, or members differ in features, target or link.
    pub fn blend(members: &[(Self, f64)]) -> Result<Self, ModelError> {
        let differ = |what: &str| ModelError::Format(format!("models with different {what} cannot be averaged"));
        let heaviest = members.iter().reduce(|best, one| if one.1 > best.1 { one } else { best });
        let Some((heaviest, _)) = heaviest else { return Err(ModelError::Format("no model to blend".into())) };
        let mut trees = Vec::new();
        let mut base_scores = vec![0.0; heaviest.n_margins()];
        for (member, weight) in members {
            if member.head() != heaviest.head() {
                return Err(differ("answers"));
            }
            if member.n_features() != heaviest.n_features() {
                return Err(differ("features"));
            }
            base_scores.iter_mut().zip(member.base_scores()).for_each(|(sum, base)| *sum += weight * f64::from(*base));
            trees.extend(member.trees()?.into_iter().map(|tree| scaled(tree, *weight)));
        }
        let assembly = Assembly {
            trees,
            base_scores: base_scores.into_iter().map(|base| base as f32).collect(),
            n_features: heaviest.n_features(),
            head: heaviest.head().clone(),
        };
        Ok(Self { plan: heaviest.plan().cloned(), ..Self::assemble(&assembly)? })
    }

    /// The model whose margins are `factor` times as large.
    ///
    /// # Errors
    ///
    /// If the engine has no trees.
    pub fn times(self, factor: f64) -> Result<Self, ModelError> {
        if factor == 1.0 { Ok(self) } else { Self::blend(&[(self, factor)]) }
    }
}

/// The tree with its leaves and gains multiplied by `weight`.
fn scaled(mut tree: Tree, weight: f64) -> Tree {
    let times = |value: &mut f32| *value = (f64::from(*value) * weight) as f32;
    for node in &mut tree.nodes {
        match node {
            Node::Leaf { values, .. } => values.iter_mut().for_each(times),
            Node::Branch { gain, .. } | Node::Choice { gain, .. } => times(gain),
        }
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{Matrix, Task};
    use crate::model::{FitData, FitOptions, Params};

    const N: usize = 300;

    fn fitted(task: Task, n_classes: usize, params: &str) -> (Model, Matrix) {
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let values = (0..N * 3).map(|at| ((at * 7919 + 13) % 101) as f32 / 101.0).collect();
        let x = Matrix::new(values, N, names.into());
        let of = |row: usize| x.row(row)[0] + x.row(row)[1] * x.row(row)[2];
        let y: Vec<f32> = (0..N)
            .map(|row| match task {
                Task::Regression => of(row),
                _ => (of(row) * 1.2 * n_classes as f32).floor().min(n_classes as f32 - 1.0),
            })
            .collect();
        let params = serde_json::from_str::<Params>(params).unwrap().check(task).unwrap().with_seed(3);
        let options = FitOptions { params: &params, n_classes, tune: None, progress: None };
        (Model::fit(&FitData { x: &x, y: &y, weights: None }, &options).unwrap(), x)
    }

    #[test]
    fn margins_of_a_blend_are_the_weighted_sum_of_those_of_its_members() {
        let small = r#"{"n_estimators": 20, "max_depth": 2}"#;
        let large = r#"{"n_estimators": 31, "max_leaves": 9}"#;
        for (task, n_classes) in [(Task::Binary, 2), (Task::Multiclass, 4), (Task::Regression, 0)] {
            let ((a, x), (b, _)) = (fitted(task, n_classes, small), fitted(task, n_classes, large));
            let blend = Model::blend(&[(a.clone(), 0.25), (b.clone(), 0.75)]).unwrap();
            let (of_a, of_b, both) = (a.margins(&x).unwrap(), b.margins(&x).unwrap(), blend.margins(&x).unwrap());
            assert_eq!(both.len(), N * n_classes.max(1).min(if n_classes == 2 { 1 } else { 9 }));
            for ((a, b), both) in of_a.iter().zip(&of_b).zip(&both) {
                assert!((0.25 * a + 0.75 * b - both).abs() < 2e-6 * (1.0 + both.abs()), "{task:?} {a} {b} {both}");
            }
            assert_eq!(blend.plan(), b.plan());
            let gain: f64 = blend.gain().unwrap().iter().sum();
            assert!(gain > 0.0);
        }
    }

    #[test]
    fn a_forest_of_numbers_blends_with_boosting_and_what_differs_does_not() {
        let forest = fitted(Task::Regression, 0, r#"{"algorithm": "random-forest", "n_estimators": 12}"#);
        let (boosted, x) = fitted(Task::Regression, 0, r#"{"n_estimators": 9}"#);
        let blend = Model::blend(&[(forest.0.clone(), 0.5), (boosted.clone(), 0.5)]).unwrap();
        let (f, b, both) = (forest.0.margins(&x).unwrap(), boosted.margins(&x).unwrap(), blend.margins(&x).unwrap());
        assert!(
            f.iter()
                .zip(&b)
                .zip(&both)
                .all(|((f, b), both)| (f64::midpoint(f64::from(*f), f64::from(*b)) - f64::from(*both)).abs() < 1e-6)
        );
        let other = fitted(Task::Binary, 2, r#"{"n_estimators": 9}"#).0;
        let told = Model::blend(&[(boosted, 1.0), (other, 1.0)]).unwrap_err().to_string();
        assert!(told.contains("with different answers"), "{told}");
        assert!(Model::blend(&[]).is_err());
    }
}
