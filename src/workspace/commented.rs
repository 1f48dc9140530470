//! The `mlloop.toml` that `init` writes, with why each column is what it is and every default.

use super::config::Config;
use super::config_text::{comment, quote};
use super::sections::DataSpec;
use crate::pipeline::SplitSpec;
use crate::table::{NumberFormat, Same, Spelling};
use std::fmt::Write as _;

impl Config {
    /// The file that `init` writes; `comments` are (column, why it is what it is).
    #[must_use]
    pub fn to_commented_toml(&self, comments: &[(String, String)]) -> String {
        let mut text =
            String::from("# What this loop learns, and how. Written by `mlloop init`; edit it as you like.\n\n");
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
             judge; column: column = \"customer\"\n{column}{columns}tune = {tune:<7} # share of rows for early stopping, calibration \
             and the threshold\ngate = {gate:<7} # share of rows that no version learns from; versions are compared on them\n"
        );
    }

    fn write_data(&self, text: &mut String) {
        let DataSpec { reference, delimiter, header, missing, skip_lines, comment, weight } = &self.data;
        let quoted: Vec<String> = missing.iter().map(|m| quote(m)).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "[data]\nreference = {}   # the rows to learn from, relative to this file\ndelimiter = {}\nheader = {header}\n\
             missing = [{}]   # texts that mean \"missing\"; spaces around them do not count\n",
            quote(&reference.to_string_lossy()),
            quote(&delimiter.to_string()),
            quoted.join(", "),
        );
        if *skip_lines > 0 {
            let _ = writeln!(text, "skip_lines = {skip_lines}   # lines before the header that are no part of a table");
        }
        if let Some(mark) = comment {
            let mark = quote(&mark.to_string());
            let _ = writeln!(text, "comment = {mark}   # what lines begin with that are no part of a table");
        }
        if let Some(weight) = weight {
            let _ = writeln!(text, "weight = {}   # how much each row counts", quote(weight));
        }
        text.push('\n');
        let _ = writeln!(text, "[target]\ncolumn = {}", quote(&self.target.column));
        if let Some(task) = self.target.task {
            let name = format!("{task:?}").to_lowercase();
            let _ = writeln!(text, "task = {}   # binary, multiclass or regression", quote(&name));
        }
        if let Some(positive) = &self.target.positive {
            let _ = writeln!(text, "positive = {}   # the class that scores count toward", quote(positive));
        }
        text.push('\n');
    }

    fn write_columns(&self, text: &mut String, comments: &[(String, String)]) {
        text.push_str(
            "# id: names the row, never a feature · time · number · category: one of few texts · text: kept, not a feature\n\
             # constant: not a feature · ignore: not read\n\
             # Levels that differ in case, in spaces around them or as 2 and 2.0 are one value; same = false keeps them apart,\n\
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

/// How numbers are written, as an inline table.
fn number_format(format: &NumberFormat) -> String {
    let thousands = format.thousands.map(|c| format!(", thousands = {}", quote(&c.to_string()))).unwrap_or_default();
    let unit = format.unit.as_ref().map(|unit| format!(", unit = {}", quote(unit))).unwrap_or_default();
    format!("{{ decimal = {}{thousands}{unit} }}", quote(&format.decimal.to_string()))
}

/// `levels = […]` and `same = …`, where something is said.
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
# outliers = "keep"    # rows that are learned from: clip, or drop
# clip = "none"        # iqr: outliers are moved to the fences
# drop = []            # columns to leave out
# [features.derived]   # columns that are computed from others, one by one; see docs/features.md
# ratio = "a / max(b, 1)"

[model]
algorithm = "gradient-boosting"   # random-forest, decision-tree
# n_estimators = 400   # these and other names mean what they mean in XGBoost and scikit-learn;
# max_depth = 6        # what is not set suits the table
# learning_rate = 0.05
# interactions = [["a", "b"], ["c"]]   # columns that may act together; "none": each by itself
# [model.monotone]     # the prediction may only rise or only fall with these
# balance = "increasing"

# [train]
# quality = "standard" # fast: one fit; the tune rows decide, and do not teach; best: a search over many
# budget = 60          # seconds of CPU time after which best tries nothing more
# tries = 12           # so many sets of parameters are tried by best

# [trainer]            # a program that fits instead; see docs/features.md
# command = ["python", "train.py"]

[decision]
imbalance = "none"       # weights: rare classes weigh more; smote: made-up rows of the rare classes
calibration = "auto"     # platt, isotonic, none
threshold = "f1"         # 0.35; { alerts = 0.02 }; { cost_fp = 1, cost_fn = 10 }

[monitor]
current = "data/current.csv"   # what arrived since, unless `monitor` is given a table
# preset = "default"     # evidently, psi
# drift_share = 0.25     # from this share of drifted columns on, retrain
# [monitor.triggers]     # each can be switched off with false
# psi = 0.2
# new_rows = 1000
# unused_feedback = 50
# count = "labelled"
# recent_accuracy = 0.7
# metric_drop = "sure"  # or by how much the primary metric may drop: 0.05
# max_age_days = 90      # off unless set
# [monitor.watch]        # columns that the model does not read, ignored ones too: in the report, no reason to retrain
# region = "category"    # number, time; { kind = "time", format = "%d/%m/%Y" }
# [monitor.columns."NAME"]
# method = "wasserstein" # ks, psi, jensenshannon, chisquare, …; see docs/methods.md
# threshold = 0.1

# [labels]
# policy = "adjudicate"  # where annotators differ: nothing until decided; majority; drop
# auto_export = 300      # rows that `run` hands out to be labelled when it finds drift or too few labels; unset: none
# store = "postgres://USER@HOST/DATABASE/TABLE"  # labels and feedback of several machines; no password: PGPASSWORD, ~/.pgpass

# [retrain]
# min_new_labels = 50      # fewer new labels than this are too few to learn from
# cooldown_hours = 0       # hours since the last retrain
# replay = 1.0             # share of the old training rows that is learned from again
# approval = "auto"        # manual: `run` asks before it trains, a person answers with `approve` or `reject`

# [notify]
# channels = ["email"]     # console, email, webhook: who is told of drift, versions, decisions and failures
# [notify.email]           # user and password: MLLOOP_SMTP_USER, MLLOOP_SMTP_PASSWORD
# host = "smtp.example.org"
# from = "mlloop@example.org"
# to = ["ml@example.org"]

[promote]
min_improvement = 0.02   # least improvement, as a share of production's value
approval = "auto"        # manual: `promote` asks, a person answers with `approve` or `reject`
# notice = "2h"          # with auto: told so long before the promotion, which `reject` stops; 0s: at once
# metric = "pr_auc"      # unset: roc_auc, f1_macro or r2
# alpha = 0.05           # chance of promoting a challenger that is no better
# margin = 0.0           # the improvement must surely be above this
# delta = 0.01           # surely less than this worse is equivalent, see --allow-equivalent
# approval_days = 7
# keep_versions = 5      # older ones are pruned, never production, its predecessor or the challenger
# holdout = "warn"       # spend: each further use of the same gate rows is tested more strictly
# [promote.guardrails]   # each can be switched off with false
# calibration = 0.05     # largest rise of the Brier score, as a share
# slices = 0.1           # largest rise of the loss in a level or a quarter of a column, as a share
# flip_rate = 0.3        # largest share of rows whose class changes
# latency_ratio = 3.0
# schema = true          # the same columns are needed
"#;
