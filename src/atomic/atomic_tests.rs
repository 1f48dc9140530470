//! The result of a write: the old bytes or the new ones, with the right mode.

use super::*;

#[test]
fn a_failed_replacement_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("roles.json");
    fs::write(&path, "old").unwrap();
    let failed = replace(&path, |out| {
        out.write_all(b"half")?;
        Err::<(), _>(io::Error::other("disk full"))
    });
    assert!(failed.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    replace(&path, |out| out.write_all(b"new")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_link_stays_and_a_pipe_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let [real, link, pipe] = ["real", "link", "pipe"].map(|name| dir.path().join(name));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink("real", &link).unwrap();
    replace(&link, |out| out.write_all(b"new")).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    replace(&pipe, |out| out.write_all(b"through")).unwrap();
    assert_eq!(reader.join().unwrap(), "through");
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    let full = replace(Path::new("/dev/full"), |out| out.write_all(b"x"));
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
}

#[test]
fn a_file_is_read_up_to_its_limit_and_refused_beyond() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.bin");
    fs::write(&path, "1234").unwrap();
    assert_eq!(read_at_most(&path, 4).unwrap(), b"1234");
    let refused = read_at_most(&path, 3).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(refused.to_string(), "is larger than 3 bytes");
}

#[test]
fn a_line_that_a_crash_cut_short_is_dropped_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("runs.jsonl");
    append(&path, b"one\n").unwrap();
    fs::write(&path, [&b"one\n"[..], &[b'x'; 10_000]].concat()).unwrap();
    append(&path, b"two\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
}

#[test]
fn the_last_line_is_the_last_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.jsonl");
    assert_eq!(last_line(&path).unwrap(), None);
    for (bytes, expected) in [("", None), ("half", None), ("one\n", Some("one")), ("one\ntwo\nhalf", Some("two"))] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(last_line(&path).unwrap().as_deref(), expected.map(str::as_bytes), "{bytes:?}");
    }
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".mlloop-half")).unwrap();
    fs::write(dir.path().join(".mlloop-half/model.bin"), "x").unwrap();
    fs::write(dir.path().join("roles.json"), "{}").unwrap();
    remove_leftovers(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

use std::os::unix::fs::PermissionsExt;

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// `mode` after the umask of this process.
fn left(mode: u32, dir: &Path) -> u32 {
    let probe = dir.join("probe");
    File::create(&probe).unwrap();
    let umask = 0o666 & !mode_of(&probe);
    fs::remove_file(probe).unwrap();
    mode & !umask
}

#[test]
fn a_replaced_file_keeps_its_mode_and_a_new_one_has_what_the_umask_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mlloop.toml");
    replace(&path, |out| out.write_all(b"new")).unwrap();
    assert_eq!(mode_of(&path), left(0o666, dir.path()));
    for mode in [0o600, 0o640, 0o664, 0o400] {
        set_mode(&path, mode);
        replace(&path, |out| out.write_all(b"again")).unwrap();
        assert_eq!(mode_of(&path), mode);
    }
    let made = dir.path().join("v0001");
    new_dir(&made, |dir| replace(&dir.join("model.bin"), |out| out.write_all(b"x"))).unwrap();
    assert_eq!(mode_of(&made), left(0o777, dir.path()));
    assert_eq!(mode_of(&made.join("model.bin")), left(0o666, dir.path()));
}

#[test]
fn a_copy_is_never_wider_than_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let [from, to] = ["mlloop.toml", "backup.toml"].map(|name| dir.path().join(name));
    fs::write(&from, "x").unwrap();
    for (source, old, expected) in
        [(0o600, None, 0o600), (0o600, Some(0o644), 0o600), (0o644, Some(0o600), 0o600), (0o640, Some(0o604), 0o600)]
    {
        let _ = fs::remove_file(&to);
        set_mode(&from, source);
        if let Some(mode) = old {
            fs::write(&to, "old").unwrap();
            set_mode(&to, mode);
        }
        copy(&from, &to).unwrap();
        assert_eq!((mode_of(&to), fs::read_to_string(&to).unwrap().as_str()), (expected, "x"), "{source:o} {old:?}");
    }
}

#[test]
fn files_that_arrive_together_keep_the_modes_of_those_that_they_replace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reference.csv");
    fs::write(&path, "old").unwrap();
    set_mode(&path, 0o600);
    let incoming = Incoming::begin(dir.path()).unwrap();
    for name in ["reference.csv", "deep/new.csv"] {
        incoming.write(Path::new(name), |out| out.write_all(b"new")).unwrap();
    }
    incoming.commit().unwrap();
    assert_eq!((mode_of(&path), mode_of(&dir.path().join("deep/new.csv"))), (0o600, left(0o666, dir.path())));
    assert_eq!(mode_of(&dir.path().join("deep")), left(0o777, dir.path()));
}

