mod no_rows;
mod times;

use std::path::{Path, PathBuf};

use super::*;
use crate::table::{NumberFormat, ReadOptions, Values, read};
use std::io::Cursor;

/// A real table, if the collection exists.
fn real(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if path.exists() {
        return Some(path);
    }
    crate::skipped::skipped(format_args!("{} is not there", path.display()));
    None
}

fn infer_file(path: &Path, options: &InferOptions) -> Inference {
    infer(Input::open(path).unwrap(), options).unwrap()
}

fn finding<'a>(inference: &'a Inference, name: &str) -> &'a Finding {
    inference.columns.iter().find(|c| c.name == name).unwrap()
}

/// Infers, checks kinds and target, and reads the file with the resulting schema.
fn check(path: &str, n_rows: u64, target: Option<&str>, kinds: &[(&str, Kind)]) -> Option<Inference> {
    let path = real(path)?;
    let found = infer_file(&path, &InferOptions::default());
    for (name, kind) in kinds {
        assert_eq!(finding(&found, name).kind, *kind, "{name}: {}", finding(&found, name).reason);
    }
    assert_eq!(found.n_rows, n_rows);
    assert_eq!(found.target.as_ref().map(|t| t.name.as_str()), target);
    let table = read(Input::open(&path).unwrap(), &found.schema, &ReadOptions::default()).unwrap().table;
    assert_eq!(table.n_rows() as u64, n_rows);
    Some(found)
}

#[test]
fn a_column_without_a_name_and_without_cells_is_none() {
    let rows: String = (0..30).map(|i| format!("r{i},{}.5,{},\n", i * 7 % 11, ["yes", "no"][i % 2])).collect();
    let text = format!("id,x,y,\n{rows}");
    let found = infer(Input::from_reader("t", Cursor::new(text)), &InferOptions::default()).unwrap();
    assert_eq!(found.schema.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["id", "x", "y"]);
    assert!(
        found.notes.iter().any(|note| note.contains("field 4 has neither a name nor a value")),
        "{:?}",
        found.notes
    );
    // The next table may have it elsewhere, or not at all: there is no message.
    let read = read(
        Input::from_reader("t", Cursor::new("id,x,\nr1,1.5,\n")),
        &Schema { columns: found.schema.columns[..2].to_vec(), ..found.schema.clone() },
        &ReadOptions::default(),
    )
    .unwrap();
    assert!(read.notes.is_empty(), "{:?}", read.notes);
}

#[test]
fn telco() {
    let kinds = [
        ("customerID", Kind::Id),
        ("SeniorCitizen", Kind::Number),
        ("Partner", Kind::Category),
        ("TotalCharges", Kind::Number),
    ];
    let Some(found) = check("telco_ibm/Telco-Customer-Churn.csv", 7043, Some("Churn"), &kinds) else { return };
    assert_eq!(finding(&found, "TotalCharges").n_missing, 11);
    assert_eq!(finding(&found, "SeniorCitizen").reason, "0/1 flag");
}

#[test]
fn semicolons_and_quotes() {
    let kinds = [("job", Kind::Category), ("balance", Kind::Number), ("default", Kind::Category)];
    if let Some(found) = check("bank_marketing/bank-full.csv", 45211, Some("y"), &kinds) {
        assert_eq!(found.schema.dialect.delimiter, ';');
    }
    check("wine_quality/winequality-red.csv", 1599, Some("quality"), &[("fixed acidity", Kind::Number)]);
}

#[test]
fn files_without_a_header() {
    let Some(path) = real("adult/adult-train.csv") else { return };
    let options = InferOptions { header: Some(false), ..InferOptions::default() };
    let found = infer_file(&path, &options);
    assert_eq!(found.n_rows, 32561);
    assert!(found.notes.iter().all(|note| note.contains("may mean")), "{:?}", found.notes);
    assert_eq!(finding(&found, "c2").n_missing, 1836);
    assert_eq!(finding(&found, "c15").reason, "texts: <=50K, >50K");
    // Without a declaration, it states its assumption.
    let guessed = infer_file(&path, &InferOptions::default());
    assert!(!guessed.schema.dialect.header && guessed.notes[0].contains("no header"), "{:?}", guessed.notes);
    let forced = infer_file(&path, &InferOptions { header: Some(true), ..InferOptions::default() });
    assert!(forced.notes[0].contains("--no-header"), "{:?}", forced.notes);
    check("pima_diabetes/pima-indians-diabetes.csv", 768, Some("c9"), &[("c9", Kind::Number)]);
}

