"""A real PostgreSQL server, with TLS and `.pgpass`, under the whole loop; and a connection that is cut while rows are on their way.

`tests/postgres.rs` tries what goes wrong one by one.
"""
import csv
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

from _common import CHURN, MLLOOP, Server, free_port, holds_no, mlloop, skip, version, workplace

PASSWORD = "hunter2-of-the-database"
TOKEN = "hunter2-of-the-server"
NOBODY = 65534


class Postgres:
    """A server of its own in a folder; it speaks TLS with a certificate for `localhost`."""

    def __init__(self, folder):
        places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + os.environ.get("PATH", "").split(":")
        found = [place for place in places if all((pathlib.Path(place) / name).exists() for name in ("initdb", "postgres", "psql"))]
        if not found:
            skip("no PostgreSQL server is installed")
        if not shutil.which("openssl"):
            skip("no openssl, which makes the server's certificate")
        self.bin, self.folder, self.port = pathlib.Path(found[0]), folder, free_port()
        # A server refuses to run as root.
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        folder.mkdir()
        (folder / "password").write_text(PASSWORD)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost", "-keyout", "server.key", "-out", "server.crt"],
            cwd=folder, check=True, capture_output=True)
        if self.user:
            for path in [folder, *folder.iterdir()]:
                os.chown(path, NOBODY, NOBODY)
        os.chmod(folder / "server.key", 0o600)

    def __enter__(self):
        subprocess.run(
            [self.bin / "initdb", "-D", "data", "-U", "ann", "--pwfile=password", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync"],
            check=True, **self.run(), **self.user)
        self.start()
        assert self.psql("create database shop", "postgres").returncode == 0
        return self

    def run(self):
        return dict(cwd=self.folder, stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "w"), env={"LC_ALL": "C"})

    def start(self):
        ssl = [option for pair in ("ssl=on", "ssl_cert_file=../server.crt", "ssl_key_file=../server.key") for option in ("-c", pair)]
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", "data", "-p", str(self.port), "-k", "", "-c", "listen_addresses=localhost", *ssl],
            **self.run(), **self.user)
        end = time.monotonic() + 60
        while self.psql("select 1", "postgres").returncode:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.1)

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def psql(self, sql, database="shop"):
        return subprocess.run(
            [self.bin / "psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", "localhost", "-p", str(self.port), "-U", "ann",
             "-d", database, "-c", sql], capture_output=True, text=True, env={**os.environ, "PGPASSWORD": PASSWORD})

    def sql(self, sql):
        done = self.psql(sql)
        assert done.returncode == 0, (sql, done.stderr)
        return done.stdout.strip()

    def url(self, rest):
        return f"postgres://ann@localhost:{self.port}/shop{rest}"


def encryption(server, home, env):
    """Each `sslmode`, and whether the server sees the connection encrypted."""
    asked = "?sslmode=%s&query=select ssl::text as ssl, '%s' as mode from pg_stat_ssl where pid = pg_backend_pid()"
    for mode, ssl in (("disable", "false"), ("prefer", "true"), ("require", "true")):
        mlloop("download", server.url(asked % (mode, mode)), "--force", cwd=home, env=env)
        assert (home / "data/query.csv").read_text() == f"ssl,mode\n{ssl},{mode}\n", mode
    for mode in ("verify-ca", "verify-full"):
        url = server.url(f"/churn?sslmode={mode}")
        _, err = mlloop("profile", url, cwd=home, env=env, status=2)
        assert "certificate" in err and len(err.strip().splitlines()) == 1, err
        mlloop("profile", f"{url}&sslrootcert={server.folder}/server.crt", cwd=home, env=env)
    # The certificate is that of localhost, and of no other name of this machine.
    other = server.url(f"/churn?sslrootcert={server.folder}/server.crt&sslmode=").replace("localhost", "127.0.0.1")
    mlloop("profile", other + "verify-ca", cwd=home, env=env)
    _, err = mlloop("profile", other + "verify-full", cwd=home, env=env, status=2)
    assert "not valid for name" in err, err


