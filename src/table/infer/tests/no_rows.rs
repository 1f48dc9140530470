//! Lines that are not rows: titles, second headers, sums, lines of printed pages.

use super::*;

#[test]
fn what_stands_before_a_table_is_named_with_a_way_past_it() {
    let rows: String = (0..20).map(|i| format!("c{i};{i}.5;{}\n", i % 3)).collect();
    let fault = |text: &str| infer_text(text, &InferOptions::default()).unwrap_err();
    let titled = format!("Extract of May\nby: billing\n\nid;amount;n\n{rows}");
    assert!(fault(&titled).contains("--skip-lines 3"), "{}", fault(&titled));
    let found = infer_text(&titled, &InferOptions { skip_lines: Some(3), ..InferOptions::default() }).unwrap();
    assert_eq!((found.n_rows, found.schema.dialect.skip_lines, found.schema.columns[1].kind), (20, 3, Kind::Number));
    let commented = format!("# by a tool\nid;amount;n\n{rows}");
    assert!(fault(&commented).contains("--comment '#'"));
    let options = InferOptions { comment: Some('#'), ..InferOptions::default() };
    assert_eq!(infer_text(&commented, &options).unwrap().schema.dialect.comment, Some('#'));
    let units = format!("id;amount;n\n;EUR;pieces\n{rows}");
    assert!(fault(&units).contains("line 2 looks like a second header"), "{}", fault(&units));
    let skipping = infer_text(&units, &InferOptions { skip_invalid: true, ..InferOptions::default() });
    assert!(skipping.is_ok());
    let twice = format!("id;amount;n\n{rows}id;amount;n\n{rows}");
    let found = infer_text(&twice, &InferOptions::default()).unwrap();
    assert_eq!((found.n_rows, found.schema.columns[1].kind), (40, Kind::Number));
    assert_eq!(found.notes[0], "line 22: repeated header; left out");
    let excel = infer_text(&format!("sep=;\nid;amount;n\n{rows}"), &InferOptions::default()).unwrap();
    assert_eq!((excel.n_rows, excel.schema.dialect.delimiter), (20, ';'));
}

#[test]
fn rows_that_are_left_out_say_nothing_of_levels() {
    let row = |i: usize| {
        let y = ["yes", "no"][usize::from(i.is_multiple_of(3))];
        format!("K{i:04},{},{}.25,{},{y}\n", 20 + i % 50, i * 7, ["north", "south", "east"][i % 3])
    };
    let rows: String = (0..300).map(row).collect();
    let half: String = (300..400).map(row).collect();
    let header = "id,age,income,region,bought\n";
    let units = "key,years,EUR,text,yes/no\n";
    let options = || InferOptions { skip_invalid: true, ..InferOptions::default() };
    let middle = format!("{header}{rows}Kunde,Alter,Umsatz,Gebiet,gekauft\n{half}");
    for (text, n_rows, line) in [(format!("{header}{units}{rows}"), 300, 2), (middle, 400, 302)] {
        let open = || Ok(Input::from_reader("t", Cursor::new(text.clone())));
        let found = infer_fitting(open, options()).unwrap();
        let distinct = |name: &str| finding(&found, name).n_distinct;
        assert_eq!([distinct("region"), distinct("bought")], [3, 2], "{line}");
        assert_eq!((finding(&found, "age").kind, found.n_rows, found.rejects.count), (Kind::Number, n_rows, 1));
        assert_eq!(found.rejects.first[0].line, line);
        let table = read(open().unwrap(), &found.schema, &ReadOptions { skip_invalid: true, ..ReadOptions::default() });
        assert_eq!(table.unwrap().table.n_rows() as u64, n_rows, "the same rows are read");
    }
    let texts: String = (0..60).map(|i| format!("K{i},{},{}\n", ["a", "b"][i % 2], ["yes", "no"][i / 2 % 2])).collect();
    let text = format!("id,shop,bought\nkey,Filiale,gekauft\n{texts}");
    let fault = infer_text(&text, &options()).unwrap_err();
    assert!(fault.contains("line 2 looks like a second header, texts that no row below has"), "{fault}");
}

