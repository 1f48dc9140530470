//! A pipeline's files in a version directory: `model.bin`, `pipeline.json`, `golden.csv`.

use super::{Pipeline, PipelineError, TargetScale, golden};
use crate::atomic;
use crate::features::{Features, Target, Task};
use crate::model::Model;
use crate::score::Calibration;
use crate::table::{Schema, Table, TableError};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::Path;

/// Format 2 has a scale of the target; whatever has none is written as format 1, which older programs read.
const FORMAT: u32 = 2;
/// Files larger than these are not a version's: refused before they are read.
const MAX_MODEL_BYTES: u64 = 4 << 30;
const MAX_PIPELINE_BYTES: u64 = 256 << 20;

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
    pub const FILES: [&str; 3] = ["pipeline.json", "model.bin", "golden.csv"];

    /// Writes the pipeline into `dir`, with `golden` rows to verify it by.
    ///
    /// # Errors
    /// Whatever scoring the golden rows or the system says.
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
        let pipeline = Self { schema, target, features, model, scale, calibration, threshold }.know_levels();
        pipeline.check(dir)?;
        golden::verify(&pipeline, &dir.join("golden.csv"))?;
        Ok(pipeline)
    }

    /// Whether the parts belong together.
    fn check(&self, dir: &Path) -> Result<(), PipelineError> {
        let (have, want) = (self.features.names().len(), self.model.n_features());
        if have != want {
            return Err(damaged(dir, format!("pipeline.json makes {have} features where model.bin takes {want}")));
        }
        let (have, want) = (self.model.n_scores(), self.target.n_scores());
        if have != want {
            return Err(damaged(dir, format!("model.bin gives {have} scores where pipeline.json has {want}")));
        }
        let path = dir.join("pipeline.json");
        match (self.target.task, self.threshold) {
            (Task::Binary, Some(threshold)) if !(0.0..=1.0).contains(&threshold) => {
                return Err(damaged(&path, format!("\"threshold\" is {threshold}, which is not between 0 and 1")));
            }
            (Task::Binary | Task::Multiclass, _) if !self.scale.is_identity() => {
                return Err(damaged(&path, "has a \"scale\", which numbers have only".to_owned()));
            }
            (Task::Regression, None) if !self.scale.is_sound() => {
                return Err(damaged(&path, "has a \"scale\" that is no distance and no size".to_owned()));
            }
            (Task::Multiclass | Task::Regression, Some(_)) => {
                return Err(damaged(&path, "has a \"threshold\", which two classes have only".to_owned()));
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
