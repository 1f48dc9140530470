//! A simulated power loss after every call that changes the disk.
//!
//! What survives: the bytes of a file at its last sync, and of later ones none, all or the first half; of
//! the renames since the last sync of their directory, any subset. A rename is atomic, as on a journaling file
//! system. A sync may also fail: then nothing was promised, and nothing that existed before may be lost.

use super::disk::{Op, TAPE, Tape};
use super::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// Every file below `root` by its relative path; directories have a path that ends in `/`.
fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(root.join(&dir)).unwrap() {
            let path = dir.join(entry.unwrap().file_name());
            if root.join(&path).is_dir() {
                found.insert(path.join(""), Vec::new());
                dirs.push(path);
            } else {
                found.insert(path.clone(), fs::read(root.join(&path)).unwrap());
            }
        }
    }
    found
}

fn put(tree: &Tree, root: &Path) {
    for (path, bytes) in tree {
        let path = root.join(path);
        if path.to_string_lossy().ends_with('/') {
            fs::create_dir_all(&path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, bytes).unwrap();
        }
    }
}

/// A file or directory, independent of its name.
#[derive(Clone, Default)]
struct Node {
    /// A file's durable bytes, and those written since.
    safe: Vec<u8>,
    unsafe_: Option<Vec<u8>>,
    /// A directory's durable names.
    names: BTreeMap<String, usize>,
    is_dir: bool,
}

/// A change of names: the directories, and their content after it.
#[derive(Clone)]
struct Change {
    gone: Option<(usize, String)>,
    came: Option<(usize, String, usize)>,
}

/// A disk with its durable and its volatile content.
#[derive(Clone)]
struct Disk {
    nodes: Vec<Node>,
    /// Names as they are now, durable or not.
    now: BTreeMap<PathBuf, usize>,
    changes: Vec<Change>,
    root: PathBuf,
}

impl Disk {
    fn new(root: &Path, tree: &Tree) -> Self {
        let node = Node { is_dir: true, ..Node::default() };
        let mut disk = Self { nodes: vec![node], now: BTreeMap::new(), changes: Vec::new(), root: root.to_owned() };
        disk.now.insert(PathBuf::new(), 0);
        for (path, bytes) in tree {
            let is_dir = path.to_string_lossy().ends_with('/');
            let path: PathBuf = path.components().collect();
            disk.nodes.push(Node { safe: bytes.clone(), is_dir, ..Node::default() });
            let id = disk.nodes.len() - 1;
            let (dir, name) = disk.place(&path);
            disk.nodes[dir].names.insert(name, id);
            disk.now.insert(path, id);
        }
        disk
    }

    fn place(&self, path: &Path) -> (usize, String) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (self.now[path.parent().unwrap()], name)
    }

    fn apply(&mut self, op: &Op) {
        let short = |path: &Path| path.strip_prefix(&self.root).unwrap().components().collect::<PathBuf>();
        match op {
            Op::Create(path) | Op::MakeDir(path) => {
                let path = short(path);
                let (dir, name) = self.place(&path);
                self.nodes.push(Node { is_dir: matches!(op, Op::MakeDir(_)), ..Node::default() });
                let id = self.nodes.len() - 1;
                self.now.insert(path, id);
                self.changes.push(Change { gone: None, came: Some((dir, name, id)) });
            }
            Op::Data(path, bytes) => {
                let id = self.now[&short(path)];
                self.nodes[id].unsafe_ = Some(bytes.clone());
            }
            Op::Rename(from, to) => {
                let (from, to) = (short(from), short(to));
                let (gone, (dir, name)) = (self.place(&from), self.place(&to));
                let moved: Vec<PathBuf> = self.now.keys().filter(|path| path.starts_with(&from)).cloned().collect();
                let ids: Vec<(PathBuf, usize)> =
                    moved.iter().map(|path| (to.join(path.strip_prefix(&from).unwrap()), self.now[path])).collect();
                self.now.retain(|path, _| !path.starts_with(&from) && !path.starts_with(&to));
                self.now.extend(ids.into_iter().map(|(path, id)| (path.components().collect(), id)));
                let id = self.now[&to];
                self.changes.push(Change { gone: Some(gone), came: Some((dir, name, id)) });
            }
            Op::Remove(path) => {
                let path = short(path);
                let gone = Some(self.place(&path));
                self.now.retain(|other, _| !other.starts_with(&path));
                self.changes.push(Change { gone, came: None });
            }
            Op::SyncFile(path) => {
                let id = self.now[&short(path)];
                if let Some(bytes) = self.nodes[id].unsafe_.take() {
                    self.nodes[id].safe = bytes;
                }
            }
            Op::SyncDir(path) => {
                let dir = self.now[&short(path)];
                // A rename is durable once its target directory is synced.
                let touches = |change: &Change| match (&change.came, &change.gone) {
                    (Some((at, ..)), _) | (None, Some((at, _))) => *at == dir,
                    (None, None) => false,
                };
                let (synced, rest): (Vec<_>, Vec<_>) = self.changes.drain(..).partition(touches);
                self.changes = rest;
                synced.iter().for_each(|change| make(&mut self.nodes, change));
            }
        }
    }

    /// The states that a power loss may leave now.
    fn left(&self) -> BTreeSet<Vec<(PathBuf, Vec<u8>)>> {
        let n = self.changes.len();
        let mut kept: Vec<Vec<bool>> = Vec::new();
        for first in 0..=n {
            kept.push((0..n).map(|k| k < first).collect());
            kept.push((0..n).map(|k| k >= first).collect());
        }
        for one in 0..n {
            kept.push((0..n).map(|k| k == one).collect());
            kept.push((0..n).map(|k| k != one).collect());
        }
        let mut left = BTreeSet::new();
        for kept in kept {
            let mut nodes = self.nodes.clone();
            self.changes.iter().zip(&kept).filter(|(_, kept)| **kept).for_each(|(change, _)| make(&mut nodes, change));
            for bytes in [|node: &Node| node.safe.clone(), newest, half] {
                let mut tree = Vec::new();
                list(&nodes, 0, &PathBuf::new(), &bytes, &mut tree);
                left.insert(tree);
            }
        }
        left
    }
}

