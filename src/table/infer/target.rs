//! Which column is likely to be the one to predict.
//!
//! | what speaks for a column | points |
//! |---|---|
//! | its whole name says target (`churn`, `isFraud`, `FraudFound_P`) | 6, one such word among others 4 |
//! | … and it has two values | 3 more; up to 20 values 2 more |
//! | … and it is a quantity, which is no class (`income`, `default` as an amount) | 4 less |
//! | it says yes or no, and its name what happened (`isChargeback`, `HeartDisease`, `bought_again`) | 7 |
//! | its name is a usual thing to estimate (`price`, `median_house_value`) | 5, one such word among others 2 |
//! | it alone says yes or no, and its name is no trait of a person or a day | 4 |
//! | it is the last column | 3; with up to 20 values 4; with two values 5 |
//!
//! Names of predictions and of times speak against a column.

use super::decide::{TIME_WORDS, words_of};
use crate::table::evidence::{Evidence, MAX_LEVELS};
use crate::table::level::truth;
use crate::table::{ColumnSpec, Kind};

/// A column to predict, with why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGuess {
    /// Its name.
    pub name: String,
    /// Why, as a clause.
    pub reason: String,
}

/// Names of classes and outcomes.
const CLASSES: [&str; 37] = [
    "target",
    "churn",
    "churned",
    "fraud",
    "fraudulent",
    "outcome",
    "response",
    "survived",
    "defaulted",
    "exited",
    "attrition",
    "converted",
    "conversion",
    "default",
    "distress",
    "diagnosis",
    "species",
    "income",
    "subscribed",
    "risk",
    "bankrupt",
    "canceled",
    "cancelled",
    "cancellation",
    "approved",
    "approval",
    "spam",
    "stroke",
    "satisfaction",
    "potability",
    "malignant",
    "clicked",
    "purchased",
    "readmitted",
    "delinquent",
    "dropout",
    "hired",
];
/// What happens or not: words of a name that say target where the column says yes or no.
const EVENTS: [&str; 56] = [
    "accepted",
    "anomaly",
    "arrested",
    "attack",
    "booked",
    "bought",
    "breached",
    "buy",
    "chargeback",
    "chargebacks",
    "click",
    "complained",
    "completed",
    "death",
    "deceased",
    "delayed",
    "died",
    "disease",
    "duplicate",
    "enrolled",
    "escalated",
    "failed",
    "failure",
    "hate",
    "infected",
    "intrusion",
    "lapsed",
    "late",
    "mortality",
    "noshow",
    "opened",
    "overdue",
    "passed",
    "phishing",
    "promoted",
    "purchase",
    "quit",
    "recid",
    "recidivism",
    "recurrence",
    "rejected",
    "relapse",
    "renewed",
    "reopened",
    "reordered",
    "repaid",
    "resigned",
    "responded",
    "retained",
    "returned",
    "sold",
    "terminated",
    "unsubscribed",
    "upgraded",
    "win",
    "won",
];
/// Names of classes and outcomes when nothing else is in the name.
const ALONE: [&str; 6] = ["y", "label", "class", "left", "revenue", "disease"];
/// Names of quantities that say target outright.
const QUANTITIES: [&str; 8] = ["target", "label", "y", "outcome", "response", "cnt", "quality", "medv"];
/// Names of usual things to estimate.
const USUAL: [&str; 15] = [
    "price",
    "score",
    "rating",
    "sales",
    "demand",
    "value",
    "spend",
    "cost",
    "tip",
    "mpg",
    "charges",
    "expectancy",
    "rings",
    "salary",
    "count",
];
/// What people, things and days have or are, which is seldom what is to be predicted.
const TRAITS: [&str; 30] = [
    "gender",
    "sex",
    "male",
    "female",
    "married",
    "marital",
    "smoker",
    "partner",
    "dependents",
    "senior",
    "citizen",
    "phone",
    "mobile",
    "email",
    "member",
    "holiday",
    "weekend",
    "workingday",
    "working",
    "urban",
    "rural",
    "new",
    "own",
    "owner",
    "owns",
    "car",
    "house",
    "housing",
    "loan",
    "insured",
];
/// Usual things to estimate, also as the last of several words.
const ENDINGS: [&str; 3] = ["price", "value", "expectancy"];
/// Words beside the one that says it: `is_fraud`, `Attrition_Flag`, `FraudFound_P`, `clf_target`.
const FILLERS: [&str; 18] = [
    "is",
    "has",
    "was",
    "flag",
    "ind",
    "indicator",
    "p",
    "f",
    "yn",
    "found",
    "clf",
    "reg",
    "value",
    "label",
    "class",
    "target",
    "status",
    "binary",
];
/// Words that turn the column into something about the target.
const NOT_TARGET: [&str; 19] = [
    "pred",
    "prediction",
    "proba",
    "probability",
    "predicted",
    "prob",
    "estimate",
    "next",
    "flagged",
    "previous",
    "prev",
    "prior",
    "past",
    "previously",
    "already",
    "before",
    "ever",
    "history",
    "last",
];
/// Number of values up to which a column is one of classes.
const FEW: u64 = 20;

