use super::*;

const WHOLE: Place = Place { is_first: true, is_last: true };

/// The lines that are sums of others, in a text cut into pieces of the given number of lines.
fn lines(text: &str, n_fields: usize, piece: usize) -> Vec<usize> {
    let all: Vec<&str> = text.lines().collect();
    let texts: Vec<String> = all.chunks(piece).map(|lines| lines.join("\n") + "\n").collect();
    let pieces: Vec<Index<'_>> = texts.iter().map(|text| Index::new(text.as_bytes(), 1, b';', n_fields)).collect();
    let found = sums(&pieces, WHOLE, &[]);
    let gone = found.into_iter().filter(|found| !matches!(found.why, Why::Level { .. }));
    gone.map(|found| found.piece * piece + found.row + 1).collect()
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
    // A label without matching sums, a sum of one row, and a sum with only two agreeing digits.
    assert_eq!(lines("1;Rome;10.50\n2;Rome;2.25\nSubtotal;;12.76\n3;Oslo;1\n", 3, 100), [0; 0]);
    assert_eq!(lines("1;Rome;1050.25\nSubtotal;;1050.25\n3;Oslo;1\n", 3, 100), [0; 0]);
    assert_eq!(lines("Rome;5\nOslo;7\ntotal;12\nRome;9\n", 2, 100), [0; 0]);
    // If the start of a group is unknown, the sums of the other groups are the evidence.
    let index = Index::new(b"1;2\nTotal;99\n3;4\n5;6\n7;8002\nTotal;8012\n", 1, b';', 2);
    let place = Place { is_first: false, is_last: true };
    assert_eq!(sums(&[index], place, &[]).iter().map(|found| found.row).collect::<Vec<_>>(), [1, 5]);
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

/// A level called `average` has the same numbers in all its rows; some of them are close to the mean of arbitrary rows.
#[test]
fn a_level_called_average_with_the_same_numbers_each_time_is_no_mean() {
    for n_numbers in 1..12_u64 {
        for size in [7, 23, 60] {
            let row = |row: u64| {
                let level = if row % size == 5 { "Average" } else { "other" };
                let numbers = (0..n_numbers).map(|k| (((row % size) * (7 + k) + k * 3) % 23).to_string());
                format!("{row};{level};{}\n", numbers.collect::<Vec<_>>().join(";"))
            };
            let text: String = (0..300).map(row).collect();
            assert_eq!(lines(&text, 2 + n_numbers as usize, 1000), [0; 0], "{n_numbers} {size}");
        }
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
    // That is reported, once.
    let index = Index::new(text.as_bytes(), 1, b';', 3);
    let told: Vec<(usize, Why)> = sums(&[index], WHOLE, &[]).into_iter().map(|found| (found.row, found.why)).collect();
    assert_eq!(told, [(2, Why::Level { n: 8 })]);
    // A cell blank only in these rows, groups of other sizes, and names of groups show that they are not data.
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

/// The rows of a table of groups, with totals in common layouts, and the row numbers of the totals, from 1.
struct Pivot {
    lines: Vec<String>,
    totals: Vec<usize>,
    state: u64,
}

impl Pivot {
    fn new() -> Self {
        Self { lines: Vec::new(), totals: Vec::new(), state: 11 }
    }

    fn next(&mut self, n: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % n
    }

    /// A group of the given number of rows: amounts in cents, and counts.
    fn group(&mut self, city: &str, quarter: &str, n: usize) -> (u64, u64) {
        let mut sums = (0, 0);
        for _ in 0..n {
            let (cents, count) = (1000 + self.next(90_000), 1 + self.next(40));
            sums = (sums.0 + cents, sums.1 + count);
            let answer = ["yes", "no"][self.next(2) as usize];
            self.lines.push(format!("{city};{quarter};{};{count};{answer}", money(cents)));
        }
        sums
    }

    fn total(&mut self, line: String) {
        self.lines.push(line);
        self.totals.push(self.lines.len());
    }

    fn check(&self, n_fields: usize) {
        let text = self.lines.join("\n") + "\n";
        assert_eq!(lines(&text, n_fields, 1000), self.totals, "{text}");
        assert_eq!(lines(&text, n_fields, 7), self.totals);
    }
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

const CITIES: [&str; 5] = ["Rome", "Oslo", "Bern", "Graz", "Wien"];

#[test]
fn totals_are_found_wherever_their_label_stands_and_whatever_else_is_filled() {
    for (written, filled) in [(0, ""), (1, "yes"), (2, "0"), (3, "")] {
        let mut pivot = Pivot::new();
        for (at, city) in CITIES.iter().enumerate() {
            let (mut all, mut counts) = (0, 0);
            for quarter in ["Q1", "Q2"] {
                // Groups of one row as well.
                let (cents, count) = pivot.group(city, quarter, 1 + (at * 2 + quarter.len()) % 4);
                let label = [format!("{quarter} Total"), "-- Total --".to_owned(), format!("Total: {quarter} (3)")];
                let amount = if written == 3 { format!("{}", (cents + 50) / 100) } else { money(cents) };
                pivot.total(format!("{city};{};{amount};{count};{filled}", label[written % 3]));
                (all, counts) = (all + cents, counts + count);
            }
            pivot.total(format!("Subtotale {city};;{};{counts};{filled}", money(all)));
        }
        pivot.check(5);
    }
}

#[test]
fn a_grand_total_over_totals_is_found_too() {
    let mut pivot = Pivot::new();
    let (mut all, mut counts) = (0, 0);
    for city in CITIES {
        let n = 2 + pivot.next(4) as usize;
        let (cents, count) = pivot.group(city, "Q1", n);
        pivot.total(format!("{city} Total (30);;{};{count};", money(cents)));
        (all, counts) = (all + cents, counts + count);
    }
    pivot.total(format!("Summe;;{};{counts};", money(all)));
    pivot.group("Rome", "Q2", 3);
    pivot.check(5);
}

#[test]
fn totals_above_their_group_are_found() {
    let mut pivot = Pivot::new();
    for city in CITIES {
        let at = pivot.lines.len();
        let n = 2 + pivot.next(4) as usize;
        let (cents, count) = pivot.group(city, "Q1", n);
        pivot.lines.insert(at, format!("{city};Total;{};{count};", money(cents)));
        pivot.totals.push(at + 1);
    }
    pivot.check(5);
    let text = pivot.lines.join("\n") + "\n";
    let index = Index::new(text.as_bytes(), 1, b';', 5);
    let made = Why::Made { of_above: false, numbers: Numbers::Sums };
    assert!(sums(&[index], WHOLE, &[]).iter().all(|found| found.why == made));
}

#[test]
fn rows_of_averages_are_called_so() {
    let text = "Rome;10.5;3\nRome;12.3;4\nGemiddelde;11.40;3.5\nOslo;5;8\nOslo;6;1\nMoyenne;5.50;4.5\n";
    let index = Index::new(text.as_bytes(), 1, b';', 3);
    let why: Vec<Why> = sums(&[index], WHOLE, &[]).into_iter().map(|found| found.why).collect();
    assert_eq!(why, [Why::Made { of_above: true, numbers: Numbers::Means }; 2]);
}

#[test]
fn a_row_that_says_total_and_leaves_a_field_blank_is_told_unless_the_word_is_a_level() {
    let mut text = String::new();
    for at in 0..40 {
        text.push_str(&format!("{};{}.25;{};yes\n", CITIES[at % 5], at * 37 % 90, at));
        if at % 10 == 9 {
            text.push_str(&format!("Total {};{at}.5;7;\n", CITIES[at % 5]));
        }
    }
    let found = |exempt: &[bool]| {
        let index = Index::new(text.as_bytes(), 1, b';', 4);
        sums(&[index], WHOLE, exempt).into_iter().map(|found| (found.row, found.why)).collect::<Vec<_>>()
    };
    let why = Why::Blank { field: 3 };
    assert_eq!(found(&[]), [(10, why), (21, why), (32, why), (43, why)]);
    assert_eq!(found(&[true]), []);
}

#[test]
fn prices_that_add_up_by_chance_are_no_sums() {
    // Few prices, one of which is twice another, and a level that reads like a total.
    let mut state = 3_u64;
    let mut next = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for table in 0..300 {
        let prices: &[&str] =
            [&["50.00", "100.00", "150.00"][..], &["9.99", "19.98", "29.97"], &["5", "10"]][table % 3];
        let n_rows = [12, 40, 200][table / 3 % 3];
        let mut row = |at: u64| {
            let plan = ["Basic", "Family", "Total Care"][next(3) as usize];
            format!("{at};{plan};{};{}\n", prices[next(prices.len() as u64) as usize], next(2))
        };
        let text: String = (0..n_rows).map(&mut row).collect();
        assert_eq!(lines(&text, 4, 100), [0; 0], "{text}");
    }
}
