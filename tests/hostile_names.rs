//! Names that attack a terminal or a spreadsheet, as columns, levels, ids, files and people: no verb lets them through.

use crate::dashboard::{TOKEN, sign_in};
use crate::serve::client::Server;
use crate::support::{CANNOT_TELL, ERROR, Loop, NO, WAITING, YES};
use mlloop::labels::fill::{self, FillIn};
use mlloop::workspace::Workspace;
use std::collections::BTreeSet;

/// What stands in names: codes, characters that reorder or break lines, formulas, markup, and a line that poses as a message.
const NAMES: [&str; 16] = [
    "\u{1b}[2Jclear",
    "exe\u{202e}gpj",
    "\u{9b}31mred",
    "=HYPERLINK(\"http://x\")",
    "@SUM(A1)",
    "-2+3",
    "two\nmlloop: forged",
    "car\rmlloop: forged",
    "tab\tbed",
    "next\u{85}mlloop: forged",
    "split\u{2028}mlloop: forged",
    "\u{200f}mark",
    "![x](http://x/y.png)",
    "<img src=x>",
    "a|b`c",
    "\u{ff1d}1+1",
];
const ID: &str = "key\u{202e}\u{7f}";
const TARGET: &str = "churned\u{7}";
const PAST: &str = "past\u{1b}[2J\u{202e}\nmlloop: forged.csv";
const NEW: &str = "=new\u{9b}31m.csv";

fn id(row: u32) -> String {
    format!("{}{row:04}", NAMES[row as usize % NAMES.len()])
}

