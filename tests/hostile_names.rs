//! Names that attack a terminal or a spreadsheet: no verb lets them through.

use crate::support::Loop;

const NAMES: [&str; 6] =
    ["\u{1b}[2Jclear", "exe\u{202e}gpj", "\u{9b}31mred", "=HYPERLINK(\"http://x\")", "@SUM(A1)", "-2+3"];

fn table(with_target: bool) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let target = with_target.then_some("churned\u{7}");
    writer.write_record(["id"].into_iter().chain(NAMES).chain(target)).unwrap();
    for row in 0..240_u32 {
        let mut cells = vec![format!("K{row:04}")];
        let value = |k: u32| (row * (7 + k) + k * 3) % 23;
        cells.extend((0..NAMES.len() as u32).map(|k| value(k).to_string()));
        // A level that attacks as well.
        cells[2] = if value(1) % 2 == 0 { "\u{1b}]0;title\u{7}" } else { "plain" }.to_owned();
        if with_target {
            cells.push(if value(0) > 11 { "yes" } else { "no" }.to_owned());
        }
        writer.write_record(&cells).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

fn is_unsafe(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn no_verb_gives_a_terminal_what_moves_it() {
    let work = Loop::new().table("past.csv", table(true)).table("new.csv", table(false));
    let lines = [
        "init past.csv --target 'churned\u{7}'",
        "train",
        "train --algorithm decision-tree",
        "promote",
        "profile new.csv",
        "predict new.csv --log -o scored.csv",
        "monitor new.csv",
        "label-export -n 20",
        "label-import past.csv",
        "feedback K0001 correct --by 'a\u{202e}b'",
        "audit",
        "audit show --for K0001",
        "audit verify --deep",
        "status",
        "report",
        "retrain",
        "rollback",
        "ab-report",
        "predict nowhere\u{1b}[2J.csv",
        "train --set 'model.\u{202e}=1'",
    ];
    for line in lines {
        for form in ["--text", "--json"] {
            let said = work.run(&format!("{line} {form} --now 2026-11-20T10:00:00Z"));
            let all = format!("{}{}", said.stdout, said.stderr);
            let found: Vec<char> = all.chars().filter(|c| is_unsafe(*c)).collect();
            assert!(found.is_empty(), "mlloop {line} {form}: {found:?}\n{all:?}");
            if line.starts_with("init") || line.starts_with("train") && !line.contains("--set") {
                assert!(said.stderr.len() + said.stdout.len() > 0);
            }
        }
    }
    assert!(work.path("label_inbox/to_label.csv").exists(), "the loop got this far");
    let text = work.read("label_inbox/to_label.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    assert!(header.iter().all(|name| !name.starts_with(['=', '+', '-', '@'])), "{header:?}");
    assert!(header.iter().any(|name| name == "'=HYPERLINK(\"http://x\")"), "{header:?}");
    // It comes back as it went out.
    let at = header.iter().position(|name| name == "churned\u{7}").unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    for record in reader.records() {
        let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        cells[at] = "yes".to_owned();
        writer.write_record(&cells).unwrap();
    }
    work.write("back.csv", writer.into_inner().unwrap());
    work.run("label-import back.csv").answers(0).json("/counts/added", 20);
}
