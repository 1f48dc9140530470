"""Real Airflow runs the DAG that `init --with airflow` writes, over loops of which each ends in another place."""
import csv
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

from _common import CHURN, environment, mlloop, version, workplace

PYTHON = environment("airflow", "apache-airflow>=3.0,<4", "apache-airflow-providers-standard")
STEPS = ["check_drift", "check_volume", "retrain", "evaluate", "deploy", "notify"]


def make_loop(at, more="", labels=True, stump=True):
    """600 rows to learn from, 300 that came since, 100 of these labelled; production is too simple a model, if wanted."""
    (at / "data").mkdir(parents=True)
    with open(CHURN) as file:
        header, *rows = csv.reader(file)
    for name, part in ("reference", rows[:600]), ("current", [row[:-1] + [""] for row in rows[600:900]]):
        with open(at / "data" / f"{name}.csv", "w") as file:
            csv.writer(file).writerows([header, *part])
    if labels:
        with open(at / "data" / "labels.csv", "w") as file:
            writer = csv.writer(file)
            writer.writerow("id,label,annotator,labelled_at,source,batch,select_prob,model_version".split(","))
            writer.writerows([row[0], row[-1], "ann", "2026-11-10T00:00:00Z", "human", "", "", ""] for row in rows[600:700])
    mlloop("init", "data/reference.csv", cwd=at)
    toml = (at / "mlloop.toml").read_text()
    usual = toml.replace("[decision]", "n_estimators = 30\n[decision]") + more
    simple = toml.replace('"gradient-boosting"', '"decision-tree"').replace("[decision]", "max_depth = 1\n[decision]")
    (at / "mlloop.toml").write_text(simple if stump else usual)
    mlloop("train", "--now", "2026-11-01T00:00:00Z", cwd=at)
    (at / "mlloop.toml").write_text(usual)


