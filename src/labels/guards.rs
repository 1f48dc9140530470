//! Checks that quarantine a suspicious batch of answers.

use super::batch::{Batch, Stratum};
use super::check::Checked;
use super::request::Guard;
use super::resolve::ADJUDICATOR;
use super::store::{Change, Label, Labels, Source};
use crate::stats::levels::z_test;
use crate::wording::person_key;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// p below which the label rates of two control strata differ by more than chance; divided by the number of classes.
const P: f64 = 0.001;
/// Minimum number of labelled control rows on both sides.
const MIN_CONTROL: u64 = 30;
/// The largest share of the answers that one of several annotators may give.
const SHARE: f64 = 0.5;
/// With two annotators one always has half or more.
const SEVERAL: usize = 3;

/// Reasons to quarantine `incoming`: answers under a name that was not assigned; label rates in the control stratum
/// that differ from the previous one (two proportions, p < .001 over all classes); one annotator, of three or more,
/// with more than half of the answers; answers that are copies of predictions, or equal them more often than
/// production is right (binomial, p < 1e-4; `most` is the upper bound of its accuracy on the gate rows); more than a
/// third of the numbers outside of `range`.
///
/// `taken` are the batches answered, `earlier` those imported before, `labels` the labels known before.
pub(super) fn guards(
    (back, most, range): (&Checked, Option<f64>, Option<(f64, f64)>),
    taken: &[&Batch],
    earlier: &[Batch],
    labels: &Labels,
) -> Vec<Guard> {
    let incoming = &back.labels;
    let mut found: Vec<Guard> = back.strangers.guards().collect();
    found.extend(back.copies.guard(most));
    found.extend(rate_guard(incoming, taken, earlier, labels));
    found.extend(share_guard(incoming));
    found.extend(range.and_then(|range| range_guard(incoming, range)));
    found
}

/// Labels from another file that this one would change, if several people label: a file can contain any name.
/// Answers imported with `--annotator` belong to that person.
pub(super) fn change_guard(
    changes: &[Change],
    (incoming, before): (&[Label], &Labels),
    taken: &[&Batch],
    told: Option<&str>,
) -> Option<Guard> {
    let told = told.map(person_key);
    let turned = |change: &&Change| change.old != change.new && told.as_ref() != Some(&person_key(&change.annotator));
    let turned: Vec<&Change> = changes.iter().filter(turned).collect();
    let first = turned.first()?;
    let dealt = taken.iter().flat_map(|batch| &batch.rows).any(|row| !row.annotators.is_empty());
    if !dealt && n_people(before.rows().iter().chain(incoming)) < 2 {
        return None;
    }
    let of = if first.annotator.is_empty() { String::new() } else { format!(" of {}", first.annotator) };
    let text = format!(
        "{} existing labels would change, such as that{of} for {:?} from {:?} to {:?}",
        turned.len(),
        first.id,
        first.old,
        first.new
    );
    Some(Guard { name: "changed-labels", fired: true, text })
}

/// The number of people who answered, without the adjudicator.
fn n_people<'a>(labels: impl Iterator<Item = &'a Label>) -> usize {
    let names: BTreeSet<&str> =
        labels.filter(|label| label.source == Source::Human).map(|label| label.annotator.as_str()).collect();
    let people: BTreeSet<String> = names.into_iter().map(person_key).collect();
    people.iter().filter(|person| !person.is_empty() && *person != ADJUDICATOR).count()
}

/// Numbers outside of the range in production's training data.
fn range_guard(incoming: &[Label], (min, max): (f64, f64)) -> Option<Guard> {
    /// The minimum number of answers, and the largest share outside of the range.
    const FEWEST: usize = 5;
    const OUTSIDE: f64 = 1.0 / 3.0;
    let values: Vec<f64> = incoming.iter().filter_map(|label| label.label.parse().ok()).collect();
    let outside: Vec<f64> = values.iter().copied().filter(|value| !(min..=max).contains(value)).collect();
    let first = outside.first()?;
    Some(Guard {
        name: "label-range",
        fired: values.len() >= FEWEST && outside.len() as f64 > OUTSIDE * values.len() as f64,
        text: format!(
            "{} of {} answers are outside the range of production's training labels ({min} to {max}), such as {first}",
            outside.len(),
            values.len()
        ),
    })
}

