//! Rows of the same customers: quiet weeks stay quiet, and a change for all customers is detected.

use super::multivariate::{Asked, multivariate};
use super::report::{ColumnVerdict, Summary};
use super::{ColumnPair, DriftSettings, compare, drift_share, findings};
use crate::profile::{Limits, Profile, ProfileBuilder};
use crate::stats::{normal, random};
use crate::table::{Categories, Column, ColumnSpec, Dialect, Kind, Schema, Table, Values};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

const N_EACH: usize = 20;
const NUMBERS: usize = 6;

fn gauss(random: &mut Xoshiro256PlusPlus) -> f64 {
    normal::quantile(random.gen_range(1e-9..1.0 - 1e-9))
}

/// New customers of one population, with twenty rows each: six numbers with standard deviation 1 between customers and
/// `within` within them, a level and a rare level that a customer has in nearly all rows, and a number that some
/// customers lack.
fn week(random: &mut Xoshiro256PlusPlus, n_customers: usize, (within, shift): (f64, f64)) -> Table {
    let mut numbers = vec![Vec::new(); NUMBERS];
    let (mut keys, mut level, mut rare, mut gone) = (vec![], vec![], vec![], vec![]);
    for _ in 0..n_customers {
        let key = format!("{}", random.r#gen::<u64>());
        let own: Vec<f64> = (0..NUMBERS).map(|_| gauss(random) + shift).collect();
        let (kind, is_rare, lacks) = (random.gen_range(0..4), random.gen_bool(0.03), random.gen_bool(0.1));
        for _ in 0..N_EACH {
            keys.push(key.clone());
            numbers.iter_mut().zip(&own).for_each(|(all, own)| all.push(own + within * gauss(random)));
            level.push(["a", "b", "c", "d"][if random.gen_bool(0.1) { random.gen_range(0..4) } else { kind }]);
            rare.push(if is_rare { "x" } else { "y" });
            gone.push(if lacks { f64::NAN } else { gauss(random) });
        }
    }
    let mut columns = vec![Column::new("customer", Values::Text(keys.iter().map(String::as_str).collect()))];
    columns.extend(numbers.into_iter().enumerate().map(|(i, v)| Column::new(format!("n{i}"), Values::Number(v))));
    columns.push(Column::new("level", Values::Category(Categories::from_texts(level))));
    columns.push(Column::new("rare", Values::Category(Categories::from_texts(rare))));
    columns.push(Column::new("gone", Values::Number(gone)));
    Table::new(columns).unwrap()
}

fn profile(table: &Table) -> Profile {
    let mut builder = ProfileBuilder::of_table(table, Limits::default()).by_entity(Some("customer"));
    builder.push(table).unwrap();
    builder.finish()
}

fn pairs(reference: &Profile, current: &Profile) -> Vec<ColumnPair> {
    let names = reference.columns.iter().map(|column| column.name.as_str()).filter(|name| *name != "customer");
    names.filter_map(|name| ColumnPair::of(name, reference, current)).collect()
}

fn schema(table: &Table) -> Schema {
    let kind = |values: &Values| match values {
        Values::Number(_) => Kind::Number,
        Values::Category(_) => Kind::Category,
        _ => Kind::Text,
    };
    let columns = table.columns().iter().map(|column| ColumnSpec::new(column.name.clone(), kind(&column.values)));
    Schema { dialect: Dialect::default(), columns: columns.collect() }
}

/// Compares weeks with references; returns the weeks with an alarm, the weeks with any drifted column, and the drifted
/// columns.
fn weeks(seed: u64, n: usize, n_customers: usize, law: (f64, f64)) -> (usize, usize, u64) {
    let mut random = random::rng(seed, "weeks of customers");
    let (mut alarms, mut with_any, mut drifted) = (0, 0, 0);
    let settings = DriftSettings::default();
    for _ in 0..n.div_ceil(10) {
        let reference = profile(&week(&mut random, 300, (law.0, 0.0)));
        for _ in 0..10 {
            let current = profile(&week(&mut random, n_customers, law));
            let columns = compare(&pairs(&reference, &current), &settings, 0);
            let share = drift_share(&columns, &settings);
            alarms += usize::from(share.share >= Some(share.threshold));
            with_any += usize::from(share.n_drifted > 0);
            drifted += share.n_drifted;
        }
    }
    (alarms, with_any, drifted)
}

#[test]
fn quiet_weeks_of_few_customers_are_quiet_and_what_moved_for_all_is_found() {
    // If customers are ignored, each of these weeks raises an alarm.
    let (alarms, with_any, _) = weeks(1, 100, 50, (0.3, 0.0));
    assert_eq!(alarms, 0);
    assert!(with_any <= 3, "{with_any} of 100");
    let (_, with_any, _) = weeks(2, 100, 30, (1.0, 0.0));
    assert!(with_any <= 3, "{with_any} of 100");
    // One standard deviation between customers.
    let (alarms, ..) = weeks(3, 20, 50, (0.3, 1.0));
    assert!(alarms >= 19, "{alarms} of 20");
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/methods.md")]
fn quiet_weeks_of_few_customers_are_quiet_at_length() {
    for (n_customers, within) in [(20, 0.0), (20, 1.0), (50, 0.0), (50, 0.3), (50, 1.0), (50, 3.0), (200, 0.3)] {
        let (alarms, with_any, drifted) = weeks(10, 2000, n_customers, (within, 0.0));
        let found: Vec<usize> = [0.5, 0.75, 1.0].map(|shift| weeks(11, 200, n_customers, (within, shift)).0).into();
        println!(
            "{n_customers} customers, within {within}: {alarms} alarms, {with_any} weeks with a drifted column, {drifted} columns of \
             2000 weeks; shifts of .5, .75, 1 found {found:?} of 200"
        );
        assert!(alarms <= 20 && with_any <= 40, "{n_customers} {within}");
    }
}

#[test]
fn a_classifier_does_not_learn_customers_by_heart() {
    let mut random = random::rng(5, "customers and classifiers");
    let asked = Asked { ignore: &[], entity: Some("customer"), most: 5000, seed: 1 };
    let mut alarms = 0;
    let mut found = 0;
    let reference = week(&mut random, 250, (0.3, 0.0));
    for _ in 0..8 {
        let quiet = week(&mut random, 50, (0.3, 0.0));
        let asked = Asked { ignore: &["customer".to_owned()], ..asked };
        let told = multivariate(&reference, &quiet, &schema(&quiet), &asked).unwrap();
        assert!((told.roc_auc - 0.5).abs() < 0.2, "{}", told.roc_auc);
        alarms += usize::from(told.drifted);
    }
    for _ in 0..3 {
        let moved = week(&mut random, 50, (0.3, 1.0));
        found += usize::from(multivariate(&reference, &moved, &schema(&moved), &asked).unwrap().drifted);
    }
    assert_eq!((alarms, found), (0, 3));
}

#[test]
fn what_one_customer_lacks_is_no_finding() {
    let lacking = |customers: usize, lacks: usize, known: bool| {
        let keys: Vec<String> = (0..customers * N_EACH).map(|row| format!("k{}", row / N_EACH)).collect();
        let value = |row: usize| if row / N_EACH < lacks { f64::NAN } else { (row * 7919 % 1000) as f64 };
        let columns = vec![
            Column::new("customer", Values::Text(keys.iter().map(String::as_str).collect())),
            Column::new("x", Values::Number((0..customers * N_EACH).map(value).collect())),
        ];
        let table = Table::new(columns).unwrap();
        if known { profile(&table) } else { Profile::of_table(&table) }
    };
    let found = |lacks: usize, known: bool| {
        let pair = ColumnPair::of("x", &lacking(300, 0, known), &lacking(50, lacks, known)).unwrap();
        findings(&pair).len()
    };
    // With ten customers, chance cannot be ruled out.
    assert_eq!((found(1, true), found(1, false), found(10, true)), (0, 1, 1));
}

#[test]
fn without_customers_nothing_changes() {
    let mut random = random::rng(6, "customers unknown");
    let (reference, current) = (week(&mut random, 300, (0.3, 0.0)), week(&mut random, 50, (0.3, 0.0)));
    let columns =
        compare(&pairs(&Profile::of_table(&reference), &Profile::of_table(&current)), &DriftSettings::default(), 0);
    assert!(columns.iter().all(|column| column.worth.is_none()));
    // The result if each row counts as independent.
    assert!(columns.iter().filter(|column| column.verdict == ColumnVerdict::Drifted).count() >= 3);
    assert_ne!(columns[0].current, Summary::default());
}

/// Rows of one population with realistic skew and ties: correlated numbers, money, counts, levels of which a few are
/// frequent, missing cells. `sizes` are the numbers of rows per customer; `alike` is the similarity of their rows in
/// all columns (0: none, 1: equal).
fn ledger(random: &mut Xoshiro256PlusPlus, sizes: &[usize], alike: f64) -> Table {
    const WIDTH: usize = 9;
    let (own, rest) = (alike.sqrt(), (1.0 - alike).sqrt());
    let (mut cells, mut keys) = (vec![Vec::new(); WIDTH], Vec::new());
    for &n in sizes {
        let key = format!("{}", random.r#gen::<u64>());
        let of_customer: Vec<f64> = (0..WIDTH).map(|_| gauss(random)).collect();
        for _ in 0..n {
            keys.push(key.clone());
            let z: Vec<f64> = of_customer.iter().map(|of| own * of + rest * gauss(random)).collect();
            for (column, cells) in cells.iter_mut().enumerate() {
                cells.push(match column {
                    0 => z[0],
                    1 => 0.8 * z[0] + 0.6 * z[1],
                    2 => (1.5 * z[2]).exp(),
                    3 => (2.0 * z[3]).exp().floor(),
                    4 => {
                        if z[4] > 1.0 {
                            f64::NAN
                        } else {
                            z[1] * z[2]
                        }
                    }
                    5 => z[5].round(),
                    // Levels: three, six and forty; the first ones are frequent.
                    6 => (z[6].abs() * 1.5).floor().min(2.0),
                    7 => (z[7].abs() * 2.5).floor().min(5.0),
                    _ => (z[8] * z[8] * 6.0).floor().min(39.0),
                });
            }
        }
    }
    let number = |(at, values): (usize, Vec<f64>)| match at {
        0..6 => Column::new(format!("x{at}"), Values::Number(values)),
        _ => {
            let names: Vec<String> = values.iter().map(|level| format!("l{level}")).collect();
            Column::new(format!("x{at}"), Values::Category(Categories::from_texts(names.iter().map(String::as_str))))
        }
    };
    let keys = Column::new("customer", Values::Text(keys.iter().map(String::as_str).collect()));
    Table::new(std::iter::once(keys).chain(cells.into_iter().enumerate().map(number)).collect()).unwrap()
}

/// For `n_weeks` quiet weeks, ten for each reference: how many the classifier distinguishes, how many it cannot decide,
/// and how the area varies.
fn told_apart(
    seed: u64,
    n_weeks: usize,
    [reference, current]: [&[usize]; 2],
    alike: Option<f64>,
) -> (usize, usize, f64) {
    let mut random = random::rng(seed, "quiet weeks of a ledger");
    let (mut drifted, mut open, mut squares) = (0, 0, 0.0);
    let ignore = ["customer".to_owned()];
    for week in 0..n_weeks.div_ceil(10) {
        let known = ledger(&mut random, reference, alike.unwrap_or(0.0));
        for _ in 0..10 {
            let arrived = ledger(&mut random, current, alike.unwrap_or(0.0));
            let entity = alike.map(|_| "customer");
            let asked = Asked { ignore: &ignore, entity, most: 5000, seed: week as u64 };
            let told = multivariate(&known, &arrived, &schema(&arrived), &asked).unwrap();
            drifted += usize::from(told.drifted);
            open += usize::from(told.is_open());
            squares += (told.roc_auc - 0.5).powi(2);
        }
    }
    (drifted, open, (squares / n_weeks as f64).sqrt())
}

#[test]
fn a_classifier_is_quiet_on_streams_that_its_level_was_not_made_on() {
    let (drifted, _, scatter) = told_apart(21, 10, [&[10; 100], &[10; 30]], Some(0.8));
    assert!(drifted == 0 && scatter > 0.01, "{drifted} {scatter}");
    let (drifted, ..) = told_apart(22, 10, [&[1; 1000], &[1; 200]], None);
    assert_eq!(drifted, 0);
}

#[test]
#[ignore = "make simulate"]
#[expect(clippy::print_stdout, reason = "the figures of docs/methods.md")]
fn a_classifier_is_quiet_on_streams_that_its_level_was_not_made_on_at_length() {
    let n_weeks = 240;
    for n in [200, 1000, 5000] {
        let (drifted, open, scatter) = told_apart(31, n_weeks, [&vec![1; 4000], &vec![1; n]], None);
        println!(
            "{n} rows: {drifted} told apart, {open} open of {n_weeks} quiet weeks; the area scatters by {scatter:.4}"
        );
        assert!(drifted <= 2, "{n}: {drifted}");
    }
    // Customers with ten and with twenty rows, and with 1 to 100.
    let uneven = |n: usize| (1..=n).map(|k| 1 + 100 / k).collect::<Vec<usize>>();
    for (n, sizes) in [(200, vec![10; 20]), (1000, vec![20; 50]), (1000, uneven(140)), (5000, vec![20; 250])] {
        let reference: Vec<usize> = sizes
            .iter()
            .copied()
            .cycle()
            .scan(0, |sum, size| {
                *sum += size;
                (*sum <= 5000).then_some(size)
            })
            .collect();
        for alike in [0.3, 0.9] {
            let of = (sizes.len(), sizes.iter().max().copied().unwrap_or(0));
            let (drifted, open, scatter) = told_apart(41, n_weeks, [&reference, &sizes], Some(alike));
            println!(
                "{n} rows of {} customers (up to {}), alike by {alike}: {drifted} told apart, {open} open of {n_weeks} quiet weeks; the \
                 area scatters by {scatter:.4}",
                of.0, of.1
            );
            assert!(drifted <= 2, "{n} {alike}: {drifted}");
        }
    }
}
