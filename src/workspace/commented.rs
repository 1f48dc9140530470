//! The `mlloop.toml` that `init` writes, with the reason for each column's type and every default.

use super::config::Config;
use super::config_text::{comment, quote};
use super::sections::DataSpec;
use crate::pipeline::SplitSpec;
use crate::table::{NumberFormat, Same, Spelling};
use std::fmt::Write as _;

impl Config {
    /// The file written by `init`; `comments` are (column, reason for its type).
    #[must_use]
    pub fn to_commented_toml(&self, comments: &[(String, String)]) -> String {
        let mut text = String::from("# Settings of this loop. Written by `mlloop init`; edit it as you like.\n\n");
        self.write_data(&mut text);
        self.write_columns(&mut text, comments);
        self.write_split(&mut text);
        text.push_str(TAIL);
        text
    }

    fn write_split(&self, text: &mut String) {
        let SplitSpec { by, column, columns, tune, gate } = &self.split;
        let by = quote(&format!("{by:?}").to_lowercase());
        let column = column.as_ref().map(|name| format!("column = {}\n", quote(name))).unwrap_or_default();
        let parts: Vec<String> = columns.iter().map(|name| quote(name)).collect();
        let columns = if parts.is_empty() { String::new() } else { format!("columns = [{}]\n", parts.join(", ")) };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[split]\nby = {by:<9} # id; row: equal rows stay together (also without an id column); time: the latest rows \
             are the holdout; column: column = \"customer\"\n{column}{columns}tune = {tune:<7} # share of rows for early stopping, \
             calibration and the threshold\ngate = {gate:<7} # share of rows held out to evaluate and compare versions\n"
        );
    }

    fn write_data(&self, text: &mut String) {
        let DataSpec { reference, delimiter, header, missing, skip_lines, comment, weight } = &self.data;
        let quoted: Vec<String> = missing.iter().map(|m| quote(m)).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[data]\nreference = {}   # the training table, relative to this file\ndelimiter = {}\nheader = {header}\n\
             missing = [{}]   # texts that mean \"missing\"; surrounding spaces are ignored\n",
            quote(&reference.to_string_lossy()),
            quote(&delimiter.to_string()),
            quoted.join(", "),
        );
        if *skip_lines > 0 {
            let _ = writeln!(text, "skip_lines = {skip_lines}   # lines to skip before the header");
        }
        if let Some(mark) = comment {
            let mark = quote(&mark.to_string());
            let _ = writeln!(text, "comment = {mark}   # lines that begin with this are skipped");
        }
        if let Some(weight) = weight {
            let _ = writeln!(text, "weight = {}   # the column with row weights", quote(weight));
        }
        text.push('\n');
        let _ = writeln!(text, "[target]\ncolumn = {}", quote(&self.target.column));
        if let Some(task) = self.target.task {
            let name = format!("{task:?}").to_lowercase();
            let _ = writeln!(text, "task = {}   # binary, multiclass or regression", quote(&name));
        }
        if let Some(positive) = &self.target.positive {
            let _ = writeln!(text, "positive = {}   # the class whose probability is the score", quote(positive));
        }
        text.push('\n');
    }

    fn write_columns(&self, text: &mut String, comments: &[(String, String)]) {
        text.push_str(
            "# id: identifies the row, never a feature · time · number · category: one of few texts · text: kept, not a feature\n\
             # constant: not a feature · ignore: not read\n\
             # Levels that differ only in case, in outer spaces or as 2 and 2.0 are one value; same = false keeps them apart,\n\
             # same = { Yes = [\"ja\"] } adds other spellings.\n[columns]\n",
        );
        for column in &self.columns {
            let kind = quote(column.kind.name());
            let name = quote(&column.name);
            let why = comments.iter().find(|(name, _)| *name == column.name);
            let comment = why.map(|(_, why)| comment(why)).unwrap_or_default();
            let mut parts = vec![format!("kind = {kind}")];
            parts.extend(column.format.as_ref().map(|format| format!("format = {}", quote(format))));
            parts.extend(column.number.as_ref().map(|number| format!("number = {}", number_format(number))));
            parts.extend(written_spelling(&column.spelling));
            let _ = match parts.as_slice() {
                [_] => writeln!(text, "{name} = {kind}{comment}"),
                parts => writeln!(text, "{name} = {{ {} }}{comment}", parts.join(", ")),
            };
        }
    }
}

