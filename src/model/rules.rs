//! A single tree as readable rules.

use crate::features::Task;
use crate::model::Model;
use crate::model::error::ModelError;
use crate::model::trees::{Node, Tree};
use std::fmt::Write;

impl Model {
    /// The tree as nested rules, two spaces per level; `names` are the features', `classes` in score order.
    ///
    /// Each leaf states the class with the greatest share (on a tie, the first one) and its share, or the mean, and the
    /// weight of the training rows in it (their number without weights). `told` formats the numbers.
    ///
    /// ```text
    /// if tenure < 17.5 or missing
    ///   if fibre < 0.5
    ///     No: probability 0.812, 904 rows
    ///   else
    ///     Yes: probability 0.564, 611 rows
    /// else or missing
    ///   No: probability 0.931, 2203 rows
    /// ```
    ///
    /// # Errors
    ///
    /// If the model is more than one tree, its leaves are not shares or values, or names are missing.
    pub fn rules(
        &self,
        names: &[String],
        classes: &[String],
        told: &dyn Fn(f32) -> String,
    ) -> Result<String, ModelError> {
        let trees = self.trees()?;
        let [tree] = trees.as_slice() else {
            return Err(ModelError::Unsupported(format!(
                "{} trees cannot be read as rules; algorithm = \"decision-tree\" makes one",
                trees.len()
            )));
        };
        if self.link() != crate::model::Link::Identity {
            return Err(ModelError::Unsupported("leaves of boosted trees are not probabilities".into()));
        }
        if names.len() != self.n_features()
            || (self.task() != Task::Regression && classes.len() != self.head().n_classes)
        {
            return Err(ModelError::Data(format!(
                "{} names for {} features, {} classes for {}",
                names.len(),
                self.n_features(),
                classes.len(),
                self.head().n_classes
            )));
        }
        let mut rules = Rules { model: self, tree, names, classes, told, text: String::new() };
        rules.write_all();
        Ok(rules.text)
    }
}

struct Rules<'a> {
    model: &'a Model,
    tree: &'a Tree,
    names: &'a [String],
    classes: &'a [String],
    told: &'a dyn Fn(f32) -> String,
    text: String,
}

impl Rules<'_> {
    /// Depth first, left before right, without recursion: an imported tree may be deep.
    fn write_all(&mut self) {
        let mut stack = vec![(0, 0, String::new())];
        while let Some((at, depth, head)) = stack.pop() {
            let depth = if head.is_empty() {
                depth
            } else {
                self.line(depth, &head);
                depth + 1
            };
            let (question, default_left, left, right) = match &self.tree.nodes[at as usize] {
                Node::Leaf { values, cover } => {
                    let text = self.leaf(values, *cover);
                    self.line(depth, &text);
                    continue;
                }
                Node::Branch { feature, threshold, default_left, left, right, .. } => {
                    (format!("if {} < {threshold}", self.names[*feature as usize]), *default_left, *left, *right)
                }
                Node::Choice { feature, left_codes, default_left, left, right, .. } => {
                    let codes: Vec<String> = left_codes.iter().map(u32::to_string).collect();
                    let name = &self.names[*feature as usize];
                    (format!("if {name} in {{{}}}", codes.join(", ")), *default_left, *left, *right)
                }
            };
            let (if_missing, else_missing) = if default_left { (" or missing", "") } else { ("", " or missing") };
            stack.push((right, depth, format!("else{else_missing}")));
            stack.push((left, depth, format!("{question}{if_missing}")));
        }
    }

    fn leaf(&self, values: &[f32], cover: f32) -> String {
        let rows = (f64::from(cover) / values.len() as f64 * 100.0).round() / 100.0;
        let base = self.model.base_scores();
        match self.model.task() {
            Task::Regression => format!("value {}, {rows} rows", (self.told)(values[0] + base[0])),
            Task::Binary => {
                let positive = (values[values.len() - 1] + base[base.len() - 1]).clamp(0.0, 1.0);
                let (class, share) = if positive > 0.5 { (1, positive) } else { (0, 1.0 - positive) };
                format!("{}: probability {share:.3}, {rows} rows", self.classes[class])
            }
            Task::Multiclass => {
                let shares = values.iter().zip(base).map(|(value, base)| value + base);
                let (class, share) =
                    shares.enumerate().fold((0, f32::MIN), |best, next| if next.1 > best.1 { next } else { best });
                format!("{}: probability {share:.3}, {rows} rows", self.classes[class])
            }
        }
    }

    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = 2 * depth);
    }
}
