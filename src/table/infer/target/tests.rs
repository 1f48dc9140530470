use super::*;
use crate::table::cell::Markers;

/// The cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cells {
    /// Numbers, nearly all different.
    Many,
    /// This many texts.
    Levels(u64),
    /// This many whole numbers.
    Whole(u64),
    YesNo,
    /// Times, texts and ids, which cannot be targets.
    Other,
}

impl Cells {
    fn text(self, row: u64) -> String {
        match self {
            Self::Many => format!("{}.5", row * 37 % 199),
            Self::Levels(n) => format!("l{}", row % n.min(300)),
            Self::Whole(n) => format!("{}", row % n),
            Self::YesNo => ["no", "Yes"][(row % 2) as usize].to_owned(),
            Self::Other => format!("t{row}"),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Many | Self::Whole(_) => Kind::Number,
            Self::Levels(_) | Self::YesNo => Kind::Category,
            Self::Other => Kind::Text,
        }
    }
}

fn guess_of(columns: &[(&str, Cells)]) -> Option<TargetGuess> {
    let markers = Markers::new(&[String::new()]);
    let mut specs = Vec::new();
    let mut all = Vec::new();
    for (name, cells) in columns {
        let mut seen = Evidence::default();
        for row in 0..300_u64 {
            seen.push(&cells.text(row), &markers, &|| row);
        }
        specs.push(ColumnSpec::new(*name, cells.kind()));
        all.push(seen);
    }
    guess(&specs, &all)
}

/// A public table: its name, its target and its columns.
type Public<'a> = (&'a str, &'a str, Vec<(&'a str, Cells)>);

fn panel() -> Vec<Public<'static>> {
    let column = |text: &'static str| match text.rsplit_once([':', '#']) {
        Some((name, "t")) => (name, Cells::Other),
        Some((name, "yn")) => (name, Cells::YesNo),
        Some((name, "01")) => (name, Cells::Whole(2)),
        Some((name, n)) if n.parse::<u64>().is_ok() => {
            let n = n.parse().unwrap_or(1);
            (name, if text.contains('#') { Cells::Whole(n) } else { Cells::Levels(n) })
        }
        _ => (text, Cells::Many),
    };
    let lines = include_str!("panel.txt").lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let table = |line: &'static str| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.map(column).collect()))
    };
    lines.filter_map(table).collect()
}

/// An order of the columns.
type Order = fn(&mut Vec<(&str, Cells)>);

/// Number of tables for which the guess is right, in an order of the columns; and the errors for the others.
fn hits(half: usize, order: Order) -> (usize, Vec<String>) {
    let (mut n, mut wrong) = (0, Vec::new());
    for (name, target, mut columns) in panel().into_iter().enumerate().filter(|(at, _)| at % 2 == half).map(|(_, t)| t)
    {
        order(&mut columns);
        match guess_of(&columns) {
            Some(guess) if guess.name == target => n += 1,
            other => wrong.push(format!(
                "{name}: {} not {target}",
                other.map_or("none".to_owned(), |g| format!("{} ({})", g.name, g.reason))
            )),
        }
    }
    (n, wrong)
}

fn as_published(_: &mut Vec<(&str, Cells)>) {}

fn by_alphabet(columns: &mut Vec<(&str, Cells)>) {
    columns.sort_by_key(|(name, _)| name.to_lowercase());
}

/// The number of correctly guessed targets in each half of the panel (the rule was made with the first), with columns
/// in published order and in alphabetical order, where the position gives no hint.
#[test]
fn the_targets_of_public_tables_are_guessed() {
    assert_eq!(panel().len(), 216);
    for (half, published, alphabet) in [(0, 96, 94), (1, 87, 89)] {
        for (order, at_least) in [(as_published as Order, published), (by_alphabet, alphabet)] {
            let (n, wrong) = hits(half, order);
            assert!(n >= at_least, "{n} of {}, half {half}:\n{}", n + wrong.len(), wrong.join("\n"));
        }
    }
}

#[test]
fn two_columns_that_are_about_as_likely_are_both_named() {
    let reason = |columns: &[(&str, Cells)]| guess_of(columns).map(|guess| (guess.name, guess.reason)).unwrap();
    let (name, told) = reason(&[
        ("charges", Cells::Many),
        ("age", Cells::Many),
        ("salary", Cells::Many),
        ("region", Cells::Levels(4)),
    ]);
    assert_eq!(
        (name.as_str(), told.as_str()),
        ("salary", "its name says so; charges is about as likely: choose it with --target")
    );
    let (name, told) = reason(&[("age", Cells::Many), ("churn", Cells::YesNo), ("price", Cells::Many)]);
    assert_eq!((name.as_str(), told.as_str()), ("churn", "its name says so"));
    // The reason "the only column with yes and no" is given only if it is true.
    let (_, told) =
        reason(&[("a", Cells::Many), ("wet", Cells::YesNo), ("smoker", Cells::YesNo), ("outlay", Cells::Many)]);
    assert!(!told.contains("the only column"), "{told}");
    let (name, told) = reason(&[("a", Cells::Many), ("wet", Cells::YesNo), ("b", Cells::Many), ("year", Cells::Many)]);
    assert!(name == "wet" && told.starts_with("the only column with yes and no"), "{name} {told}");
}

/// Stands for the number of values of a column of yes and no.
const FLAG: u64 = u64::MAX;

/// Columns with their number of values; 0 is a number with many.
fn guessed(columns: &[(&str, u64)]) -> Option<String> {
    let cells = |n: u64| match n {
        0 => Cells::Many,
        FLAG => Cells::YesNo,
        n => Cells::Levels(n),
    };
    let columns: Vec<(&str, Cells)> = columns.iter().map(|&(name, n)| (name, cells(n))).collect();
    guess_of(&columns).map(|guess| guess.name)
}

/// The relevant columns of public tables, in their order, with the role of each.
#[test]
fn targets_are_guessed_from_the_columns_that_matter() {
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
