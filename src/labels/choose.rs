//! From candidates to drawn rows: rank them, read some in full, and draw.

use super::LabelError;
use super::batch::Stratum;
use super::candidates::{Fetched, Gathered, Source, fetch};
use super::design::{Drawn, Pull, draw, pull_of_rank};
use super::request::ExportRequest;
use super::strata::{Strategy, drift_pull, k_centre, uncertainty};
use crate::drift::multivariate::{MAX_ROWS, MIN_ROWS, MultivariateError, domain_scores};
use crate::features::Task;
use crate::pipeline::Pipeline;
use crate::registry::Version;
use crate::stats::random::{hash64, unit_hash};
use crate::table::{Input, ReadOptions, Table, stream};
use crate::workspace::{Config, Workspace};
use std::collections::{HashMap, HashSet};

/// Maximum number of candidates; if there are more, a random sample is used, and the probabilities account for it.
const MAX_CANDIDATES: usize = 1 << 20;
/// Share of the control rows, and their minimum number.
const CONTROL: (f64, usize) = (0.2, 50);
/// Diverse rows are chosen among this many times the number of rows requested.
const DIVERSE_AMONG: usize = 5;
/// Maximum numbers of rows considered and of rows chosen as diverse: the distances cost the product of the two.
const MAX_DIVERSE: (usize, usize) = (20_000, 2_000);
/// Separate random streams for the draws of different steps.
const THIN: u64 = 0x7468_696e;
const TIES: u64 = 0x7469_6573;
const LOOK: u64 = 0x6c6f_6f6b;

/// A selected row.
pub(super) struct Pick {
    /// Its index in the source.
    pub place: u32,
    /// Hash of its id.
    pub hash: u64,
    pub stratum: Stratum,
    pub prob: f64,
    /// How many times more frequent such rows are now, if drift was a criterion.
    pub ratio: Option<f64>,
}

/// The selected rows.
pub(super) struct Chosen {
    pub drawn: Vec<Pick>,
    pub n_candidates: u64,
    pub n_excluded: u64,
    pub notes: Vec<String>,
}

/// The input of the selection.
pub(super) struct Chooser<'a> {
    pub workspace: &'a Workspace,
    pub config: &'a Config,
    pub version: Version,
    pub pipeline: &'a Pipeline,
    pub source: &'a Source<'a>,
    pub request: &'a ExportRequest<'a>,
}

/// A row eligible for selection.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    hash: u64,
    place: u32,
    uncertainty: f32,
}

/// The eligible rows: the last one of each id, or a random sample.
struct Candidates {
    rows: Vec<Candidate>,
    by_id: HashMap<u64, u32>,
    /// The share of ids in the sample.
    share: f64,
    excluded: HashSet<u64>,
    seed: u64,
}

impl Candidates {
    fn offer(&mut self, hash: u64, place: u32, uncertainty: f32, not: &HashSet<u64>) {
        if not.contains(&hash) {
            self.excluded.insert(hash);
            return;
        }
        if self.lot(hash) >= self.share {
            return;
        }
        let row = Candidate { hash, place, uncertainty };
        let at = *self.by_id.entry(hash).or_insert(self.rows.len() as u32);
        match self.rows.get_mut(at as usize) {
            Some(earlier) => *earlier = row,
            None => self.rows.push(row),
        }
        if self.rows.len() > MAX_CANDIDATES {
            self.share /= 2.0;
            let (share, seed) = (self.share, self.seed);
            self.rows.retain(|row| unit_hash(&row.hash.to_le_bytes(), seed ^ THIN) < share);
            self.by_id = self.rows.iter().zip(0..).map(|(row, at)| (row.hash, at)).collect();
        }
    }

    fn lot(&self, hash: u64) -> f64 {
        unit_hash(&hash.to_le_bytes(), self.seed ^ THIN)
    }
}

