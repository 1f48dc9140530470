//! Every section is checked when the file is read: one invalid value of each, and the bounds of its numbers.

use super::*;

/// A valid loop.
const BASE: &str = "[data]\nreference = \"r.csv\"\n[target]\ncolumn = \"y\"\n[columns]\ny = \"category\"\nx = \"number\"\n\
    z = \"number\"\nw = \"number\"\nc = \"category\"\nold = \"ignore\"\nwho = \"ignore\"\n";

/// The error if a text of the base is replaced, and more is appended; empty without an error.
fn wrong((from, to): (&str, &str), more: &str) -> String {
    assert!(BASE.contains(from), "{from}");
    Config::parse(&format!("{}{more}", BASE.replacen(from, to, 1))).err().unwrap_or_default()
}

fn wrong_with(more: &str) -> String {
    wrong(("", ""), more)
}

#[test]
fn a_fault_of_any_section_is_said() {
    assert_eq!(wrong_with(""), "");
    let data = Config::parse(BASE).unwrap().data;
    assert!(data.missing.iter().any(|text| text == "NA"), "{:?}", data.missing);
    assert_eq!((data.header, data.delimiter, data.skip_lines, data.comment, data.weight), (true, ',', 0, None, None));
    for (more, says) in [
        ("[features.derived]\nd = \"no_such + 1\"\n", "no_such"),
        ("[target.allow]\nx = \"known before\"\n", "[target] allow names \"x\", but the target is not computed"),
        ("[model.monotone]\nc = \"increasing\"\n", "only a number can be monotone"),
        ("[split]\ngate = 0.95\n", "[split] tune = 0.15 and gate = 0.95"),
        ("[split]\ncolumns = [\"x\"]\n", "[split] columns lists the parts of a time: it needs by = \"time\""),
        ("[monitor]\neffect = 0.0\n", "[monitor] effect = 0 must be above 0"),
        ("[train]\ntries = 0\n", "[train] tries must be at least 1"),
        ("[labels]\nauto_export = 0\n", "[labels] auto_export = 0 must be a whole number"),
        ("[labels]\nstore = \"labels.csv\"\n", "[labels] store: "),
        ("[retrain]\nreplay = 0.0\n", "[retrain] replay = 0 must be above 0 and at most 1"),
        ("[retrain]\nreplay = 1.1\n", "[retrain] replay = 1.1 must be above 0 and at most 1"),
        ("[retrain]\ncooldown_hours = -1.0\n", "[retrain] cooldown_hours = -1 must be a number of at least 0"),
        ("[retrain]\ncooldown_hours = inf\n", "[retrain] cooldown_hours = inf must be a number of at least 0"),
        ("[trainer]\ncommand = []\n", "[trainer] command is empty"),
        ("[trainer]\ncommand = [\"fit\"]\nminutes = 10001\n", "[trainer] minutes = 10001 must be above 0"),
        ("[notify]\nchannels = [\"email\"]\n", "[notify] channels lists email"),
        ("[promote]\nalpha = 0.0\n", "[promote] alpha = 0 must be above 0 and below 0.5"),
        ("[promote]\nalpha = 0.5\n", "[promote] alpha = 0.5 must be above 0 and below 0.5"),
        ("[promote]\nmin_improvement = -0.1\n", "[promote] min_improvement = -0.1 must be a number of at least 0"),
        ("[promote]\nmargin = inf\n", "[promote] margin = inf must be a number of at least 0"),
        ("[promote]\ndelta = -1.0\n", "[promote] delta = -1 must be a number of at least 0"),
        ("[promote]\napproval_days = 0\n", "[promote] approval_days = 0 must be a whole number from 1 to 36500"),
        ("[promote]\nkeep_versions = 36501\n", "[promote] keep_versions = 36501 must be a whole number"),
        ("[promote]\nnotice = \"7d\"\n", "[promote] notice = \"7d\" must be shorter than approval_days = 7"),
        ("[promote.guardrails]\nslices = -1.0\n", "[promote.guardrails] slices takes a number of at least 0"),
        ("[promote.guardrails]\nflip_rate = true\n", "[promote.guardrails] flip_rate takes a number of at least 0"),
        ("[track]\ntimeout_seconds = 0.05\n", "[track] timeout_seconds = 0.05 must be between 0.1 and 300"),
        ("[track]\nuri = \"https://ann:x@host/\"\n", "[track] uri holds a login"),
        ("[track]\nmodel = \"a/b\"\n", "[track] model must not contain \"/\""),
        ("[track]\nexperiment = \" \"\n", "[track] experiment must be a name"),
    ] {
        let said = wrong_with(more);
        assert!(said.contains(says), "{more}: {said:?}");
    }
}