/// Rows from `first` on; every third feature is a name instead of a number.
fn table(first: u32, n_rows: u32, with_target: bool) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let target = with_target.then_some(TARGET);
    writer.write_record([ID].into_iter().chain(NAMES).chain(target)).unwrap();
    for row in first..first + n_rows {
        let value = |k: u32| (row * (7 + k) + k * 3) % 23;
        let level = |k: u32| NAMES[value(k) as usize % NAMES.len()].to_owned();
        let mut cells = vec![id(row)];
        cells.extend((0..NAMES.len() as u32).map(|k| if k % 3 == 2 { level(k) } else { value(k).to_string() }));
        if with_target {
            cells.push(if value(0) > 11 { "=yes\u{1b}[1m" } else { "no\n" }.to_owned());
        }
        writer.write_record(&cells).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

/// What would do something to a terminal, and lines that pose as messages.
fn attacks(shown: &str) -> Vec<String> {
    let steers = |c: char| {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        (c.is_control() && c != '\n') || reorders || matches!(c, '\u{2028}' | '\u{2029}')
    };
    let signs = shown.chars().filter(|c| steers(*c)).map(|c| format!("{c:?}"));
    let forged = shown.lines().filter(|line| line.starts_with("mlloop: forged")).map(str::to_owned);
    signs.chain(forged).collect()
}

/// Every verb, in an order in which a loop would call it, with the statuses that show that it got as far as it should.
fn steps() -> Vec<(String, &'static [i32])> {
    let [row, other] = [id(1000), id(1006)];
    let steps: Vec<(String, &[i32])> = vec![
        (format!("init '{PAST}' --target '{TARGET}' --kind '{ID}=id' --force"), &[YES]),
        (format!("train --algorithm decision-tree --test '{PAST}'"), &[YES]),
        ("train --algorithm decision-tree --cv 2".to_owned(), &[YES]),
        (format!("profile '{NEW}'"), &[YES, ERROR]),
        (format!("predict '{NEW}' --log -o scored.csv"), &[YES]),
        (format!("predict '{NEW}' --explain 2 --columns nothing\u{202e}"), &[ERROR]),
        (format!("predict 'no{PAST}'"), &[ERROR]),
        (format!("predict '{NEW}' --log --arm '{}' -o scored.csv", NAMES[6]), &[YES, ERROR]),
        (format!("monitor '{NEW}' --prometheus metrics.prom"), &[YES, NO, CANNOT_TELL]),
        (format!("monitor '{NEW}' --reference '{PAST}'"), &[YES, NO, CANNOT_TELL, ERROR]),
        ("label-export -n 20 --annotators 'a\u{202e}b,=c' --force".to_owned(), &[YES]),
        // A class with a control character cannot stand in what Label Studio reads.
        ("label-export -n 20 --format label-studio --force".to_owned(), &[ERROR]),
        (format!("label-import '{PAST}'"), &[ERROR]),
        (format!("feedback '{row}' correct --by 'a\u{202e}\nmlloop: forged' --comment '=1+1'"), &[YES, NO]),
        (format!("feedback '{other}' incorrect --actual '{}'", NAMES[6]), &[ERROR]),
        ("feedback --stats".to_owned(), &[YES]),
        ("audit".to_owned(), &[YES]),
        (format!("audit show --for '{row}'"), &[YES]),
        (format!("audit show --for '{}'", NAMES[6]), &[NO]),
        ("audit verify --deep".to_owned(), &[YES]),
        ("audit at 2026-11-20".to_owned(), &[YES]),
        ("status".to_owned(), &[YES]),
        ("doctor".to_owned(), &[YES, NO]),
        ("report".to_owned(), &[YES]),
        ("report --format json".to_owned(), &[YES]),
        ("retrain --force".to_owned(), &[YES, NO, ERROR]),
        ("promote".to_owned(), &[YES, NO, CANNOT_TELL]),
        ("run --force".to_owned(), &[YES, NO, CANNOT_TELL, WAITING]),
        (format!("approve 'x{}' --by y", NAMES[6]), &[ERROR]),
        (format!("reject 'x{}' --by y --reason '{}'", NAMES[1], NAMES[6]), &[ERROR]),
        (format!("rollback v0009 --reason '{}'", NAMES[6]), &[ERROR]),
        (format!("ab-start --a v0001 --b v0002 --name '{}'", NAMES[1]), &[YES, ERROR]),
        ("ab-status".to_owned(), &[YES]),
        ("ab-step".to_owned(), &[ERROR]),
        ("ab-report".to_owned(), &[YES, NO, CANNOT_TELL]),
        (format!("ab-report --assign '{row}' -o assigned.csv"), &[YES]),
        (
            format!("ab-report '{PAST}' --arm '{TARGET}' --outcome '{}' --reports out", NAMES[0]),
            &[YES, NO, CANNOT_TELL],
        ),
        (format!("ab-report '{PAST}' --arm '{TARGET}' --outcome '{}'", NAMES[2]), &[ERROR]),
        ("ab-stop".to_owned(), &[YES]),
        (format!("export --format 'x{}' -o x.onnx", NAMES[6]), &[ERROR]),
        ("export --format onnx -o '\u{202e}.onnx'".to_owned(), &[YES, ERROR]),
        (format!("split '{PAST}' --how hash --by '{ID}' --force"), &[ERROR]),
        (format!("split '{NEW}' --how hash --by '{ID}' --force"), &[YES, ERROR]),
        (format!("split '{PAST}' --how time --by '{}' --force", NAMES[6]), &[ERROR]),
        (format!("download '{PAST}' --force"), &[YES, NO, ERROR]),
        (format!("status -C '{}'", NAMES[6]), &[ERROR]),
        (format!("train --set 'model.{}=1'", NAMES[6]), &[ERROR]),
        (format!("demo '{PAST}/{}'", NAMES[1]), &[ERROR]),
        (format!("demo '{}' --tables", NAMES[6]), &[YES]),
        (format!("features '{NEW}'"), &[ERROR]),
        (format!("simulate '{NEW}' -n 5"), &[YES, ERROR]),
        (format!("push '{}'", NAMES[6]), &[YES, NO, ERROR]),
        (format!("pull '{}'", NAMES[6]), &[YES, NO, ERROR]),
        (format!("pull 'no{}'", NAMES[6]), &[ERROR]),
        (format!("track sync --set 'track.uri={}'", NAMES[6]), &[ERROR]),
        (format!("completions '{}'", NAMES[6]), &[ERROR]),
        (format!("man '{}'", NAMES[6]), &[ERROR]),
        (format!("serve --host '{}'", NAMES[6]), &[ERROR]),
        (format!("dashboard --host '{}'", NAMES[6]), &[ERROR]),
        (format!("'{}'", NAMES[6]), &[ERROR]),
        (format!("predict '--{}'", NAMES[0]), &[ERROR]),
    ];
    steps
}

#[test]
fn no_verb_gives_a_terminal_what_moves_it() {
    let work = Loop::new().table(PAST, table(0, 240, true)).table(NEW, table(1000, 240, false));
    let mut called = BTreeSet::new();
    for (line, statuses) in steps() {
        called.insert(line.split(' ').next().unwrap().to_owned());
        // Where the text went well, the JSON may find that nothing is left to do.
        for (form, others) in [("--text", &[][..]), ("--json --color always", &[YES, NO, CANNOT_TELL, ERROR, WAITING])]
        {
            let (form, line) = (form.replace("--json", if line.contains("--text") { "" } else { "--json" }), &line);
            let form = if form == "--text" && line.contains("--text") { String::new() } else { form };
            let said = work.run(&format!("{line} {form} --now 2026-11-20T10:00:00Z"));
            let found = attacks(&format!("{}\n{}", said.stdout, said.stderr));
            assert!(found.is_empty(), "mlloop {line} {form}: {found:?}\n{:?}{:?}", said.stdout, said.stderr);
            let fits = statuses.contains(&said.status) || others.contains(&said.status);
            assert!(fits, "mlloop {line} {form}: {}\n{}", said.status, said.stderr);
        }
    }
    // Where our own colours are shown, those of a name are not.
    let (name, row) = ("\u{1b}[31mann", id(1000));
    work.run(&format!("feedback '{row}' correct --by '{name}' --field 'k={name}' --now 2026-11-20T12:00:00Z"))
        .answers(YES);
    let listed = work.run("feedback list --text --color always").answers(YES).stdout;
    assert!(listed.contains("by \\u{1b}[31mann") && listed.contains("k=\\u{1b}[31mann"), "{listed:?}");
    assert!(listed.contains("\u{1b}[1m") && !listed.contains(name), "{listed:?}");
    let help = work.run("--help").answers(YES).stdout;
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a verb does may go on in the next line, set in further.
    let named = verbs.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()));
    for verb in named.filter(|verb| *verb != "help") {
        assert!(called.contains(verb), "{verb} is called with no hostile name");
    }
    let metrics = work.read("metrics.prom");
    assert!(metrics.lines().all(|line| line.starts_with("mlloop") || line.starts_with('#')), "{metrics}");
    comes_back_as_it_went_out(&work);
}

