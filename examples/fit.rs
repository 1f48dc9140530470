//! What fitting alone costs, for `make bench`: `fit WORKSPACE TRAIN TEST` prints
//! `{"fit_cpu_s": …, "fit_wall_s": …, "roc_auc": …}`.
//!
//! Both tables are read beforehand. What is timed goes from the typed columns of all rows of TRAIN to a model with the
//! parameters of the workspace's `mlloop.toml`, as a peer's `fit` goes from a data frame to a model; TEST is then scored.

use mlloop::features::Features;
use mlloop::model::{FitOptions, Model};
use mlloop::score::binary::roc_auc;
use mlloop::table::{Input, ReadOptions, Table, read};
use mlloop::workspace::Workspace;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, train, test] = args.as_slice() else { return Err("usage: fit WORKSPACE TRAIN TEST".into()) };
    let config = Workspace::new(dir).config()?;
    let (schema, recipe) = (config.schema(), config.recipe());
    let open = |path: &str| -> Result<Table, Box<dyn Error>> {
        Ok(read(Input::open(Path::new(path))?, &schema, &ReadOptions::default())?.table)
    };
    let (train, test) = (open(train)?, open(test)?);
    let column = train.require(&recipe.target.column)?;
    let target = mlloop::features::Target::fit(column, recipe.target.positive.as_deref(), recipe.target.task)?;
    let y: Vec<f32> = target.encode(column)?.y.into_iter().map(|y| y as f32).collect();

    let (started, cpu_before) = (Instant::now(), cpu_s()?);
    let (features, x) = Features::fit(&train, &target, &y, &recipe.features, SEED)?;
    let params = recipe.model.check(target.task)?.with_seed(SEED);
    let options = FitOptions { params: &params, n_classes: target.classes.len(), tune: None, progress: None };
    let model = Model::fit_from(x, &y, None, &options)?;
    let (fit_cpu_s, fit_wall_s) = (cpu_s()? - cpu_before, started.elapsed().as_secs_f64());

    let scores: Vec<f64> = model.scores(&features.transform(&test)?)?.into_iter().map(f64::from).collect();
    let truth = target.encode(test.require(&target.name)?)?.y;
    let positive: Vec<bool> = truth.iter().map(|&y| y == 1.0).collect();
    let roc_auc = roc_auc(&positive, &scores, None);
    let figures = serde_json::json!({ "fit_cpu_s": fit_cpu_s, "fit_wall_s": fit_wall_s, "roc_auc": roc_auc });
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

/// CPU seconds of this process so far, user and system, from Linux's account of it in hundredths.
fn cpu_s() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces.
    let after_name = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64, Box<dyn Error>> { Ok(fields.get(at).ok_or("too few fields")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}