/// The likeliest target, if any column can be one.
pub(crate) fn guess(columns: &[ColumnSpec], seen: &[Evidence]) -> Option<TargetGuess> {
    let fits = |i: usize| {
        let few = seen[i].distinct.count() <= MAX_LEVELS as u64;
        columns[i].kind == Kind::Number || (columns[i].kind == Kind::Category && few)
    };
    // A column that somebody emptied is not the last one.
    let last = (0..columns.len()).rev().find(|&i| seen[i].missing < seen[i].n).or(columns.len().checked_sub(1))?;
    let mut flags = (0..columns.len()).filter(|&i| fits(i) && is_flag(&columns[i].name, &seen[i]));
    let only_flag = flags.next().filter(|_| flags.next().is_none());
    let points = |i: usize| {
        let size = is_size(&columns[i].name, columns) && i != last;
        let named = if size { 0 } else { by_name(&columns[i], &seen[i]) };
        let named = if only_flag == Some(i) && i != last { named.max(4) } else { named };
        (named, if i == last { by_place(&columns[i].name, seen[i].distinct.count()) } else { 0 })
    };
    let candidates = (0..columns.len()).filter(|&i| fits(i) && !about_target(&columns[i].name));
    // Of equally likely ones the last: targets stand at the end.
    let best = candidates.max_by_key(|&i| (points(i).0 + points(i).1, i))?;
    let reason = match points(best) {
        (0, 0) => return None,
        (0, _) => "the last column; choose another with --target NAME",
        (4, 0) if only_flag == Some(best) => "the only column with yes and no; choose another with --target NAME",
        (_, 0) => "its name says so",
        (_, _) => "the last column, and its name says so",
    };
    Some(TargetGuess { name: columns[best].name.clone(), reason: reason.to_owned() })
}

/// A column whose whole name says that it is the target, although it has one value only.
pub(crate) fn with_one_class(columns: &[ColumnSpec], seen: &[Evidence]) -> Option<usize> {
    let says = |i: &usize| {
        let name = &columns[*i].name;
        columns[*i].kind == Kind::Constant
            && seen[*i].distinct.count() <= 1
            && says_class(name) == Says::Whole
            && !is_size(name, columns)
            && !about_target(name)
    };
    (0..columns.len()).rev().find(says)
}

/// Whether every cell says yes or no, and the name is not that of a trait or of a prediction.
fn is_flag(name: &str, seen: &Evidence) -> bool {
    let trait_of = words_of(name).iter().any(|word| TRAITS.contains(&word.as_str()));
    !trait_of && !about_target(name) && says_yes_or_no(seen)
}

/// Whether there are cells for yes and for no, and no others.
fn says_yes_or_no(seen: &Evidence) -> bool {
    let says: Vec<Option<bool>> = seen.levels.iter().map(truth).collect();
    says.contains(&Some(true)) && says.contains(&Some(false)) && !says.contains(&None)
}

/// Whether the guess rests on the whole name of the column.
pub(crate) fn is_outright(column: &ColumnSpec) -> bool {
    says_class(&column.name) == Says::Whole || says(&column.name, &QUANTITIES) == Says::Whole
}

/// `x`, `y` and `z` are sizes or places.
fn is_size(name: &str, columns: &[ColumnSpec]) -> bool {
    let among = |other: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(other));
    name.eq_ignore_ascii_case("y") && among("x")
}

/// How a name says what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The name is that word, or that word with a filler.
    Whole,
    /// The word is one of several.
    Part,
    Nothing,
}

fn says(name: &str, list: &[&str]) -> Says {
    let words = words_of(name);
    let is_one = |word: &String| list.contains(&word.as_str());
    if !words.iter().any(is_one) {
        return Says::Nothing;
    }
    match words.iter().all(|word| is_one(word) || FILLERS.contains(&word.as_str())) {
        true => Says::Whole,
        false => Says::Part,
    }
}

fn says_class(name: &str) -> Says {
    match says(name, &ALONE) {
        Says::Whole => Says::Whole,
        _ => says(name, &CLASSES),
    }
}

