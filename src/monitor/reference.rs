//! The reference: the training rows, another table, or a rolling window of earlier rows.

use super::MonitorError;
use super::arrive::{Arrived, Pass};
use super::rolling::{self, Rolling, Span, Windows};
use super::watch::{Watch, side};
use crate::drift::report::Side;
use crate::journal::{Journal, Layout, Outcomes, Window};
use crate::profile::{Profile, ProfileBuilder, Profiled, profile_about};
use crate::stats::random::hash64;
use crate::table::place;
use crate::table::{Input, MISSING_TIME, ReadOptions, Rejects, Spool, Table, Texts, Values, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::path::Path;

/// The reference of a comparison.
pub(super) struct Reference {
    pub(super) profile: Profile,
    pub(super) side: Side,
    /// Its rejected rows.
    pub(super) rejects: Rejects,
    /// Whether it consists of production's training rows.
    pub(super) is_training: bool,
}

impl Watch<'_> {
    /// The reference and its name.
    pub(super) fn reference(&mut self, arrived: &mut Arrived) -> Result<Reference, MonitorError> {
        if let Some(rolling) = self.request.rolling {
            let (name, profile) = self.rolling(rolling, arrived)?;
            let rejects = Rejects::default();
            return Ok(Reference { side: side(name, &profile), profile, rejects, is_training: false });
        }
        let Some(path) = self.request.reference else {
            let trained = self.training()?;
            return trained.ok_or_else(|| MonitorError::Usage("nothing is in production".to_owned()));
        };
        // The profile made while inferring the columns lacks entity information, and the content of a pipe is gone.
        let known = self.profiled.take().filter(|_| self.entity().is_none() || path.as_os_str() == "-");
        let found = match known {
            Some(found) => found,
            None => self.profile_of(path)?,
        };
        let name = if path.as_os_str() == "-" { "stdin".to_owned() } else { place::shown(path) };
        let side = side(name, &found.profile);
        Ok(Reference { side, profile: found.profile, rejects: found.rejects, is_training: false })
    }

    /// The profile of another table, with the columns that production derives.
    fn profile_of(&self, path: &Path) -> Result<Profiled, MonitorError> {
        let read = self.read_options();
        if self.production.as_ref().is_none_or(|p| p.pipeline.features.derived().is_empty()) {
            let input = Input::open(path)?;
            return Ok(profile_about(input, &self.schema, read, (self.request.exact, self.entity()), None)?);
        }
        let outcomes = Outcomes::default();
        let pass = self.pass(&read, &outcomes);
        let table = Spool::new(path)?;
        let mut rows = stream(table.open()?, &self.schema, &read)?;
        let (mut builder, mut beside) = (None, self.beside(&table)?);
        while let Some(batch) = rows.next().transpose()? {
            pass.profile(&mut builder, &beside.fill(batch.table)?)?;
        }
        let builder = builder.unwrap_or_else(|| ProfileBuilder::new(&self.profiled_schema, self.limits()));
        Ok(Profiled { profile: builder.finish(), rejects: rows.rejects().clone(), notes: rows.notes().to_vec() })
    }

    /// The training rows of production; `None` if nothing is in production.
    pub(super) fn training(&self) -> Result<Option<Reference>, MonitorError> {
        let Some(production) = &self.production else { return Ok(None) };
        let profile = self.workspace.registry().profile(production.version)?;
        let side = side(format!("training rows of {}", production.version), &profile);
        Ok(Some(Reference { side, profile, rejects: Rejects::default(), is_training: true }))
    }

    /// The earlier rows: of the same table if it was split by time, else of the prediction log.
    fn rolling(&self, rolling: Rolling, arrived: &mut Arrived) -> Result<(String, Profile), MonitorError> {
        let name = |span: Span, of: &str| {
            let day = Timestamp::from_microsecond(span.first).map(|first| first.strftime("%Y-%m-%d").to_string());
            format!("{rolling} {} ({of})", day.unwrap_or_default())
        };
        if let Some(span) = arrived.span {
            let empty = || ProfileBuilder::new(&self.profiled_schema, self.limits()).finish();
            return Ok((name(span, "the same table"), arrived.before.take().unwrap_or_else(empty)));
        }
        let (journal, layout) = (Journal::of(self.workspace), self.layout()?);
        if journal.is_empty()? {
            return Err(MonitorError::Usage(
                "the prediction log is empty. To take a rolling reference from the table itself, by its time column, \
                 give the current period: --last 7d"
                    .to_owned(),
            ));
        }
        let span = self.span(arrived);
        let (read, outcomes) = (self.read_options(), Outcomes::default());
        let pass = self.pass(&read, &outcomes);
        let mut builder: Option<ProfileBuilder> = None;
        for window in rolling.windows(span)? {
            let (mut beside, mut latest) = (self.beside_log(&window)?, self.latest(&window)?);
            journal.scan(&window, &layout, true, |logged| {
                let last = latest.among(&logged.id);
                if let Some(table) = logged.features {
                    pass.profile(&mut builder, &chosen(beside.fill(table)?, last.as_deref()))?;
                }
                Ok::<(), MonitorError>(())
            })?;
        }
        let builder = builder.unwrap_or_else(|| ProfileBuilder::new(&self.profiled_schema, self.limits()));
        Ok((name(span, "prediction log"), builder.finish()))
    }

    /// The period of the current rows, by their time column; the current time without one.
    fn span(&self, arrived: &Arrived) -> Span {
        let column = self.time_column().and_then(|name| arrived.profile.column(name));
        match column.and_then(|column| column.numbers()).map(|numbers| numbers.moments).filter(|m| m.n > 0) {
            Some(moments) => Span { first: moments.min as i64, last: moments.max as i64 },
            None => {
                let now = self.request.now.as_microsecond();
                Span { first: now, last: now }
            }
        }
    }

    /// The predictions logged since production was trained, or in the most recent period.
    pub(super) fn logged(&self, pass: &Pass) -> Result<(String, Arrived), MonitorError> {
        let mut gathered = pass.begin();
        let missing = self.current_path().display().to_string();
        let Some(production) = self.production.as_ref().filter(|_| self.config.is_some()) else {
            return Ok((missing, pass.finish(gathered)));
        };
        let window = match self.request.last {
            Some(length) => Window::last(length, self.request.now),
            None => Window::since(production.manifest.trained_at),
        };
        let (mut beside, mut latest) = (self.beside_log(&window)?, self.latest(&window)?);
        let scanned = Journal::of(self.workspace).scan(&window, &self.layout()?, true, |logged| {
            let last = latest.among(&logged.id);
            match logged.features {
                Some(table) => pass.take_in(&mut gathered, &chosen(beside.fill(table)?, last.as_deref())),
                None => Ok(()),
            }
        })?;
        let name = match (scanned.n_rows, window.since) {
            (0, _) | (_, None) => missing,
            (_, Some(since)) => format!("predictions logged since {}", since.strftime("%Y-%m-%d %H:%M")),
        };
        let mut arrived = pass.finish(gathered);
        arrived.left_out.extend(scanned.unread());
        Ok((name, arrived))
    }

    /// Selects the last prediction of each row in a window: repeated predictions for the same customers are not more
    /// data. Rows without ids count every time, because two of them may be equal.
    fn latest(&self, window: &Window) -> Result<LastOfEach, MonitorError> {
        let layout = self.layout()?;
        if layout.id().is_none() {
            return Ok(LastOfEach::default());
        }
        let (mut places, mut n) = (HashMap::new(), 0_u64);
        Journal::of(self.workspace).scan(window, &layout, false, |logged| {
            for id in logged.id.iter() {
                places.insert(hash64(id.as_bytes(), 0), n);
                n += 1;
            }
            Ok::<(), MonitorError>(())
        })?;
        // If no row repeats, none is dropped.
        Ok(if places.len() as u64 == n { LastOfEach::default() } else { LastOfEach { places, n: 0 } })
    }

    pub(super) fn layout(&self) -> Result<Layout, MonitorError> {
        match &self.production {
            Some(production) => Ok(Layout::of(&production.pipeline)),
            None => Err(MonitorError::Usage("nothing is in production, so no prediction was logged".to_owned())),
        }
    }

    /// The rows of a table within its last `length`, and the earlier rows.
    pub(super) fn windows(&self, table: &Spool, length: SignedDuration) -> Result<Windows, MonitorError> {
        let Some(column) = self.time_column() else {
            return Err(MonitorError::Usage("--last needs a time column".to_owned()));
        };
        let options = ReadOptions { columns: Some(vec![column.to_owned()]), ..self.read_options() };
        let mut last: Option<i64> = None;
        for batch in stream(table.open()?, self.current_schema(), &options)? {
            if let Some(Values::Time(times)) = batch?.table.column(column).map(|column| &column.values) {
                last = last.max(times.iter().copied().filter(|&time| time != MISSING_TIME).max());
            }
        }
        let last = last.ok_or_else(|| MonitorError::Usage(format!("column {column:?} contains no time")))?;
        // The last day of daily rows is one day, not two.
        let first = last.saturating_sub(rolling::micros(length)) + 1;
        let span = Span { first: self.request.rolling.map_or(first, |rolling| rolling.begin(first)), last };
        let before = self.request.rolling.map_or(Ok(Vec::new()), |rolling| rolling.windows(span))?;
        Ok(Windows { arrived: span, before })
    }
}

/// The position of the last prediction of each row in a window, by the hash of its id; empty if no row repeats. It
/// takes about 30 bytes per row.
#[derive(Default)]
struct LastOfEach {
    places: HashMap<u64, u64>,
    /// Number of predictions processed.
    n: u64,
}

impl LastOfEach {
    /// The rows of the next batch that are the last of their id; `None` if all of them are.
    fn among(&mut self, ids: &Texts) -> Option<Vec<u32>> {
        if self.places.is_empty() {
            return None;
        }
        let first = self.n;
        self.n += ids.len() as u64;
        let is_last = |(place, id): (u64, &str)| self.places.get(&hash64(id.as_bytes(), 0)) == Some(&place);
        let rows = (first..).zip(ids.iter()).filter(|row| is_last(*row));
        Some(rows.map(|(place, _)| (place - first) as u32).collect())
    }
}

/// The selected rows.
fn chosen(table: Table, rows: Option<&[u32]>) -> Table {
    match rows {
        Some(rows) => table.take(rows),
        None => table,
    }
}