fn newest(node: &Node) -> Vec<u8> {
    node.unsafe_.clone().unwrap_or_else(|| node.safe.clone())
}

fn half(node: &Node) -> Vec<u8> {
    let all = newest(node);
    let from = all.iter().zip(&node.safe).take_while(|(a, b)| a == b).count();
    all[..from + (all.len() - from) / 2].to_vec()
}

fn make(nodes: &mut [Node], change: &Change) {
    if let Some((dir, name)) = &change.gone {
        nodes[*dir].names.remove(name);
    }
    if let Some((dir, name, id)) = &change.came {
        nodes[*dir].names.insert(name.clone(), *id);
    }
}

fn list(nodes: &[Node], id: usize, at: &Path, bytes: &dyn Fn(&Node) -> Vec<u8>, tree: &mut Vec<(PathBuf, Vec<u8>)>) {
    for (name, &child) in &nodes[id].names {
        let path = at.join(name);
        if nodes[child].is_dir {
            tree.push((path.join(""), Vec::new()));
            list(nodes, child, &path, bytes, tree);
        } else {
            tree.push((path, bytes(&nodes[child])));
        }
    }
}

/// Runs `work` in a directory that holds `before`, cuts the power after each of its calls, and calls `check` on each
/// possible directory; the flag says whether `work` had returned. Then makes each of its syncs fail.
fn cut_everywhere(before: &[(&str, &str)], work: impl Fn(&Path) -> io::Result<()>, check: impl Fn(bool, &Path)) {
    let before: Tree = before.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect();
    let mut failing = None;
    loop {
        let dir = tempfile::tempdir().unwrap();
        put(&before, dir.path());
        let start = tree(dir.path());
        TAPE.set(Some(Tape { failing, ..Tape::default() }));
        let done = work(dir.path());
        let tape = TAPE.take().unwrap();
        assert_eq!(done.is_err(), failing.is_some(), "{done:?} with sync {failing:?} failing: {:?}", tape.ops);
        let mut disk = Disk::new(dir.path(), &start);
        let mut seen = HashSet::new();
        for n in 0..=tape.ops.len() {
            let returned = n == tape.ops.len() && done.is_ok();
            for left in disk.left() {
                if seen.insert((returned, left.clone())) {
                    let after = tempfile::tempdir().unwrap();
                    put(&left.into_iter().collect(), after.path());
                    check(returned, after.path());
                }
            }
            if let Some(op) = tape.ops.get(n) {
                disk.apply(op);
            }
        }
        let next = failing.map_or(1, |failed| failed + 1);
        if next > tape.n_syncs.max(failing.unwrap_or(0)) {
            break;
        }
        failing = Some(next);
    }
}

fn text(path: PathBuf) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[test]
fn a_replaced_file_is_the_old_one_or_the_new_one() {
    for old in [None, Some("old")] {
        let before: Vec<(&str, &str)> = old.map(|text| ("roles.json", text)).into_iter().collect();
        cut_everywhere(
            &before,
            |dir| replace(&dir.join("roles.json"), |out| out.write_all(b"the new roles")),
            |returned, dir| {
                let found = text(dir.join("roles.json"));
                let is_new = found.as_deref() == Some("the new roles");
                assert!(is_new || (!returned && found.as_deref() == old), "{found:?}");
            },
        );
    }
}

