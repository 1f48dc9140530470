//! Answers and corrections that people give on the pages.

use super::{Person, TOKEN, hidden, location, served, sign_in};
use crate::support::{Loop, YES};

#[test]
fn answers_on_the_page_are_those_of_the_table() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let by_table = work.copy();
    let mut filled = String::new();
    for (n, line) in work.read("label_inbox/to_label.csv").lines().enumerate() {
        let line = if n == 0 { line.to_owned() } else { fill(line, if n.is_multiple_of(3) { "yes" } else { "no" }) };
        filled.push_str(&line);
        filled.push('\n');
    }
    for n in 1..=50_usize {
        let page = ann.get("/ui/label");
        let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
        assert_eq!(at, (n - 1).to_string());
        let answer = if n.is_multiple_of(3) { "yes" } else { "no" };
        let next = ann.send("/ui/do/answer", &format!("id={id}&at={at}&answer={answer}"));
        assert_eq!(next.status, 303, "{}", next.body);
    }
    assert!(ann.get("/ui/label").contains("50 of 50 done"));
    let page = std::fs::read_dir(work.path("label_inbox")).unwrap().map(|entry| entry.unwrap().path());
    let mut page = page.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("page-"));
    let page = page.next().unwrap();
    assert_eq!(std::fs::read_to_string(&page).unwrap(), filled, "the file is what a spreadsheet would have made of it");
    assert!(ann.follow("/ui/do/import", "").contains("50 labels are new"));
    by_table.write("label_inbox/to_label_labeled.csv", filled);
    by_table.run("label-import --by ann").answers(YES);
    let labels = |work: &Loop| {
        let text = work.read("data/labels.csv");
        let without_time: Vec<String> = text.lines().map(without_times).collect();
        without_time
    };
    assert_eq!(labels(&work), labels(&by_table));
}

/// Answers rows of the batch as one finds them.
fn answer(person: &Person, n: usize) {
    for n in 0..n {
        let page = person.get("/ui/label");
        let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
        let answer = if n.is_multiple_of(3) { "yes" } else { "no" };
        assert_eq!(person.send("/ui/do/answer", &format!("id={id}&at={at}&answer={answer}")).status, 303);
    }
}

#[test]
fn a_batch_stays_out_until_everybody_who_is_asked_has_answered() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 20 --annotators ann,bea --overlap .5 --force").answers(YES);
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    answer(&ann, 15);
    assert!(ann.get("/ui/label").contains("Every row is done"));
    assert!(ann.follow("/ui/do/import", "").contains("15 labels are new"));
    let page = ann.get("/ui/label");
    assert!(page.contains("waits for you") && page.contains("<bdi>bea</bdi></th><td class=\"n\">15</td>"), "{page}");
    answer(&bea, 14);
    // Somebody else takes in what she has so far; the last row still waits for her.
    assert!(bea.get("/ui/label").contains("14 of 15 done"));
    assert!(ann.follow("/ui/do/import", "of=bea").contains("14 labels are new"));
    assert!(bea.get("/ui/label").contains("0 of 1 done"));
    answer(&bea, 1);
    assert!(bea.follow("/ui/do/import", "").contains("agreement on 10 rows: α 1.00"));
    assert!(bea.get("/ui/label").contains("There is no open batch"));
    let labels = work.read("data/labels.csv");
    assert_eq!([",ann,", ",bea,"].map(|who| labels.matches(who).count()), [15, 15]);
    work.run("audit verify --deep").answers(YES);
}

#[test]
fn nobodys_answers_are_lost_when_others_take_theirs_in() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 6 --force").answers(YES);
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    let page = ann.get("/ui/label");
    // Enter in the note sends the first button of the form: it keeps the note and answers nothing.
    let first = page.split("id=\"answer\"").nth(1).unwrap().split("<button").nth(1).unwrap();
    assert!(first.contains("name=\"what\" value=\"note\""), "{first}");
    let (id, at) = (hidden(&page, "id"), hidden(&page, "at"));
    ann.send("/ui/do/answer", &format!("id={id}&at={at}&what=note&note=far"));
    let page = ann.get("/ui/label");
    assert!(page.contains("0 of 6 done") && page.contains("value=\"far\""), "{page}");
    let refused = ann.send("/ui/do/answer", &format!("id={id}&at={at}&note=near"));
    assert!(refused.status == 400 && refused.body.contains("value=\"near\""), "{}", refused.body);
    answer(&ann, 2);
    // Skipped, seen again, and back along the way that one came.
    let skipped = location(&ann.send("/ui/do/answer", &format!("id={id}&at=2&what=skip&trail=0.1")));
    assert_eq!(skipped, "/ui/label?at=3&trail=0.1.2");
    assert!(ann.get(&skipped).contains("href=\"/ui/label?at=2&#38;trail=0.1\""));
    answer(&bea, 6);
    assert!(bea.follow("/ui/do/import", "").contains("6 labels are new"));
    assert!(ann.get("/ui/label").contains("2 of 2 done"), "what she answered is still hers to take in");
    let closed = ann.follow("/ui/do/close", &format!("batch={}", batch_of(&work)));
    assert!(closed.contains("2 answers of ann"), "{closed}");
    assert!(ann.follow("/ui/do/import", "").contains("2 labels are new"));
    assert!(ann.get("/ui/label").contains("There is no open batch"));
    // A batch of which few rows are answered.
    work.run("label-export -n 5 --force").answers(YES);
    answer(&ann, 1);
    assert!(ann.follow("/ui/do/import", "").contains("1 labels are new"));
    assert!(ann.get("/ui/label").contains("0 of 4 done"));
    assert!(ann.follow("/ui/do/close", &format!("batch={}", batch_of(&work))).contains("4 rows without an answer"));
    assert!(ann.get("/ui/label").contains("There is no open batch"));
    let told = ann.get("/ui/audit");
    assert!(told.contains("was closed; 4 rows without an answer"), "{told}");
    work.run("audit verify --deep").answers(YES);
}