impl Chooser<'_> {
    /// Selects rows whose ids (as hashes) are not in `not`.
    pub(super) fn choose(&self, not: &HashSet<u64>) -> Result<Chosen, LabelError> {
        let Candidates { mut rows, share, excluded, .. } = self.candidates(not)?;
        rows.sort_unstable_by_key(|row| row.place);
        let mut notes = Vec::new();
        if share < 1.0 {
            notes.push(format!(
                "there are more than {MAX_CANDIDATES} candidates: rows are chosen from a random sample, 1 in {}",
                (1.0 / share).round()
            ));
        }
        let (pull, ratios) = self.pull(&rows, &mut notes)?;
        let drawn = draw(&pull, self.request.n, self.request.seed);
        let pick = |Drawn { row, prob, stratum }: Drawn| {
            let Candidate { hash, place, .. } = rows[row as usize];
            Pick { place, hash, stratum, prob: prob * share, ratio: ratios.get(&row).copied() }
        };
        let n_candidates = (rows.len() as f64 / share).round() as u64;
        let drawn = drawn.into_iter().map(pick).collect();
        Ok(Chosen { drawn, n_candidates, n_excluded: excluded.len() as u64, notes })
    }

    /// The first pass: every row is scored.
    fn candidates(&self, not: &HashSet<u64>) -> Result<Candidates, LabelError> {
        let Self { pipeline, request, .. } = self;
        let (rows, by_id, excluded) = Default::default();
        let mut all = Candidates { rows, by_id, share: 1.0, excluded, seed: request.seed };
        let mut first = 0;
        let name = self.source.name();
        self.source.pass(&mut |ids, table| {
            let scores = pipeline.score(table)?;
            for (row, id) in ids.iter().enumerate() {
                if id.is_empty() {
                    let what = format!("row {} has no id, so its label could not be joined", first as usize + row + 1);
                    return Err(LabelError::File { file: name.clone(), what });
                }
                let unsure = match pipeline.target.task {
                    Task::Regression => 0.0,
                    _ => uncertainty(request.strategy, scores.row(row), pipeline.threshold),
                };
                all.offer(hash64(id.as_bytes(), 0), first + row as u32, unsure as f32, not);
            }
            first += ids.len() as u32;
            Ok(())
        })?;
        Ok(all)
    }

    /// The pull of each candidate into the sample, and the density ratios of those that were read.
    fn pull(&self, rows: &[Candidate], notes: &mut Vec<String>) -> Result<(Pull, HashMap<u32, f64>), LabelError> {
        let n = self.request.n.min(rows.len());
        let control = if self.request.strategy == Strategy::Random {
            n
        } else {
            ((CONTROL.0 * n as f64).ceil() as usize).max(CONTROL.1).min(n)
        };
        let mut pull = Pull { n_rows: rows.len(), control: control as f64, ..Pull::default() };
        let [uncertain, drifted, diverse] = self.request.strategy.shares().map(|share| share * (n - control) as f64);
        if n == rows.len() || n == control {
            if n < rows.len() && self.request.strategy != Strategy::Random {
                notes.push(format!(
                    "all rows are random control rows: {} are needed before other rows are chosen",
                    CONTROL.1
                ));
            }
            return Ok((pull, HashMap::new()));
        }
        let order = self.order(rows);
        let k = (diverse.round() as usize).min(MAX_DIVERSE.1);
        let near: Vec<u32> = order.iter().copied().take((DIVERSE_AMONG * n).min(MAX_DIVERSE.0)).collect();
        let look = if drifted > 0.0 { self.look(rows) } else { Vec::new() };
        let close = self.fetch(rows, if k > 0 { &near } else { &[] }, &look)?;
        if k > 0 {
            let table = close.of(&near);
            pull.certain = k_centre(&self.pipeline.features.transform(&table).map_err(LabelError::features)?, k)
                .into_iter()
                .map(|row| near[row as usize])
                .collect();
        }
        let mut left = uncertain + diverse - pull.certain.len() as f64;
        let mut ratios = HashMap::new();
        if drifted > 0.0 {
            match self.drifted(&close.of(&look), &look, rows.len(), drifted)? {
                Ok((t, found)) => {
                    pull.targeted.push((Stratum::Drifted, t));
                    ratios = found;
                }
                Err(why) => {
                    notes.push(format!("no row was chosen for drift: {why}"));
                    left += drifted;
                }
            }
        }
        if self.pipeline.target.task != Task::Regression && left > 0.0 {
            pull.targeted.push((Stratum::Uncertain, uncertain_pull(&order, &pull.certain, left)));
        } else if left >= 1.0 && uncertain > 0.0 {
            notes.push("a regression has no uncertainty scores: these rows are drawn at random".to_owned());
        }
        Ok((pull, ratios))
    }

    /// The candidates, least certain first; ties in random order.
    fn order(&self, rows: &[Candidate]) -> Vec<u32> {
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        let lot = |row: u32| hash64(&rows[row as usize].hash.to_le_bytes(), self.request.seed ^ TIES);
        order.sort_unstable_by(|&a, &b| {
            let unsure = |row: u32| rows[row as usize].uncertainty;
            unsure(b).total_cmp(&unsure(a)).then_with(|| lot(a).cmp(&lot(b)))
        });
        order
    }

    /// A random sample of the candidates, of the size that the domain classifier needs.
    fn look(&self, rows: &[Candidate]) -> Vec<u32> {
        let mut look: Vec<u32> = (0..rows.len() as u32).collect();
        if look.len() > MAX_ROWS {
            let lot = |row: &u32| hash64(&rows[*row as usize].hash.to_le_bytes(), self.request.seed ^ LOOK);
            look.select_nth_unstable_by_key(MAX_ROWS, lot);
            look.truncate(MAX_ROWS);
            look.sort_unstable();
        }
        look
    }

    /// The second pass: fetches the rows needed in full.
    fn fetch(&self, rows: &[Candidate], near: &[u32], look: &[u32]) -> Result<Close, LabelError> {
        let mut wanted: Vec<u32> = near.iter().chain(look).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(Close { wanted, table: Table::default() });
        }
        // Candidates are in the order of their places.
        let places: Vec<(u32, u64)> =
            wanted.iter().map(|&row| (rows[row as usize].place, rows[row as usize].hash)).collect();
        let Fetched { table, .. } = fetch(self.source, &self.pipeline.schema, &places)?;
        Ok(Close { wanted, table })
    }

    /// The pull of the drifted stratum on each candidate, and the density ratios; or the reason why there is none.
    #[expect(clippy::type_complexity, reason = "a reason is no error here")]
    fn drifted(
        &self,
        current: &Table,
        look: &[u32],
        n_rows: usize,
        budget: f64,
    ) -> Result<Result<(Vec<f32>, HashMap<u32, f64>), String>, LabelError> {
        let reference = self.workspace.path(&self.config.data.reference);
        if !reference.exists() {
            return Ok(Err(format!("{} does not exist, so nothing can be compared", reference.display())));
        }
        let reference = self.sampled(self.workspace.table_of(self.config, self.version)?)?;
        let target = [self.pipeline.target.name.clone()];
        let schema = &self.pipeline.schema;
        let c = match domain_scores(&reference, current, schema, &target, self.request.seed) {
            Err(MultivariateError::TooFewRows { .. }) => {
                return Ok(Err(format!("{MIN_ROWS} rows are needed in each table to find drifted regions")));
            }
            Err(MultivariateError::NoColumns) => return Ok(Err("no column that varies is in both tables".to_owned())),
            scored => scored.map_err(LabelError::Drift)?,
        };
        let used = |table: &Table| table.n_rows().min(MAX_ROWS);
        let Some((pulls, ratios)) = drift_pull(&c, used(&reference), used(current), budget) else {
            return Ok(Err("no region has more rows than in training".to_owned()));
        };
        let mut t = vec![0.0; n_rows];
        look.iter().zip(pulls).for_each(|(&row, pull)| t[row as usize] = pull as f32);
        Ok(Ok((t, look.iter().copied().zip(ratios).collect())))
    }

    /// A random part of the reference with up to twice as many rows as the domain classifier uses.
    fn sampled(&self, rows: Input) -> Result<Table, LabelError> {
        let mut schema = self.config.schema();
        schema.know_flags(&self.pipeline.schema);
        let options = ReadOptions {
            optional: schema.columns.iter().map(|c| c.name.clone()).collect(),
            no_raw: true,
            skip_invalid: true,
            ..ReadOptions::default()
        };
        let mut share = 1.0;
        let mut parts: Vec<(Vec<f64>, Table)> = Vec::new();
        let (mut first, mut n) = (0_u64, 0);
        for batch in stream(rows, &schema, &options)? {
            let table = batch?.table;
            let lot = |row: u64| unit_hash(&row.to_le_bytes(), self.request.seed ^ LOOK);
            let lots: Vec<f64> = (first..first + table.n_rows() as u64).map(lot).collect();
            first += table.n_rows() as u64;
            n += thin(&mut parts, lots, table, share);
            while n > 2 * MAX_ROWS {
                share /= 2.0;
                let old = std::mem::take(&mut parts);
                n = old.into_iter().map(|(lots, table)| thin(&mut parts, lots, table, share)).sum();
            }
        }
        let mut gathered = Gathered::new(&schema);
        for (_, part) in &parts {
            gathered.add(part)?;
        }
        gathered.table()
    }
}

