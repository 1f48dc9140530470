//! `linfa`'s traits on our types: [`Checked`] fits, [`Model`] predicts.
//!
//! ```
//! use linfa::prelude::*;
//! use mlloop::features::Task;
//! use mlloop::model::{Model, ModelError, Params};
//! use ndarray::{Array1, Array2};
//!
//! // A point belongs to class 1 above the diagonal.
//! let x = Array2::from_shape_fn((400, 2), |(row, column)| ((row * (7 + 4 * column)) % 20) as f64);
//! let y: Array1<usize> = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
//!
//! let params = Params { n_estimators: Some(50), learning_rate: Some(0.3), ..Params::default() };
//! let model: Model = params.check(Task::Binary)?.fit(&Dataset::new(x.clone(), y.clone()))?;
//! let classes: Array1<f32> = model.predict(&x);
//! let right = classes.iter().zip(&y).filter(|(found, truth)| **found == **truth as f32).count();
//! assert!(right > 380, "{right}");
//!
//! let probabilities: Array2<f32> = model.predict(&x);
//! assert_eq!(probabilities.dim(), (400, 1));
//! # Ok::<(), ModelError>(())
//! ```

use crate::features::{Matrix, Task};
use crate::model::Model;
use crate::model::data::{FitData, FitOptions};
use crate::model::error::ModelError;
use crate::model::params::Checked;
use ::linfa::DatasetBase;
use ::linfa::dataset::AsSingleTargets;
use ::linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};

/// A number that a feature or target can be: `f32`, `f64`, and for targets class indices and `bool`.
pub trait Cell: Copy {
    /// The number as the engine takes it; `NaN` is missing.
    fn cell(self) -> f32;
}

impl Cell for f32 {
    fn cell(self) -> f32 {
        self
    }
}

impl Cell for f64 {
    fn cell(self) -> f32 {
        self as f32
    }
}

impl Cell for usize {
    fn cell(self) -> f32 {
        self as f32
    }
}

impl Cell for bool {
    fn cell(self) -> f32 {
        f32::from(self)
    }
}

impl<F: Cell, D: Data<Elem = F>, T: AsSingleTargets> Fit<ArrayBase<D, Ix2>, T, ModelError> for Checked
where
    T::Elem: Cell,
{
    type Object = Model;

    /// Fits on every row; the number of classes is the greatest class index plus 1, weights are the dataset's.
    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Model, ModelError> {
        let x = matrix(dataset.records(), dataset.feature_names());
        let y: Vec<f32> = dataset.as_single_targets().iter().map(|&y| y.cell()).collect();
        let n_classes = match self.task() {
            Task::Multiclass => y.iter().fold(0.0_f32, |most, &y| most.max(y)) as usize + 1,
            Task::Binary | Task::Regression => 2,
        };
        // A class index that is not below the number of rows is an error: it would only allocate memory.
        if n_classes > y.len().max(2) {
            return Err(ModelError::Data(format!("class indices up to {} for {} rows", n_classes - 1, y.len())));
        }
        let options = FitOptions { params: self, n_classes, tune: None, progress: None };
        Model::fit(&FitData { x: &x, y: &y, weights: dataset.weights() }, &options)
    }
}

impl<F: Cell, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array2<f32>> for Model {
    /// Scores, one row per record; `NaN` if the number of columns differs or a value is infinite.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array2<f32>) {
        let scores = self.scores(&matrix(x, &[])).ok();
        let scores = scores.and_then(|scores| Array2::from_shape_vec((x.nrows(), self.n_scores()), scores).ok());
        match scores {
            Some(scores) if scores.dim() == y.dim() => y.assign(&scores),
            _ => y.fill(f32::NAN),
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array2<f32> {
        Array2::zeros((x.nrows(), self.n_scores()))
    }
}

impl<F: Cell, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<f32>> for Model {
    /// The value, or the index of the class with the greatest score (binary: class 1 from 0.5; on a tie, the first
    /// class); `NaN` if the number of columns differs or a value is infinite.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<f32>) {
        let mut scores: Array2<f32> = self.default_target(x);
        self.predict_inplace(x, &mut scores);
        for (place, row) in y.iter_mut().zip(scores.rows()) {
            *place = match self.task() {
                _ if row[0].is_nan() => f32::NAN,
                Task::Regression => row[0],
                Task::Binary => f32::from(row[0] >= 0.5),
                Task::Multiclass => {
                    let first_greatest = row
                        .iter()
                        .enumerate()
                        .fold((0, row[0]), |best, (class, &score)| if score > best.1 { (class, score) } else { best });
                    first_greatest.0 as f32
                }
            };
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<f32> {
        Array1::zeros(x.nrows())
    }
}

/// Records as a matrix; columns without a name are called `f0`, `f1`, ….
fn matrix<F: Cell, D: Data<Elem = F>>(records: &ArrayBase<D, Ix2>, names: &[String]) -> Matrix {
    let values = records.iter().map(|&v| v.cell()).collect();
    let names = if names.len() == records.ncols() {
        names.to_vec()
    } else {
        (0..records.ncols()).map(|column| format!("f{column}")).collect()
    };
    Matrix::new(values, records.nrows(), names.into())
}
