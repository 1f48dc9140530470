//! Calibration in a graph.

use crate::model::{Element, GraphValue, GraphWriter};
use crate::score::Calibration;

/// Scores (32-bit) to probabilities (64-bit), as [`Calibration::apply_row`] does.
pub(super) fn calibrated(graph: &mut GraphWriter, scores: &str, calibration: &Calibration, width: usize) -> String {
    let scores = graph.cast(scores, Element::Double);
    let Calibration::PerClass { classes } = calibration else {
        return one_calibrated(graph, &scores, calibration);
    };
    let mut columns = Vec::new();
    for (class, calibration) in classes.iter().take(width).enumerate() {
        let place = graph.int(class as i64);
        let score = graph.node("Gather", &[&scores, &place], &[("axis", GraphValue::Int(1))]);
        columns.push(one_calibrated(graph, &score, calibration));
    }
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let scores = graph.node("Concat", &columns, &[("axis", GraphValue::Int(1))]);
    let axis = graph.int(1);
    let whole = graph.node("ReduceSum", &[&scores, &axis], &[("keepdims", GraphValue::Int(1))]);
    let (zero, equal) = (graph.double(0.0), graph.double(1.0 / width as f64));
    let some = graph.node("Greater", &[&whole, &zero], &[]);
    let shares = graph.node("Div", &[&scores, &whole], &[]);
    graph.node("Where", &[&some, &shares, &equal], &[])
}

fn one_calibrated(graph: &mut GraphWriter, scores: &str, calibration: &Calibration) -> String {
    match calibration {
        Calibration::None | Calibration::PerClass { .. } => scores.to_owned(),
        Calibration::Platt { a, b } => platt(graph, scores, *a, *b),
        Calibration::Isotonic { x, y } => isotonic(graph, scores, x, y),
    }
}

/// 1 / (1 + exp(a · log-odds + b)), with scores limited to 1e-15 from 0 and 1.
fn platt(graph: &mut GraphWriter, scores: &str, a: f64, b: f64) -> String {
    const EDGE: f64 = 1e-15;
    let (low, high) = (graph.double(EDGE), graph.double(1.0 - EDGE));
    let inside = graph.node("Max", &[scores, &low], &[]);
    let inside = graph.node("Min", &[&inside, &high], &[]);
    let one = graph.double(1.0);
    let rest = graph.node("Sub", &[&one, &inside], &[]);
    let odds = graph.node("Div", &[&inside, &rest], &[]);
    let log_odds = graph.node("Log", &[&odds], &[]);
    let (a, b) = (graph.double(a), graph.double(b));
    let slope = graph.node("Mul", &[&log_odds, &a], &[]);
    let line = graph.node("Add", &[&slope, &b], &[]);
    let power = graph.node("Exp", &[&line], &[]);
    let whole = graph.node("Add", &[&one, &power], &[]);
    graph.node("Div", &[&one, &whole], &[])
}

/// Straight lines between points: the number of points at or below a score picks its line.
fn isotonic(graph: &mut GraphWriter, scores: &str, x: &[f64], y: &[f64]) -> String {
    let n = x.len().min(y.len());
    if n == 0 {
        return graph.double(f64::NAN);
    }
    // Beyond the first and the last point the lines are flat.
    let lines: Vec<[f64; 4]> = (0..=n)
        .map(|above| match above {
            0 => [x[0], 1.0, y[0], 0.0],
            _ if above == n => [x[n - 1], 1.0, y[n - 1], 0.0],
            _ => [x[above - 1], x[above] - x[above - 1], y[above - 1], y[above] - y[above - 1]],
        })
        .collect();
    let points = graph.doubles(x[..n].to_vec(), &[1, n]);
    let passed = graph.node("GreaterOrEqual", &[scores, &points], &[]);
    let passed = graph.cast(&passed, Element::Int64);
    let axis = graph.int(1);
    let line = graph.node("ReduceSum", &[&passed, &axis], &[("keepdims", GraphValue::Int(1))]);
    let pick = |graph: &mut GraphWriter, of: usize| {
        let table = graph.doubles(lines.iter().map(|line| line[of]).collect(), &[n + 1]);
        graph.node("Gather", &[&table, &line], &[("axis", GraphValue::Int(0))])
    };
    let (start, run, base, rise) = (pick(graph, 0), pick(graph, 1), pick(graph, 2), pick(graph, 3));
    let along = graph.node("Sub", &[scores, &start], &[]);
    let share = graph.node("Div", &[&along, &run], &[]);
    let gain = graph.node("Mul", &[&rise, &share], &[]);
    graph.node("Add", &[&base, &gain], &[])
}
