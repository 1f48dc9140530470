//! A small seeded simulation of card payments with drift, for trying the loop.
//!
//! One row is one payment. Its risk is a logistic function of common signs of fraud: many payments in a day,
//! far from home, online at night, a young card, an unusual amount for the merchant. About one payment in twenty is
//! fraud. [`payments`] with `drift = 0` has no drift; with `drift = 1` three things have changed: more payments are
//! online and abroad (the inputs drift), a new merchant category appears, and fraud moves from cards far from home to
//! contactless payments in quick succession (the concept drifts).

mod people;

pub use people::{answer, visits, without_target};

use crate::stats::portable::Portable;
use crate::stats::random::rng;
use crate::table::{Categories, Column, Table, TableError, Texts, Values};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::Path;

/// Whether `dir` is a directory that `mlloop demo` made.
#[must_use]
pub fn is_one(dir: &Path) -> bool {
    dir.join("visits.csv").is_file() && dir.join("data/reference.csv").is_file()
}

/// The parameters of [`payments`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stream {
    /// Number of payments.
    pub n_rows: usize,
    /// Number of the first payment; ids and times go on from it.
    pub first: usize,
    /// The amount of drift, from 0 to 1.
    pub drift: f64,
    /// The random seed.
    pub seed: u64,
}

const MERCHANTS: [(&str, f64, f64); 9] = [
    // (category, typical amount, log-odds it adds)
    ("grocery", 32.0, -0.6),
    ("restaurant", 28.0, -0.4),
    ("fuel", 45.0, 0.0),
    ("travel", 240.0, 0.3),
    ("electronics", 180.0, 0.9),
    ("fashion", 70.0, 0.2),
    ("games", 18.0, 0.7),
    ("pharmacy", 22.0, -0.5),
    ("crypto", 150.0, 1.6),
];
const COUNTRIES: [&str; 6] = ["AT", "CH", "DE", "FR", "IT", "RO"];
const CHANNELS: [&str; 4] = ["chip", "contactless", "online", "atm"];
/// 2026-01-05T00:00:00Z, a Monday, in microseconds.
const START: i64 = 1_767_571_200_000_000;
const SECOND: i64 = 1_000_000;
/// One payment every 100 seconds.
const STEP: i64 = 100 * SECOND;

struct Payment {
    paid_at: i64,
    amount: f64,
    merchant: &'static str,
    country: &'static str,
    channel: &'static str,
    card_age_days: f64,
    payments_24h: f64,
    minutes_since_last: f64,
    km_from_home: f64,
    is_fraud: bool,
}

/// Creates a section of the stream.
///
/// # Errors
/// None for any arguments.
pub fn payments(stream: Stream) -> Result<Table, TableError> {
    let rows: Vec<Payment> = (stream.first..stream.first + stream.n_rows).map(|n| payment(n, stream)).collect();
    let number = |get: fn(&Payment) -> f64| Values::Number(rows.iter().map(get).collect());
    let category = |get: fn(&Payment) -> &'static str| Values::Category(Categories::from_texts(rows.iter().map(get)));
    let ids: Vec<String> = (stream.first..stream.first + stream.n_rows).map(|n| format!("{:08}", n + 1)).collect();
    Table::new(vec![
        Column::new("payment_id", Values::Text(ids.iter().map(String::as_str).collect::<Texts>())),
        Column::new("paid_at", Values::Time(rows.iter().map(|p| p.paid_at).collect())),
        Column::new("amount", number(|p| p.amount)),
        Column::new("merchant", category(|p| p.merchant)),
        Column::new("country", category(|p| p.country)),
        Column::new("channel", category(|p| p.channel)),
        Column::new("card_age_days", number(|p| p.card_age_days)),
        Column::new("payments_24h", number(|p| p.payments_24h)),
        Column::new("minutes_since_last", number(|p| p.minutes_since_last)),
        Column::new("km_from_home", number(|p| p.km_from_home)),
        Column::new("is_fraud", category(|p| if p.is_fraud { "1" } else { "0" })),
    ])
}