/// A text as it stands in an address or a form.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A page without what its forms send back, which is what it is.
fn shown(page: &str) -> String {
    let mut shown = page.to_owned();
    for attribute in [" value=\"", " name=\""] {
        shown = shown
            .split(attribute)
            .enumerate()
            .map(|(n, part)| if n == 0 { part } else { part.split_once('"').unwrap().1 })
            .collect();
    }
    shown
}

/// No page shows what steers a text, and a form that names a row names it as it is.
#[test]
fn no_page_shows_what_steers() {
    let work = Loop::new().table(PAST, table(0, 240, true)).table(NEW, table(1000, 240, false));
    for line in [
        &format!("init '{PAST}' --target '{TARGET}' --kind '{ID}=id' --force"),
        "train --algorithm decision-tree",
        &format!("predict '{NEW}' --log -o scored.csv"),
        &format!("monitor '{NEW}'"),
        "label-export -n 20 --annotators 'a\u{202e}b,=c' --force",
        "train --algorithm decision-tree --seed 2",
        &format!("ab-start --planned-n 1000 --name '{}'", NAMES[1]),
    ] {
        assert!([YES, NO, CANNOT_TELL].contains(&work.run(line).status), "{line}");
    }
    let server = Server::start_with(&work, "--no-log", &[("MLLOOP_TOKEN", TOKEN)]);
    let ann = sign_in(&server, &encoded("an\u{202e}n\u{1b}[2J"), TOKEN).unwrap_or_else(|status| panic!("{status}"));
    let row = id(1009);
    assert!(row.contains('\u{202e}'));
    let mut paths: Vec<String> = ["/ui", "/ui/drift", "/ui/decide", "/ui/label", "/ui/settle", "/ui/feedback", "/docs"]
        .map(str::to_owned)
        .into();
    paths.extend(
        ["/ui/experiment", "/ui/models", "/ui/model?version=v0001", "/ui/model?try=1", "/ui/audit", "/ui/job"]
            .map(str::to_owned),
    );
    paths.extend(NAMES.iter().map(|name| format!("/ui/drift?column={}", encoded(name))));
    paths.extend((1000..1016).map(|n| format!("/ui/row?id={}", encoded(&id(n)))));
    paths.extend(["q", "by"].map(|key| format!("/ui/feedback?{key}={}", encoded(NAMES[1]))));
    for path in &paths {
        let page = ann.get(path);
        let found: Vec<String> =
            attacks(&shown(&page)).into_iter().filter(|sign| !sign.starts_with("mlloop") && sign != "'\\t'").collect();
        assert!(found.is_empty(), "{path}: {found:?}");
    }
    let page = ann.get(&format!("/ui/row?id={}", encoded(&row)));
    let sent = page.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(sent.replace("&#x202e;", "\u{202e}"), row);
    ann.follow("/ui/do/feedback", &format!("id={}&verdict=correct", encoded(&row)));
    assert!(work.read("data/feedback.csv").contains(&row));
}

