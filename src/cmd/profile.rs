use super::args::UnknownTableArgs;
use super::{Context, Outcome, Output};
use anyhow::Result;
use mlloop::profile::{merge_files, profile_tables, summary};
use mlloop::workspace::WorkspaceError;
use std::path::PathBuf;

/// Summarise tables: each column's moments and distribution, in a small file to keep and compare
///
/// The columns are those of mlloop.toml; without that file they are detected as by `init`. Several tables are read as
/// parts of one. Columns with more than 10 000 distinct values are sketched (Apache DataSketches KLL).
///
///   mlloop profile january.csv > january.json
///   mlloop profile day-*.csv.gz
///   zcat new.csv.gz | mlloop profile -
///   mlloop profile --merge part-1.json part-2.json > whole.json
///
/// Exit status: 0 done, 2 error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// CSV (also .gz, .zst), Parquet, postgres://USER@HOST/DB/TABLE or s3://BUCKET/KEY; - is stdin. With --merge: profiles
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<PathBuf>,
    /// Keep every distinct value, for any number of them
    #[arg(long)]
    exact: bool,
    /// Merge profiles: the arguments are profiles
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    read: UnknownTableArgs,
}

pub(crate) fn run(args: &Args, ctx: &Context, out: &mut Output) -> Result<Outcome> {
    let profile = if args.merge {
        merge_files(&args.tables, args.exact)?
    } else {
        let config = match ctx.workspace.config() {
            Ok(config) => Some(config),
            Err(WorkspaceError::NoLoop(_)) => None,
            Err(err) => return Err(err.into()),
        };
        let target: Vec<&str> = config.iter().map(|config| config.target.column.as_str()).collect();
        let schema = config.as_ref().map(|config| config.schema());
        let found = profile_tables(&args.tables, schema, &target, &args.read.options(), args.exact)?;
        ctx.progress.rejects(&found.rejects);
        found.notes.iter().for_each(|note| ctx.progress.note(format_args!("note: {note}")));
        found.profile
    };
    out.answer(&profile, |style| summary(&profile, |heading| style.dim(heading)))?;
    Ok(Outcome::Yes)
}
