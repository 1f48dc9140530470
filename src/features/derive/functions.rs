//! The names that expressions can call, and how many values each takes.

/// Functions of the values of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Ceil,
    Clip,
    Coalesce,
    Contains,
    Date,
    Day,
    DayOfYear,
    DaysBetween,
    EndsWith,
    Exp,
    Floor,
    Hour,
    IsMissing,
    IsMonthEnd,
    IsMonthStart,
    Length,
    Ln,
    Log1p,
    Lower,
    Matches,
    Max,
    Min,
    Minute,
    Month,
    Number,
    Quarter,
    Round,
    Sqrt,
    StartsWith,
    Upper,
    Weekday,
    Year,
}

/// No maximum number of values.
const ANY: usize = usize::MAX;

impl Function {
    /// Every function: its name, and its minimum and maximum number of arguments.
    pub(super) const ALL: [(&'static str, Self, usize, usize); 33] = [
        ("abs", Self::Abs, 1, 1),
        ("ceil", Self::Ceil, 1, 1),
        ("clip", Self::Clip, 3, 3),
        ("coalesce", Self::Coalesce, 1, ANY),
        ("contains", Self::Contains, 2, 2),
        ("date", Self::Date, 1, 1),
        ("day", Self::Day, 1, 2),
        ("day_of_year", Self::DayOfYear, 1, 2),
        ("days_between", Self::DaysBetween, 2, 2),
        ("ends_with", Self::EndsWith, 2, 2),
        ("exp", Self::Exp, 1, 1),
        ("floor", Self::Floor, 1, 1),
        ("hour", Self::Hour, 1, 2),
        ("is_missing", Self::IsMissing, 1, 1),
        ("is_month_end", Self::IsMonthEnd, 1, 2),
        ("is_month_start", Self::IsMonthStart, 1, 2),
        ("length", Self::Length, 1, 1),
        ("ln", Self::Ln, 1, 1),
        ("log1p", Self::Log1p, 1, 1),
        ("lower", Self::Lower, 1, 1),
        ("matches", Self::Matches, 2, 2),
        ("max", Self::Max, 2, ANY),
        ("min", Self::Min, 2, ANY),
        ("minute", Self::Minute, 1, 2),
        ("month", Self::Month, 1, 2),
        ("number", Self::Number, 1, 1),
        ("quarter", Self::Quarter, 1, 2),
        ("round", Self::Round, 1, 2),
        ("sqrt", Self::Sqrt, 1, 1),
        ("starts_with", Self::StartsWith, 2, 2),
        ("upper", Self::Upper, 1, 1),
        ("weekday", Self::Weekday, 1, 2),
        ("year", Self::Year, 1, 2),
    ];

    /// The function of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == name).map(|(_, function, ..)| *function)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known, ..)| *known == self).map_or("", |(name, ..)| name)
    }

    /// Checks the number of arguments; the error is a sentence.
    pub(super) fn check_count(self, n: usize) -> Result<(), String> {
        let Some((name, _, least, most)) = Self::ALL.iter().find(|(_, known, ..)| *known == self) else {
            return Ok(());
        };
        if (*least..=*most).contains(&n) {
            return Ok(());
        }
        let hint = if matches!(self, Self::Min | Self::Max) {
            format!("; of a group, {name}(…) by column")
        } else {
            String::new()
        };
        let wanted = match (*least, *most) {
            (least, ANY) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        Err(format!("{name} takes {wanted} values and has {n}{hint}"))
    }
}

/// Statistics of the training rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Statistic {
    Count,
    Max,
    Mean,
    Median,
    Min,
    Std,
    Sum,
    Zscore,
}

impl Statistic {
    /// Every statistic with its name.
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("count", Self::Count),
        ("max", Self::Max),
        ("mean", Self::Mean),
        ("median", Self::Median),
        ("min", Self::Min),
        ("std", Self::Std),
        ("sum", Self::Sum),
        ("zscore", Self::Zscore),
    ];

    /// The statistic of that name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, statistic)| *statistic)
    }
}
