//! The module order of `lib.rs` is the order in which modules may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn source_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The modules that `lib.rs` names, in its order.
fn modules() -> Vec<String> {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let named = |line: &str| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned);
    map.lines().filter_map(named).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The module of the library that a file belongs to: `src/table/csv.rs` → `table`.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The names after every `crate::` in the code of a file, comments left out.
fn uses(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.match_indices("crate::")
        .map(|(at, prefix)| {
            let rest = &code[at + prefix.len()..];
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        })
        .collect()
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let order = modules();
    assert!(order.len() > 8, "lib.rs lists the modules: {order:?}");
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let Some(own) = order.iter().position(|module| *module == module_of(&file)) else { continue };
        for used in uses(&fs::read_to_string(&file).unwrap()) {
            match order.iter().position(|module| *module == used) {
                Some(place) if place <= own => {}
                Some(_) => wrong.push(format!("{} uses {used}, which stands below {}", file.display(), order[own])),
                None => wrong.push(format!("{} uses crate::{used}, which lib.rs does not list", file.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The paths that a `use` names: `a::{b, c::d}` is `[a, b]` and `[a, c, d]`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let words = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or_default();
        path.split("::").map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let Some(open) = tree.find('{') else { return vec![words(tree)] };
    let (stem, inside) = (words(&tree[..open]), &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(inside[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let joined = |rest: Vec<String>| [stem.clone(), rest.into_iter().filter(|word| word != "self").collect()].concat();
    parts.into_iter().filter(|part| !part.is_empty()).flat_map(expand).map(joined).collect()
}

/// What a file uses, as paths; its tests and comments left out.
fn used_paths(source: &str) -> Vec<Vec<String>> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = source.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    // At the beginning of a line it is a statement; elsewhere it may be a word of a text.
    let begins = |at: usize| {
        let before = code[..at].rsplit('\n').next().unwrap_or_default().trim_start();
        before.is_empty() || before == "pub " || (before.starts_with("pub(") && before.ends_with(") "))
    };
    let statement = |(at, _): (usize, &str)| code[at + 4..].split(';').next().filter(|_| begins(at));
    let mut paths: Vec<_> = code.match_indices("use ").filter_map(statement).flat_map(expand).collect();
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    paths.extend(code.split(|c| !is_name(c)).filter(|word| word.contains("::")).flat_map(expand));
    paths
}

/// The files beside each other in a folder, each with those that it uses; what the folder's own module re-exports counts
/// for the file that has it. A folder inside, with the module that it belongs to, is none of them.
fn neighbours(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let in_src = folder.strip_prefix(root().join("src")).unwrap();
    let own: Vec<String> = in_src.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let module = [folder.join("mod.rs"), folder.with_extension("rs")].into_iter().find(|path| path.exists());
    let exported: BTreeMap<String, String> = module.map_or_else(BTreeMap::new, |path| {
        let paths = used_paths(&fs::read_to_string(path).unwrap()).into_iter();
        paths.filter_map(|path| Some((path.last()?.clone(), path.first()?.clone()))).collect()
    });
    let files: BTreeMap<String, String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "rs") && !path.with_extension("").is_dir())
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name != "mod" && !name.ends_with("tests"))
        .collect();
    let target = |path: &[String]| {
        let inside = match path.first()?.as_str() {
            "super" => &path[1..],
            "crate" => path[1..].strip_prefix(own.as_slice())?,
            // Names of other crates, or what a `use` above brought in.
            _ => return None,
        };
        let name = inside.first()?;
        [Some(name), exported.get(name)].into_iter().flatten().find(|name| files.contains_key(*name)).cloned()
    };
    let uses = |name: &String, text: &String| {
        used_paths(text).iter().filter_map(|path| target(path)).filter(|used| used != name).collect()
    };
    files.iter().map(|(name, text)| (name.clone(), uses(name, text))).collect()
}

/// Files that are one thing in several pieces, with the reason.
const TOGETHER: [(&str, &[&str], &str); 3] = [
    ("dashboard", &["actions", "shell", "web"], "a page is answered in a shell, and a form by an action"),
    (
        "serve",
        &["adapter", "desk", "job", "lookup", "predict", "state", "status"],
        "the state holds what answers by it",
    ),
    ("pipeline", &["crossfit", "trainer"], "folds are fitted by what chooses them"),
];

#[test]
fn files_of_a_folder_do_not_use_each_other_in_circles() {
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let folders: BTreeSet<PathBuf> = files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
    let mut circles = Vec::new();
    for folder in folders {
        let mut left = neighbours(&folder);
        let name = folder.strip_prefix(root().join("src")).unwrap().to_string_lossy().into_owned();
        let together =
            TOGETHER.iter().filter(|(of, _, _)| *of == name).flat_map(|(_, files, _)| files.iter()).collect::<Vec<_>>();
        for (file, used) in &mut left {
            used.retain(|other| !(together.contains(&&other.as_str()) && together.contains(&&file.as_str())));
        }
        // Those that use nothing that is left are taken away, again and again; what stays is a circle, or uses one.
        loop {
            let stay: BTreeSet<String> = left.keys().cloned().collect();
            let before = left.len();
            left.retain(|_, used| used.iter().any(|other| stay.contains(other)));
            if left.len() == before {
                break;
            }
        }
        if !left.is_empty() {
            circles.push(format!("{name}: {left:?}"));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// A test that only prints that it is skipped passes in silence: the runner hides what passing tests print.
#[test]
fn a_test_that_is_skipped_is_counted() {
    let mut files = Vec::new();
    source_files(&root().join("tests"), &mut files);
    let printed = concat!("eprintln!(\"", "skipped");
    for file in files {
        assert!(!fs::read_to_string(&file).unwrap().contains(printed), "{}: call skipped()", file.display());
    }
}

#[test]
fn only_the_model_module_names_the_engine() {
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    for file in files.into_iter().filter(|file| module_of(file) != "model") {
        assert!(!fs::read_to_string(&file).unwrap().contains("hessboost"), "{}", file.display());
    }
}

/// The paths under `src`, `tests`, `scripts` and `docs` that a document names in backticks.
fn named_paths(markdown: &str) -> Vec<&str> {
    let tops = ["src/", "tests/", "scripts/", "docs/"];
    markdown.split('`').skip(1).step_by(2).filter(|code| tops.iter().any(|top| code.starts_with(top))).collect()
}

#[test]
fn the_map_names_files_that_are_there() {
    for document in ["docs/architecture.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let named = named_paths(&text);
        let gone: Vec<_> = named.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(named.len() > 1 && gone.is_empty(), "{document} names {gone:?}, which are not there");
    }
}

/// The code of a file without comments and its tests.
fn code_of(source: &str) -> Vec<(usize, &str)> {
    let lines =
        source.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]" || line.starts_with(' '));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(n, line)| (n + 1, line)).collect()
}

#[test]
fn no_function_whose_last_bit_the_system_decides_is_asked_but_by_stats_portable() {
    // Roots, sums and products are exact everywhere; these are not.
    let asked = [
        "exp", "exp2", "exp_m1", "ln", "ln_1p", "log2", "log10", "powf", "sin", "cos", "tan", "sin_cos", "asin",
        "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "hypot",
    ];
    let mut files = Vec::new();
    source_files(&root().join("src"), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with("tests.rs") || name == "simulations.rs" || name == "portable.rs" {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        for (n, line) in code_of(&source) {
            let is_asked = |function: &&str| {
                [format!(".{function}("), format!("f64::{function}"), format!("f32::{function}")].iter().any(|call| {
                    let ends =
                        |at: usize| !line[at + call.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
                    line.match_indices(call.as_str()).any(|(at, _)| call.ends_with('(') || ends(at))
                })
            };
            if let Some(function) = asked.iter().find(|function| is_asked(function)) {
                wrong.push(format!("{}:{n}: {function}: use stats::portable", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// docs/dependencies.md is written by scripts/dependencies.py, whenever Cargo.lock has changed.
#[test]
fn the_page_of_dependencies_names_each_package_of_the_lock_and_no_other() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    let value = |package: &str, key: &str| {
        let found = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'));
        found.unwrap_or_default().to_owned()
    };
    let (lock, page) = (read("Cargo.lock"), read("docs/dependencies.md"));
    let locked: BTreeSet<String> = (lock.split("[[package]]").skip(1))
        .map(|package| format!("{} {}", value(package, "name"), value(package, "version")))
        .filter(|package| !package.starts_with("mlloop "))
        .collect();
    let tables = page.split("written by scripts/dependencies.py. -->").nth(1).unwrap();
    let rows: Vec<Vec<&str>> = (tables.lines().filter(|line| line.starts_with("| ")))
        .map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let named: BTreeSet<String> = rows
        .iter()
        .filter(|row| row[0] != "package")
        .map(|row| row[0].trim_end_matches(" (not on Linux)").to_owned())
        .collect();
    assert!(locked.len() > 100);
    assert_eq!(named, locked, "run scripts/dependencies.py");
    let unknown: Vec<&str> = rows.iter().filter(|row| row[1].is_empty()).map(|row| row[0]).collect();
    assert!(unknown.is_empty(), "the comment above a dependency in Cargo.toml says what it is for: {unknown:?}");
}
