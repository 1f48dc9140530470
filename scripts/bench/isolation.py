#!/usr/bin/env python3
"""Measures predictions while other clients and processes load the server.

usage: scripts/bench/isolation.py [--binary PATH] [--seconds 5] [--only NAME ...] [--assert]

A loop with one version is made of fixtures/tables/churn.csv and served. Two clients ask for one prediction after another,
first alone, then beside each burden:

  lock       another process holds the lock of the loop, and 32 clients send feedback
  gets       64 clients ask for the state of the loop, one after another
  bodies     16 clients send 9000 rows each
  idle       1000 connections that send nothing, and 60 that send a byte each second
  slow       520 connections that began a request and do not continue
  drip       1000 connections of many addresses that send a byte of a body each .4 s
  promote    production changes each second
  kill       the server is ended with SIGKILL each second and started anew
  full       the disk is full for a second, then has room again, in turns (a tmpfs: needs the right to mount)
  clock      the clock of the server jumps by a day, to and fro (needs libfaketime)
  round      the server runs the loop beside itself (serve --run-every 1s), and 1000 labelled rows come for each round,
             so that it monitors, retrains and lets the gate judge

and prints, as JSON: p50 and p99 of predictions in milliseconds, answers other than 200, the slowest answer of /health on
a new connection, the ratio of p99 to that of the clients alone, and how many rows were acknowledged and are in no line of the
prediction log. Needs a built mlloop (make build, or --binary).

Exit status: 0; with --assert 1 when p99 is above twice that of the clients alone, /health took 50 ms or more, a prediction
was refused where nothing stopped it (a full disk and SIGKILL do), or an acknowledged row is lost.
"""

import argparse
import csv
import fcntl
import glob
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ROW = {
    "contract": "monthly", "months": 3, "internet": "dsl", "paperless": "yes", "monthly_charge": 63.9,
    "total_charge": 191.7, "support_calls": 0,
}
TOKEN = "isolation"


class Client:
    """One connection that stays open."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, method, path, body=b""):
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        line = self.file.readline()
        if not line:
            raise ConnectionError("closed")
        status, length = int(line.split()[1]), 0
        while (line := self.file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.file.read(length)
        return status


def keep_asking(over, address, seen, method, path, body):
    """Sends requests until the end; reconnects if refused. `body` may be a function that makes one body after another."""
    while not over.is_set():
        try:
            client = Client(address)
            while not over.is_set():
                text, acknowledged = body() if callable(body) else (body, None)
                began = time.perf_counter()
                status = client.ask(method, path, text)
                seen.append((time.perf_counter() - began, status))
                if status == 200 and acknowledged:
                    acknowledged()
                if status == 503:
                    over.wait(0.05)
        except OSError:
            seen.append((0.0, 0))
            over.wait(0.05)


def health(over, address, seen):
    while not over.is_set():
        began = time.perf_counter()
        try:
            status = Client(address).ask("GET", "/health")
        except OSError:
            status = 0
        seen.append((time.perf_counter() - began, status))
        over.wait(0.1)


def lock(folder, address, over, start):
    with open(folder / ".mlloop.lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        body = json.dumps({"id": "0-0", "verdict": "correct", "by": "ann"}).encode()
        for _ in range(32):
            start(keep_asking, [], "POST", "/feedback", body)
        over.wait()


def gets(folder, address, over, start):
    paths = ["/retrain/status", "/models", "/metrics", "/openapi.json", "/docs", "/ab/status", "/", "/ready"]
    for n in range(64):
        start(keep_asking, [], "GET", paths[n % len(paths)], b"")
    over.wait()


def bodies(folder, address, over, start):
    body = json.dumps([{**ROW, "customer": f"b{n}"} for n in range(9000)]).encode()
    for _ in range(16):
        start(keep_asking, [], "POST", "/predict", body)
    over.wait()


def connect(address, n, text):
    opened = []
    for _ in range(n):
        try:
            opened.append(socket.create_connection(address, timeout=5))
            if text:
                opened[-1].sendall(text)
        except OSError:
            pass
    return opened


HALF = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"


def idle(folder, address, over, start):
    opened = connect(address, 1000, b"")
    slow = connect(address, 60, HALF)
    while not over.wait(1):
        for client in slow:
            try:
                client.send(b" ")
            except OSError:
                pass
    return opened


def slow(folder, address, over, start):
    opened = connect(address, 520, HALF)
    over.wait()
    return opened


def drip(folder, address, over, start):
    opened = []
    for n in range(1000):
        client = socket.socket()
        try:
            client.bind((f"127.0.{n % 200}.{2 + n // 200}", 0))
            client.connect(address)
            client.sendall(HALF)
            opened.append(client)
        except OSError:
            client.close()
    while not over.wait(0.4):
        for client in opened:
            try:
                client.send(b" ", socket.MSG_DONTWAIT)
            except OSError:
                pass
    return opened


def promote(folder, address, over, start):
    for n in itertools.count():
        words = ["-C", folder, "-q", "promote", "--version", f"v000{2 - n % 2}", "--override", "isolation", "--by", "ann"]
        subprocess.run([BINARY[0], *words], check=True, stdout=subprocess.DEVNULL)
        if over.wait(1):
            return


def kill(folder, address, over, start):
    while not over.wait(1):
        SERVER[0].send_signal(signal.SIGKILL)
        SERVER[0].wait()
        SERVER[0] = started(folder, address[1], [])[0]


def full(folder, address, over, start):
    filler = folder / "filler"
    while not over.is_set():
        try:
            with open(filler, "wb", buffering=0) as file:
                while file.write(b"0" * 4096):
                    pass
        except OSError:
            pass
        over.wait(1)
        filler.unlink(missing_ok=True)
        over.wait(1)


def clock(folder, address, over, start):
    """Writes the clock's offset to the file that libfaketime reads."""
    for days in itertools.cycle([1, 0, -1, 0]):
        (folder.parent / "clock").write_text(f"{days:+d}d\n")
        if over.wait(0.5):
            return


