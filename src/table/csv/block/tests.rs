use super::*;

fn ends(text: &str, piece: usize, eof: bool) -> Vec<usize> {
    cut(text.as_bytes(), b',', piece, eof)
}

#[test]
fn cuts_only_at_record_ends() {
    assert_eq!(ends("a,b\nc,d\ne", 1, false), [4, 8]);
    assert_eq!(ends("a,b\nc,d\ne", 1, true), [4, 8, 9]);
    assert_eq!(ends("a,b\nc,d\ne", 5, true), [8, 9]);
    assert_eq!(ends("\"a\nb\",c\nd\n", 1, true), [8, 10]);
    assert_eq!(ends("\"a\"\"\nb\",c\nd\n", 1, true), [10, 12]);
    // A stray quote inside a field is literal.
    assert_eq!(ends("5\" pipe,1\nx\n", 1, true), [10, 12]);
    // A quote after spaces opens a field.
    assert_eq!(ends("1, \"a\nb\"\nx\n", 1, true), [9, 11]);
    // Unfinished quote: no record is complete, unless the file ends.
    assert_eq!(ends("a\n\"b\nc\n", 1, false), [2]);
    assert_eq!(ends("a\n\"b\nc\n", 1, true), [2, 7]);
    // The quote that ends the block may be the first of a doubled one.
    assert_eq!(ends("a\n\"b\n\"", 1, false), [2]);
}

#[test]
fn blocks_join_to_the_whole_text_and_count_lines() {
    let text: String = (0..500).map(|i| format!("{i},\"x\n{i}\"\n")).collect();
    for block in [7, 64, 1000] {
        let source = Text {
            reader: Box::new(std::io::Cursor::new(text.clone())),
            size: None,
            consumed: Arc::default(),
            first_line: 1,
            notes: Vec::new(),
        };
        let sizes = Sizes { block, piece: 16 };
        let mut blocks = Blocks::open("t".to_owned(), source, b',', None, sizes).unwrap();
        let (mut joined, mut n_last) = (Vec::new(), 0);
        while let Some(block) = blocks.next().unwrap() {
            for piece in &block.pieces {
                let before = &text.as_bytes()[..joined.len()];
                assert_eq!(piece.line, 1 + count_lines(before));
                joined.extend_from_slice(&block.bytes[piece.start..piece.end]);
            }
            n_last += u32::from(block.last);
        }
        assert_eq!(joined, text.as_bytes());
        assert_eq!(n_last, 1);
    }
}
