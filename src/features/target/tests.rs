use super::*;
use crate::table::{Categories, Texts};

fn numbers(values: &[f64]) -> Column {
    Column::new("y", Values::Number(values.to_vec()))
}

fn category(values: &[&str]) -> Column {
    Column::new("y", Values::Category(Categories::from_texts(values.iter().copied())))
}

fn fit(column: &Column) -> Target {
    Target::fit(column, None, None).unwrap()
}

#[test]
fn two_values_are_binary_and_the_positive_class_stands_last() {
    for (labels, classes) in [
        (vec!["No", "Yes", "Yes", "Yes"], ["No", "Yes"]),
        (vec!["TRUE", "FALSE", "TRUE"], ["FALSE", "TRUE"]),
        (vec!["<=50K", ">50K", ">50K"], ["<=50K", ">50K"]),
        (vec!["good", "bad", "bad"], ["good", "bad"]),
        (vec!["not sold", "sold", "sold"], ["not sold", "sold"]),
        (vec!["UP", "DOWN", "UP"], ["UP", "DOWN"]),
        (vec!["DOWN", "UP", "DOWN"], ["DOWN", "UP"]),
        (vec!["a", "b"], ["a", "b"]),
    ] {
        let target = fit(&category(&labels));
        assert_eq!((target.task, target.classes), (Task::Binary, classes.map(str::to_owned).to_vec()), "{labels:?}");
    }
    assert_eq!(fit(&numbers(&[1.0, 1.0, 0.0])).classes, ["0", "1"]);
    assert_eq!(fit(&numbers(&[1.0, 1.0, -1.0])).classes, ["-1", "1"]);
    assert_eq!(fit(&numbers(&[1.0, 2.0, 2.0, f64::NAN])).classes, ["2", "1"], "the rarer one");
    assert_eq!(fit(&numbers(&[1.5, 2.5, 1.5])).classes, ["1.5", "2.5"]);
}

#[test]
fn the_reason_is_stated() {
    let (_, why) = Target::choose(&category(&["No", "Yes"]), None, None).unwrap();
    assert_eq!(why, "two distinct values; \"Yes\" is the positive class: its name says so");
    let (_, why) = Target::choose(&category(&["u", "u", "v"]), None, None).unwrap();
    assert_eq!(why, "two distinct values; \"v\" is the positive class: it is the rarer one");
}

#[test]
fn more_values_are_classes_or_a_quantity() {
    let grades = fit(&numbers(&[8.0, 3.0, 5.0, 10.0, 5.0]));
    assert_eq!((grades.task, grades.classes), (Task::Multiclass, ["3", "5", "8", "10"].map(str::to_owned).to_vec()));
    let many: Vec<f64> = (0..11).map(f64::from).collect();
    assert_eq!(fit(&numbers(&many)).task, Task::Regression);
    assert_eq!(fit(&numbers(&[0.5, 1.0, 2.0])).task, Task::Regression);
    assert_eq!(fit(&category(&["c", "a", "b"])).classes, ["a", "b", "c"]);
    assert_eq!(fit(&category(&["10", "9", "1"])).classes, ["1", "9", "10"]);
    let text = Column::new("y", Values::Text(["x", "", "y", "z"].into_iter().collect::<Texts>()));
    assert_eq!(fit(&text).classes, ["x", "y", "z"]);
    let asked = Target::fit(&numbers(&[0.0, 1.0, 1.0]), None, Some(Task::Regression)).unwrap();
    assert_eq!((asked.task, asked.classes.len(), asked.n_scores()), (Task::Regression, 0, 1));
    let asked = Target::fit(&numbers(&many), None, Some(Task::Multiclass)).unwrap();
    assert_eq!(asked.n_scores(), 11);
}

