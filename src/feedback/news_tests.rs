use super::*;
use crate::labels::Source;
use crate::registry::Version;
use crate::stats::random::rng;
use rand::Rng;
use std::collections::BTreeMap;

const PEOPLE: [&str; 3] = ["", "ann", "bob"];

fn at(second: usize) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second as i64).unwrap()
}

/// Lines about few rows by few people, so that many are about the same row and person.
fn lines(rng: &mut impl Rng, n: usize) -> Vec<Line> {
    let mut draw = |n: usize| rng.gen_range(0..n);
    let line = |second: usize| {
        let (id, by) = (["a", "b"][draw(2)].to_owned(), PEOPLE[draw(3)].to_owned());
        let value = ["no", "yes"][draw(2)].to_owned();
        let (id_of, by_of) = (id.clone(), by.clone());
        let label = move |source, batch: &str| Label {
            id: id_of,
            label: value,
            annotator: by_of,
            labelled_at: at(second),
            source,
            batch: batch.to_owned(),
            select_prob: (!batch.is_empty()).then_some(0.5),
            model_version: None,
        };
        match draw(4) {
            0 => {
                let outcome = Label { annotator: String::new(), ..label(Source::Outcome, "") };
                Line::Outcome(outcome)
            }
            1 => Line::Label(label(Source::Human, ["b1", "b2"][draw(2)])),
            _ => {
                let verdict = [Verdict::Correct, Verdict::Incorrect, Verdict::Uncertain][draw(3)];
                let label = ["yes", "no", ""][verdict as usize].to_owned();
                let (version, predicted_at) = (Version(1), at(0));
                let (comment, prediction, fields) = (String::new(), "yes".to_owned(), Default::default());
                let at = at(second);
                let entry = Entry { id, verdict, label, by, at, comment, version, prediction, predicted_at, fields };
                Line::Feedback(entry.line())
            }
        }
    };
    (1..=n).map(line).collect()
}

fn take_all(workspace: &Workspace, lines: &[Line]) -> Recorded {
    let mut fold = Fold::default();
    lines.iter().for_each(|line| fold.push(line.clone()).unwrap());
    fold.record(workspace, &workspace.lock().unwrap(), None, at(1000)).unwrap()
}

type Known = (BTreeMap<(String, String), (String, Source, String)>, Vec<String>);

fn known(workspace: &Workspace) -> Known {
    let labels = Labels::open(workspace).unwrap();
    let label = |l: &Label| ((l.id.clone(), l.annotator.clone()), (l.label.clone(), l.source, l.batch.clone()));
    let said = store::entries(workspace).unwrap().iter().map(Entry::line).collect();
    (labels.rows().iter().map(label).collect(), said)
}

#[test]
fn however_lines_are_cut_and_how_often_they_come_the_loop_knows_the_same() {
    let mut rng = rng(7, "news");
    for _ in 0..60 {
        let lines = lines(&mut rng, 9);
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [whole, single, again] = dirs.each_ref().map(|dir| Workspace::new(dir.path()));
        take_all(&whole, &lines);
        lines.iter().for_each(|line| drop(take_all(&single, std::slice::from_ref(line))));
        assert_eq!(known(&single), known(&whole), "{lines:#?}");
        // A process may crash after each import, before the mark is stored: then the next import begins at the same
        // line.
        let (mut from, mut to) = (0, 0);
        while to < lines.len() {
            to = (to + 1 + rng.gen_range(0..4)).min(lines.len());
            take_all(&again, &lines[from..to]);
            from = if rng.gen_range(0..2) == 0 { to } else { from };
        }
        assert_eq!(known(&again), known(&whole), "{lines:#?}");
        // Importing all lines again changes nothing, not even the audit chain.
        let chain = again.audit_chain().unwrap().entries.len();
        let recorded = take_all(&again, &lines);
        assert_eq!((recorded.n_feedback, recorded.given.is_nothing()), (0, true));
        assert!(recorded.merged.is_nothing(), "{:?}\n{lines:#?}", recorded.merged);
        assert_eq!((again.audit_chain().unwrap().entries.len(), known(&again)), (chain, known(&whole)));
    }
}