#[test]
fn rows_that_sum_up_others_and_lines_of_pages_are_named_with_their_lines() {
    let row = |i: usize| format!("K{i:04},{},{}.25,{}\n", 20 + i % 50, i * 7, ["yes", "no"][i % 2]);
    let rows: String = (0..300).map(row).collect();
    let header = "id,age,income,bought\n";
    let sums = "Min,20,0.25,\nMax,69,2093.25,\nMittelwert,44.5,1046.75,\nStdAbw,14.4,606,\n";
    let pages: String = (0..6)
        .map(|page| {
            let rows: String = (page * 50..page * 50 + 50).map(row).collect();
            format!("{rows}Seite {} von 6,,,\n", page + 1)
        })
        .collect();
    let bare = pages.replace(" von 6,,,", "");
    let drawn =
        rows.replacen("K0200", "----,---,-----,---\nK0200", 1).replace("----,---,-----,---", "-----------------");
    for (text, n_out, line, what) in [
        (
            format!("{header}{rows}{sums}"),
            4,
            302,
            "is one of 4 lines that sum up the rows above (Min, Max, Mittelwert, StdAbw), not a row",
        ),
        (format!("{header}{sums}{rows}"), 4, 2, "is one of 4 lines that sum up the rows below"),
        (format!("{header}Total,1,2,\n{rows}{sums}"), 5, 2, "looks like a total of the rows below"),
        (format!("{header}{pages}"), 6, 52, "is a line of a printed page, not a row"),
        (format!("{header}{bare}"), 6, 52, "is a line of a printed page, not a row"),
        (format!("{header}{drawn}"), 1, 202, "is a ruled line"),
    ] {
        let fault = infer_text(&text, &InferOptions::default()).unwrap_err();
        assert!(fault.starts_with(&format!("t: line {line}: {what}")), "{fault}");
        let options = InferOptions { skip_invalid: true, ..InferOptions::default() };
        let found = infer_text(&text, &options).unwrap();
        assert_eq!((found.n_rows, found.rejects.count), (300, n_out), "{what}");
        assert_eq!([finding(&found, "id").kind, finding(&found, "age").kind], [Kind::Id, Kind::Number], "{what}");
        let read_by = |skip_invalid: bool| {
            let options = ReadOptions { skip_invalid, ..ReadOptions::default() };
            read(Input::from_reader("t", Cursor::new(text.clone())), &found.schema, &options)
        };
        let told = read_by(false).unwrap_err().to_string();
        assert!(told.starts_with(&format!("t: line {line}: {what}")), "{told}");
        let kept = read_by(true).unwrap();
        assert_eq!((kept.table.n_rows(), kept.rejects.count), (300, n_out), "{what}");
    }
}

#[test]
fn a_row_of_means_and_merged_cells_are_remarked() {
    let rows: String =
        (0..60).map(|i| format!("{},{},{}.5,{}\n", i * 7 % 61, ["a", "b"][i % 2], i * 11 % 37, i % 2)).collect();
    let notes = |text: &str| infer_text(text, &InferOptions::default()).unwrap().notes;
    let told = "line 62, the last row, is the mean of all other rows, in a, b, y: if it is a summary and not a data row, \
                remove it";
    let (a, b) = (0..60).fold((0, 0.0), |(a, b), i| (a + i * 7 % 61, b + f64::from(i * 11 % 37) + 0.5));
    let means = format!("{:.1},,{:.1},0.5\n", f64::from(a) / 60.0, b / 60.0);
    assert_eq!(notes(&format!("a,t,b,y\n{rows}{means}")), [told]);
    assert!(notes(&format!("a,t,b,y\n{rows}")).is_empty());
    assert!(notes(&format!("a,t,b,y\n{rows}12.0,,{:.1},0.5\n", b / 60.0)).iter().all(|note| !note.contains("mean")));
    // Of merged cells only the first keeps its text.
    let merged: String = (0..60)
        .map(|i| {
            let id = if i % 4 == 0 { format!("K{i}") } else { String::new() };
            format!("{id},{},{}.5,{}\n", ["a", "b"][i % 2], i * 11 % 37, i % 2)
        })
        .collect();
    let told = notes(&format!("cust,t,b,y\n{merged}"));
    assert!(told[0].starts_with("column \"cust\" is empty in 45 of 60 rows: if these were merged cells"), "{told:?}");
}

#[test]
fn a_remark_below_an_empty_row_is_named_by_its_own_line() {
    let rows: String = (0..60).map(|i| format!("K{i},{},{}\n", i * 7 % 61, i % 2)).collect();
    let fault = infer_text(&format!("id,a,y\n{rows},,\nStand: 01.02.2026,,\n"), &InferOptions::default()).unwrap_err();
    assert!(fault.starts_with("t: line 63: has only its first field"), "{fault}");
}