class Airflow:
    def __init__(self, home, dag):
        self.home, self.dag = home, pathlib.Path(dag)
        (home / "dags").mkdir(parents=True)
        (home / "dags" / "loops.py").symlink_to(dag)
        self.env = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "MLLOOP_NOTIFY": f"cat >> '{home}/told'",
            "NO_COLOR": "1",
        }
        self.run("db", "migrate")

    def run(self, *args, status=0):
        done = subprocess.run([PYTHON, "-m", "airflow", *args], env=self.env, cwd=self.home, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert status is None or done.returncode == status, f"airflow {args}: {done.returncode}\n{said[-6000:]}"
        return said

    def test(self, dag, status=0, **conf):
        """Runs a DAG once: its state, each loop's states in the order of the steps, and what was told."""
        (self.home / "told").write_text("")
        said = self.run("dags", "test", dag, "--conf", json.dumps(conf), status=status)
        with sqlite3.connect(self.home / "airflow.db") as db:
            run_id, state = db.execute("select run_id, state from dag_run where dag_id = ? order by id desc limit 1", [dag]).fetchone()
            rows = db.execute("select task_id, map_index, state from task_instance where dag_id = ? and run_id = ?", [dag, run_id]).fetchall()
        by_loop = {}
        for task, index, found in rows:
            if task.startswith("a_loop."):
                by_loop.setdefault(index, {})[task[len("a_loop."):]] = found
        return state, {n: [s.get(step) for step in STEPS] for n, s in by_loop.items()}, (self.home / "told").read_text(), said


OK, SKIP, FAIL, AFTER = "success", "skipped", "failed", "upstream_failed"


def production(loop):
    return json.loads(mlloop("status", "--json", cwd=loop)[0])["production"]


def main():
    work = workplace()
    # Names that a shell, a template and a literal of Python could stumble over.
    loops = work / "it's $HOME & \"loops\""
    make_loop(loops / "asks")
    make_loop(loops / "better")
    make_loop(loops / "calm", labels=False)
    make_loop(loops / "equal", stump=False)
    for name in ("asks", "broken", "unwilling"):
        if name != "asks":
            shutil.copytree(loops / "better", loops / name)
        toml = loops / name / "mlloop.toml"
        text = toml.read_text()
        if name == "asks":
            toml.write_text(text.replace('approval = "auto"', 'approval = "manual"'))
        if name == "unwilling":
            toml.write_text(text + '\n[retrain]\napproval = "manual"\n')
        if name == "broken":
            (loops / name / "data" / "current.csv").write_text("no,such,table\n1,2\n")
    mlloop("init", "--with", "airflow", cwd=loops / "better")
    airflow = Airflow(work / "airflow", loops / "better" / "scripts" / "airflow_dag.py")
    version(airflow.run("version").strip().splitlines()[-1])
    everything = [str(loops / "*"), str(loops / "better")]

    # One in which all goes well, one without a reason, one refused, two in which a person has to agree. One that fails: the
    # run is a failure although its last task is not, and the others went their way. A loop that is named twice is one.
    state, found, told, said = airflow.test("better_drift", status=None, loops=everything)
    assert state == "failed", said[-6000:]
    assert found == {
        0: [OK, OK, OK, OK, SKIP, OK],
        1: [OK, OK, OK, OK, OK, OK],
        2: [FAIL, AFTER, AFTER, AFTER, AFTER, OK],
        3: [SKIP, SKIP, SKIP, SKIP, SKIP, OK],
        4: [OK, OK, OK, SKIP, SKIP, OK],
        5: [OK, OK, SKIP, SKIP, SKIP, OK],
    }, (found, said[-6000:])
    for name, version_now in (("asks", 1), ("better", 2), ("broken", 1), ("calm", 1), ("equal", 1), ("unwilling", 1)):
        assert production(loops / name) == f"v000{version_now}", name
    for line in (
        f"{loops}/better\ncheck_drift: success, check_volume: success, retrain: success, evaluate: success, deploy: success",
        f"{loops}/broken\ncheck_drift: failed, check_volume: upstream_failed,",
        f"{loops}/calm\ncheck_drift: skipped, check_volume: skipped, retrain: skipped,",
        "## better: churn",
    ):
        assert line in told, (line, told)
    assert not (loops / "unwilling" / "models" / "v0002").exists(), "nobody agreed to a retraining"
    asked = json.loads(mlloop("status", "--json", cwd=loops / "asks")[0])["pending"]
    assert len(asked) == 1, asked

    # Nothing drifted and no label is new: by volume that is too little, and it is none of a failure. Once a month it is
    # trained whatever monitor finds, if there is anything to learn from.
    state, found, _, said = airflow.test("better_volume", loops=[str(loops / "calm")])
    assert (state, found) == ("success", {0: [OK, SKIP, SKIP, SKIP, SKIP, OK]}), (found, said[-6000:])
    (loops / "calm" / "mlloop.toml").write_text((loops / "calm" / "mlloop.toml").read_text() + "\n[retrain]\nmin_new_labels = 500\n")
    shutil.copy(loops / "unwilling" / "data" / "labels.csv", loops / "calm" / "data" / "labels.csv")
    state, found, _, said = airflow.test("better_volume", loops=[str(loops / "calm")])
    assert (state, found) == ("success", {0: [OK, SKIP, SKIP, SKIP, SKIP, OK]}), (found, said[-6000:])
    state, found, _, said = airflow.test("better_volume", loops=[str(loops / "calm")], when="monthly")
    assert (state, found[0][:3]) == ("success", [OK, OK, OK]), (found, said[-6000:])

    # A person agreed meanwhile.
    mlloop("approve", asked[0]["id"], "--by", "ann", cwd=loops / "asks")
    assert production(loops / "asks") == "v0002"

    # By itself a DAG takes the loop that it was written for; and it says which directory is no loop.
    state, found, _, said = airflow.test("better_drift")
    assert (state, found) == ("success", {0: [SKIP, SKIP, SKIP, SKIP, SKIP, OK]}), (found, said[-6000:])
    state, found, _, said = airflow.test("better_monthly", status=None, loops=[str(work / "nowhere*")])
    assert state == "failed" and "there is no loop (mlloop.toml) at" in said, said[-6000:]


if __name__ == "__main__":
    main()