/// Predictions and the like; `default.payment.next.month` is about the next month, not about the target.
fn about_target(name: &str) -> bool {
    let words = words_of(name);
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    !has(&["default", "target"]) && words.len() > 1 && has(&NOT_TARGET)
        || words.len() == 1 && has(&["pred", "prediction", "proba", "probability", "predicted", "prob", "estimate"])
}

fn by_name(column: &ColumnSpec, seen: &Evidence) -> u32 {
    let (name, n_distinct) = (&column.name, seen.distinct.count());
    let class = match says_class(name) {
        Says::Whole => 6,
        Says::Part => 4,
        Says::Nothing => 0,
    };
    // Incomes by bracket are a feature, incomes above and below a bound a target.
    let bracket = n_distinct > 2 && words_of(name).contains(&"income".to_owned());
    let quantity = bracket || (n_distinct > FEW && column.kind == Kind::Number);
    if class > 0 && !quantity {
        return class + if n_distinct == 2 { 3 } else { 2 };
    }
    let outright = if says(name, &QUANTITIES) == Says::Whole { 6 } else { 0 };
    let usual = match (column.kind, says(name, &USUAL)) {
        (Kind::Number, Says::Whole) => 5,
        (Kind::Number, Says::Part) if words_of(name).last().is_some_and(|w| ENDINGS.contains(&w.as_str())) => 5,
        (Kind::Number, Says::Part) => 2,
        _ => 0,
    };
    let event = if says(name, &EVENTS) != Says::Nothing && says_yes_or_no(seen) { 7 } else { 0 };
    outright.max(usual).max(class.saturating_sub(4)).max(event)
}

