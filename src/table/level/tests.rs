use super::*;

fn finder(levels: &[&str]) -> LevelFinder {
    LevelFinder::new(&levels.iter().map(|&l| l.to_owned()).collect::<Vec<_>>(), &Same::default())
}

#[test]
fn spellings_of_a_level_are_found() {
    for (levels, text, means) in [
        (&["False", "True"][..], "TRUE", Some("True")),
        (&["False", "True"], "true", Some("True")),
        (&["False", "True"], "1", Some("True")),
        (&["No", "Yes"], "0.0", Some("No")),
        (&["No", "Yes"], "yes\u{a0}", Some("Yes")),
        (&["No", "Yes", "No internet"], "1", None),
        (&["2", "X"], "2.0", Some("2")),
        (&["2", "X"], "2e0", Some("2")),
        (&["2.0", "X"], "2", Some("2.0")),
        (&["007", "X"], "7", None),
        (&["7", "X"], "007", None),
        (&["9007199254740993", "X"], "9007199254740992", None),
        (&["A", "B"], "a", Some("A")),
        (&["A", "a"], "a", Some("a")),
        (&["Yes", "yes"], "YES", None),
        (&["Zürich"], "ZÜRICH", Some("Zürich")),
        (&["A", "B"], "C", None),
    ] {
        let finder = finder(levels);
        assert_eq!(finder.find(text).map(|f| levels[f.level]), means, "{text:?} among {levels:?}");
    }
}

#[test]
fn spellings_may_be_listed_or_kept_apart() {
    let listed = Same::Listed([("Yes".to_owned(), vec!["ja".to_owned()])].into());
    let levels = ["No".to_owned(), "Yes".to_owned()];
    let finder = LevelFinder::new(&levels, &listed);
    assert_eq!((finder.name("ja"), finder.name("JA"), finder.name("jein")), ("Yes", "Yes", "jein"));
    assert_eq!((finder.name("nein"), finder.name("WAHR"), finder.name(".FALSE.")), ("No", "Yes", "No"));
    // Any spaces, zero-width characters, and accents in any form.
    let cities = LevelFinder::new(&["M\u{fc}nchen Ost".to_owned(), "Bonn".to_owned()], &Same::default());
    for text in ["Mu\u{308}nchen Ost", "m\u{fc}nchen\u{a0} ost", "\u{feff}M\u{fc}nchen Ost\u{200b}"] {
        assert_eq!(cities.name(text), "M\u{fc}nchen Ost", "{text:?}");
    }
    let apart = LevelFinder::new(&levels, &Same::Rule(false));
    assert_eq!((apart.name("Yes"), apart.name("yes")), ("Yes", "yes"));
}

#[test]
fn a_column_is_unified_by_its_most_frequent_spellings() {
    let unify = |spelling: Spelling, texts: &[&str]| {
        let mut cells = Categories::from_texts(texts.iter().copied());
        spelling.unify(&mut cells);
        (0..texts.len()).map(|row| cells.level(row).unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        unify(Spelling::default(), &["yes", "No", "Yes", "Yes", "", "NO"]),
        ["Yes", "NO", "Yes", "Yes", "", "NO"]
    );
    assert_eq!(
        unify(Spelling::default(), &["Yes", "No", "1", "Yes", "No", "0"]),
        ["Yes", "No", "Yes", "Yes", "No", "No"]
    );
    assert_eq!(unify(Spelling::default(), &["2", "X", "2.0", "2"]), ["2", "X", "2", "2"]);
    assert_eq!(unify(Spelling::default(), &["T", "F", "Y", "N"]), ["T", "F", "Y", "N"], "codes");
    assert_eq!(unify(Spelling::new(Vec::new(), Same::Rule(false)), &["a", "A"]), ["a", "A"]);
    let known = Spelling::new(vec!["yes".to_owned()], Same::default());
    assert_eq!(unify(known, &["Yes", "Yes", "b", "B", "B"]), ["yes", "yes", "B", "B", "B"]);
}

#[test]
fn usual_spellings_mean_what_the_finder_says() {
    let spellings = finder(&["No", "Yes"]).spellings();
    for (text, level) in [("yes", "Yes"), ("TRUE", "Yes"), ("0", "No"), ("1.0", "Yes"), ("NO", "No")] {
        assert!(spellings.contains(&(text.to_owned(), level.to_owned())), "{text}");
    }
    let texts = |levels: &[&str], of: &str| -> Vec<String> {
        let all = finder(levels).spellings().into_iter();
        all.filter(|(_, level)| level == of).map(|(text, _)| text).collect()
    };
    let of = |of: &[String], all: &[&str]| all.iter().filter(|text| !of.contains(&(**text).to_owned())).count();
    let yes = texts(&["No", "Yes"], "Yes");
    assert_eq!(of(&yes, &[" YES", "Yes ", "Yes.", "Yes\u{a0}", " yes ", "Y", "1.00", "+1", "1e0", "Ja"]), 0);
    let two = texts(&["2", "X"], "2");
    assert_eq!(of(&two, &["2.0", "2.00", "+2", "2.", "2e0", "2E0", "2e+00", "2E+00", "2.00E+00", " 2", "2.0 "]), 0);
    let many = texts(&["1250", "-0.5", "X"], "1250");
    assert_eq!(of(&many, &["1.25e3", "1.25E+03", "1250.0", "1250e0"]), 0);
    assert_eq!(of(&texts(&["-0.5", "X"], "-0.5"), &["-5e-1", "-5E-01", "-0.50"]), 0);
    assert_eq!(of(&texts(&["K\u{f6}ln", "Bonn"], "K\u{f6}ln"), &["Ko\u{308}ln", "K\u{d6}LN", "K\u{f6}ln "]), 0);
    // Codes with leading zeros match only themselves, and an ambiguous text matches neither level.
    assert!(texts(&["01", "02"], "01").iter().all(|text| text.trim_matches([' ', '.', '\u{a0}']) == "01"));
    assert!(texts(&["Ab", "AB"], "AB").iter().all(|text| text.trim_matches([' ', '.', '\u{a0}']) == "AB"));
    assert!(!finder(&["A", "a"]).spellings().iter().any(|(text, _)| text == "a" || text == "A"));
}