def whole_loop(server, home, env):
    """From one table to a version, and what it says of the rows back into another."""
    url = server.url("/churn")
    mlloop("init", url, cwd=home, env=env)
    mlloop("train", cwd=home, env=env)
    mlloop("monitor", url, cwd=home, env=env, status=1)
    for _ in range(2):
        mlloop("predict", url, "--log", "-o", server.url("/scores"), cwd=home, env=env)
    assert server.sql("select count(*), count(distinct customer), min(months) >= 0 from scores") == "1200|1200|t"
    ours, _ = mlloop("predict", CHURN, "--columns", "customer,score", cwd=home)
    ours = dict(line.split(",") for line in ours.split()[1:])
    theirs = dict(line.split("|") for line in server.sql("select customer, score from scores").split())
    assert {k: float(v) for k, v in ours.items()} == {k: float(v) for k, v in theirs.items()}
    # What arrives drifts; the scheduled round reads it where mlloop.toml says.
    server.sql("create table arrived as select * from churn; update arrived set monthly_charge = monthly_charge * 3")
    out, _ = mlloop("monitor", "--json", "--set", f"monitor.current={server.url('/arrived')}", cwd=home, env=env)
    report = json.loads(out)
    assert report["current"]["name"] == server.url("/arrived"), report["current"]
    assert [c["verdict"] for c in report["columns"] if c["name"] == "monthly_charge"] == ["drifted"]
    # A column that is gone is a finding or an error with its name, never a wrong answer.
    server.sql("alter table arrived drop column months")
    _, err = mlloop("predict", server.url("/arrived"), cwd=home, env=env, status=2)
    assert "missing column" in err and '"months"' in err, err


def cut(server, home, env):
    """The server ends the connection while rows are on their way, in either direction."""
    server.sql("create table big as select n as id, repeat('x', 1000) as t from generate_series(1, 100000) n")
    end = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'mlloop%' and query like 'COPY%'"
    reader = subprocess.Popen([MLLOOP, "profile", server.url("/big")], cwd=home, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**os.environ, **env})
    stop = time.monotonic() + 60
    while server.sql(end) == "0":
        assert reader.poll() is None and time.monotonic() < stop, "the rows were read before the connection could be cut"
    out, err = reader.communicate(timeout=60)
    assert reader.returncode == 2 and not out, (reader.returncode, out, err)
    assert "terminating connection" in err or "cut" in err, err
    writer = subprocess.Popen([MLLOOP, "predict", "-", "-o", server.url("/cut")], cwd=home, text=True, stdin=subprocess.PIPE,
                              stderr=subprocess.PIPE, env={**os.environ, **env})
    header, *rows = pathlib.Path(CHURN).read_text().splitlines()
    feeding = threading.Event()

    def feed():
        try:
            writer.stdin.write(header + "\n")
            while not feeding.is_set():
                writer.stdin.write("\n".join(rows) + "\n")
            writer.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    thread = threading.Thread(target=feed)
    thread.start()
    while server.sql(end) == "0":
        assert writer.poll() is None, writer.stderr.read()
    writer.wait(120)
    feeding.set()
    thread.join()
    err = writer.stderr.read()
    assert writer.returncode == 2 and ("terminating connection" in err or "cut" in err), err
    assert server.sql("select to_regclass('cut') is null") == "t"


