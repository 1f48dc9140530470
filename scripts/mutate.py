#!/usr/bin/env python3
"""Changes the code of modules, one place at a time, and lists the changes that no test of the module notices.

usage: scripts/mutate.py MODULE ... [--most N] [--seconds 120] [--seed 1] [--only WHERE]   (atomic, gate, labels/store …)
       scripts/mutate.py MODULE ... --verbs FILTER ...     by the tests of the verbs: each change by those that come by it
       scripts/mutate.py MODULE ... --binary PATH …        the tests as they were built before, of the same source and modules

All changes are built once, each behind a switch, so that a change costs a run of the tests and no build: a copy of the
crate is made, in which `MLLOOP_MUTANT=17` switches the 17th change on. The changes are: a condition of `if` turned round, a
comparison with its border moved, a call that is a statement left out, a function that returns at once (`Ok(())`, `None`,
`true`, `false`, an empty list).

Each change is tried by the tests of its own module, or by those that `--tests` names. With `--verbs` it is tried by the tests of
`tests/` whose names have one of the filters: each of them runs once, alone, and says which changes it comes by; a change is
then tried by these, the quickest first, for SECONDS in all. `--changes FILE` takes only those that a list of survivors names.

Prints a line for each change that survives, with its place. Exit status: 0 every change was noticed, 1 some were not.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
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
    """Where something is changed, and how."""

    def __init__(self, n, module, path, line, what):
        self.n, self.module, self.path, self.line, self.what = n, module, path, line, what

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}"


def changed(module, path, text, found):
    """The text with a switch at each place; the places are added to `found`."""
    out, is_test = [], False

    def place(line, what):
        found.append(Place(len(found) + 1, module, path, line, what))
        return f"crate::mutant({found[-1].n})"

    for n, line in enumerate(text.splitlines(), 1):
        is_test |= line.strip() == "#[cfg(test)]"
        if is_test or line.strip().startswith("//"):
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
    """Every change, and the text of each file with all of them."""
    found, texts = [], {}
    for module in modules:
        for file in files(module):
            name = file.relative_to(ROOT)
            texts[name] = changed(module, name, file.read_text(), found)
    return found, texts


def alone(copy):
    """The module `atomic`, which uses no other one, as a crate of its own: it is built in seconds."""
    shutil.copytree(ROOT / "src" / "atomic", copy / "src" / "atomic")
    (copy / "src" / "lib.rs").write_text("pub mod atomic;\n")
    wanted = re.compile(r"^(?:memchr|rustix|tempfile) = .*$", re.M)
    dependencies = "\n".join(wanted.findall((ROOT / "Cargo.toml").read_text().split("[profile")[0]))
    head = '[package]\nname = "mlloop"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\n'
    (copy / "Cargo.toml").write_text(head + dependencies + "\n")
    shutil.copy(ROOT / "Cargo.lock", copy)


def built(copy, texts, kind):
    """A copy of the crate with every change behind a switch; gives the binary of its tests, those of `--lib` or of `--test tests`."""
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
    """Whether a test fails, or does not end, with change `n`."""
    ran = subprocess.Popen(
        [binary, *tests, "--test-threads", "2"], cwd=copy, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "MLLOOP_MUTANT": str(n), **more}, start_new_session=True,
    )
    try:
        return ran.wait(seconds) != 0
    except subprocess.TimeoutExpired:
        os.killpg(ran.pid, signal.SIGKILL)
        ran.wait()
        return True


def come_by(binary, copy, filters, seconds):
    """For each change the tests that come by it, with the seconds that they take; the quickest first."""
    listed = subprocess.run([binary, "--list"], cwd=copy, text=True, stdout=subprocess.PIPE, check=True).stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    reached = {}
    for name in names:
        if not any(wanted in name for wanted in filters):
            continue
        with tempfile.NamedTemporaryFile() as file:
            began = time.monotonic()
            if notices(binary, copy, [name, "--exact"], 0, seconds, MLLOOP_REACHED=file.name):
                print(f"fails or is slow without any change, left out: {name}", flush=True)
                continue
            took = time.monotonic() - began
            for n in set(map(int, Path(file.name).read_text().split())):
                reached.setdefault(n, []).append((took, name))
    return {n: sorted(tests) for n, tests in reached.items()}


def seen(binary, copy, tests, n, seconds):
    """The test that notices change `n`; `None` where none of those that come by it does so within the time."""
    ends = time.monotonic() + seconds
    for took, name in tests:
        if time.monotonic() + took > ends:
            return None
        if notices(binary, copy, [name, "--exact"], n, 5 * took + 10):
            return name
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+")
    parser.add_argument("--most", type=int, default=10**6, help="changes that are tried, drawn by chance")
    parser.add_argument("--seconds", type=float, default=120, help="the tests must end within this")
    parser.add_argument("--only", default="", help="changes whose place and words have this")
    parser.add_argument("--binary", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="*", help="filters of tests; those of a change's own module by default")
    parser.add_argument("--verbs", nargs="*", help="filters of the tests of verbs, which are run in place of the module's")
    parser.add_argument("--changes", type=Path, help="only changes that this list names, as it was printed before")
    args = parser.parse_args()
    copy = Path(os.environ.get("MUTANTS", ROOT / "target" / "mutate"))
    found, texts = places(args.modules)
    binary = args.binary or built(copy, texts, ["--lib"] if args.verbs is None else ["--test", "tests"])
    print(f"tests: {binary}", flush=True)
    listed = args.changes and set(args.changes.read_text().splitlines())
    tried = [place for place in found if args.only in str(place) and (not listed or f"survives: {place}" in listed)]
    random.Random(args.seed).shuffle(tried)
    tried, survived = tried[: args.most], 0
    if args.verbs is None:
        own = lambda place: args.tests or [place.module.replace("/", "::") + "::"]
        for tests in sorted({tuple(own(place)) for place in tried}):
            if notices(binary, copy, tests, 0, args.seconds):
                sys.exit(f"the tests {' '.join(tests)} fail without any change")
        notice = lambda place: notices(binary, copy, own(place), place.n, args.seconds)
    else:
        reached = come_by(binary, copy, args.verbs, args.seconds)
        notice = lambda place: seen(binary, copy, reached.get(place.n, []), place.n, args.seconds)
    for place in tried:
        by = notice(place)
        if not by:
            survived += 1
            print(f"survives: {place}", flush=True)
        elif by is not True:
            print(f"seen by {by}: {place}", flush=True)
    print(f"{len(tried)} of {len(found)} changes tried, {survived} survive")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