#[test]
fn leftovers_go_once_nobody_can_be_writing_them() {
    let dir = tempfile::tempdir().unwrap();
    let names = [".mlloop-old", ".mlloop-new", "kept.csv"].map(|name| dir.path().join(name));
    names.iter().for_each(|path| fs::write(path, "x").unwrap());
    let now = fs::metadata(&names[2]).unwrap().modified().unwrap();
    for path in [&names[0], &names[2]] {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(now - Duration::from_secs(3700)).unwrap();
    }
    remove_old_leftovers(dir.path(), now).unwrap();
    assert_eq!(names.map(|path| path.exists()), [false, true, true]);
    remove_old_leftovers(&dir.path().join("nowhere"), now).unwrap();
}

#[test]
fn a_directory_that_is_not_there_has_no_leftovers() {
    let dir = tempfile::tempdir().unwrap();
    let gone = dir.path().join("gone");
    remove_leftovers(&gone).unwrap();
    remove_old_leftovers(&gone, std::time::SystemTime::UNIX_EPOCH).unwrap();
    for name in [".mlloop-a", "kept"] {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    fs::create_dir(dir.path().join(".mlloop-b")).unwrap();
    remove_leftovers(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn files_of_a_set_are_never_wider_than_what_they_are_copies_of() {
    let dir = tempfile::tempdir().unwrap();
    let [source, into] = ["source.csv", "data"].map(|name| dir.path().join(name));
    fs::write(&source, "x").unwrap();
    fs::create_dir(&into).unwrap();
    fs::write(into.join("old.csv"), "x").unwrap();
    set_mode(&into.join("old.csv"), 0o644);
    set_mode(&source, 0o640);
    let incoming = Incoming::begin(&into).unwrap().like(&source).unwrap();
    for name in ["old.csv", "new.csv"] {
        incoming.write(Path::new(name), |out| out.write_all(b"y")).unwrap();
    }
    incoming.commit().unwrap();
    assert_eq!(mode_of(&into.join("old.csv")), 0o640);
    assert_eq!(mode_of(&into.join("new.csv")), left(0o640, dir.path()));
}

#[test]
fn a_file_is_narrowed_to_what_each_of_its_sources_allows() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, made] = ["a", "b", "made"].map(|name| dir.path().join(name));
    for (of_a, of_b, own, expected) in
        [(0o644, 0o600, 0o644, 0o600), (0o640, 0o604, 0o664, 0o600), (0o644, 0o644, 0o664, 0o644)]
    {
        for (path, mode) in [(&a, of_a), (&b, of_b), (&made, own)] {
            fs::write(path, "x").unwrap();
            set_mode(path, mode);
        }
        narrow(&made, &[&a, &b, &dir.path().join("none")]).unwrap();
        assert_eq!(mode_of(&made), expected);
    }
}

#[test]
fn a_replaced_file_stays_its_owners() {
    use std::os::unix::fs::{MetadataExt, chown};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.csv");
    fs::write(&path, "x").unwrap();
    // Only a superuser can give files away; for anybody else both are theirs.
    let _ = chown(&path, Some(1000), Some(1000));
    set_mode(&path, 0o600);
    let before = fs::metadata(&path).unwrap();
    replace(&path, |out| out.write_all(b"new")).unwrap();
    let now = fs::metadata(&path).unwrap();
    assert_eq!((now.uid(), now.gid(), mode_of(&path)), (before.uid(), before.gid(), 0o600));
}

#[test]
fn a_set_is_begun_where_an_earlier_one_was_left() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("deep/data");
    let incoming = Incoming::begin(&into).unwrap();
    for name in ["a.csv", "b.csv"] {
        incoming.write(Path::new(name), |out| out.write_all(b"x")).unwrap();
    }
    incoming.drop_file(Path::new("b.csv")).unwrap();
    assert!(incoming.path(Path::new("a.csv")).exists() && !incoming.path(Path::new("b.csv")).exists());
    drop(incoming);
    // A process died after its commit, and another one before.
    fs::create_dir(incoming_of(&into)).unwrap();
    fs::write(incoming_of(&into).join("old.csv"), "old").unwrap();
    fs::create_dir(into.join(".mlloop-left")).unwrap();
    let _begun = Incoming::begin(&into).unwrap();
    assert_eq!(fs::read_to_string(into.join("old.csv")).unwrap(), "old");
    assert!(!incoming_of(&into).exists() && !into.join(".mlloop-left").exists());
}