def post(port, path, body):
    """Status and answer of a request to `serve`."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, json.loads(answer.read())


def store(server, home, env):
    """`serve` on one machine, verbs on another: labels and feedback in one table, also while the database is down."""
    with open(home / "mlloop.toml", "a") as file:
        file.write(f'\n[labels]\nstore = "{server.url("/said")}"\n')
    other = home.parent / "other"
    shutil.copytree(home, other)
    with open(CHURN) as file:
        rows = [{name: cell for name, cell in row.items() if name != "churn"} for row in csv.DictReader(file)][:8]
    for n, row in enumerate(rows):
        row["customer"] = f"S{n}"
    ids = [row["customer"] for row in rows]
    port = free_port()
    url = f"http://127.0.0.1:{port}/ready"
    with Server([MLLOOP, "serve", "--port", str(port)], url, home / "serve.log", cwd=home, env={**os.environ, **env, "MLLOOP_TOKEN": TOKEN}):
        post(port, "/predict", {"raw_features": rows, "true_labels": ["yes"] + [None] * 7})
        status, given = post(port, "/feedback", [{"id": id, "verdict": "correct", "by": "ann"} for id in ids[:3]])
        assert (status, given["n_new"]) == (200, 3), given
        assert server.sql("select count(*) from said") == "4"
        assert post(port, "/feedback", {"id": ids[0], "verdict": "correct", "by": "ann"})[1]["n_unchanged"] == 1
        known = json.loads(mlloop("feedback", "list", cwd=other, env=env)[0])
        assert sorted(one["id"] for one in known) == ids[:3], known
        server.stop()
        # The server keeps what comes, a verb says what is wrong, and neither loses or makes up anything.
        began = time.monotonic()
        status, kept = post(port, "/feedback", [{"id": id, "verdict": "uncertain", "by": "ann"} for id in ids[3:5]])
        assert (status, kept["n_kept"]) == (202, 2), kept
        post(port, "/predict", {"raw_features": rows[5:6], "true_labels": ["no"]})
        assert time.monotonic() - began < 30
        _, err = mlloop("retrain", cwd=other, env=env, status=2)
        assert "refused" in err and len(err.strip().splitlines()) == 1, err
        server.start()
        end = time.monotonic() + 60
        while server.sql("select count(*) from said") != "7":
            assert time.monotonic() < end, (home / "serve.log").read_text()
            time.sleep(0.2)
        while (home / "runs" / "waiting.jsonl").exists() or (home / "runs" / "taking.jsonl").exists():
            assert time.monotonic() < end, (home / "serve.log").read_text()
            time.sleep(0.2)
    for loop in (home, other):
        known = json.loads(mlloop("feedback", "list", cwd=loop, env=env)[0])
        assert sorted(one["id"] for one in known) == ids[:5], known
        mlloop("audit", "verify", "--deep", cwd=loop, env=env)
    labels = [sorted((loop / "data" / "labels.csv").read_text().splitlines()) for loop in (home, other)]
    assert labels[0] == labels[1] and len(labels[0]) == 6, labels
    assert (home / "data" / "feedback.csv").read_text() == (other / "data" / "feedback.csv").read_text()
    holds_no(PASSWORD, other)
    holds_no(TOKEN, home)


def main():
    work = workplace()
    os.chmod(work, 0o711)
    with Postgres(work / "server") as server:
        version(server.sql("show server_version").split()[0])
        server.sql(
            "create table churn (customer text primary key, contract text, months int, internet text, paperless text, "
            "monthly_charge float8, total_charge float8, support_calls int, churn text)")
        server.sql(f"\\copy churn from '{CHURN}' csv header")
        home = work / "loop"
        home.mkdir()
        passfile = work / "pgpass"
        passfile.write_text(f"localhost:{server.port}:shop:ann:{PASSWORD}\n127.0.0.1:*:*:*:{PASSWORD}\n")
        passfile.chmod(0o600)
        env = {"PGPASSFILE": str(passfile), "PGPASSWORD": ""}
        encryption(server, home, env)
        whole_loop(server, home, env)
        cut(server, home, env)
        store(server, home, env)
        holds_no(PASSWORD, home)
    # A server that is gone.
    _, err = mlloop("predict", server.url("/churn"), cwd=home, env=env, status=2)
    assert "refused" in err and len(err.strip().splitlines()) == 1, err


if __name__ == "__main__":
    sys.exit(main())