FAKETIME = next(
    itertools.chain.from_iterable(glob.iglob(f"/usr/{lib}/faketime/libfaketime.so.1") for lib in ["lib/*", "lib", "local/lib"]),
    None,
)


def mounted(folder):
    """Whether the folder is now a separate small file system."""
    told = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], stderr=subprocess.DEVNULL)
    return told.returncode == 0


def rounds(folder, verb="run"):
    """How often a verb ran, according to the run log."""
    try:
        lines = (folder / "runs" / "runs.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(json.loads(line)["verb"] == verb for line in lines)


def round_beside(folder, address, over, start):
    while not over.is_set():
        before = rounds(folder)
        # The server trains meanwhile, and holds the lock during training.
        words = ["-C", folder, "-q", "simulate", "-n", "1000", "--with-labels", "--wait", "60"]
        subprocess.run([BINARY[0], *words], check=True, stdout=subprocess.DEVNULL)
        while rounds(folder) == before and not over.wait(0.2):
            pass


BURDENS = {
    "alone": None, "lock": lock, "gets": gets, "bodies": bodies, "idle": idle, "slow": slow, "drip": drip,
    "promote": promote, "kill": kill, "full": full, "clock": clock, "round": round_beside,
}
# Further options of the server.
OPTIONS = {"round": ["--run-every", "1s"]}
# Burdens of many clients run in a separate process: threads of one Python take turns, and a prediction would wait for
# the clients instead of the server. Real clients are on other machines, so here they get the lowest priority.
CROWDS = {"lock", "gets", "bodies", "drip"}
# Burdens that stop the server, or make it refuse requests, for a while.
STOPS = {"kill", "full"}
BINARY, SERVER = [], [None]


def started(folder, port, options):
    """A server, and its address."""
    environment = {**os.environ, "MLLOOP_TOKEN": TOKEN}
    if (folder.parent / "clock").exists():
        environment |= {
            "LD_PRELOAD": FAKETIME, "FAKETIME_TIMESTAMP_FILE": str(folder.parent / "clock"), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    server = subprocess.Popen(
        [BINARY[0], "-C", folder, "serve", "--port", str(port), *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )
    said = ""
    while not said.endswith("}\n"):
        if not (line := server.stdout.readline()):
            raise RuntimeError(f"the server did not start: status {server.wait()}")
        said += line
    said = json.loads(said)
    host, port = said["url"].split("//")[1].rsplit(":", 1)
    return server, (host, int(port))


class Rows:
    """Rows with unique ids, and which of them were acknowledged."""

    def __init__(self, name):
        self.name, self.count, self.acknowledged = name, itertools.count(), []

    def next(self):
        name = f"{self.name}-{next(self.count)}"
        return json.dumps({**ROW, "customer": name}).encode(), lambda: self.acknowledged.append(name)

    def lost(self, folder):
        """Acknowledged rows that are in no line of the log."""
        logged = set()
        for path in (folder / "predictions").glob("*.csv"):
            with open(path, newline="") as file:
                logged |= {line[0] for line in csv.reader(file) if line}
        return [name for name in self.acknowledged if name not in logged]


class Threads:
    """Threads that work until the end."""

    def __init__(self, address):
        self.address, self.over, self.threads, self.seen = address, threading.Event(), [], []

    def start(self, work, *args):
        self.threads.append(threading.Thread(target=work, args=args, daemon=True))
        self.threads[-1].start()

    def client(self, work, seen, *args):
        self.seen.append(seen)
        self.start(work, self.over, self.address, seen, *args)

    def burden(self, name, folder):
        self.start(BURDENS[name], folder, self.address, self.over, self.client)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=90)


def crowd(name, folder, address, answered):
    """The process of a crowd of clients, until it is killed; it counts their responses."""
    os.nice(19)
    threads = Threads(address)
    threads.burden(name, folder)
    while not threads.over.wait(0.1):
        answered.value = sum(len(seen) for seen in threads.seen)


def measure(folder, address, name, seconds):
    rows, threads, burden = Rows(name), Threads(address), None
    asked, healthy, answered = [], [], multiprocessing.Value("Q", 0)
    if name in CROWDS:
        burden = multiprocessing.Process(target=crowd, args=(name, folder, address, answered), daemon=True)
        burden.start()
    elif BURDENS[name]:
        threads.burden(name, folder)
    time.sleep(1.5)
    for _ in range(2):
        threads.client(keep_asking, asked, "POST", "/predict", rows.next)
    threads.client(health, healthy)
    time.sleep(seconds)
    threads.end()
    if burden:
        burden.kill()
        burden.join()
    times = sorted(took for took, status in asked if status == 200) or [float("nan")]
    at = lambda share: round(1000 * times[int((len(times) - 1) * share)], 2)
    return {
        "answers": len(times), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0),
        "not_200": sum(status != 200 for _, status in asked),
        "health_max_ms": round(1000 * max((took for took, _ in healthy), default=0), 1),
        "health_not_200": sum(status != 200 for _, status in healthy),
        "acknowledged": len(rows.acknowledged), "lost": len(rows.lost(folder)),
        **({"burden_answers": answered.value} if burden else {}),
    }


def faults(name, figures):
    """The bounds that are not kept."""
    found = []
    if figures["lost"]:
        found.append(f"{figures['lost']} acknowledged rows are lost")
    if figures["answers"] < 2:
        found.append("no answer")
    if name in STOPS:
        return found
    if figures["p99_ratio"] and figures["p99_ratio"] > 2:
        found.append(f"p99 is {figures['p99_ratio']} times that of the clients alone")
    if figures["health_max_ms"] >= 50 or figures["health_not_200"]:
        found.append(f"/health took {figures['health_max_ms']} ms, {figures['health_not_200']} times not 200")
    if figures["not_200"]:
        found.append(f"{figures['not_200']} predictions were not answered with 200")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=TARGET / "release" / "mlloop")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", nargs="*", choices=list(BURDENS), default=list(BURDENS))
    parser.add_argument("--assert", dest="strict", action="store_true", help="exit status 1 when a bound is not kept")
    args = parser.parse_args()
    BINARY.append(args.binary)
    told, wrong = {}, []
    for name in args.only:
        if name == "clock" and not FAKETIME:
            print("skipped: clock: there is no libfaketime here", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as top:
            folder = Path(top) / "loop"
            folder.mkdir()
            if name == "full" and not mounted(folder):
                print("skipped: full: this user may not mount a tmpfs", file=sys.stderr)
                continue
            try:
                told[name] = beside(folder, name, args.seconds)
            finally:
                if name == "full":
                    subprocess.run(["umount", "-l", folder], check=True)
    alone = told.get("alone", {}).get("p99_ms")
    for name, figures in told.items():
        figures["p99_ratio"] = round(figures["p99_ms"] / alone, 1) if alone else None
        wrong += [f"{name}: {what}" for what in faults(name, figures)]
    print(json.dumps(told, indent=1))
    print(*wrong, sep="\n", file=sys.stderr)
    sys.exit(bool(wrong) if args.strict else any(figures["answers"] < 2 for figures in told.values()))


def beside(folder, name, seconds):
    """The figures of a burden, on a separate loop and server, so that nothing remains from the previous burden."""
    run = lambda *words: subprocess.run([BINARY[0], "-C", folder, "-q", *words], check=True)
    run("init", ROOT / "fixtures" / "tables" / "churn.csv")
    for _ in range(2 if name == "promote" else 1):
        run("train")
    if name == "clock":
        (folder.parent / "clock").write_text("+0d\n")
    SERVER[0], address = started(folder, 0, OPTIONS.get(name, []))
    figures = measure(folder, address, name, seconds)
    if name == "round":
        figures |= {"rounds": rounds(folder), "retrained": rounds(folder, "retrain")}
    SERVER[0].terminate()
    try:
        SERVER[0].wait(timeout=30)
    except subprocess.TimeoutExpired:
        SERVER[0].kill()
    # The chain is intact, and the files match it.
    checked = subprocess.run([BINARY[0], "-C", folder, "audit", "verify", "--deep"], capture_output=True, text=True)
    if checked.returncode:
        sys.exit(f"{name}: audit verify --deep: {checked.stdout}{checked.stderr}")
    return figures


if __name__ == "__main__":
    main()
