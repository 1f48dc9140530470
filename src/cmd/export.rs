use super::{Context, Outcome, Output};
use anyhow::Result;
use clap::ValueEnum;
use mlloop::pipeline::SPELLINGS;
use mlloop::registry::{Role, Version};
use mlloop::table::Kind;

/// Export a version for other tools
///
/// onnx: one graph from raw columns to scores (imputation, encoders, trees, calibration). First the graph scores the stored
/// test rows of the version (golden.csv): the scores must agree to 1e-6. The graph compares texts exactly, with the usual
/// spellings of a level; its metadata ("spellings") lists what you must normalise before. xgboost: only the trees, as
/// XGBoost JSON; their inputs are the features listed in `pipeline.json`.
///
///   mlloop export --format onnx -o churn.onnx
///   mlloop export --format xgboost --model v0003 -o trees.json
///
/// Exit status: 0 written, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The format
    #[arg(long, value_enum)]
    format: Format,
    /// The version (default: production)
    #[arg(long, value_name = "VERSION")]
    model: Option<Version>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// ONNX, from raw columns to scores
    Onnx,
    /// XGBoost JSON, from features to raw scores
    Xgboost,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let registry = ctx.workspace.registry();
    let version = args.model.map_or_else(|| registry.holder(Role::Production), Ok)?;
    let pipeline = registry.pipeline(version)?;
    let bytes: Vec<u8> = match args.format {
        Format::Onnx => pipeline.checked_onnx(&registry.path(version)?)?,
        Format::Xgboost => pipeline.model.to_xgboost_json(pipeline.features.names())?,
    };
    if matches!(args.format, Format::Onnx) {
        if pipeline.features.encoders().iter().any(|input| input.encoder.kind() == Kind::Category) {
            ctx.progress.note(format_args!("note: {SPELLINGS}"));
        }
        for (name, why) in pipeline.outside_onnx() {
            ctx.progress.note(format_args!(
                "note: the graph needs the derived feature {name:?} as an input, because it cannot compute it: {why}"
            ));
        }
    }
    if matches!(args.format, Format::Xgboost) && !pipeline.scale.is_identity() {
        ctx.progress.note(format_args!(
            "note: these trees predict {:?} in standard deviations from the mean: multiply by {} and add {}",
            pipeline.target.name,
            pipeline.scale.unit(),
            pipeline.scale.centre()
        ));
    }
    out.bytes(&bytes)?;
    Ok(Outcome::Yes)
}