#[test]
fn days_first_and_byte_order_marks() {
    let kinds = [("instant", Kind::Id), ("dteday", Kind::Time), ("hr", Kind::Number)];
    if let Some(found) = check("bike_sharing/hour.csv", 17379, Some("cnt"), &kinds) {
        assert_eq!(found.schema.column("dteday").unwrap().format.as_deref(), Some("%d/%m/%Y"));
    }
    let kinds = [("userid", Kind::Id), ("retention_1", Kind::Category)];
    check("cookie_cats/cookie_cats.csv", 90189, Some("retention_7"), &kinds);
}

#[test]
fn other_tables() {
    let kinds = [("ID", Kind::Id), ("PAY_0", Kind::Number)];
    check("uci_credit_default/UCI_Credit_Card.csv", 30000, Some("default.payment.next.month"), &kinds);
    check("elec2/elec.csv", 45312, Some("class"), &[("vicprice", Kind::Number)]);
    check("hillstrom/hillstrom.csv", 64000, Some("conversion"), &[("history_segment", Kind::Category)]);
    check("telecust_plans/teleCust1000t.csv", 1000, Some("custcat"), &[("income", Kind::Number)]);
    let kinds = [("id", Kind::Id), ("timestamp", Kind::Time), ("y_pred", Kind::Number)];
    check("california_housing/california_housing_reference.csv", 5832, Some("clf_target"), &kinds);
    let kinds = [("invoice_id", Kind::Id), ("customer_id", Kind::Category), ("payment_date", Kind::Time)];
    check("gl_accounting_book/sales_transactions.csv", 427, Some("is_paid"), &kinds);
    let kinds = [("entry_date", Kind::Category), ("debit", Kind::Number)];
    if let Some(found) = check("gl_accounting_book/messy_general_ledger.csv", 11, Some("department"), &kinds) {
        assert!(finding(&found, "entry_date").reason.contains("\"1-15-2025\" on line 3"));
        assert!(finding(&found, "debit").reason.contains("$1,234.56"));
        assert!(finding(&found, "department").reason.contains("read as"));
    }
}

#[test]
fn a_truncated_last_line_is_an_error_unless_skipped() {
    let Some(path) = real("ulb_creditcard_head/creditcard_head.csv") else { return };
    let error = infer(Input::open(&path).unwrap(), &InferOptions::default()).unwrap_err().to_string();
    assert!(error.contains("line 7974: the last record looks truncated: its last 16 fields (V15 to Class)"), "{error}");
    let found = infer_file(&path, &InferOptions { skip_invalid: true, ..InferOptions::default() });
    assert_eq!((found.n_rows, found.rejects.count, found.rejects.first[0].line), (7972, 1, 7974));
    let strict = ReadOptions::default();
    let error = read(Input::open(&path).unwrap(), &found.schema, &strict).unwrap_err().to_string();
    assert!(error.contains("line 7974"), "{error}");
    let skipping = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
    let result = read(Input::open(&path).unwrap(), &found.schema, &skipping).unwrap();
    assert_eq!((result.table.n_rows(), result.rejects.count), (7972, 1));
}

#[test]
fn a_target_must_be_a_column_and_is_never_an_id() {
    let text = "id,code\n".to_owned() + &(0..20).map(|i| format!("{i},x{i}\n")).collect::<String>();
    let open = || Input::from_reader("t", std::io::Cursor::new(text.clone()));
    let ask = |name: &str| InferOptions { target: Some(name.to_owned()), ..InferOptions::default() };
    let error = infer(open(), &ask("churn")).unwrap_err().to_string();
    assert_eq!(error, "t: no column \"churn\"; choose from id, code");
    let found = infer(open(), &ask("code")).unwrap();
    assert_eq!((found.columns[0].kind, found.columns[1].kind), (Kind::Id, Kind::Category));
}

#[test]
fn equal_columns_are_noted() {
    let text = "a,b,c\n".to_owned() + &(0..50).map(|i| format!("{0},{0},{1}\n", i % 7, i % 5)).collect::<String>();
    let found = infer(Input::from_reader("t", std::io::Cursor::new(text)), &InferOptions::default()).unwrap();
    assert_eq!(found.notes, ["columns a and b are equal in every row"]);
}

