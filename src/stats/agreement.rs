//! Agreement of annotators beyond chance.

use std::collections::HashMap;

/// Cohen's κ of two annotators who labelled the same rows: (pₒ − pₑ)/(1 − pₑ), where pₒ is the share of rows on which
/// they agree and pₑ the share expected from their label rates alone. 1 is full agreement, 0 is chance.
///
/// `NaN` without rows, for lists of different lengths, and if both used only one label: then agreement is expected by
/// chance (J. Cohen, "A Coefficient of Agreement for Nominal Scales", 1960).
///
/// ```
/// // sklearn.metrics.cohen_kappa_score([0, 0, 1, 1], [0, 0, 1, 0])
/// assert!((mlloop::stats::agreement::cohen_kappa(&[0, 0, 1, 1], &[0, 0, 1, 0]) - 0.5).abs() < 1e-12);
/// ```
#[must_use]
pub fn cohen_kappa(a: &[u32], b: &[u32]) -> f64 {
    if a.is_empty() || a.len() != b.len() {
        return f64::NAN;
    }
    let n = a.len() as f64;
    let agreed = a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / n;
    let (rates_a, rates_b) = (counts(a), counts(b));
    let by_chance = rates_a.iter().map(|(label, n_a)| n_a * rates_b.get(label).copied().unwrap_or(0.0)).sum::<f64>();
    let by_chance = by_chance / (n * n);
    (agreed - by_chance) / (1.0 - by_chance)
}

/// Krippendorff's α for nominal labels of any number of annotators, who may skip rows; `rows` contains the labels of
/// each row. 1 is full agreement, 0 is chance, below 0 is less than chance.
///
/// α = 1 − (n − 1) Σ_u (Σ_{c≠k} n_uc n_uk)/(m_u − 1) ∕ Σ_{c≠k} n_c n_k over the rows with m_u ≥ 2 labels, n labels in
/// total (K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011). `NaN` without such a row, and if they
/// contain only one label: there is no variation.
///
/// ```
/// // krippendorff.alpha([[0, 0, 1, 1], [0, 0, 1, 0]], level_of_measurement="nominal")
/// let rows = [vec![0, 0], vec![0, 0], vec![1, 1], vec![1, 0]];
/// assert!((mlloop::stats::agreement::krippendorff_alpha(&rows) - 0.5333333333333333).abs() < 1e-12);
/// ```
#[must_use]
pub fn krippendorff_alpha(rows: &[Vec<u32>]) -> f64 {
    let mut totals: HashMap<u32, f64> = HashMap::new();
    let mut observed = 0.0;
    for row in rows.iter().filter(|row| row.len() >= 2) {
        let of_row = counts(row);
        observed += unequal_pairs(&of_row) / (row.len() as f64 - 1.0);
        of_row.into_iter().for_each(|(label, n)| *totals.entry(label).or_default() += n);
    }
    let n: f64 = totals.values().sum();
    1.0 - (n - 1.0) * observed / unequal_pairs(&totals)
}

fn counts(labels: &[u32]) -> HashMap<u32, f64> {
    let mut counts = HashMap::new();
    labels.iter().for_each(|&label| *counts.entry(label).or_default() += 1.0);
    counts
}

/// Σ_{c≠k} n_c n_k. Counts are whole numbers, so the order of the sum does not matter.
fn unequal_pairs(counts: &HashMap<u32, f64>) -> f64 {
    let n: f64 = counts.values().sum();
    n * n - counts.values().map(|n| n * n).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn codes(value: &Value) -> Vec<u32> {
        value.as_array().unwrap().iter().filter_map(Value::as_u64).map(|code| code as u32).collect()
    }

    #[test]
    fn kappa_and_alpha_are_those_of_the_references() {
        let text = include_str!("../../fixtures/reference/agreement.json");
        let fixture: Value = serde_json::from_str(text).unwrap();
        let kappas = fixture["kappa"].as_array().unwrap();
        for case in kappas {
            let kappa = cohen_kappa(&codes(&case["a"]), &codes(&case["b"]));
            assert!((kappa - case["kappa"].as_f64().unwrap()).abs() < 1e-12, "{kappa} {case}");
        }
        let alphas = fixture["alpha"].as_array().unwrap();
        for case in alphas {
            let rows: Vec<Vec<u32>> = case["rows"].as_array().unwrap().iter().map(codes).collect();
            let alpha = krippendorff_alpha(&rows);
            assert!((alpha - case["alpha"].as_f64().unwrap()).abs() < 1e-12, "{alpha} {}", case["alpha"]);
        }
        assert!(kappas.len() >= 5 && alphas.len() >= 5);
    }

    #[test]
    fn what_cannot_be_told_is_nan() {
        assert!(cohen_kappa(&[], &[]).is_nan() && cohen_kappa(&[1], &[1, 1]).is_nan());
        assert!(cohen_kappa(&[1, 1], &[1, 1]).is_nan());
        assert!(krippendorff_alpha(&[vec![1], vec![2]]).is_nan() && krippendorff_alpha(&[vec![1, 1]]).is_nan());
    }
}
