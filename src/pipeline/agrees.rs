//! Checks that an exported graph gives the scores of its pipeline, on sample rows.

use super::{Pipeline, PipelineError, golden};
use crate::features::Task;
use crate::model::{Elements, ModelError, Tensor, run_onnx};
use crate::table::{Table, Values};
use std::collections::HashMap;
use std::path::Path;

/// Tolerance for scores: a graph computes them in 32 bits.
const TOLERANCE: f64 = 1e-6;

impl Pipeline {
    /// The pipeline as ONNX, after checking that the graph gives the pipeline's scores for the golden rows in the
    /// version's directory `dir`.
    ///
    /// # Errors
    /// As [`Pipeline::to_onnx`]; if the graph cannot be run, or a score or a class differs.
    pub fn checked_onnx(&self, dir: &Path) -> Result<Vec<u8>, PipelineError> {
        let graph = self.to_onnx()?;
        self.agrees(&graph, &golden::read(self, &dir.join("golden.csv"))?)?;
        Ok(graph)
    }

    /// Compares the graph and the pipeline on `rows`.
    ///
    /// # Errors
    /// If the graph cannot be run; the first row whose score or class differs.
    pub fn agrees(&self, graph: &[u8], rows: &Table) -> Result<(), PipelineError> {
        let wrong = |what: String| PipelineError::Model(ModelError::Graph(what));
        let mut inputs = HashMap::new();
        for (name, _) in self.features.inputs() {
            inputs.insert(name.to_owned(), input(&rows.require(name)?.values));
        }
        // Derived columns that a graph cannot compute are its inputs.
        for column in self.with_derived(rows)?.columns().iter().filter(|column| rows.column(&column.name).is_none()) {
            inputs.insert(column.name.clone(), input(&column.values));
        }
        let found = run_onnx(graph, inputs).map_err(wrong)?;
        let ours = self.score(rows)?;
        let is_number = self.target.task == Task::Regression;
        let output = |name: &str| {
            // If a raw column has the name of an output, the output's name has a suffix.
            let named = found.iter().find(|(found, _)| found.trim_end_matches('_') == name);
            named.map(|(_, tensor)| &tensor.elements).ok_or_else(|| wrong(format!("it has no output {name:?}")))
        };
        let scores: Vec<f64> = match output(if is_number { "prediction" } else { "score" })? {
            Elements::Float(scores) if self.scale.is_identity() => scores.iter().copied().map(f64::from).collect(),
            Elements::Double(scores) if !self.scale.is_identity() => scores.clone(),
            _ => Vec::new(),
        };
        if scores.len() != ours.values.len() {
            return Err(wrong("its scores are of another shape".to_owned()));
        }
        for (at, (&ours, graph)) in ours.values.iter().zip(scores).enumerate() {
            let is_near = self.scale.is_near(graph, ours, TOLERANCE);
            if !is_near {
                let row = at / self.target.n_scores() + 1;
                return Err(wrong(format!("row {row} scores {graph} in the graph and {ours} in the version")));
            }
        }
        if is_number {
            return Ok(());
        }
        let Elements::Text(classes) = output("prediction")? else {
            return Err(wrong("its classes are not texts".to_owned()));
        };
        for (row, class) in classes.iter().enumerate() {
            let ours = self.class_of(ours.row(row)).map_or("", |class| &self.target.classes[class]);
            if ours != class {
                return Err(wrong(format!("row {} is {class:?} in the graph and {ours:?} in the version", row + 1)));
            }
        }
        Ok(())
    }
}

/// A raw column as an input of the graph.
pub(super) fn input(values: &Values) -> Tensor {
    Tensor::column(match values {
        Values::Number(numbers) => Elements::Double(numbers.clone()),
        Values::Time(times) => Elements::Int64(times.clone()),
        Values::Category(levels) => {
            let level = |row| levels.level(row).unwrap_or_default().to_owned();
            Elements::Text((0..levels.codes.len()).map(level).collect())
        }
        Values::Text(texts) => Elements::Text(texts.iter().map(str::to_owned).collect()),
    })
}