/// The sheet has neither formulas nor codes in its header, and its answers are taken in.
fn comes_back_as_it_went_out(work: &Loop) {
    work.run("label-export -n 20 --force --now 2026-11-21T10:00:00Z").answers(YES);
    let text = work.read("label_inbox/to_label.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let formula =
        |cell: &str| cell.starts_with(['=', '+', '@', '\u{ff1d}']) || (cell.starts_with('-') && cell.len() > 3);
    assert!(header.iter().all(|name| !formula(name) && !name.contains(char::is_control)), "{header:?}");
    assert!(attacks(&header.iter().collect::<Vec<_>>().join(" ")).is_empty(), "{header:?}");
    assert!(header.iter().any(|name| name == "'=HYPERLINK(\"http://x\")"), "{header:?}");
    let at = header.iter().position(|name| name == "churned\\u{7}").unwrap();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    for record in reader.records() {
        let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
        assert!(cells.iter().all(|cell| !formula(cell)), "{cells:?}");
        cells[at] = "'=yes\u{1b}[1m".to_owned();
        writer.write_record(&cells).unwrap();
    }
    work.write("back.csv", writer.into_inner().unwrap());
    let said = work.run("label-import back.csv --accept-batch --now 2026-11-21T11:00:00Z").answers(YES);
    said.json("/counts/added", 20);
}

#[test]
fn a_server_tells_its_terminal_nothing_raw_and_its_label_page_opens() {
    let work = Loop::new().table(PAST, table(0, 240, true)).table(NEW, table(1000, 240, false));
    work.run(&format!("init '{PAST}' --target '{TARGET}' --kind '{ID}=id'")).answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    work.run(&format!("predict '{NEW}' --log -o scored.csv")).answers(YES);
    work.run("label-export -n 20").answers(YES);
    let mut server = Server::start(&work, "");
    let mut client = server.client();
    let row = serde_json::json!({ ID: id(5000), NAMES[6]: NAMES[0], NAMES[1]: 3 }).to_string();
    let (status, answer) = client.post("/predict", &row).unwrap();
    assert!(status == 422 || status == 200 || status == 400, "{status} {answer}");
    let workspace = Workspace::new(work.path(""));
    let batches = fill::out(&workspace).unwrap();
    let mut sheet = FillIn::open(&workspace, &batches[0], "ann").unwrap();
    let first = sheet.line(0).unwrap();
    assert!(sheet.answer(&first.id, "=yes\u{1b}[1m", "").unwrap(), "the page saves an answer");
    assert_eq!(FillIn::open(&workspace, &batches[0], "ann").unwrap().n_answered(), 1);
    assert_eq!(server.stop(), Some(0));
    let said = server.stderr();
    assert!(attacks(&said).is_empty(), "{said:?}");
}