#[test]
fn an_appended_line_is_there_once_the_call_has_returned() {
    for old in ["", "one\n", "one\nhalf"] {
        let whole = if old.is_empty() { "" } else { "one\n" };
        cut_everywhere(
            &[("audit.jsonl", old)],
            |dir| append(&dir.join("audit.jsonl"), b"two two\n"),
            |returned, dir| {
                let found = text(dir.join("audit.jsonl")).unwrap();
                assert!(found.starts_with(whole), "{found:?} lost a line");
                let last = last_line(&dir.join("audit.jsonl")).unwrap().map(|line| String::from_utf8(line).unwrap());
                let is_new = last.as_deref() == Some("two two");
                assert!(is_new || (!returned && last.as_deref() == whole.strip_suffix('\n')), "{found:?}");
            },
        );
    }
}

#[test]
fn the_first_line_of_a_log_in_a_new_directory_is_there_once_the_call_has_returned() {
    cut_everywhere(
        &[],
        |dir| {
            make_dirs(dir.join("predictions/deep"))?;
            append(&dir.join("predictions/deep/2026-11-20.csv"), b"one\n")
        },
        |returned, dir| {
            let found = text(dir.join("predictions/deep/2026-11-20.csv"));
            assert!(!returned || found.as_deref() == Some("one\n"), "{found:?}");
        },
    );
}

#[test]
fn what_others_appended_is_there_once_it_is_synced() {
    cut_everywhere(
        &[],
        |dir| {
            let path = dir.join("predictions.csv");
            Appender::open(&path)?.append(b"id\n", b"one\n", false)?;
            sync_file(&path)
        },
        |returned, dir| assert!(!returned || text(dir.join("predictions.csv")).as_deref() == Some("id\none\n")),
    );
    sync_file(Path::new("is/not/there")).unwrap();
}

#[test]
fn a_directory_appears_whole() {
    cut_everywhere(
        &[],
        |dir| {
            new_dir(&dir.join("v0001"), |beside| {
                replace(&beside.join("model.bin"), |out| out.write_all(b"model"))?;
                // The caller's `fill` need not sync.
                let path = beside.join("pipeline.json");
                fs::write(&path, b"pipeline")?;
                disk::created(&path);
                disk::wrote(&path);
                Ok(())
            })
        },
        |returned, dir| {
            let version = dir.join("v0001");
            if returned || version.exists() {
                assert_eq!(text(version.join("model.bin")).as_deref(), Some("model"));
                assert_eq!(text(version.join("pipeline.json")).as_deref(), Some("pipeline"));
            }
        },
    );
}

#[test]
fn files_that_arrive_together_are_all_old_or_all_new() {
    cut_everywhere(
        &[("data/reference.csv", "old")],
        |dir| {
            let incoming = Incoming::begin(&dir.join("data"))?;
            for name in ["reference.csv", "deep/er/table.csv"] {
                incoming.write(Path::new(name), |out| out.write_all(b"new"))?;
            }
            incoming.commit()
        },
        |returned, dir| {
            complete_incoming(&dir.join("data")).unwrap();
            let found = [text(dir.join("data/reference.csv")), text(dir.join("data/deep/er/table.csv"))];
            let is_new = found.iter().all(|text| text.as_deref() == Some("new"));
            let is_old = (found[0].as_deref(), found[1].as_deref()) == (Some("old"), None);
            assert!(is_new || (!returned && is_old), "{found:?}");
        },
    );
}

#[test]
fn what_is_moved_or_removed_is_in_one_place_and_then_gone() {
    cut_everywhere(
        &[("out/batch.json", "batch"), ("in/other", "")],
        |dir| rename(&dir.join("out/batch.json"), &dir.join("in/batch.json")),
        |returned, dir| {
            let found = [text(dir.join("out/batch.json")), text(dir.join("in/batch.json"))];
            assert!(found.iter().filter(|text| text.as_deref() == Some("batch")).count() == 1, "{found:?}");
            assert!(!returned || found[0].is_none(), "{found:?}");
        },
    );
    cut_everywhere(
        &[("models/v0001/a", "a"), ("models/v0001/b", "b")],
        |dir| remove_dir(&dir.join("models/v0001")),
        |returned, dir| {
            let version = dir.join("models/v0001");
            let is_whole = version.join("a").exists() && version.join("b").exists();
            assert!(if version.exists() { is_whole && !returned } else { true });
            assert!(!returned || fs::read_dir(dir.join("models")).unwrap().count() == 0, "nothing is left");
        },
    );
    cut_everywhere(
        &[("importing.json", "x")],
        |dir| remove_file(&dir.join("importing.json")),
        |returned, dir| assert!(!returned || !dir.join("importing.json").exists()),
    );
    // A forgotten file may return after a power loss, and stays away without one.
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("untold");
    fs::write(&mark, "b1").unwrap();
    forget(&mark).unwrap();
    forget(&mark).unwrap();
    assert!(!mark.exists());
}
