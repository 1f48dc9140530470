//! `download`: archives that were made to do harm, files that are in the way, and processes that die.

use crate::download::{CHURN, sha256, zip};
use crate::support::{ERROR, Loop, NO, YES};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const LINK: u32 = 0o120_777;
const PIPE: u32 = 0o010_644;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn hostile_archives_are_refused_whole() {
    let cases: [(&str, Vec<u8>, &str); 13] = [
        ("outside", zip(&[("a.csv", b"a\n1\n", 0), ("../out.csv", b"x", 0)]), "points outside"),
        ("inside out", zip(&[("a/../../out.csv", b"x", 0)]), "points outside"),
        ("absolute", zip(&[("/tmp/out.csv", b"x", 0)]), "points outside"),
        ("backslash", zip(&[("..\\out.csv", b"x", 0)]), "unusual name"),
        ("control", zip(&[("a\u{1b}[2J.csv", b"x", 0)]), "unusual name"),
        ("link", zip(&[("link.csv", b"/etc/passwd", LINK)]), "contains a link"),
        ("pipe", zip(&[("pipe.csv", b"", PIPE)]), "neither a file nor a directory"),
        ("twice", zip(&[("a.csv", b"a\n1\n", 0), ("a.csv", b"a\n2\n", 0)]), "two files with the same name"),
        ("twice by another name", zip(&[("a.csv", b"a\n1\n", 0), ("./a.csv", b"a\n2\n", 0)]), "twice"),
        ("file and directory", zip(&[("a", b"x", 0), ("a/b.csv", b"y", 0)]), "twice"),
        ("ours", zip(&[("labels.csv", b"id,label\n", 0)]), "a file of the loop"),
        ("empty", zip(&[]), "contains no file"),
        ("cut", zip(&[("a.csv", CHURN.as_bytes(), 0)])[..5000].to_vec(), "not a readable zip archive"),
    ];
    for (name, bytes, sentence) in cases {
        let work = Loop::new().table("data/labels.csv", "id,label\n").table("set.zip", bytes);
        let before = work.files();
        let said = work.run("download set.zip --force").answers(ERROR).says(sentence).says("nothing was unpacked");
        assert_eq!(said.stderr.lines().count(), 1, "{name}: {}", said.stderr);
        assert!(!said.stderr.contains('\u{1b}'), "{name}");
        assert_eq!(work.files(), before, "{name}");
        assert!(!work.path("../out.csv").exists(), "{name}");
    }
}

#[test]
fn bombs_are_stopped_by_ratio_and_by_size() {
    let zeros = gz(&vec![b'0'; 100 << 20]);
    assert!(zeros.len() < 200_000);
    let work =
        Loop::new().table("bomb.csv.gz", zeros).table("big.csv.gz", gz(CHURN.as_bytes())).table("big.csv", CHURN);
    let before = work.files();
    work.run("download bomb.csv.gz").answers(ERROR).says("more than 500 times its size");
    work.run("download big.csv.gz --max-size 40K")
        .answers(ERROR)
        .says("larger than 40960 bytes")
        .says("raise the limit with --max-size");
    work.run("download big.csv --max-size 40K").answers(ERROR).says("larger than 40960 bytes");
    work.run("download big.csv --max-size 4X").answers(ERROR).says("with K, M or G");
    assert_eq!(work.files(), before);
    let mut damaged = gz(CHURN.as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 9].fill(0xff);
    work.write("damaged.csv.gz", damaged);
    work.run("download damaged.csv.gz").answers(ERROR).says("is damaged or cut short");
    assert!(!work.path("data/damaged.csv").exists());
}

#[test]
fn files_of_this_machine_are_taken_in_and_hidden_members_left_out() {
    let packed =
        zip(&[("churn.csv", CHURN.as_bytes(), 0), ("__MACOSX/._churn.csv", b"x", 0), (".incoming/x", b"x", 0)]);
    let work = Loop::new().table("in/churn set.csv.gz", gz(CHURN.as_bytes())).table("in/set.zip", packed);
    let address = format!("file://{}/in/churn%20set.csv.gz", work.path("").display());
    let said = work.run(&format!("download {address}")).answers(YES).json("/files/0/file", "data/churn set.csv");
    assert_eq!(said.value()["sha256"], sha256(&std::fs::read(work.path("in/churn set.csv.gz")).unwrap()));
    assert_eq!(work.read("data/churn set.csv"), CHURN);
    work.run("download in/set.zip").answers(YES).says("2 hidden files of set.zip were left out");
    work.run("download in/set.zip").answers(NO).says("identical to the last download");
    work.write("data/churn.csv", "changed by hand\n");
    work.run("download in/set.zip").answers(ERROR).says("data/churn.csv: exists and differs");
    assert_eq!(work.read("data/churn.csv"), "changed by hand\n");
    work.run("download in/set.zip --force").answers(YES);
    assert_eq!(work.read("data/churn.csv"), CHURN);
    assert!(!work.path("data/x").exists());
}

