//! A pipeline's files in a version directory: `model.bin`, `pipeline.json`, `golden.csv`.

use super::conformal::Intervals;
use super::spread::Spread;
use super::{Coverage, Pipeline, PipelineError, TargetScale, golden};
use crate::atomic;
use crate::features::{Features, Target, Task};
use crate::model::Model;
use crate::score::Calibration;
use crate::table::{Schema, Table, TableError};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Format 2 has a scale of the target; a pipeline without one is written as format 1, which older programs can read.
const FORMAT: u32 = 2;
/// Larger files cannot be part of a version: they are refused before they are read.
const MAX_MODEL_BYTES: u64 = 4 << 30;
const MAX_PIPELINE_BYTES: u64 = 256 << 20;

const INTERVALS: &str = "intervals.json";
/// The expected size of errors, for regressions.
const SPREAD: &str = "spread.bin";
const INTERVALS_FORMAT: u32 = 1;

/// `intervals.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntervalsFile {
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    n_rows: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    least_error: Option<f64>,
    coverage: Vec<Coverage>,
    steps: Vec<(f64, f64)>,
}

fn save_intervals(intervals: &Intervals, dir: &Path) -> Result<(), PipelineError> {
    let file = IntervalsFile {
        format: INTERVALS_FORMAT,
        refused: intervals.refused.clone(),
        n_rows: intervals.n_rows,
        least_error: intervals.spread.as_ref().map(|spread| spread.least),
        coverage: intervals.coverage.clone(),
        steps: intervals.steps.clone(),
    };
    write_file(&dir.join(INTERVALS), |out| Ok(serde_json::to_writer(out, &file)?))?;
    match &intervals.spread {
        Some(spread) => {
            let model = spread.model.to_bytes()?;
            write_file(&dir.join(SPREAD), |out| out.write_all(&model))
        }
        None => Ok(()),
    }
}

fn load_intervals(dir: &Path) -> Result<Option<Intervals>, PipelineError> {
    let path = dir.join(INTERVALS);
    if !path.exists() {
        return Ok(None);
    }
    let file: IntervalsFile = serde_json::from_slice(&read_file(&path, MAX_PIPELINE_BYTES)?)
        .map_err(|err| damaged(&path, format!("not those of a version: {err}")))?;
    let IntervalsFile { format, refused, n_rows, least_error, coverage, steps } = file;
    let ascends = steps.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1);
    if format != INTERVALS_FORMAT || !ascends {
        return Err(damaged(&path, format!("not intervals of format {INTERVALS_FORMAT}")));
    }
    let path = dir.join(SPREAD);
    let spread = |least| {
        let model = Model::from_bytes(&read_file(&path, MAX_MODEL_BYTES)?);
        Ok::<_, PipelineError>(Spread { model: model.map_err(|err| damaged(&path, err.to_string()))?, least })
    };
    let spread = least_error.map(spread).transpose()?;
    Ok(Some(Intervals { refused, steps, n_rows, spread, coverage }))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineFile {
    format: u32,
    schema: Schema,
    target: Target,
    features: Features,
    #[serde(default, skip_serializing_if = "TargetScale::is_identity")]
    scale: TargetScale,
    calibration: Calibration,
    threshold: Option<f64>,
}

impl Pipeline {
    /// The files of a pipeline in a version directory.
    pub const FILES: [&str; 5] = ["pipeline.json", "model.bin", "golden.csv", INTERVALS, SPREAD];