fn by_place(name: &str, n_distinct: u64) -> u32 {
    const TIMES: [&str; 4] = ["year", "month", "week", "hour"];
    if words_of(name).iter().any(|word| TIME_WORDS.contains(&word.as_str()) || TIMES.contains(&word.as_str())) {
        return 0;
    }
    match n_distinct {
        2 => 5,
        ..=FEW => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::cell::Markers;

    /// In place of how many values a column has: it says yes or no.
    const FLAG: u64 = u64::MAX;

    /// Columns with how many values each has; 0 is a number with many.
    fn guessed(columns: &[(&str, u64)]) -> Option<String> {
        let markers = Markers::new(&[String::new()]);
        let mut specs = Vec::new();
        let mut all = Vec::new();
        for (name, n) in columns {
            let mut seen = Evidence::default();
            for row in 0..200_u64 {
                let text = match *n {
                    0 => format!("{}.5", row * 37 % 199),
                    FLAG => ["no", "Yes"][(row % 2) as usize].to_owned(),
                    n => format!("l{}", row % n),
                };
                seen.push(&text, &markers, &|| row);
            }
            specs.push(ColumnSpec::new(*name, if *n == 0 { Kind::Number } else { Kind::Category }));
            all.push(seen);
        }
        guess(&specs, &all).map(|guess| guess.name)
    }

    /// The columns that matter of public tables, in their order, and what each is for.
    #[test]
    fn the_targets_of_public_tables_are_guessed() {
        for (columns, target) in [
            (&[("TransactionID", 0), ("isFraud", 2), ("TransactionAmt", 0), ("V1", 2)][..], "isFraud"),
            (&[("Month", 12), ("FraudFound_P", 2), ("PolicyNumber", 0), ("BasePolicy", 3)], "FraudFound_P"),
            (&[("step", 0), ("amount", 0), ("isFraud", 2), ("isFlaggedFraud", 2)], "isFraud"),
            (&[("PassengerId", 0), ("Survived", 2), ("Pclass", 3), ("Fare", 0), ("Embarked", 3)], "Survived"),
            (&[("carat", 0), ("cut", 5), ("price", 0), ("x", 0), ("y", 0), ("z", 0)], "price"),
            (&[("x", 0), ("y", 2)], "y"),
            (&[("total_bill", 0), ("tip", 0), ("sex", 2), ("size", 6)], "tip"),
            (&[("median_income", 0), ("median_house_value", 0), ("ocean_proximity", 5)], "median_house_value"),
            (&[("Life expectancy", 0), ("Income composition of resources", 0), ("Schooling", 0)], "Life expectancy"),
            (&[("Age", 0), ("Attrition", 2), ("MonthlyIncome", 0), ("YearsWithCurrManager", 18)], "Attrition"),
            (
                &[("CLIENTNUM", 0), ("Attrition_Flag", 2), ("Credit_Limit", 0), ("Avg_Utilization_Ratio", 0)],
                "Attrition_Flag",
            ),
            (&[("ApplicantIncome", 0), ("LoanAmount", 0), ("Credit_History", 2), ("Loan_Status", 2)], "Loan_Status"),
            (&[("CreditScore", 0), ("EstimatedSalary", 0), ("Exited", 2)], "Exited"),
            (&[("id", 0), ("diagnosis", 2), ("radius_mean", 0), ("fractal_dimension_worst", 0)], "diagnosis"),
            (&[("class", 2), ("cap-shape", 6), ("habitat", 7)], "class"),
            (&[("species", 3), ("bill_length_mm", 0), ("sex", 2)], "species"),
            (&[("hotel", 2), ("is_canceled", 2), ("adr", 0), ("reservation_status", 3)], "is_canceled"),
            (&[("age", 0), ("income", 0), ("region", 3), ("custcat", 4)], "custcat"),
            (&[("default", 2), ("balance", 0), ("y", 2)], "y"),
            (&[("LIMIT_BAL", 0), ("PAY_AMT6", 0), ("default.payment.next.month", 2)], "default.payment.next.month"),
            (&[("name", 0), ("selling_price", 0), ("fuel", 4), ("owner", 5)], "selling_price"),
            (&[("date", 0), ("price", 0), ("sqft_living", 0), ("sqft_lot15", 0)], "price"),
            (&[("alcohol", 0), ("quality", 6)], "quality"),
            (&[("casual", 0), ("registered", 0), ("cnt", 0)], "cnt"),
            (&[("age", 0), ("bmi", 0), ("smoker", 2), ("charges", 0)], "charges"),
            (&[("id", 0), ("timestamp", 0), ("clf_target", 2), ("y_pred_proba", 0), ("y_pred", 2)], "clf_target"),
            (&[("income", 5), ("previous_outcome", 3), ("bought", 2)], "bought"),
            (&[("satisfaction_level", 0), ("left", 2), ("sales", 10), ("salary", 3)], "left"),
            (&[("TARGET", FLAG), ("a", 0), ("region", 3), ("amount", 0)], "TARGET"),
            (&[("no_show", FLAG), ("tenure", 0), ("region", 3), ("amount", 0)], "no_show"),
            (&[("storniert", FLAG), ("gender", FLAG), ("amount", 0)], "storniert"),
            (&[("amount", 0), ("region", 3), ("MedHouseVal", 0)], "MedHouseVal"),
            (&[("region", 3), ("a", 0), ("amount", 0)], "amount"),
            (&[("total_bill", 0), ("tip", 0), ("vip", FLAG), ("size", 6)], "tip"),
            (&[("gender", FLAG), ("age", 0), ("outlay", 0)], "outlay"),
            (&[("hot", FLAG), ("wet", FLAG), ("age", 0), ("outlay", 0)], "outlay"),
        ] {
            assert_eq!(guessed(columns).as_deref(), Some(target), "{columns:?}");
        }
        assert_eq!(guessed(&[("MedInc", 0), ("y_pred_proba", 0), ("y_pred", 2)]), None);
        assert_eq!(guessed(&[("GNP", 0), ("YEAR", 0)]), None, "a time is asked about");
    }

    /// Flags in the middle of a table whose last column has few values.
    #[test]
    fn what_happened_is_guessed_and_what_somebody_has_is_not() {
        for name in [
            "isChargeback",
            "HeartDisease",
            "bought_again",
            "is_promoted",
            "is_duplicate",
            "two_year_recid",
            "Machine failure",
            "Reordered",
            "DEATH_EVENT",
            "has_relapse",
            "isDelayed",
            "unsubscribed",
            "won_auction",
            "loan_repaid",
            "order_returned",
        ] {
            for last in [("City", 3), ("city_is_large", FLAG), ("amount", 0)] {
                let columns = [("age", 0), ("visits", 0), (name, FLAG), ("zip", 0), last];
                assert_eq!(guessed(&columns).as_deref(), Some(name), "{last:?}");
            }
        }
        for name in [
            "has_garage",
            "is_weekend",
            "Partner",
            "SeniorCitizen",
            "PhoneService",
            "PaperlessBilling",
            "HasCrCard",
            "IsActiveMember",
            "Dependents",
            "is_holiday",
            "smoker",
            "ever_bought",
            "failed_before",
            "last_won",
            "previously_returned",
        ] {
            for last in [("City", 3), ("city_is_large", FLAG), ("Outcome", FLAG)] {
                let columns = [("age", 0), ("visits", 0), (name, FLAG), ("zip", 0), last];
                assert_eq!(guessed(&columns).as_deref(), Some(last.0), "{name}");
            }
        }
    }
}