/// Adds the rows whose random number is below `share`, and returns their count.
fn thin(parts: &mut Vec<(Vec<f64>, Table)>, lots: Vec<f64>, table: Table, share: f64) -> usize {
    let kept: Vec<u32> = (0..lots.len() as u32).filter(|&row| lots[row as usize] < share).collect();
    if kept.len() == lots.len() {
        parts.push((lots, table));
    } else {
        parts.push((kept.iter().map(|&row| lots[row as usize]).collect(), table.take(&kept)));
    }
    kept.len()
}

/// Rows whose cells were read.
struct Close {
    /// Indices of the candidates, ascending.
    wanted: Vec<u32>,
    table: Table,
}

impl Close {
    /// The rows of these candidates, in that order.
    fn of(&self, rows: &[u32]) -> Table {
        let place = |row: &u32| self.wanted.binary_search(row).ok().map(|at| at as u32);
        self.table.take(&rows.iter().filter_map(place).collect::<Vec<_>>())
    }
}

/// The pull of the uncertain stratum of `budget` rows on each candidate, by its rank among those not selected with
/// certainty.
fn uncertain_pull(order: &[u32], certain: &[u32], budget: f64) -> Vec<f32> {
    let certain: HashSet<u32> = certain.iter().copied().collect();
    let mut t = vec![0.0; order.len()];
    let ranked = || order.iter().filter(|row| !certain.contains(row)).enumerate();
    let total: f64 = ranked().map(|(rank, _)| pull_of_rank(rank, budget)).sum();
    ranked().for_each(|(rank, &row)| t[row as usize] = (budget * pull_of_rank(rank, budget) / total) as f32);
    t
}
