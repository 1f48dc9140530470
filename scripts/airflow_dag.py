"""Loops of mlloop in Apache Airflow 3: one task for each step; a task with nothing to do is skipped.

    check_drift -> check_volume -> retrain -> evaluate -> deploy -> notify

`mlloop init --with airflow` writes this file for a loop; put it into the folder of DAGs, or link it there. Each loop needs a
first version (`mlloop train`). Put tasks that write new rows to data/current.csv before check_drift.

Exit statuses 1 (no), 3 (too few rows) and 4 (waiting for `mlloop approve`) skip a task and all following ones; an error fails
them. The steps are mapped over the loops, so an error in one loop does not affect the others. `notify` always runs. It is a
teardown: unlike a last task with trigger_rule="all_done", it does not hide a failure.
"""
import datetime
import glob
import os
import subprocess

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, chain, get_current_context, task, task_group

MLLOOP = "/path/to/mlloop"

# The prefix of each DAG's name.
NAME = "mlloop"

# The directories of the loops. A pattern such as "/srv/loops/*" matches all loops at the time of the run.
LOOPS = ["/path/to/loop"]

# What starts a retraining, and how often to check. Each entry is a DAG; with None it runs manually or from another DAG.
#   drift    if `mlloop monitor` finds a reason: drift, worse outcomes, or any other of [monitor.triggers]
#   volume   after enough new labels ([retrain] min_new_labels), with or without drift
#   monthly  every time, with any number of new labels
SCHEDULES = {"drift": "@daily", "volume": "@weekly", "monthly": "@monthly"}

# A shell command that gets the result of each loop on its standard input, such as: mail -s "our loops" ml@example.org
# mlloop itself sends the notifications of [notify] in mlloop.toml.
NOTIFY = os.environ.get("MLLOOP_NOTIFY", "")

# Options that make monitor and retrain continue for any result.
ANY_REASON = "{{ '' if params.when == 'drift' else ' --force' }}"
ANY_NUMBER = "{{ ' --force' if params.when == 'monthly' else '' }}"

# The tasks of a loop. `run --step` asks people where mlloop.toml says so, and promotes nothing while an experiment runs.
STEPS = {
    "check_drift": "run --step monitor" + ANY_REASON,
    "check_volume": "retrain --dry-run" + ANY_NUMBER,
    "retrain": "run --step retrain" + ANY_NUMBER,
    "evaluate": "promote --dry-run",
    "deploy": "run --step promote",
}


def step(name, arguments, loop):
    """A task that runs mlloop in a directory, passed by the environment because it may contain any character.

    The task waits while another program changes the loop.
    """
    return BashOperator(
        task_id=name,
        bash_command=f'"$MLLOOP" -C "$LOOP" --text --wait 600 {arguments}',
        env={"MLLOOP": MLLOOP, "LOOP": loop},
        append_env=True,
        skip_on_exit_code=[1, 3, 4],
    )


@task
def find_loops():
    """The directories of the loops, each once."""
    found = {}
    for pattern in get_current_context()["params"]["loops"]:
        # A directory may have * or [ in its name.
        fitting = [pattern] if os.path.isdir(pattern) else sorted(glob.glob(pattern))
        loops = [path for path in fitting if os.path.exists(os.path.join(path, "mlloop.toml"))]
        if not loops:
            raise ValueError(f"there is no loop (mlloop.toml) at {pattern}")
        found.update(dict.fromkeys(loops))
    return list(found)


@task
def notify(loop):
    """Reports how far the loop came, with the output of `mlloop report`."""
    ti = get_current_context()["ti"]
    # By run, then by task with its index among the loops; a task that was not reached may have no state.
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id], map_index=ti.map_index, task_group_id="a_loop")
    of_task = {name.removesuffix(f"_{ti.map_index}"): state for name, state in states.get(ti.run_id, {}).items()}
    states = [f"{name}: {of_task.get('a_loop.' + name) or 'not reached'}" for name in STEPS]
    report = subprocess.run([MLLOOP, "-C", loop, "report"], capture_output=True, text=True)
    text = f"{loop}\n{', '.join(states)}\n\n{report.stdout or report.stderr}"
    print(text)
    if NOTIFY:
        subprocess.run(["sh", "-c", NOTIFY], input=text, text=True, check=True)


@task_group
def a_loop(loop):
    """One loop's round."""
    chain(*[step(name, arguments, loop) for name, arguments in STEPS.items()], notify(loop).as_teardown())


def make_dag(when, schedule):
    """The DAG for one way to be triggered."""
    params = {
        "loops": Param(LOOPS, type="array", items={"type": "string"}, description="directories or patterns"),
        "when": Param(when, enum=list(SCHEDULES), description="what starts a retraining"),
    }
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    settings = {"schedule": schedule, "start_date": start, "catchup": False, "max_active_runs": 1}
    with DAG(f"{NAME}_{when}", params=params, doc_md=__doc__, tags=["mlloop"], **settings) as dag:
        a_loop.expand(loop=find_loops())
    return dag


for _when, _schedule in SCHEDULES.items():
    globals()[f"{NAME}_{_when}"] = make_dag(_when, _schedule)