/// The `n`th payment: it depends only on its number, the drift and the seed, so a stream can be split anywhere.
fn payment(n: usize, stream: Stream) -> Payment {
    let mut rng = rng(stream.seed, &format!("payment {n}"));
    let drift = stream.drift.clamp(0.0, 1.0);
    let paid_at = START + n as i64 * STEP + rng.gen_range(0..STEP) / SECOND * SECOND;
    let hour = (paid_at / 3_600_000_000) % 24;
    let known = MERCHANTS.len() - 1;
    let (merchant, typical, merchant_risk) =
        if rng.r#gen::<f64>() < 0.12 * drift { MERCHANTS[known] } else { MERCHANTS[rng.gen_range(0..known)] };
    let channel = CHANNELS[pick(&mut rng, [0.38 - 0.18 * drift, 0.30, 0.24 + 0.18 * drift, 0.08])];
    let country = COUNTRIES[pick(&mut rng, [0.42 - 0.20 * drift, 0.14, 0.24, 0.08, 0.07, 0.05 + 0.20 * drift])];
    let amount = (typical * (0.75 * normal(&mut rng) + 0.25 * drift).exp_portable() * 100.0).round() / 100.0;
    let card_age_days = (-1100.0 * (1.0 - rng.r#gen::<f64>()).ln_portable()).round();
    let payments_24h = (-2.2 * (1.0 - rng.r#gen::<f64>()).ln_portable()).floor();
    let minutes_since_last = if payments_24h == 0.0 {
        f64::NAN
    } else {
        (-400.0 / payments_24h * (1.0 - rng.r#gen::<f64>()).ln_portable()).round()
    };
    let km_from_home = (9.0 * (1.3 * normal(&mut rng)).exp_portable() * 10.0).round() / 10.0;

    let quick = minutes_since_last < 15.0;
    let far = (1.0 - drift) * 0.9 * (km_from_home / 30.0).ln_1p_portable();
    let moved = drift * 2.6 * f64::from(channel == "contactless" && quick);
    let log_odds = -5.6
        + merchant_risk
        + far
        + moved
        + 0.45 * payments_24h.min(8.0)
        + 0.9 * f64::from(channel == "online" && !(6..22).contains(&hour))
        + 0.8 * f64::from(card_age_days < 90.0)
        + 0.7 * (amount / typical).ln_portable().max(0.0)
        + 0.6 * f64::from(country == "RO")
        + 1.1 * f64::from(quick && channel != "chip");
    let is_fraud = rng.r#gen::<f64>() < 1.0 / (1.0 + (-log_odds).exp_portable());
    Payment {
        paid_at,
        amount,
        merchant,
        country,
        channel,
        card_age_days,
        payments_24h,
        minutes_since_last,
        km_from_home,
        is_fraud,
    }
}

/// A random index with these shares; the rounding remainder goes to the last.
fn pick<const N: usize>(rng: &mut Xoshiro256PlusPlus, shares: [f64; N]) -> usize {
    let mut left = rng.r#gen::<f64>();
    shares
        .iter()
        .position(|share| {
            left -= share;
            left < 0.0
        })
        .unwrap_or(N - 1)
}

/// A standard normal number (Box and Muller 1958).
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * (1.0 - rng.r#gen::<f64>()).ln_portable()).sqrt();
    radius * (std::f64::consts::TAU * rng.r#gen::<f64>()).cos_portable()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(table: &Table, column: &str, level: &str) -> f64 {
        let Values::Category(c) = &table.column(column).unwrap().values else { panic!("{column} is a category") };
        (0..table.n_rows()).filter(|&row| c.level(row) == Some(level)).count() as f64 / table.n_rows() as f64
    }

    const CALM: Stream = Stream { n_rows: 6_000, first: 0, drift: 0.0, seed: 0 };

    #[test]
    fn about_one_payment_in_twenty_is_fraud() {
        let share = share(&payments(CALM).unwrap(), "is_fraud", "1");
        assert!((0.03..0.10).contains(&share), "{share}");
    }

    #[test]
    fn a_stream_can_be_cut_anywhere() {
        let whole = payments(CALM).unwrap();
        let tail = payments(Stream { n_rows: 1_000, first: 5_000, ..CALM }).unwrap();
        let rows: Vec<u32> = (5_000..6_000).collect();
        // Levels that do not occur in the tail make the codes differ; the texts must not.
        for name in ["payment_id", "paid_at", "amount"] {
            assert_eq!(whole.column(name).unwrap().take(&rows), *tail.column(name).unwrap());
        }
    }

    #[test]
    fn drift_moves_inputs_and_brings_a_new_merchant() {
        let calm = payments(CALM).unwrap();
        let shifted = payments(Stream { drift: 1.0, first: 6_000, ..CALM }).unwrap();
        assert!(share(&shifted, "channel", "online") > share(&calm, "channel", "online") + 0.1);
        assert_eq!(share(&calm, "merchant", "crypto"), 0.0);
        assert!(share(&shifted, "merchant", "crypto") > 0.08);
    }
}
