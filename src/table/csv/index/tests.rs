use super::*;

fn cells(text: &str, n_fields: usize) -> Vec<Vec<String>> {
    let index = Index::new(text.as_bytes(), 1, b',', n_fields);
    let mut scratch = String::new();
    (0..index.n_rows())
        .map(|row| (0..n_fields).map(|field| index.cell(row, field, &mut scratch).to_owned()).collect())
        .collect()
}

#[test]
fn fields_with_and_without_quotes() {
    let found = cells("a,b\r\n\r\n c ,d\n  \n,\n , \r\n,e\n", 2);
    assert_eq!(found, [["a", "b"], ["c", "d"], ["", ""], ["", ""], ["", "e"]], "a line of delimiters is a row");
    assert_eq!(cells("\"\",\n\"a\",\" \"\n", 2), [["", ""], ["a", ""]]);
    assert_eq!(cells("\"a,\n\",5\" pipe\n\"x\"\"y\", \"z\"\n", 2), [["a,\n", "5\" pipe"], ["x\"y", "z"]]);
    assert_eq!(cells("long first field,b\nc,another long field without end", 2).len(), 2);
    assert_eq!(cells("\"\"\n\nx\n", 1), [[""], ["x"]]);
}

#[test]
fn odd_records_are_named_and_left_out() {
    let text = "a,b\nc\nd,e,f\ng,h\ni";
    let index = Index::new(text.as_bytes(), 10, b',', 2);
    assert_eq!(index.n_rows(), 2);
    let found: Vec<_> = index.bad.iter().map(|b| (index.line_at(b.at), b.why)).collect();
    let fields = |n, cut| Why::Fields { n, cut };
    assert_eq!(found, [(11, fields(1, false)), (12, fields(3, false)), (14, fields(1, true))]);
    let index = Index::new(b"a,b\n\"c,d\ne,f\n", 1, b',', 2);
    assert_eq!((index.n_rows(), index.bad[0].why), (1, Why::OpenQuote));
}

#[test]
fn bytes_that_are_not_utf8_spoil_their_record_only() {
    let index = Index::new(b"a,b\n\xe9t\xe9,c\nd,\xc3\xa9\n", 1, b',', 2);
    assert_eq!(index.n_rows(), 2);
    assert_eq!(index.bad, [BadRecord { at: 4, why: Why::NotUtf8(0xe9) }]);
    assert_eq!(index.cell(1, 1, &mut String::new()), "é");
}
