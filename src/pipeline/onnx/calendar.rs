//! The parts of a date in a graph, which has whole numbers and no calendar.

use super::time_missing;
use crate::features::TimePart;
use crate::model::{Element, GraphValue, GraphWriter};

/// Whole-number arithmetic on a column.
pub(super) struct Calendar<'a> {
    pub(super) graph: &'a mut GraphWriter,
}

impl Calendar<'_> {
    pub(super) fn with(&mut self, op: &str, value: &str, number: i64) -> String {
        let number = self.graph.int(number);
        self.graph.node(op, &[value, &number], &[])
    }

    /// The remainder with the divisor's sign.
    fn rem(&mut self, value: &str, divisor: i64) -> String {
        self.with("Mod", value, divisor)
    }

    /// The quotient, rounded down.
    fn div(&mut self, value: &str, divisor: i64) -> String {
        let rest = self.rem(value, divisor);
        let whole = self.graph.node("Sub", &[value, &rest], &[]);
        self.with("Div", &whole, divisor)
    }

    /// The sum of `number · value` over the terms.
    fn sum(&mut self, terms: &[(i64, &str)]) -> String {
        let mut total = self.graph.int(0);
        for &(number, value) in terms {
            let term = self.with("Mul", value, number);
            total = self.graph.node("Add", &[&total, &term], &[]);
        }
        total
    }

    /// Year, month (March is 0), day of month − 1 of days since 1970-01-01, as [`crate::features::time::part`] finds them.
    fn civil(&mut self, days: &str) -> (String, String, String) {
        let shifted = self.with("Add", days, 719_468);
        let era = self.div(&shifted, 146_097);
        let day_of_era = self.rem(&shifted, 146_097);
        let (a, b, c) = (self.div(&day_of_era, 1460), self.div(&day_of_era, 36_524), self.div(&day_of_era, 146_096));
        let corrected = self.sum(&[(1, &day_of_era), (-1, &a), (1, &b), (-1, &c)]);
        let year_of_era = self.div(&corrected, 365);
        let (leap, century) = (self.div(&year_of_era, 4), self.div(&year_of_era, 100));
        let day_of_year = self.sum(&[(1, &day_of_era), (-365, &year_of_era), (-1, &leap), (1, &century)]);
        let five = self.sum(&[(5, &day_of_year)]);
        let five = self.with("Add", &five, 2);
        let month = self.div(&five, 153);
        let start = self.sum(&[(153, &month)]);
        let start = self.with("Add", &start, 2);
        let start = self.div(&start, 5);
        let day = self.sum(&[(1, &day_of_year), (-1, &start)]);
        let after_december = self.div(&month, 10);
        let year = self.sum(&[(1, &year_of_era), (400, &era), (1, &after_december)]);
        (year, month, day)
    }

    /// Days since 1970-01-01 of the first of January of a year.
    fn new_year(&mut self, year: &str) -> String {
        let year = self.with("Add", year, -1);
        let era = self.div(&year, 400);
        let year_of_era = self.rem(&year, 400);
        let (leap, century) = (self.div(&year_of_era, 4), self.div(&year_of_era, 100));
        let days = self.sum(&[(146_097, &era), (365, &year_of_era), (1, &leap), (-1, &century)]);
        self.with("Add", &days, 306 - 719_468)
    }

    pub(super) fn part(&mut self, part: TimePart, micros: &str) -> String {
        const DAY_US: i64 = 86_400_000_000;
        let days = self.div(micros, DAY_US);
        let in_day = self.rem(micros, DAY_US);
        let seconds = self.div(&in_day, 1_000_000);
        match part {
            TimePart::Second => self.rem(&seconds, 60),
            TimePart::Minute => {
                let minutes = self.div(&seconds, 60);
                self.rem(&minutes, 60)
            }
            TimePart::Hour => self.div(&seconds, 3600),
            TimePart::DayOfWeek => {
                let shifted = self.with("Add", &days, 3);
                let day = self.rem(&shifted, 7);
                self.with("Add", &day, 1)
            }
            TimePart::DayOfMonth => {
                let day = self.civil(&days).2;
                self.with("Add", &day, 1)
            }
            TimePart::Month => {
                let month = self.civil(&days).1;
                let month = self.with("Add", &month, 2);
                let month = self.rem(&month, 12);
                self.with("Add", &month, 1)
            }
            TimePart::Year => self.civil(&days).0,
            TimePart::DayOfYear => {
                let year = self.civil(&days).0;
                let first = self.new_year(&year);
                let day = self.sum(&[(1, &days), (-1, &first)]);
                self.with("Add", &day, 1)
            }
            TimePart::Days => {
                let micros = self.graph.cast(micros, Element::Double);
                let day = self.graph.double(DAY_US as f64);
                self.graph.node("Div", &[&micros, &day], &[])
            }
        }
    }
}

pub(super) fn time_features(graph: &mut GraphWriter, micros: &str, parts: &[TimePart]) -> String {
    let missing = time_missing(graph, micros);
    let nothing = graph.floats(vec![f32::NAN], &[1]);
    let mut features = Vec::new();
    for &part in parts {
        let value = Calendar { graph }.part(part, micros);
        let value = graph.cast(&value, Element::Float);
        features.push(graph.node("Where", &[&missing, &nothing, &value], &[]));
    }
    let features: Vec<&str> = features.iter().map(String::as_str).collect();
    graph.node("Concat", &features, &[("axis", GraphValue::Int(1))])
}
