#!/usr/bin/env python3
"""Measures how predictions fare while other clients and processes are a burden.

usage: scripts/bench/isolation.py [--binary PATH] [--seconds 5] [--only NAME ...]

A loop with one version is made of fixtures/tables/churn.csv and served. Two clients ask for one prediction after another,
first alone, then beside each burden:

  lock       another process holds the lock of the loop, and 32 clients send feedback
  gets       64 clients ask for the state of the loop, one after another
  bodies     16 clients send 9000 rows each
  idle       1000 connections that send nothing, and 60 that send a byte each second
  slow       520 connections that began a request and do not go on
  round      the server runs the loop beside itself (serve --run-every 1s), and 1000 labelled rows come for each round,
             so that it monitors, retrains and lets the gate judge

and prints, as JSON: p50 and p99 of predictions in milliseconds, answers other than 200, the slowest answer of /health on
a new connection, and the ratio of p99 to that of the clients alone. Needs a built mlloop (make build, or --binary).
"""

import argparse
import fcntl
import json
import os
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
    """One connection that is kept."""

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
    """Asks until it is over; whoever is turned away comes again."""
    while not over.is_set():
        try:
            client = Client(address)
            while not over.is_set():
                began = time.perf_counter()
                status = client.ask(method, path, body)
                seen.append((time.perf_counter() - began, status))
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


def rounds(folder, verb="run"):
    """How often a verb ran, by the run log."""
    try:
        lines = (folder / "runs" / "runs.jsonl").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return sum(json.loads(line)["verb"] == verb for line in lines)


def round_beside(folder, address, over, start):
    while not over.is_set():
        before = rounds(folder)
        words = ["-C", folder, "-q", "simulate", "-n", "1000", "--with-labels"]
        subprocess.run([BINARY[0], *words], check=True, stdout=subprocess.DEVNULL)
        while rounds(folder) == before and not over.wait(0.2):
            pass


BURDENS = {
    "alone": None, "lock": lock, "gets": gets, "bodies": bodies, "idle": idle, "slow": slow, "round": round_beside,
}
# How a server is started besides.
OPTIONS = {"round": ["--run-every", "1s"]}
BINARY = []


def measure(folder, address, burden, seconds):
    over = threading.Event()
    threads, asked, healthy = [], [], []

    def start(work, seen, *args):
        threads.append(threading.Thread(target=work, args=(over, address, seen, *args), daemon=True))
        threads[-1].start()

    if burden:
        threads.append(threading.Thread(target=burden, args=(folder, address, over, start), daemon=True))
        threads[-1].start()
        time.sleep(1.5)
    for n in range(2):
        body = json.dumps({**ROW, "customer": f"{n}-0"}).encode()
        start(keep_asking, asked, "POST", "/predict", body)
    threads.append(threading.Thread(target=health, args=(over, address, healthy), daemon=True))
    threads[-1].start()
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join(timeout=90)
    times = sorted(took for took, status in asked if status == 200) or [float("nan")]
    at = lambda share: round(1000 * times[int((len(times) - 1) * share)], 2)
    return {
        "answers": len(times), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0),
        "not_200": sum(status != 200 for _, status in asked),
        "health_max_ms": round(1000 * max((took for took, _ in healthy), default=0), 1),
        "health_not_200": sum(status != 200 for _, status in healthy),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=TARGET / "release" / "mlloop")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", nargs="*", choices=list(BURDENS), default=list(BURDENS))
    args = parser.parse_args()
    BINARY.append(args.binary)
    told = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = lambda *words: subprocess.run([args.binary, "-C", folder, "-q", *words], check=True)
        run("init", ROOT / "fixtures" / "tables" / "churn.csv")
        run("train")
        for name in args.only:
            # A server of its own, so that no burden is left over from the one before.
            environment = {**os.environ, "MLLOOP_TOKEN": TOKEN}
            server = subprocess.Popen(
                [args.binary, "-C", folder, "serve", "--port", "0", *OPTIONS.get(name, [])],
                stdout=subprocess.PIPE, text=True, env=environment,
            )
            said = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")
            host, port = said["url"].split("//")[1].rsplit(":", 1)
            told[name] = measure(folder, (host, int(port)), BURDENS[name], args.seconds)
            if name == "round":
                told[name] |= {"rounds": rounds(folder), "retrained": rounds(folder, "retrain")}
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()
    alone = told.get("alone", {}).get("p99_ms")
    for figures in told.values():
        figures["p99_ratio"] = round(figures["p99_ms"] / alone, 1) if alone else None
    print(json.dumps(told, indent=1))
    sys.exit(any(figures["answers"] < 2 for figures in told.values()))


if __name__ == "__main__":
    main()