#[test]
fn a_positive_class_may_be_asked_for() {
    let target = Target::fit(&category(&["No", "Yes"]), Some("no"), None).unwrap();
    assert_eq!(target.classes, ["Yes", "No"]);
    let error = Target::fit(&category(&["No", "Yes"]), Some("maybe"), None).unwrap_err().to_string();
    assert_eq!(error, "target \"y\": the positive class \"maybe\" does not occur; choose from No, Yes");
    assert!(Target::fit(&category(&["a", "b", "c"]), Some("a"), None).is_err());
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let says = |column: &Column, task| Target::fit(column, None, task).unwrap_err().to_string();
    assert!(says(&category(&["a", "a"]), None).contains("at least two different labels are needed"));
    assert!(says(&category(&["", ""]), None).contains("every label is missing"));
    assert!(says(&numbers(&[]), None).contains("every label is missing"));
    assert!(says(&Column::new("y", Values::Time(vec![1, 2])), None).contains("times"));
    assert!(says(&category(&["a", "b", "c"]), Some(Task::Binary)).contains("3 distinct"));
    assert!(says(&category(&["a", "b"]), Some(Task::Regression)).contains("texts"));
    let ids: Vec<String> = (0..30).map(|i| format!("id{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert!(says(&category(&ids), None).contains("an id or free text"));
}

#[test]
fn labels_become_indices_and_missing_ones_nan() {
    let target = fit(&category(&["No", "Yes"]));
    let encoded = target.encode(&category(&["Yes", "", "No"])).unwrap();
    assert_eq!((encoded.y[0], encoded.y[2], encoded.notes.len()), (1.0, 0.0, 0));
    assert!(encoded.y[1].is_nan());
    let grades = fit(&numbers(&[3.0, 5.0, 8.0]));
    assert_eq!(grades.encode(&numbers(&[8.0, 3.0, 8.0])).unwrap().y, [2.0, 0.0, 2.0]);
}

#[test]
fn another_spelling_is_understood_once_it_is_unique() {
    let target = fit(&category(&["<=50K", ">50K"]));
    let encoded = target.encode(&category(&["<=50K.", ">50K.", "<=50K."])).unwrap();
    assert_eq!(encoded.y, [0.0, 1.0, 0.0]);
    assert_eq!(encoded.notes[0], "column \"y\": the label \"<=50K.\" is read as \"<=50K\"");
    assert_eq!(encoded.notes.len(), 2);
    let flags = fit(&numbers(&[0.0, 1.0]));
    assert_eq!(flags.encode(&category(&["1.0", "FALSE", "yes"])).unwrap().y, [1.0, 0.0, 1.0]);
    assert_eq!(fit(&category(&["No", "Yes"])).encode(&numbers(&[1.0, 0.0])).unwrap().y, [1.0, 0.0]);
    // "YES" could be either class.
    let two = Target { name: "y".into(), task: Task::Binary, classes: vec!["Yes".into(), "yes".into()] };
    assert_eq!((two.class_of("yes"), two.class_of("YES")), (Some(1), None));
}

#[test]
fn a_foreign_label_is_an_error_with_its_row() {
    let target = fit(&category(&["No", "Yes"]));
    let error = target.encode(&category(&["Yes", "", "Maybe"])).unwrap_err().to_string();
    assert_eq!(error, "column \"y\", row 3: \"Maybe\" is not one of the classes \"No\", \"Yes\"");
    let error = fit(&numbers(&[3.0, 4.0, 5.0])).encode(&numbers(&[3.0, 6.0])).unwrap_err().to_string();
    assert!(error.contains("row 2: \"6\""), "{error}");
}

#[test]
fn a_regression_needs_finite_numbers() {
    let target = Target { name: "y".into(), task: Task::Regression, classes: Vec::new() };
    let y = target.encode(&numbers(&[1.25, f64::NAN])).unwrap().y;
    assert_eq!(y[0], 1.25);
    assert!(y[1].is_nan());
    assert!(target.encode(&numbers(&[1.0, f64::INFINITY])).unwrap_err().to_string().contains("row 2"));
    assert!(target.encode(&numbers(&[1e300])).is_err());
    assert!(target.encode(&category(&["1"])).unwrap_err().to_string().contains("categories"));
}
