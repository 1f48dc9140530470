#!/usr/bin/env python3
"""Writes the tables of docs/dependencies.md, from the marker line to the end.

usage: scripts/dependencies.py

The purpose of a dependency is the comment above it in Cargo.toml; the dependencies of packages are in Cargo.lock;
`cargo tree` lists the packages of a build on Linux.
"""

import re
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
BEGIN = "<!-- From here on written by scripts/dependencies.py. -->\n"
MOST = 4


def graph():
    """Each package, as (name, version), with the packages it needs; the root is named mlloop."""
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    versions = defaultdict(list)
    for package in packages:
        versions[package["name"]].append(package["version"])

    def named(text):
        name, *rest = text.split(" ")
        return name, rest[0] if rest else versions[name][0]

    return {(p["name"], p["version"]): [named(text) for text in p.get("dependencies", [])] for p in packages}


def reached(needs, begin):
    found, open_ = set(), list(begin)
    while open_:
        package = open_.pop()
        if package not in found:
            found.add(package)
            open_ += needs[package]
    return found


def purposes():
    """The purpose of each direct dependency: the comment above it."""
    found, comment, text = {}, [], (ROOT / "Cargo.toml").read_text()
    for line in text[text.index("\n[dependencies]") : text.index("\n[lints")].splitlines():
        if line.startswith("# "):
            comment.append(line[2:])
        elif m := re.match(r"([\w-]+) = ", line):
            found.setdefault(m[1], " ".join(comment))
            comment = []
        else:
            comment = []
    return found


def features(cargo):
    """The features of mlloop that enable an optional dependency."""
    found = defaultdict(list)
    for feature, parts in cargo["features"].items():
        for part in parts:
            if part.startswith("dep:"):
                found[part.removeprefix("dep:")].append(feature)
    return found


def on_linux():
    told = subprocess.run(
        ["cargo", "tree", "--locked", "--target", "x86_64-unknown-linux-gnu", "--edges", "normal,build,dev", "--prefix", "none"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True,
    ).stdout
    return {tuple(line.split(" ")[:2]) for line in told.replace(" v", " ").splitlines() if line.strip()}


def tables():
    needs, cargo = graph(), tomllib.loads((ROOT / "Cargo.toml").read_text())
    root = next(package for package in needs if package[0] == "mlloop")
    direct, everything = needs.pop(root), set(needs) - {root}
    linux, why, by_feature = on_linux(), purposes(), features(cargo)
    rows = []
    for package in direct:
        name, version = package
        alone = everything - reached(needs, [other for other in direct if other != package])
        when = "tests" if name in cargo["dev-dependencies"] else ", ".join(by_feature[name])
        rows.append((len(alone), len(reached(needs, [package])), name, version, when, why[name]))
    tests_only = everything - reached(needs, [p for p in direct if p[0] not in cargo["dev-dependencies"]])
    out = [
        f"Cargo.lock has {len(everything)} packages besides mlloop: {len(direct)} direct dependencies and "
        f"{len(everything) - len(direct)} that these bring.",
        f"{len(everything & linux)} of them are compiled on Linux, {len(tests_only & linux)} of these for tests alone; the others belong to "
        "other systems, or to features of dependencies that are off.\n",
        "## Direct dependencies\n",
        "*Alone* counts the packages that nothing else brings, itself included; *in all* counts those that it needs. The third "
        "column names the feature of mlloop that a dependency belongs to; those without one are always there.\n",
        "| package | for | feature | alone | in all |",
        "|---|---|---|---|---|",
    ]
    for alone, all_, name, version, when, text in sorted(rows, key=lambda row: (-row[0], -row[1], row[2])):
        out.append(f"| {name} {version} | {text} | {when} | {alone} | {all_} |")
    by = defaultdict(set)
    for package, parts in needs.items():
        for part in parts:
            by[part].add(package[0])
    out += ["\n## What these bring\n", "| package | needed by |", "|---|---|"]
    for package in sorted(everything - set(direct)):
        users = sorted(by[package])
        more = f" and {len(users) - MOST} more" if len(users) > MOST else ""
        away = "" if package in linux else " (not on Linux)"
        out.append(f"| {' '.join(package)}{away} | {', '.join(users[:MOST])}{more} |")
    return "\n".join(out) + "\n"


def main():
    head, begin, _ = PAGE.read_text().partition(BEGIN)
    assert begin, f"{PAGE}: has no line {BEGIN!r}"
    PAGE.write_text(head + begin + "\n" + tables())


if __name__ == "__main__":
    main()