#[test]
fn a_table_without_rows_is_an_error() {
    let error = infer(Input::from_reader("t", &b"a,b\n"[..]), &InferOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "t: has a header but no rows");
}

fn infer_text(text: &str, options: &InferOptions) -> Result<Inference, String> {
    infer(Input::from_reader("t", std::io::Cursor::new(text.to_owned())), options).map_err(|err| err.to_string())
}

#[test]
fn a_column_that_is_nearly_a_number_or_a_time_is_asked_about() {
    let cell = |i: usize| match i {
        7 => "n.a.".to_owned(),
        99 => "?!".to_owned(),
        _ => format!("{}.25", i * 3),
    };
    let day = |i: usize| if i == 50 { "soon".to_owned() } else { format!("{}.{}.2024", i % 28 + 1, i % 12 + 1) };
    let rows: String = (0..200).map(|i| format!("{},{},{}\n", cell(i), day(i), ["a", "b", "3"][i % 3])).collect();
    let text = format!("amount,since,level\n{rows}");
    let found = infer_text(&text, &InferOptions::default()).unwrap();
    let told: Vec<String> = found.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "column \"amount\": 198 of 200 cells are plain numbers, 2 are not (line 9: \"n.a.\", line 101: \"?!\")",
            "column \"since\": 199 of 200 cells are times written %d.%m.%Y, 1 is not (line 52: \"soon\")",
        ]
    );
    let skipping = infer_text(&text, &InferOptions { skip_invalid: true, ..InferOptions::default() }).unwrap();
    let kinds: Vec<Kind> = skipping.schema.columns.iter().map(|c| c.kind).collect();
    assert_eq!((kinds, skipping.doubts.len()), (vec![Kind::Number, Kind::Time, Kind::Category], 0));
}

#[test]
fn numbers_are_read_as_the_columns_of_the_file_are_written() {
    let rows: String = (0..40)
        .map(|i| format!("\"{}.{:03},{:02}\";\"{},5 %\";{}.{:03};{}\n", i + 1, i, i, i, i + 1, i, i % 2))
        .collect();
    let text = format!("amount;share;people;y\n{rows}");
    let found = infer_text(&text, &InferOptions::default()).unwrap();
    let number = |at: usize| found.schema.columns[at].number.clone().map(|n| (n.decimal, n.thousands, n.unit));
    assert_eq!(number(0), Some((',', Some('.'), None)));
    assert_eq!(number(1), Some((',', None, Some("%".to_owned()))));
    assert_eq!(number(2), Some((',', Some('.'), None)), "1.000 is a thousand where other columns have a decimal comma");
    assert_eq!((number(3), found.doubts.len()), (None, 0));
    let input = Input::from_reader("t", std::io::Cursor::new(text));
    let table = read(input, &found.schema, &ReadOptions::default()).unwrap().table;
    let value = |name: &str, row: usize| match &table.column(name).unwrap().values {
        crate::table::Values::Number(values) => values[row],
        other => panic!("{other:?}"),
    };
    assert_eq!((value("amount", 3), value("share", 3), value("people", 3)), (4003.03, 3.5, 4003.0));
    let alone: String = (0..40).map(|i| format!("\"{},{:03}\",{}\n", i + 1, i, i % 2)).collect();
    let asked = infer_text(&format!("amount,y\n{alone}"), &InferOptions::default()).unwrap();
    assert_eq!(asked.doubts.len(), 1);
    assert!(asked.doubts[0].ways_out().contains("--decimal"));
    let said = InferOptions { decimal: Some('.'), ..InferOptions::default() };
    let told = infer_text(&format!("amount,y\n{alone}"), &said).unwrap();
    assert_eq!(told.schema.columns[0].number.as_ref().and_then(|n| n.thousands), Some(','));
}

fn found_in(text: String) -> Inference {
    infer_text(&text, &InferOptions::default()).unwrap()
}

