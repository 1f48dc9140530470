//! Labels that are probably wrong, by confident learning.

/// A label that the scores contradict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspect {
    /// Index of the row.
    pub row: usize,
    /// The class that the scores favour.
    pub likely: usize,
    /// p̂ of the favoured class minus p̂ of the label.
    pub margin: f64,
}

/// Minimum number of rows of a class for its threshold.
const MIN_ROWS: usize = 5;

/// The rows whose scores indicate, with the usual confidence, a class other than their label: with t_j the mean of
/// p̂_j over the rows labelled j, a row labelled i is suspect when p̂_j ≥ t_j for some j ≠ i, its p̂_i is below that
/// of the likeliest such j, and no such class is i itself or likelier. Strongest first (C. Northcutt, L. Jiang, I.
/// Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021, 3.1).
///
/// `labels` are class indices; `scores` hold the probability of each class, from a model not trained on these
/// labels. A class with fewer than five labelled rows has no threshold: no row is suspected to belong to it.
///
/// ```
/// let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
/// let p = [0.1, 0.2, 0.1, 0.2, 0.1, 0.9, 0.9, 0.8, 0.9, 0.8, 0.9];
/// let scores: Vec<Vec<f64>> = p.iter().map(|p| vec![1.0 - p, *p]).collect();
/// let found = mlloop::labels::suspects(&labels, &scores, 2);
/// assert_eq!((found.len(), found[0].row, found[0].likely), (1, 5, 1));
/// ```
#[must_use]
pub fn suspects(labels: &[usize], scores: &[Vec<f64>], n_classes: usize) -> Vec<Suspect> {
    let mut sums = vec![(0.0, 0_usize); n_classes];
    for (&label, scores) in labels.iter().zip(scores) {
        sums[label].0 += scores[label];
        sums[label].1 += 1;
    }
    let thresholds: Vec<Option<f64>> = sums.iter().map(|&(sum, n)| (n >= MIN_ROWS).then(|| sum / n as f64)).collect();
    let judge = |(row, (&label, scores)): (usize, (&usize, &Vec<f64>))| {
        let sure = |class: &usize| thresholds[*class].is_some_and(|t| scores[*class] >= t);
        let likely = (0..n_classes).filter(sure).reduce(|best, c| if scores[c] > scores[best] { c } else { best })?;
        let margin = scores[likely] - scores[label];
        (likely != label && margin > 0.0).then_some(Suspect { row, likely, margin })
    };
    let mut found: Vec<Suspect> = labels.iter().zip(scores).enumerate().filter_map(judge).collect();
    found.sort_by(|a, b| b.margin.total_cmp(&a.margin).then_with(|| a.row.cmp(&b.row)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::rng;
    use rand::Rng;

    /// Rows of `n_classes` with mostly informative scores, and labels of which a share is wrong.
    fn planted(n: usize, n_classes: usize, wrong: f64, seed: u64) -> (Vec<usize>, Vec<Vec<f64>>, Vec<bool>) {
        let mut random = rng(seed, "planted");
        let (mut labels, mut scores, mut planted) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n {
            let truth = random.gen_range(0..n_classes);
            let mut weights: Vec<f64> = (0..n_classes).map(|_| random.r#gen::<f64>().powi(2)).collect();
            weights[truth] += 3.0 * random.r#gen::<f64>().sqrt();
            let total: f64 = weights.iter().sum();
            scores.push(weights.iter().map(|w| w / total).collect());
            let is_wrong = random.r#gen::<f64>() < wrong;
            labels.push(if is_wrong { (truth + random.gen_range(1..n_classes)) % n_classes } else { truth });
            planted.push(is_wrong);
        }
        (labels, scores, planted)
    }

    #[test]
    fn planted_errors_are_found_with_a_precision_of_80_and_a_recall_of_60_percent() {
        for (n_classes, wrong, seed) in [(2, 0.05, 1), (2, 0.2, 2), (4, 0.05, 3), (4, 0.15, 4)] {
            let (labels, scores, planted) = planted(2000, n_classes, wrong, seed);
            let found = suspects(&labels, &scores, n_classes);
            let hits = found.iter().filter(|s| planted[s.row]).count() as f64;
            let (precision, recall) = (hits / found.len() as f64, hits / planted.iter().filter(|p| **p).count() as f64);
            assert!(precision >= 0.8 && recall >= 0.6, "{n_classes} classes, {wrong}: {precision:.3}, {recall:.3}");
            let first = &found[..found.len() / 4];
            let of_first = first.iter().filter(|s| planted[s.row]).count() as f64 / first.len() as f64;
            assert!(of_first >= 0.95, "the strongest quarter: {of_first:.3}");
        }
    }

    #[test]
    fn a_class_of_few_rows_has_no_threshold() {
        let labels = [0, 0, 0, 0, 0, 0, 1];
        let scores: Vec<Vec<f64>> = [0.1, 0.1, 0.1, 0.1, 0.1, 0.99, 0.9].iter().map(|p| vec![1.0 - p, *p]).collect();
        assert!(suspects(&labels, &scores, 2).is_empty());
    }
}