/// Whatever moment it dies at: the old files or the new ones, an audit chain that holds, and the same command goes on.
#[test]
fn a_download_that_dies_is_completed_by_the_next() {
    let work = Loop::new().table("churn.csv", CHURN).table("new.csv", CHURN.replace("monthly", "weekly"));
    work.run("download churn.csv --split hash").answers(YES);
    work.run("init data/reference.csv").answers(YES);
    work.run("train --algorithm decision-tree").answers(YES);
    let old = work.read("data/reference.csv");
    work.write("in/churn.csv", CHURN.replace("monthly", "weekly"));
    let line = "download in/churn.csv --split hash --force";
    let whole = work.copy();
    whole.run(line).answers(YES);
    let (new, new_current) = (whole.read("data/reference.csv"), whole.read("data/current.csv"));
    let n = work.dies_everywhere(line, "", |copy| {
        // The next to take the lock completes what was committed; reference and current always belong together.
        copy.run(line);
        assert_eq!(copy.read("data/reference.csv"), new);
        assert_eq!(copy.read("data/current.csv"), new_current);
        copy.run(line).answers(NO);
        copy.run("audit verify").answers(YES);
        assert!(copy.read("audit.jsonl").matches("\"downloaded\"").count() >= 2);
    });
    assert!(n > 8, "{n} write points");
    for n in [1, 5, 9] {
        let copy = work.copy();
        copy.pipe_with(line, "", &format!("full:{n}")).answers(ERROR).says("no storage space");
        assert_eq!(copy.read("data/reference.csv"), old, "full at {n}");
    }
}

#[test]
fn nothing_that_is_downloaded_becomes_a_file_of_the_loop() {
    for own in mlloop::workspace::OWN_DATA_FILES {
        for name in [own.to_owned(), own.to_uppercase(), format!("./{own}"), format!("{own}/rows.csv")] {
            let work = Loop::new().table("set.zip", zip(&[("a.csv", b"a\n1\n", 0), (&name, b"id,verdict\n", 0)]));
            let before = work.files();
            work.run("download set.zip").answers(ERROR).says("a file of the loop").says("nothing was unpacked");
            assert_eq!(work.files(), before, "{name}");
        }
        let plain = Loop::new().table(&format!("from/{own}"), "id,verdict\n");
        plain.run(&format!("download from/{own}")).answers(ERROR).says("a file of the loop");
        let packed = Loop::new().table(&format!("from/{own}.gz"), gz(b"id,verdict\n"));
        packed.run(&format!("download from/{own}.gz")).answers(ERROR).says("a file of the loop");
    }
    // The Kelvin sign is a k where upper and lower case are one.
    let kelvin = Loop::new().table("set.zip", zip(&[("feedbac\u{212a}.csv", b"id,verdict\n", 0)]));
    kelvin.run("download set.zip").answers(ERROR).says("a file of the loop");
}

#[test]
fn nothing_that_is_downloaded_makes_a_loop() {
    for name in ["mlloop.toml", "MLLOOP.toml", "churn/mlloop.toml", "./mlloop.toml/rows.csv"] {
        let work = Loop::new().table("set.zip", zip(&[("a.csv", b"a\n1\n", 0), (name, b"[data]\n", 0)]));
        let before = work.files();
        work.run("download set.zip")
            .answers(ERROR)
            .says("would turn its directory into a loop")
            .says("nothing was unpacked");
        assert_eq!(work.files(), before, "{name}");
    }
    let plain = Loop::new().table("from/mlloop.toml", "[data]\n");
    plain.run("download from/mlloop.toml").answers(ERROR).says("would turn its directory into a loop");
}