/// The number format, as an inline table.
fn number_format(format: &NumberFormat) -> String {
    let thousands = format.thousands.map(|c| format!(", thousands = {}", quote(&c.to_string()))).unwrap_or_default();
    let unit = format.unit.as_ref().map(|unit| format!(", unit = {}", quote(unit))).unwrap_or_default();
    format!("{{ decimal = {}{thousands}{unit} }}", quote(&format.decimal.to_string()))
}

/// `levels = […]` and `same = …`, if set.
fn written_spelling(spelling: &Spelling) -> Vec<String> {
    let list = |texts: &[String]| format!("[{}]", texts.iter().map(|t| quote(t)).collect::<Vec<_>>().join(", "));
    let mut parts = Vec::new();
    if !spelling.levels().is_empty() {
        parts.push(format!("levels = {}", list(spelling.levels())));
    }
    match spelling.same() {
        Same::Rule(true) => {}
        Same::Rule(false) => parts.push("same = false".to_owned()),
        Same::Listed(listed) => {
            let pairs = listed.iter().map(|(name, others)| format!("{} = {}", quote(name), list(others)));
            parts.push(format!("same = {{ {} }}", pairs.collect::<Vec<_>>().join(", ")));
        }
    }
    parts
}

/// The sections that have defaults, as comments that show them.
const TAIL: &str = r#"
[features]
# impute = "native"    # native: the trees handle missing values; median; mean
# scale = "none"       # standard: mean 0, deviation 1; minmax: 0 to 1
# outliers = "keep"    # in training rows: clip, or drop
# clip = "none"        # iqr: outliers are clipped to the fences
# drop = []            # columns to exclude
# [features.derived]   # columns computed from other columns; see docs/features.md
# ratio = "a / max(b, 1)"

[model]
algorithm = "gradient-boosting"   # random-forest, decision-tree, linear
# n_estimators = 400   # parameter names as in XGBoost and scikit-learn;
# max_depth = 6        # parameters that are not set are chosen for the table
# learning_rate = 0.05
# interactions = [["a", "b"], ["c"]]   # columns that may interact; "none": no interactions
# [model.monotone]     # the prediction may only rise, or only fall, with these columns
# balance = "increasing"

# [train]
# quality = "standard" # fast: one fit on the train rows only; best: a search over parameter sets
# budget = 60          # limit of the search, in seconds of CPU time
# tries = 12           # number of parameter sets that best tries

# [trainer]            # use another program to fit; see docs/features.md
# command = ["python", "train.py"]

[decision]
imbalance = "none"       # weights: rare classes get more weight; smote: synthetic rows of rare classes
calibration = "auto"     # platt, isotonic, none
threshold = "f1"         # 0.35; { alerts = 0.02 }; { cost_fp = 1, cost_fn = 10 }

[monitor]
current = "data/current.csv"   # the current rows, if `monitor` gets no table
# preset = "default"     # evidently, psi
# drift_share = 0.25     # share of drifted columns that is a reason to retrain
# [monitor.triggers]     # false switches one off
# psi = 0.2
# new_rows = 1000
# unused_feedback = 50
# count = "labelled"
# recent_accuracy = 0.7
# metric_drop = "sure"  # a significant drop of the primary metric; or the allowed drop: 0.05
# max_age_days = 90      # off unless set
# [monitor.watch]        # columns that the model does not use (also ignored ones): only reported, no reason to retrain
# region = "category"    # number, time; { kind = "time", format = "%d/%m/%Y" }
# [monitor.columns."NAME"]
# method = "wasserstein" # ks, psi, jensenshannon, chisquare, …; see docs/methods.md
# threshold = 0.1