#[test]
fn the_last_value_that_fits_is_taken() {
    for more in [
        "[labels]\nauto_export = 1\n",
        "[labels]\nauto_export = 1000000\n",
        "[retrain]\nreplay = 1.0\ncooldown_hours = 0.0\n",
        "[trainer]\ncommand = [\"fit\"]\nminutes = 10000\n",
        "[promote]\nalpha = 0.499\nmin_improvement = 0.0\nmargin = 0.0\ndelta = 0.0\n",
        "[promote]\napproval_days = 1\nkeep_versions = 36500\nnotice = \"23h\"\n",
        "[promote.guardrails]\nslices = 0.0\nflip_rate = false\n",
        "[track]\ntimeout_seconds = 0.1\n",
        "[track]\ntimeout_seconds = 300\n",
    ] {
        assert_eq!(wrong_with(more), "", "{more}");
    }
    let store = |text: &str| Config::parse(&format!("{BASE}[labels]\nstore = \"{text}\"\n")).unwrap().labels.store;
    assert_eq!(store(" "), None, "an empty text means no store");
}

#[test]
fn a_fault_of_data_and_columns_is_said() {
    let number = "{ kind = \"number\", number = { decimal = \",\", thousands = \",\" } }";
    for (from, to, says) in [
        ("column = \"y\"", "column = \"why\"", "[target] column = \"why\" is not in [columns]"),
        ("y = \"category\"", "y = \"text\"", "the target \"y\" must have the type number or category"),
        ("\"r.csv\"", "\"s3://bucket/r.csv\"", "[data] reference must be a file"),
        ("[target]", "delimiter = \"→\"\n[target]", "[data] delimiter must be one ASCII character"),
        ("[target]", "weight = \"c\"\n[target]", "[data] weight = \"c\" is of kind \"category\""),
        ("x = \"number\"\nz = \"number\"", "x = \"id\"\nz = \"id\"", "[columns] has several ids (x, z)"),
        ("x = \"number\"", &format!("x = {number}"), "[columns] \"x\": decimal and thousands are both ','"),
    ] {
        let said = wrong((from, to), "");
        assert!(said.contains(says), "{to}: {said:?}");
    }
    assert_eq!(wrong(("x = \"number\"", "x = \"id\""), ""), "", "one id is allowed");
}

#[test]
fn a_watched_column_is_read_and_no_feature() {
    let read = |more: &str| Config::parse(&format!("{BASE}{more}"));
    let config = read("[monitor]\nentity = \"who\"\n[monitor.watch]\nold = \"number\"\nx = \"number\"\n").unwrap();
    let kind = |name: &str| config.columns.iter().find(|column| column.name == name).unwrap().kind;
    assert_eq!((kind("old"), kind("who"), kind("x")), (Kind::Number, Kind::Text, Kind::Number));
    assert_eq!(config.features.drop, ["who", "old"], "a column that the model reads stays a feature");
    for (watched, says) in [
        ("y = \"category\"", "\"y\" is the target, which is always monitored"),
        ("odl = \"number\"", "\"odl\" is not in [columns]: did you mean \"old\"?"),
        ("c = \"number\"", "\"c\" is \"number\", but \"category\" in [columns]"),
    ] {
        let said = read(&format!("[monitor.watch]\n{watched}\n")).unwrap_err();
        assert!(said.contains(says), "{watched}: {said:?}");
    }
}

#[test]
fn the_weight_is_no_feature_and_stands_once_among_those() {
    let drop = |more: &str| {
        let text = BASE.replacen("[target]", "weight = \"w\"\n[target]", 1);
        Config::parse(&format!("{text}{more}")).unwrap().recipe().features.drop
    };
    assert_eq!(drop(""), ["w"]);
    assert_eq!(drop("[features]\ndrop = [\"w\", \"x\"]\n"), ["w", "x"]);
}

#[test]
fn rows_about_the_same_thing_are_known_by_the_entity_or_else_by_what_keeps_them_together() {
    let entity = |more: &str| Config::parse(&format!("{BASE}{more}")).unwrap().entity().map(str::to_owned);
    assert_eq!(entity(""), None);
    assert_eq!(entity("[split]\nby = \"column\"\ncolumn = \"c\"\n"), Some("c".to_owned()));
    assert_eq!(
        entity("[split]\nby = \"column\"\ncolumn = \"c\"\n[monitor]\nentity = \"who\"\n"),
        Some("who".to_owned())
    );
}

#[test]
fn a_line_that_is_no_toml_is_read_as_it_should_be_written() {
    let of = |line: &str| {
        let text = format!("[decision]\n{line}\n");
        Config::parse(&text).unwrap_err()
    };
    let said = of("threshold = f1x");
    assert!(
        said.starts_with(
            "line 2: a text needs quotes: threshold = \"f1x\"; and threshold rule: \"f1x\" is not \"f1\","
        ),
        "{said}"
    );
    assert!(said.ends_with("did you mean \"f1\"?"), "{said}");
    assert_eq!(of("threshold = f1"), "line 2: a text needs quotes: threshold = \"f1\"");
    assert!(of("threshold = true").starts_with("line 2: a threshold is \"f1\", \"accuracy\""));
    assert_eq!(of("threshold = 'f1"), "line 2: the quote is not closed: threshold = 'f1'");
}