/// The batch that is out.
fn batch_of(work: &Loop) -> String {
    let dir = std::fs::read_dir(work.path("label_inbox/batches")).unwrap();
    dir.map(|entry| entry.unwrap().file_name().into_string().unwrap()).find(|name| name.starts_with('b')).unwrap()
}

/// The line with this answer of ann's; the target, the annotator and the note are its last cells.
fn fill(line: &str, answer: &str) -> String {
    format!("{},{answer},ann,", line.strip_suffix(",,,").unwrap())
}

/// A line without what is written as a time.
fn without_times(line: &str) -> String {
    line.split(',').filter(|cell| !(cell.contains('T') && cell.ends_with('Z'))).collect::<Vec<_>>().join(",")
}

#[test]
fn a_prediction_is_corrected_and_explained() {
    let (work, server) = served("--no-log");
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    let list = ann.get("/ui/feedback");
    let id = hidden(&list, "id");
    let why = ann.get(&format!("/ui/row?id={id}"));
    assert!(why.contains("Contributions to the score"), "{why}");
    let page =
        ann.follow("/ui/do/feedback", &format!("id={id}&verdict=incorrect&actual=yes&comment=moved%2C+%22far%22"));
    assert!(page.contains("incorrect, ann"), "{page}");
    let today = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    let within = |query: &str| ann.get(&format!("/ui/feedback?{query}")).contains("No prediction matches");
    assert!(
        within("until=2020-01-01") && within("since=2090-01-01") && !within(&format!("until={today}&since=2020-01-01"))
    );
    assert!(ann.get("/ui/audit").contains("feedback on 1 prediction"));
    assert!(work.read("data/feedback.csv").contains("\"moved, \"\"far\"\"\""));
    // What cannot be used comes back as the form with what was typed; what is typed is no option.
    let said = work.read("data/feedback.csv");
    let option = ann.send("/ui/do/feedback", "id=--version&verdict=correct");
    assert_eq!((option.status, work.read("data/feedback.csv")), (404, said.clone()), "{}", option.body);
    for verdict in ["verdict=incorrect", "verdict="] {
        let back = ann.send("/ui/do/feedback", &format!("id={id}&{verdict}&comment=a+%3Cword%3E"));
        assert_eq!(back.status, 400, "{}", back.body);
        assert!(
            back.body.contains("value=\"a &#60;word&#62;\"") && back.body.contains("role=\"alert\""),
            "{}",
            back.body
        );
    }
    assert_eq!(work.read("data/feedback.csv"), said);
    // One comes back to the rows that one was at, and to no other server.
    let good = |back: &str| location(&ann.send("/ui/do/feedback", &format!("id={id}&verdict=uncertain&back={back}")));
    assert!(good("%2Fui%2Ffeedback%3Fq%3Da%2526b%26from%3D50").starts_with("/ui/feedback?q=a%26b&from=50&job="));
    assert!(good("https%3A%2F%2Felsewhere.example%2F").starts_with("/ui/feedback?job="));
    let highest = ann.get("/ui/feedback?sort=score");
    let list = highest.split("aria-label=\"Predictions\"").nth(1).unwrap();
    let scores =
        list.split("data-label=\"Score\">").skip(1).filter_map(|cell| cell.split([' ', '<']).next()?.parse().ok());
    let scores: Vec<f64> = scores.collect();
    assert!(scores.len() == 50 && scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    let next = ann.get("/ui/feedback?sort=score&from=50");
    assert!(
        next.contains("rows 51 to 100") && next.contains("href=\"/ui/feedback?sort=score&#38;from=100\""),
        "{next}"
    );
    assert!(ann.get("/ui/feedback?q=nothing+has+this").contains("No prediction matches"));
    assert_eq!(ann.ask("GET /ui/row?id=nobody", "", "").status, 404);
}

#[test]
fn answers_that_conflict_are_settled_and_others_stay_open() {
    let (work, server) = served("--no-log");
    work.run("label-export -n 50 --force").answers(YES);
    let sheet: Vec<String> = work.read("label_inbox/to_label.csv").lines().map(str::to_owned).collect();
    let said = |person: &str, answer: &dyn Fn(usize) -> &'static str| -> String {
        let rows = sheet
            .iter()
            .skip(1)
            .enumerate()
            .map(|(n, line)| format!("{},{},{person},", line.strip_suffix(",,,").unwrap(), answer(n)));
        std::iter::once(sheet[0].clone()).chain(rows).map(|line| line + "\n").collect()
    };
    let of_ann = |n: usize| if n.is_multiple_of(3) { "yes" } else { "no" };
    // Bob differs in three rows.
    let of_bob = |n: usize| if n.is_multiple_of(3) && n >= 9 { "yes" } else { "no" };
    work.write("ann.csv", said("ann", &of_ann));
    work.write("bob.csv", said("bob", &of_bob));
    work.run("label-import ann.csv --accept-batch").answers(YES);
    let suspects = |work: &Loop| std::fs::read_to_string(work.path("label_inbox/suspects.csv")).unwrap_or_default();
    work.run("label-import bob.csv --accept-batch").answers(YES);
    let doubted = suspects(&work).lines().count();
    let ann = sign_in(&server, "ann", TOKEN).unwrap_or_else(|_| panic!("ann has the token"));
    assert!(ann.get("/ui").contains("answers conflict or look wrong"));
    let page = ann.get("/ui/settle");
    assert!(page.contains("ann: yes; bob: no") && page.contains("monthly_charge"), "{page}");
    let (id, batch) = (hidden(&page, "id-0"), hidden(&page, "batch-0"));
    assert_eq!(ann.send("/ui/do/settle", &format!("id-0={id}&batch-0={batch}&answer-0=")).status, 400);
    let after = ann.follow("/ui/do/settle", &format!("id-0={id}&batch-0={batch}&answer-0=yes"));
    assert!(after.contains("1 labels are new") || after.contains("1 label is new"), "{after}");
    let conflicts = work.read("label_inbox/conflicts.csv");
    assert_eq!(conflicts.lines().count(), 3, "two of three are left: {conflicts}");
    assert!(!conflicts.contains(&id));
    let left = suspects(&work);
    assert!(left.lines().count() + 1 >= doubted, "an import of one row does not forget the doubts of others: {left}");
    let decided = work.read("data/labels.csv").lines().last().unwrap().to_owned();
    assert!(decided.contains("adjudicator") && decided.contains(&id), "{decided}");
}