# [labels]
# policy = "adjudicate"  # where annotators disagree: unused until decided; majority; drop
# auto_export = 300      # rows that `run` exports for labelling on drift or too few labels; unset: none
# store = "postgres://USER@HOST/DATABASE/TABLE"  # shared labels and feedback of several machines; password: PGPASSWORD, ~/.pgpass

# [retrain]
# min_new_labels = 50      # minimum number of new labels
# cooldown_hours = 0       # minimum hours since the last retrain
# replay = 1.0             # share of the old training rows to use again
# approval = "auto"        # manual: `run` needs approval to train (`approve`, `reject`)

# [notify]
# channels = ["email"]     # console, email, webhook: for drift, versions, decisions and failures
# [notify.email]           # user and password: MLLOOP_SMTP_USER, MLLOOP_SMTP_PASSWORD
# host = "smtp.example.org"
# from = "mlloop@example.org"
# to = ["ml@example.org"]

[promote]
min_improvement = 0.02   # minimum improvement, as a share of production's value
approval = "auto"        # manual: `promote` needs approval (`approve`, `reject`)
# notice = "2h"          # with auto: announce a promotion this long before; `reject` stops it; 0s: at once
# metric = "pr_auc"      # unset: roc_auc, f1_macro or r2
# alpha = 0.05           # probability of promoting a challenger that is not better
# margin = 0.0           # the lower bound of the improvement must exceed this
# delta = 0.01           # equivalence margin, see --allow-equivalent
# approval_days = 7
# keep_versions = 5      # older ones are pruned; never production, its predecessor or the challenger
# holdout = "warn"       # spend: each further use of the same gate rows needs stronger evidence
# [promote.guardrails]   # false switches one off
# calibration = 0.05     # maximum increase of the Brier score, as a share
# slices = 0.1           # maximum increase of the loss in a level or a quartile of a column, as a share
# flip_rate = 0.3        # maximum share of rows whose class changes
# latency_ratio = 3.0
# schema = true          # the challenger needs the same columns
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decided_is_read_again_and_what_was_not_is_not_written() {
        let all = "[data]\nreference = \"r.csv\"\ndelimiter = \";\"\nheader = false\nmissing = [\"?\"]\nskip_lines = 2\n\
            comment = \"#\"\nweight = \"w\"\n[target]\ncolumn = \"y\"\ntask = \"binary\"\npositive = \"yes\"\n[columns]\n\
            y = { kind = \"category\", levels = [\"no\", \"yes\"], same = { yes = [\"ja\", \"oui\"] } }\n\
            c = { kind = \"category\", same = false }\nw = { kind = \"number\", number = { decimal = \",\", thousands = \".\", \
            unit = \"EUR\" } }\nat = { kind = \"time\", format = \"%d/%m/%Y\" }\nmon = \"number\"\n\
            [split]\nby = \"time\"\ncolumns = [\"mon\"]\ntune = 0.1\ngate = 0.3\n";
        let few = "[data]\nreference = \"r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\ny = \"number\"\n";
        for text in [all, few] {
            let config = Config::parse(text).unwrap();
            let written = config.to_commented_toml(&[("at".to_owned(), "dates".to_owned())]);
            let read = Config::parse(&written).unwrap_or_else(|err| panic!("{err}\n{written}"));
            assert_eq!((&read.data, &read.target), (&config.data, &config.target), "{written}");
            assert_eq!((&read.columns, &read.split), (&config.columns, &config.split), "{written}");
            for key in ["skip_lines", "comment =", "weight =", "task =", "positive =", "same = {", "levels ="] {
                let lines = || written.lines().filter(|line| !line.starts_with('#'));
                assert_eq!(lines().any(|line| line.contains(key)), text == all, "{key}\n{written}");
            }
            assert!(written.contains("\n# [promote.guardrails]") && written.contains("\n\n[target]"), "{written}");
            assert!(written.contains("\n\n# id: identifies the row"), "{written}");
            assert_eq!(written.contains("# dates\n"), text == all, "{written}");
        }
    }
}
