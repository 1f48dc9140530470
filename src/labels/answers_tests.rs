//! Tables with the habits of spreadsheets, and exports of Label Studio.

use super::*;

const TARGET: &str = "churn";

fn columns() -> Vec<String> {
    ["id", "batch", "reason", "months", "churn", "annotator", "note"].map(str::to_owned).to_vec()
}

fn read_as(text: &str) -> Result<Answers, LabelError> {
    read("back.csv", text, &Expected { target: TARGET, headers: vec![columns().as_slice()] })
}

fn said(text: &str) -> Vec<(String, String, String)> {
    let read = read_as(text).unwrap();
    assert_eq!(read.faults, []);
    read.answers.into_iter().map(|a| (a.id, a.text, a.annotator)).collect()
}

fn triples(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn the_habits_of_spreadsheets_change_nothing() {
    let expected = triples(&[("a1", "yes", "ann"), ("-2", "", "ann")]);
    let plain = "id,batch,reason,months,churn,annotator,note\na1,b1,x,3,yes,ann,\n-2,b1,x,4,,ann,later\n";
    assert_eq!(said(plain), expected);
    for text in [
        plain.replace(',', ";").replace('\n', "\r\n"),
        plain.replace(',', "\t"),
        format!("{plain},,,,,,\n,,,,,,\n\n"),
        plain.replace("a1,b1,x,3,yes,ann,", "\"a1\",\"b1\",\"x\",\"3\",\" yes \",ann"),
        "extra,churn,annotator,id,months,reason,batch,note\n7,yes,ann,a1,3,x,b1,\n8,,ann,-2,4,x,b1,\n".to_owned(),
        "\n\nchurn,id,annotator\nyes,a1,ann\n,-2,ann\n".to_owned(),
        "id,churn,annotator\na1,'yes,ann\n'-2,,ann\n".replace("'yes", "yes"),
    ] {
        assert_eq!(said(&text), expected, "{text}");
    }
    let read = read_as(plain).unwrap();
    assert_eq!((read.answers[1].place, read.answers[0].batch.as_str()), (Place::Line(3), "b1"));
}

#[test]
fn a_changed_header_is_told() {
    for (header, what) in [
        ("id,batch,reason,months,Churn?,annotator,note", "line 1, column \"churn\": \"Churn?\" is in the header"),
        ("ID,batch,reason,months,churn,annotator,note", "line 1, column \"id\": \"ID\" is in the header"),
        ("id,batch,reason,months", "line 1, column \"churn\": \"churn\" is missing"),
        ("id,churn,churn", "line 1, column \"churn\": \"churn\" appears twice"),
    ] {
        let told = read_as(&format!("{header}\na1,yes,x\n")).unwrap_err().to_string();
        assert!(told.starts_with("back.csv: ") && told.contains(what), "{told}");
    }
    let renamed = read_as("id,batch,reason,tenure,churn,annotator,note\na1,b1,x,3,yes,ann,\n").unwrap();
    assert_eq!((renamed.faults[0].column.as_str(), renamed.faults[0].value.as_str()), ("months", "tenure"));
    let tenure: Vec<String> = columns().iter().map(|c| c.replace("months", "tenure")).collect();
    let last = columns();
    let both = Expected { target: TARGET, headers: vec![tenure.as_slice(), last.as_slice()] };
    let of_the_first =
        read("back.csv", "id,batch,reason,tenure,churn,annotator,note\na1,b1,x,3,yes,ann,\n", &both).unwrap();
    assert_eq!((of_the_first.faults, of_the_first.answers.len()), (vec![], 1), "answers may be to an earlier batch");
    let long = read_as("id,churn\na1,yes,what\n").unwrap();
    assert!(long.faults[0].what.contains("3 fields, but the header has 2") && long.answers.is_empty());
    assert!(read_as("").unwrap_err().to_string().contains("is empty"));
}

fn studio(annotations: &str) -> String {
    format!(r#"[{{"id": 12, "data": {{"row_id": "a1", "batch": "b1", "row": {{}}}}, "annotations": [{annotations}]}}]"#)
}

fn choice(by: &str, said: &str, more: &str) -> String {
    let result =
        format!(r#"[{{"type": "choices", "from_name": "label", "to_name": "row", "value": {{"choices": [{said}]}}}}]"#);
    format!(r#"{{"completed_by": {by}, "updated_at": "2026-11-21T08:00:00.5Z", "result": {result}{more}}}"#)
}

#[test]
fn an_export_of_label_studio_gives_its_annotations() {
    let email = r#"{"id": 7, "email": "ann@example.org"}"#;
    let both = [choice(email, "\"yes\"", ""), choice("14", "\"no\"", ", \"was_cancelled\": false")].join(",");
    assert_eq!(said(&studio(&both)), triples(&[("a1", "yes", "ann@example.org"), ("a1", "no", "14")]));
    let read = read_as(&studio(&both)).unwrap();
    assert_eq!(read.answers[0].at.unwrap().to_string(), "2026-11-21T08:00:00.5Z");
    let cancelled = studio(&choice("3", "\"yes\"", ", \"was_cancelled\": true"));
    assert_eq!(said(&cancelled), triples(&[("a1", "", "")]));
    assert_eq!(said(&studio("")), triples(&[("a1", "", "")]));
    let min =
        r#"[{"row_id": "a1", "batch": "b1", "label": "yes", "annotator": 5, "id": 1}, {"row_id": 8, "label": 1}]"#;
    assert_eq!(said(min), triples(&[("a1", "yes", "5"), ("8", "1", "")]));
}

#[test]
fn exports_of_other_projects_are_told_apart() {
    let faults = |text: &str| read_as(text).unwrap().faults;
    let two = faults(&studio(&choice("3", "\"yes\", \"no\"", "")));
    assert_eq!((two[0].column.as_str(), two[0].value.as_str()), ("label", "yes, no"));
    let boxes = r#"{"result": [{"type": "rectanglelabels", "from_name": "x", "value": {"rectanglelabels": ["Car"]}}]}"#;
    assert!(faults(&studio(boxes))[0].what.contains("another kind of project"));
    let stranger = r#"[{"id": 1, "data": {"text": "x"}, "annotations": []}]"#;
    assert_eq!((faults(stranger)[0].place, faults(stranger)[0].column.as_str()), (Place::Task(1), "row_id"));
    for text in ["[1, 2", "{"] {
        assert!(read_as(text).unwrap_err().to_string().contains("is not valid JSON"), "{text}");
    }
}

#[test]
fn real_exports_are_read_or_refused_by_their_tasks() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/label_studio_exports");
    for name in ["csv_test.json", "csv_test2.json", "csv_test_history.json", "data.json", "data_repeater.json"] {
        let Ok(text) = std::fs::read_to_string(dir.join(name)) else { continue };
        let strange = read_as(&text).unwrap();
        assert!(strange.answers.is_empty() && strange.faults[0].column == "row_id", "{name}");
        // The same export, as if exported from here.
        let ours = text.replace("\"data\": {", "\"data\": {\"row_id\": \"a1\", ");
        let read = read_as(&ours).unwrap();
        match name {
            "csv_test2.json" => {
                assert!(read.answers[0].text.starts_with("Yes \" \"\""));
                assert_eq!(read.answers[0].annotator, "test@heartex.com");
            }
            "csv_test_history.json" => {
                assert_eq!(
                    (read.answers[0].text.as_str(), read.answers[0].annotator.as_str()),
                    ("Positive", "sergei@heartex.e2e")
                );
                assert_eq!(read.answers[0].at.unwrap().to_string(), "2024-05-15T12:09:16.789563Z");
            }
            _ => assert!(!read.faults.is_empty(), "{name} holds no choice"),
        }
    }
}

/// Every documented form of an answer, and the expected result.
#[test]
fn every_documented_shape_of_an_answer_is_read() {
    let full = |kind: &str, value: &str| {
        studio(&format!(
            r#"{{"completed_by": 4, "result": [{{"type": "{kind}", "from_name": "label", "value": {value}}}]}}"#
        ))
    };
    for (kind, value, text) in [
        ("choices", r#"{"choices": ["yes"]}"#, "yes"),
        ("choices", r#"{"choices": "yes"}"#, "yes"),
        ("number", r#"{"number": 5.5}"#, "5.5"),
        ("textarea", r#"{"text": ["yes"]}"#, "yes"),
        ("textarea", r#"{"text": "yes"}"#, "yes"),
        ("choices", r#"{"choices": []}"#, ""),
    ] {
        let by = if text.is_empty() { "" } else { "4" };
        assert_eq!(said(&full(kind, value)), triples(&[("a1", text, by)]), "{value}");
    }
    for (label, text) in [
        (r#""yes""#, "yes"),
        ("1", "1"),
        ("true", "true"),
        (r#"{"choices": ["yes"]}"#, "yes"),
        (r#"[{"choices": ["yes"]}]"#, "yes"),
        (r#"[{"number": 5}]"#, "5"),
        (r#"{"number": 5}"#, "5"),
        (r#"["yes"]"#, "yes"),
        (r#"{"text": ["yes"]}"#, "yes"),
        (r#""""#, ""),
        ("null", ""),
    ] {
        let by = if text.is_empty() { "" } else { "4" };
        let min = format!(r#"[{{"row_id": "a1", "id": 7, "label": {label}, "annotator": 4}}]"#);
        let read = read_as(&min).unwrap();
        assert_eq!((read.faults.len(), read.answers.len()), (0, 1), "{label}");
        assert_eq!((read.answers[0].text.as_str(), read.answers[0].id.as_str()), (text, "a1"), "{label}");
        if label != "\"\"" {
            assert_eq!(read.answers[0].annotator, by, "{label}");
        }
        let cell = label.trim_matches('"').replace("null", "");
        let csv = format!("annotator,id,label,row_id,updated_at\n4,7,\"{}\",a1,\n", cell.replace('"', "\"\""));
        assert_eq!(said(&csv), triples(&[("a1", text, "4")]), "{csv}");
    }
    let named = r#"[{"row_id": "a1", "churn": "yes", "annotator": 4}]"#;
    assert_eq!(said(named), triples(&[("a1", "yes", "4")]), "a control may have the target's name");
    let old = r#"[{"data": {"row_id": "a1"}, "completions": [{"result": [{"value": {"choices": ["yes"]}}]}]}]"#;
    assert_eq!(said(old), triples(&[("a1", "yes", "")]));
}

#[test]
fn a_shape_that_is_not_known_is_an_error_and_never_unanswered() {
    let fault = |text: &str| {
        let read = read_as(text).unwrap();
        assert_eq!((read.answers.len(), read.faults.len()), (0, 1), "{text}");
        read.faults[0].clone()
    };
    for label in [
        r#"{"choices": ["yes", "no"]}"#,
        r#"[{"choices": ["yes"]}, {"choices": ["no"]}]"#,
        r#"["yes", "no"]"#,
        r#"{"taxonomy": [["a", "b"]]}"#,
        r#"[{"rectanglelabels": ["Car"], "x": 1}]"#,
        r#"{"choices": [["yes"]]}"#,
        r#"{"choices": [null]}"#,
        r#"{"choices": null}"#,
        r#"{"answer": "yes"}"#,
        r#"[null]"#,
    ] {
        let min = fault(&format!(r#"[{{"row_id": "a1", "label": {label}}}]"#));
        assert_eq!((min.place, min.column.as_str()), (Place::Task(1), "label"), "{label}");
        let csv = fault(&format!("id,label,row_id\n7,\"{}\",a1\n", label.replace('"', "\"\"")));
        assert_eq!((csv.place, csv.column.as_str()), (Place::Line(2), "label"), "{label}");
        if label.starts_with('{') {
            let full = fault(&studio(&format!(r#"{{"result": [{{"from_name": "label", "value": {label}}}]}}"#)));
            assert_eq!(full.column, "label", "{label}");
        }
    }
    for annotations in [r#""none""#, "{}", "7"] {
        let text = format!(r#"[{{"data": {{"row_id": "a1"}}, "annotations": {annotations}}}]"#);
        assert_eq!(fault(&text).column, "annotations", "{text}");
    }
    assert_eq!(fault(r#"[{"data": {"row_id": "a1"}}]"#).column, "annotations");
    assert!(fault(&studio(r#"{"result": "yes"}"#)).what.contains("not a list of results"));
    let other = fault(r#"[{"row_id": "a1", "sentiment": "yes", "annotator": 4}]"#);
    assert_eq!((other.value.as_str(), other.what.contains("\"label\" or \"churn\"")), ("sentiment", true));
    let headers = read_as("id,row_id,sentiment\n7,a1,yes\n").unwrap_err().to_string();
    assert!(headers.contains("column \"label\"") && headers.contains("export as JSON"), "{headers}");
}

#[test]
fn the_id_of_a_task_is_not_that_of_a_row() {
    for header in ["id,label,row_id", "id,churn,row_id", "id\tlabel\trow_id", "\"id\";\"label\";\"row_id\""] {
        let delimiter = [",", "\t", ";"].into_iter().find(|d| header.contains(d)).unwrap();
        let text = format!("{header}\n{}\n", ["7", "yes", "0012"].join(delimiter));
        assert_eq!(said(&text), triples(&[("0012", "yes", "")]), "{text}");
    }
    // A batch of our own may have a feature of that name.
    let ours: Vec<String> = columns().iter().map(|c| c.replace("months", "row_id")).collect();
    let expected = Expected { target: TARGET, headers: vec![ours.as_slice()] };
    let back =
        read("back.csv", "id,batch,reason,row_id,churn,annotator,note\na1,b1,x,7,yes,ann,\n", &expected).unwrap();
    assert_eq!((back.answers[0].id.as_str(), back.faults.len()), ("a1", 0));
    let studio = read("back.csv", "annotation_id,id,label,row_id\n1,7,yes,a1\n", &expected).unwrap();
    assert_eq!((studio.answers[0].id.as_str(), studio.faults.len()), ("a1", 0));
}

#[test]
fn how_an_answer_came_about_is_told_by_the_export() {
    let of = |more: &str| {
        let text = studio(&choice("3", "\"yes\"", more));
        read_as(&text).unwrap().answers[0].origin
    };
    assert_eq!(of(r#", "lead_time": 4.2, "parent_prediction": 5"#), Origin::Timed, "a person looked at the prediction");
    assert_eq!(of(r#", "lead_time": 4.2"#), Origin::Timed);
    assert_eq!(of(r#", "lead_time": null, "parent_prediction": 5"#), Origin::Copied);
    assert_eq!(of(r#", "lead_time": 0, "parent_prediction": 5"#), Origin::Copied);
    assert_eq!(of(r#", "parent_prediction": 5"#), Origin::Copied);
    assert_eq!(of(r#", "lead_time": null, "parent_prediction": null"#), Origin::Untimed);
    let origin = r#"[{"data": {"row_id": "a1"}, "annotations": [{"result": [{"origin": "prediction", "value": {"choices": ["yes"]}}]}]}]"#;
    assert_eq!(read_as(origin).unwrap().answers[0].origin, Origin::Copied);
    let csv = read_as("label,row_id,lead_time\nyes,a1,\nno,a2,3.5\n").unwrap().answers;
    assert_eq!((csv[0].origin, csv[1].origin), (Origin::Untimed, Origin::Timed));
    assert_eq!(read_as("id,churn\na1,yes\n").unwrap().answers[0].origin, Origin::Sheet);
}

#[test]
fn records_are_cut_as_tables_are() {
    assert_eq!(said("id,note,churn\na1, \"x,y\",yes\n"), triples(&[("a1", "yes", "")]));
    assert_eq!(said("id,churn\ra1,yes\ra2,no\r"), triples(&[("a1", "yes", ""), ("a2", "no", "")]));
    let open = read_as("id,churn,note\na1,yes,\"never\na2,no,x\n").unwrap_err().to_string();
    assert_eq!(open, "back.csv: line 2: a quote is opened and never closed");
}
