use super::*;

/// The lines of a text, cut into pieces of so many lines, that are sums of others.
fn lines(text: &str, n_fields: usize, piece: usize) -> Vec<usize> {
    let all: Vec<&str> = text.lines().collect();
    let texts: Vec<String> = all.chunks(piece).map(|lines| lines.join("\n") + "\n").collect();
    let pieces: Vec<Index<'_>> = texts.iter().map(|text| Index::new(text.as_bytes(), 1, b';', n_fields)).collect();
    let found = sums(&pieces, true);
    found.into_iter().flat_map(|(at, rows)| rows.into_iter().map(move |row| at * piece + row + 1)).collect()
}

#[test]
fn sums_of_groups_are_found_between_the_rows() {
    let ids = "1;Rome;10.50;3\n2;Rome;2.25;4\nSubtotal;;12.75;7\n3;Oslo;-1.00;0\n4;Oslo;2.00;9\nSubtotal;;1.00;9\n\
               Grand total;;13.75;16\n5;Bern;100;1\n";
    let levels =
        "Rome;10,50;3.000\nRome;1.002,25;4\nRome Total;1.012,75;3004\nOslo;5,5;9\nOslo;6,5;1\nOslo Total;12;10\n";
    let means = "Rome;10.5;3\nRome;12.3;4\nAverage Rome;11.40;3.5\nOslo;5;8\nOslo;6;1\nMittelwert;5.50;4.5\n";
    let units = "7;20.00 €;a\n8;1.200,50 €;b\nZwischensumme;1.220,50 €;\n9;3,00 €;c\n";
    for piece in [1, 2, 3, 5, 100] {
        assert_eq!(lines(ids, 4, piece), [3, 6, 7], "{piece}");
        assert_eq!(lines(levels, 3, piece), [3, 6], "{piece}");
        assert_eq!(lines(means, 3, piece), [3, 6], "{piece}");
    }
    assert_eq!(lines(&units.replace("20.00", "20,00"), 3, 100), [3]);
    // A word without the sums, a sum of one row, and one that only two digits speak for.
    assert_eq!(lines("1;Rome;10.50\n2;Rome;2.25\nSubtotal;;12.76\n3;Oslo;1\n", 3, 100), [0; 0]);
    assert_eq!(lines("1;Rome;1050.25\nSubtotal;;1050.25\n3;Oslo;1\n", 3, 100), [0; 0]);
    assert_eq!(lines("Rome;5\nOslo;7\ntotal;12\nRome;9\n", 2, 100), [0; 0]);
    // Where the beginning of a group is not known, the sums of the others speak for it.
    let index = Index::new(b"1;2\nTotal;99\n3;4\n5;6\n7;8002\nTotal;8012\n", 1, b';', 2);
    assert_eq!(sums(&[index], false), BTreeMap::from([(0, vec![1, 5])]));
}

#[test]
fn a_level_called_total_is_no_sum() {
    let mut state = 7_u64;
    let mut next = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for table in 0..200 {
        let n_levels = 2 + next(5);
        let most = [3, 10, 100, 10_000][table % 4];
        let mut row = || {
            let level = ["total", "Total Rome", "sum", "Rome", "Oslo", "Bern", "Graz"][next(n_levels + 1) as usize];
            match table % 2 {
                0 => format!("{level};{};{}\n", next(most), next(2)),
                _ => format!("{};{level};{}\n", next(most), next(most)),
            }
        };
        let text: String = (0..60).map(|_| row()).collect();
        assert_eq!(lines(&text, 3, 100), [0; 0], "{text}");
    }
}

#[test]
fn a_total_that_each_group_has_is_a_level() {
    let patient = |n: usize| {
        format!("direct;{n}.25;{n}\nindirect;1{n}.5;7\ntotal;{};{}\n", format_args!("{}.75", 2 * n + 10), n + 7)
    };
    let text: String = (1..9).map(patient).collect();
    assert_eq!(lines(&text, 3, 100), [0; 0]);
    assert_eq!(lines(&text, 3, 4), [0; 0]);
    // A cell that only these rows leave blank, groups of other sizes, and names of groups say that they are none.
    let blank = text.replace("direct;", "direct;a;").replace("total;", "total;;");
    assert_eq!(lines(&blank, 4, 100).len(), 8);
    let longer = format!("direct;1000.5;3\n{text}");
    assert_eq!(
        lines(&longer.replacen("1.25;1", "1.25;1\nother;0.5;0", 1).replacen("12.75;8", "1013.75;11", 1), 3, 100).len(),
        8
    );
    let named: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| format!("{}\n", line.replace("total", &format!("R{at} Total"))))
        .collect();
    assert_eq!(lines(&named, 3, 100).len(), 8);
}