#[test]
fn two_people_who_differ_are_both_shown() {
    let (work, server) = served("--no-log");
    let [ann, bea] = ["ann", "bea"].map(|name| sign_in(&server, name, TOKEN).unwrap_or_else(|_| panic!("{name}")));
    let page = ann.get("/ui/feedback");
    let id = hidden(&page, "id");
    let row = page.split(&format!("name=\"id\" value=\"{id}\"")).next().unwrap().rsplit("<tr").next().unwrap();
    let other = if row.contains("<bdi>no</bdi>") { "yes" } else { "no" };
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=uncertain"));
    bea.follow("/ui/do/feedback", &format!("id={id}&verdict=correct"));
    let page = ann.get(&format!("/ui/feedback?q={id}"));
    assert!(page.contains(">correct, bea; uncertain, ann</td>"), "who cannot tell differs from nobody: {page}");
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=incorrect&actual={other}"));
    for path in [format!("/ui/feedback?q={id}"), format!("/ui/row?id={id}")] {
        let page = ann.get(&path);
        assert!(page.contains("incorrect, ann; correct, bea (they differ)"), "{path}: {page}");
    }
    let page = ann.get("/ui/feedback");
    assert!(page.contains("2 became labels") && page.contains("1 prediction is judged right by some people"), "{page}");
    // It counts as the retraining counts it: a row on which people differ has no label.
    assert!(ann.get("/ui").contains("0 of 50: 0 rows have new human labels"), "{}", ann.get("/ui"));
    ann.follow("/ui/do/feedback", &format!("id={id}&verdict=correct"));
    assert!(ann.get(&format!("/ui/feedback?q={id}")).contains(">correct, ann; correct, bea</td>"));
    assert!(!ann.get("/ui/feedback").contains("judged right by some people"));
    assert!(work.read("data/feedback.csv").contains(",ann"));
}
