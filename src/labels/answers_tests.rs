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
        ("id,batch,reason,months,Churn?,annotator,note", "line 1, column \"churn\": \"Churn?\" stands in the header"),
        ("ID,batch,reason,months,churn,annotator,note", "line 1, column \"id\": \"ID\" stands in the header"),
        ("id,batch,reason,months", "line 1, column \"churn\": \"churn\" is missing"),
        ("id,churn,churn", "line 1, column \"churn\": \"churn\" stands twice"),
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
    assert!(long.faults[0].what.contains("3 fields where the header has 2") && long.answers.is_empty());
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
        // The same export, had it gone out from here.
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