#[test]
fn written_numbers_are_remarked_as_plain_ones_are() {
    let table = |write: &dyn Fn(f64) -> String| {
        let row = |i: usize| {
            let wind = if i.is_multiple_of(10) { 0.0 } else { 900.5 + (i * 7 % 400) as f64 / 4.0 };
            let days = if i.is_multiple_of(20) { 99_999.0 } else { (i * 31 % 97) as f64 };
            let (year, month) = (2020.0 + (i / 100) as f64, (i % 12 + 1) as f64);
            let y = (i % 2) as f64;
            let cells = [100_000.0 + 3.0 * i as f64, wind * 10.0, days, year, month, y].map(write);
            format!("{}\n", cells.join(";"))
        };
        let found = found_in("rental_id;wind;days;year;month;y\n".to_owned() + &(0..300).map(row).collect::<String>());
        let kinds: Vec<Kind> = found.columns.iter().map(|column| column.kind).collect();
        (kinds, found.notes)
    };
    let plain = table(&|value| value.to_string());
    assert_eq!(plain.0[..2], [Kind::Id, Kind::Number]);
    let told = plain.1.join("\n");
    assert!(
        told.contains("0 in wind (30 cells, next 9010") && told.contains("99999 in days (15 cells, next 96)"),
        "{told}"
    );
    let grouped = |value: f64, thousands: &str, decimal: &str| {
        let (whole, rest) = (value.trunc() as u64, value.fract());
        let whole = match whole {
            0..1000 => whole.to_string(),
            _ => format!("{}{thousands}{:03}", whole / 1000, whole % 1000),
        };
        if rest == 0.0 { format!("{whole}{decimal}00") } else { format!("{whole}{decimal}{}", &rest.to_string()[2..]) }
    };
    assert_eq!(table(&|value| grouped(value, ".", ",")), plain);
    assert_eq!(table(&|value| grouped(value, ",", ".")), plain);
    assert_eq!(table(&|value| grouped(value, "'", ".")), plain);
}

#[test]
fn whole_numbers_beside_decimal_commas_are_read_with_them() {
    let row = |i: usize| {
        format!("{};{},{};{};{};{}\n", 1000 + i, i % 40, i % 10, 10 + i * 7 % 80, i % 2, ["no", "yes"][i % 2])
    };
    let table = |more: &str| "nr;x;n;flag;churn\n".to_owned() + &(0..60).map(row).collect::<String>() + more;
    let found = infer(Input::from_reader("t", Cursor::new(table(""))), &InferOptions::default()).unwrap();
    let number = |name: &str| found.schema.column(name).unwrap().number.clone();
    let commas = Some(NumberFormat { decimal: ',', thousands: None, unit: None });
    assert_eq!([number("x"), number("n"), number("flag")], [commas.clone(), commas, None]);
    // A later table may have decimals there; 1.234 is read neither as a decimal nor as a thousand and more.
    let last = |cell: &str| {
        let text = table(&format!("2000;1,5;{cell};1;no\n"));
        let read = read(Input::from_reader("t", Cursor::new(text)), &found.schema, &ReadOptions::default());
        read.map(|found| match &found.table.require("n").unwrap().values {
            Values::Number(values) => values[60],
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(last("77,5").unwrap(), 77.5);
    let refused = last("1.234").unwrap_err().to_string();
    assert!(refused.contains("line 62, column \"n\": \"1.234\""), "{refused}");
    // If other columns show the thousands separator, it is accepted here too.
    let grouped = |i: usize| format!("{};1.{:03},{};{};{}\n", 1000 + i, i, i % 10, 10 + i % 50, ["no", "yes"][i % 2]);
    let text = "nr;x;n;churn\n".to_owned() + &(0..60).map(grouped).collect::<String>();
    let found = infer(Input::from_reader("t", Cursor::new(text)), &InferOptions::default()).unwrap();
    assert_eq!(found.schema.column("n").unwrap().number.as_ref().unwrap().thousands, Some('.'));
}

#[test]
fn codes_and_filled_up_decimals_are_told_apart() {
    let rows: String = (0..120)
        .map(|i| {
            format!(
                "K{i},{},{:05},{:06.2},{}\n",
                ["0007", "0018"][i % 2],
                1067 + i * 571,
                f64::from(i as u32) * 1.25,
                i % 2
            )
        })
        .collect();
    let found = infer_text(&format!("id,band,plz,price,y\n{rows}"), &InferOptions::default()).unwrap();
    let kinds = ["band", "plz", "price"].map(|name| finding(&found, name).kind);
    assert_eq!((kinds[0], kinds[2]), (Kind::Category, Kind::Number));
    assert_ne!(kinds[1], Kind::Number, "01067 is no number");
}
