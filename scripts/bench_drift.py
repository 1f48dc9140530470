#!/usr/bin/env python3
"""False alarms, misses and delay of `mlloop monitor`, its presets, Evidently, NannyML and alibi-detect on the same streams.

usage: scripts/bench_drift.py [--seeds N] [--streams KIND,…] [--work DIR] [--mlloop FILE] [--peers evidently,nannyml,alibi]

26 weeks of 500 rows each against 4000 rows of reference; the change begins in week 14 (scripts/bench/streams.py). Each
peer has its own virtual environment, created on the first run; a peer that cannot be installed is skipped and named.
mlloop trains once on the reference and monitors with outcomes and without; the number of new rows is not an alarm. For
clustered rows it gets the customer column ([monitor] entity), which no peer supports.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STREAMS = ROOT / "scripts" / "bench" / "streams.py"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PACKAGES = {
    "evidently": ["evidently==0.7.23", "pandas==2.3.3"],
    "nannyml": ["nannyml==0.13.1", "statsmodels"],
    "alibi": ["alibi-detect==0.13.0"],
}
WEEKS, ONSET = 26, 13
STABLE = ["stable", "clustered", "seasonal"]
DRIFTING = ["sudden", "gradual", "recurring", "one column", "many", "new level", "missing", "label shift", "concept only"]
QUIET = "\n[monitor.triggers]\nnew_rows = false\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--streams", default=",".join(STABLE + DRIFTING))
    parser.add_argument("--work")
    parser.add_argument("--mlloop", default=TARGET / "release" / "mlloop")
    parser.add_argument("--peers", default="evidently,nannyml,alibi")
    args = parser.parse_args()
    work = Path(args.work or tempfile.mkdtemp(prefix="mlloop-streams-"))
    peers = [peer for peer in args.peers.split(",") if peer]
    found, pythons = {}, {peer: environment(peer) for peer in peers}
    maker = next((python for python in pythons.values() if python), sys.executable)
    subprocess.run([maker, STREAMS, "make", work, str(args.seeds), args.streams], check=True)
    for peer, python in pythons.items():
        if python is None:
            print(f"{peer} could not be installed and is left out", file=sys.stderr)
            continue
        print(f"bench: {peer}", file=sys.stderr)
        # Do not report their usage.
        env = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
        done = subprocess.run([python, STREAMS, peer, work], capture_output=True, text=True, env=env)
        if done.returncode != 0:
            print(f"{peer} failed and is left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        found.update(json.loads(done.stdout.strip().splitlines()[-1]))
    print("bench: mlloop", file=sys.stderr)
    found = {**ours(Path(args.mlloop).resolve(), work), **found}
    print(table(found))


def environment(peer):
    """The Python of a peer's virtual environment; None if it cannot be created."""
    folder = TARGET / "bench-drift" / peer
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        done = subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[peer]])
        if done.returncode != 0:
            return None
        (folder / "ready").touch()
    return python


def ours(mlloop, work):
    """Alarms of each preset by stream, and of the default preset without outcomes."""
    found = {}
    for reference in sorted(work.glob("*/*/ref.csv")):
        folder = reference.parent
        name = f"{folder.parent.name}/{folder.name}"
        loop = folder / "loop"
        shutil.rmtree(loop, ignore_errors=True)
        loop.mkdir()
        run = lambda *words: subprocess.run([mlloop, "-C", loop, *words], capture_output=True, text=True)
        done = run("init", reference, "--target", "y", "-q")
        if done.returncode != 0:
            sys.exit(done.stderr)
        if folder.name == "clustered":
            toml = (loop / "mlloop.toml").read_text()
            entity = '[monitor]\nentity = "customer"\n'
            known = "[monitor]\n" in toml
            (loop / "mlloop.toml").write_text(toml.replace("[monitor]\n", entity) if known else f"{toml}\n{entity}")
        done = run("train", "-q")
        if done.returncode != 0:
            sys.exit(done.stderr)
        with open(loop / "mlloop.toml", "a") as toml:
            toml.write(QUIET)
        blind = folder / "blind"
        blind.mkdir(exist_ok=True)
        for week in range(WEEKS):
            path = folder / f"w{week:02}.csv"
            lines = path.read_text().splitlines()
            hidden = blind / path.name
            hidden.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines) + "\n")
            for tool, table, options in [
                ("mlloop", path, []),
                ("mlloop, no outcomes", hidden, []),
                ("mlloop --preset evidently, no outcomes", hidden, ["--preset", "evidently"]),
                ("mlloop --preset psi, no outcomes", hidden, ["--preset", "psi"]),
            ]:
                done = run("monitor", table, "--formats", "json", "-q", *options)
                if done.returncode == 2:
                    sys.exit(done.stderr)
                found.setdefault(tool, {}).setdefault(name, []).append(done.returncode == 0)
    return found


def table(found):
    """A row per tool: alarms per 52 weeks without a change; per kind of change, the share found and the median delay."""
    lines = ["| tool | " + " | ".join(STABLE + DRIFTING) + " |", "|---|" + "---:|" * len(STABLE + DRIFTING)]
    for tool, streams in found.items():
        of = lambda kind: [alarms for name, alarms in streams.items() if name.split("/")[1] == kind]
        cells = []
        for kind in STABLE:
            weeks = [alarm for alarms in of(kind) for alarm in alarms]
            if kind == "stable":
                weeks += [alarm for other in DRIFTING for alarms in of(other) for alarm in alarms[:ONSET]]
            cells.append(f"{52 * sum(weeks) / len(weeks):.1f}" if weeks else "")
        for kind in DRIFTING:
            delays = [next((w for w, alarm in enumerate(alarms[ONSET:]) if alarm), None) for alarms in of(kind)]
            seen = [delay for delay in delays if delay is not None]
            delay = f", {statistics.median(seen):g}" if seen else ""
            cells.append(f"{100 * len(seen) / len(delays):.0f} %{delay}" if delays else "")
        lines.append(f"| {tool} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
