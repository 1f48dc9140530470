//! How a label is recognised when it is not written like its class.

use std::collections::HashMap;

/// Words that say yes, folded as by [`fold`].
const YES: [&str; 5] = ["yes", "true", "1", "y", "t"];
/// Words that say no.
const NO: [&str; 5] = ["no", "false", "0", "n", "f"];

/// The classes, ready to be searched.
pub(super) struct Labels {
    exact: HashMap<String, usize>,
    /// `None`: more than one class looks like this.
    folded: HashMap<String, Option<usize>>,
    numbers: Vec<(f64, usize)>,
    /// The classes that say no and yes, when there are exactly these two.
    truths: Option<[usize; 2]>,
}

/// A class, and whether the label was written like it.
pub(super) struct Found {
    pub(super) class: usize,
    pub(super) exact: bool,
}

impl Labels {
    pub(super) fn new(classes: &[String]) -> Self {
        let mut folded: HashMap<String, Option<usize>> = HashMap::new();
        for (idx, class) in classes.iter().enumerate() {
            folded.entry(fold(class)).and_modify(|c| *c = None).or_insert(Some(idx));
        }
        let truths = match classes {
            [a, b] => match (truth(a), truth(b)) {
                (Some(false), Some(true)) => Some([0, 1]),
                (Some(true), Some(false)) => Some([1, 0]),
                _ => None,
            },
            _ => None,
        };
        Self {
            exact: classes.iter().cloned().zip(0..).collect(),
            folded,
            numbers: classes.iter().enumerate().filter_map(|(i, c)| Some((parse(c)?, i))).collect(),
            truths,
        }
    }

    pub(super) fn find(&self, label: &str) -> Option<Found> {
        if let Some(&class) = self.exact.get(label) {
            return Some(Found { class, exact: true });
        }
        let class = match self.folded.get(&fold(label)) {
            Some(&class) => class?,
            None => self.by_number(label).or_else(|| self.by_truth(label))?,
        };
        Some(Found { class, exact: false })
    }

    fn by_number(&self, label: &str) -> Option<usize> {
        let value = parse(label)?;
        let mut equal = self.numbers.iter().filter(|(v, _)| *v == value);
        let class = equal.next()?.1;
        equal.next().is_none().then_some(class)
    }

    fn by_truth(&self, label: &str) -> Option<usize> {
        let truths = self.truths?;
        Some(truths[usize::from(truth(label)?)])
    }
}

/// Without spaces around, lower case, without a trailing full stop (Adult's test file ends its labels with one).
pub(super) fn fold(label: &str) -> String {
    let trimmed = label.trim();
    trimmed.strip_suffix('.').unwrap_or(trimmed).trim_end().to_lowercase()
}

/// Whether a label says yes or no; a number says so by being 1 or 0.
pub(super) fn truth(label: &str) -> Option<bool> {
    let word = fold(label);
    match parse(&word) {
        Some(1.0) => return Some(true),
        Some(0.0) => return Some(false),
        _ => {}
    }
    if YES.contains(&word.as_str()) {
        return Some(true);
    }
    NO.contains(&word.as_str()).then_some(false)
}

/// A finite number; words such as `nan` and `inf` are labels like others.
pub(super) fn parse(label: &str) -> Option<f64> {
    label.trim().parse::<f64>().ok().filter(|v| v.is_finite())
}

/// A number as a label: as short as it can be without losing digits, whole numbers without a point, no negative zero.
///
/// ```
/// assert_eq!(mlloop::features::target::number_text(1.0), "1");
/// assert_eq!(mlloop::features::target::number_text(0.5), "0.5");
/// ```
#[must_use]
pub fn number_text(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { format!("{value}") }
}
