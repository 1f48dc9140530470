#!/usr/bin/env python3
"""Changes the code of modules, one place at a time, and lists the changes that no test of the module notices.

usage: scripts/mutate.py MODULE ... [--most N] [--seconds 120] [--seed 1] [--only WHERE]   (atomic, gate, labels/store …)
       scripts/mutate.py MODULE ... --tests FILTER ...     by other tests of the library ("" is all of them)
       scripts/mutate.py MODULE ... --verbs FILTER ...     by the tests of the verbs
       scripts/mutate.py MODULE ... --binary PATH …        the tests as they were built before, of the same source and modules

All changes are built once, each behind a switch, so that a change needs a run of the tests but no build: in a
copy of the crate, `MLLOOP_MUTANT=17` switches the 17th change on. The changes are: a condition of `if` negated, a
comparison with its bound moved, a call that is a statement removed, a function that returns at once (`Ok(())`, `None`,
`true`, `false`, an empty list).

Each change is tested by the tests of its own module, or by those that match one of the filters of `--tests`, or with
`--verbs` by those of `tests/`. Each test first runs once, alone, and reports which changes it executes; a change is then
tested by these, the fastest first, for SECONDS in total. `--changes FILE` tests only the changes that a list of survivors
names; `--reached FILE` stores which changes each test executes, and is reused if it exists.

Prints a line for each change with its place: it survives, the tests could not all be run within the time, or the test that
noticed it. Exit status: 0 every change was noticed, 1 some were not.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SWITCH = """
/// Which change is switched on. Those that are come by are written to the file MLLOOP_REACHED.
pub(crate) fn mutant(n: usize) -> bool {
    use std::sync::{LazyLock, Mutex};
    static ON: LazyLock<usize> =
        LazyLock::new(|| std::env::var("MLLOOP_MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0));
    static REACHED: LazyLock<Option<Mutex<(std::fs::File, std::collections::HashSet<usize>)>>> = LazyLock::new(|| {
        let file = std::fs::File::options().append(true).create(true).open(std::env::var_os("MLLOOP_REACHED")?).ok()?;
        Some(Mutex::new((file, std::collections::HashSet::new())))
    });
    if let Some(Ok(mut reached)) = REACHED.as_ref().map(|reached| reached.lock()) && reached.1.insert(n) {
        let _ = std::io::Write::write_all(&mut reached.0, format!("{n}\\n").as_bytes());
    }
    *ON == n
}
"""
CONDITION = re.compile(r"^(\s*(?:\} else )?if )(?!let )([^{}|]+)( \{)$")
COMPARED = re.compile(r"^([^&|<>=!]+) (<=|<|>=|>) ([^&|<>=!]+)$")
BORDER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
CALL = re.compile(r"^(\s*)((?!let |return|break|continue|use |pub\b|mod |type |const |static )[a-z_][\w:.]*(?:::<[^>]*>)?\(.*\)\??;)$")
RETURNS = {
    r"(?:io::)?Result<\(\)(?:, \w+)?>": ["Ok(())"], r"bool": ["true", "false"], r"Option<.*>": ["None"],
    r"(?:io::)?Result<Option<.*>(?:, \w+)?>": ["Ok(None)"], r"(?:io::)?Result<bool(?:, \w+)?>": ["Ok(true)", "Ok(false)"],
    r"Vec<.*>": ["Vec::new()"], r"(?:io::)?Result<Vec<.*>(?:, \w+)?>": ["Ok(Vec::new())"],
}
SIGNATURE = re.compile(r"^\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn \w+.*-> (.*) \{$")
SIGNATURE_END = re.compile(r"^\s*\) -> (.*) \{$")


class Place:
    """A place that is changed, and the change."""

    def __init__(self, n, module, path, line, what):
        self.n, self.module, self.path, self.line, self.what = n, module, path, line, what

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}"


def of_tests(lines):
    """The indices of the lines that are built only for tests: the item after each `#[cfg(test)]`."""
    hidden, end = set(), None
    for n, line in enumerate(lines):
        if line.strip() == "#[cfg(test)]" and end is None:
            end = re.match(r" *", line)[0]
        if end is None:
            continue
        hidden.add(n)
        is_head = line.strip().startswith(("#[", "//"))
        if not is_head and line.startswith(end) and (line[len(end) :].startswith("}") or re.match(r"\S.*[;,]$", line[len(end) :])):
            end = None
    return hidden


def changed(module, path, text, found):
    """The text with a switch at each place; the places are added to `found`."""
    out, hidden = [], of_tests(text.splitlines())

    def place(line, what):
        found.append(Place(len(found) + 1, module, path, line, what))
        return f"crate::mutant({found[-1].n})"

    for n, line in enumerate(text.splitlines(), 1):
        if n - 1 in hidden or line.strip().startswith("//"):
            out.append(line)
            continue
        before = next((known.strip() for known in reversed(out) if known.strip()), "")
        begins = before.endswith((";", "{", "}")) or before.startswith(("//", "#["))
        if (m := CONDITION.match(line)) and not re.search(r"\b(if|let)\b", m[2]):
            compared = COMPARED.match(m[2])
            condition = f"({m[2]}) != {place(n, f'condition turned round: {m[2]}')}"
            if compared:
                a, sign, b = compared.groups()
                switch = place(n, f"{sign} made {BORDER[sign]}: {m[2]}")
                condition = f"(if {switch} {{ {a} {BORDER[sign]} {b} }} else {{ {condition} }})"
            out.append(f"{m[1]}{condition}{m[3]}")
        elif (m := CALL.match(line)) and begins:
            out.append(f"{m[1]}if !{place(n, f'left out: {m[2]}')} {{ {m[2]} }}")
        else:
            out.append(line)
            m = SIGNATURE.match(line) or SIGNATURE_END.match(line)
            values = next((v for kind, v in RETURNS.items() if m and re.fullmatch(kind, m[1])), [])
            for value in values:
                out.append(f"    if {place(n, f'returns {value} at once')} {{ return {value}; }}")
    return "\n".join(out) + "\n"


def files(module):
    path = ROOT / "src" / module
    found = sorted(path.rglob("*.rs")) if path.is_dir() else [path.with_suffix(".rs")]
    return [file for file in found if not re.search(r"test|power_loss|simulation|fault", file.name)]


def places(modules):
    """Every change, and the text of each file with all its changes."""
    found, texts = [], {}
    for module in modules:
        for file in files(module):
            name = file.relative_to(ROOT)
            texts[name] = changed(module, name, file.read_text(), found)
    return found, texts


def alone(copy):
    """The module `atomic`, which uses no other module, as a separate crate: it builds in seconds."""
    shutil.copytree(ROOT / "src" / "atomic", copy / "src" / "atomic")
    (copy / "src" / "lib.rs").write_text("pub mod atomic;\n")
    wanted = re.compile(r"^(?:memchr|rustix|serde|serde_json|tempfile|thiserror) = .*$", re.M)
    dependencies = "\n".join(wanted.findall((ROOT / "Cargo.toml").read_text().split("[profile")[0]))
    head = '[package]\nname = "mlloop"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n'
    (copy / "Cargo.toml").write_text(head + dependencies + "\n")
    shutil.copy(ROOT / "Cargo.lock", copy)


def built(copy, texts, kind):
    """Makes a copy of the crate with every change behind a switch; returns its test binary, that of `--lib` or `--test tests`."""
    shutil.rmtree(copy, ignore_errors=True)
    if all(name.parts[:2] == ("src", "atomic") for name in texts):
        alone(copy)
    else:
        left_out = lambda folder, names: {"target", ".git"} & set(names) if Path(folder) == ROOT else set()
        shutil.copytree(ROOT, copy, ignore=left_out, symlinks=True)
    for name, text in texts.items():
        (copy / name).write_text(text)
    library = copy / "src" / "lib.rs"
    library.write_text("#![allow(warnings, clippy::all)]\n" + library.read_text() + SWITCH)
    told = subprocess.run(
        ["cargo", "test", *kind, "--no-run"], cwd=copy, text=True, stderr=subprocess.PIPE,
        env={**os.environ, "RUSTFLAGS": os.environ.get("RUSTFLAGS", "")},
    )
    if told.returncode:
        sys.exit(told.stderr[-6000:])
    binary = re.findall(r"\(([^()]*/deps/(?:mlloop|tests)-[0-9a-f]+)\)", told.stderr)[-1]
    return copy / binary


def notices(binary, copy, tests, n, seconds, **more):
    """How a test detects change `n`: it fails, or does not end within `seconds`; "" if it passes."""
    ran = subprocess.Popen(
        [binary, *tests], cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "MLLOOP_MUTANT": str(n), **more}, start_new_session=True,
    )
    try:
        return "fails" if ran.wait(seconds) else ""
    except subprocess.TimeoutExpired:
        os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()
        return "does not end"


def come_by(pool, binary, copy, filters, seconds, kept):
    """For each change the tests that execute it, with their duration in seconds, the fastest first. `kept` is the file
    with earlier results, a line for each test."""
    known = [json.loads(line) for line in kept.read_text().splitlines()] if kept and kept.exists() else []
    known = {name: (name, *rest) for name, *rest in known}
    listed = subprocess.run([binary, "--list"], cwd=copy, text=True, stdout=subprocess.PIPE, check=True).stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]

    def ran(name):
        if name in known:
            return known[name]
        with tempfile.NamedTemporaryFile() as file:
            began = time.monotonic()
            fails = notices(binary, copy, [name, "--exact"], 0, seconds, MLLOOP_REACHED=file.name)
            found = name, fails, time.monotonic() - began, sorted(set(map(int, Path(file.name).read_text().split())))
        if kept:
            with open(kept, "a") as file:
                file.write(json.dumps(found) + "\n")
        return found

    reached = {}
    for name, fails, took, places in pool.map(ran, [name for name in names if any(wanted in name for wanted in filters)]):
        if fails:
            print(f"{fails} without any change, left out: {name}", flush=True)
            continue
        for n in places:
            reached.setdefault(n, []).append((took, name))
    return {n: sorted(tests) for n, tests in reached.items()}


def seen(binary, copy, tests, n, seconds):
    """The test that notices change `n`; `None` if none of the tests that execute it does, "" if not all of them ran within
    the time."""
    ends = time.monotonic() + seconds
    for took, name in tests:
        if time.monotonic() + took > ends:
            return ""
        # On a busy machine a test may take many times as long as alone.
        if told := notices(binary, copy, [name, "--exact"], n, 20 * took + 60):
            return f"{name}, which {told}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--most", type=int, default=10**6, help="changes that are tried, drawn by chance")
    parser.add_argument("--seconds", type=float, default=120, help="for one test without a change, and for all tests of a change")
    parser.add_argument("--only", default="", help="changes whose place and words have this")
    parser.add_argument("--binary", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="*", help="filters of tests; those of a change's own module by default")
    parser.add_argument("--verbs", nargs="*", help="filters of the tests of verbs, which are run in place of the module's")
    parser.add_argument("--reached", type=Path, help="file of the changes that each test of this binary executes")
    parser.add_argument("--jobs", type=int, default=2, help="tests that run at a time")
    parser.add_argument("--changes", type=Path, help="only changes that this list names, as it was printed before")
    args = parser.parse_args()
    copy = Path(os.environ.get("MUTANTS", ROOT / "target" / "mutate"))
    found, texts = places(args.modules)
    binary = args.binary or built(copy, texts, ["--lib"] if args.verbs is None else ["--test", "tests"])
    print(f"tests: {binary}", flush=True)
    listed = args.changes and set(args.changes.read_text().splitlines())
    tried = [place for place in found if args.only in str(place) and (not listed or f"survives: {place}" in listed)]
    random.Random(args.seed).shuffle(tried)
    tried = tried[: args.most]
    own = [place.module.replace("/", "::") + "::" for place in tried]
    survived, late = Counter(), Counter()
    with ThreadPoolExecutor(args.jobs) as pool:
        reached = come_by(pool, binary, copy, args.verbs or args.tests or sorted(set(own)), args.seconds, args.reached)

        def noticed(place, own):
            tests = reached.get(place.n, [])
            alone = not args.verbs and not args.tests
            return seen(binary, copy, [test for test in tests if not alone or test[1].startswith(own)], place.n, args.seconds)

        for place, by in zip(tried, pool.map(noticed, tried, own)):
            survived[place.module] += by is None
            late[place.module] += by == ""
            print({None: "survives", "": "out of time"}.get(by, f"seen by {by}") + f": {place}", flush=True)
    for module in args.modules:
        n_tried = sum(place.module == module for place in tried)
        n = sum(place.module == module for place in found)
        print(f"{module}: {n_tried} of {n} changes tried, {survived[module]} survive, {late[module]} were not tried to the end")
    sys.exit((survived + late).total() > 0)


if __name__ == "__main__":
    main()
