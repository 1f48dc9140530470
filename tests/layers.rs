//! The module order of `lib.rs` is the order in which modules may use each other.

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