/// The frequency of each class in a control stratum.
type Rates = BTreeMap<String, u64>;

fn control<'a>(batches: impl Iterator<Item = &'a Batch>, labels: &mut dyn Iterator<Item = &Label>) -> Rates {
    let ids: BTreeSet<&str> = batches
        .flat_map(|batch| batch.rows.iter().filter(|row| row.stratum == Stratum::Control).map(|row| row.id.as_str()))
        .collect();
    // A row answered by two people counts once, with the first answer.
    let mut first: HashMap<&str, &str> = HashMap::new();
    for label in labels.filter(|label| ids.contains(label.id.as_str())) {
        first.entry(&label.id).or_insert(&label.label);
    }
    let mut rates = Rates::new();
    first.into_values().for_each(|label| *rates.entry(label.to_owned()).or_default() += 1);
    rates
}

fn rate_guard(incoming: &[Label], taken: &[&Batch], earlier: &[Batch], labels: &Labels) -> Option<Guard> {
    let classes = &taken.first()?.target.classes;
    if classes.is_empty() {
        return None;
    }
    let now = control(taken.iter().copied(), &mut incoming.iter());
    let total = |rates: &Rates| rates.values().sum::<u64>();
    let is_taken = |batch: &&Batch| taken.iter().any(|other| other.batch == batch.batch);
    let before = earlier.iter().rev().filter(|batch| !is_taken(batch));
    let before = before
        .map(|batch| {
            (batch, control(std::iter::once(batch), &mut labels.rows().iter().filter(|l| l.batch == batch.batch)))
        })
        .find(|(_, rates)| total(rates) >= MIN_CONTROL);
    let (batch, before) = before?;
    if total(&now) < MIN_CONTROL {
        return None;
    }
    let count = |rates: &Rates, class: &String| rates.get(class).copied().unwrap_or(0);
    // With two classes, one rate implies the other.
    let asked: Vec<&String> = if classes.len() == 2 { vec![&classes[1]] } else { classes.iter().collect() };
    let p_of = |class: &&String| {
        let split = |rates: &Rates| [total(rates) - count(rates, class), count(rates, class)];
        z_test(&split(&before), &split(&now)).ok().and_then(|z| z.p).map(|p| (p, (*class).clone()))
    };
    let (p, class) = asked.iter().filter_map(p_of).min_by(|a, b| a.0.total_cmp(&b.0))?;
    let share = |rates: &Rates| 100.0 * count(rates, &class) as f64 / total(rates) as f64;
    Some(Guard {
        name: "label-rate",
        fired: p < P / asked.len() as f64,
        text: format!(
            "{:.1} % of {} control rows are {class:?}; in batch {} it was {:.1} % of {} ({})",
            share(&now),
            total(&now),
            batch.batch,
            share(&before),
            total(&before),
            if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") },
        ),
    })
}

fn share_guard(incoming: &[Label]) -> Option<Guard> {
    let mut by: BTreeMap<&str, u64> = BTreeMap::new();
    let named = incoming.iter().filter(|label| !label.annotator.is_empty());
    named.for_each(|label| *by.entry(&label.annotator).or_default() += 1);
    if by.len() < SEVERAL {
        return None;
    }
    let total: u64 = by.values().sum();
    let (who, n) = by.iter().max_by_key(|(_, n)| **n)?;
    let share = *n as f64 / total as f64;
    let text =
        format!("{who} gave {n} of {total} answers, {:.0} %, although {} people answered", 100.0 * share, by.len());
    Some(Guard { name: "annotator-share", fired: share > SHARE, text })
}