    /// Writes the pipeline into `dir`, with `golden` rows for verification.
    ///
    /// # Errors
    /// Errors of scoring the golden rows, and I/O errors.
    pub fn save(&self, dir: &Path, golden: &Table) -> Result<(), PipelineError> {
        let file = PipelineFile {
            format: if self.scale.is_identity() { 1 } else { FORMAT },
            schema: self.schema.clone(),
            target: self.target.clone(),
            features: self.features.clone(),
            scale: self.scale,
            calibration: self.calibration.clone(),
            threshold: self.threshold,
        };
        write_file(&dir.join("pipeline.json"), |out| Ok(serde_json::to_writer_pretty(out, &file)?))?;
        let model = self.model.to_bytes()?;
        write_file(&dir.join("model.bin"), |out| out.write_all(&model))?;
        if let Some(intervals) = &self.intervals {
            save_intervals(intervals, dir)?;
        }
        let mut rows = Vec::new();
        golden::write(self, golden, &mut rows)?;
        write_file(&dir.join("golden.csv"), |out| out.write_all(&rows))
    }

    /// Reads the pipeline in `dir` and scores its golden rows again.
    ///
    /// # Errors
    /// [`PipelineError::Version`] when a file is missing, damaged or of another format, or a golden row scores differently.
    pub fn load(dir: &Path) -> Result<Self, PipelineError> {
        let path = dir.join("pipeline.json");
        let file: PipelineFile = serde_json::from_slice(&read_file(&path, MAX_PIPELINE_BYTES)?)
            .map_err(|err| damaged(&path, format!("not a pipeline: {err}")))?;
        if !(1..=FORMAT).contains(&file.format) {
            return Err(damaged(
                &path,
                format!("is of format {}; this mlloop reads up to format {FORMAT}", file.format),
            ));
        }
        let path = dir.join("model.bin");
        let model =
            Model::from_bytes(&read_file(&path, MAX_MODEL_BYTES)?).map_err(|err| damaged(&path, err.to_string()))?;
        let PipelineFile { schema, target, features, scale, calibration, threshold, .. } = file;
        let intervals = load_intervals(dir)?.map(Arc::new);
        let pipeline = Self { schema, target, features, model, scale, calibration, threshold, intervals }.know_levels();
        pipeline.check(dir)?;
        golden::verify(&pipeline, &dir.join("golden.csv"))?;
        Ok(pipeline)
    }

    /// Checks that the parts belong together.
    fn check(&self, dir: &Path) -> Result<(), PipelineError> {
        let (have, want) = (self.features.names().len(), self.model.n_features());
        if have != want {
            return Err(damaged(dir, format!("pipeline.json makes {have} features, but model.bin takes {want}")));
        }
        let (have, want) = (self.model.n_scores(), self.target.n_scores());
        if have != want {
            return Err(damaged(dir, format!("model.bin gives {have} scores, but pipeline.json has {want}")));
        }
        let path = dir.join("pipeline.json");
        match (self.target.task, self.threshold) {
            (Task::Binary, Some(threshold)) if !(0.0..=1.0).contains(&threshold) => {
                return Err(damaged(&path, format!("\"threshold\" is {threshold}, which is not between 0 and 1")));
            }
            (Task::Binary | Task::Multiclass, _) if !self.scale.is_identity() => {
                return Err(damaged(&path, "has a \"scale\", which is only for numbers".to_owned()));
            }
            (Task::Regression, None) if !self.scale.is_sound() => {
                return Err(damaged(&path, "has an invalid \"scale\"".to_owned()));
            }
            (Task::Multiclass | Task::Regression, Some(_)) => {
                return Err(damaged(&path, "has a \"threshold\", which is only for two classes".to_owned()));
            }
            _ => {}
        }
        let mut classes = self.target.classes.clone();
        classes.sort_unstable();
        if let Some(twice) = classes.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(damaged(&path, format!("\"classes\" has {:?} twice", twice[0])));
        }
        Ok(())
    }
}

fn damaged(path: &Path, what: String) -> PipelineError {
    PipelineError::Version { path: path.to_owned(), what }
}

fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, PipelineError> {
    atomic::read_at_most(path, max_bytes).map_err(|err| damaged(path, err.to_string()))
}

fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), PipelineError> {
    atomic::replace(path, write).map_err(|source| TableError::Write { path: path.to_owned(), source }.into())
}
